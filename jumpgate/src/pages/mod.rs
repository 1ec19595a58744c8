//! The operator's pages of the roles that are no proxy.

pub mod connector;
pub mod edge;

use std::net::SocketAddr;

use anyhow::Context as _;
use serving::config::LogFormat;
use tokio::net::TcpListener;

use crate::report;

/// Opens the port of pages, and says where it is.
///
/// # Errors
///
/// Where nobody can listen there.
pub async fn listen(
    format: LogFormat,
    what: &'static str,
    address: SocketAddr,
) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    report::listening(format, what, listener.local_addr()?);
    Ok(listener)
}
