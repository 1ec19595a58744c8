//! Where a database is, and how to log in there.

use std::{fmt, sync::Arc};

use protocol::mysql::compress::Algorithm;

use super::{hosts::Hosts, password::OriginPassword};

/// A database as the pool sees it.
#[derive(Clone, Debug)]
pub struct OriginConfig {
    /// The way to its first host. Who dials asks for [`Self::way`].
    pub dial: Dial,
    /// Name of the database at the origin.
    pub database: String,
    /// Role to log in as.
    pub user: String,
    /// Its password.
    pub password: OriginPassword,
    /// How the TLS of the database on its first host is checked, inside the tunnel too. That of the others differs in the
    /// name alone.
    pub tls: OriginTls,
    /// Its other hosts, and which is in use.
    pub hosts: Hosts,
    /// How MySQL's packets are compressed; `None` leaves them as they are.
    pub compression: Option<Algorithm>,
}

impl OriginConfig {
    /// The way to a host, and its TLS: of the first where there is none of this number.
    pub fn way(&self, host: usize) -> (&Dial, &OriginTls) {
        let other = host.checked_sub(1).and_then(|other| self.hosts.others.get(other));
        other.map_or((&self.dial, &self.tls), |other| (&other.dial, &other.tls))
    }

    /// The host that is in use, or will be tried first.
    pub fn host_in_use(&self) -> usize {
        self.hosts.choice().host().unwrap_or_default()
    }

    /// The same origin, with this one of its hosts alone.
    #[must_use]
    pub fn of_host(&self, host: usize) -> Self {
        let (dial, tls) = self.way(host);
        Self { dial: dial.clone(), tls: tls.clone(), hosts: Hosts::default(), ..self.clone() }
    }

    /// What a person calls a host.
    pub fn host_name(&self, host: usize) -> String {
        match self.way(host).0 {
            Dial::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Dial::Tcp { host, port } => format!("{host}:{port}"),
            Dial::Tunnel(client) => client.hostname().to_owned(),
            Dial::Peer(_) => String::from("a peer"),
        }
    }

    /// Whoever began with the state `before` of this config has its password and its service token from now on. Whether
    /// one of them is another.
    pub fn succeed(&self, before: &Self) -> bool {
        let is_another_token = match (&self.dial, &before.dial) {
            (Dial::Tunnel(now), Dial::Tunnel(before)) => now.succeed(before),
            _ => false,
        };
        self.password.succeed(&before.password) || is_another_token
    }

    /// This state, which nobody has yet, has those of the `newer` one.
    pub fn join(&self, newer: &Self) {
        if let (Dial::Tunnel(now), Dial::Tunnel(newer)) = (&self.dial, &newer.dial) {
            now.join(newer);
        }
        self.password.join(&newer.password);
    }
}

/// How an origin is reached.
#[derive(Clone, Debug)]
pub enum Dial {
    /// Directly.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Through an Access-protected hostname.
    Tunnel(Arc<tunnel::client::Client>),
    /// To a peer within the process, which is given its end of each stream.
    Peer(tokio::sync::mpsc::Sender<tokio::io::DuplexStream>),
}

/// TLS towards the origin.
#[derive(Clone)]
pub enum OriginTls {
    /// Plaintext: only for local development, and only where the file says so in as many words.
    Plaintext,
    /// TLS with `client` deciding what is verified (`require`, `verify-ca`, `verify-full`).
    Required {
        /// rustls configuration with roots, verifier and client certificate in place.
        client: Arc<rustls::ClientConfig>,
        /// The name sent as SNI and, under `verify-full`, checked.
        server_name: rustls_pki_types::ServerName<'static>,
        /// Whether the certificate has to be one that we trust: under `require` anybody could be at the other end.
        is_verified: bool,
    },
}

impl fmt::Debug for OriginTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("Plaintext"),
            Self::Required { server_name, .. } => {
                f.debug_struct("Required").field("server_name", server_name).finish_non_exhaustive()
            }
        }
    }
}
