//! `bench latency`: connecting and the first query, in milliseconds and in round trips to a distant database.
//!
//! Real databases and the real `jumpgate` on loopback, and between them a relay that holds every byte; so a time divided
//! by what the relay adds to a question and its answer is a number of round trips. What is counted is from the
//! client's dial to the last byte of the answer to its first query, as an application with a new connection sees it.
//!
//! ```text
//!   direct   client ────────── relay ────────── database
//!   TCP      client ── proxy ── relay ───────── database
//!   tunnel   client ── proxy ── relay ── edge ── connector ── database
//! ```
//!
//! TLS is on every way, with certificates that are checked, and the databases want their usual login.
//!
//! # Layout
//!
//! * [`world`]: the processes. [`client`]: the drivers.
//! * [`measure`]: the rounds. [`report`]: limits, table and JSON.

pub mod client;
pub mod measure;
pub mod report;
pub mod world;

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, bail, ensure};
use clap::{Parser, ValueEnum};
use e2e::jumpgate::Engine;
use tokio::signal::unix::{SignalKind, signal};

use self::{measure::measure, report::Report, world::World};
use crate::args::duration;

/// Counts the round trips of connecting and the first query, with a distant database.
#[derive(Clone, Debug, Parser)]
#[command(name = "latency", version)]
pub struct Latency {
    /// Which databases
    #[arg(long, value_enum, default_value_t = Engines::Both)]
    pub engine: Engines,
    /// How long bytes take to the database, and back again
    #[arg(long, value_name = "TIME", default_value = "40ms", value_parser = duration)]
    pub delay: Duration,
    /// How often each is measured; what is shown is the median
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Tells mysql_async what it would ask the server when it connects, before the first query
    ///
    /// The question is the driver's and not Jumpgate's, but an application waits for it too.
    #[arg(long)]
    pub no_questions: bool,
    /// Writes everything that was measured, for machines
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The databases that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engines {
    /// PostgreSQL 18
    Postgres,
    /// MySQL 9
    Mysql,
    /// One after the other
    Both,
}

impl Engines {
    const fn all(self) -> &'static [Engine] {
        match self {
            Self::Postgres => &[Engine::Postgres],
            Self::Mysql => &[Engine::MySql],
            Self::Both => &[Engine::Postgres, Engine::MySql],
        }
    }
}

/// Measures what was asked for; everything that was started has ended when this returns.
///
/// # Errors
///
/// A part cannot be installed or does not start, an answer is wrong, or it was interrupted.
///
/// # Cancel safety
///
/// Dropping the future ends the processes.
pub async fn run(args: &Latency) -> Result<Report> {
    ensure!(args.delay >= LEAST_DELAY, "--delay must be 1ms or more, or nothing can be counted");
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        report = all(args) => report,
        _interrupted = tokio::signal::ctrl_c() => bail!("interrupted"),
        _terminated = terminated.recv() => bail!("terminated"),
    }
}

async fn all(args: &Latency) -> Result<Report> {
    let mut engines = Vec::new();
    for engine in args.engine.all() {
        let world = World::start(*engine, args).await?;
        engines.push(measure(&world, args.rounds).await?);
    }
    Ok(Report { delay: args.delay, rounds: args.rounds, engines })
}

/// Timers count in milliseconds.
const LEAST_DELAY: Duration = Duration::from_millis(1);

/// Says on standard error what takes its time.
fn say(line: &str) {
    use std::io::Write;
    // Nobody is left to be told that standard error is gone.
    drop(writeln!(std::io::stderr(), "bench: {line}"));
}
