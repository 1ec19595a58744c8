//! What the plane asks of its nodes.

use std::{fmt, pin::Pin};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    draft::Draft,
    nodes::{activity::Activity, declared::Declared},
};

/// An answer that is waited for.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What each step of the way to a database was like, or where it ends.
pub type Reached = Result<Value, Unreachable>;

/// The nodes, as far as the API asks something of them. Without a word of theirs there are none, and nothing is checked.
pub trait Fleet: Send + Sync + fmt::Debug {
    /// Walks the whole way to a database from a proxy node; nothing is kept of it.
    ///
    /// # Cancel safety
    ///
    /// The walk ends when it is dropped, or goes on unheard.
    fn check<'a>(&'a self, _draft: &'a Draft) -> Asked<'a, Reached> {
        Box::pin(async { Ok(Value::Null) })
    }

    /// Has each proxy that serves this database to an account, by its name and its id there, forget what it keeps of it, or of
    /// some of its tables; says how many nodes have.
    fn purge<'a>(
        &'a self,
        _account: &'a str,
        _database: (&'a str, &'a str),
        _tables: &'a [String],
    ) -> Asked<'a, usize> {
        Box::pin(async { 0 })
    }

    /// What goes on at each proxy that may be told of an account: of one database or of all, with so many statements and
    /// sessions of each at most. Only what is the account's own is in it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is not asked for any more.
    fn activity<'a>(
        &'a self,
        _account: &'a str,
        _database: Option<&'a str>,
        _statements: usize,
        _sessions: usize,
    ) -> Asked<'a, Activities> {
        Box::pin(async { Activities::default() })
    }

    /// The connectors of a tunnel, as `GET …/connections` shows them.
    fn connections(&self, _tunnel: &str) -> Vec<Value> {
        Vec::new()
    }

    /// Ends what connectors have open for a tunnel, or one of them.
    fn disconnect<'a>(&'a self, _tunnel: &'a str, _connector: Option<&'a str>) -> Asked<'a, ()> {
        Box::pin(async {})
    }

    /// What each node says of itself.
    fn nodes(&self) -> Vec<Value> {
        Vec::new()
    }

    /// What proxies' own files declare, with the name of the proxy, as far as an account is shown it.
    fn declared(&self, _account: &str) -> Vec<(String, Declared)> {
        Vec::new()
    }

    /// Where clients of an account's configs of an engine (`postgres`, `mysql`) reach a proxy, as far as that is known: host
    /// and port.
    fn clients_at(&self, _account: &str, _engine: &str) -> Option<(String, u16)> {
        None
    }
}

/// What goes on at the proxies that have answered.
#[derive(Clone, Debug, Default)]
pub struct Activities {
    /// How many proxies there are.
    pub asked: usize,
    /// By the name of the node.
    pub answers: Vec<(String, Activity)>,
}

/// Why a database cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// 2008 to 2016.
    pub code: u32,
    /// The layer that refused, and what to do. No secret is in it.
    pub message: String,
    /// What each step of the way was like.
    pub steps: Vec<String>,
}

/// No nodes at all: nothing is checked.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Fleet for Nobody {}
