//! The end of the process in two steps: drain, then end.
//!
//! The drain stops what is new and lets what runs finish; the end ends at once. Who gives them, and when, is the
//! process's business.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

/// The two steps, to be waited for anywhere.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: Order,
    end: Order,
}

/// An order that is given once, to all who hold a clone.
#[derive(Clone, Debug, Default)]
pub struct Order {
    token: CancellationToken,
    /// Beside the token, which takes a lock to say so.
    is_given: Arc<AtomicBool>,
}

impl Order {
    /// Gives it.
    pub fn give(&self) {
        self.is_given.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }

    /// Waits until it is given.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn given(&self) {
        self.token.cancelled().await;
    }
}

impl Shutdown {
    /// Nothing has been asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Given when nothing new may begin.
    pub const fn drain(&self) -> &Order {
        &self.drain
    }

    /// Given when what still runs must stop.
    pub const fn end(&self) -> &Order {
        &self.end
    }
}
