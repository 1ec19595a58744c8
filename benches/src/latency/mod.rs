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
//! * [`case`]: what is measured. [`mod@measure`]: the rounds. [`report`]: limits, table and JSON.

mod args;
pub mod case;
pub mod client;
pub mod measure;
pub mod report;
mod say;
pub mod world;

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

pub use self::args::{Engines, Latency};
use self::{measure::measure, report::Report, world::World};

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
