//! `/accounts/{account}/hyperdrive/configs/{id}/credentials`: what clients log in with. Ours; the reference has none, since
//! its clients are Workers.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::{delete, get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api, Caller, Query, body,
    envelope::{ApiError, Envelope, Page},
    hyperdrive::find,
    new_hex_id,
};
use crate::{
    fleet::Fleet,
    model::{Hashes, Salting, Secret},
    moment::Moment,
    resources::{Credential, Hyperdrive, PreviousPassword},
    view::proxy::draft,
};

/// How long the password before a rotation is valid, unless somebody says otherwise.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
const PASSWORD_MAX: usize = 1024;
/// As PostgreSQL's own.
const SALT_LEN: usize = 16;

pub(super) fn routes() -> Router<Api> {
    let all = "/accounts/{account}/hyperdrive/configs/{id}/credentials";
    Router::new()
        .route(all, get(list).post(create))
        .route(&format!("{all}/{{user}}"), delete(delete_one))
        .route(&format!("{all}/{{user}}/rotate"), post(rotate))
}

fn shown(credential: &Credential) -> Value {
    let previous = credential.previous.as_ref().filter(|it| it.expires_at > Moment::now());
    json!({
        "id": credential.id,
        "user": credential.user,
        "max_connections": credential.max_connections,
        "created_at": credential.created_at,
        "previous_expires_at": previous.map(|previous| previous.expires_at),
    })
}

/// With what is told once: the password, and the strings that have it in them.
fn told(credential: &Credential, config: &Hyperdrive, password: &str, fleet: &dyn Fleet) -> Value {
    let mut shown = shown(credential);
    let is_mysql = config.origin.scheme.as_deref() == Some("mysql");
    let (scheme, port) = if is_mysql { ("mysql", 6306) } else { ("postgres", 6432) };
    let (host, port) = fleet
        .clients_at(&config.account, scheme)
        .unwrap_or_else(|| (String::from("127.0.0.1"), port));
    // As URLs have it.
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let url = format!(
        "{scheme}://{}:{}@{host}:{port}/{}",
        encoded(&credential.user),
        encoded(password),
        encoded(&config.name)
    );
    if let Some(shown) = shown.as_object_mut() {
        shown.insert(String::from("password"), json!(password));
        shown.insert(String::from("connection_string"), json!(url));
    }
    shown
}

async fn list(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let config = find(&world, &account, &id)?;
    let all = world.credentials_of(&config.id).map(|credential| shown(credential));
    Ok(Envelope::page(all.collect(), Page::of(&query)?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct New {
    user: Option<String>,
    password: Option<String>,
    max_connections: u32,
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: New = body::read(&body)?;
    let password = asked.password.unwrap_or_else(new_password);
    check_password(&password)?;
    let hashes = Hashes::of(&Secret::from(password.as_str()), &new_salting());
    let (own, now) = (new_hex_id(), Moment::now());
    let made = api.plane.change(caller.actor(), "create credential", |edit| {
        let config = find(edit, &account, &id)?;
        let user = asked.user.clone().unwrap_or_else(|| config.name.clone());
        if edit.credentials_of(&config.id).any(|known| known.user == user) {
            return Err(ApiError::taken("user of this config", &user));
        }
        let credential = Credential {
            id: format!("{}{own}", config.id),
            config: config.id.clone(),
            user,
            password: hashes.clone(),
            previous: None,
            max_connections: asked.max_connections,
            created_at: now,
        };
        let told = told(&credential, &config, &password, &*api.fleet);
        edit.put(credential);
        // The user's name has to be one that the database can have.
        draft(edit, &config)?.check()?;
        Ok::<_, ApiError>(told)
    });
    Ok(Envelope::of(made.await?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rotation {
    password: Option<String>,
    /// Seconds for which the password before is valid, too; 0 ends it at once.
    overlap: Option<u64>,
}

async fn rotate(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id, user)): Path<(String, String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Rotation = body::read(&body)?;
    let password = asked.password.unwrap_or_else(new_password);
    check_password(&password)?;
    let overlap = asked.overlap.map_or(OVERLAP, Duration::from_secs);
    let now = Moment::now();
    let rotated = api.plane.change(caller.actor(), "rotate credential", |edit| {
        let config = find(edit, &account, &id)?;
        let found = edit.credentials_of(&config.id).find(|known| known.user == user);
        let before = found.cloned().ok_or_else(|| ApiError::missing("user", &user))?;
        // With the same salt, or the two are never right at once.
        let salting = before.password.salting().unwrap_or_else(new_salting);
        let hashes = Hashes::of(&Secret::from(password.as_str()), &salting);
        let previous =
            PreviousPassword { password: before.password.clone(), expires_at: now.after(overlap) };
        let credential = Credential {
            password: hashes,
            previous: (!overlap.is_zero()).then_some(previous),
            ..Credential::clone(&before)
        };
        let told = told(&credential, &config, &password, &*api.fleet);
        edit.put(credential);
        Ok::<_, ApiError>(told)
    });
    Ok(Envelope::of(rotated.await?))
}

async fn delete_one(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id, user)): Path<(String, String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete credential", |edit| {
        let config = find(edit, &account, &id)?;
        let found = edit.credentials_of(&config.id).find(|known| known.user == user);
        let credential = found.cloned().ok_or_else(|| ApiError::missing("user", &user))?;
        edit.delete::<Credential>(&credential.id);
        Ok::<_, ApiError>(())
    });
    gone.await?;
    Ok(Envelope::nothing())
}

fn new_salting() -> Salting {
    Salting::new(rand::random::<[u8; SALT_LEN]>().to_vec())
}

/// Of letters and digits alone, since some runtimes do not decode a connection string's.
fn new_password() -> String {
    new_hex_id()
}

fn check_password(password: &str) -> Result<(), ApiError> {
    let is_fit = (1..=PASSWORD_MAX).contains(&password.len()) && !password.contains('\0');
    let why = "password must have from 1 to 1024 bytes, and no zero byte";
    if is_fit { Ok(()) } else { Err(ApiError::invalid(why)) }
}
