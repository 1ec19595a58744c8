//! A config that keeps every rule.
//!
//! What its writer left out stays out, so that it can be shown as it was written; whoever serves it has the defaults.

mod caching;
mod capture;
mod origin;
mod password;
mod secret;

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{mistake::Mistake, moment::Moment};

pub use self::{
    caching::{Caching, CachingRule, InTransactions, Life, Table},
    capture::{Capture, Login},
    origin::{Access, Compression, HostPort, Mtls, Origin, Scheme, SessionAttrs, SslMode, Way},
    password::{Hashes, Password, Salting},
    secret::Secret,
};

/// One database that clients can reach.
#[derive(Clone, Debug, Hash)]
pub struct Config {
    /// 32 hex digits, in small letters.
    pub id: String,
    /// Unique; the database name in a client's connection string.
    pub name: String,
    /// Where the database is, and how to log in there.
    pub origin: Origin,
    /// What clients log in with; no two have a name. Where there is none, nobody can.
    pub users: Vec<User>,
    /// Which reads may be answered from the cache.
    pub caching: Caching,
    /// Which round trips a client is spared.
    pub round_trips: RoundTrips,
    /// How writes around the proxy are learnt of; `None` where they are not.
    pub capture: Option<Capture>,
    /// How many connections to the origin there may be.
    pub pool: Pool,
    /// Any other number than before has all connections opened anew.
    pub restarted: u64,
}

impl Config {
    /// What is allowed and seldom meant.
    pub fn doubts(&self) -> Option<Mistake> {
        let Origin { password, mtls, .. } = &self.origin;
        (password.is_none() && mtls.identity.is_none()).then(|| {
            let problem = "the origin has neither a password nor a client certificate";
            let remedy = "add a password, or an empty one where it trusts everybody";
            Mistake::new("origin", problem, remedy)
        })
    }
}

/// Who may be a client.
#[derive(Clone, Debug, Hash)]
pub struct User {
    /// As in the connection string.
    pub name: String,
    /// What its password is checked against.
    pub password: Password,
    /// The one that it had before, which is as right as the other while clients change over. Where neither is plain, both
    /// have one [`Salting`].
    pub previous_password: Option<Password>,
    /// When that ends by itself; `None` where it does not.
    pub previous_expires_at: Option<Moment>,
    /// How long a statement of this user may run; the inner `None` for as long as it takes, the outer where the pool's counts.
    pub statement_timeout: Option<Option<Duration>>,
    /// Most clients of this user at once; `None` for any number.
    pub max_connections: Option<NonZeroU32>,
}

/// Which round trips to the origin a client is spared, where what it would be told is known without them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is switched by itself")]
pub struct RoundTrips {
    /// Those for what a statement is that was described before.
    pub descriptions: bool,
    /// Those for the beginning of a transaction.
    pub begin: bool,
    /// Those for the end of a transaction that has only read.
    pub commit: bool,
    /// Those for settings that were accepted before.
    pub settings: bool,
    /// Those for what the database's catalog says, which is cached as tables are.
    pub catalog: bool,
}

impl RoundTrips {
    /// Whether nobody has switched any.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for RoundTrips {
    fn default() -> Self {
        Self { descriptions: true, begin: true, commit: true, settings: true, catalog: true }
    }
}

/// How many connections to the origin and how many clients there may be, and for how long. Of a time the inner `None` means without end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pool {
    /// When a connection goes back.
    pub mode: Option<PoolMode>,
    /// Most open at once.
    pub origin_connection_limit: Option<NonZeroU32>,
    /// Most clients at once, of all its users; `None` for any number.
    pub max_clients: Option<NonZeroU32>,
    /// Kept open ahead of demand; never more than the limit.
    pub min_idle: Option<u32>,
    /// Longest that a client waits for one.
    pub checkout_timeout: Option<Duration>,
    /// Longest that opening one may take.
    pub connect_timeout: Option<Duration>,
    /// An idle one older than this is closed.
    pub idle_timeout: Option<Option<Duration>>,
    /// One older than this is closed when it comes back.
    pub max_lifetime: Option<Option<Duration>>,
    /// A statement that runs longer is cancelled.
    pub statement_timeout: Option<Option<Duration>>,
    /// A client silent for longer within a transaction is disconnected.
    pub idle_in_transaction_timeout: Option<Option<Duration>>,
}

/// When a connection goes back to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolMode {
    /// At the end of each transaction.
    Transaction,
    /// When the client leaves.
    Session,
}
