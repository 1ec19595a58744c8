//! Where a database is, and how to log in there.

use protocol::mysql::compress::Algorithm;

use super::{
    dial::{Dial, OriginTls},
    hosts::Hosts,
    password::OriginPassword,
};

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
