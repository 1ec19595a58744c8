//! `bench load`: runs, prints the table, writes the files. All else is the library's.

use std::{
    fs,
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use anyhow::{Context, Result};
use bench::{
    args::{Args, Command, Load},
    report::{chart, json, table},
    run::run,
};
use clap::Parser;

fn main() -> ExitCode {
    let Command::Load(load) = Args::parse().command;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("the runtime").and_then(|runtime| runtime.block_on(bench(&load)));
    done.unwrap_or_else(|error| {
        // Nobody is left to be told that standard error is gone.
        drop(writeln!(stderr(), "bench: {error:#}"));
        ExitCode::from(2)
    })
}

/// 1 says that an answer was wrong, or that a target gave none; 2, that nothing was measured.
async fn bench(load: &Load) -> Result<ExitCode> {
    let report = run(load).await?;
    write!(stdout(), "{}", table::render(&report))?;
    if let Some(path) = &load.output.json {
        let text = format!("{:#}\n", json::render(&report));
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &load.output.chart {
        fs::write(path, chart::render(&report)).with_context(|| path.display().to_string())?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
