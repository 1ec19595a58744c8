//! What may be written of a config.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    kept,
    model::{Hashes, RoundTrips, Secret},
    moment::Moment,
};

/// A config to be checked. Names are those of the file's keys and the API's fields; times are in seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    /// 32 hex digits; made from the name where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The database name in a client's connection string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the database is; `None` where that was not said at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginDraft>,
    /// Its TLS.
    pub mtls: MtlsDraft,
    /// What clients log in with.
    pub users: Vec<UserDraft>,
    /// Which reads may be answered from the cache.
    pub caching: CachingDraft,
    /// Which round trips a client is spared.
    #[serde(skip_serializing_if = "RoundTrips::is_usual")]
    pub round_trips: RoundTrips,
    /// How writes around the proxy are learnt of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureDraft>,
    /// How many connections there may be.
    pub pool: PoolDraft,
    /// Any other number than before has all connections opened anew.
    pub restarted: u64,
}

/// Where a database is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OriginDraft {
    /// `postgres`, `postgresql` or `mysql`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// A host, or a tunnel's hostname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// For a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// In place of both: `host:port` each, in the order in which they are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    /// As libpq has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_session_attrs: Option<String>,
    /// Name of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Role to log in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its password.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// For a tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_client_id: Option<String>,
    /// For a tunnel.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub access_client_secret: Option<Secret>,
    /// `zlib` or `zstd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// For a tunnel whose hostname leads elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge_address: Option<SocketAddr>,
    /// PEM.
    #[serde(with = "kept::bytes", skip_serializing_if = "Option::is_none")]
    pub edge_ca_certificate: Option<Vec<u8>>,
}

/// The TLS of a database; certificates and keys are PEM.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MtlsDraft {
    /// `require`, `verify-ca` or `verify-full`, or the words that allow none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sslmode: Option<String>,
    /// Of the CAs that the database's may be from.
    #[serde(with = "kept::bytes", skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<Vec<u8>>,
    /// That we show.
    #[serde(with = "kept::bytes", skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<Vec<u8>>,
    /// Of the one that we show.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub client_key: Option<Secret>,
}

/// Who may be a client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserDraft {
    /// As in the connection string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its password.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// What PostgreSQL keeps of one, in its place.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Secret>,
    /// What either engine needs of one, in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
    /// The password that it had before, which is right as well.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub previous_password: Option<Secret>,
    /// In its place.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub previous_verifier: Option<Secret>,
    /// In its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_hashes: Option<Hashes>,
    /// When that one ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_expires_at: Option<Moment>,
    /// 0 for as long as it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_timeout: Option<f64>,
    /// 0 for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
}

/// Which reads may be answered from the cache.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CachingDraft {
    /// None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// At most an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<f64>,
    /// For so much longer while it is asked for anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_while_revalidate: Option<f64>,
    /// `off` or `read-only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_transactions: Option<String>,
    /// Of what tells the time; at most an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_max_age: Option<f64>,
    /// `all through this proxy`, or nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writers: Option<String>,
    /// What is otherwise for some tables, or some users, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RuleDraft>>,
}

/// How long reads of some tables, or of some user, live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleDraft {
    /// `table`, or `schema.table`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<String>>,
    /// A user of the proxy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// They do not; else one of the following is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never: Option<bool>,
    /// At most an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<f64>,
    /// For so much longer while it is asked for anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_while_revalidate: Option<f64>,
    /// Of what tells the time; at most an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_max_age: Option<f64>,
}

/// How writes around the proxy are learnt of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureDraft {
    /// They are; without it they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// PostgreSQL's replication slot; a temporary one where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// PostgreSQL's publication; `jumpgate` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publication: Option<String>,
    /// Role to log in as; the origin's where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its password.
    #[serde(with = "kept::secret", skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Nothing is cached while the changes come later than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<f64>,
    /// What is read may be kept for longer than its age, until it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_changed: Option<bool>,
}

/// How many connections there may be. Of times that are limits 0 means none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolDraft {
    /// `transaction` or `session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// At least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin_connection_limit: Option<u32>,
    /// 0 for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_clients: Option<u32>,
    /// At most the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_idle: Option<u32>,
    /// A wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_timeout: Option<f64>,
    /// A wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<f64>,
    /// A limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<f64>,
    /// A limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<f64>,
    /// A limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_timeout: Option<f64>,
    /// A limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_in_transaction_timeout: Option<f64>,
}
