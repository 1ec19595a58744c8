//! The API, `/client/v4`: what `wrangler`, `cloudflared`, Terraform and the SDKs ask, and what they do not know to ask.
//!
//! * `caller`: who asks and what they may, before anything else.
//! * `envelope`, `body`: what answers and requests look like.
//! * `hyperdrive`, `credentials`, `certificates`: configs and what belongs to them.
//! * `access`, `tunnels`: who may pass an edge, and where its hostnames lead; `claims`: whose a hostname is.
//! * `user`: accounts, zones, tokens, the audit log.
//!
//! A handler reads a body, and changes the world by a pure function; see [`crate::plane`].

mod access;
mod body;
mod caller;
mod certificates;
mod claims;
mod credentials;
mod envelope;
mod hyperdrive;
#[cfg(test)]
mod tests;
mod tunnels;
mod user;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::{StatusCode, request::Parts},
    middleware::from_fn_with_state,
};

use self::caller::Guesses;
pub(crate) use self::{
    body::read,
    caller::{bearer, find, unauthenticated},
    envelope::{CONFLICT, THROTTLED, UNAVAILABLE},
};
pub use self::{
    caller::Caller,
    envelope::{ApiError, Envelope, Page},
    user::make_token,
};
use crate::{fleet::Fleet, plane::Plane};

/// What every path begins with.
pub const BASE: &str = "/client/v4";
/// More than any request needs.
const BODY_MAX: usize = 512 * 1024;

/// What handlers work on.
#[derive(Clone, Debug)]
pub struct Api {
    /// What is kept.
    pub plane: Arc<Plane>,
    /// The nodes.
    pub fleet: Arc<dyn Fleet>,
    guesses: Arc<Guesses>,
}

impl Api {
    /// Of this plane and its nodes.
    pub fn new(plane: Arc<Plane>, fleet: Arc<dyn Fleet>) -> Self {
        Self { plane, fleet, guesses: Arc::default() }
    }

    /// The whole API. A request that carries a [`Caller`] among its extensions is one of a tool beside the store.
    pub fn router(self) -> Router {
        let routes = Router::new()
            .merge(user::routes())
            .merge(hyperdrive::routes())
            .merge(credentials::routes())
            .merge(certificates::routes())
            .merge(access::routes())
            .merge(tunnels::routes())
            .fallback(async || {
                ApiError::new(
                    StatusCode::NOT_FOUND,
                    envelope::MISSING,
                    "there is no such path in this API",
                )
            })
            .method_not_allowed_fallback(async || {
                let message = "this path does not take this method";
                ApiError::new(StatusCode::METHOD_NOT_ALLOWED, envelope::INVALID, message)
            })
            .layer(from_fn_with_state(self.clone(), caller::authorize))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .with_state(self);
        Router::new().nest(BASE, routes)
    }
}

/// What stands behind the `?` of a request.
#[derive(Clone, Debug, Default)]
pub struct Query(HashMap<String, String>);

impl Query {
    /// A value that is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether it says yes to this.
    pub fn is(&self, key: &str) -> Option<bool> {
        self.get(key).map(|value| value == "true" || value == "1")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self(pairs.into_owned().collect()))
    }
}

/// 32 random hex digits.
pub(crate) fn new_hex_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// A random UUID.
pub(crate) fn new_uuid() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

/// A text that only whoever is told it can know: 256 bits, in hex.
pub(crate) fn new_secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
