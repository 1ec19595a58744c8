//! What goes on, in the words in which it is told: JSON, the same as `control::nodes::activity::Activity` reads.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

/// What goes on at a proxy now, of the databases that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Only those that somebody has used since the start, those first that have the most clients.
    pub databases: Vec<DatabaseActivity>,
    /// Databases that were left out, since the answer would be too long.
    pub databases_left_out: u64,
}

/// What goes on in one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DatabaseActivity {
    /// The name of its config.
    pub database: String,
    /// The id of its config.
    pub id: String,
    /// Its connections.
    pub pool: PoolActivity,
    /// Clients that have logged in.
    pub clients: u64,
    /// Of them, those that keep a connection to themselves.
    pub pinned: u64,
    /// Reads in transactions, since the start, that the cache would have been asked with `in_transactions`.
    pub transaction_reads: u64,
    /// Since when statements are counted, in seconds since 1970.
    pub counted_since: u64,
    /// Statements by shape, those first that took the most time of the origin and of clients.
    pub statements: Vec<StatementActivity>,
    /// Shapes that were left out.
    pub statements_left_out: u64,
    /// Clients, those first that have been busy for the longest.
    pub sessions: Vec<SessionActivity>,
    /// Clients that were left out.
    pub sessions_left_out: u64,
}

/// Connections to an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolActivity {
    /// The limit.
    pub max: u64,
    /// On loan.
    pub in_use: u64,
    /// Open, and used by nobody.
    pub idle: u64,
    /// Clients that wait for one.
    pub waiting: u64,
}

/// What was counted of the statements of one shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementActivity {
    /// The text without its constants, cut off where it is long.
    #[serde(serialize_with = "text")]
    pub text: Arc<str>,
    /// How often by cache status.
    pub queries: BTreeMap<&'static str, u64>,
    /// How often it ended in an error of the database or of the proxy.
    pub errors: u64,
    /// Microseconds that clients waited for those that the cache answered.
    pub cached_micros: u64,
    /// Microseconds that clients waited for those that the origin was asked.
    pub uncached_micros: u64,
    /// How long those took that the origin was asked, in the buckets of [`BOUNDS`](super::BOUNDS).
    pub uncached: Vec<u64>,
    /// Round trips saved.
    pub round_trips_saved: u64,
    /// Why it is not cached; nothing where it may be.
    pub why_not_cached: Option<String>,
}

/// One client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionActivity {
    /// Of this process alone.
    pub id: u64,
    /// Its name at the proxy.
    pub user: String,
    /// Where it comes from.
    pub address: String,
    /// As the client calls itself.
    pub application: Option<String>,
    /// Seconds since it logged in.
    pub connected_seconds: u64,
    /// `idle`, `active`, `waiting`, `in transaction`.
    pub state: &'static str,
    /// Milliseconds in this state.
    pub state_millis: u64,
    /// Its statement, or its last, without constants.
    pub statement: Option<String>,
    /// Why it keeps a connection to itself.
    pub pins: Vec<&'static str>,
}

fn text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
