//! How writes that go around the proxy are learnt of.

use std::time::Duration;

use origin::config::OriginConfig;

use super::fingerprint::Fingerprint;

/// How writes that go around the proxy are learnt of: from the log of the origin itself.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// The origin, with the login of the capture.
    pub origin: OriginConfig,
    /// PostgreSQL's replication slot; `None` for a temporary one.
    pub slot: Option<String>,
    /// PostgreSQL's publication.
    pub publication: String,
    /// While changes come later than that nothing is cached.
    pub max_lag: Duration,
    /// What is read may be kept for longer than its age, until it changes.
    pub until_changed: bool,
    /// Of all this: who captures begins anew with a config that has another.
    pub fingerprint: Fingerprint,
}

impl CaptureConfig {
    /// As it is where nobody says more of it.
    pub fn usual(origin: OriginConfig, fingerprint: Fingerprint) -> Self {
        Self {
            origin,
            slot: None,
            publication: String::from("jumpgate"),
            max_lag: Duration::from_secs(10),
            until_changed: false,
            fingerprint,
        }
    }
}
