//! What tells two states of a value apart that must not show.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use sha2::{Digest as _, Sha256};

/// What tells two states of a section apart. It is made from secrets too, so it does not show.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// One that is like no other.
    pub fn unique() -> Self {
        Self(rand::random())
    }

    /// Of a value. It is the same within a process only.
    pub fn of(value: &impl Hash) -> Self {
        let mut sha = Sha(Sha256::new());
        value.hash(&mut sha);
        Self(sha.0.finalize().into())
    }
}

/// SHA-256 of what is hashed: two values that differ do not collide.
struct Sha(Sha256);

impl Hasher for Sha {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The beginning of the hash.
    fn finish(&self) -> u64 {
        let hash = self.0.clone().finalize();
        hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}
