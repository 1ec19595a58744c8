//! Configuration as it is meant: checked, typed, without optional leftovers of the file.
//!
//! What was typed lives in [`file`]; one function per section turns it into these values and is the only
//! place where defaults and rules across fields exist. Nothing outside this module sees a `Section`.

mod connector_section;
mod database;
mod document;
mod error;
mod file;
mod origin;
mod proxy_sections;
#[cfg(test)]
mod tests;
mod tunnel_sections;
mod words;

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use protocol::mysql::compress::Algorithm;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use tokio::time::Instant;

pub use self::{
    connector_section::{ConnectorSetup, is_host_and_port},
    document::Document,
    error::{Complaint, ConfigError},
    tunnel_sections::EdgeSetup,
};
use crate::{net::tls, salts::Salts, secret::Secret};

/// Everything `jumpgate proxy` needs to run.
#[derive(Debug)]
pub struct Config {
    /// Where clients connect, and the TLS they are offered.
    pub listen: ListenConfig,
    /// Where `/metrics`, `/healthz` and `/readyz` answer; `None` turns them off.
    pub admin: Option<SocketAddr>,
    /// How much the result cache may hold, over all databases.
    pub cache: CacheConfig,
    /// The databases that can be reached, by name.
    pub databases: Vec<Arc<DatabaseConfig>>,
    /// How to log.
    pub log: LogConfig,
    /// What the salts of passwords are made from.
    pub salts: Salts,
    /// What is allowed and seldom meant, a line each.
    pub notes: Vec<String>,
}

impl Config {
    /// Reads the proxy's part of a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says file, line and key of the first thing that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Document::read(path)?.proxy()
    }

    /// Reads it again, for a process that began with these salts.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn reload(path: &Path, salts: &Salts) -> Result<Self, ConfigError> {
        Document::read(path)?.again(salts)
    }
}

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Text for people, JSON for machines.
    pub format: LogFormat,
    /// Which events are kept, unless `RUST_LOG` says otherwise.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: String::from("info") }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line per event.
    Text,
    /// One JSON object per event.
    Json,
}

/// Which protocol a database and its clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

impl Engine {
    /// The word in the configuration, on the command line and in what `jumpgate proxy` prints.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }

    /// What its TLS names in ALPN, if anything: MySQL has no such name.
    pub const fn alpn(self) -> Option<&'static [u8]> {
        match self {
            Self::Postgres => Some(tls::ALPN_POSTGRES),
            Self::MySql => None,
        }
    }

    /// Where such a database listens, unless somebody chose otherwise.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::MySql => 3306,
        }
    }
}

/// The listeners for clients. There is at least one, and one for the engine of each database.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// Address of the PostgreSQL listener.
    pub postgres: Option<SocketAddr>,
    /// Address of the MySQL listener.
    pub mysql: Option<SocketAddr>,
    /// The version that MySQL clients are told; `None` tells them the origins' own where it is known.
    pub mysql_server_version: Option<String>,
    /// Whether MySQL clients are offered compression.
    pub mysql_compression: bool,
    /// Certificate chain and key for clients that ask for TLS; `None` offers none.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// A client without TLS is refused before it is asked for its password.
    pub require_tls: bool,
    /// What PostgreSQL clients that begin with TLS must ask for by ALPN.
    pub direct_tls: DirectTls,
    /// DER of the leaf certificate's `tls-server-end-point` hash, for SCRAM-SHA-256-PLUS.
    pub channel_binding: Option<Vec<u8>>,
    /// Most clients connected at once, over both listeners; the next is refused (53300, 1040).
    pub max_clients: usize,
    /// Longest a client may take from its first byte to the end of authentication.
    pub login_timeout: Duration,
    /// Wrong passwords that one network may send for one user in a minute before its logins wait; 0 for any number.
    pub max_failed_logins: u32,
    /// Longest a client may leave its replies unread while it holds a backend.
    pub write_timeout: Duration,
}

/// Which clients may begin with TLS, without a request for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectTls {
    /// Those that name PostgreSQL's protocol by ALPN, as PostgreSQL demands.
    #[default]
    Named,
    /// Those that name none, too.
    Unnamed,
}

/// One configuration ("config" in BEHAVIOUR §2): what clients ask for, and the origin behind it.
#[derive(Debug)]
pub struct DatabaseConfig {
    /// 32 hex digits.
    pub id: String,
    /// Unique; the database name in a client's connection string.
    pub name: String,
    /// What the origin is, and so what its clients speak.
    pub engine: Engine,
    /// The clients' own credentials, not the origin's.
    pub users: Vec<ClientUser>,
    /// Where the database is and how to log in.
    pub origin: OriginConfig,
    /// How many connections, for how long.
    pub pool: PoolConfig,
    /// How long reads may be answered from the cache.
    pub caching: CachingConfig,
    /// Of the whole section, with the files and variables it names: a reload that brings the same one
    /// changes nothing.
    pub fingerprint: Fingerprint,
    /// Of what its connections to the origin are made of: a reload that brings the same ones keeps them.
    pub connections: Fingerprint,
}

impl DatabaseConfig {
    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&ClientUser> {
        self.users.iter().find(|user| user.name == name)
    }

    /// How long a statement of this user may run.
    pub fn statement_timeout(&self, user: &str) -> Limit {
        let own = self.user(user).and_then(|user| user.statement_timeout);
        own.unwrap_or(self.pool.statement_timeout)
    }
}

/// What tells two states of a section apart. It is made from secrets too, so it does not show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// One that is like no other.
    pub fn unique() -> Self {
        Self(rand::random())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// A name, and what a password is checked against.
#[derive(Debug)]
pub struct ClientUser {
    /// As in the connection string.
    pub name: String,
    /// PostgreSQL's own format, as in `pg_authid.rolpassword`:
    /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    pub verifier: Secret<String>,
    /// For users of a MySQL database whose password the file gives; `None` where it gives a verifier.
    pub mysql: Option<MySqlVerifiers>,
    /// As that of the pool, for this user alone; `None` where the pool's counts.
    pub statement_timeout: Option<Limit>,
}

/// The most that something may take; `None` for no end.
pub type Limit = Option<Duration>;

impl ClientUser {
    /// A user of a database of this engine, by its password.
    pub fn with_password(
        engine: Engine,
        name: String,
        password: &Secret<String>,
        salts: &Salts,
    ) -> Self {
        let password = password.expose();
        let verifier = salts.verifier(&name, password);
        let mysql = (engine == Engine::MySql).then(|| MySqlVerifiers::of(password.as_bytes()));
        Self { name, verifier, mysql, statement_timeout: None }
    }
}

/// What MySQL's two authentication plugins keep of a password. Whoever has one of them and listens to a
/// login without TLS can log in, so they are secrets as the password is.
#[derive(Debug)]
pub struct MySqlVerifiers {
    /// SHA1(SHA1(password)), for `mysql_native_password`.
    pub native: Secret<[u8; 20]>,
    /// SHA256(SHA256(password)), for `caching_sha2_password`.
    pub sha2: Secret<[u8; 32]>,
}

impl MySqlVerifiers {
    /// Those of a password.
    pub fn of(password: &[u8]) -> Self {
        Self {
            native: Secret::new(Sha1::digest(Sha1::digest(password)).into()),
            sha2: Secret::new(Sha256::digest(Sha256::digest(password)).into()),
        }
    }
}

/// A database as the pool sees it.
#[derive(Clone, Debug)]
pub struct OriginConfig {
    /// The way to it.
    pub dial: Dial,
    /// Name of the database at the origin.
    pub database: String,
    /// Role to log in as.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
    /// How the database's own TLS is checked, inside the tunnel too.
    pub tls: OriginTls,
    /// How MySQL's packets are compressed; `None` leaves them as they are.
    pub compression: Option<Algorithm>,
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
    /// To a scripted peer within the process.
    #[cfg(test)]
    Script(tokio::sync::mpsc::Sender<tokio::io::DuplexStream>),
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

/// When a backend goes back to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// At the end of each transaction.
    Transaction,
    /// When the client leaves.
    Session,
}

/// How many backend connections one pool may hold, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// When a backend goes back.
    pub mode: PoolMode,
    /// Most connections open at once, idle or in use (`origin_connection_limit`).
    pub max_size: NonZeroU32,
    /// Connections kept open ahead of demand. At most `max_size`.
    pub min_idle: u32,
    /// Longest a client waits in line for a connection.
    pub checkout_timeout: Duration,
    /// Longest one attempt to open a connection may take, login included.
    pub connect_timeout: Duration,
    /// An idle connection older than this is closed; `None` keeps it.
    pub idle_timeout: Option<Duration>,
    /// A connection older than this is closed at checkin; jittered so cohorts do not expire together.
    pub max_lifetime: Option<Duration>,
    /// A statement that runs longer is cancelled at the origin; `None` lets it run.
    pub statement_timeout: Option<Duration>,
    /// A client that says nothing for longer while it has a transaction open is disconnected; `None` waits.
    pub idle_in_transaction_timeout: Option<Duration>,
}

impl PoolConfig {
    /// When a connection that is opened now has had its time: between 80 % and 100 % of the lifetime, so that a
    /// cohort does not expire together.
    pub fn expiry(&self) -> Option<Instant> {
        Some(Instant::now() + self.max_lifetime?.mul_f64(rand::random_range(0.8..1.0)))
    }
}

/// Caching of one config's reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachingConfig {
    /// No read is ever stored or answered from the cache.
    pub disabled: bool,
    /// A result younger than this is a hit. At most 3600 s.
    pub max_age: Duration,
    /// For this long after `max_age` it is served stale while one refresh runs.
    pub stale_while_revalidate: Duration,
}

/// The result cache of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Most bytes held over all entries.
    pub capacity_bytes: u64,
    /// A result larger than this is passed on and not kept (50 MB).
    pub max_entry_bytes: usize,
}
