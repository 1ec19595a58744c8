//! What a control node has a node do beside serving, and how it hears of it.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use control::nodes::{
    activity::Minute,
    wire::{Answer, Command, Identity, Order, Outcome, REPORT, Report, Status},
};
use parking_lot::Mutex;
use serde::Deserialize as _;
use serde_json::Value;
use serving::activity::{Minute as Counted, Minutes, Taken};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, info};

use super::{
    connection::{Connection, FollowError},
    held::Held,
};
use crate::config::FollowSetup;

/// Orders that are carried out at once; one more is refused.
const ORDERS_MAX: usize = 16;
/// Minutes that are told at once: less than half a megabyte.
const MINUTES_MAX: usize = 200;
/// From one try to tell minutes to the next.
const MINUTES_PAUSE: Duration = Duration::from_secs(5);
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
    minutes: Option<Arc<Minutes>>,
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
        (status, minutes): (watch::Receiver<Status>, Option<Arc<Minutes>>),
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
            minutes,
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
                        match order {
                            // Asked every few seconds while somebody looks.
                            Order::Activity { .. } => debug!(?order, "asked by the control node"),
                            _ => info!(?order, "told by the control node"),
                        }
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
        // When minutes are told, where they could not be.
        let mut again_at = Instant::now();
        loop {
            let (answers, minutes) = tokio::select! {
                Some(answer) = untold.recv() => (vec![answer], None),
                Ok(()) = status.changed() => {
                    sleep(STATUS_PAUSE).await;
                    (Vec::new(), None)
                }
                Ok(()) = held.changed() => {
                    // Whom news are taken from hears of it by the next request for some.
                    if *lead.borrow() == at {
                        continue;
                    }
                    sleep(STATUS_PAUSE).await;
                    (Vec::new(), None)
                }
                minutes = self.next_minutes(at, lead.subscribe(), again_at) => (Vec::new(), Some(minutes)),
                else => return std::future::pending().await,
            };
            let known = held.borrow_and_update().position().cloned();
            let known = known.filter(|_| *lead.borrow() != at);
            let (minutes, taken) = minutes.unzip();
            let report = Report {
                node: self.identity.clone(),
                status: status.borrow_and_update().clone(),
                known,
                answers,
                minutes: minutes.unwrap_or_default().into_iter().map(told).collect(),
            };
            match (self.send(at, &mut connection, &report).await, taken) {
                (Ok(()), Some(taken)) => self.forget(taken),
                (Ok(()), None) => {}
                (Err(error), taken) => {
                    // Whoever waits hears nothing, and says so; the next request says what the node is like, and minutes
                    // are told once more.
                    debug!(error = &error as &dyn std::error::Error, "a report was lost");
                    if taken.is_some() {
                        again_at = Instant::now() + MINUTES_PAUSE;
                    }
                }
            }
        }
    }

    /// Minutes that are over, for the control node that news are taken from: one keeps them for all.
    async fn next_minutes(
        &self,
        at: usize,
        mut lead: watch::Receiver<usize>,
        not_before: Instant,
    ) -> (Vec<Counted>, Taken) {
        sleep_until(not_before).await;
        let Some(minutes) = &self.minutes else { return std::future::pending().await };
        loop {
            drop(lead.wait_for(|lead| *lead == at).await);
            tokio::select! {
                minutes = minutes.next(MINUTES_MAX) => return minutes,
                _another = lead.changed() => {}
            }
        }
    }

    fn forget(&self, taken: Taken) {
        if let Some(minutes) = &self.minutes {
            minutes.forget(taken);
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

/// In the words of a control node.
fn told(minute: Counted) -> Minute {
    let queries = minute.queries.into_iter().map(|(status, count)| (status.to_owned(), count));
    let errors = minute.errors.into_iter();
    let errors = errors.map(|((place, reason), count)| (format!("{place}:{reason}"), count));
    Minute {
        database: minute.database.into(),
        id: minute.id.into(),
        minute: minute.minute,
        queries: queries.collect(),
        cached: minute.cached,
        uncached: minute.uncached,
        round_trips_saved: minute.round_trips_saved,
        transaction_reads: minute.transaction_reads,
        query_bytes: minute.query_bytes,
        result_bytes: minute.result_bytes,
        in_use: minute.in_use,
        waiting: minute.waiting,
        max_connections: minute.max_connections,
        errors: errors.collect(),
    }
}

fn failed(why: &str) -> Working {
    let outcome = Outcome::Failed(why.to_owned());
    Box::pin(async { outcome })
}
