//! The connector: inside the private network, it dials out to edges and forwards to databases.
//!
//! Where a stream goes is decided by ingress rules, its own or those that its edge pushes; where it
//! may go at all by the allow-list, which no edge can change. Several connections stand at once, each
//! replaced when it ends.

mod connection;
mod ingress;
mod rules;
mod shared;
mod stats;
mod stream;
mod targets;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::connection::ConnectionError;
pub use self::{
    ingress::{Ingress, InvalidService, Service},
    stats::Stats,
    targets::{InvalidTarget, Target, Targets},
};
use self::{rules::Rules, shared::Shared, stats::Counters};
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
    /// Which hostname leads where, first match first. Without any the edge says it.
    pub ingress: Vec<Ingress>,
    /// What may be dialled at all. Rules of the edge are taken only where there is a list.
    pub targets: Targets,
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
            rules: Rules::new(config.ingress),
            targets: config.targets,
            dial_timeout: config.dial_timeout,
            grace_period: config.grace_period,
            id: uuid::Builder::from_random_bytes(rand::random()).into_uuid(),
            counters: Counters::new(),
            pushing: Mutex::const_new(()),
            dials: Semaphore::new(MAX_DIALS),
        });
        Self { shared, connections: config.connections }
    }

    /// How many connections are registered at an edge right now.
    pub fn registered(&self) -> watch::Receiver<usize> {
        self.shared.counters.watch()
    }

    /// A handle to look at a running connector.
    pub fn monitor(&self) -> Monitor {
        Monitor { shared: Arc::clone(&self.shared) }
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

/// Looks at a running connector.
#[derive(Clone, Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
}

impl Monitor {
    /// The name of this process at its edges.
    pub fn id(&self) -> Uuid {
        self.shared.id
    }

    /// What it does and has done.
    pub fn stats(&self) -> Stats {
        self.shared.counters.read(self.shared.rules.version())
    }
}

/// Keeps one connection standing.
async fn stand(shared: Arc<Shared>, index: u8, stop: CancellationToken) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let (mut at, mut failures) = (usize::from(index), 0_u8);
    while let Some(edge) = shared.edge.get(at % shared.edge.len().max(1)) {
        let (outcome, was_registered) =
            connection::run(Arc::clone(&shared), index, edge, failures, &stop).await;
        if stop.is_cancelled() {
            return;
        }
        if was_registered {
            backoff.reset();
            failures = 0;
        } else {
            // Perhaps another edge is better off; after a success the same one is tried first.
            at = at.wrapping_add(1);
            failures = failures.saturating_add(1);
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

const MAX_DIALS: usize = 100;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
