//! `bench latency`: measures, prints the table, writes the file. All else is the library's.

use std::{
    fs,
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use anyhow::{Context, Result};
use bench::latency::{self, Latency};
use clap::Parser;

fn main() -> ExitCode {
    let latency = Latency::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let counted = runtime
        .context("the runtime")
        .and_then(|runtime| runtime.block_on(count_round_trips(&latency)));
    counted.unwrap_or_else(|error| {
        // Nobody is left to be told that standard error is gone.
        drop(writeln!(stderr(), "latency: {error:#}"));
        ExitCode::from(2)
    })
}

/// 1 says that a limit was not met; 2, that nothing was measured.
async fn count_round_trips(args: &Latency) -> Result<ExitCode> {
    let report = latency::run(args).await?;
    write!(stdout(), "{}", report.table())?;
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", report.json());
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
