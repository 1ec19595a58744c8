//! Values that must not be seen.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use secrecy::{ExposeSecret as _, SecretString};

/// A text that is never printed and is overwritten when it is dropped. It has a hash, so that two states of a config can be
/// told apart: one that does not leave the process.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
