//! The assertions of one edge: signed once an hour for each token of an application, not once for
//! each request, so that a storm of requests costs no storm of signatures.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use parking_lot::RwLock;

use crate::{
    access::{AssertionError, Claims, SigningKeys, judge::Allowed},
    state::UnixSeconds,
};

/// Signs, and remembers what it has signed.
pub(super) struct Assertions {
    issuer: String,
    keys: RwLock<Arc<SigningKeys>>,
    /// By key id, audience and client id.
    signed: Cache<(String, String, String), Arc<str>>,
}

impl Assertions {
    pub(super) fn new(issuer: String, keys: Arc<SigningKeys>) -> Self {
        let signed = Cache::builder().max_capacity(MAX_SIGNED).time_to_live(SIGNED_FOR).build();
        Self { issuer, keys: RwLock::new(keys), signed }
    }

    /// The keys in use.
    pub(super) fn keys(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.keys.read())
    }

    /// Goes on with other keys.
    pub(super) fn set_keys(&self, keys: Arc<SigningKeys>) {
        *self.keys.write() = keys;
    }

    /// The assertion for a request that may pass.
    pub(super) fn find(
        &self,
        allowed: &Allowed,
        now: UnixSeconds,
    ) -> Result<Arc<str>, AssertionError> {
        let keys = self.keys();
        let (aud, client_id) = (&allowed.aud, &allowed.identity.client_id);
        let entry = (keys.newest_id().to_owned(), aud.clone(), client_id.clone());
        let sign = || keys.sign(&Claims::new(&self.issuer, aud, client_id, now)).map(Arc::from);
        self.signed.try_get_with(entry, sign).map_err(|error| *error)
    }
}

const MAX_SIGNED: u64 = 10_000;
/// Much shorter than an assertion is valid, and than an old key is still published.
const SIGNED_FOR: Duration = Duration::from_secs(60 * 60);
