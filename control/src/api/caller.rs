//! Who asks, and what he may: one place for all of the API.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};

use super::{
    envelope::{ApiError, FORBIDDEN, UNAUTHENTICATED},
    own_page::check_own_page,
    sessions::Session,
    state::{Api, BASE},
};
use crate::{
    moment::Moment,
    plane::{Actor, World},
    resources::{ApiToken, Scope},
};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// By which token.
    pub token: Arc<ApiToken>,
    /// From where; none for a tool beside the store.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// For the audit log.
    pub fn actor(&self) -> Actor {
        let whence = self.address.map_or_else(|| String::from("tool"), |it| it.to_string());
        Actor { who: self.token.name.clone(), whence }
    }

    /// Whether he may see this account.
    pub fn may_see(&self, account: &str) -> bool {
        self.token.account.as_deref().is_none_or(|only| only == account)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        // `authorize` has put it there.
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthenticated)
    }
}

/// Lets a request pass whose token is valid and large enough for what it asks.
pub(super) async fn authorize(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Response {
    // A tool beside the store comes with its caller.
    if request.extensions().get::<Caller>().is_none() {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
        match identify(&api, request.method(), request.headers(), address).await {
            Ok(token) => request.extensions_mut().insert(Caller { token, address }),
            Err(error) => return error.into_response(),
        };
    }
    let caller = request.extensions().get::<Caller>().cloned();
    let allowed = caller.ok_or_else(unauthenticated).and_then(|caller| {
        may(&caller, request.method(), request.uri().path(), &api.plane.known())
    });
    match allowed {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// By a token or, from a page of ours, by a session.
async fn identify(
    api: &Api,
    method: &Method,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<Arc<ApiToken>, ApiError> {
    if let Some(text) = bearer(headers) {
        return recognize(api, text, address).await;
    }
    let session = Session::shown(api.plane.keyring(), headers).ok_or_else(unauthenticated)?;
    check_own_page(method, headers)?;
    let world = api.plane.current().await?;
    session.token(&world).ok_or_else(unauthenticated)
}

/// The token of this text. Whoever guesses has to wait, and costs the store nothing meanwhile; who has a token that is known
/// does not wait for a neighbour that guesses.
pub(crate) async fn recognize(
    api: &Api,
    text: &str,
    address: Option<IpAddr>,
) -> Result<Arc<ApiToken>, ApiError> {
    if let Some(known) = find(&api.plane.known(), text) {
        return Ok(known);
    }
    if let Some(address) = address {
        api.guesses.check(address)?;
    }
    let world = api.plane.current().await?;
    let found = find(&world, text);
    if found.is_none()
        && let Some(address) = address
    {
        api.guesses.failed(address);
        tracing::info!(%address, "a token of the API was refused");
    }
    found.ok_or_else(unauthenticated)
}

/// The token that a request shows, by either of its names.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = authorization.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| headers.get("x-auth-key")?.to_str().ok()).filter(|token| !token.is_empty())
}

/// The token of this text, if it is valid. What is compared is a hash, so that the time tells nothing of the text.
pub(crate) fn find(world: &World, text: &str) -> Option<Arc<ApiToken>> {
    let sha256 = hex::encode(Sha256::digest(text));
    let now = Moment::now();
    let found = world.api_tokens.iter().find(|token| token.sha256 == sha256)?;
    found.expires_at.is_none_or(|end| now < end).then(|| Arc::clone(found))
}

/// Whether a request may be made at all. What it concerns within the account is the handler's business.
fn may(caller: &Caller, method: &Method, path: &str, world: &World) -> Result<(), ApiError> {
    let is_look = matches!(*method, Method::GET | Method::HEAD);
    let path = path.strip_prefix(BASE).unwrap_or(path);
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_about_rights = match segments.as_slice() {
        ["user", "tokens", "verify"] => false,
        ["user", "tokens", ..] | ["audit", ..] => true,
        ["accounts", _, "tokens" | "audit", ..] => true,
        ["accounts"] | ["accounts", _] => !is_look,
        _ => false,
    };
    // Whoever has the token of a tunnel can take its streams.
    let is_secret = matches!(segments.as_slice(), ["accounts", _, "cfd_tunnel", _, "token"]);
    let needed = match (is_about_rights, is_look && !is_secret) {
        (true, _) => Scope::Admin,
        (false, true) => Scope::Read,
        (false, false) => Scope::Edit,
    };
    let has = caller.token.scope;
    if has < needed {
        let message =
            format!("this needs a token of the scope {needed:?}, and this one has {has:?}");
        return Err(ApiError::forbidden(message.to_lowercase()));
    }
    let account = match segments.as_slice() {
        ["accounts", account, ..] => Some(*account),
        ["zones", zone, ..] => {
            let zone = world.zones.get(zone).ok_or_else(|| ApiError::missing("zone", zone))?;
            Some(zone.account.as_str())
        }
        _ => None,
    };
    match account {
        Some(account) if !caller.may_see(account) || world.accounts.get(account).is_none() => {
            let message = format!(
                "there is no account {account:?} that this token may see; GET /accounts lists those"
            );
            Err(ApiError::new(StatusCode::FORBIDDEN, FORBIDDEN, message))
        }
        _ => Ok(()),
    }
}

/// What somebody is told whom nobody knows.
pub(crate) fn unauthenticated() -> ApiError {
    let message = "Authentication error: send a valid API token as `Authorization: Bearer …`";
    ApiError::new(StatusCode::UNAUTHORIZED, UNAUTHENTICATED, message)
}
