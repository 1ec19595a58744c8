//! The tunnel client: a byte stream to whatever stands behind a guarded hostname.
//!
//! It speaks to an edge (Cloudflare's or ours) as `cloudflared access tcp` does: TLS, an HTTP/1.1
//! upgrade to a WebSocket with the two Access headers, then bytes in binary messages. It does not
//! retry: whoever dials knows whether that makes sense.

mod error;
mod stream;
mod target;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use self::{
    error::{AccessDenied, Answer, DialError, Stage},
    stream::Stream,
    target::InvalidHostname,
};
use self::target::Target;
use crate::access::ServiceToken;

/// Where a [`Client`] dials, and how.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The guarded hostname; `:port` and `/path` may follow it.
    pub hostname: String,
    /// Dial this instead of resolving the hostname, which is still the name to verify.
    pub address: Option<SocketAddr>,
    /// The service token, when the hostname is guarded by Access.
    pub token: Option<ServiceToken>,
    /// Trust and client certificates of the outer TLS. ALPN is always left out.
    pub tls: Arc<rustls::ClientConfig>,
    /// Longest for name, TCP, TLS and upgrade together.
    pub connect_timeout: Duration,
    /// How often an open stream is probed; one that stays silent for as long again is dead.
    pub ping_interval: Duration,
}

/// Dials one hostname as often as asked.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    target: Target,
}

impl Client {
    /// Checks the hostname and makes a client for it. No I/O happens here.
    ///
    /// # Errors
    ///
    /// [`InvalidHostname`] when the text is not a host with an optional port and path.
    pub fn new(config: ClientConfig) -> Result<Self, InvalidHostname> {
        let target = config.hostname.parse()?;
        Ok(Self { config, target })
    }

    /// Opens a stream to the origin behind the hostname.
    ///
    /// # Errors
    ///
    /// [`DialError`] names the layer that refused.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the half-open connection is closed.
    pub async fn dial(&self) -> Result<Stream, DialError> {
        let _ = (&self.config, &self.target);
        Err(DialError::Protocol("not built yet"))
    }
}
