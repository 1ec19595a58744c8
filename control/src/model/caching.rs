//! How long reads may be answered from the cache.

use std::time::Duration;

/// How long reads may be answered from the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caching {
    /// Nothing is cached.
    pub disabled: bool,
    /// A reply younger than this is a hit.
    pub max_age: Option<Duration>,
    /// For this long after that it is served once more while it is asked for anew.
    pub stale_while_revalidate: Option<Duration>,
    /// In transactions, too.
    pub in_transactions: InTransactions,
    /// A read that tells the time, or counts from it, is a hit up to this age; without one it is asked for each time.
    pub clock_max_age: Option<Duration>,
    /// What is otherwise for some tables, or some users, in order.
    pub rules: Vec<CachingRule>,
}

/// Which reads in transactions that have only read may be answered from the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InTransactions {
    /// None.
    #[default]
    Off,
    /// Those at READ COMMITTED.
    Committed,
    /// Those at REPEATABLE READ too, as far as all come from one moment: nothing is written around the proxy.
    Repeatable,
}

/// How long reads of some tables, or of some user, live. It is about some of either, or of both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CachingRule {
    /// Reads of these; without any, reads of whatever.
    pub tables: Vec<Table>,
    /// The reads of this user; without one, everybody's.
    pub user: Option<String>,
    /// How long.
    pub life: Life,
}

/// The name of a table, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    /// Its schema; without one, tables of that name in any.
    pub schema: Option<String>,
    /// Its own.
    pub name: String,
}

/// How long reads live. An age that is not given is the one of [`Caching`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// The database is asked each time.
    Never,
    /// So long; one of them is given.
    Ages {
        /// As of all.
        max_age: Option<Duration>,
        /// As of all.
        stale_while_revalidate: Option<Duration>,
        /// As of all.
        clock_max_age: Option<Duration>,
    },
}
