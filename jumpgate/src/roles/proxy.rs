//! `jumpgate proxy`: serves clients, and takes in the file again on SIGHUP.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use proxy::server::Server;
use serving::{
    config::{Config, Engine},
    observe::Metrics,
    salts::Salts,
    shutdown::Shutdown,
};
use tokio::{signal::unix::Signal, sync::mpsc};

use crate::{config::Document, report, signals::Signals};

/// How long sessions may take to finish after the first signal.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Runs the proxy until it has drained.
///
/// # Errors
///
/// What is wrong with the file, and why the proxy could not start or stopped.
pub async fn run(path: &Path, document: &Document, hangups: Signal) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::new();
    let signals = Signals::new().context("cannot follow signals")?;
    let config = document.proxy()?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let format = config.log.format;
    let salts = config.salts.clone();
    let server = Server::bind(config, shutdown.clone()).await?;
    for engine in [Engine::Postgres, Engine::MySql] {
        if let Some(address) = server.address(engine) {
            report::listening(format, engine.word(), address);
        }
    }
    if let Some(address) = server.admin_address() {
        report::listening(format, "admin", address);
    }
    let (configs, reloads) = mpsc::channel(1);
    let reloading = follow_reloads(path, salts, hangups, (configs, server.metrics()));
    let leading = signals.lead(&shutdown, DRAIN_DEADLINE);
    let background = async { tokio::join!(leading, reloading).1 };
    tokio::select! {
        served = server.run(reloads) => served?,
        followed = background => followed?,
    }
    Ok(ExitCode::SUCCESS)
}

/// On SIGHUP reads the whole file again; only a file without a mistake is taken.
async fn follow_reloads(
    path: &Path,
    salts: Salts,
    mut hangups: Signal,
    (configs, metrics): (mpsc::Sender<Config>, Arc<Metrics>),
) -> anyhow::Result<()> {
    loop {
        hangups.recv().await;
        let (path, salts) = (path.to_owned(), salts.clone());
        match tokio::task::spawn_blocking(move || Document::read(&path)?.again(&salts)).await? {
            Ok(config) => configs.send(config).await?,
            Err(error) => {
                metrics.totals.reloaded(false);
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the file is wrong, the old settings stay");
            }
        }
    }
}
