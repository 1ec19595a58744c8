//! What the store has where it is one of many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::peers::SharedStamps;
use crate::sql::TableName;

/// Until when a cache may serve what it keeps.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) base: Instant,
    /// Nanoseconds after `base`.
    until: AtomicU64,
}

/// What a fill knows of the peers.
#[derive(Debug)]
pub(super) struct Shares {
    pub(super) scope: Arc<str>,
    pub(super) tables: Box<[TableName]>,
    /// Of the moment before the origin was asked, once the peers have told them.
    pub(super) stamps: Option<SharedStamps>,
    /// How long a peer may use it.
    pub(super) life: Duration,
}

impl Lease {
    /// One without an end.
    pub(super) fn endless() -> Self {
        Self { base: Instant::now(), until: AtomicU64::new(ENDLESS) }
    }

    /// Whether it lasts. It reads no clock where it has no end.
    pub(super) fn is_valid(&self) -> bool {
        // In this order, against that of `set`: who sees the lease sees what was outdated before it was given.
        let until = self.until.load(Ordering::Acquire);
        until == ENDLESS || nanos(self.base.elapsed()) < until
    }

    /// It lasts until then.
    pub(super) fn set(&self, until: Instant) {
        let until = nanos(until.saturating_duration_since(self.base)).min(ENDLESS - 1);
        self.until.store(until, Ordering::Release);
    }
}

impl Shares {
    pub(super) fn new(scope: &Arc<str>, tables: &[TableName]) -> Self {
        let (scope, tables) = (Arc::clone(scope), tables.into());
        Self { scope, tables, stamps: None, life: Duration::ZERO }
    }

    /// Whether a reply may be kept: the peers know of it.
    pub(super) const fn may_keep(&self) -> bool {
        self.stamps.is_some()
    }
}

/// A lease without an end.
const ENDLESS: u64 = u64::MAX;

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(ENDLESS - 1)
}
