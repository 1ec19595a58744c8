//! What a person, or the tour, needs to know to connect.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use origin::{
    net::tls::{self, SslMode},
    secret::Secret,
};
use rustls_pki_types::ServerName;
use serving::config::{Dial, Engine, Hosts, OriginConfig, OriginTls};

use super::{error::WorldError, origin::Origin};
use crate::report;

/// The user in the connection strings, and what their databases' names begin with.
pub(super) const NAME: &str = "app";

/// The two ways to one database.
pub(super) struct Guide {
    pub(super) engine: Engine,
    /// Directly, but over the same distance: the relay is dialled.
    pub(super) direct: OriginConfig,
    /// The proxy, as a client sees it; TLS is verified in full.
    pub(super) proxy: OriginConfig,
}

impl Guide {
    /// Makes the client's side of the way to `origin`, for a proxy whose certificate `roots` has signed.
    pub(super) fn new(
        origin: &Origin,
        relay: SocketAddr,
        (database, password): (String, Secret<String>),
        roots: &[u8],
    ) -> Result<Self, WorldError> {
        let client =
            tls::database_client(origin.engine.alpn(), SslMode::VerifyFull, Some(roots), None)?;
        let server_name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self {
            engine: origin.engine,
            direct: origin.by(to(relay)),
            proxy: OriginConfig {
                dial: to((Ipv4Addr::LOCALHOST, 0).into()),
                database,
                user: NAME.into(),
                password: password.into(),
                tls: OriginTls::Required { client, server_name, is_verified: true },
                hosts: Hosts::default(),
                compression: None,
            },
        })
    }

    /// The same, with the address that the proxy really has.
    pub(super) fn at(mut self, proxy: SocketAddr) -> Self {
        self.proxy.dial = to(proxy);
        self
    }

    /// Prints what to copy.
    pub(super) fn introduce(&self) {
        let (drivers, scheme) = match self.engine {
            Engine::Postgres => ("PostgreSQL", "postgres"),
            Engine::MySql => ("MySQL or MariaDB", "mysql"),
        };
        let OriginConfig { database, user, password, .. } = &self.proxy;
        let (host, port) = match &self.proxy.dial {
            Dial::Tcp { host, port } => (host.as_str(), *port),
            Dial::Tunnel(_) | Dial::Peer(_) => return,
        };
        let password = password.now();
        let password = password.expose();
        let url = format!("{scheme}://{user}:{password}@{host}:{port}/{database}");
        report::line(&format!("Connect any {drivers} driver to"));
        report::line(&format!("  {url}"));
        match self.engine {
            Engine::Postgres => {
                report::line("or in a terminal (TLS works too: add ?sslmode=require)");
                report::line(&format!("  psql '{url}'"));
            }
            Engine::MySql => {
                report::line("or in a terminal (TLS works too: add --ssl)");
                report::line(&format!(
                    "  MYSQL_PWD={password} mariadb -h {host} -P {port} -u {user} {database}"
                ));
            }
        }
    }
}

/// Prints the way that every statement takes.
pub(super) fn introduce_way(delay: Duration) {
    report::line(&format!(
        "driver -> proxy -> edge (Access) -> tunnel -> connector -> {} ms away -> database\n",
        delay.as_millis(),
    ));
}

fn to(address: SocketAddr) -> Dial {
    Dial::Tcp { host: address.ip().to_string(), port: address.port() }
}
