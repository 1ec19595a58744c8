//! The names of origins.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::config::{DatabaseConfig, Dial, Engine};

/// The name of an origin, which is the same in every process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OriginId([u8; 16]);

impl OriginId {
    /// That of the origin behind a config.
    pub fn of(config: &DatabaseConfig) -> Self {
        let mut hash = Sha256::new();
        let mut put = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        put("jumpgate origin v1");
        put(config.engine.word());
        match &config.origin.dial {
            Dial::Tcp { host, port } => {
                put("tcp");
                put(host.to_ascii_lowercase().trim_end_matches('.'));
                put(&port.to_string());
            }
            Dial::Tunnel(client) => {
                put("tunnel");
                put(&client.target());
            }
            Dial::Peer(_) => put("peer"),
        }
        match config.engine {
            Engine::Postgres => put(&config.origin.database),
            // One statement may read and write all databases of a server.
            Engine::MySql => put(""),
        }
        let mut id = [0; 16];
        id.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self(id)
    }
}

impl fmt::Display for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginId({self})")
    }
}
