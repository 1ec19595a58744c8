//! How writes that go around the proxy are learnt of.

use std::time::Duration;

use super::secret::Secret;

/// How writes that go around the proxy are learnt of: from the database itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capture {
    /// PostgreSQL's replication slot; without one it is temporary.
    pub slot: Option<String>,
    /// PostgreSQL's publication, if it has not the usual name.
    pub publication: Option<String>,
    /// Who logs in for it, if not the one of the origin.
    pub login: Option<Login>,
    /// Nothing is cached while the changes come later than that.
    pub max_lag: Option<Duration>,
    /// What is read may be kept for longer than its age, until it changes.
    pub until_changed: bool,
}

/// A role at the origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password; `None` for one that logs in by certificate, or is trusted.
    pub password: Option<Secret>,
}
