//! What the connections of a connector share.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Mutex, Semaphore};
use uuid::Uuid;

use super::{rules::Rules, stats::Counters, targets::Targets};
use crate::token::TunnelToken;

/// What the connections of a connector share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) edge: Vec<String>,
    pub(super) token: TunnelToken,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) rules: Rules,
    pub(super) targets: Targets,
    pub(super) dial_timeout: Duration,
    pub(super) grace_period: Duration,
    /// Names this process at the edge.
    pub(super) id: Uuid,
    pub(super) counters: Counters,
    /// One push is taken in at a time.
    pub(super) pushing: Mutex<()>,
    /// Dials under way, each of which may look up a name.
    pub(super) dials: Semaphore,
}
