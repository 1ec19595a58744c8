//! Whatever the same work is given to: a name, a way to connect, and the process whose CPU time and memory count.

use std::fmt;

use anyhow::Result;
use e2e::wire::Endpoint;

use crate::{args::Tls, process::Process};

/// Who does the work. What has no column of its own is shown in that of its family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The database itself.
    Direct,
    /// The database itself, over TLS.
    DirectTls,
    /// Jumpgate without its cache.
    Jumpgate,
    /// Jumpgate with its cache.
    Cached,
    /// Jumpgate, and a tunnel to the database.
    Tunnel,
    /// PgBouncer.
    PgBouncer,
    /// HAProxy, passing TCP on.
    HaProxy,
    /// HAProxy three times over, as many processes as a tunnel has, with the database's own TLS through all of them.
    Relays,
    /// MySQL Router.
    Router,
    /// What `--peer` names.
    Other(String),
}

impl Who {
    /// The column that it is shown in.
    #[must_use]
    pub fn column(&self) -> Self {
        match self {
            Self::DirectTls => Self::Direct,
            Self::Cached | Self::Tunnel => Self::Jumpgate,
            Self::Relays => Self::HaProxy,
            other => other.clone(),
        }
    }

    /// Whether it is one of Jumpgate's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.column() == Self::Jumpgate
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::DirectTls => "direct TLS",
            Self::Jumpgate => "jumpgate",
            Self::Cached => "jumpgate cached",
            Self::Tunnel => "jumpgate tunnel",
            Self::PgBouncer => "pgbouncer",
            Self::HaProxy => "haproxy",
            Self::Relays => "three haproxies",
            Self::Router => "router",
            Self::Other(name) => name,
        })
    }
}

/// One of those who are compared.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Who it is.
    pub who: Who,
    /// What its clients connect to.
    pub endpoint: Endpoint,
    /// Whether they encrypt.
    pub tls: Tls,
    /// The scheme of its URL.
    pub scheme: &'static str,
    /// What stands between client and database; nothing, or somebody else's process, cannot be watched.
    pub process: Option<Process>,
}

impl Contender {
    /// One whose clients do not encrypt, without a process to watch.
    #[must_use]
    pub const fn unwatched(who: Who, scheme: &'static str, endpoint: Endpoint) -> Self {
        Self { who, endpoint, tls: Tls::Off, scheme, process: None }
    }

    /// The same, with its process.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn watched(self, pid: u32) -> Result<Self> {
        Ok(Self { process: Some(Process::new(pid)?), ..self })
    }

    /// What the load tester is given.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.url_of(self.scheme)
    }
}
