//! The API, `/client/v4`: what `wrangler`, `cloudflared`, Terraform and the SDKs ask, and what they do not know to ask.
//!
//! * `caller`: who asks and what they may, before anything else. `sessions`, `own_page`: the same of a browser.
//! * `envelope`, `body`, `query`: what answers and requests look like. `state`: what handlers work on.
//! * `hyperdrive`, `credentials`, `certificates`: configs and what belongs to them.
//! * `activity`: what clients do, ours.
//! * `access`, `tunnels`: who may pass an edge, and where its hostnames lead; `claims`: whose a hostname is.
//! * `user`: accounts, zones, tokens, the audit log. `document`: all of it for machines.
//!
//! A handler reads a body, and changes the world by a pure function; see [`crate::plane`].

mod access;
mod activity;
mod body;
mod caller;
mod certificates;
mod claims;
mod credentials;
mod document;
mod envelope;
mod guesses;
mod hyperdrive;
mod ids;
#[cfg(test)]
mod intruders;
mod own_page;
mod query;
mod sessions;
mod state;
#[cfg(test)]
mod tests;
mod tunnels;
mod user;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, header},
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse as _, Response},
    routing::get,
};

pub(crate) use self::{
    body::read,
    caller::{bearer, find, recognize, unauthenticated},
    envelope::{CONFLICT, THROTTLED, UNAVAILABLE},
    ids::{new_hex_id, new_secret, new_uuid},
    own_page::{check_own_page, is_over_tls},
    sessions::{Session, no_cookie},
};
pub use self::{
    caller::Caller,
    envelope::{ApiError, Envelope, Page},
    query::Query,
    state::{Api, BASE},
    user::make_token,
};

/// More than any request needs.
const BODY_MAX: usize = 512 * 1024;

impl Api {
    /// The whole API. A request that carries a [`Caller`] among its extensions is one of a tool beside the store.
    pub fn router(self) -> Router {
        let routes = Router::new()
            .merge(user::routes())
            .merge(hyperdrive::routes())
            .merge(activity::routes())
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
            .layer(from_fn_with_state(self.clone(), hyperdrive::declared::read_only))
            .layer(from_fn_with_state(self.clone(), caller::authorize))
            .route("/openapi.json", get(document::shown))
            .layer(map_response(in_our_words))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .with_state(self);
        Router::new().nest(BASE, routes)
    }
}

/// What axum refuses by itself (a body that is too large, a path that is not UTF-8), as clients of the API read it.
async fn in_our_words(response: Response) -> Response {
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let reason = status.canonical_reason().unwrap_or("refused");
    ApiError::new(status, envelope::INVALID, reason.to_lowercase()).into_response()
}
