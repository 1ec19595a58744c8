//! The tunnel client: a byte stream to whatever stands behind a guarded hostname.
//!
//! It speaks to an edge (Cloudflare's or ours) as `cloudflared access tcp` does: TLS, an HTTP/1.1
//! upgrade to a WebSocket with the two Access headers, then bytes in binary messages. It does not
//! retry: whoever dials knows whether that makes sense.

mod error;
mod stages;
mod stream;
mod target;
mod upgrade;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::task::TaskTracker;

pub use self::{
    error::{AccessDenied, Answer, DialError, Stage},
    stages::Stages,
    stream::Stream,
    target::InvalidHostname,
};
use self::{
    stages::{Observer, Stopwatch, Unobserved},
    target::Target,
    upgrade::{ray, upgrade},
};
use crate::{Succession, access::ServiceToken, net};

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
    token: Succession<Option<ServiceToken>>,
    tls: Arc<rustls::ClientConfig>,
    keepers: TaskTracker,
}

impl Client {
    /// Checks the hostname and makes a client for it. No I/O happens here.
    ///
    /// # Errors
    ///
    /// [`InvalidHostname`] when the text is not a host with an optional port and path.
    pub fn new(config: ClientConfig) -> Result<Self, InvalidHostname> {
        let target = config.hostname.parse()?;
        let mut tls = Arc::clone(&config.tls);
        // An edge that is offered h2 would take it; cloudflared sends no ALPN at all (A2).
        if !tls.alpn_protocols.is_empty() {
            Arc::make_mut(&mut tls).alpn_protocols.clear();
        }
        let token = Succession::new(config.token.clone());
        Ok(Self { config, target, token, tls, keepers: TaskTracker::new() })
    }

    /// The client `before` shows this one's token from now on, and this one what succeeds it. Whether it is another.
    pub fn succeed(&self, before: &Self) -> bool {
        let mine = self.token.now();
        self.token.succeed(&before.token) != mine
    }

    /// This one shows what the `newer` one does: nobody has it yet.
    pub fn join(&self, newer: &Self) {
        self.token.join(&newer.token);
    }

    /// The guarded hostname, as it was given.
    pub fn hostname(&self) -> &str {
        &self.config.hostname
    }

    /// The guarded hostname in full: `host:port/path`.
    pub fn target(&self) -> String {
        let Target { host, port, path, .. } = &self.target;
        format!("{}:{port}{path}", host.to_ascii_lowercase())
    }

    /// What is dialled in place of the hostname.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.config.address
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
        self.open(Unobserved).await
    }

    /// As [`Client::dial`], and says how long each stage took: in `stages`, also when one fails.
    ///
    /// # Errors
    ///
    /// [`DialError`] names the layer that refused.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the half-open connection is closed; `stages` has those that passed.
    pub async fn dial_timed(&self, stages: &mut Stages) -> Result<Stream, DialError> {
        self.open(Stopwatch::start(stages)).await
    }

    async fn open(&self, mut observer: impl Observer) -> Result<Stream, DialError> {
        let deadline = Instant::now() + self.config.connect_timeout;
        let addresses = timeout_at(deadline, self.resolve())
            .await
            .map_err(|_elapsed| DialError::Timeout(Stage::Dns))??;
        observer.resolved(&addresses);
        let (socket, peer) = connect(&addresses, deadline).await?;
        observer.connected(peer);
        let socket = timeout_at(deadline, self.encrypt(socket))
            .await
            .map_err(|_elapsed| DialError::Timeout(Stage::Tls))??;
        observer.encrypted();
        let token = self.token.now();
        let token = token.as_ref();
        let (socket, answer) = timeout_at(deadline, upgrade(socket, &self.target, token))
            .await
            .map_err(|_elapsed| DialError::Timeout(Stage::Upgrade))??;
        observer.upgraded(|| ray(&answer, token));
        Ok(Stream::new(socket, self.config.ping_interval, &self.keepers))
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, DialError> {
        if let Some(address) = self.config.address {
            return Ok(vec![address]);
        }
        let host = &self.target.host;
        let failed = |source| DialError::Dns { host: host.clone(), source };
        let addresses: Vec<_> =
            lookup_host((host.as_str(), self.target.port)).await.map_err(failed)?.collect();
        if addresses.is_empty() {
            return Err(failed(io::Error::other("the name has no address")));
        }
        Ok(addresses)
    }

    async fn encrypt(&self, socket: TcpStream) -> Result<TlsStream<TcpStream>, DialError> {
        TlsConnector::from(Arc::clone(&self.tls))
            .connect(self.target.server_name.clone(), socket)
            .await
            .map_err(|source| DialError::Tls { host: self.target.host.clone(), source })
    }
}

/// Tries the addresses in turn, each with its share of the time that is left.
async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut last = DialError::Timeout(Stage::Tcp);
    for (at, &address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let tries = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + left / tries, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                net::prepare(&socket).map_err(|source| DialError::Tcp { address, source })?;
                return Ok((socket, address));
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = DialError::ConnectionRefused { address };
            }
            Ok(Err(source)) => last = DialError::Tcp { address, source },
            Err(_elapsed) => last = DialError::Timeout(Stage::Tcp),
        }
    }
    Err(last)
}
