//! Stands in for `crate::postgres` until it can be served; deleted then.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;

use crate::{config::Config, observe::Metrics, shutdown::Shutdown};

/// What every session shares.
#[derive(Debug)]
pub(super) struct Context;

impl Context {
    /// Makes cache, directory and cancel keys; they see the end through `shutdown`.
    pub(super) fn new(_config: Config, _metrics: Arc<Metrics>, _shutdown: Shutdown) -> Arc<Self> {
        Arc::new(Self)
    }

    /// Takes in the databases of a new file.
    pub(super) fn reload(&self, _config: &Config) {}
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
#[error("not built yet")]
pub(super) struct SessionError;

impl SessionError {
    pub(super) const fn blame(&self) -> Blame {
        Blame::Proxy
    }
}

/// Whose doing it was.
pub(super) enum Blame {
    #[expect(dead_code, reason = "it only stands in")]
    Client,
    #[expect(dead_code, reason = "it only stands in")]
    Backend,
    Proxy,
}

/// A whole session.
#[expect(clippy::unused_async, reason = "it only stands in")]
pub(super) async fn serve(
    _stream: TcpStream,
    _peer: SocketAddr,
    _context: Arc<Context>,
) -> Result<(), SessionError> {
    Err(SessionError)
}

/// Tells a client that there are too many (53300).
#[expect(clippy::unused_async, reason = "it only stands in")]
pub(super) async fn refuse(
    _stream: TcpStream,
    _peer: SocketAddr,
    _context: Arc<Context>,
) -> Result<(), SessionError> {
    Err(SessionError)
}
