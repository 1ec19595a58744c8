//! A target for tests, in virtual time: each answer takes as long as it is told.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    table::{Row, text_of},
    verify::{Answer, Done},
    workload::Operation,
};

/// Answers what it likes, when it likes: the argument is the time since the connection was opened.
pub(crate) type Script =
    dyn Fn(Operation, Duration) -> (Duration, anyhow::Result<Answer>) + Send + Sync;

/// A play.
#[derive(Clone)]
pub struct Endpoint(Arc<Script>);

/// A connection to it.
#[derive(Clone)]
pub struct Client {
    script: Arc<Script>,
    opened: Instant,
}

impl Endpoint {
    pub(super) fn connect(&self) -> Client {
        Client { script: Arc::clone(&self.0), opened: Instant::now() }
    }
}

impl Client {
    pub(super) async fn run(&self, batch: &[Operation]) -> Vec<Done> {
        let mut done = Vec::new();
        for operation in batch {
            let (takes, answer) = (self.script)(*operation, self.opened.elapsed());
            sleep(takes).await;
            done.push((answer, Instant::now()));
        }
        done
    }
}

/// A target that answers by a script.
pub(crate) fn endpoint(
    script: impl Fn(Operation, Duration) -> (Duration, anyhow::Result<Answer>) + Send + Sync + 'static,
) -> super::Endpoint {
    super::Endpoint::Scripted(Endpoint(Arc::new(script)))
}

/// What a right database answers to a read; all rows are in version 0.
pub(crate) fn right(operation: Operation) -> Answer {
    match operation {
        Operation::Read(id) => Answer::Rows(vec![Row { id, version: 0, text: text_of(id, 0) }]),
        Operation::Write { .. } => Answer::Changed(1),
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}
