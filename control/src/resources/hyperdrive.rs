//! Configs, and the credentials that clients log in with.

use serde::{Deserialize, Serialize};

use crate::{
    draft::{CachingDraft, CaptureDraft, OriginDraft, PoolDraft},
    model::{Hashes, RoundTrips},
    moment::Moment,
};

/// A config as it was asked for; [`crate::view::proxy`] makes of it, of its credentials and certificates what a proxy is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hyperdrive {
    /// 32 hex digits.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// The database name in a client's connection string; unique in the whole store.
    pub name: String,
    /// Where the database is.
    pub origin: OriginDraft,
    /// Which reads may be answered from the cache.
    pub caching: CachingDraft,
    /// Which round trips a client is spared.
    #[serde(default, skip_serializing_if = "RoundTrips::is_usual")]
    pub round_trips: RoundTrips,
    /// How writes around the proxy are learnt of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureDraft>,
    /// How its TLS is checked, as it was spelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sslmode: Option<String>,
    /// The id of the certificate of the CAs that the database's may be from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate_id: Option<String>,
    /// The id of the certificate that the proxy shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls_certificate_id: Option<String>,
    /// How many connections there may be.
    pub pool: PoolDraft,
    /// When it was made.
    pub created_on: Moment,
    /// When it was last changed.
    pub modified_on: Moment,
    /// When its connections were last all given up at somebody's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_on: Option<Moment>,
}

/// What clients of a config log in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// A UUID.
    pub id: String,
    /// The id of its config.
    pub config: String,
    /// The user's name; unique in its config.
    pub user: String,
    /// What its password is checked against.
    pub password: Hashes,
    /// After a rotation: that of the password before, for as long as it is valid too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousPassword>,
    /// Most clients of this user at once; 0 for any number.
    #[serde(default)]
    pub max_connections: u32,
    /// When it was made.
    pub created_at: Moment,
}

/// The password before a rotation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreviousPassword {
    /// What it is checked against.
    pub password: Hashes,
    /// From then on it is not valid any more.
    pub expires_at: Moment,
}
