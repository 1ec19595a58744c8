//! Accounts, zones, tokens of the API, and the audit log.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::{get, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Api, Caller, Query, body,
    envelope::{ApiError, Envelope, Page},
    new_hex_id, new_secret,
};
use crate::{
    moment::Moment,
    resources::{Account, ApiToken, Scope, Zone},
};

const NAME_MAX: usize = 120;
const AUDIT_COUNT: i64 = 100;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/user", get(user))
        .route("/user/tokens/verify", get(verify))
        .route("/user/tokens", get(tokens).post(create_token))
        .route("/user/tokens/{id}", get(token).delete(delete_token))
        .route("/user/tokens/{id}/value", put(roll_token))
        .route("/memberships", get(memberships))
        .route("/accounts", get(accounts).post(create_account))
        .route("/accounts/{account}", get(account))
        .route("/zones", get(zones))
        .route("/zones/{zone}", get(zone))
        .route("/audit", get(audit))
        .route("/nodes", get(nodes))
}

/// A name for people, in logs and lists.
pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    let is_fit =
        !name.trim().is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control);
    let why = "name must have from 1 to 120 bytes and no control characters";
    if is_fit { Ok(()) } else { Err(ApiError::invalid(why)) }
}

async fn user(caller: Caller) -> Envelope {
    let token = &caller.token;
    Envelope::of(json!({ "id": token.id, "email": format!("{}@jumpgate", token.name) }))
}

async fn verify(caller: Caller) -> Envelope {
    Envelope::of(json!({
        "id": caller.token.id,
        "status": "active",
        "expires_on": caller.token.expires_at,
        "scope": caller.token.scope,
    }))
}

async fn memberships(
    caller: Caller,
    State(api): State<Api>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let seen = world.accounts.iter().filter(|account| caller.may_see(&account.id));
    let all = seen.map(|account| {
        json!({
            "id": account.id,
            "account": { "id": account.id, "name": account.name },
            "status": "accepted",
            "roles": [caller.token.scope],
        })
    });
    Ok(Envelope::page(all.collect(), Page::of(&query)?))
}

fn shown_account(account: &Account) -> Value {
    json!({
        "id": account.id,
        "name": account.name,
        "type": "standard",
        "created_on": account.created_at,
    })
}

async fn accounts(
    caller: Caller,
    State(api): State<Api>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let seen = world.accounts.iter().filter(|account| caller.may_see(&account.id));
    Ok(Envelope::page(seen.map(|it| shown_account(it)).collect(), Page::of(&query)?))
}

async fn account(State(api): State<Api>, Path(id): Path<String>) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let account = world.accounts.get(&id).ok_or_else(|| ApiError::missing("account", &id))?;
    Ok(Envelope::of(shown_account(account)))
}

#[derive(Deserialize)]
struct NewAccount {
    name: String,
}

async fn create_account(
    caller: Caller,
    State(api): State<Api>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    if caller.token.account.is_some() {
        return Err(ApiError::forbidden("this needs a token for all accounts"));
    }
    let NewAccount { name } = body::read(&body)?;
    check_name(&name)?;
    let (id, zone_id) = (new_hex_id(), new_hex_id());
    let made = api.plane.change(caller.actor(), "create account", |edit| {
        if edit.accounts.iter().any(|account| account.name == name) {
            return Err(ApiError::taken("account", &name));
        }
        let created_at = Moment::now();
        let account = Account { id: id.clone(), name: name.clone(), created_at };
        let shown = shown_account(&account);
        edit.put(account);
        let (zone_id, account) = (zone_id.clone(), id.clone());
        edit.put(Zone { id: zone_id, account, name: name.clone(), created_at });
        Ok(shown)
    });
    Ok(Envelope::of(made.await?))
}

fn shown_zone(zone: &Zone, account_name: &str) -> Value {
    json!({
        "id": zone.id,
        "name": zone.name,
        "status": "active",
        "type": "full",
        "account": { "id": zone.account, "name": account_name },
        "created_on": zone.created_at,
    })
}

async fn zones(caller: Caller, State(api): State<Api>, query: Query) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let seen = world.zones.iter().filter(|zone| {
        caller.may_see(&zone.account) && query.get("account.id").is_none_or(|id| id == zone.account)
    });
    // Any hostname may be in any zone, so that a name which is asked for is in each.
    let all = seen.map(|zone| {
        let account = world.accounts.get(&zone.account);
        shown_zone(zone, account.map_or("", |account| &account.name))
    });
    Ok(Envelope::page(all.collect(), Page::of(&query)?))
}

async fn zone(State(api): State<Api>, Path(id): Path<String>) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let zone = world.zones.get(&id).ok_or_else(|| ApiError::missing("zone", &id))?;
    let account = world.accounts.get(&zone.account);
    Ok(Envelope::of(shown_zone(zone, account.map_or("", |account| &account.name))))
}

fn shown_token(token: &ApiToken) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "account_id": token.account,
        "status": if token.expires_at.is_some_and(|end| end <= Moment::now()) { "expired" } else { "active" },
        "issued_on": token.created_at,
        "expires_on": token.expires_at,
    })
}

/// A token is seen by one whose account holds it.
fn is_seen(caller: &Caller, token: &ApiToken) -> bool {
    caller.token.account.is_none() || caller.token.account == token.account
}

async fn tokens(
    caller: Caller,
    State(api): State<Api>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let seen = world.api_tokens.iter().filter(|token| is_seen(&caller, token));
    Ok(Envelope::page(seen.map(|it| shown_token(it)).collect(), Page::of(&query)?))
}

async fn token(
    caller: Caller,
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let found = world.api_tokens.get(&id).filter(|token| is_seen(&caller, token));
    let token = found.ok_or_else(|| ApiError::missing("token", &id))?;
    Ok(Envelope::of(shown_token(token)))
}

#[derive(Deserialize)]
struct NewToken {
    name: String,
    scope: Option<Scope>,
    account_id: Option<String>,
    expires_on: Option<Moment>,
    /// Seconds, in the place of a time.
    expires_in: Option<u64>,
}

/// A new token and its text, which is not kept.
pub fn make_token(
    name: &str,
    scope: Scope,
    account: Option<String>,
    expires_at: Option<Moment>,
) -> (ApiToken, String) {
    let text = format!("jg_{}", new_secret());
    let token = ApiToken {
        id: new_hex_id(),
        name: name.to_owned(),
        sha256: hex::encode(Sha256::digest(&text)),
        scope,
        account,
        expires_at,
        created_at: Moment::now(),
    };
    (token, text)
}

async fn create_token(
    caller: Caller,
    State(api): State<Api>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: NewToken = body::read(&body)?;
    check_name(&asked.name)?;
    let scope = asked.scope.ok_or_else(|| {
        ApiError::invalid(
            "scope is missing: add \"scope\": \"read\", \"edit\", \"admin\" or \"node\"",
        )
    })?;
    let account = asked.account_id.or_else(|| caller.token.account.clone());
    if account.as_deref().is_some_and(|account| !caller.may_see(account))
        || (scope == Scope::Node && caller.token.account.is_some())
    {
        return Err(ApiError::forbidden("this needs a token for all accounts"));
    }
    let lasts = asked.expires_in.map(|seconds| Moment::now().after(Duration::from_secs(seconds)));
    let (token, text) = make_token(&asked.name, scope, account, asked.expires_on.or(lasts));
    let made = api.plane.change(caller.actor(), "create token", |edit| {
        if edit.api_tokens.iter().any(|known| known.name == token.name) {
            return Err(ApiError::taken("token", &token.name));
        }
        if let Some(account) = token.account.as_deref().filter(|id| edit.accounts.get(id).is_none())
        {
            return Err(ApiError::missing("account", account));
        }
        edit.put(token.clone());
        let mut shown = shown_token(&token);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert(String::from("value"), Value::from(text.clone()));
        }
        Ok(shown)
    });
    Ok(Envelope::of(made.await?))
}

async fn delete_token(
    caller: Caller,
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete token", |edit| {
        let found = edit.api_tokens.get(&id).filter(|token| is_seen(&caller, token));
        let token = found.cloned().ok_or_else(|| ApiError::missing("token", &id))?;
        let is_of_all = |it: &ApiToken| it.scope == Scope::Admin && it.account.is_none();
        let admins = edit.api_tokens.iter().filter(|it| is_of_all(it)).count();
        if is_of_all(&token) && admins == 1 {
            return Err(ApiError::in_use("it is the last admin token; create another one first"));
        }
        edit.delete::<ApiToken>(&id);
        Ok(json!({ "id": id }))
    });
    Ok(Envelope::of(gone.await?))
}

/// A new text for a token, as `PUT /user/tokens/{id}/value` of the reference; the old one is not valid any more.
async fn roll_token(
    caller: Caller,
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Envelope, ApiError> {
    let (new, text) = make_token("", Scope::Read, None, None);
    let rolled = api.plane.change(caller.actor(), "roll token", |edit| {
        let found = edit.api_tokens.get(&id).filter(|token| is_seen(&caller, token));
        let token = found.cloned().ok_or_else(|| ApiError::missing("token", &id))?;
        edit.put(ApiToken { sha256: new.sha256.clone(), ..ApiToken::clone(&token) });
        Ok(text.clone())
    });
    Ok(Envelope::of(rolled.await?))
}

async fn audit(caller: Caller, State(api): State<Api>, query: Query) -> Result<Envelope, ApiError> {
    if caller.token.account.is_some() {
        return Err(ApiError::forbidden("this needs a token for all accounts"));
    }
    let number = |key: &str| {
        let text = query.get(key);
        let number = text.map(|text| {
            text.parse::<i64>()
                .map_err(|_not_a_number| ApiError::invalid(format!("{key} must be a number")))
        });
        number.transpose()
    };
    let (before, count) = (number("before")?, number("count")?);
    let records = api.plane.database().audit(before, count.unwrap_or(AUDIT_COUNT)).await;
    let records = records.map_err(crate::plane::PlaneError::from)?;
    let shown = records.iter().map(|record| {
        json!({
            "revision": record.revision,
            "when": record.at,
            "who": record.who,
            "from": record.whence,
            "action": record.action,
            "subject": record.subject,
        })
    });
    Ok(Envelope::of(shown.collect::<Vec<_>>()))
}

async fn nodes(caller: Caller, State(api): State<Api>) -> Result<Envelope, ApiError> {
    if caller.token.account.is_some() {
        return Err(ApiError::forbidden("this needs a token for all accounts"));
    }
    Ok(Envelope::of(api.fleet.nodes()))
}
