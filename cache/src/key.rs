//! What a reply is filed under.
//!
//! A key is a 256-bit BLAKE3 hash of everything that shapes the reply. Fields are prefixed by the
//! length of their name and of their bytes, so no two lists of fields feed the hash the same input;
//! a long one takes part by its own hash. Which fields a key needs is not decided here: the session
//! that asks knows them.

use std::fmt;

/// The identity of one cached reply. Two sessions share a reply only when their keys are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// The bytes of the hash, for a tier outside this process.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(")?;
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("..)")
    }
}

/// Collects the fields of a [`Key`]. The order of the calls is part of the key.
#[derive(Clone)]
#[must_use = "a key is made by finish"]
pub struct KeyBuilder {
    mode: Mode,
    /// The fields so far. All are hashed at once: a hasher is two kilobytes, which each call would move.
    fields: Vec<u8>,
}

/// Which of BLAKE3's modes; no key of the one is a key of the other.
#[derive(Clone)]
enum Mode {
    Context,
    Keyed([u8; 32]),
}

impl KeyBuilder {
    /// Starts a key in `scope`, the identity of the origin.
    ///
    /// The hash is the same in every process, so that nodes can share a second tier; BLAKE3 resists
    /// collisions without a secret.
    pub fn new(scope: &str) -> Self {
        Self::with(Mode::Context).field("scope", scope.as_bytes())
    }

    /// Starts a key that nobody without `secret` can compute.
    pub fn keyed(secret: &[u8; 32], scope: &str) -> Self {
        Self::with(Mode::Keyed(*secret)).field("scope", scope.as_bytes())
    }

    /// Goes on behind the fields of another key, as often as need be. No key of a scope is such a one.
    pub fn after(key: &Key) -> Self {
        Self::with(Mode::Keyed(key.0))
    }

    /// Adds one fact that shapes the reply.
    pub fn field(mut self, name: &'static str, bytes: &[u8]) -> Self {
        self.put(name.as_bytes());
        self.put(bytes);
        self
    }

    /// Ends the key.
    pub fn finish(self) -> Key {
        Key(match self.mode {
            Mode::Context => blake3::derive_key("jumpgate 2026 result cache key v2", &self.fields),
            Mode::Keyed(key) => *blake3::keyed_hash(&key, &self.fields).as_bytes(),
        })
    }

    fn with(mode: Mode) -> Self {
        Self { mode, fields: Vec::with_capacity(USUAL_LEN) }
    }

    /// Appends bytes behind their length; long ones by their hash, since they are not to be held twice.
    fn put(&mut self, bytes: &[u8]) {
        self.fields.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        if bytes.len() <= LONG_LEN {
            self.fields.extend_from_slice(bytes);
        } else {
            self.fields.extend_from_slice(blake3::hash(bytes).as_bytes());
        }
    }
}

impl fmt::Debug for KeyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBuilder").finish_non_exhaustive()
    }
}

/// Most lists of fields are no longer.
const USUAL_LEN: usize = 512;

/// A value longer than this takes part by its hash.
const LONG_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_fields_make_equal_keys() {
        let key = || KeyBuilder::new("a").field("sql", b"SELECT 1").finish();
        assert_eq!(key(), key());
    }

    #[test]
    fn moving_a_byte_between_fields_makes_another_key() {
        let one = KeyBuilder::new("a").field("x", b"ab").field("y", b"c").finish();
        let two = KeyBuilder::new("a").field("x", b"a").field("y", b"bc").finish();
        let three = KeyBuilder::new("ax").field("", b"ab").field("y", b"c").finish();
        assert!(one != two && one != three && two != three);
    }

    #[test]
    fn an_absent_field_differs_from_an_empty_one() {
        let one = KeyBuilder::new("a").finish();
        let two = KeyBuilder::new("a").field("x", b"").finish();
        assert_ne!(one, two);
    }

    #[test]
    fn what_goes_on_behind_another_key_depends_on_all_fields() {
        let key = |scope, first: &[u8], second: &[u8]| {
            let base = KeyBuilder::new(scope).field("x", first).finish();
            KeyBuilder::after(&base).field("y", second).finish()
        };
        assert_eq!(key("a", b"b", b"c"), key("a", b"b", b"c"));
        let others = [key("A", b"b", b"c"), key("a", b"B", b"c"), key("a", b"b", b"C")];
        assert!(!others.contains(&key("a", b"b", b"c")));
    }

    #[test]
    fn a_long_value_takes_part_with_each_of_its_bytes() {
        let key = |bytes: &[u8]| KeyBuilder::new("a").field("x", bytes).finish();
        let mut long = vec![0; LONG_LEN + 1];
        let zeros = key(&long);
        long[LONG_LEN] = 1;
        assert_ne!(key(&long), zeros);
        assert_ne!(key(&long[..LONG_LEN]), zeros);
        assert_ne!(key(blake3::hash(&long).as_bytes()), key(&long));
    }

    #[test]
    fn a_secret_changes_every_key() {
        assert_ne!(KeyBuilder::new("a").finish(), KeyBuilder::keyed(&[0; 32], "a").finish());
    }
}
