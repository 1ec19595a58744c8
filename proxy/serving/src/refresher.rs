//! Requests that are run once more, beside their clients: what is kept is about to be too old.
//!
//! A session of its own does that, to which nobody listens.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use cache::{Asked, Fill, Freshness};
use origin::net::{Framed, Stream};
use tokio::{
    io::{DuplexStream, copy, duplex, sink},
    time::timeout,
};

use crate::{context::Common, error::SessionError, until::until};

/// Longest time for a refresh: by then its entry cannot be served any more in most configs.
pub const REFRESH_TIMEOUT: Duration = Duration::from_secs(120);
/// How much a session may have said before it is thrown away.
const PIPE: usize = 256 * 1024;

/// A session to which nobody listens.
pub trait Unheard: Send + 'static {
    /// What it can run.
    type Request: Send + 'static;

    /// Runs a request for the cache, to its end.
    fn run(
        &mut self,
        request: Self::Request,
        fill: Fill,
    ) -> impl Future<Output = Result<(), SessionError>> + Send;

    /// Gives back what it holds, whatever that is doing.
    fn leave(&mut self) -> impl Future<Output = ()> + Send;
}

/// Where what nobody listens to goes.
#[derive(Debug)]
pub struct Nobody(DuplexStream);

impl Nobody {
    /// The stream of a session, and where what it says goes.
    pub fn stream() -> (Framed, Self) {
        let (near, far) = duplex(PIPE);
        (Framed::new(Stream::Duplex(near)), Self(far))
    }

    /// Lets a session run, and throws away what it says.
    ///
    /// # Cancel safety
    ///
    /// That of `run`.
    pub async fn hear<T>(mut self, run: impl Future<Output = T>) -> T {
        let drain = async {
            let mut nowhere = sink();
            let _bytes = copy(&mut self.0, &mut nowhere).await;
            pending::<Infallible>().await
        };
        tokio::select! {
            done = run => done,
            never = drain => match never {},
        }
    }
}

/// Has a request run in the background while `turn` is held, which keeps refreshes behind clients.
pub fn refresh<S: Unheard>(
    common: &Arc<Common>,
    turn: impl Send + 'static,
    (mut session, nobody): (S, Nobody),
    (request, mut fill, fresh): (S::Request, Fill, Freshness),
) {
    let context = Arc::clone(common);
    common.tasks.spawn(nobody.hear(async move {
        let _turn = turn;
        if fill.ask(fresh, false).await != Asked::Lead {
            // Another node has it fresh, or asks for it; or nothing may be kept.
            return;
        }
        let run = until(session.run(request, fill), context.ended());
        match timeout(REFRESH_TIMEOUT, run).await.map(Result::flatten) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "refresh failed");
            }
            Err(_elapsed) => tracing::debug!("refresh took too long"),
        }
        // Closing a connection does not stop what it runs.
        session.leave().await;
    }));
}
