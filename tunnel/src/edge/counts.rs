//! What an edge counts, and what it says of its connectors. Who renders it is somebody else.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::registry::Connector;
use crate::{state::UnixSeconds, token::TunnelId};

/// What an edge does and has done since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections of connectors that are registered.
    pub connectors: usize,
    /// Streams of clients that are open.
    pub streams: u64,
    /// Streams that were opened.
    pub opened: u64,
    /// Requests that were refused, by the status of the answer.
    pub refused: BTreeMap<u16, u64>,
    /// Refused requests that were answered 429.
    pub throttled: u64,
    /// Clients that have connected and that Access has not let pass.
    pub strange_clients: usize,
    /// Connections to the port for connectors that are not registered.
    pub strange_connectors: usize,
    /// How many of either had to make room for others.
    pub put_out: u64,
}

/// One registered connection of a connector, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorInfo {
    /// Tells it from every other since the start of the edge.
    #[serde(default)]
    pub connection: u64,
    /// The tunnel that it is registered for.
    pub tunnel: TunnelId,
    /// Names the connector's process.
    pub connector: Uuid,
    /// Which of the process's connections it is.
    pub index: u8,
    /// Where it comes from.
    pub address: SocketAddr,
    /// What the connector says it is.
    pub version: String,
    /// When it was registered.
    pub since: UnixSeconds,
    /// How many streams it has.
    pub streams: usize,
}

impl From<(u64, TunnelId, Connector, usize)> for ConnectorInfo {
    fn from((connection, tunnel, connector, streams): (u64, TunnelId, Connector, usize)) -> Self {
        let Connector { id, index, peer, version, since } = connector;
        Self { connection, tunnel, connector: id, index, address: peer, version, since, streams }
    }
}

/// The counts as they are kept.
#[derive(Debug, Default)]
pub(super) struct Counts {
    streams: AtomicU64,
    opened: AtomicU64,
    /// By status, of which there are not many.
    refused: Mutex<BTreeMap<u16, u64>>,
}

impl Counts {
    /// Counts a stream as open for as long as the guard lives. `None` when there are too many.
    pub(super) fn open(&self) -> Option<Open<'_>> {
        let one_more = |streams| (streams < MAX_STREAMS).then_some(streams + 1);
        self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        Some(Open(self))
    }

    /// Counts a refusal.
    pub(super) fn refused(&self, status: u16) {
        *self.refused.lock().entry(status).or_default() += 1;
    }

    /// What is counted here, among all that an edge says of itself.
    pub(super) fn read(&self) -> Stats {
        Stats {
            streams: self.streams.load(Ordering::Relaxed),
            opened: self.opened.load(Ordering::Relaxed),
            refused: self.refused.lock().clone(),
            ..Stats::default()
        }
    }
}

/// One open stream.
#[derive(Debug)]
#[must_use = "dropping it says that the stream has ended"]
pub(super) struct Open<'a>(&'a Counts);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

const MAX_STREAMS: u64 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_counted_until_it_ends_and_bounded() {
        let counts = Counts::default();
        let streams = || counts.streams.load(Ordering::Relaxed);
        let (one, two) = (counts.open().expect("room"), counts.open().expect("room"));
        drop(one);
        assert_eq!((streams(), counts.opened.load(Ordering::Relaxed)), (1, 2));
        counts.streams.store(MAX_STREAMS, Ordering::Relaxed);
        assert!(counts.open().is_none());
        drop(two);
        assert!(counts.open().is_some());
        counts.refused(403);
        counts.refused(403);
        assert_eq!(counts.refused.lock().get(&403), Some(&2));
    }
}
