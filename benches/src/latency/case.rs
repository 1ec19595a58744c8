//! What is measured: with which database, on which way, how is asked, and what answers.

use std::{fmt, time::Duration};

use e2e::jumpgate::Engine;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL 18.
    Postgres,
    /// MySQL 9.
    MySql,
    /// MariaDB 10.11.
    MariaDb,
}

impl Kind {
    /// What it speaks.
    #[must_use]
    pub const fn engine(self) -> Engine {
        match self {
            Self::Postgres => Engine::Postgres,
            Self::MySql | Self::MariaDb => Engine::MySql,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL 18",
            Self::MySql => "MySQL 9",
            Self::MariaDb => "MariaDB 10.11",
        }
    }
}

/// How a client comes to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Without Jumpgate.
    Direct,
    /// Through the proxy, which dials the database.
    Tcp,
    /// Through the proxy, edge and connector.
    Tunnel,
}

impl Way {
    /// All, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Tcp, Self::Tunnel];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::Tcp => "TCP",
            Self::Tunnel => "tunnel",
        })
    }
}

/// How a driver asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// As a text with its values in it: PostgreSQL's simple query, MySQL's COM_QUERY.
    Text,
    /// Prepared in this connection, then executed; the second query finds it prepared.
    Prepared,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Text => "text",
            Self::Prepared => "prepared",
        })
    }
}

/// Where the answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// From the database, to which the pool has no connection yet: the first client of all.
    Cold,
    /// From the database: nobody asked this before.
    Uncached,
    /// From the cache: another client asked before.
    Cached,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cold => "empty pool",
            Self::Uncached => "uncached",
            Self::Cached => "cached",
        })
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// How the client comes to the database.
    pub way: Way,
    /// How it asks.
    pub statement: Statement,
    /// What answers.
    pub answer: Answer,
}

/// One client's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// From its dial to the last byte of the first query's answer.
    pub first: Duration,
    /// Another query on the same connection.
    pub second: Duration,
}

impl Case {
    /// Those that are measured in every round, in the order of the table.
    pub(super) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for way in Way::ALL {
            for statement in [Statement::Text, Statement::Prepared] {
                for answer in [Answer::Uncached, Answer::Cached] {
                    // Without Jumpgate there is no cache.
                    if way != Way::Direct || answer != Answer::Cached {
                        all.push(Self { way, statement, answer });
                    }
                }
            }
        }
        all
    }

    /// How the proxy must have answered, if there is one.
    pub(super) fn cache_status(self) -> Option<&'static str> {
        match (self.way, self.answer) {
            (Way::Direct, _) | (_, Answer::Cold) => None,
            (_, Answer::Uncached) => Some("miss"),
            (_, Answer::Cached) => Some("hit"),
        }
    }
}
