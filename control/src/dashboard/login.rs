//! `/session`: logging in with a token, out, and who is logged in.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{
        Api, ApiError, Caller, Envelope, Session, check_own_page, is_over_tls, no_cookie, read,
        recognize,
    },
    moment::Moment,
    plane::PlaneError,
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
    let Some(session) = Session::shown(api.plane.keyring(), &headers) else {
        return Ok(Envelope::of(Value::Null));
    };
    let token = session.token(&*api.plane.current().await?);
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
    let address = address(&request);
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
    let session = Session::new(&token, Moment::now());
    let cookie = session.cookie(api.plane.keyring(), is_over_tls(&parts.headers));
    let cookie = cookie.map_err(PlaneError::from)?;
    Ok(([(header::SET_COOKIE, cookie)], Envelope::of(seen(&token))))
}

/// The browser's cookie goes in any case.
pub(super) async fn close(State(api): State<Api>, request: Request) -> Result<Response, ApiError> {
    let headers = request.headers();
    check_own_page(&Method::DELETE, headers)?;
    let cookie = [(header::SET_COOKIE, no_cookie(is_over_tls(headers)))];
    let Some(session) = Session::shown(api.plane.keyring(), headers) else {
        return Ok((cookie, Envelope::nothing()).into_response());
    };
    let Some(token) = session.token(&api.plane.known()) else {
        return Ok((cookie, Envelope::nothing()).into_response());
    };
    let caller = Caller { token, address: address(&request) };
    let ended = session.end(&api.plane, caller.actor()).await.map(|()| Envelope::nothing());
    Ok((cookie, ended).into_response())
}

fn address(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| peer.ip().to_canonical())
}
