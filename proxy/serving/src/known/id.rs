//! What tells origins apart, and who asks them.

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
        // Whoever names the same hosts means the same database, in whatever order they are tried.
        let hosts = 0..config.origin.hosts.count();
        let mut hosts: Vec<_> = hosts.map(|host| place(config.origin.way(host).0)).collect();
        hosts.sort_unstable();
        hosts.iter().flatten().for_each(|part| put(part));
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

/// Where a way leads, part by part.
fn place(dial: &Dial) -> Vec<String> {
    match dial {
        Dial::Tcp { host, port } => {
            let host = host.to_ascii_lowercase().trim_end_matches('.').to_owned();
            vec![String::from("tcp"), host, port.to_string()]
        }
        Dial::Tunnel(client) => vec![String::from("tunnel"), client.target()],
        Dial::Peer(_) => vec![String::from("peer")],
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

/// Who logs in: the user, and the edge by which a hostname is asked for, since another edge may lead elsewhere. Of several
/// hosts also in which order, and for what: another may be in use, which says something else.
pub(super) fn account_name(config: &DatabaseConfig) -> String {
    let origin = &config.origin;
    if origin.hosts.count() > 1 {
        let hosts = (0..origin.hosts.count()).map(|host| origin.host_name(host));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        return format!("{}@{hosts}?{}", origin.user, origin.hosts.wanted.word());
    }
    match &config.origin.dial {
        Dial::Tunnel(client) if let Some(address) = client.address() => {
            format!("{}@{address}", config.origin.user)
        }
        _ => config.origin.user.clone(),
    }
}
