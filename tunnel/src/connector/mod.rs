//! The connector: inside the private network, it dials out to edges and forwards to databases.
//!
//! Where a stream may go is decided by the connector's own ingress rules alone; an edge can only
//! name one of their hostnames. Several connections stand at once, each replaced when it ends.

mod connection;
mod ingress;
mod stream;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::connection::ConnectionError;
pub use self::ingress::{Ingress, InvalidService, Service};
use crate::{backoff::Backoff, token::TunnelToken};

/// Which edges a connector dials, as what, and what it lets them reach.
#[derive(Clone, Debug)]
pub struct ConnectorConfig {
    /// Addresses of edges, `host:port`. Connections are spread over them.
    pub edge: Vec<String>,
    /// The tunnel's credentials.
    pub token: TunnelToken,
    /// The roots that edges must be certified by. The name to verify is always the same.
    pub tls: Arc<rustls::ClientConfig>,
    /// How many connections stand at once.
    pub connections: u8,
    /// What may be reached, first match first.
    pub ingress: Vec<Ingress>,
    /// Longest for the dial of a service.
    pub dial_timeout: Duration,
    /// Longest that open streams may go on after a stop.
    pub grace_period: Duration,
}

impl ConnectorConfig {
    /// The usual number of connections.
    pub const DEFAULT_CONNECTIONS: u8 = 4;
    /// The usual limit for the dial of a service.
    pub const DEFAULT_DIAL_TIMEOUT: Duration = Duration::from_secs(10);
    /// The usual time for open streams after a stop.
    pub const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(30);
}

/// A connector that is ready to run.
#[derive(Debug)]
pub struct Connector {
    shared: Arc<Shared>,
    connections: u8,
}

/// What the connections of a connector share.
#[derive(Debug)]
struct Shared {
    edge: Vec<String>,
    token: TunnelToken,
    tls: Arc<rustls::ClientConfig>,
    ingress: Vec<Ingress>,
    dial_timeout: Duration,
    grace_period: Duration,
    /// Names this process at the edge.
    id: String,
    registered: watch::Sender<usize>,
}

impl Connector {
    /// Makes a connector. No I/O happens here.
    pub fn new(config: ConnectorConfig) -> Self {
        let mut tls = rustls::ClientConfig::clone(&config.tls);
        // HTTP/2 is spoken without being offered, as by the other tool (B1).
        tls.alpn_protocols = Vec::new();
        let shared = Arc::new(Shared {
            edge: config.edge,
            token: config.token,
            tls: Arc::new(tls),
            ingress: config.ingress,
            dial_timeout: config.dial_timeout,
            grace_period: config.grace_period,
            id: uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string(),
            registered: watch::Sender::new(0),
        });
        Self { shared, connections: config.connections }
    }

    /// How many connections are registered at an edge right now.
    pub fn registered(&self) -> watch::Receiver<usize> {
        self.shared.registered.subscribe()
    }

    /// Keeps all connections standing until `stop`, then drains them and returns.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the connections live on; use `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        for index in 0..self.connections {
            tasks.spawn(stand(Arc::clone(&self.shared), index, stop.clone()));
        }
        tasks.close();
        tasks.wait().await;
    }
}

/// Keeps one connection standing.
async fn stand(shared: Arc<Shared>, index: u8, stop: CancellationToken) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut attempts = usize::from(index);
    while let Some(edge) = shared.edge.get(attempts % shared.edge.len().max(1)) {
        let (outcome, was_registered) =
            connection::run(Arc::clone(&shared), index, edge, &stop).await;
        if stop.is_cancelled() {
            return;
        }
        if was_registered {
            backoff.reset();
        } else {
            // Perhaps another edge is better off; after a success the same one is tried first.
            attempts = attempts.wrapping_add(1);
        }
        let pause = backoff.pause();
        report(index, edge, &outcome, pause);
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn report(index: u8, edge: &str, outcome: &Result<(), ConnectionError>, pause: Duration) {
    match outcome {
        Ok(()) => tracing::info!(index, edge, ?pause, "the edge closed the connection"),
        Err(error) => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(index, edge, ?pause, error, "no connection to the edge");
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
