//! Which idle connections may be lost although nothing says so.
//!
//! A way to an origin that takes bytes and delivers none is only found out by who waits for an answer. When one connection
//! was lost, those that rest since before may be lost as well: each is asked once before it is lent, which costs a round
//! trip then and never else, instead of having one client after the other wait for its end.

use parking_lot::Mutex;
use tokio::time::Instant;

/// When a connection was last lost.
#[derive(Debug, Default)]
pub struct Doubt(Mutex<Option<Instant>>);

impl Doubt {
    /// One was lost just now.
    pub fn raise(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Whether a connection that was last used then may be lost too.
    pub fn covers(&self, last_used: Instant) -> bool {
        self.0.lock().is_some_and(|lost_at| last_used < lost_at)
    }
}
