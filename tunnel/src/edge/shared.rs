//! What all tasks of an edge share: what it knows, and who is connected.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::watch, time::sleep};
use tokio_rustls::TlsAcceptor;

use super::{
    assertions::Assertions,
    audit::Ending,
    config::EdgeConfig,
    counts::{Counts, Stats},
    gate::Asked,
    registry::Registry,
    strangers::Strangers,
    throttle::Throttle,
};
use crate::{
    access::{
        SigningKeys,
        judge::{Allowed, judge_again},
    },
    state::State,
};

/// Time since 1970; an argument of tests.
pub(super) type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

pub(super) struct Shared {
    pub(super) public_tls: TlsAcceptor,
    pub(super) connector_tls: TlsAcceptor,
    pub(super) state: watch::Sender<Arc<State>>,
    pub(super) assertions: Assertions,
    pub(super) throttle: Throttle,
    pub(super) registry: Arc<Registry>,
    pub(super) counts: Counts,
    /// Longest for open streams after a stop.
    pub(super) drain_timeout: Duration,
    /// Clients that Access has not let pass.
    pub(super) strange_clients: Arc<Strangers>,
    /// Connectors that have not registered.
    pub(super) strange_connectors: Arc<Strangers>,
    pub(super) clock: Clock,
}

impl Shared {
    pub(super) fn new(config: EdgeConfig, keys: Arc<SigningKeys>) -> Self {
        let with_alpn = |tls: &rustls::ServerConfig, protocols: Vec<Vec<u8>>| {
            let mut tls = rustls::ServerConfig::clone(tls);
            tls.alpn_protocols = protocols;
            TlsAcceptor::from(Arc::new(tls))
        };
        Self {
            public_tls: with_alpn(&config.public_tls, vec![b"http/1.1".to_vec()]),
            // Connectors offer none, and expect HTTP/2 all the same (B1).
            connector_tls: with_alpn(&config.connector_tls, Vec::new()),
            state: watch::Sender::new(Arc::new(config.state)),
            assertions: Assertions::new(keys),
            throttle: Throttle::new(config.max_refusals_per_minute),
            registry: Arc::default(),
            counts: Counts::default(),
            drain_timeout: config.drain_timeout,
            strange_clients: Arc::new(Strangers::new(CLIENT_ROOM, CLIENT_SHARE)),
            strange_connectors: Arc::new(Strangers::new(CONNECTOR_ROOM, CONNECTOR_SHARE)),
            clock: Box::new(unix_time),
        }
    }

    /// What the edge knows now.
    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    /// What the edge does and has done.
    pub(super) fn stats(&self) -> Stats {
        Stats {
            connectors: self.registry.len(),
            throttled: self.throttle.throttled(),
            strange_clients: self.strange_clients.len(),
            strange_connectors: self.strange_connectors.len(),
            put_out: self.strange_clients.put_out() + self.strange_connectors.put_out(),
            ..self.counts.read()
        }
    }

    /// Would the request pass now, too?
    pub(super) fn judge_again(&self, asked: &Asked, allowed: &Allowed) -> Result<(), Ending> {
        judge_stream(&self.state(), asked, allowed, (self.clock)()).map(drop)
    }

    /// Waits until a request that has passed would not pass any more: because of a change, or
    /// because its token or secret has come to its end.
    ///
    /// # Cancel safety
    ///
    /// It can be asked again.
    pub(super) async fn ending(&self, asked: &Asked, allowed: &Allowed) -> Ending {
        let mut states = self.state.subscribe();
        loop {
            let state = Arc::clone(&states.borrow_and_update());
            let now = (self.clock)();
            let left = match judge_stream(&state, asked, allowed, now) {
                // The sender lives as long as `self`, so `changed` is not the end of it.
                Ok(until) => until.map(|end| end.saturating_sub(now)),
                Err(ending) => return ending,
            };
            drop(state);
            tokio::select! {
                _ = states.changed() => {}
                // Not longer at once: this clock does not jump with the other one.
                () = sleep(left.unwrap_or_default().min(LONGEST_SLEEP)), if left.is_some() => {}
            }
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A proxy may open all its pools at once, and many proxies may come through one load balancer.
const CLIENT_ROOM: usize = 4_000;
const CLIENT_SHARE: usize = 1_000;
/// Connectors are few, but after a restart of the edge all of an office's come at once.
const CONNECTOR_ROOM: usize = 200;
const CONNECTOR_SHARE: usize = 50;

/// Clocks of different kinds do not jump together, so that none is slept by for longer.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_secs(15);

/// Until when may the stream go on, if it may?
fn judge_stream(
    state: &State,
    asked: &Asked,
    allowed: &Allowed,
    now: Duration,
) -> Result<Option<Duration>, Ending> {
    if !asked.is_routed(state) {
        return Err(Ending::NoRoute);
    }
    judge_again(state, &asked.place, &allowed.identity, now.as_secs())
        .map(|allowed| allowed.until.map(Duration::from_secs))
        .map_err(|denied| Ending::Denied(denied.reason))
}

/// The time since 1970. A clock before that is at its start.
pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
