//! `jumpgate connector`: dials edges, and leads their streams to databases.

use std::process::ExitCode;

use anyhow::Context as _;
use serving::config::LogFormat;
use tokio_util::sync::CancellationToken;
use tunnel::connector::Connector;

use crate::{config::Document, pages, report, signals::Signals};

/// Runs the connector until a signal.
///
/// # Errors
///
/// What is wrong with the file or the flags, and why the pages could not be served.
pub async fn run(document: &Document) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot follow signals")?;
    let (setup, format) = (document.connector()?, document.log()?.format);
    let connector = Connector::new(setup.connector);
    let mut registered = connector.registered();
    let stop = CancellationToken::new();
    let monitor = connector.monitor();
    let pages = async {
        let Some(address) = setup.metrics else { return Ok(()) };
        let listener = pages::listen(format, "connector metrics", address).await?;
        pages::connector::serve(listener, monitor, CancellationToken::new()).await?;
        anyhow::Ok(())
    };
    let running = connector.run(stop.clone());
    let counting = async {
        while registered.changed().await.is_ok() {
            let count = *registered.borrow_and_update();
            match format {
                LogFormat::Text => report::line(&format!("jumpgate: connector registered {count}")),
                LogFormat::Json => tracing::info!(count, "connector registered"),
            }
        }
    };
    tokio::select! {
        // Not both: the pages hold what is counted, so there is always more to count.
        () = running => {}
        () = async { counting.await; std::future::pending().await } => {}
        // A second one ends the streams that are still open, too.
        () = signals.drain_then_end(&stop) => {}
        Err(error) = pages => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}
