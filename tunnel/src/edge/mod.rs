//! The edge: where clients come from one side, connectors from the other.
//!
//! ```text
//!   client ── TLS, HTTP/1.1 upgrade ──► public ──► gate (Access) ──► registry ──► connector's
//!   connector ── TLS, registration ──► connectors ───────────────► registry       HTTP/2 stream
//! ```
//!
//! The edge is a dumb byte pipe between the two: it never looks into a WebSocket. It answers only
//! for hostnames of its own table, and it decides nothing about where a connector goes.

mod connectors;
mod gate;
mod public;
mod push;
mod registry;

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{gate::Gate, registry::Registry};
use crate::{
    access::StoredToken,
    net,
    token::{TunnelId, TunnelToken},
};

/// What an edge listens on, whom it trusts and what it serves.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Where clients come: TLS with WebSocket upgrades.
    pub public: SocketAddr,
    /// Where connectors come: TLS with HTTP/2 in inverted roles.
    pub connectors: SocketAddr,
    /// Certificate and key for both. ALPN is set by the edge.
    pub tls: Arc<rustls::ServerConfig>,
    /// The service tokens that policies may name.
    pub service_tokens: Vec<NamedToken>,
    /// The tunnels that connectors may register for.
    pub tunnels: Vec<TunnelCredentials>,
    /// The guarded hostnames.
    pub hostnames: Vec<Hostname>,
}

/// A service token under the name that policies use. A name may occur twice while it is rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedToken {
    /// The name in policies.
    pub name: String,
    /// The token as the edge keeps it.
    pub token: StoredToken,
}

/// A public hostname: where it leads, and who may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostname {
    /// The name that clients dial, matched exactly.
    pub name: String,
    /// The tunnel behind it.
    pub tunnel: TunnelId,
    /// The Service Auth policy: names of the tokens that pass. Empty means nobody does.
    pub service_tokens: Vec<String>,
}

/// A tunnel as the edge stores it: the secret can be verified but not read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelCredentials {
    /// The tunnel.
    pub tunnel: TunnelId,
    account_tag: String,
    secret_sha256: [u8; 32],
}

impl TunnelCredentials {
    /// Is this the connector's proof? Takes the same time wherever the secrets differ.
    fn verify(&self, account_tag: &str, secret: &[u8]) -> bool {
        let is_secret = Sha256::digest(secret).ct_eq(&self.secret_sha256);
        bool::from(is_secret) && self.account_tag == account_tag
    }
}

impl From<&TunnelToken> for TunnelCredentials {
    fn from(token: &TunnelToken) -> Self {
        Self {
            tunnel: token.tunnel(),
            account_tag: token.account_tag().to_owned(),
            secret_sha256: Sha256::digest(token.secret()).into(),
        }
    }
}

/// Why an edge cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A hostname is not a DNS name.
    #[error("the hostname {0} is not valid")]
    Hostname(String),
    /// A hostname leads to a tunnel that is not configured.
    #[error("the hostname {hostname} leads to the unknown tunnel {tunnel}")]
    UnknownTunnel {
        /// The hostname.
        hostname: String,
        /// The tunnel.
        tunnel: TunnelId,
    },
    /// A policy names a service token that is not configured.
    #[error("the policy of {hostname} names the unknown service token {token}")]
    UnknownToken {
        /// The hostname.
        hostname: String,
        /// The name in the policy.
        token: String,
    },
}

/// An edge with its listeners open.
#[derive(Debug)]
pub struct Edge {
    public: TcpListener,
    connectors: TcpListener,
    public_addr: SocketAddr,
    connectors_addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Edge {
    /// Checks the configuration and opens both listeners.
    ///
    /// # Errors
    ///
    /// [`BindError`] when an address cannot be had or a hostname leads nowhere.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the listeners are closed.
    pub async fn bind(config: EdgeConfig) -> Result<Self, BindError> {
        check(&config)?;
        let (public, public_addr) = listen(config.public).await?;
        let (connectors, connectors_addr) = listen(config.connectors).await?;
        let shared = Arc::new(Shared::new(config));
        Ok(Self { public, connectors, public_addr, connectors_addr, shared })
    }

    /// Where clients can dial.
    pub fn public_addr(&self) -> SocketAddr {
        self.public_addr
    }

    /// Where connectors can dial.
    pub fn connectors_addr(&self) -> SocketAddr {
        self.connectors_addr
    }

    /// A handle to change a running edge.
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Serves until `stop`, then ends every stream and returns.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, it accepts nothing new, but open streams live on; use `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let accept_clients = accept(&self.public, MAX_CLIENTS, |socket, permit| {
            let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = public::serve(socket, shared) => {}
                    () = stop.cancelled() => {}
                }
                drop(permit);
            });
        });
        let accept_connectors = accept(&self.connectors, MAX_CONNECTORS, |socket, permit| {
            let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = connectors::serve(socket, shared) => {}
                    () = stop.cancelled() => {}
                }
                drop(permit);
            });
        });
        tokio::select! {
            () = accept_clients => {}
            () = accept_connectors => {}
            () = stop.cancelled() => {}
        }
        tasks.close();
        let _all_ended_or_late = timeout(STOP_TIMEOUT, tasks.wait()).await;
    }
}

/// Changes a running edge.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Replaces all service tokens. Streams whose token is gone end at once.
    pub fn set_tokens(&self, tokens: Vec<NamedToken>) {
        self.shared.tokens.send_replace(Arc::new(tokens));
    }

    /// How many connector connections are registered, over all tunnels.
    pub fn connectors(&self) -> usize {
        self.shared.registry.len()
    }
}

/// What all tasks of an edge share.
struct Shared {
    public_tls: TlsAcceptor,
    connector_tls: TlsAcceptor,
    gate: Gate,
    tokens: watch::Sender<Arc<Vec<NamedToken>>>,
    tunnels: HashMap<TunnelId, TunnelCredentials>,
    state: watch::Sender<Arc<crate::state::State>>,
    registry: Arc<Registry>,
}

impl Shared {
    fn new(config: EdgeConfig) -> Self {
        let with_alpn = |protocols: Vec<Vec<u8>>| {
            let mut tls = rustls::ServerConfig::clone(&config.tls);
            tls.alpn_protocols = protocols;
            TlsAcceptor::from(Arc::new(tls))
        };
        Self {
            public_tls: with_alpn(vec![b"http/1.1".to_vec()]),
            // Connectors offer none, and expect HTTP/2 all the same (B1).
            connector_tls: with_alpn(Vec::new()),
            gate: Gate::new(config.hostnames),
            tokens: watch::Sender::new(Arc::new(config.service_tokens)),
            tunnels: config.tunnels.into_iter().map(|known| (known.tunnel, known)).collect(),
            state: watch::Sender::default(),
            registry: Arc::default(),
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn check(config: &EdgeConfig) -> Result<(), BindError> {
    for hostname in &config.hostnames {
        let name = || hostname.name.clone();
        if !gate::is_hostname(&hostname.name) {
            return Err(BindError::Hostname(name()));
        }
        if !config.tunnels.iter().any(|known| known.tunnel == hostname.tunnel) {
            let tunnel = hostname.tunnel;
            return Err(BindError::UnknownTunnel { hostname: name(), tunnel });
        }
        let is_known = |token: &String| config.service_tokens.iter().any(|t| t.name == *token);
        if let Some(token) = hostname.service_tokens.iter().find(|token| !is_known(token)) {
            return Err(BindError::UnknownToken { hostname: name(), token: token.clone() });
        }
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Accepts for ever, but never has more than `limit` connections open.
async fn accept(
    listener: &TcpListener,
    limit: usize,
    serve: impl Fn(TcpStream, tokio::sync::OwnedSemaphorePermit),
) {
    let places = Arc::new(Semaphore::new(limit));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _peer)) => {
                if net::prepare(&socket).is_ok() {
                    serve(socket, place);
                }
            }
            Err(error) => {
                // Usually out of file descriptors; others will be given back.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

const MAX_CLIENTS: usize = 20_000;
const MAX_CONNECTORS: usize = 1_000;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
