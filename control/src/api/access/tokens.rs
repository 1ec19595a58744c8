//! `/accounts/{account}/access/service_tokens`: made, shown, rotated. The secret is told once.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::duration::duration;
use crate::{
    api::{
        Api, Caller, Query, body,
        body::Field,
        envelope::{ApiError, Envelope, Page},
        new_hex_id, new_secret, new_uuid,
        user::check_name,
    },
    moment::Moment,
    plane::{Edit, World},
    resources::{Policy, PreviousHash, Rule, ServiceToken},
};

/// How long a token is valid unless somebody says otherwise: a year.
const DURATION: &str = "8760h";

pub(super) fn routes() -> Router<Api> {
    let all = "/accounts/{account}/access/service_tokens";
    Router::new()
        .route(all, get(list).post(create))
        .route(&format!("{all}/{{id}}"), get(one).put(update).delete(delete))
        .route(&format!("{all}/{{id}}/rotate"), post(rotate))
        .route(&format!("{all}/{{id}}/refresh"), post(refresh))
}

/// A token of this account, by its id or its name.
fn find(world: &World, account: &str, id: &str) -> Result<Arc<ServiceToken>, ApiError> {
    let mut ours = world.service_tokens.iter().filter(|token| token.account == account);
    let by_id = world.service_tokens.get(id).filter(|token| token.account == account);
    let found = by_id.or_else(|| ours.find(|token| token.name == id));
    found.cloned().ok_or_else(|| ApiError::missing("service token", id))
}

fn shown(token: &ServiceToken) -> Value {
    let previous = token.previous.as_ref().filter(|it| it.expires_at > Moment::now());
    json!({
        "id": token.id,
        "name": token.name,
        "client_id": token.client_id,
        "duration": token.duration,
        "enabled": token.is_enabled,
        "client_secret_version": token.version,
        "previous_client_secret_expires_at": previous.map(|previous| previous.expires_at),
        "created_at": token.created_at,
        "updated_at": token.updated_at,
        "expires_at": token.expires_at,
    })
}

/// With the secret, which is not shown again.
fn told(token: &ServiceToken, secret: &str) -> Value {
    let mut shown = shown(token);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert(String::from("client_secret"), Value::from(secret));
    }
    shown
}

async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let ours = world.service_tokens.iter().filter(|token| {
        token.account == account
            && query.get("name").is_none_or(|name| token.name == name)
            && query.get("search").is_none_or(|text| token.name.contains(text))
    });
    let mut ours: Vec<_> = ours.collect();
    ours.sort_by_key(|token| (token.created_at, &token.id));
    Ok(Envelope::page(ours.into_iter().map(|it| shown(it)).collect(), Page::of(&query)?))
}

async fn one(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    Ok(Envelope::of(shown(&*find(&world, &account, &id)?)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    name: Option<String>,
    duration: Option<String>,
    enabled: Option<bool>,
    /// A greater one than that which is there rotates.
    client_secret_version: Option<u32>,
    previous_client_secret_expires_at: Field<Moment>,
    /// Ours, in the place of a moment: seconds.
    overlap: Option<u64>,
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path(account): Path<String>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let name = asked.name.ok_or_else(|| ApiError::invalid("name is missing: add \"name\""))?;
    let lasts = asked.duration.unwrap_or_else(|| DURATION.to_owned());
    let (now, secret) = (Moment::now(), new_secret());
    let token = ServiceToken {
        id: new_uuid(),
        account,
        name,
        client_id: format!("{}.access", new_hex_id()),
        secret_sha256: sha256(&secret),
        previous: None,
        version: asked.client_secret_version.unwrap_or(1).max(1),
        expires_at: duration(&lasts)?.map(|lasts| now.after(lasts)),
        duration: lasts,
        is_enabled: asked.enabled.unwrap_or(true),
        created_at: now,
        updated_at: now,
    };
    let made = api.plane.change(caller.actor(), "create service token", |edit| {
        put(edit, token.clone())?;
        Ok::<_, ApiError>(told(&token, &secret))
    });
    Ok(Envelope::of(made.await?))
}

/// Keeps a token whose name no other of its account has.
fn put(edit: &mut Edit, token: ServiceToken) -> Result<(), ApiError> {
    check_name(&token.name)?;
    let is_taken = edit.service_tokens.iter().any(|other| {
        other.account == token.account
            && other.id != token.id
            && (other.name == token.name || other.id == token.name)
    });
    if is_taken {
        return Err(ApiError::taken("service token", &token.name));
    }
    edit.put(token);
    Ok(())
}

async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let (now, secret) = (Moment::now(), new_secret());
    let changed = api.plane.change(caller.actor(), "update service token", |edit| {
        let before = find(edit, &account, &id)?;
        let mut token = ServiceToken { updated_at: now, ..ServiceToken::clone(&before) };
        if let Some(name) = &asked.name {
            token.name.clone_from(name);
        }
        token.is_enabled = asked.enabled.unwrap_or(token.is_enabled);
        if let Some(lasts) = asked.duration.as_ref().filter(|lasts| **lasts != token.duration) {
            token.expires_at = duration(lasts)?.map(|lasts| now.after(lasts));
            token.duration.clone_from(lasts);
        }
        let version = asked.client_secret_version.unwrap_or(token.version);
        if version < token.version {
            let there = token.version;
            let message = format!("client_secret_version is {there} already; it only grows");
            return Err(ApiError::invalid(message));
        }
        let is_rotated = version > token.version;
        if is_rotated {
            rotated(&mut token, &asked, &secret, now);
            token.version = version;
        } else if let Some(previous) = &mut token.previous {
            match asked.previous_client_secret_expires_at {
                Field::Value(end) => previous.expires_at = end,
                Field::Null => token.previous = None,
                Field::Absent => {}
            }
        }
        put(edit, token.clone())?;
        Ok(if is_rotated { told(&token, &secret) } else { shown(&token) })
    });
    Ok(Envelope::of(changed.await.map_err(ApiError::from)?))
}

async fn rotate(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let (now, secret) = (Moment::now(), new_secret());
    let changed = api.plane.change(caller.actor(), "rotate service token", |edit| {
        let before = find(edit, &account, &id)?;
        let mut token = ServiceToken { updated_at: now, ..ServiceToken::clone(&before) };
        rotated(&mut token, &asked, &secret, now);
        token.version = token.version.saturating_add(1);
        let told = told(&token, &secret);
        edit.put(token);
        Ok::<_, ApiError>(told)
    });
    Ok(Envelope::of(changed.await?))
}

/// Gives a token another secret. As in the reference the one before ends at once, unless somebody says until when it is valid
/// too.
fn rotated(token: &mut ServiceToken, asked: &Asked, secret: &str, now: Moment) {
    let end = match asked.previous_client_secret_expires_at {
        Field::Value(end) => end,
        _ => now.after(Duration::from_secs(asked.overlap.unwrap_or_default())),
    };
    let before = std::mem::replace(&mut token.secret_sha256, sha256(secret));
    token.previous = (end > now).then_some(PreviousHash { sha256: before, expires_at: end });
}

/// Lets a token be valid for its duration from now on.
async fn refresh(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let now = Moment::now();
    let changed = api.plane.change(caller.actor(), "refresh service token", |edit| {
        let before = find(edit, &account, &id)?;
        let expires_at = duration(&before.duration)?.map(|lasts| now.after(lasts));
        let token = ServiceToken { expires_at, updated_at: now, ..ServiceToken::clone(&before) };
        let shown = shown(&token);
        edit.put(token);
        Ok::<_, ApiError>(shown)
    });
    Ok(Envelope::of(changed.await?))
}

async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete service token", |edit| {
        let token = find(edit, &account, &id)?;
        let names = |policy: &&Arc<Policy>| {
            let mut rules = policy.include.iter().chain(&policy.require).chain(&policy.exclude);
            rules.any(
                |rule| matches!(rule, Rule::ServiceToken { token_id } if *token_id == token.id),
            )
        };
        let users: Vec<_> =
            edit.policies.iter().filter(names).map(|policy| policy.name.clone()).collect();
        if !users.is_empty() {
            let message = format!(
                "the policy {} names it; change that first, or disable the token",
                users.join(", ")
            );
            return Err(ApiError::in_use(message));
        }
        edit.delete::<ServiceToken>(&token.id);
        Ok(shown(&token))
    });
    Ok(Envelope::of(gone.await?))
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
