//! All that is counted of one database beside its metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use super::{
    live::Lives,
    minute::{Peaks, Since},
    shapes::{Shapes, Share},
};

/// What is counted of a database beside its metrics.
#[derive(Debug)]
pub struct Activity {
    /// Its statements.
    pub shapes: Shapes,
    /// Its clients.
    pub(crate) lives: Lives,
    /// What was counted before the minute that is not over.
    pub(crate) minute: Mutex<Since>,
    /// The most at once in it.
    pub(crate) peaks: Peaks,
    since: SystemTime,
}

/// What the activities of all databases share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Bytes of shapes.
    shapes: Arc<AtomicU64>,
    ids: AtomicU64,
}

impl Activity {
    /// Of a database of which nothing is counted yet.
    pub(crate) fn new(shared: &Shared) -> Self {
        Self {
            shapes: Shapes::new(Share::of(&shared.shapes)),
            lives: Lives::default(),
            minute: Mutex::default(),
            peaks: Peaks::default(),
            since: SystemTime::now(),
        }
    }

    /// Since when it is counted, in seconds since 1970.
    pub(crate) fn since(&self) -> u64 {
        self.since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

impl Shared {
    /// A number that no other client of the process has.
    pub(crate) fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed) + 1
    }
}
