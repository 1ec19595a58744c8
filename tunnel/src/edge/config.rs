//! What an edge is told when it starts.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{access::SigningKeys, state::State};

/// What an edge listens on, whom it trusts and what it serves.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Where clients come: TLS with WebSocket upgrades.
    pub public: SocketAddr,
    /// Where connectors come: TLS with HTTP/2 in inverted roles.
    pub connectors: SocketAddr,
    /// What clients are shown. ALPN is set by the edge.
    pub public_tls: Arc<rustls::ServerConfig>,
    /// What connectors are shown: a certificate for [`crate::certs::EDGE_NAMES`].
    pub connector_tls: Arc<rustls::ServerConfig>,
    /// The tunnels, the hostnames, and who may pass. [`super::Handle::set_state`] changes it later.
    pub state: State,
    /// The keys that they are signed with. Whoever gives them also exchanges them, with
    /// [`super::Handle::set_signing_keys`]. Without any the edge makes keys that nobody keeps.
    pub signing_keys: Option<Arc<SigningKeys>>,
    /// An IP address that Access has refused this often within a minute is answered 429 until the
    /// minute is over. Zero is no limit.
    pub max_refusals_per_minute: u32,
    /// Longest that open streams may go on after a stop.
    pub drain_timeout: Duration,
}

impl EdgeConfig {
    /// A good [`Self::drain_timeout`].
    pub const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
    /// A good [`Self::max_refusals_per_minute`].
    pub const DEFAULT_MAX_REFUSALS_PER_MINUTE: u32 = 30;
}
