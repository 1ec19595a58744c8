//! How a node shares a tier.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};

/// What to do with a write that the tier cannot be told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreachable {
    /// It is refused.
    #[default]
    Refuse,
    /// It is sent, and other nodes may serve what it outdates for as long as their entries live.
    Forward,
}

/// How a node shares a tier. All nodes that share one must agree in all but the URL and the certificates.
#[derive(Clone)]
pub struct Settings {
    /// `redis://`, or `rediss://` for TLS; with user and password where the server wants them.
    pub url: SecretString,
    /// Certificates, in PEM, that the server's must descend from; those of the system where there are none.
    pub ca: Option<Vec<u8>>,
    /// What all keys begin with: who shares it, shares everything.
    pub namespace: String,
    /// How long a node may serve from memory without having heard from the tier.
    pub lease: Duration,
    /// How long a miss waits for the tier.
    pub timeout: Duration,
    /// How long a write waits for the tier.
    pub write_wait: Duration,
    /// What becomes of a write that has waited so long.
    pub unreachable: Unreachable,
    /// How many replicas must have what counts.
    pub replicas: u32,
    /// What replies are sealed with.
    pub seal: Option<[u8; 32]>,
    /// Larger replies stay in the node that has them.
    pub max_entry_bytes: usize,
}

impl Settings {
    /// Those of a namespace on a server, with what is usual.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            ca: None,
            namespace: "jumpgate".to_owned(),
            lease: Duration::from_secs(2),
            timeout: Duration::from_millis(100),
            write_wait: Duration::from_secs(10),
            unreachable: Unreachable::default(),
            replicas: 0,
            seal: None,
            max_entry_bytes: 256 * 1024,
        }
    }

    /// Where the tier is, without what is secret.
    pub fn place(&self) -> String {
        let url = self.url.expose_secret();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let place = rest.rsplit_once('@').map_or(rest, |(_login, place)| place);
        let place = place.split(['?', '#']).next().unwrap_or_default();
        format!("{scheme}://{place}")
    }

    /// By when every lease is surely over that was given before now, whatever the clocks of two nodes do within 5 %.
    pub(crate) fn outlast(&self) -> Duration {
        self.lease.mul_f64(1.0 + DRIFT)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// By how much the rates of two clocks may differ.
const DRIFT: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_tier_is_tells_no_secret() {
        let place = |url| Settings::new(url).place();
        assert_eq!(place("redis://127.0.0.1:6379/0"), "redis://127.0.0.1:6379/0");
        assert_eq!(place("rediss://u:p%40@h:1/0?protocol=resp3"), "rediss://h:1/0");
        let shown = format!("{:?}", Settings::new("redis://u:hunter2@h:1"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
