//! Whether a page of ours asks: what a cookie alone does not say.

use axum::http::{HeaderMap, Method, header};

use super::envelope::ApiError;

/// What only a script of the same origin can send.
const CSRF_HEADER: &str = "x-jumpgate-csrf";

/// Refuses what a page of somebody else may have had the browser send.
pub(crate) fn check_own_page(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let is_look = matches!(*method, Method::GET | Method::HEAD);
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_ours = match (text("sec-fetch-site"), text("origin")) {
        // The browser itself says it, and no page can; not over plain HTTP, though.
        (Some(site), _) => site == "same-origin" || (site == "none" && is_look),
        (None, Some(origin)) => {
            let host = text("host").unwrap_or_default();
            let place = origin.split_once("://").map_or("", |(_, place)| place);
            !host.is_empty() && place.eq_ignore_ascii_case(host)
        }
        (None, None) => is_look,
    };
    if is_ours && (is_look || headers.contains_key(CSRF_HEADER)) {
        return Ok(());
    }
    let message = format!(
        "a session serves the pages of this control node alone, which send {CSRF_HEADER}; a program sends a token"
    );
    Err(ApiError::forbidden(message))
}

/// Whether the browser came over TLS, perhaps to a proxy in front of us: it says so in what it sends with each change.
pub(crate) fn is_over_tls(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}
