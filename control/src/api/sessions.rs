//! Sessions of the dashboard: a cookie in the place of a token.
//!
//! The cookie holds a random id that this process alone knows, and nothing of the token. Another control node does not know
//! it and asks for a login of its own, as does this one after a restart.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::http::{HeaderMap, header};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::ids::new_secret;
use crate::{moment::Moment, plane::World, resources::ApiToken};

/// A browser takes this name only from the host itself over TLS, so that no neighbour can plant one.
const SECURE_COOKIE: &str = "__Host-jumpgate";
const PLAIN_COOKIE: &str = "jumpgate";
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// The oldest makes room for one more.
const SESSIONS_MAX: usize = 1024;

/// Who is logged in, by the hash of the cookie's id.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Debug)]
struct Session {
    /// The id of the token.
    token: String,
    /// The hash of the token's text: a new text ends the session.
    sha256: String,
    opened: Instant,
}

impl Sessions {
    /// A new session of this token; what its cookie is set with.
    pub(crate) fn open(&self, token: &ApiToken, is_secure: bool) -> String {
        let id = new_secret();
        let mut known = self.0.lock();
        known.retain(|_, session| session.opened.elapsed() < LIFETIME);
        if known.len() >= SESSIONS_MAX {
            let oldest = known.iter().min_by_key(|(_, session)| session.opened);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                known.remove(&oldest);
            }
        }
        let (token, sha256) = (token.id.clone(), token.sha256.clone());
        known.insert(hash(&id), Session { token, sha256, opened: Instant::now() });
        cookie(&id, LIFETIME, is_secure)
    }

    /// Ends the session of a request; what its cookie is taken away with.
    pub(crate) fn close(&self, headers: &HeaderMap, is_secure: bool) -> String {
        if let Some(id) = shown(headers) {
            self.0.lock().remove(&hash(id));
        }
        cookie("", Duration::ZERO, is_secure)
    }

    /// Whether a request shows a session at all: the store is not asked for strangers.
    pub(crate) fn knows(&self, headers: &HeaderMap) -> bool {
        shown(headers).is_some_and(|id| self.0.lock().contains_key(&hash(id)))
    }

    /// The token whose session a request shows, as it is now: neither deleted nor expired nor given another text.
    pub(crate) fn find(&self, world: &World, headers: &HeaderMap) -> Option<Arc<ApiToken>> {
        let id = hash(shown(headers)?);
        let mut known = self.0.lock();
        let session = known.get(&id)?;
        let token = world.api_tokens.get(&session.token).filter(|token| {
            session.opened.elapsed() < LIFETIME
                && token.sha256 == session.sha256
                && token.expires_at.is_none_or(|end| Moment::now() < end)
        });
        if token.is_none() {
            known.remove(&id);
        }
        token.cloned()
    }
}

/// The id that a request shows.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let named = |name: &str| {
        let all = headers.get_all(header::COOKIE).into_iter();
        let pairs = all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, id)| id)
    };
    named(SECURE_COOKIE).or_else(|| named(PLAIN_COOKIE)).filter(|id| !id.is_empty())
}

fn cookie(id: &str, lifetime: Duration, is_secure: bool) -> String {
    let (name, secure) = if is_secure { (SECURE_COOKIE, "; Secure") } else { (PLAIN_COOKIE, "") };
    let seconds = lifetime.as_secs();
    format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// What is kept is a hash, so that neither the time of a look-up nor a dump tells an id.
fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}
