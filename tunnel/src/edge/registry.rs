//! The live connections of connectors, by tunnel.
//!
//! Whatever is counted or listed here is held by a guard: a connection by [`Registered`], a stream
//! on it by [`Claim`].

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use h2::client::SendRequest;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::token::TunnelId;

/// All connections that may get streams.
#[derive(Debug, Default)]
pub(super) struct Registry {
    tunnels: Mutex<HashMap<TunnelId, Vec<Arc<Connection>>>>,
    next_id: AtomicU64,
}

/// One registered connection.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    /// The connector's process and which of its connections this is.
    place: (Uuid, u8),
    requests: SendRequest<Bytes>,
    streams: watch::Sender<usize>,
    /// A newer connection has the same place.
    replaced: CancellationToken,
}

impl Registry {
    /// Lists a connection. One that had the same place before is told to end. `None` when there are
    /// too many, of this tunnel or of all together.
    pub(super) fn register(
        self: &Arc<Self>,
        tunnel: TunnelId,
        place: (Uuid, u8),
        requests: SendRequest<Bytes>,
    ) -> Option<Registered> {
        let connection = Arc::new(Connection {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            place,
            requests,
            streams: watch::Sender::new(0),
            replaced: CancellationToken::new(),
        });
        let mut tunnels = self.tunnels.lock();
        let others = |old: &&Arc<Connection>| old.place != connection.place;
        let of_tunnel =
            tunnels.get(&tunnel).map_or(0, |listed| listed.iter().filter(others).count());
        let all: usize = tunnels.values().map(Vec::len).sum();
        if of_tunnel >= MAX_PER_TUNNEL || all >= MAX_CONNECTIONS {
            return None;
        }
        let listed = tunnels.entry(tunnel).or_default();
        listed.retain(|old| {
            let stays = old.place != connection.place;
            if !stays {
                old.replaced.cancel();
            }
            stays
        });
        listed.push(Arc::clone(&connection));
        Some(Registered { registry: Arc::clone(self), tunnel, connection })
    }

    /// Takes a place on the connection with the fewest streams, other than the ones tried already.
    pub(super) fn claim(&self, tunnel: TunnelId, tried: &[u64]) -> Option<Claim> {
        let tunnels = self.tunnels.lock();
        let candidates = tunnels.get(&tunnel)?.iter().filter(|known| !tried.contains(&known.id));
        let connection = candidates.min_by_key(|known| *known.streams.borrow())?;
        connection.streams.send_modify(|count| *count += 1);
        Some(Claim { connection: Arc::clone(connection) })
    }

    /// How many connections are listed.
    pub(super) fn len(&self) -> usize {
        self.tunnels.lock().values().map(Vec::len).sum()
    }

    fn remove(&self, tunnel: TunnelId, id: u64) {
        let mut tunnels = self.tunnels.lock();
        if let Some(listed) = tunnels.get_mut(&tunnel) {
            listed.retain(|known| known.id != id);
            if listed.is_empty() {
                tunnels.remove(&tunnel);
            }
        }
    }
}

/// Keeps a connection listed.
#[must_use = "dropping it takes the connection off the list"]
#[derive(Debug)]
pub(super) struct Registered {
    registry: Arc<Registry>,
    tunnel: TunnelId,
    connection: Arc<Connection>,
}

impl Registered {
    /// Cancelled when a newer connection has taken the place of this one.
    pub(super) fn replaced(&self) -> CancellationToken {
        self.connection.replaced.clone()
    }

    /// Takes the connection off the list; what is returned waits for its last stream.
    pub(super) fn retire(self) -> impl Future<Output = ()> {
        let mut streams = self.connection.streams.subscribe();
        drop(self);
        async move {
            let _closed_or_zero = streams.wait_for(|count| *count == 0).await;
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.remove(self.tunnel, self.connection.id);
    }
}

/// A place for one stream on a connection.
#[must_use = "dropping it gives the place back"]
#[derive(Debug)]
pub(super) struct Claim {
    connection: Arc<Connection>,
}

impl Claim {
    /// Which connection this is, to try another one next.
    pub(super) fn id(&self) -> u64 {
        self.connection.id
    }

    /// Where to send the request.
    pub(super) fn requests(&self) -> SendRequest<Bytes> {
        self.connection.requests.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.connection.streams.send_modify(|count| *count -= 1);
    }
}

const MAX_PER_TUNNEL: usize = 100;
const MAX_CONNECTIONS: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    async fn requests() -> SendRequest<Bytes> {
        let (near, _far) = tokio::io::duplex(64 * 1024);
        h2::client::handshake(near).await.expect("the preface is sent unasked").0
    }

    #[tokio::test]
    async fn streams_go_where_the_fewest_are() {
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        assert!(registry.claim(tunnel, &[]).is_none());
        let first = registry.register(tunnel, (Uuid::nil(), 0), requests().await).expect("room");
        let second = registry.register(tunnel, (Uuid::nil(), 1), requests().await).expect("room");
        let one = registry.claim(tunnel, &[]).expect("listed");
        let two = registry.claim(tunnel, &[]).expect("listed");
        assert_ne!(one.id(), two.id());
        let id = one.id();
        drop(one);
        let three = registry.claim(tunnel, &[]).expect("listed");
        assert_eq!(three.id(), id);
        assert!(registry.claim(tunnel, &[id, two.id()]).is_none());
        assert!(registry.claim(TunnelId::random(), &[]).is_none());
        drop((first, second));
        assert!(registry.claim(tunnel, &[]).is_none());
    }

    #[tokio::test]
    async fn a_newer_connection_takes_the_place_of_an_older_one() {
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        let old = registry.register(tunnel, (Uuid::nil(), 0), requests().await).expect("room");
        let new = registry.register(tunnel, (Uuid::nil(), 0), requests().await).expect("room");
        old.replaced().cancelled().await;
        drop(old);
        assert_eq!(registry.len(), 1);
        drop(new);
        assert_eq!(registry.len(), 0);
    }

    #[tokio::test]
    async fn a_drained_connection_ends_with_its_last_stream() {
        let (registry, tunnel) = (Arc::new(Registry::default()), TunnelId::random());
        let registered =
            registry.register(tunnel, (Uuid::nil(), 0), requests().await).expect("room");
        let claim = registry.claim(tunnel, &[]).expect("listed");
        let mut drain = pin!(registered.retire());
        let poll = drain.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        assert!(registry.claim(tunnel, &[]).is_none(), "nothing new while it drains");
        drop(claim);
        drain.await;
    }
}
