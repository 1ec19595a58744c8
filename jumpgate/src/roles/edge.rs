//! `jumpgate edge`: guards hostnames, and keeps in step with its folder.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tunnel::edge::{BindError, Edge};

use crate::{
    config::{Document, EdgeSetup},
    pages, report,
    signals::Signals,
};

/// Runs the edge until a signal.
///
/// # Errors
///
/// What is wrong with the file, and why the edge could not start or stopped.
pub async fn run(document: &Document) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot follow signals")?;
    let EdgeSetup { mut config, keeper, metrics } = document.edge()?;
    if let Some(keeper) = &keeper {
        config.signing_keys = Some(keeper.signing_keys().await?);
    }
    let edge = Edge::bind(config).await.map_err(|error| match &error {
        BindError::Listen { address, source } => {
            anyhow::anyhow!("{}{}", report::chain(&error), report::port_remedy(*address, source))
        }
        _ => error.into(),
    })?;
    let format = document.log()?.format;
    report::listening(format, "edge public", edge.public_addr());
    report::listening(format, "edge connectors", edge.connectors_addr());
    let stop = CancellationToken::new();
    let (handle, watched) = (edge.handle(), edge.handle());
    let keeping = async {
        match keeper {
            Some(keeper) => keeper.run(handle).await,
            None => std::future::pending().await,
        }
    };
    let pages = async {
        let Some(address) = metrics else { return Ok(()) };
        let listener = pages::listen(format, "edge metrics", address).await?;
        pages::edge::serve(listener, watched, stop.clone()).await?;
        anyhow::Ok(())
    };
    tokio::select! {
        () = edge.run(stop.clone()) => {}
        () = keeping => {}
        () = signals.drain_then_end(&stop) => {}
        Err(error) = pages => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}
