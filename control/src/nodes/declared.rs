//! What a proxy says of the databases that its own file declares.

use serde::{Deserialize, Serialize};

/// A database of a proxy's own file, without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declared {
    /// 32 hex digits, as the file says or made from the name. An older node says none.
    pub id: String,
    /// The database in a client's connection string.
    pub name: String,
    /// `postgres` or `mysql`.
    pub scheme: String,
    /// Where the database is, or the hostname that leads there.
    pub host: String,
    /// Its port; none of a tunnel's hostname.
    pub port: Option<u16>,
    /// What it is called there.
    pub database: String,
    /// Who logs in there.
    pub user: String,
    /// Nothing is cached.
    pub caching_disabled: bool,
    /// Seconds.
    pub max_age: u64,
    /// Seconds.
    pub stale_while_revalidate: u64,
    /// Most connections.
    pub origin_connection_limit: u32,
}
