//! What the cache counts of itself. How a person sees it is not decided here.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the cache holds and has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Replies stored.
    pub entries: u64,
    /// Bytes the stored replies weigh.
    pub bytes: u64,
    /// Replies that were committed.
    pub fills: u64,
    /// Replies that were refused because one of their tables was written meanwhile.
    pub outdated_fills: u64,
    /// Replies that were refused because they are too large.
    pub oversized_fills: u64,
    /// Calls of invalidate and purge that named something.
    pub invalidations: u64,
    /// Those of them, and writes of unknown effect, that took out all entries of an origin.
    pub flushes: u64,
    /// Replies that made room for others.
    pub evictions: u64,
    /// Keys for which a query is under way.
    pub flights: u64,
}

/// The running counts behind [`Stats`]. None is touched by a hit.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) fills: AtomicU64,
    pub(crate) outdated_fills: AtomicU64,
    pub(crate) oversized_fills: AtomicU64,
    pub(crate) invalidations: AtomicU64,
    pub(crate) flushes: AtomicU64,
}

/// Adds one to a count.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Reads a count.
pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
