//! Tunnels, and the hostnames that lead to them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::PreviousHash;
use crate::{kept, model::Secret, moment::Moment};

/// A tunnel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tunnel {
    /// A UUID.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// What its connectors must name; `None` for the account's id. An imported one has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_tag: Option<String>,
    /// For people; unique among those of its account that are not deleted.
    pub name: String,
    /// Its rules come from here (`cloudflare`), and not from its connector's own file (`local`).
    pub is_remote: bool,
    /// What its connectors prove themselves with.
    pub secret: TunnelSecret,
    /// After a rotation: the one before, for as long as it is valid too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousHash>,
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

    /// What its connectors must name.
    pub fn account_tag(&self) -> &str {
        self.account_tag.as_deref().unwrap_or(&self.account)
    }
}

/// What connectors of a tunnel prove themselves with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelSecret {
    /// The SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// The secret, base64 of at least 32 bytes: it is told again to whoever asks for the token. `None` where only the hash
    /// was imported.
    #[serde(with = "kept::secret", default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<Secret>,
}

impl TunnelSecret {
    /// Of base64, which is checked elsewhere.
    pub fn new(base64: Secret) -> Self {
        // Connectors prove the bytes and not their base64.
        let bytes = Zeroizing::new(STANDARD.decode(base64.expose()).unwrap_or_default());
        Self { sha256: hex::encode(Sha256::digest(&*bytes)), base64: Some(base64) }
    }
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
