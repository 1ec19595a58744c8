//! An edge as a node of a control plane: what it is told, what it says of itself, and what it does when it is told to.

use std::{collections::BTreeMap, net::SocketAddr, str::FromStr as _, sync::Arc, time::Duration};

use control::{
    Moment,
    nodes::wire::{EdgeStatus, Order, Outcome, Status},
};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tunnel::{
    edge::{ConnectorInfo, Handle},
    state::State,
    token::TunnelId,
};
use uuid::Uuid;

use crate::follow::{Follower, Held, Work};

/// How often it looks who is connected, for others.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// An edge that follows a control node.
#[derive(Debug)]
pub(super) struct EdgeNode {
    follower: Follower,
    told: watch::Sender<Arc<State>>,
    advertise: Option<SocketAddr>,
    ca_certificate: Option<String>,
}

impl EdgeNode {
    /// An edge that begins with what it was told before its start.
    pub(super) fn new(
        follower: Follower,
        advertise: Option<SocketAddr>,
        ca_certificate: Option<String>,
    ) -> Self {
        let state = state(&follower.held().borrow()).unwrap_or_default();
        Self { told: watch::channel(Arc::new(state)).0, follower, advertise, ca_certificate }
    }

    /// What it is told.
    pub(super) fn told(&self) -> watch::Receiver<Arc<State>> {
        self.told.subscribe()
    }

    /// What the control node has told last.
    pub(super) fn held(&self) -> watch::Receiver<Arc<Held>> {
        self.follower.held()
    }

    /// Follows, for ever.
    pub(super) async fn run(&self, edge: Handle, public: SocketAddr, connectors: SocketAddr) {
        let status = EdgeStatus {
            public: self.advertise.or_else(|| reachable(public)),
            connectors: reachable(connectors),
            ca_certificate: self.ca_certificate.clone(),
            tunnels: BTreeMap::new(),
        };
        let (told, watched) = (edge.clone(), edge);
        let (status, statuses) = watch::channel(seen(&watched, &status));
        let work = Work::new(move |order| std::future::ready(carry_out(order, &told)));
        tokio::join!(self.follower.run(statuses, work, None), self.hear(), look(&watched, &status));
    }

    async fn hear(&self) {
        let mut held = self.follower.held();
        while held.changed().await.is_ok() {
            let now = Arc::clone(&held.borrow_and_update());
            if let Some(state) = state(&now) {
                self.told.send_replace(Arc::new(state));
            }
        }
    }
}

/// What of it an edge knows; `None` where that cannot be read, and what was told before holds.
fn state(held: &Held) -> Option<State> {
    let Some(view) = held.edge() else { return Some(State::default()) };
    // Both have one form of JSON.
    let state = serde_json::to_value(view).and_then(serde_json::from_value);
    state
        .map_err(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                error,
                "the control node tells what this version of Jumpgate cannot read; update this edge"
            );
        })
        .ok()
}

/// An address that others can dial.
fn reachable(address: SocketAddr) -> Option<SocketAddr> {
    (!address.ip().is_unspecified()).then_some(address)
}

async fn look(edge: &Handle, status: &watch::Sender<Status>) {
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let before = status.borrow().edge.clone().unwrap_or_default();
        let now = seen(edge, &before);
        status.send_if_modified(|status| std::mem::replace(status, now.clone()) != now);
    }
}

fn seen(edge: &Handle, before: &EdgeStatus) -> Status {
    let infos = edge.connector_infos();
    let edge_status = EdgeStatus { tunnels: tunnels(&infos), ..before.clone() };
    Status { connections: edge.stats().streams, edge: Some(edge_status), ..Status::default() }
}

/// The connectors of each tunnel, as `cloudflared tunnel info` asks for them.
fn tunnels(infos: &[ConnectorInfo]) -> BTreeMap<String, Vec<Value>> {
    let mut by_connector: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for info in infos {
        let key = (info.tunnel.to_string(), info.connector);
        by_connector.entry(key).or_default().push(info);
    }
    let mut tunnels: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for ((tunnel, connector), mut infos) in by_connector {
        infos.sort_by_key(|info| info.index);
        let at = |seconds: u64| {
            Moment(i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
        };
        let since = infos.iter().map(|info| info.since).min().unwrap_or_default();
        let conns = infos.iter().map(|info| {
            // One and the same for as long as it stands.
            let own = (u128::from(info.since) << u64::BITS) | u128::from(info.connection);
            let id = Uuid::from_u128(connector.as_u128() ^ own);
            json!({
                "id": id,
                "uuid": id,
                "client_id": connector,
                "client_version": info.version,
                "colo_name": "jumpgate",
                "is_pending_reconnect": false,
                "origin_ip": info.address.ip().to_canonical(),
                "opened_at": at(info.since),
            })
        });
        let conns: Vec<_> = conns.collect();
        let version = infos.first().map_or("", |info| info.version.as_str());
        tunnels.entry(tunnel).or_default().push(json!({
            "id": connector,
            "features": [],
            "version": version,
            "arch": "",
            "run_at": at(since),
            "conns": conns,
        }));
    }
    tunnels
}

fn carry_out(order: Order, edge: &Handle) -> Outcome {
    let Order::Disconnect { tunnel, connector } = order else {
        return Outcome::Failed(String::from("an edge has no databases"));
    };
    let connector = connector.as_deref().map(Uuid::from_str).transpose();
    match (TunnelId::from_str(&tunnel), connector) {
        (Ok(tunnel), Ok(connector)) => {
            edge.disconnect(tunnel, connector);
            Outcome::Done(Value::Null)
        }
        _ => Outcome::Failed(String::from("the tunnel or the connector has no such id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connectors_are_shown_with_their_connections() {
        let (tunnel, connector) = (TunnelId::random(), Uuid::from_u128(7));
        let info = |index: u8, since: u64| ConnectorInfo {
            connection: index.into(),
            tunnel,
            connector,
            index,
            address: ([192, 0, 2, 1], 4711).into(),
            version: String::from("1"),
            since,
            streams: 0,
        };
        let shown = tunnels(&[info(1, 20), info(0, 10)]);
        let [one] = &*shown[&tunnel.to_string()] else { panic!("{shown:?}") };
        assert_eq!(one["run_at"], "1970-01-01T00:00:10Z");
        let conns = one["conns"].as_array().unwrap();
        assert_eq!(conns.len(), 2);
        assert_eq!(conns[1]["origin_ip"], "192.0.2.1");
        assert_ne!(conns[0]["id"], conns[1]["id"]);
    }
}
