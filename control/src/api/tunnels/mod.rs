//! `/accounts/{account}/cfd_tunnel`, and the hostnames that lead to tunnels: what `cloudflared`, `wrangler tunnel` and the SDKs
//! ask.
//!
//! * `found`: the one that is meant; `asked`: what is asked of a tunnel; `shown`: what is shown of one; `listing`: which are listed.
//! * `configuration`: its rules. `connections`: who is connected for it.
//! * `hostnames`: what leads to it.

mod asked;
mod configuration;
mod connections;
mod found;
mod hostnames;
mod listing;
mod shown;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use self::{
    asked::Asked,
    found::{find, find_live},
    listing::Filter,
    shown::shown,
};
use super::{
    Api, Caller, Query, body,
    envelope::{ApiError, Envelope, Page},
    new_uuid,
};
use crate::{
    model::Secret,
    moment::Moment,
    plane::Edit,
    resources::{Hostname, Tunnel, TunnelSecret},
};

/// How long what is deleted is shown.
const SHOWN_DELETED: Duration = Duration::from_secs(30 * 24 * 3600);
/// The reference's code for a tunnel that cannot be deleted yet.
const HAS_CONNECTIONS: u32 = 1022;

pub(super) fn routes() -> Router<Api> {
    let all = "/accounts/{account}/cfd_tunnel";
    Router::new()
        .route(all, get(list).post(create))
        // Those of every kind, of which there is one.
        .route("/accounts/{account}/tunnels", get(list))
        .route(&format!("{all}/{{id}}"), get(one).patch(update).delete(delete))
        .route(&format!("{all}/{{id}}/token"), get(token))
        .merge(configuration::routes(all))
        .merge(connections::routes(all))
        .merge(hostnames::routes())
}

async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let filter = Filter::of(&query)?;
    let mut ours: Vec<_> =
        world.tunnels.iter().filter(|tunnel| tunnel.account == account).collect();
    ours.sort_by_key(|tunnel| (tunnel.created_at, &tunnel.id));
    let seen = ours.into_iter().filter_map(|tunnel| {
        let clients = api.fleet.connections(&tunnel.id);
        filter.takes(tunnel, &clients).then(|| shown(tunnel, &clients))
    });
    Ok(Envelope::page(seen.collect(), Page::of(&query)?))
}

async fn one(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let tunnel = find(&*api.plane.current().await?, &account, &id)?;
    Ok(Envelope::of(shown(&tunnel, &api.fleet.connections(&tunnel.id))))
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path(account): Path<String>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let tunnel = asked.tunnel(new_uuid(), account, Moment::now())?;
    let made = api.plane.change(caller.actor(), "create tunnel", |edit| {
        put(edit, tunnel.clone())?;
        Ok::<_, ApiError>(told(&tunnel))
    });
    Ok(Envelope::of(made.await?))
}

/// Keeps a tunnel whose name no other of its account has.
fn put(edit: &mut Edit, tunnel: Tunnel) -> Result<(), ApiError> {
    let is_taken = edit.tunnels.iter().any(|other| {
        other.account == tunnel.account
            && other.id != tunnel.id
            && other.deleted_at.is_none()
            && other.name == tunnel.name
    });
    if is_taken {
        // The status by which `cloudflared` knows it.
        let error = ApiError::taken("tunnel", &tunnel.name);
        return Err(ApiError { status: StatusCode::CONFLICT, ..error });
    }
    edit.put(tunnel);
    Ok(())
}

/// With its token, as the answer to a creation has it.
fn told(tunnel: &Tunnel) -> Value {
    let mut told = shown(tunnel, &[]);
    told["token"] = json!(token_text(tunnel).as_deref());
    told["credentials_file"] = json!({
        "AccountTag": tunnel.account_tag(),
        "TunnelID": tunnel.id,
        "TunnelName": tunnel.name,
        "TunnelSecret": tunnel.secret.base64.as_ref().map(Secret::expose),
    });
    told
}

/// What `--token` takes; `None` where the secret is not known.
fn token_text(tunnel: &Tunnel) -> Option<Zeroizing<String>> {
    let secret = tunnel.secret.base64.as_ref()?;
    let fields = json!({ "a": tunnel.account_tag(), "t": tunnel.id, "s": secret.expose() });
    let json = Zeroizing::new(fields.to_string());
    Some(Zeroizing::new(STANDARD.encode(json.as_bytes())))
}

async fn token(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let tunnel = find_live(&*api.plane.current().await?, &account, &id)?;
    let token = token_text(&tunnel).ok_or_else(|| {
        let message = "the tunnel was imported, with its secret's hash alone: its connectors have the token; PATCH a new \
            tunnel_secret to have another one";
        ApiError::invalid(message)
    })?;
    Ok(Envelope::of(token.as_str()))
}

async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let now = Moment::now();
    let changed = api.plane.change(caller.actor(), "update tunnel", |edit| {
        let tunnel = asked.over(&*find_live(edit, &account, &id)?, now)?;
        put(edit, tunnel.clone())?;
        Ok::<_, ApiError>(tunnel)
    });
    let tunnel = changed.await?;
    Ok(Envelope::of(shown(&tunnel, &api.fleet.connections(&tunnel.id))))
}

/// Deletes a tunnel and what leads to it. It is shown for a while, without its secret.
async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let found = find_live(&*api.plane.current().await?, &account, &id)?;
    let is_active = !api.fleet.connections(&found.id).is_empty();
    if is_active && query.is("cascade") != Some(true) {
        let message = format!(
            "the tunnel {:?} has active connections; stop its connectors, or delete it with cascade=true (cloudflared: -f)",
            found.name
        );
        return Err(ApiError::new(StatusCode::BAD_REQUEST, HAS_CONNECTIONS, message));
    }
    let now = Moment::now();
    let gone = api.plane.change(caller.actor(), "delete tunnel", |edit| {
        let tunnel = find_live(edit, &account, &found.id)?;
        let names = edit.hostnames.iter().filter(|it| it.tunnel == tunnel.id);
        for name in names.map(|it| it.name.clone()).collect::<Vec<_>>() {
            edit.delete::<Hostname>(&name);
        }
        forget_old(edit, now);
        let tunnel = Tunnel {
            deleted_at: Some(now),
            secret: TunnelSecret::default(),
            previous: None,
            ..Tunnel::clone(&tunnel)
        };
        edit.put(tunnel.clone());
        Ok::<_, ApiError>(tunnel)
    });
    let tunnel = gone.await?;
    if is_active {
        api.fleet.disconnect(&tunnel.id, None).await;
    }
    Ok(Envelope::of(shown(&tunnel, &[])))
}

/// Forgets what was deleted long ago.
fn forget_old(edit: &mut Edit, now: Moment) {
    let is_old = |tunnel: &&Arc<Tunnel>| {
        tunnel.deleted_at.is_some_and(|then| then.after(SHOWN_DELETED) < now)
    };
    let old: Vec<_> = edit.tunnels.iter().filter(is_old).map(|tunnel| tunnel.id.clone()).collect();
    for id in old {
        edit.delete::<Tunnel>(&id);
    }
}
