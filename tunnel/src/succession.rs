//! What several hold, and whoever comes last changes for all.

use std::{fmt, sync::Arc};

use parking_lot::RwLock;

/// A value that holders of one kind share, from the first of them to the last: who began with an earlier one has the one
/// of now.
pub struct Succession<T> {
    /// Shared by all. The outer lock is for the one that comes last to join those before it.
    shared: RwLock<Arc<RwLock<T>>>,
}

impl<T: Clone> Succession<T> {
    /// That of a holder which is the first of its kind.
    pub fn new(value: T) -> Self {
        Self { shared: RwLock::new(Arc::new(RwLock::new(value))) }
    }

    /// The one of now.
    pub fn now(&self) -> T {
        self.shared.read().read().clone()
    }

    /// Whoever has the one `before` has this one from now on, and whoever has this one has what succeeds it. Returns what
    /// there was before.
    pub fn succeed(&self, before: &Self) -> T {
        let (value, shared) = (self.now(), Arc::clone(&before.shared.read()));
        let replaced = std::mem::replace(&mut *shared.write(), value);
        *self.shared.write() = shared;
        replaced
    }

    /// This is the `newer` one from now on, and whatever succeeds that: nobody has this one yet.
    pub fn join(&self, newer: &Self) {
        let shared = Arc::clone(&newer.shared.read());
        *self.shared.write() = shared;
    }
}

impl<T> Clone for Succession<T> {
    fn clone(&self) -> Self {
        Self { shared: RwLock::new(Arc::clone(&self.shared.read())) }
    }
}

impl<T> fmt::Debug for Succession<T> {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holders_have_what_the_last_of_them_has() {
        let states = ["a", "b", "b", "c"].map(Succession::new);
        let other = Succession::new("a");
        let changes = states.each_ref().into_iter().zip(&states[1..]);
        let changes: Vec<_> = changes.map(|(before, next)| next.succeed(before)).collect();
        assert_eq!(changes, ["a", "b", "b"]);
        for state in &states {
            assert_eq!((state.now(), format!("{state:?}").as_str()), ("c", "[redacted]"));
        }
        // One that comes late, and what comes behind it.
        let late = Succession::new("a");
        late.join(&states[3]);
        let next = Succession::new("d");
        assert_eq!(next.succeed(&states[3]), "c");
        for state in [&late, &states[0], &next] {
            assert_eq!(state.now(), "d");
        }
        assert_eq!(other.now(), "a");
    }
}
