//! What a connector counts. Who renders it is somebody else.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::watch;

/// What a connector does and has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The connections that are registered: their index, and the name of the edge's place.
    pub registered: BTreeMap<u8, String>,
    /// Streams that edges have opened so far.
    pub requests: u64,
    /// Those of them that led nowhere.
    pub request_errors: u64,
    /// Streams that are open now.
    pub active: u64,
    /// The version of the rules that an edge has pushed; -1 for none.
    pub config_version: i32,
}

/// The counts as they are kept.
#[derive(Debug)]
pub(super) struct Counters {
    registered: Mutex<BTreeMap<u8, String>>,
    count: watch::Sender<usize>,
    requests: AtomicU64,
    request_errors: AtomicU64,
    active: AtomicU64,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            registered: Mutex::default(),
            count: watch::Sender::new(0),
            requests: AtomicU64::new(0),
            request_errors: AtomicU64::new(0),
            active: AtomicU64::new(0),
        }
    }

    /// How many connections are registered.
    pub(super) fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Counts one registered connection for as long as the guard lives.
    pub(super) fn enter(&self, index: u8, location: String) -> Registered<'_> {
        let mut registered = self.registered.lock();
        registered.insert(index, location);
        self.count.send_replace(registered.len());
        drop(registered);
        Registered { counters: self, index }
    }

    /// Counts one stream, and as active for as long as the guard lives.
    pub(super) fn open(&self) -> Active<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
        Active(self)
    }

    /// Counts a stream that led nowhere.
    pub(super) fn refused(&self) {
        self.request_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, config_version: i32) -> Stats {
        Stats {
            registered: self.registered.lock().clone(),
            requests: self.requests.load(Ordering::Relaxed),
            request_errors: self.request_errors.load(Ordering::Relaxed),
            active: self.active.load(Ordering::Relaxed),
            config_version,
        }
    }
}

/// One registered connection.
#[derive(Debug)]
#[must_use = "dropping it says that the connection is not registered any more"]
pub(super) struct Registered<'a> {
    counters: &'a Counters,
    index: u8,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let mut registered = self.counters.registered.lock();
        registered.remove(&self.index);
        self.counters.count.send_replace(registered.len());
    }
}

/// One open stream.
#[derive(Debug)]
#[must_use = "dropping it says that the stream has ended"]
pub(super) struct Active<'a>(&'a Counters);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted() {
        let counters = Counters::new();
        let count = counters.watch();
        let (one, two) = (counters.enter(0, "here".into()), counters.enter(1, "there".into()));
        let stream = counters.open();
        counters.refused();
        let stats = counters.read(4);
        assert_eq!((stats.registered.len(), *count.borrow()), (2, 2));
        assert_eq!((stats.requests, stats.request_errors, stats.active), (1, 1, 1));
        drop((one, two, stream));
        let stats = counters.read(4);
        assert_eq!((stats.registered.len(), *count.borrow(), stats.active), (0, 0, 0));
        assert_eq!((stats.requests, stats.config_version), (1, 4));
    }
}
