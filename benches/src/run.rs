//! A whole run: the tables, then round by round each target, then the report.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::time::timeout;

use crate::{
    args::Load,
    client::Client,
    process::Process,
    progress::Progress,
    report::{Report, Results},
    round::{Round, Stage},
    setup,
    table::{self, Versions},
    target::Target,
};

/// Does what the arguments say.
///
/// # Errors
///
/// The arguments do not fit, a target cannot be reached or has no table, or a watched process ended.
///
/// # Cancel safety
///
/// Dropping the future ends all clients; a table that was to be dropped stays.
pub async fn run(load: &Load) -> Result<Report> {
    load.check()?;
    let targets = Target::all(load)?;
    let measured = measure(load, &targets).await;
    if load.cleanup {
        for target in &targets {
            clean(load, target).await.with_context(|| target.name.clone())?;
        }
    }
    measured
}

async fn measure(load: &Load, targets: &[Target]) -> Result<Report> {
    let seconds = u64::from(load.shape.rounds) * u64::from(load.shape.seconds);
    let count = u64::try_from(targets.len())?;
    let progress = Progress::new(load.output.quiet, seconds.saturating_mul(count));
    let mut newest = 0;
    for target in targets {
        let found = look(load, target, &progress).await;
        newest = newest.max(found.with_context(|| target.name.clone())?);
    }
    let versions = Arc::new(Versions::after(newest));
    let stage = Stage { load, versions, progress };
    let mut rounds: Vec<Vec<Round>> = targets.iter().map(|_| Vec::new()).collect();
    // Before anybody has connected: what a process keeps from one round to the next counts as in use.
    let idle_kb: Vec<Option<u64>> = targets
        .iter()
        .map(|target| target.process.as_ref().map(Process::resident_kb).transpose())
        .collect::<Result<_>>()?;
    for number in 1..=load.shape.rounds {
        for (target, rounds) in targets.iter().zip(&mut rounds) {
            let label = format!("{} {number}/{}", target.name, load.shape.rounds);
            rounds.push(stage.round(target, &label).await?);
        }
    }
    stage.progress.end();
    let results = targets.iter().zip(rounds).zip(idle_kb).map(|((target, rounds), idle_kb)| {
        Results::new(target.name.clone(), &rounds, idle_kb, &load.shape)
    });
    Ok(Report {
        targets: results.collect(),
        shape: load.shape,
        workload: load.workload,
        protocol: load.wire.protocol,
    })
}

/// The largest version in a target's table, which is made if it may be and must be.
async fn look(load: &Load, target: &Target, progress: &Progress) -> Result<i64> {
    let keys = load.workload.keys;
    let mut client = open(load, target).await?;
    let mut state = setup::state(&mut client, keys).await;
    if state.is_err() && load.prepare {
        progress.say(&format!("{}: filling {} with {keys} rows", target.name, table::NAME));
        setup::make(&mut client, keys).await.context("filling the table")?;
        state = setup::state(&mut client, keys).await;
    }
    client.close().await;
    Ok(state.context("no table to ask; --prepare makes it")?.newest)
}

async fn clean(load: &Load, target: &Target) -> Result<()> {
    let mut client = open(load, target).await?;
    let dropped = setup::drop(&mut client).await;
    client.close().await;
    dropped
}

async fn open(load: &Load, target: &Target) -> Result<Client> {
    let connecting = timeout(load.shape.timeout, target.endpoint.connect());
    connecting.await.context("no connection in time")?
}
