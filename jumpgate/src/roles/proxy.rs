//! `jumpgate proxy`: serves clients, and follows the store that its configs are kept in.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use control::{Store as _, StoreError};
use proxy::server::Server;
use serving::{
    config::{Config, Engine},
    observe::Metrics,
    salts::Salts,
    shutdown::Shutdown,
};
use tokio::{signal::unix::Signal, sync::mpsc, task::spawn_blocking};

use crate::{
    config::{Document, FileStore},
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
    let config = document.proxy()?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let format = config.log.format;
    let salts = config.salts.clone();
    let store = FileStore::new(path.to_owned(), document, hangups);
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
    let following = follow(&store, salts, (configs, server.metrics()));
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
    salts: Salts,
    (reloads, metrics): (mpsc::Sender<Config>, Arc<Metrics>),
) -> anyhow::Result<()> {
    let mut seen = store.revision();
    loop {
        seen = store.changed(seen).await?;
        let made = match store.snapshot().await {
            Ok(snapshot) => {
                let (document, salts) = (store.document(), salts.clone());
                let served = move || document.proxy_with(&snapshot.configs, Some(&salts));
                spawn_blocking(served).await?.map_err(|error| StoreError::Refused(error.into()))
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
