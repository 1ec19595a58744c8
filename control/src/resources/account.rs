//! Accounts, and what belongs to one as a whole.

use serde::{Deserialize, Serialize};

use crate::{kept, model::Secret, moment::Moment};

/// Whom things belong to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// 32 hex digits.
    pub id: String,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: Moment,
}

/// What hostnames are in. Any hostname may be in any: the name is for people and tools that ask for one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Zone {
    /// 32 hex digits.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: Moment,
}

/// What a bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Follow the plane as a node, which is told every secret; and nothing of the API.
    Node,
    /// Look.
    Read,
    /// Look and change.
    Edit,
    /// All of that, and API tokens, accounts and the audit log.
    Admin,
}

/// A token of the API or of a node, without the token itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiToken {
    /// 32 hex digits.
    pub id: String,
    /// For people.
    pub name: String,
    /// The SHA-256 of its text, in hex.
    pub sha256: String,
    /// What it may do.
    pub scope: Scope,
    /// The id of the only account in which it may; `None` for all.
    pub account: Option<String>,
    /// From then on it is not valid any more; `None` for one that never expires.
    pub expires_at: Option<Moment>,
    /// When it was made.
    pub created_at: Moment,
}

/// A session of the dashboard that was ended before its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndedSession {
    /// 32 hex digits.
    pub id: String,
    /// The id of its token.
    pub token: String,
    /// From then on nobody would take it anyway.
    pub until: Moment,
}

/// A certificate, perhaps with its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// A UUID.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// For people.
    pub name: String,
    /// It is of a CA, and has no key.
    pub is_ca: bool,
    /// PEM, the leaf first.
    pub certificates: String,
    /// PEM.
    #[serde(with = "kept::secret", default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<Secret>,
    /// Who issued the first.
    pub issuer: String,
    /// The serial number of the first, in hex.
    pub serial_number: String,
    /// The algorithm of its signature.
    pub signature: String,
    /// When the first expires.
    pub expires_on: Moment,
    /// When it came.
    pub uploaded_on: Moment,
}
