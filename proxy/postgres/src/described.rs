//! What origins have said that statements are, byte for byte: who prepares the like next need not ask.
//!
//! An answer is found by the key of all that shapes it: the session with each of its settings, the text with the types that
//! it fixes, how often the schema has changed, and what connections begin with. What changes the schema around the proxy is
//! noticed when the statement runs, since whatever backend runs it says once more what it is (see [`super::lacking`]): then
//! the answer is forgotten.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cache::{Budget, Held, Key};
use protocol::postgres::encode;

use super::settled::Settled;

/// An answer that nobody asked for so long is forgotten.
const UNUSED: Duration = Duration::from_secs(3600);

/// What an answer needs in memory besides its bytes, about.
const OVERHEAD: usize = 300;

/// Where an answer is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// All that shapes it.
    pub(crate) key: Key,
    /// Of the backends that give it.
    pub(crate) generation: u64,
}

/// What a statement is.
#[derive(Debug)]
pub(crate) struct Described {
    /// What of it is settled for good.
    pub(crate) settled: Settled,
    /// The answer to a Describe: ParameterDescription, and RowDescription or NoData.
    pub(crate) messages: Bytes,
    held: Held,
}

/// A bounded memory of what statements are, of all databases. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Descriptions {
    known: moka::sync::Cache<Key, Arc<Described>>,
    /// That of all statements.
    budget: Budget,
}

impl Descriptions {
    /// A memory of at most `capacity_bytes`, which count in the budget too.
    pub(crate) fn new(capacity_bytes: u64, budget: &Budget) -> Self {
        let weigher = |_key: &Key, described: &Arc<Described>| {
            u32::try_from(described.held.bytes()).unwrap_or(u32::MAX)
        };
        let known = moka::sync::Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(weigher)
            // Whoever had the key may have gone.
            .time_to_idle(UNUSED)
            .build();
        Self { known, budget: budget.clone() }
    }

    /// What a statement is, if that was said before.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Described>> {
        self.known.get(key)
    }

    /// Remembers what a Describe was answered with: the bodies of ParameterDescription and of RowDescription, if there was
    /// one. They settle the statement so.
    pub(crate) fn learn(&self, key: Key, (types, rows): (&[u8], Option<&[u8]>), settled: &Settled) {
        let mut messages = BytesMut::new();
        encode::frame(b't', &[types], &mut messages);
        match rows {
            Some(rows) => encode::frame(b'T', &[rows], &mut messages),
            None => encode::frame(b'n', &[], &mut messages),
        }
        let bytes = messages.len() + settled.weight() + OVERHEAD;
        if self.budget.has(bytes) {
            let (settled, messages) = (settled.clone(), messages.freeze());
            let held = self.budget.hold(bytes);
            self.known.insert(key, Arc::new(Described { settled, messages, held }));
        }
    }

    /// A statement is something else by now.
    pub(crate) fn forget(&self, key: &Key) {
        self.known.invalidate(key);
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.known.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use cache::KeyBuilder;

    use super::*;

    fn key(text: &str) -> Key {
        KeyBuilder::new("s").field("text", text.as_bytes()).finish()
    }

    #[test]
    fn what_was_said_is_said_again_byte_for_byte() {
        let descriptions = Descriptions::new(1 << 20, &Budget::new(1 << 20));
        let (types, rows) = (&b"\0\x01\0\0\0\x17"[..], &b"\0\0"[..]);
        for (text, rows, message) in [
            ("select", Some(rows), &b"t\0\0\0\x0a\0\x01\0\0\0\x17T\0\0\0\x06\0\0"[..]),
            ("insert", None, &b"t\0\0\0\x0a\0\x01\0\0\0\x17n\0\0\0\x04"[..]),
        ] {
            assert!(descriptions.find(&key(text)).is_none());
            let settled = Settled::new(types, rows);
            descriptions.learn(key(text), (types, rows), &settled);
            let known = descriptions.find(&key(text)).expect("known");
            assert_eq!(known.messages, message);
            assert_eq!(known.settled, settled);
        }
        descriptions.forget(&key("select"));
        assert!(descriptions.find(&key("select")).is_none());
        assert!(descriptions.find(&key("insert")).is_some());
        descriptions.clear();
        assert!(descriptions.find(&key("insert")).is_none());
    }

    #[test]
    fn nothing_is_remembered_beyond_the_budget() {
        let budget = Budget::new(2 * OVERHEAD as u64 + 50);
        let descriptions = Descriptions::new(1 << 20, &budget);
        for text in ["a", "b", "c"] {
            descriptions.learn(key(text), (b"\0\0", None), &Settled::new(b"\0\0", None));
        }
        let known = ["a", "b", "c"].map(|text| descriptions.find(&key(text)).is_some());
        assert_eq!(known, [true, true, false]);
    }
}
