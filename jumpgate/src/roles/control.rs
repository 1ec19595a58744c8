//! `jumpgate control`: keeps the configs of a fleet, and answers the API that manages them.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use control::{api::Api, dashboard, nodes::Nodes, plane::Actor};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::{
    check,
    config::Document,
    control_plane::{open, web},
    pages,
    signals::Signals,
};

/// What is over is forgotten so much later, at most.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(15);

/// Runs a control node until a signal.
///
/// # Errors
///
/// What is wrong with the file, and why the store could not be opened or the port be had.
pub async fn run(document: &Document) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot follow signals")?;
    let (setup, format) = (document.control()?, document.log()?.format);
    let (listen, tls) = (setup.listen, setup.tls.clone());
    let tests_connections = setup.tests_connections;
    let plane = open(setup).await?;
    let listener = pages::listen(format, "control", listen).await?;
    let nodes = Nodes::new(Arc::clone(&plane), Box::new(|draft| Box::pin(check::reach(draft))));
    let api =
        Api::new(Arc::clone(&plane), Arc::new(nodes.clone())).tests_connections(tests_connections);
    let router = dashboard::router(api.clone()).merge(api.router()).merge(nodes.router());
    let stop = CancellationToken::new();
    let expiring = async {
        let mut ticks = interval(EXPIRY_INTERVAL);
        loop {
            ticks.tick().await;
            let actor = Actor { who: String::from("control"), whence: String::from("clock") };
            if let Err(error) = plane.expire(actor).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what is over could not be taken away");
            }
        }
    };
    tokio::select! {
        () = expiring => {}
        () = nodes.look_after_edges() => {}
        () = web::serve(listener, tls, router, stop.clone()) => {}
        () = plane.follow() => {}
        () = nodes.keep_history() => {}
        () = signals.drain_then_end(&stop) => {}
    }
    Ok(ExitCode::SUCCESS)
}
