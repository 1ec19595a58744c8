//! `bench compare`: runs until the end or a signal, prints the table, writes the file. All else is the library's.

use std::{
    fs,
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use bench::compare::{args::Compare, json, run::run, table};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let compare = Compare::parse();
    // For two thousand clients here, and as many in what is started. Where it fails, a client that finds no file says so.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("the runtime").and_then(|runtime| {
        // Whichever way this ends, what was started is dropped, and so ended.
        runtime.block_on(async {
            tokio::select! {
                // First: what else fails when all are told to end is no news.
                biased;
                stopped = stopped() => stopped,
                compared = compare_and_show(&compare) => compared,
            }
        })
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to be told that standard error is gone.
            drop(writeln!(stderr(), "compare: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// 1 says that somebody could not do some of the work; 2, that nothing was measured.
async fn compare_and_show(compare: &Compare) -> Result<ExitCode> {
    let report = run(compare).await?;
    write!(stdout(), "{}", table::render(&report))?;
    if let Some(path) = &compare.json {
        let text = format!("{:#}\n", json::render(&report));
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for Ctrl-C or SIGTERM.
async fn stopped() -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    bail!("stopped before the end")
}
