//! Asking the origin once more for what the cache has and is about to be too old.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache::Fill;
use origin::net::{Framed, Stream};
use protocol::postgres::{frame::FrontendTag, message};
use serving::{error::SessionError, hold::Hold, observe::EventStatus, until::until};
use tokio::time::timeout;

use super::{
    batch::{Frame, Outgoing},
    client::Client,
    handshake::LoggedIn,
    session::Session,
    wait::Event,
};

/// Longest time for a refresh: by then its entry cannot be served any more in most configs.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(120);
/// How much a refresh may have under way between the session that runs it and the task that throws it away.
const REFRESH_PIPE: usize = 256 * 1024;

impl Client {
    /// Asks the origin once more in the background, as a session of its own that nobody listens to.
    ///
    /// Where clients are in line for the connections it is not asked: the next one who finds it stale tries again.
    pub(crate) fn refresh(&self, mut frames: Vec<Frame>, fill: Fill) {
        let Some(turn) = self.database.pool.turn_aside() else { return };
        if frames.last().is_some_and(|frame| frame.tag == FrontendTag::Flush) {
            // Nobody will come back to send it.
            frames.push(Frame::new(FrontendTag::Sync, Bytes::new()));
        }
        let (near, mut far) = tokio::io::duplex(REFRESH_PIPE);
        let client = LoggedIn {
            framed: Framed::new(Stream::Duplex(near)),
            database: Arc::clone(&self.database),
            key: self.context.cancel.issue(&self.database, false),
            base: Arc::clone(&self.facts.base),
            parameters: self.facts.parameters.clone(),
            statement_timeout: self.statement_timeout,
        };
        let context = Arc::clone(&self.context);
        let mut ghost = Session::new(client, context, self.end.write_timeout());
        ghost.client.facts = self.facts.for_refresh();
        self.context.common.tasks.spawn(async move {
            let _turn = turn;
            let run = async {
                match timeout(REFRESH_TIMEOUT, ghost.run_once(frames, fill)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::debug!(error, "refresh failed");
                    }
                    Err(_elapsed) => tracing::debug!("refresh took too long"),
                }
                drop(ghost);
            };
            let mut nowhere = tokio::io::sink();
            let (_, drained) = tokio::join!(run, tokio::io::copy(&mut far, &mut nowhere));
            drop(drained);
        });
    }
}

impl Session {
    /// Runs one request for the cache, with nobody listening.
    async fn run_once(&mut self, frames: Vec<Frame>, fill: Fill) -> Result<(), SessionError> {
        let context = Arc::clone(&self.client.context);
        let run = self.run_to_idle(frames, fill);
        let result = until(run, context.common.ended()).await.flatten();
        self.leave(false).await;
        let status = if result.is_ok() { EventStatus::Complete } else { EventStatus::Error };
        tracing::debug!(?status, "refresh ended");
        result
    }

    /// Sends one request and relays until it is over.
    async fn run_to_idle(&mut self, frames: Vec<Frame>, fill: Fill) -> Result<(), SessionError> {
        match frames.first() {
            Some(frame) if frame.tag == FrontendTag::Query => {
                let query = message::query_text(&frame.body).unwrap_or_default();
                let client = &self.client;
                let text = client.judge(query, client.analysis(frame.analysis.as_ref(), query));
                self.forward_query(&frame.body, text, Some(fill)).await?;
            }
            _ => {
                let fill = Some(fill);
                self.forward_frames(Outgoing { frames, judged: None, fill }).await?;
            }
        }
        // It has none where it was refused one, or has given it up.
        while let Hold::Held(work) = &self.hold
            && !work.loan.is_idle()
        {
            match self.wait().await? {
                Event::Read => self.relay()?,
                Event::StatementTimeout => self.cancel_statement()?,
                Event::ClientLeft | Event::IdleTooLong => return Ok(()),
                Event::BackendLeft(error) => return Err(SessionError::BackendLost(error)),
            }
        }
        Ok(())
    }
}
