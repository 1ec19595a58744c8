//! A proxy as a node of a control plane: what it says of itself, and what it does when it is told to.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use control::{
    Draft,
    nodes::{
        declared::Declared,
        wire::{Listener, Order, Outcome, Status},
    },
};
use proxy::{
    admin::{Lack, Purge},
    server::Server,
};
use serde::Deserialize as _;
use serde_json::Value;
use serving::{
    config::{DatabaseConfig, Dial, Engine},
    observe::Metrics,
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{
    check,
    config::{Advertised, HostPort},
    follow::{self, Follower, Held, Work},
};

/// Databases of the own file that others are told of.
const DECLARED_MAX: usize = 100;
/// How often it counts its clients for others.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// A proxy that follows a control node.
#[derive(Debug)]
pub(super) struct ProxyNode {
    follower: Follower,
    status: watch::Sender<Status>,
    metrics: Arc<Metrics>,
    purge: Purge,
    lack: Lack,
}

impl ProxyNode {
    /// This proxy.
    pub(super) fn new(follower: Follower, server: &Server, advertised: &Advertised) -> Self {
        let (metrics, purge, lack) = (server.metrics(), server.purge(), server.lack());
        let listeners = [Engine::Postgres, Engine::MySql].into_iter().filter_map(|engine| {
            let address = server.address(engine)?;
            Some(listener(engine, address, advertised.of(engine)))
        });
        let status = Status { listeners: listeners.collect(), ..Status::default() };
        Self { follower, status: watch::channel(status).0, metrics, purge, lack }
    }

    /// Takes down what is served now.
    pub(super) fn serves(
        &self,
        held: Option<&Held>,
        (own, databases): (&[Arc<DatabaseConfig>], usize),
        left_out: Vec<String>,
    ) {
        let is_told = held.is_some_and(|held| held.position().is_some());
        self.lack.is((!is_told).then_some(follow::LACK));
        self.status.send_modify(|status| {
            for why in left_out.iter().filter(|why| !status.left_out.contains(why)) {
                tracing::warn!("left out of what the control node says: {why}");
            }
            status.databases = u64::try_from(databases).unwrap_or(u64::MAX);
            status.declared = own.iter().take(DECLARED_MAX).map(|one| declared(one)).collect();
            status.left_out = left_out;
        });
    }

    /// Follows, for ever.
    pub(super) async fn run(&self) {
        let (purge, metrics) = (self.purge.clone(), Arc::clone(&self.metrics));
        let work = Work::new(move |order| carry_out(order, purge.clone(), Arc::clone(&metrics)));
        let minutes = Some(Arc::clone(&self.metrics.minutes));
        tokio::join!(self.follower.run(self.status.subscribe(), work, minutes), self.count());
    }

    async fn count(&self) {
        let mut ticks = interval(COUNT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let count = u64::try_from(self.metrics.client_connections.count()).unwrap_or_default();
            self.status.send_if_modified(|status| {
                std::mem::replace(&mut status.connections, count) != count
            });
        }
    }
}

/// A database of the own file, for others to see.
fn declared(database: &DatabaseConfig) -> Declared {
    let origin = &database.origin;
    let (host, port) = match &origin.dial {
        _ if origin.hosts.count() > 1 => {
            let hosts = (0..origin.hosts.count()).map(|host| origin.host_name(host));
            (hosts.collect::<Vec<_>>().join(","), None)
        }
        Dial::Tcp { host, port } => (host.clone(), Some(*port)),
        Dial::Tunnel(client) => (client.hostname().to_owned(), None),
        Dial::Peer(_) => (String::new(), None),
    };
    Declared {
        id: database.id.clone(),
        name: database.name.clone(),
        scheme: database.engine.word().to_owned(),
        host,
        port,
        database: database.origin.database.clone(),
        user: database.origin.user.clone(),
        caching_disabled: database.caching.disabled,
        max_age: database.caching.max_age.as_secs(),
        stale_while_revalidate: database.caching.stale_while_revalidate.as_secs(),
        origin_connection_limit: database.pool.max_size.get(),
    }
}

/// Where clients reach a listener: as the file says, else as the listener does.
fn listener(engine: Engine, address: SocketAddr, advertised: Option<&HostPort>) -> Listener {
    let own = (!address.ip().is_unspecified()).then(|| address.ip().to_string());
    let host = advertised.map(|it| it.host.clone()).or(own);
    let port = advertised.and_then(|it| it.port).unwrap_or(address.port());
    Listener { engine: engine.word().to_owned(), host, port }
}

async fn carry_out(order: Order, purge: Purge, metrics: Arc<Metrics>) -> Outcome {
    match order {
        Order::Check { config } => match Draft::deserialize(config) {
            Ok(draft) => match check::reach(draft).await {
                Ok(steps) => Outcome::Done(steps),
                Err(unreachable) => Outcome::Unreachable(unreachable),
            },
            Err(_shows_values) => Outcome::Failed(String::from(
                "it is of a version that does not know this config; update it",
            )),
        },
        Order::Purge { database, id, tables } => {
            purge.forget((&database, id.as_deref()), tables.iter().map(String::as_str));
            Outcome::Done(Value::Null)
        }
        Order::Activity { database, statements, sessions } => {
            Outcome::Done(metrics.tell_aside(database, statements, sessions).await)
        }
        Order::Disconnect { .. } => Outcome::Failed(String::from("a proxy has no tunnels")),
    }
}

#[cfg(test)]
mod tests {
    use control::nodes::activity::{Activity, LATENCY_BOUNDS};
    use serving::{
        activity::{BOUNDS, Who},
        config::CachingConfig,
        observe::CacheStatus,
    };

    use super::*;

    /// Neither crate knows the other: what one writes is what the other reads, and all of it.
    #[tokio::test]
    async fn what_a_proxy_tells_is_what_a_control_node_reads() {
        let metrics = Metrics::new();
        let app = metrics.database("app", "1");
        let mut seen = app.enter(Who::new("ann", Some("shop")), "10.0.0.7:4711".parse().ok());
        seen.is_pinned_by(["listen"]);
        let shape = seen.runs_unread("SELECT ?".to_owned()).unwrap();
        shape.count(CacheStatus::Volatile);
        shape.answered(CacheStatus::Volatile, Duration::from_millis(3));
        let why = || Some("function now() is stable".to_owned());
        shape.is_judged(Some(&Arc::new(())), &CachingConfig::default(), why);
        let told = metrics.tell(None, 10, 10);
        let read = Activity::deserialize(&told).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), told);
        assert_eq!(read.databases[0].statements[0].uncached.iter().sum::<u64>(), 1);
        assert_eq!(BOUNDS, LATENCY_BOUNDS);
    }
}
