//! One round of one target: connect everybody, run for so long, add up.

use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{Duration, Instant, sleep_until, timeout},
};

use crate::{
    args::Load,
    client::Client,
    pace::Pace,
    process::{Meter, Process, Spent},
    progress::Progress,
    record::{Outcome, Tally},
    table::Versions,
    target::Target,
    verify::Memory,
    worker::Worker,
    workload::Mix,
};

/// What a round measured.
#[derive(Debug)]
pub struct Round {
    /// Latencies and counts.
    pub tally: Tally,
    /// From the first question to the last answer.
    pub elapsed: Duration,
    /// CPU time in that time, of the watched process and of the machine.
    pub spent: Spent,
    /// The most memory that it held then, in KB.
    pub resident_kb: Option<u64>,
}

/// What all rounds share.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The arguments.
    pub load: &'a Load,
    /// Gives out versions.
    pub versions: Arc<Versions>,
    /// Shows how it goes.
    pub progress: Progress,
}

impl Stage<'_> {
    /// Runs a round. `label` is what the progress calls it.
    ///
    /// # Errors
    ///
    /// Not every client could connect, or the watched process has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all clients; the thread that keeps the pace ends with the round's time.
    pub async fn round(&self, target: &Target, label: &str) -> Result<Round> {
        let shape = self.load.shape;
        let clients = self.connect(target).await?;
        let lasts = Duration::from_secs(shape.seconds.into());
        let meter = Meter::start(target.process.as_ref())?;
        let begin = Instant::now();
        let pace = Arc::new(match shape.rate {
            None => Pace::closed(begin, lasts),
            Some(rate) => {
                let every = Duration::from_secs_f64(f64::from(shape.pipeline) / rate);
                Pace::open(begin, lasts, every)
            }
        });
        let shares: Vec<Arc<Mutex<Tally>>> =
            (0..SHARES.min(clients.len())).map(|_| Arc::default()).collect();
        let mut workers = JoinSet::new();
        for ((client, number), tally) in clients.into_iter().zip(0..).zip(shares.iter().cycle()) {
            workers.spawn(self.worker(target, client, number, &pace, tally)?.run());
        }
        let keeper = {
            let pace = Arc::clone(&pace);
            spawn_blocking(move || pace.keep())
        };
        let mut total = Tally::new();
        let resident_kb = self.watch(target, label, &shares, begin, &mut total).await?;
        keeper.await.context("the pace")?;
        while let Some(ended) = workers.join_next().await {
            ended.context("a client")?;
        }
        let elapsed = begin.elapsed();
        let spent = meter.read()?;
        for share in shares {
            total.take(&mut share.lock());
        }
        for due in pace.left_over() {
            for _ in 0..shape.pipeline {
                total.record(pace.end() - due, Outcome::Late);
            }
        }
        Ok(Round { tally: total, elapsed, spent, resident_kb })
    }

    /// All connections, so that opening them is not measured; none where each transaction opens its own.
    async fn connect(&self, target: &Target) -> Result<Vec<Option<Client>>> {
        let shape = self.load.shape;
        if shape.reconnect {
            return Ok((0..shape.clients).map(|_| None).collect());
        }
        let connect = |number: u32| async move {
            let opening = async {
                let mut client = target.endpoint.connect().await?;
                client.prepare().await?;
                Ok(client)
            };
            let opened = timeout(shape.timeout, opening).await;
            let client = opened.context("no connection in time").flatten();
            let place = || format!("{}: client {number} of {}", target.name, shape.clients);
            client.map(Some).with_context(place)
        };
        let opening = stream::iter(1..=shape.clients).map(connect).buffer_unordered(AT_ONCE);
        opening.try_collect().await
    }

    fn worker(
        &self,
        target: &Target,
        client: Option<Client>,
        number: u32,
        pace: &Arc<Pace>,
        tally: &Arc<Mutex<Tally>>,
    ) -> Result<Worker> {
        Ok(Worker {
            endpoint: Arc::clone(&target.endpoint),
            client,
            pace: Arc::clone(pace),
            mix: Mix::new(&self.load.workload, number, Arc::clone(&self.versions))?,
            memory: Memory::new(self.load.workload.allow_stale),
            tally: Arc::clone(tally),
            shape: self.load.shape,
        })
    }

    /// Adds up and looks at the memory, second by second, until the end.
    async fn watch(
        &self,
        target: &Target,
        label: &str,
        shares: &[Arc<Mutex<Tally>>],
        begin: Instant,
        total: &mut Tally,
    ) -> Result<Option<u64>> {
        let mut most = None;
        for second in 1..=self.load.shape.seconds {
            // Before the end, while all connections are there.
            let tick = begin + Duration::from_secs(second.into()) - BEFORE_THE_SECOND;
            sleep_until(tick).await;
            let mut recent = Tally::new();
            for share in shares {
                recent.take(&mut share.lock());
            }
            self.progress.second(label, second, &recent);
            total.add(&recent);
            let now = target.process.as_ref().map(Process::resident_kb).transpose()?;
            most = most.max(now);
        }
        Ok(most)
    }
}

/// Connections that are opened at the same time.
const AT_ONCE: usize = 32;
/// Tallies that the clients share; one each would take much memory, one for all much waiting.
const SHARES: usize = 16;
const BEFORE_THE_SECOND: Duration = Duration::from_millis(20);
