//! The dashboard: pages in a browser, which ask the API for all that they show.
//!
//! * `assets`: the files, as they are beside this one. Nothing is built, and nothing comes from elsewhere.
//! * `login`: a session in the place of a token.
//!
//! The pages put no text of anybody into markup: `assets/dom.js` makes every element, and the policy that goes with each
//! answer refuses inline code, other origins and strings that would become markup.

mod assets;
mod login;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::api::Api;

/// All that a browser asks for besides the API.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(assets::index))
        .route("/assets/{name}", get(assets::asset))
        .route("/session", get(login::shown).post(login::open).delete(login::close))
        .fallback(async || (StatusCode::NOT_FOUND, "There is no such page; the first one is /.\n"))
        .layer(DefaultBodyLimit::max(login::BODY_MAX))
        .layer(map_response(guarded))
        .with_state(api)
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What a browser is to refuse on these pages.
const GUARDS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

async fn guarded(mut response: Response) -> Response {
    response.headers_mut().extend(GUARDS);
    response.into_response()
}
