//! Tunnels, and the hostnames that lead to them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{kept, model::Secret, moment::Moment};

/// A tunnel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tunnel {
    /// A UUID.
    pub id: String,
    /// The id of its account, which its connectors must name too.
    pub account: String,
    /// For people; unique among those of its account that are not deleted.
    pub name: String,
    /// Its rules come from here (`cloudflare`), and not from its connector's own file (`local`).
    pub is_remote: bool,
    /// What its connectors prove themselves with: base64 of at least 32 bytes. It is told again to whoever asks for the token.
    #[serde(with = "kept::plain_secret")]
    pub secret: Secret,
    /// After a rotation: the one before, for as long as it is valid too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousSecret>,
    /// Its rules as they were put: `{"ingress": […], …}`; checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
    /// Counts the changes of its rules, from 0.
    #[serde(default)]
    pub version: u32,
    /// Told back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was deleted. It is shown for a while, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Moment>,
}

impl Tunnel {
    /// Whether one of its rules leads this hostname to it.
    pub(crate) fn leads(&self, hostname: &str) -> bool {
        let rules = self.configuration.as_ref().filter(|_| self.is_remote);
        let rules = rules.and_then(|it| it["ingress"].as_array());
        rules.into_iter().flatten().any(|rule| {
            rule["hostname"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(hostname))
        })
    }
}

/// The secret before a rotation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// Base64, as the secret.
    #[serde(with = "kept::plain_secret")]
    pub secret: Secret,
    /// From then on it is not valid any more.
    pub expires_at: Moment,
}

/// A public hostname that leads to a tunnel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hostname {
    /// In lower case; unique in the whole store.
    pub name: String,
    /// The id of its account.
    pub account: String,
    /// The id of its tunnel.
    pub tunnel: String,
    /// When it was made.
    pub created_at: Moment,
}
