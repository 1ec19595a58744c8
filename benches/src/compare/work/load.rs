//! The load tester's own clients: one round of it, with every answer checked.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{
    args::{Load, Protocol},
    client,
    compare::{
        contender::Contender,
        figures::{self, Figure, Figures},
    },
    progress::Progress,
    round::{Round, Stage},
    table::Versions,
    target::Target,
};

/// Reads of single rows, each as soon as its client has the answer to the one before.
#[derive(Clone, Copy, Debug)]
pub struct Reads {
    /// How statements are sent.
    pub protocol: Protocol,
    /// How many clients ask at once.
    pub clients: u32,
    /// Asks for all rows first, so that a cache has them.
    pub warm: bool,
}

impl Reads {
    /// About how long it takes.
    #[must_use]
    pub fn lasts(&self, seconds: u32) -> f64 {
        let warming = if self.warm { 1.2 } else { 0.0 };
        f64::from(seconds) + f64::from(self.clients) * 0.005 + 0.1 + warming
    }

    /// Has them asked.
    ///
    /// # Errors
    ///
    /// Not everybody could connect, an answer was wrong or did not come, or the contender's process has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all clients.
    pub async fn run(&self, contender: &Contender, seconds: u32) -> Result<Figures> {
        if self.warm {
            self.round(contender, 1).await?;
        }
        let round = self.round(contender, seconds).await?;
        let per_second = crate::report::float(round.tally.right) / round.elapsed.as_secs_f64();
        let mut figures = figures::of_throughput(per_second, round.tally.right, &round.spent);
        let (p50, p99) = (round.tally.percentile_ms(50.0), round.tally.percentile_ms(99.0));
        figures.insert(Figure::P50Micros, p50 * 1e3);
        figures.insert(Figure::P99Ms, p99);
        figures.insert(Figure::Tail, p99 / p50);
        Ok(figures)
    }

    async fn round(&self, contender: &Contender, seconds: u32) -> Result<Round> {
        let load = self.load(contender, seconds);
        let endpoint = client::Endpoint::parse(&contender.url(), &load.wire, 1)?;
        let target = Target {
            name: contender.who.to_string(),
            endpoint: Arc::new(endpoint),
            process: contender.process.clone(),
        };
        let versions = Arc::new(Versions::after(0));
        let stage = Stage { load: &load, versions, progress: Progress::Quiet };
        let round = stage.round(&target, "").await?;
        let (wrong, errors) = (round.tally.wrong, round.tally.errors);
        let example = round.tally.wrong_example.as_ref().or(round.tally.error_example.as_ref());
        let example = || example.cloned().unwrap_or_default();
        ensure!(wrong + errors == 0, "{wrong} wrong answers, {errors} errors: {}", example());
        ensure!(round.tally.right > 0, "no answer");
        Ok(round)
    }

    /// The arguments of `bench load` that say the same.
    fn load(&self, contender: &Contender, seconds: u32) -> Load {
        let mut load = Load::parse_from(["load"]);
        load.shape.clients = self.clients;
        load.shape.seconds = seconds;
        load.workload.keys = KEYS;
        load.wire.protocol = self.protocol;
        load.wire.tls = contender.tls;
        load
    }
}

/// Makes the table that they read.
///
/// # Errors
///
/// What the database refused.
///
/// # Cancel safety
///
/// After a drop the table may be there in part.
pub async fn fill(direct: &Contender) -> Result<()> {
    let load = Load::parse_from(["load"]);
    let endpoint = client::Endpoint::parse(&direct.url(), &load.wire, 1)?;
    let mut client = endpoint.connect().await?;
    crate::setup::make(&mut client, KEYS).await.context("filling the table of the load tester")?;
    client.close().await;
    Ok(())
}

/// Whether the table can be read there, and is the whole.
///
/// # Errors
///
/// It is not.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub async fn probe(contender: &Contender) -> Result<()> {
    let load = Load::parse_from(["load"]);
    let mut client = client::Endpoint::parse(&contender.url(), &load.wire, 1)?.connect().await?;
    crate::setup::state(&mut client, KEYS).await?;
    client.close().await;
    Ok(())
}

/// So few that a second is enough to have asked for all of them.
const KEYS: i32 = 1000;
