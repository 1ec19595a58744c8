//! How many connections there may be, for how long.

use std::{num::NonZeroU32, time::Duration};

use tokio::time::Instant;

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

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            mode: PoolMode::Transaction,
            max_size: NonZeroU32::new(20).expect("20 is not zero"),
            min_idle: 0,
            checkout_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(15),
            idle_timeout: Some(Duration::from_secs(600)),
            max_lifetime: Some(Duration::from_secs(3600)),
            statement_timeout: Some(Duration::from_secs(60)),
            idle_in_transaction_timeout: None,
        }
    }
}

impl PoolConfig {
    /// When a connection that is opened now has had its time: between 80 % and 100 % of the lifetime, so that a
    /// cohort does not expire together.
    pub fn expiry(&self) -> Option<Instant> {
        Some(Instant::now() + self.max_lifetime?.mul_f64(rand::random_range(0.8..1.0)))
    }
}
