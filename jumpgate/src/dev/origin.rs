//! The databases that `jumpgate dev` is told to stand before.

use std::path::{Path, PathBuf};

use origin::{
    net::tls::{self, SslMode},
    secret::Secret,
};
use rustls_pki_types::ServerName;
use serving::config::{Dial, Engine, Hosts, OriginConfig, OriginTls};
use tokio_postgres::config::{Host, SslMode as UrlSslMode};

use super::error::WorldError;

/// The database of one `--origin`.
pub(super) struct Origin {
    pub(super) engine: Engine,
    /// `host:port`, for the relay.
    pub(super) address: String,
    tls: OriginTls,
    database: String,
    user: String,
    password: Secret<String>,
}

impl Origin {
    /// Takes a connection string apart. Both engines' are written alike, so one parser reads both.
    pub(super) fn parse(url: &str, ca: Option<&PathBuf>) -> Result<Self, WorldError> {
        let (engine, url) = match url.split_once("://") {
            Some(("mysql" | "mariadb", rest)) => (Engine::MySql, format!("postgres://{rest}")),
            _ => (Engine::Postgres, url.to_owned()),
        };
        let config: tokio_postgres::Config = url.parse().map_err(WorldError::Url)?;
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            _ => return Err(WorldError::Incomplete("must name one host")),
        };
        // The parser fills in PostgreSQL's port where none is given.
        let port = config.get_ports().first().copied().filter(|_| names_port(&url));
        let port = port.unwrap_or(engine.default_port());
        let user = config.get_user().ok_or(WorldError::Incomplete("names no user"))?.to_owned();
        let database = config.get_dbname().unwrap_or(&user).to_owned();
        let password = config.get_password().unwrap_or_default();
        let password = String::from_utf8(password.to_vec())
            .map_err(|_not_utf8| WorldError::Incomplete("has a password that is not UTF-8"))?;
        let tls = match (config.get_ssl_mode(), ca) {
            // A person wrote sslmode=disable into the URL of a development database.
            (UrlSslMode::Disable, None) => OriginTls::Plaintext,
            (_, ca) => origin_tls(engine, &host, ca.map(PathBuf::as_path))?,
        };
        let address =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok(Self { engine, address, tls, database, user, password: Secret::new(password) })
    }

    /// The same database, reached this way.
    pub(super) fn by(&self, dial: Dial) -> OriginConfig {
        OriginConfig {
            dial,
            database: self.database.clone(),
            user: self.user.clone(),
            password: self.password.clone().into(),
            tls: self.tls.clone(),
            hosts: Hosts::default(),
            compression: None,
        }
    }
}

/// Whether a connection string says a port behind its host.
fn names_port(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.rsplit(']').next().unwrap_or_default().contains(':')
}

fn origin_tls(engine: Engine, host: &str, ca: Option<&Path>) -> Result<OriginTls, WorldError> {
    let roots = ca.map(|path| {
        std::fs::read(path)
            .map_err(|source| WorldError::Unreadable { path: path.to_owned(), source })
    });
    let roots = roots.transpose()?;
    let mode = if roots.is_some() { SslMode::VerifyFull } else { SslMode::Require };
    let server_name = ServerName::try_from(host.to_owned())
        .map_err(|_no_name| WorldError::Incomplete("has a host that TLS cannot name"))?;
    let client = tls::database_client(engine.alpn(), mode, roots.as_deref(), None)?;
    Ok(OriginTls::Required { client, server_name, is_verified: mode.is_verified() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Origin, WorldError> {
        Origin::parse(url, None)
    }

    #[test]
    fn an_origin_is_taken_apart_and_its_password_kept() {
        let origin = parse("postgres://u:p%40ss@db.example.test:6000/shop").unwrap();
        assert_eq!(origin.address, "db.example.test:6000");
        assert_eq!((origin.user.as_str(), origin.database.as_str()), ("u", "shop"));
        assert_eq!(origin.password.expose(), "p@ss");
        assert!(matches!(origin.tls, OriginTls::Required { .. }));
        let plain = parse("postgres://u@h/d?sslmode=disable").unwrap();
        assert!(matches!(plain.tls, OriginTls::Plaintext));
        assert_eq!((plain.engine, plain.address.as_str()), (Engine::Postgres, "h:5432"));
        let mysql = parse("mysql://u:p%40ss@h/shop").unwrap();
        assert_eq!((mysql.engine, mysql.address.as_str()), (Engine::MySql, "h:3306"));
        assert_eq!(mysql.password.expose(), "p@ss");
        assert_eq!(parse("mysql://u:p@[::1]:3307/shop").unwrap().address, "[::1]:3307");
        assert_eq!(parse("mysql://u:p@[::1]/shop").unwrap().address, "[::1]:3306");
    }

    #[test]
    fn an_origin_that_leaves_something_out_is_refused() {
        for wrong in
            ["", "postgres://", "postgres:///d", "postgres://h/d", "nonsense", "mysql://h/d"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
