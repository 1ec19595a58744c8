//! What a proxy says of what its clients do: each minute's sums, unasked, and what is going on now, when it is asked.
//!
//! No constant of a statement is in any of it, and no secret. Fields that a version does not know are passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets of [`Latencies`], in microseconds. What took longer than the last is in one more bucket.
pub const LATENCY_BOUNDS: [u64; 18] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000,
];

/// How many statements took how long: a count for each of [`LATENCY_BOUNDS`] and one for what took longer. Zeros at the end
/// may be left out.
pub type Latencies = Vec<u64>;

/// What a proxy counted of one database in one minute. One in which nothing was counted is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Minute {
    /// The name of its config.
    pub database: String,
    /// The id of its config. An older node says none.
    pub id: String,
    /// When it began, in minutes since 1970.
    pub minute: u64,
    /// Statements by cache status (`hit`, `miss`, …); those of which there were none may be left out.
    pub queries: BTreeMap<String, u64>,
    /// How long statements took that the cache answered.
    pub cached: Latencies,
    /// How long statements took that the origin was asked, the wait for a connection included.
    pub uncached: Latencies,
    /// Round trips to the origin that the cache, and what is known of the origin, have saved.
    pub round_trips_saved: u64,
    /// Reads in transactions that the cache would have been asked with `in_transactions`.
    pub transaction_reads: u64,
    /// Bytes of statements.
    pub query_bytes: u64,
    /// Bytes of replies.
    pub result_bytes: u64,
    /// Most connections to the origin that were in use at once, as far as it was looked at.
    pub in_use: u64,
    /// Most clients that waited for one at once, as far as it was looked at.
    pub waiting: u64,
    /// The limit of connections.
    pub max_connections: u64,
    /// What failed: `connect:REASON`, `statement:REASON` and `sql:CLASS` of SQLSTATE.
    pub errors: BTreeMap<String, u64>,
}

/// What goes on at a proxy now, of the databases that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Activity {
    /// Only those that somebody has used since the start.
    pub databases: Vec<DatabaseActivity>,
    /// Databases that were left out, since the answer would be too long.
    pub databases_left_out: u64,
}

/// What goes on in one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseActivity {
    /// The name of its config.
    pub database: String,
    /// The id of its config. An older node says none.
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
    /// Shapes that were left out: there are more than were asked for.
    pub statements_left_out: u64,
    /// Clients, those first that have been busy for the longest.
    pub sessions: Vec<SessionActivity>,
    /// Clients that were left out.
    pub sessions_left_out: u64,
}

/// Connections to an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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

/// What was counted of the statements of one shape: texts that differ in their constants only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatementActivity {
    /// The text without its constants, cut off where it is long.
    pub text: String,
    /// How often by cache status; those of which there were none may be left out.
    pub queries: BTreeMap<String, u64>,
    /// How often it ended in an error of the database or of the proxy.
    pub errors: u64,
    /// Microseconds that clients waited for those that the cache answered.
    pub cached_micros: u64,
    /// Microseconds that clients waited for those that the origin was asked.
    pub uncached_micros: u64,
    /// How long those took that the origin was asked.
    pub uncached: Latencies,
    /// Round trips saved.
    pub round_trips_saved: u64,
    /// Why it is not cached, in the words of `jumpgate why`; nothing where it may be.
    pub why_not_cached: Option<String>,
}

/// One client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionActivity {
    /// Of this process alone.
    pub id: u64,
    /// Its name at the proxy.
    pub user: String,
    /// Where it comes from.
    pub address: String,
    /// As the client calls itself, if it does (`application_name`, `program_name`).
    pub application: Option<String>,
    /// Seconds since it logged in.
    pub connected_seconds: u64,
    /// `idle`, `active`, `waiting` (for a connection), `in transaction`.
    pub state: String,
    /// Milliseconds in this state.
    pub state_millis: u64,
    /// Its statement, or its last, without constants.
    pub statement: Option<String>,
    /// Why it keeps a connection to itself.
    pub pins: Vec<String>,
}
