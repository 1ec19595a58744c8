//! `jumpgate edge`: guards hostnames, and keeps in step with its folder and with a control node.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use control::nodes::wire::Role;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tunnel::edge::{BindError, Edge};

use super::edge_node::EdgeNode;
use crate::{
    config::{Document, EdgeSetup},
    follow::Follower,
    operator::keeper,
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
    let EdgeSetup { mut config, keeper, metrics, advertise, ca_certificate } = document.edge()?;
    let follower = match document.follow()? {
        Some(setup) => Some(Follower::new(setup, Role::Edge).await),
        None => None,
    };
    let node = follower.map(|follower| EdgeNode::new(follower, advertise, ca_certificate));
    // Without a control node nothing is told, ever.
    let told = node.as_ref().map_or_else(|| watch::channel(Arc::default()).1, EdgeNode::told);
    let own = config.state.clone();
    config.state = keeper::together(&own, &told.borrow());
    if let Some(keeper) = &keeper {
        config.signing_keys = Some(keeper.signing_keys().await?);
        keeper.certificates().serve(keeper::hostnames(&config.state));
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
            Some(keeper) => keeper.run(handle, told).await,
            None => keeper::follow(&handle, &own, told).await,
        }
    };
    let (here, public, connectors) = (edge.handle(), edge.public_addr(), edge.connectors_addr());
    let following = async {
        match &node {
            Some(node) => node.run(here, public, connectors).await,
            None => std::future::pending().await,
        }
    };
    let held = node.as_ref().map(EdgeNode::held);
    let pages = async {
        let Some(address) = metrics else { return Ok(()) };
        let listener = pages::listen(format, "edge metrics", address).await?;
        pages::edge::serve(listener, watched, held, stop.clone()).await?;
        anyhow::Ok(())
    };
    tokio::select! {
        () = edge.run(stop.clone()) => {}
        () = keeping => {}
        () = following => {}
        () = signals.drain_then_end(&stop) => {}
        Err(error) = pages => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}
