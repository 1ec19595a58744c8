//! `jumpgate proxy`: serves clients, and follows the store that its configs are kept in.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use control::{Store as _, StoreError};
use proxy::server::Server;
use serving::{
    config::{Config, Engine},
    observe::Metrics,
    shutdown::Shutdown,
};
use tokio::{signal::unix::Signal, sync::mpsc, task::spawn_blocking};

use crate::{
    config::{Document, FileStore, Makings},
    report,
    signals::Signals,
};

/// How long sessions may take to finish after the first signal.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Runs the proxy until it has drained.
///
/// # Errors
///
/// What is wrong with the configs, and why the proxy could not start or stopped.
pub async fn run(path: &Path, document: Document, hangups: Signal) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::new();
    let signals = Signals::new().context("cannot follow signals")?;
    let mut makings = Makings::default();
    let config = document.proxy_that_reloads(&mut makings)?;
    drop(document);
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let format = config.log.format;
    let store = FileStore::new(path.to_owned(), hangups);
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
    let following = follow(&store, makings, (configs, server.metrics()));
    let leading = signals.lead(&shutdown, DRAIN_DEADLINE);
    let background = async { tokio::join!(leading, following).1 };
    tokio::select! {
        served = server.run(reloads) => served?,
        followed = background => followed?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes each change of the store over; what breaks a rule leaves everything as it is.
async fn follow(
    store: &FileStore,
    mut makings: Makings,
    (reloads, metrics): (mpsc::Sender<Config>, Arc<Metrics>),
) -> anyhow::Result<()> {
    let mut seen = store.revision();
    loop {
        seen = store.changed(seen).await?;
        let made = match store.snapshot().await {
            Ok(snapshot) => {
                let document = store.take_document().context("a snapshot without its file")?;
                let served = move || {
                    let made = document.proxy_with(&snapshot.configs, &mut makings);
                    (made, makings)
                };
                let made;
                (made, makings) = spawn_blocking(served).await?;
                made.map_err(|error| StoreError::Refused(error.into()))
            }
            Err(error) => Err(error),
        };
        match made {
            Ok(config) => reloads.send(config).await?,
            Err(error) => {
                metrics.totals.reloaded(false);
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the file is wrong, the old settings stay");
            }
        }
    }
}
