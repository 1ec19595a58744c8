//! What a control node has a node do beside serving, and how it hears of it.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

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

use super::{
    connection::{Connection, FollowError},
    held::Held,
};
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

/// The orders of a node.
#[derive(Debug)]
pub(super) struct Orders {
    setup: FollowSetup,
    identity: Identity,
    status: watch::Receiver<Status>,
    work: Work,
    places: Arc<Semaphore>,
    tasks: Mutex<JoinSet<()>>,
    /// Of each control node.
    answers: Vec<Answers>,
}

/// What came of the orders of a control node, until it is told.
#[derive(Debug)]
struct Answers {
    done: mpsc::Sender<Answer>,
    untold: tokio::sync::Mutex<mpsc::Receiver<Answer>>,
}

impl Orders {
    pub(super) fn new(
        setup: &FollowSetup,
        identity: &Identity,
        status: watch::Receiver<Status>,
        work: Work,
    ) -> Self {
        let answers = setup.urls.iter().map(|_url| {
            let (done, untold) = mpsc::channel(2 * ORDERS_MAX);
            Answers { done, untold: untold.into() }
        });
        Self {
            setup: setup.clone(),
            identity: identity.clone(),
            status,
            work,
            places: Arc::new(Semaphore::new(ORDERS_MAX)),
            tasks: Mutex::default(),
            answers: answers.collect(),
        }
    }

    /// Begins with what a control node has said.
    pub(super) fn carry_out(&self, at: usize, commands: &[Value]) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        for command in commands {
            let Some(id) = command["id"].as_u64() else { continue };
            let done = self.answers[at].done.clone();
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
                let _ended = done.send(Answer { id, outcome: outcome.await }).await;
            });
        }
    }

    /// Tells a control node what came of its orders, and what the node is like and has where that has changed.
    pub(super) async fn report(
        &self,
        at: usize,
        lead: &watch::Sender<usize>,
        mut held: watch::Receiver<Arc<Held>>,
    ) {
        let (mut status, mut connection) = (self.status.clone(), None);
        let mut untold = self.answers[at].untold.lock().await;
        loop {
            let answers = tokio::select! {
                Some(answer) = untold.recv() => vec![answer],
                Ok(()) = status.changed() => {
                    sleep(STATUS_PAUSE).await;
                    Vec::new()
                }
                Ok(()) = held.changed() => {
                    // Whom news are taken from hears of it by the next request for some.
                    if *lead.borrow() == at {
                        continue;
                    }
                    sleep(STATUS_PAUSE).await;
                    Vec::new()
                }
                else => return std::future::pending().await,
            };
            let node = self.identity.clone();
            let status = status.borrow_and_update().clone();
            let known = held.borrow_and_update().position().cloned();
            let known = known.filter(|_| *lead.borrow() != at);
            let report = Report { node, status, known, answers, minutes: Vec::new() };
            if let Err(error) = self.send(at, &mut connection, &report).await {
                // Whoever waits hears nothing, and says so; the next request says what the node is like.
                debug!(error = &error as &dyn std::error::Error, "a report was lost");
            }
        }
    }

    async fn send(
        &self,
        at: usize,
        connection: &mut Option<Connection>,
        report: &Report,
    ) -> Result<(), FollowError> {
        // An open one may have been closed by its other end meanwhile.
        if let Some(mut open) = connection.take()
            && open.post::<()>(REPORT, report).await.is_ok()
        {
            *connection = Some(open);
            return Ok(());
        }
        let mut open = Connection::open(&self.setup, at).await?;
        open.post::<()>(REPORT, report).await?;
        *connection = Some(open);
        Ok(())
    }
}

fn failed(why: &str) -> Working {
    let outcome = Outcome::Failed(why.to_owned());
    Box::pin(async { outcome })
}
