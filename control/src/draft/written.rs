//! What may be written of a config.

use std::net::SocketAddr;

use crate::model::Secret;

/// A config to be checked. Names are those of the file's keys and the API's fields; times are in seconds.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// 32 hex digits; made from the name where it is left out.
    pub id: Option<String>,
    /// The database name in a client's connection string.
    pub name: Option<String>,
    /// Where the database is; `None` where that was not said at all.
    pub origin: Option<OriginDraft>,
    /// Its TLS.
    pub mtls: MtlsDraft,
    /// What clients log in with.
    pub users: Vec<UserDraft>,
    /// Which reads may be answered from the cache.
    pub caching: CachingDraft,
    /// How many connections there may be.
    pub pool: PoolDraft,
}

/// Where a database is.
#[derive(Clone, Debug, Default)]
pub struct OriginDraft {
    /// `postgres`, `postgresql` or `mysql`.
    pub scheme: Option<String>,
    /// A host, or a tunnel's hostname.
    pub host: Option<String>,
    /// For a host.
    pub port: Option<u16>,
    /// Name of the database.
    pub database: Option<String>,
    /// Role to log in as.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// For a tunnel.
    pub access_client_id: Option<String>,
    /// For a tunnel.
    pub access_client_secret: Option<Secret>,
    /// `zlib` or `zstd`.
    pub compression: Option<String>,
    /// For a tunnel whose hostname leads elsewhere.
    pub edge_address: Option<SocketAddr>,
    /// PEM.
    pub edge_ca_certificate: Option<Vec<u8>>,
}

/// The TLS of a database; certificates and keys are PEM.
#[derive(Clone, Debug, Default)]
pub struct MtlsDraft {
    /// `require`, `verify-ca` or `verify-full`, or the words that allow none.
    pub sslmode: Option<String>,
    /// Of the CAs that the database's may be from.
    pub ca_certificate: Option<Vec<u8>>,
    /// That we show.
    pub client_certificate: Option<Vec<u8>>,
    /// Of the one that we show.
    pub client_key: Option<Secret>,
}

/// Who may be a client.
#[derive(Clone, Debug, Default)]
pub struct UserDraft {
    /// As in the connection string.
    pub name: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// What PostgreSQL keeps of one, in its place.
    pub verifier: Option<Secret>,
    /// 0 for as long as it takes.
    pub statement_timeout: Option<f64>,
    /// 0 for any number.
    pub max_connections: Option<u32>,
}

/// Which reads may be answered from the cache.
#[derive(Clone, Debug, Default)]
pub struct CachingDraft {
    /// None.
    pub disabled: Option<bool>,
    /// At most an hour.
    pub max_age: Option<f64>,
    /// For so much longer while it is asked for anew.
    pub stale_while_revalidate: Option<f64>,
}

/// How many connections there may be. Of times that are limits 0 means none.
#[derive(Clone, Debug, Default)]
pub struct PoolDraft {
    /// `transaction` or `session`.
    pub mode: Option<String>,
    /// At least 1.
    pub origin_connection_limit: Option<u32>,
    /// 0 for any number.
    pub max_clients: Option<u32>,
    /// At most the limit.
    pub min_idle: Option<u32>,
    /// A wait.
    pub checkout_timeout: Option<f64>,
    /// A wait.
    pub connect_timeout: Option<f64>,
    /// A limit.
    pub idle_timeout: Option<f64>,
    /// A limit.
    pub max_lifetime: Option<f64>,
    /// A limit.
    pub statement_timeout: Option<f64>,
    /// A limit.
    pub idle_in_transaction_timeout: Option<f64>,
}
