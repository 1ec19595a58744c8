//! What clients do: their statements by shape, who is there, and each minute's sums.
//!
//! * `times`: how many took how long, as a histogram that everybody may write at once.
//! * `shape`: what is counted of the statements of one shape.
//! * `shapes`: the shapes of a database, bounded.
//! * `live`: the clients that have logged in.
//! * `client`: a client as its session counts for it.
//! * `minute`: sums of a minute, kept until somebody has taken them.
//! * `told`: all of it in the words in which it is told.
//!
//! Sessions write counters and their own client only; whoever asks pays for the rest.

mod client;
mod live;
mod minute;
mod shape;
mod shapes;
mod times;
pub mod told;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use self::live::Lives;
pub(crate) use self::minute::{Counts, Failure, Peaks, Since};
pub use self::{
    client::Seen,
    live::{Live, State, Who},
    minute::{Minute, Minutes, Taken},
    shape::{Counted, Shape},
    shapes::{Known, Shapes, Share},
    times::{BOUNDS, Timed, Times},
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
