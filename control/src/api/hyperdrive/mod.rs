//! `/accounts/{account}/hyperdrive/configs`: what `wrangler hyperdrive`, Terraform and the SDKs ask.

mod asked;
pub(super) mod declared;
mod found;
mod shown;

use std::collections::BTreeSet;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::found::find;
use self::{
    asked::{Asked, Way},
    shown::shown,
};
use super::{
    Api, Caller, Query, body,
    envelope::{ApiError, Envelope, Page},
    new_hex_id,
};
use crate::{
    draft::Draft,
    moment::Moment,
    plane::World,
    resources::{Credential, Hyperdrive},
    view::proxy::draft,
};

/// How often a config is tried again that somebody else has changed while its connection was tested.
const ATTEMPTS: u32 = 5;

pub(super) fn routes() -> Router<Api> {
    let one = "/accounts/{account}/hyperdrive/configs/{id}";
    Router::new()
        .route("/accounts/{account}/hyperdrive/configs", get(list).post(create))
        .route(one, get(one_config).put(replace).patch(update).delete(delete))
        .route(&format!("{one}/restart"), post(restart))
        .route(&format!("{one}/purge"), post(purge))
        .route(&format!("{one}/check"), post(check))
}

/// How the API and proxies call a config.
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
    /// By which proxies know it: its id, or those that their files have for what they declare.
    pub(super) ids: BTreeSet<String>,
}

/// The ids and the name of a config of this account, or of a database that a proxy's own file declares.
pub(super) async fn named(api: &Api, account: &str, id: &str) -> Result<Named, ApiError> {
    let found = find(&*api.plane.current().await?, account, id);
    let found = found.map(|config| {
        let (id, name) = (config.id.clone(), config.name.clone());
        Named { ids: BTreeSet::from([id.clone()]), id, name }
    });
    found.or_else(|error| {
        let declared = declared::one(api, account, id);
        declared
            .map(|one| Named { id: one.id(), name: one.declared.name.clone(), ids: one.into_ids() })
            .ok_or(error)
    })
}

async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let ours = world.hyperdrives.iter().filter(|config| {
        config.account == account && query.get("name").is_none_or(|name| config.name == name)
    });
    let mut ours: Vec<_> = ours.collect();
    ours.sort_by_key(|config| (config.created_on, &config.id));
    let declared = declared::all(&api, &account)
        .into_iter()
        .filter(|one| query.get("name").is_none_or(|name| one.declared.name == name));
    let shown = ours.into_iter().map(|it| shown(it)).chain(declared.map(|one| one.shown()));
    Ok(Envelope::page(shown.collect(), Page::of(&query)?))
}

async fn one_config(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let found = find(&world, &account, &id).map(|config| shown(&config));
    let found = found.or_else(|error| {
        declared::one(&api, &account, &id).map(|declared| declared.shown()).ok_or(error)
    });
    Ok(Envelope::of(found?))
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path(account): Path<String>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let (now, id) = (Moment::now(), new_hex_id());
    let new = asked.config(id, account, now)?;
    declared::check_free(&api, &new.account, &new.name)?;
    let draft = checked(&*api.plane.current().await?, &new)?;
    if api.tests_connections {
        reachable(&api, &draft).await?;
    }
    let made = api.plane.change(caller.actor(), "create config", |edit| {
        checked(edit, &new)?;
        edit.put(new.clone());
        Ok(shown(&new))
    });
    Ok(Envelope::of(made.await?))
}

async fn replace(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    change(&api, &caller, (&account, &id), &asked, Way::Replace).await
}

async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    change(&api, &caller, (&account, &id), &asked, Way::Update).await
}

/// Makes of a config what was asked for, if the database can be reached so.
async fn change(
    api: &Api,
    caller: &Caller,
    (account, id): (&str, &str),
    asked: &Asked,
    way: Way,
) -> Result<Envelope, ApiError> {
    for _attempt in 0..ATTEMPTS {
        let world = api.plane.current().await?;
        let before = find(&world, account, id)?;
        let after = asked.over(&before, way, Moment::now())?;
        if after.name != before.name {
            declared::check_free(api, account, &after.name)?;
        }
        let draft = checked(&world, &after)?;
        if api.tests_connections && asked.concerns_connections() {
            reachable(api, &draft).await?;
        }
        let changed = api.plane.change(caller.actor(), "update config", |edit| {
            if find(edit, account, id)?.modified_on != before.modified_on {
                return Ok(None);
            }
            checked(edit, &after)?;
            edit.put(after.clone());
            Ok(Some(shown(&after)))
        });
        if let Some(shown) = changed.await.map_err(ApiError::from)? {
            return Ok(Envelope::of(shown));
        }
    }
    Err(ApiError::in_use("others change this config all the time; try again"))
}

async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete config", |edit| {
        let config = find(edit, &account, &id)?;
        let credentials: Vec<_> = edit.credentials_of(&config.id).map(|it| it.id.clone()).collect();
        for credential in credentials {
            edit.delete::<Credential>(&credential);
        }
        edit.delete::<Hyperdrive>(&config.id);
        Ok(())
    });
    gone.await.map_err(ApiError::from)?;
    Ok(Envelope::nothing())
}

/// Has all connections to the database given up and opened anew.
async fn restart(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let restarted = api.plane.change(caller.actor(), "restart config", |edit| {
        let config = find(edit, &account, &id)?;
        let config = Hyperdrive { restarted_on: Some(Moment::now()), ..Hyperdrive::clone(&config) };
        let shown = shown(&config);
        edit.put(config);
        Ok::<_, ApiError>(shown)
    });
    Ok(Envelope::of(restarted.await?))
}

#[derive(Deserialize)]
struct Purge {
    #[serde(default)]
    tables: Vec<String>,
}

/// Has what is kept of the database's answers forgotten, or of some tables.
async fn purge(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let Purge { tables } = body::read(&body)?;
    let Named { id, name, ids } = named(&api, &account, &id).await?;
    let mut nodes = 0;
    for known_by in &ids {
        nodes += api.fleet.purge(&account, (&name, known_by), &tables).await;
    }
    Ok(Envelope::of(json!({ "id": id, "tables": tables, "nodes": nodes })))
}

/// Walks the way to the database, and shows what each step was like.
async fn check(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let draft = checked(&world, &*find(&world, &account, &id)?)?;
    Ok(Envelope::of(reachable(&api, &draft).await?))
}

/// What a proxy would be told of it, if it keeps every rule.
fn checked(world: &World, config: &Hyperdrive) -> Result<Draft, ApiError> {
    let is_taken = world.hyperdrives.iter().any(|other| {
        other.id != config.id && (other.name == config.name || other.id == config.name)
    });
    if is_taken {
        return Err(ApiError::taken("config", &config.name));
    }
    let draft = draft(world, config)?;
    draft.clone().check()?;
    Ok(draft)
}

async fn reachable(api: &Api, draft: &Draft) -> Result<Value, ApiError> {
    api.fleet.check(draft).await.map_err(|refused| {
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, refused.code, refused.message);
        error.chain = refused.steps;
        error
    })
}
