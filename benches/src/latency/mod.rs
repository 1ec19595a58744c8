//! `bench latency`: connecting and the first query, in milliseconds and in round trips to a distant database; and in a
//! second table whole jobs of real drivers, which [`jobs`] tells about.
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
//! * [`jobs`]: the second table.
//! * [`world`]: the processes of the first. [`client`]: its drivers.
//! * [`case`]: what is measured. [`mod@measure`]: the rounds. [`report`]: limits, table and JSON.

mod args;
pub mod case;
pub mod client;
pub mod jobs;
pub mod measure;
pub mod report;
mod say;
pub mod world;

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

pub use self::args::{Engines, Latency, Table};
use self::{
    measure::measure,
    report::{Report, Results},
    world::World,
};

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
    for kind in args.engine.all() {
        let mut results = Results { name: kind.name(), rows: Vec::new(), jobs: Vec::new() };
        if args.wants(Table::Ways) {
            let world = World::start(*kind, args).await?;
            results.rows = measure(&world, args.rounds).await?;
        }
        if args.wants(Table::Jobs) {
            results.jobs = jobs::measure::measure(*kind, args).await?;
        }
        engines.push(results);
    }
    let only = args.only.as_deref().unwrap_or_default();
    let nothing = engines.iter().all(|results| results.rows.is_empty() && results.jobs.is_empty());
    ensure!(!nothing, "no job has {only:?} in its name");
    Ok(Report { delay: args.delay, rounds: args.rounds, engines })
}

/// Timers count in milliseconds.
const LEAST_DELAY: Duration = Duration::from_millis(1);
