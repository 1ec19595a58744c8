//! What a proxy is given: checked, typed, without optional leftovers of any file.
//!
//! Nothing here reads: whoever starts a proxy makes these values, from a file or otherwise. Where a value has a usual
//! one, its `Default` is the only place that says it.

mod caching;
mod capture;
mod fingerprint;
#[cfg(any(test, feature = "testing"))]
#[allow(clippy::panic, reason = "a test ends where its config is wrong")]
pub mod sample;
mod user;

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

pub use origin::config::{
    ALPN_POSTGRES, Dial, Engine, Host, Hosts, OnHost, OriginConfig, OriginPassword, OriginTls,
    PoolConfig, PoolMode, SessionAttrs,
};

pub use self::caching::{Ages, CachingConfig, CachingRule, InTransactions};
pub use self::capture::CaptureConfig;
pub use self::fingerprint::Fingerprint;
pub use self::user::{ClientUser, EachOf, Later, Limit, MySqlVerifiers};
use crate::{memory::Memory, salts::Salts};

/// Everything `jumpgate proxy` needs to run.
#[derive(Clone, Debug)]
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

impl Default for ListenConfig {
    /// No listener yet, and no TLS.
    fn default() -> Self {
        Self {
            postgres: None,
            mysql: None,
            mysql_server_version: None,
            mysql_compression: true,
            tls: None,
            require_tls: false,
            direct_tls: DirectTls::Named,
            channel_binding: None,
            max_clients: 10_000,
            login_timeout: Duration::from_secs(30),
            max_failed_logins: 30,
            write_timeout: Duration::from_secs(60),
        }
    }
}

impl ListenConfig {
    /// Where clients of an engine connect.
    pub const fn address(&self, engine: Engine) -> Option<SocketAddr> {
        match engine {
            Engine::Postgres => self.postgres,
            Engine::MySql => self.mysql,
        }
    }

    /// Says where clients of an engine connect.
    pub const fn open(&mut self, engine: Engine, address: SocketAddr) {
        match engine {
            Engine::Postgres => self.postgres = Some(address),
            Engine::MySql => self.mysql = Some(address),
        }
    }
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

/// One configuration: what clients ask for, and the origin behind it.
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
    /// Most clients connected at once, of all its users; the next is refused (53300, 1040). `None` for any number.
    pub max_clients: Option<NonZeroU32>,
    /// How long reads may be answered from the cache.
    pub caching: Arc<CachingConfig>,
    /// Which round trips are spared.
    pub round_trips: RoundTrips,
    /// How writes around the proxy are learnt of; `None` where they are not.
    pub capture: Option<CaptureConfig>,
    /// Of the whole section, with the files and variables it names: a reload that brings the same one
    /// changes nothing.
    pub fingerprint: Fingerprint,
    /// Of what its connections to the origin are made of, but for the password: a reload that brings the same ones keeps them.
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

    /// Most clients of this user at once; `None` for any number.
    pub fn max_connections(&self, user: &str) -> Option<NonZeroU32> {
        self.user(user).and_then(|user| user.max_connections)
    }
}

/// Which round trips to the origin a client is spared, where what it would be told is known without them. What is off is
/// asked and waited for, as the client says it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is switched by itself")]
pub struct RoundTrips {
    /// Those for what a statement is that was described before.
    pub descriptions: bool,
    /// Those for the beginning of a transaction, which goes with its first statement.
    pub begin: bool,
    /// Those for the end of a transaction that has only read.
    pub commit: bool,
    /// Those for settings that were accepted before.
    pub settings: bool,
    /// Those for what the database's catalog says, which is cached as tables are.
    pub catalog: bool,
}

impl Default for RoundTrips {
    fn default() -> Self {
        Self { descriptions: true, begin: true, commit: true, settings: true, catalog: true }
    }
}

/// The result cache of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Most bytes held over all entries.
    pub capacity_bytes: u64,
    /// A result larger than this is passed on and not kept (50 MB).
    pub max_entry_bytes: usize,
}

impl CacheConfig {
    /// The longest result that a cache of this capacity may be asked to keep.
    pub const fn longest_entry(capacity_bytes: u64) -> u64 {
        Memory::of(capacity_bytes).collecting
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { capacity_bytes: 256 << 20, max_entry_bytes: 50 << 20 }
    }
}
