//! One client: waits until a transaction is due, runs it, has the answer checked, counts it.

use std::sync::Arc;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::time::{Duration, Instant, sleep_until, timeout};

use crate::{
    args::Shape,
    client::{Client, Endpoint},
    pace::Pace,
    record::{Outcome, Tally},
    verify::{Done, Memory, Right},
    workload::{Mix, Operation},
};

/// One client of one round.
#[derive(Debug)]
pub struct Worker {
    /// Where it connects to.
    pub endpoint: Arc<Endpoint>,
    /// Its connection; without one it connects when it needs to, and that counts.
    pub client: Option<Client>,
    /// When it asks.
    pub pace: Arc<Pace>,
    /// What it asks.
    pub mix: Mix,
    /// What it knows about the answers.
    pub memory: Memory,
    /// Where it counts; some clients share one.
    pub tally: Arc<Mutex<Tally>>,
    /// How it asks.
    pub shape: Shape,
}

impl Worker {
    /// Asks until the end, and closes the connection. Ends at most one `timeout` after the pace.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection; an answer that was awaited is not counted.
    pub async fn run(mut self) {
        while let Some(due) = self.pace.next().await {
            let batch: Vec<_> = (0..self.shape.pipeline).map(|_| self.mix.draw()).collect();
            let done = match timeout(self.shape.timeout, self.turn(&batch)).await {
                Ok(done) => done,
                Err(elapsed) => Err(elapsed).context("no answer in time"),
            };
            let failed = self.settle(due, &batch, done);
            let pause = if failed { AFTER_ERROR } else { self.shape.think_time };
            if !pause.is_zero() {
                sleep_until((Instant::now() + pause).min(self.pace.end())).await;
            }
        }
        if let Some(client) = self.client {
            drop(timeout(self.shape.timeout, client.close()).await);
        }
    }

    /// Runs a batch; after an error the connection is not used again.
    async fn turn(&mut self, batch: &[Operation]) -> Result<Vec<Done>> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.endpoint.connect().await.context("connecting")?,
        };
        let done = client.run(batch).await;
        if self.shape.reconnect {
            client.close().await;
        } else if done.iter().all(|(answer, _)| answer.is_ok()) {
            self.client = Some(client);
        }
        Ok(done)
    }

    /// Checks and counts the answers of a batch; says whether there was an error.
    fn settle(&mut self, due: Instant, batch: &[Operation], done: Result<Vec<Done>>) -> bool {
        let mut failed = false;
        let mut outcomes = Vec::with_capacity(batch.len());
        match done {
            Ok(done) => {
                for (operation, (answer, at)) in batch.iter().zip(done) {
                    failed |= answer.is_err();
                    outcomes.push((at - due, self.judge(*operation, answer)));
                }
            }
            Err(error) => {
                failed = true;
                let took = due.elapsed();
                let error = format!("{error:#}");
                outcomes.extend(batch.iter().map(|_| (took, Outcome::Error(error.clone()))));
            }
        }
        let mut tally = self.tally.lock();
        for (took, outcome) in outcomes {
            tally.record(took, outcome);
        }
        failed
    }

    fn judge(&mut self, operation: Operation, answer: Result<crate::verify::Answer>) -> Outcome {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Outcome::Error(format!("{error:#}")),
        };
        match self.memory.check(operation, &answer) {
            Ok(Right::Surely) => Outcome::Right,
            Ok(Right::IfNewer(key)) => {
                self.mix.doubt(key);
                Outcome::Right
            }
            Err(wrong) => Outcome::Wrong(wrong.to_string()),
        }
    }
}

/// Else a target that is down would be asked as fast as the machine can.
const AFTER_ERROR: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
