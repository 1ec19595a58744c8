//! A bound on bytes that many hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes, of which each holder takes some. Clones are the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

/// What one holder has taken. Dropping it gives it back.
#[derive(Debug)]
#[must_use = "dropping it gives the bytes back"]
pub struct Held {
    budget: Budget,
    bytes: usize,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    held: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self(Arc::new(Shared { limit, held: AtomicUsize::new(0) }))
    }

    /// Whether so many bytes are left.
    pub fn has(&self, bytes: usize) -> bool {
        let held = self.0.held.load(Ordering::Relaxed);
        held.checked_add(bytes).is_some_and(|held| held <= self.0.limit)
    }

    /// Counts bytes that somebody holds, also where they are not left: see [`Budget::has`].
    pub fn hold(&self, bytes: usize) -> Held {
        let mut held = Held { budget: self.clone(), bytes: 0 };
        held.grow(bytes);
        held
    }
}

impl Held {
    /// How many bytes these are.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the budget has so many bytes more.
    pub fn has(&self, bytes: usize) -> bool {
        self.budget.has(bytes)
    }

    /// Counts more bytes.
    pub fn grow(&mut self, bytes: usize) {
        self.budget.0.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_not_left_until_it_is_dropped() {
        let budget = Budget::new(100);
        let mut held = budget.hold(60);
        assert!(budget.has(40) && !budget.has(41) && !budget.has(usize::MAX));
        held.grow(50);
        assert!(!held.has(0), "what was counted beyond the limit is missed by the next");
        assert_eq!(held.bytes(), 110);
        drop(held);
        assert!(budget.has(100));
    }
}
