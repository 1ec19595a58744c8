//! What a control node has a node do beside serving, and how it hears of it.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use control::nodes::wire::{Answer, Command, Identity, Order, Outcome, REPORT, Report, Status};
use parking_lot::Mutex;
use serde::Deserialize as _;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::sleep,
};
use tracing::{debug, info};

use super::connection::{Connection, FollowError};
use crate::config::FollowSetup;

/// Orders that are carried out at once; one more is refused.
const ORDERS_MAX: usize = 16;
/// What a node is like is told at most so often, but for the regular requests.
const STATUS_PAUSE: Duration = Duration::from_millis(500);

/// Does what a node can be told to do.
pub struct Work(Box<dyn Fn(Order) -> Working + Send + Sync>);

type Working = Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Work {
    /// As `work` does it.
    pub fn new<F>(work: impl Fn(Order) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self(Box::new(move |order| Box::pin(work(order))))
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

/// An answer, and the control node that waits for it.
type Addressed = (usize, Answer);

/// The orders of a node.
#[derive(Debug)]
pub(super) struct Orders {
    setup: FollowSetup,
    identity: Identity,
    status: watch::Receiver<Status>,
    work: Work,
    places: Arc<Semaphore>,
    tasks: Mutex<JoinSet<()>>,
    done: mpsc::Sender<Addressed>,
    answers: tokio::sync::Mutex<mpsc::Receiver<Addressed>>,
}

impl Orders {
    pub(super) fn new(
        setup: &FollowSetup,
        identity: &Identity,
        status: watch::Receiver<Status>,
        work: Work,
    ) -> Self {
        let (done, answers) = mpsc::channel(2 * ORDERS_MAX);
        Self {
            setup: setup.clone(),
            identity: identity.clone(),
            status,
            work,
            places: Arc::new(Semaphore::new(ORDERS_MAX)),
            tasks: Mutex::default(),
            done,
            answers: tokio::sync::Mutex::new(answers),
        }
    }

    /// Begins with what a control node has said.
    pub(super) fn carry_out(&self, at: usize, commands: &[Value]) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        for command in commands {
            let Some(id) = command["id"].as_u64() else { continue };
            let done = self.done.clone();
            let outcome: Working =
                match (Command::deserialize(command), Arc::clone(&self.places).try_acquire_owned())
                {
                    (Ok(Command { order, .. }), Ok(place)) => {
                        info!(?order, "told by the control node");
                        let working = (self.work.0)(order);
                        Box::pin(async move {
                            let _held = place;
                            working.await
                        })
                    }
                    (Err(_other), _) => {
                        failed("this node is of a version that does not know how to")
                    }
                    (_, Err(_none_free)) => failed("this node has too much to do; try again"),
                };
            tasks.spawn(async move {
                let _ended = done.send((at, Answer { id, outcome: outcome.await })).await;
            });
        }
    }

    /// Says what came of orders, and what the node is like where that has changed.
    pub(super) async fn report(&self, current: &AtomicUsize) {
        let (mut status, mut connection) = (self.status.clone(), None);
        let mut answers = self.answers.lock().await;
        loop {
            let (at, answers) = tokio::select! {
                Some((at, answer)) = answers.recv() => (at, vec![answer]),
                Ok(()) = status.changed() => {
                    sleep(STATUS_PAUSE).await;
                    (current.load(Ordering::Relaxed), Vec::new())
                }
                else => return std::future::pending().await,
            };
            let node = self.identity.clone();
            let status = status.borrow_and_update().clone();
            let report = Report { node, status, answers, minutes: Vec::new() };
            if let Err(error) = self.send(at, &mut connection, &report).await {
                // Whoever waits hears nothing, and says so; the next request for news says what the node is like.
                debug!(error = &error as &dyn std::error::Error, "a report was lost");
            }
        }
    }

    async fn send(
        &self,
        at: usize,
        connection: &mut Option<(usize, Connection)>,
        report: &Report,
    ) -> Result<(), FollowError> {
        // An open one may have been closed by its other end meanwhile.
        if let Some((to, mut open)) = connection.take()
            && to == at
            && open.post::<()>(REPORT, report).await.is_ok()
        {
            *connection = Some((to, open));
            return Ok(());
        }
        let mut open = Connection::open(&self.setup, at).await?;
        open.post::<()>(REPORT, report).await?;
        *connection = Some((at, open));
        Ok(())
    }
}

fn failed(why: &str) -> Working {
    let outcome = Outcome::Failed(why.to_owned());
    Box::pin(async { outcome })
}
