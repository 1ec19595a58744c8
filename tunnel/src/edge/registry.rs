//! The live connections of connectors, by tunnel.
//!
//! Whatever is counted or listed here is held by a guard: a connection by [`Registered`], a stream
//! on it by [`Claim`].

use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use h2::client::SendRequest;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{state::UnixSeconds, token::TunnelId};

/// All connections that may get streams.
#[derive(Debug, Default)]
pub(super) struct Registry {
    tunnels: Mutex<HashMap<TunnelId, Vec<Arc<Connection>>>>,
    next_id: AtomicU64,
    /// Wakes those who wait for a place.
    changed: Notify,
    /// The edge itself is about to end.
    leaving: CancellationToken,
}

/// One registered connection.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    tunnel: TunnelId,
    connector: Connector,
    requests: SendRequest<Bytes>,
    streams: watch::Sender<usize>,
    /// A newer connection has the same place, or somebody has asked for its end.
    replaced: CancellationToken,
    /// Its connector, or the edge, is about to end.
    leaving: CancellationToken,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connector {
    /// Names the connector's process.
    pub(super) id: Uuid,
    /// Which of its connections this is.
    pub(super) index: u8,
    pub(super) peer: SocketAddr,
    pub(super) version: String,
    /// When it was registered.
    pub(super) since: UnixSeconds,
}

impl Connector {
    /// At most one connection has it.
    const fn place(&self) -> (Uuid, u8) {
        (self.id, self.index)
    }
}

impl Connection {
    /// Has it as many streams as its connector admits?
    fn is_full(&self) -> bool {
        let most = self.requests.current_max_send_streams();
        *self.streams.borrow() >= most.saturating_sub(OWN_STREAMS).max(1)
    }
}

impl Registry {
    /// Lists a connection. One that had the same place before is told to end. `None` when there are
    /// too many, of this tunnel or of all together.
    pub(super) fn register(
        self: &Arc<Self>,
        tunnel: TunnelId,
        connector: Connector,
        requests: SendRequest<Bytes>,
    ) -> Option<Registered> {
        let place = connector.place();
        let connection = Arc::new(Connection {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            tunnel,
            connector,
            requests,
            streams: watch::Sender::new(0),
            replaced: CancellationToken::new(),
            leaving: self.leaving.child_token(),
        });
        let mut tunnels = self.tunnels.lock();
        let others = |old: &&Arc<Connection>| old.connector.place() != place;
        let of_tunnel =
            tunnels.get(&tunnel).map_or(0, |listed| listed.iter().filter(others).count());
        let all: usize = tunnels.values().map(Vec::len).sum();
        if of_tunnel >= MAX_PER_TUNNEL || all >= MAX_CONNECTIONS {
            return None;
        }
        let listed = tunnels.entry(tunnel).or_default();
        listed.retain(|old| {
            let stays = old.connector.place() != place;
            if !stays {
                old.replaced.cancel();
            }
            stays
        });
        listed.push(Arc::clone(&connection));
        drop(tunnels);
        self.changed.notify_waiters();
        Some(Registered { registry: Arc::clone(self), connection })
    }

    /// The edge is about to end: all who have a stream are told.
    pub(super) fn leave(&self) {
        self.leaving.cancel();
    }

    /// Ends what a tunnel's connectors have open, or one of them; they may come again.
    pub(super) fn disconnect(&self, tunnel: TunnelId, connector: Option<Uuid>) {
        let tunnels = self.tunnels.lock();
        for one in tunnels.get(&tunnel).into_iter().flatten() {
            if connector.is_none_or(|connector| one.connector.id == connector) {
                one.replaced.cancel();
            }
        }
    }

    /// What is listed: the connections with how many streams each has.
    pub(super) fn listed(&self) -> Vec<(u64, TunnelId, Connector, usize)> {
        let tunnels = self.tunnels.lock();
        let seen = |one: &Arc<Connection>| {
            (one.id, one.tunnel, one.connector.clone(), *one.streams.borrow())
        };
        tunnels.values().flatten().map(seen).collect()
    }

    /// Takes a place on the connection with the fewest streams, other than the ones tried already. Where
    /// all have as many as their connector admits, waits for the first place that is free on any.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, no place is taken.
    pub(super) async fn claim(self: &Arc<Self>, tunnel: TunnelId, tried: &[u64]) -> Option<Claim> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on nothing is missed.
            changed.as_mut().enable();
            if let Some(claim) = self.claim_now(tunnel, tried)? {
                return Some(claim);
            }
            changed.await;
        }
    }

    /// `None` when there is no connection; `Some(None)` when there is no place on any.
    fn claim_now(self: &Arc<Self>, tunnel: TunnelId, tried: &[u64]) -> Option<Option<Claim>> {
        let tunnels = self.tunnels.lock();
        let untried = tunnels.get(&tunnel)?.iter().filter(|known| !tried.contains(&known.id));
        let least = untried.min_by_key(|known| (known.is_full(), *known.streams.borrow()))?;
        if least.is_full() {
            return Some(None);
        }
        least.streams.send_modify(|count| *count += 1);
        Some(Some(Claim { registry: Arc::clone(self), connection: Arc::clone(least) }))
    }

    /// How many connections are listed.
    pub(super) fn len(&self) -> usize {
        self.tunnels.lock().values().map(Vec::len).sum()
    }

    fn remove(&self, connection: &Connection) {
        let mut tunnels = self.tunnels.lock();
        if let Some(listed) = tunnels.get_mut(&connection.tunnel) {
            listed.retain(|known| known.id != connection.id);
            if listed.is_empty() {
                tunnels.remove(&connection.tunnel);
            }
        }
        drop(tunnels);
        self.changed.notify_waiters();
    }
}

/// Keeps a connection listed.
#[must_use = "dropping it takes the connection off the list"]
#[derive(Debug)]
pub(super) struct Registered {
    registry: Arc<Registry>,
    connection: Arc<Connection>,
}

impl Registered {
    /// Cancelled when a newer connection has taken the place of this one.
    pub(super) fn replaced(&self) -> CancellationToken {
        self.connection.replaced.clone()
    }

    /// Takes the connection off the list and tells those who have a stream on it; what is returned waits
    /// for the last one.
    pub(super) fn retire(self) -> impl Future<Output = ()> {
        let mut streams = self.connection.streams.subscribe();
        self.connection.leaving.cancel();
        drop(self);
        async move {
            let _closed_or_zero = streams.wait_for(|count| *count == 0).await;
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.remove(&self.connection);
    }
}

/// A place for one stream on a connection.
#[must_use = "dropping it gives the place back"]
#[derive(Debug)]
pub(super) struct Claim {
    registry: Arc<Registry>,
    connection: Arc<Connection>,
}

impl Claim {
    /// Which connection this is, to try another one next.
    pub(super) fn id(&self) -> u64 {
        self.connection.id
    }

    /// Cancelled when its connector or the edge is about to end.
    pub(super) fn leaving(&self) -> CancellationToken {
        self.connection.leaving.clone()
    }

    /// Where to send the request.
    pub(super) fn requests(&self) -> SendRequest<Bytes> {
        self.connection.requests.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.connection.streams.send_modify(|count| *count -= 1);
        self.registry.changed.notify_waiters();
    }
}

/// The control stream, and a push.
const OWN_STREAMS: usize = 2;
const MAX_PER_TUNNEL: usize = 100;
const MAX_CONNECTIONS: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn connector(index: u8) -> Connector {
        let peer = ([192, 0, 2, 1], 4711).into();
        Connector { id: Uuid::nil(), index, peer, version: "test".to_owned(), since: 1 }
    }

    async fn requests() -> SendRequest<Bytes> {
        let (near, _far) = tokio::io::duplex(64 * 1024);
        h2::client::handshake(near).await.expect("the preface is sent unasked").0
    }

    #[tokio::test]
    async fn streams_go_where_the_fewest_are() {
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        assert!(registry.claim(tunnel, &[]).await.is_none());
        let first = registry.register(tunnel, connector(0), requests().await).expect("room");
        let second = registry.register(tunnel, connector(1), requests().await).expect("room");
        let one = registry.claim(tunnel, &[]).await.expect("listed");
        let two = registry.claim(tunnel, &[]).await.expect("listed");
        assert_ne!(one.id(), two.id());
        let id = one.id();
        drop(one);
        let three = registry.claim(tunnel, &[]).await.expect("listed");
        assert_eq!(three.id(), id);
        assert!(registry.claim(tunnel, &[id, two.id()]).await.is_none());
        assert!(registry.claim(TunnelId::random(), &[]).await.is_none());
        drop((first, second));
        assert!(registry.claim(tunnel, &[]).await.is_none());
    }

    #[tokio::test]
    async fn where_all_are_full_the_first_free_place_of_any_is_taken() {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (requests, connection) = h2::client::handshake(near).await.expect("sent unasked");
        let mut server = h2::server::Builder::new();
        let serve = server.max_concurrent_streams(4).handshake::<_, Bytes>(far);
        let (mut connection, mut serve) = (pin!(connection), pin!(serve));
        // Until the limit has arrived.
        while requests.current_max_send_streams() != 4 {
            tokio::select! {
                biased;
                _ = &mut connection => {}
                _ = &mut serve => {}
                () = tokio::task::yield_now() => {}
            }
        }
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        let first = registry.register(tunnel, connector(0), requests.clone()).expect("room");
        let second = registry.register(tunnel, connector(1), requests).expect("room");
        let mut claims = Vec::new();
        for _ in 0..4 {
            claims.push(registry.claim(tunnel, &[]).await.expect("listed"));
        }
        let mut waiting = pin!(registry.claim(tunnel, &[]));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        let freed = claims.swap_remove(1);
        let id = freed.id();
        drop(freed);
        assert_eq!(waiting.await.expect("listed").id(), id);
        drop((first, second));
        assert!(registry.claim(tunnel, &[]).await.is_none());
    }

    #[tokio::test]
    async fn a_newer_connection_takes_the_place_of_an_older_one() {
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        let old = registry.register(tunnel, connector(0), requests().await).expect("room");
        let new = registry.register(tunnel, connector(0), requests().await).expect("room");
        old.replaced().cancelled().await;
        drop(old);
        assert_eq!(registry.len(), 1);
        drop(new);
        assert_eq!(registry.len(), 0);
    }

    #[tokio::test]
    async fn a_drained_connection_ends_with_its_last_stream() {
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        let registered = registry.register(tunnel, connector(0), requests().await).expect("room");
        let claim = registry.claim(tunnel, &[]).await.expect("listed");
        assert_eq!(registry.listed(), [(0, tunnel, connector(0), 1)]);
        let leaving = claim.leaving();
        assert!(!leaving.is_cancelled());
        let mut drain = pin!(registered.retire());
        assert!(leaving.is_cancelled(), "who has a stream is told");
        let poll = drain.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        assert!(registry.claim(tunnel, &[]).await.is_none(), "nothing new while it drains");
        drop(claim);
        drain.await;
    }

    #[tokio::test]
    async fn an_edge_that_leaves_tells_all_who_have_a_stream_and_all_who_get_one() {
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        let _one = registry.register(tunnel, connector(0), requests().await).expect("room");
        let before = registry.claim(tunnel, &[]).await.expect("listed");
        registry.leave();
        let behind = registry.claim(tunnel, &[]).await.expect("listed");
        assert!(before.leaving().is_cancelled() && behind.leaving().is_cancelled());
    }
}
