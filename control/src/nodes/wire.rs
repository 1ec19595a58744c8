//! What nodes and a control node say to each other: JSON in requests of the nodes.
//!
//! Either may be of a newer version than the other. So fields that are not known are passed over, and a config or a command
//! that cannot be read costs nothing but itself: both are plain JSON until somebody needs them.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{activity::Minute, declared::Declared};
use crate::{database::Position, fleet::Unreachable, resources::EdgeAddress, view::edge::EdgeView};

/// Where nodes ask for what is new.
pub const FOLLOW: &str = "/nodes/v1/follow";
/// Where nodes say what they are like, and what came of commands.
pub const REPORT: &str = "/nodes/v1/report";

/// Of this program. One record may be told otherwise by another version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves clients of databases.
    Proxy,
    /// Leads to connectors.
    Edge,
}

impl Role {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Edge => "edge",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Of this process alone: random, made at its start.
    pub instance: String,
    /// For people; several may have it.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Of the program.
    pub version: String,
}

/// A node asks for what is new.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Follow {
    /// Who asks.
    pub node: Identity,
    /// What it has; `None` where that is nothing.
    pub known: Option<Position>,
    /// The version of the control node that has told it that.
    #[serde(default)]
    pub told_by: Option<String>,
    /// What it is like.
    pub status: Status,
    /// It takes its news from another control node on the same store, and asks this one only what it has to do.
    #[serde(default)]
    pub only_commands: bool,
}

/// A node says what it is like, and what came of commands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Who says it.
    pub node: Identity,
    /// What it is like.
    pub status: Status,
    /// What it has, where it was told that by another control node.
    #[serde(default)]
    pub known: Option<Position>,
    /// What came of commands.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// What a proxy has counted in minutes that are over, each told once.
    #[serde(default)]
    pub minutes: Vec<Minute>,
}

/// What a node is like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Of a proxy: its clients. Of an edge: the streams that are open.
    pub connections: u64,
    /// Of a proxy: the databases that it serves, those of its own file included.
    pub databases: u64,
    /// Of a proxy: where clients reach it, as far as it knows.
    pub listeners: Vec<Listener>,
    /// Of a proxy: the databases of its own file, or some of them.
    pub declared: Vec<Declared>,
    /// What it was told and does not serve, and why.
    pub left_out: Vec<String>,
    /// Of an edge.
    pub edge: Option<EdgeStatus>,
}

/// Where clients of an engine reach a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listener {
    /// `postgres` or `mysql`.
    pub engine: String,
    /// A name or an address; `None` where it listens on every one that it has.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
}

/// What an edge is like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EdgeStatus {
    /// Where proxies dial it, as far as it knows.
    pub public: Option<SocketAddr>,
    /// Where connectors dial it, as far as it knows.
    pub connectors: Option<SocketAddr>,
    /// PEM of its own CA, where it issues its certificates itself.
    pub ca_certificate: Option<String>,
    /// By the id of their tunnel: its connectors, as `GET …/connections` shows them.
    pub tunnels: BTreeMap<String, Vec<Value>>,
}

/// What is new for a node.
#[derive(Clone, Serialize, Deserialize)]
pub struct News {
    /// What the node has once it has taken this over. Where only commands were asked for: what the control node knows.
    pub position: Position,
    /// Of the program that tells this.
    #[serde(default)]
    pub version: Option<String>,
    /// It is all that there is, and not only what has changed.
    pub is_whole: bool,
    /// Configs, as drafts with their secrets.
    #[serde(default)]
    pub configs: Vec<Value>,
    /// Ids of configs that are gone.
    #[serde(default)]
    pub removed: Vec<String>,
    /// For an edge: all that it has to know, where that has changed.
    #[serde(default)]
    pub edge: Option<EdgeView>,
    /// What it has to do.
    #[serde(default)]
    pub commands: Vec<Value>,
}

impl News {
    /// Nothing is new.
    pub fn none(position: Position) -> Self {
        let (configs, removed, commands) = (Vec::new(), Vec::new(), Vec::new());
        let version = Some(VERSION.to_owned());
        Self { position, version, is_whole: false, configs, removed, edge: None, commands }
    }
}

impl fmt::Debug for News {
    /// Without the configs and what an edge knows: secrets are in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News")
            .field("position", &self.position)
            .field("is_whole", &self.is_whole)
            .field("configs", &self.configs.len())
            .field("removed", &self.removed)
            .finish_non_exhaustive()
    }
}

/// Something to do, and what its answer is to be called.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// Its name.
    pub id: u64,
    /// What to do.
    pub order: Order,
}

/// What a node can be told to do.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// A proxy: walk the way to a database.
    Check {
        /// A draft of its config.
        config: Value,
    },
    /// A proxy: forget what is kept of a database.
    Purge {
        /// Its name.
        database: String,
        /// Only if it has this id, where there is one.
        #[serde(default)]
        id: Option<String>,
        /// Only of these tables; all where there are none.
        tables: Vec<String>,
    },
    /// A proxy: say what goes on, as [`Activity`](super::activity::Activity).
    Activity {
        /// Only of this database; of all where there is none.
        database: Option<String>,
        /// Most statements of each database.
        statements: usize,
        /// Most sessions of each database.
        sessions: usize,
    },
    /// An edge: end what connectors have open.
    Disconnect {
        /// The id of their tunnel.
        tunnel: String,
        /// Only this one.
        connector: Option<String>,
    },
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check { .. } => f.write_str("Check"),
            Self::Purge { database, tables, .. } => write!(f, "Purge({database:?}, {tables:?})"),
            Self::Activity { database, .. } => write!(f, "Activity({database:?})"),
            Self::Disconnect { tunnel, connector } => {
                write!(f, "Disconnect({tunnel:?}, {connector:?})")
            }
        }
    }
}

/// What came of a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Of which.
    pub id: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done, and this is what there is to say.
    Done(Value),
    /// The database of a check cannot be used.
    Unreachable(Unreachable),
    /// It could not be done.
    Failed(String),
}

impl EdgeStatus {
    /// What is remembered of the edge of this name while it is away; nothing where there is nothing to remember.
    pub(super) fn address(&self, name: &str) -> Option<EdgeAddress> {
        let Self { public, ca_certificate, .. } = self;
        (public.is_some() || ca_certificate.is_some()).then(|| EdgeAddress {
            id: name.to_owned(),
            public: *public,
            ca_certificate: ca_certificate.clone(),
            lost: None,
        })
    }
}
