//! Who may pass an edge: service tokens, policies, applications.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::moment::Moment;

/// A service token, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceToken {
    /// A UUID, which policies name.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// For people.
    pub name: String,
    /// `<32 hex>.access`
    pub client_id: String,
    /// The SHA-256 of the secret's text, in hex.
    pub secret_sha256: String,
    /// After a rotation: the one before, for as long as it is valid too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousHash>,
    /// Counts the rotations, from 1.
    pub version: u32,
    /// How long it was asked to be valid, such as `8760h`, or `forever`.
    pub duration: String,
    /// From then on it is not valid any more; `None` for one that never expires.
    pub expires_at: Option<Moment>,
    /// Whether it may be used at all.
    #[serde(default = "enabled")]
    pub is_enabled: bool,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

const fn enabled() -> bool {
    true
}

/// The secret before a rotation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreviousHash {
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// From then on it is not valid any more.
    pub expires_at: Moment,
}

/// The decision of policies that let a service token pass.
pub const SERVICE_AUTH: &str = "non_identity";
/// The decision of policies that let nobody pass. A token that another policy lets pass passes all the same, as in the
/// reference, which asks policies for service tokens first.
pub const DENY: &str = "deny";

/// A policy: one of `include` and all of `require` must speak of a request, and none of `exclude`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// A UUID, which applications name.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// For people.
    pub name: String,
    /// [`SERVICE_AUTH`] or [`DENY`].
    pub decision: String,
    /// One must apply.
    pub include: Vec<Rule>,
    /// All must apply.
    #[serde(default)]
    pub require: Vec<Rule>,
    /// None may apply.
    #[serde(default)]
    pub exclude: Vec<Rule>,
    /// Told back, and of no effect here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_duration: Option<String>,
    /// Whether it was made by itself and not within an application.
    pub is_reusable: bool,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// What a policy can say of a request; spelled as the API does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// It shows this service token.
    ServiceToken {
        /// The token's id.
        token_id: String,
    },
    /// It shows any service token that is valid.
    AnyValidServiceToken {},
}

/// A hostname, perhaps below a path, and the policies that let requests pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Application {
    /// A UUID.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// For people.
    pub name: String,
    /// The hostname, in lower case.
    pub hostname: String,
    /// The path below which it guards; empty for all.
    #[serde(default)]
    pub path: String,
    /// 64 hex digits: the audience of the assertions that the edge signs.
    pub aud: String,
    /// Ids of its policies, in their order.
    pub policies: Vec<String>,
    /// Refuses with 401 and not with 403.
    #[serde(default)]
    pub service_auth_401: bool,
    /// Also reads a token from this header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_header: Option<String>,
    /// Told back, and of no effect here.
    pub session_duration: String,
    /// Told back, and of no effect here: what concerns logins and browsers.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub others: Map<String, Value>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}
