//! A client that has logged in.

use std::sync::Arc;

use origin::net::Framed;
use protocol::mysql::{
    auth::Nonce,
    capabilities::{CapabilityFlags, MariaDbFlags},
};
use serving::{activity::Seen, context::Place};

use super::super::{cancel::Thread, database::Database};

/// A client that has logged in and been told that it may begin.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) framed: Framed,
    /// What it asked for of what we offered.
    pub(crate) capabilities: CapabilityFlags,
    /// The same of what MariaDB has beyond that.
    pub(crate) extended: MariaDbFlags,
    /// Its collation; only the low byte is in a login.
    pub(crate) collation: u16,
    pub(crate) user: String,
    /// Its own among the others, and among those of its user.
    pub(crate) place: Place,
    pub(crate) database: Arc<Database>,
    /// The schema that it asked for, where that is not the name of a config.
    pub(crate) schema: Option<String>,
    /// The nonce it was given last.
    pub(crate) scramble: Nonce,
    /// Its thread id, by which others can kill it.
    pub(crate) thread: Thread,
    /// As others see it.
    pub(crate) seen: Seen,
}
