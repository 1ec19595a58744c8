//! Sessions of the dashboard: a cookie in the place of a token.
//!
//! The cookie is sealed with the key of the store, so that every control node of the store knows it, and none keeps it. What
//! is kept, until its time is over, is that a session was ended.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{envelope::ApiError, ids::new_hex_id};
use crate::{
    moment::Moment,
    plane::{Actor, ChangeError, Plane, World},
    resources::{ApiToken, EndedSession},
    seal::{Keyring, SealError, Sealed},
};

/// A browser takes this name only from the host itself over TLS, so that no neighbour can plant one.
const SECURE_COOKIE: &str = "__Host-jumpgate";
const PLAIN_COOKIE: &str = "jumpgate";
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// What it is sealed for: nothing that stands in the store is a cookie.
const PLACE: &str = "dashboard session";
const COOKIE_MAX: usize = 1024;
/// Ended sessions of one token that are remembered. Beyond that, a log-out takes away the browser's cookie alone.
const ENDED_MAX: usize = 256;

/// A session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Random.
    id: String,
    /// The id of the token.
    token: String,
    /// The hash of the token's text: a new text ends the session.
    sha256: String,
    /// Until then it lasts.
    until: Moment,
}

impl Session {
    /// A new one of this token.
    pub(crate) fn new(token: &ApiToken, now: Moment) -> Self {
        let (token, sha256) = (token.id.clone(), token.sha256.clone());
        Self { id: new_hex_id(), token, sha256, until: now.after(LIFETIME) }
    }

    /// What its cookie is set with.
    pub(crate) fn cookie(&self, keyring: &Keyring, is_secure: bool) -> Result<String, SealError> {
        let json = serde_json::to_vec(self).map_err(|_unwritable| SealError::Broken)?;
        let Sealed { key, text } = keyring.seal(PLACE, &json)?;
        let value = format!("{}.{text}", URL_SAFE_NO_PAD.encode(key));
        Ok(cookie(&value, LIFETIME, is_secure))
    }

    /// The one that a request shows, if it is one of ours whose time is not over: the store is not asked for strangers.
    pub(crate) fn shown(keyring: &Keyring, headers: &HeaderMap) -> Option<Self> {
        let (key, text) = shown(headers)?.split_once('.')?;
        let key = String::from_utf8(URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
        let json = keyring.open(PLACE, &Sealed { key, text: text.to_owned() }).ok()?;
        let session: Self = serde_json::from_slice(&json).ok()?;
        (Moment::now() < session.until).then_some(session)
    }

    /// Its token, as it is now: neither deleted nor expired nor given another text, and nobody has logged out.
    pub(crate) fn token(&self, world: &World) -> Option<Arc<ApiToken>> {
        let token = world.api_tokens.get(&self.token).filter(|token| {
            token.sha256 == self.sha256
                && token.expires_at.is_none_or(|end| Moment::now() < end)
                && world.ended_sessions.get(&self.id).is_none()
        });
        token.cloned()
    }

    /// Ends it, on all control nodes of the store.
    pub(crate) async fn end(&self, plane: &Plane, actor: Actor) -> Result<(), ApiError> {
        let ended = plane.change(actor, "log out", |edit| {
            let of_token = edit.ended_sessions.iter().filter(|ended| ended.token == self.token);
            if of_token.count() < ENDED_MAX && self.token(edit).is_some() {
                let (id, token, until) = (self.id.clone(), self.token.clone(), self.until);
                edit.put(EndedSession { id, token, until });
            }
            Ok::<_, ApiError>(())
        });
        ended.await.map_err(|error| match error {
            ChangeError::Refused(refusal) => refusal,
            ChangeError::Plane(error) => error.into(),
        })
    }
}

/// What takes a cookie away.
pub(crate) fn no_cookie(is_secure: bool) -> String {
    cookie("", Duration::ZERO, is_secure)
}

/// The cookie that a request shows.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let named = |name: &str| {
        let all = headers.get_all(header::COOKIE).into_iter();
        let pairs = all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let shown = named(SECURE_COOKIE).or_else(|| named(PLAIN_COOKIE));
    shown.filter(|value| (1..=COOKIE_MAX).contains(&value.len()))
}

fn cookie(value: &str, lifetime: Duration, is_secure: bool) -> String {
    let (name, secure) = if is_secure { (SECURE_COOKIE, "; Secure") } else { (PLAIN_COOKIE, "") };
    let seconds = lifetime.as_secs();
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
