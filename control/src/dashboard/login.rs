//! `/session`: logging in with a token, out, and who is logged in.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, header},
    response::IntoResponse,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, ApiError, Envelope, check_own_page, is_over_tls, read, recognize},
    resources::{ApiToken, Scope},
};

/// More than a token needs.
pub(super) const BODY_MAX: usize = 4096;

fn seen(token: &ApiToken) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "account_id": token.account,
        "expires_on": token.expires_at,
    })
}

/// Who is logged in; null for nobody, which is no failure.
pub(super) async fn shown(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Envelope, ApiError> {
    check_own_page(&Method::GET, &headers)?;
    if !api.sessions.knows(&headers) {
        return Ok(Envelope::of(Value::Null));
    }
    let world = api.plane.current().await?;
    let token = api.sessions.find(&world, &headers);
    Ok(Envelope::of(token.map_or(Value::Null, |token| seen(&token))))
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

pub(super) async fn open(
    State(api): State<Api>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
    let (parts, body) = request.into_parts();
    check_own_page(&Method::POST, &parts.headers)?;
    let body = axum::body::to_bytes(body, BODY_MAX).await;
    let body = body.map_err(|_too_long| ApiError::invalid("the body is too long"))?;
    let Login { token } = read(&body)?;
    let token = recognize(&api, token.trim(), address).await?;
    if token.scope == Scope::Node {
        return Err(ApiError::forbidden(
            "this is a node's token, which may ask nothing of the API; log in with one of the scope read, edit or admin",
        ));
    }
    tracing::info!(who = token.name, ?address, "logged in to the dashboard");
    let cookie = api.sessions.open(&token, is_over_tls(&parts.headers));
    Ok(([(header::SET_COOKIE, cookie)], Envelope::of(seen(&token))))
}

pub(super) async fn close(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    check_own_page(&Method::DELETE, &headers)?;
    let cookie = api.sessions.close(&headers, is_over_tls(&headers));
    Ok(([(header::SET_COOKIE, cookie)], Envelope::nothing()))
}
