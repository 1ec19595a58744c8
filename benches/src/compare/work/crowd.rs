//! Many plain clients of PostgreSQL at once.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, timeout};

use crate::{args::Load, client, compare::contender::Contender};

/// Opens so many connections, some at once.
///
/// # Errors
///
/// One was refused, or took longer than a minute.
///
/// # Cancel safety
///
/// Dropping the future closes all of them.
pub async fn open(
    contender: &Contender,
    clients: u32,
    at_once: u32,
) -> Result<Vec<client::Client>> {
    let mut load = Load::parse_from(["load"]);
    load.wire.tls = contender.tls;
    let endpoint = client::Endpoint::parse(&contender.url(), &load.wire, 1)?;
    let endpoint = &endpoint;
    let connect = |number: u32| async move {
        let connecting = timeout(PATIENCE, endpoint.connect());
        let place = || format!("client {number} of {clients}");
        connecting.await.context("no connection in time").flatten().with_context(place)
    };
    let opening = stream::iter(1..=clients).map(connect);
    opening.buffer_unordered(usize::try_from(at_once)?).try_collect().await
}

/// Asks each of them the same, one after the other.
///
/// # Errors
///
/// One is not served, or gets a wrong answer.
///
/// # Cancel safety
///
/// After a drop the connections must be dropped too.
pub async fn ask_all(clients: &mut [client::Client]) -> Result<()> {
    for client in clients {
        let asking = timeout(PATIENCE, client.state());
        let state = asking.await.context("no answer in time").flatten()?;
        ensure!(state.rows > 0, "a table without rows");
    }
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(60);
