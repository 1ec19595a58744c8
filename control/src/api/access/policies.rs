//! `/accounts/{account}/access/policies`: those that any application of the account can name.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::get,
};
use serde_json::json;

use super::asked::{Asked, shown};
use crate::{
    api::{
        Api, Caller, Query, body,
        envelope::{ApiError, Envelope, Page},
        new_uuid,
    },
    moment::Moment,
    plane::{Edit, World},
    resources::Policy,
};

pub(super) fn routes() -> Router<Api> {
    let all = "/accounts/{account}/access/policies";
    Router::new()
        .route(all, get(list).post(create))
        .route(&format!("{all}/{{id}}"), get(one).put(update).delete(delete))
}

/// A reusable policy of this account, by its id or its name.
pub(super) fn find(world: &World, account: &str, id: &str) -> Result<Arc<Policy>, ApiError> {
    let is_ours = |policy: &&Arc<Policy>| policy.account == account && policy.is_reusable;
    let by_id = world.policies.get(id).filter(is_ours);
    let found =
        by_id.or_else(|| world.policies.iter().filter(is_ours).find(|policy| policy.name == id));
    found.cloned().ok_or_else(|| ApiError::missing("policy", id))
}

async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let ours = world.policies.iter().filter(|policy| {
        policy.account == account
            && policy.is_reusable
            && query.get("name").is_none_or(|name| policy.name == name)
    });
    let mut ours: Vec<_> = ours.collect();
    ours.sort_by_key(|policy| (policy.created_at, &policy.id));
    Ok(Envelope::page(ours.into_iter().map(|it| shown(&world, it)).collect(), Page::of(&query)?))
}

async fn one(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let policy = find(&world, &account, &id)?;
    Ok(Envelope::of(shown(&world, &policy)))
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path(account): Path<String>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let (id, now) = (new_uuid(), Moment::now());
    let made = api.plane.change(caller.actor(), "create policy", |edit| {
        let policy = asked.policy(edit, (&account, id.clone()), true, now)?;
        put(edit, policy.clone())?;
        Ok::<_, ApiError>(shown(edit, &policy))
    });
    Ok(Envelope::of(made.await?))
}

/// Keeps a policy whose name no other reusable one of its account has.
pub(super) fn put(edit: &mut Edit, policy: Policy) -> Result<(), ApiError> {
    let is_taken = edit.policies.iter().any(|other| {
        other.account == policy.account
            && other.is_reusable
            && other.id != policy.id
            && other.name == policy.name
    });
    if is_taken {
        return Err(ApiError::taken("policy", &policy.name));
    }
    edit.put(policy);
    Ok(())
}

async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let now = Moment::now();
    let changed = api.plane.change(caller.actor(), "update policy", |edit| {
        let policy = asked.over(edit, &*find(edit, &account, &id)?, now)?;
        put(edit, policy.clone())?;
        Ok::<_, ApiError>(shown(edit, &policy))
    });
    Ok(Envelope::of(changed.await?))
}

async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete policy", |edit| {
        let policy = find(edit, &account, &id)?;
        let users = edit.applications.iter().filter(|app| app.policies.contains(&policy.id));
        let users: Vec<_> = users.map(|app| app.name.clone()).collect();
        if !users.is_empty() {
            let message =
                format!("the application {} names it; change that first", users.join(", "));
            return Err(ApiError::in_use(message));
        }
        edit.delete::<Policy>(&policy.id);
        Ok(json!({ "id": policy.id }))
    });
    Ok(Envelope::of(gone.await?))
}
