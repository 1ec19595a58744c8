//! The files that a browser is given.

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Its name, its type, and what is in it.
type Asset = (&'static str, &'static str, &'static str);

macro_rules! assets {
    ($($kind:ident $name:literal,)*) => {
        [$(($name, $kind, include_str!(concat!("assets/", $name)))),*]
    };
}

const INDEX: Asset = ("index.html", HTML, include_str!("assets/index.html"));

pub(super) const ASSETS: [Asset; 35] = assets![
    JS "access.js",
    JS "api.js",
    JS "api_tokens.js",
    JS "applications.js",
    JS "audit.js",
    CSS "base.css",
    JS "certificates.js",
    JS "chart.js",
    CSS "charts.css",
    JS "commands.js",
    JS "config.js",
    JS "config_edit.js",
    JS "config_fields.js",
    JS "configs.js",
    JS "create_private.js",
    JS "create_public.js",
    JS "credentials.js",
    JS "dom.js",
    JS "format.js",
    JS "hostnames.js",
    SVG "icon.svg",
    JS "live.js",
    JS "login.js",
    JS "main.js",
    JS "nodes.js",
    JS "overview.js",
    CSS "parts.css",
    JS "parts.js",
    JS "policies.js",
    JS "sortable.js",
    JS "steps.js",
    JS "strings.js",
    JS "traffic.js",
    JS "tunnel.js",
    JS "tunnels.js",
];

pub(super) async fn index(headers: HeaderMap) -> Response {
    answer(&INDEX, &headers)
}

pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some(asset) => answer(asset, &headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A browser keeps a file, and asks each time whether it is still the same: another version has others.
fn answer((_, kind, content): &Asset, headers: &HeaderMap) -> Response {
    let hash = Sha256::digest(content);
    let tag = format!("\"{}\"", hex::encode(hash.get(..16).unwrap_or_default()));
    let kept = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(header::CONTENT_TYPE, *kind)], *content).into_response()
}
