//! The edge: where clients come from one side, connectors from the other.
//!
//! ```text
//!   client ── TLS, HTTP/1.1 upgrade ──► public ──► gate (Access) ──► registry ──► connector's
//!   connector ── TLS, registration ──► connectors ───────────────► registry       HTTP/2 stream
//! ```
//!
//! The edge is a byte pipe between the two. Of a WebSocket it sees only where the connector's frames
//! end, so that it can say between two of them that a way is about to end (`parting`). It answers
//! only for hostnames of its own table, and it decides nothing about where a connector goes.

mod assertions;
mod audit;
mod config;
mod connectors;
mod counts;
mod gate;
mod parting;
mod public;
mod push;
mod registry;
mod shared;
mod strangers;
mod throttle;

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use self::{
    config::EdgeConfig,
    counts::{ConnectorInfo, Stats},
};
use self::{
    shared::{Shared, unix_time},
    strangers::{Stranger, Strangers},
};
use crate::{
    access::{AssertionError, SigningKeys},
    net,
    state::{InvalidState, State},
    token::TunnelId,
};

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
    /// The parts of the state do not fit together.
    #[error(transparent)]
    State(#[from] InvalidState),
    /// No signing keys could be made.
    #[error(transparent)]
    SigningKeys(#[from] AssertionError),
}

/// An edge with its listeners open.
#[derive(Debug)]
pub struct Edge {
    public: TcpListener,
    connectors: TcpListener,
    public_addr: SocketAddr,
    connectors_addr: SocketAddr,
    /// Nobody else exchanges the signing keys.
    owns_keys: bool,
    shared: Arc<Shared>,
}

impl Edge {
    /// Checks the state and opens both listeners.
    ///
    /// # Errors
    ///
    /// [`BindError`] when an address cannot be had or the state does not fit together.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the listeners are closed.
    pub async fn bind(config: EdgeConfig) -> Result<Self, BindError> {
        config.state.check()?;
        let (public, public_addr) = listen(config.public).await?;
        let (connectors, connectors_addr) = listen(config.connectors).await?;
        let owns_keys = config.signing_keys.is_none();
        let keys = match &config.signing_keys {
            Some(keys) => Arc::clone(keys),
            None => Arc::new(make_keys(SigningKeys::generate).await?),
        };
        let shared = Arc::new(Shared::new(config, keys));
        Ok(Self { public, connectors, public_addr, connectors_addr, owns_keys, shared })
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

    /// Serves until `stop`, then takes nothing new and tells all who have a stream, lets those streams
    /// finish for as long as its configuration says, and returns. Connectors are let go after the last
    /// stream.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, every stream ends at once.
    pub async fn run(self, stop: CancellationToken) {
        let Self { public, connectors: private, owns_keys, shared, .. } = self;
        let (clients, connectors) = (TaskTracker::new(), TaskTracker::new());
        // Cancelled with this future, too.
        let end = CancellationToken::new();
        let _end = end.clone().drop_guard();
        {
            let accept_clients = accept(&public, &shared.strange_clients, |socket, stranger| {
                let (shared, end) = (Arc::clone(&shared), end.clone());
                clients.spawn(async move {
                    end.run_until_cancelled(public::serve(socket, shared, stranger)).await;
                });
            });
            let accept_connectors =
                accept(&private, &shared.strange_connectors, |socket, stranger| {
                    let (shared, end) = (Arc::clone(&shared), end.clone());
                    connectors.spawn(async move {
                        end.run_until_cancelled(connectors::serve(socket, shared, stranger)).await;
                    });
                });
            let mut accepting = pin!(async { tokio::join!(accept_clients, accept_connectors) });
            tokio::select! {
                _never = &mut accepting => {}
                () = exchange_keys(&shared), if owns_keys => {}
                () = stop.cancelled() => {}
            }
            // Who is in the kernel's queue already is served, and not refused.
            let _late = timeout(LAST_ACCEPT, accepting).await;
        }
        // Who comes now is refused, and does not wait in vain for the drain to end.
        drop((public, private));
        shared.registry.leave();
        clients.close();
        connectors.close();
        let _drained_or_late = timeout(shared.drain_timeout, clients.wait()).await;
        end.cancel();
        let all = async { tokio::join!(clients.wait(), connectors.wait()) };
        let _all_ended_or_late = timeout(STOP_TIMEOUT, all).await;
    }
}

/// Changes a running edge.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Replaces all that the edge knows. Streams that would not pass any more end at once, and so
    /// do the connections of connectors whose tunnel is gone, or whose secret does not count any more.
    ///
    /// # Errors
    ///
    /// [`InvalidState`] when the parts do not fit together; the edge goes on with what it knew.
    pub fn set_state(&self, state: State) -> Result<(), InvalidState> {
        state.check()?;
        self.shared.state.send_replace(Arc::new(state));
        Ok(())
    }

    /// What the edge knows.
    pub fn state(&self) -> Arc<State> {
        self.shared.state()
    }

    /// Signs with other keys from now on, for example with [`SigningKeys::rotated`] ones.
    pub fn set_signing_keys(&self, keys: Arc<SigningKeys>) {
        self.shared.assertions.set_keys(keys);
    }

    /// The keys that the edge signs with.
    pub fn signing_keys(&self) -> Arc<SigningKeys> {
        self.shared.assertions.keys()
    }

    /// How many requests were answered 429 since the start, because their address had been refused
    /// too often.
    pub fn throttled(&self) -> u64 {
        self.shared.throttle.throttled()
    }

    /// How many connector connections are registered, over all tunnels.
    pub fn connectors(&self) -> usize {
        self.shared.registry.len()
    }

    /// The connections of connectors that are registered now.
    pub fn connector_infos(&self) -> Vec<ConnectorInfo> {
        self.shared.registry.listed().into_iter().map(ConnectorInfo::from).collect()
    }

    /// Ends the connections of a tunnel's connectors, or of one of them. What is not gone comes again.
    pub fn disconnect(&self, tunnel: TunnelId, connector: Option<Uuid>) {
        self.shared.registry.disconnect(tunnel, connector);
    }

    /// What the edge does and has done.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

/// Makes keys where it stops nobody.
async fn make_keys<T: Send + 'static>(
    make: impl FnOnce(u64) -> Result<T, AssertionError> + Send + 'static,
) -> Result<T, AssertionError> {
    let making = spawn_blocking(|| make(unix_time().as_secs()));
    making.await.map_err(|_panicked_or_shutting_down| AssertionError::Make)?
}

/// Exchanges the edge's own keys when they have become too old; never ends.
async fn exchange_keys(shared: &Shared) {
    loop {
        sleep(KEYS_LOOK_INTERVAL).await;
        let keys = shared.assertions.keys();
        match make_keys(move |now| keys.rotated(now)).await {
            Ok(Some(keys)) => shared.assertions.set_keys(Arc::new(keys)),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the signing keys stay as they are"),
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Accepts for ever. There are never more strangers than fit: who sat there for the longest has to go.
async fn accept(
    listener: &TcpListener,
    strangers: &Arc<Strangers>,
    serve: impl Fn(TcpStream, Stranger),
) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if net::prepare(&socket).is_ok() {
                    serve(socket, strangers.admit(peer));
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

/// Long enough to take what waits in the kernel's queue, short enough for nobody to notice.
const LAST_ACCEPT: Duration = Duration::from_millis(20);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const KEYS_LOOK_INTERVAL: Duration = Duration::from_secs(60 * 60);
