//! Where edges are, for configs that lead through one.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// What an edge said last of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeAddress {
    /// The name of its node.
    pub id: String,
    /// Where proxies dial it, as far as it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<SocketAddr>,
    /// PEM of its own CA, where it issues its certificates itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
    /// Since when it has not been heard of while others were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Moment>,
}
