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
    keys: RwLock<Arc<SigningKeys>>,
    /// By key id, hostname, audience and client id.
    signed: Cache<[String; 4], Arc<str>>,
}

impl Assertions {
    pub(super) fn new(keys: Arc<SigningKeys>) -> Self {
        let signed = Cache::builder().max_capacity(MAX_SIGNED).time_to_live(SIGNED_FOR).build();
        Self { keys: RwLock::new(keys), signed }
    }

    /// The keys in use.
    pub(super) fn keys(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.keys.read())
    }

    /// Goes on with other keys.
    pub(super) fn set_keys(&self, keys: Arc<SigningKeys>) {
        *self.keys.write() = keys;
    }

    /// The assertion for a request to this host that may pass. Its issuer is the hostname, where the
    /// keys are served that it is verified with.
    pub(super) fn find(
        &self,
        host: &str,
        allowed: &Allowed,
        now: UnixSeconds,
    ) -> Result<Arc<str>, AssertionError> {
        let keys = self.keys();
        let (aud, client_id) = (&allowed.aud, &allowed.identity.client_id);
        let entry = [keys.newest_id(), host, aud, client_id].map(str::to_owned);
        let issuer = format!("https://{host}");
        let sign = || keys.sign(&Claims::new(&issuer, aud, client_id, now)).map(Arc::from);
        self.signed.try_get_with(entry, sign).map_err(|error| *error)
    }
}

const MAX_SIGNED: u64 = 10_000;
/// Much shorter than an assertion is valid, and than an old key is still published.
const SIGNED_FOR: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{
            ServiceToken,
            judge::{Place, judge},
        },
        http1::Request,
        state::{State, TokenRecord},
        token::TunnelId,
    };

    /// What Access says of the token with this client id.
    fn allow(client_id: &str) -> Allowed {
        let token = TokenRecord::of("t", &ServiceToken::new(client_id, "s").expect("valid"));
        let mut state = State::default();
        state.guard("db.test", TunnelId::random(), &[token.id]);
        state.service_tokens.push(token);
        let head = format!(
            "GET / HTTP/1.1\r\nCf-Access-Client-Id: {client_id}\r\nCf-Access-Client-Secret: s\r\n\r\n"
        );
        let request = Request::parse(head.as_bytes()).expect("a head");
        let place = Place { host: "db.test".to_owned(), path: "/".to_owned() };
        judge(&state, &place, &request.headers, 0).expect("allowed")
    }

    #[test]
    fn an_assertion_is_signed_once_for_each_token_and_key() {
        let keys = || Arc::new(SigningKeys::generate(0).expect("a key"));
        let assertions = Assertions::new(keys());
        let find = |id, now| assertions.find("db.test", &allow(id), now).expect("signed");
        let first = find("a.access", 1);
        assert!(Arc::ptr_eq(&first, &find("a.access", 2)), "not signed again");
        assert_ne!(first, find("b.access", 1));
        assertions.set_keys(keys());
        assert_ne!(first, find("a.access", 1));
    }
}
