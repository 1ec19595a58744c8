//! MySQL and MariaDB: sessions with clients, connections to origins.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;

use crate::{
    config::Config,
    context::Common,
    error::{ClientError, SessionError},
};

/// What every MySQL session shares.
#[derive(Debug)]
pub struct Context {
    common: Arc<Common>,
}

impl Context {
    /// Opens the pools. Must be called within a tokio runtime.
    pub fn new(_config: &Config, common: Arc<Common>) -> Arc<Self> {
        Arc::new(Self { common })
    }

    /// Takes in a new file: what changed serves the sessions that begin from now on.
    pub fn reload(&self, _config: &Config) {
        let _listen = self.common.listen();
    }
}

/// Serves one client from its first byte to its last.
///
/// # Errors
///
/// Why it ended early. The client has been told where it could be.
pub async fn serve(
    _stream: TcpStream,
    _peer: SocketAddr,
    _context: Arc<Context>,
) -> Result<(), SessionError> {
    Err(ClientError::Unsupported("MySQL").into())
}

/// Tells a client that there are too many (1040), where the greeting would be.
///
/// # Errors
///
/// Always: the client is refused.
pub async fn refuse(
    _stream: TcpStream,
    _peer: SocketAddr,
    _context: Arc<Context>,
) -> Result<(), SessionError> {
    Err(ClientError::TooManyConnections.into())
}
