//! `…/access/apps/{id}/policies`: the policies of one application, each by itself.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::{get, put},
};
use serde_json::{Value, json};

use super::{found::find, links};
use crate::{
    api::{
        Api, Caller, Query,
        access::{asked::Asked, policies::put as keep},
        body,
        envelope::{ApiError, Envelope, Page},
        new_uuid,
    },
    moment::Moment,
    plane::{Edit, World},
    resources::{Application, Policy},
};

pub(super) fn routes(apps: &str) -> Router<Api> {
    let all = format!("{apps}/{{id}}/policies");
    Router::new()
        .route(&all, get(list).post(create))
        .route(&format!("{all}/{{policy}}"), get(one).put(update).delete(delete))
        .route(&format!("{all}/{{policy}}/make_reusable"), put(make_reusable))
}

/// A policy of an application, and its place from 0.
fn linked(world: &World, app: &Application, id: &str) -> Result<(usize, Arc<Policy>), ApiError> {
    let at = app.policies.iter().position(|linked| linked == id);
    let found = at.zip(world.policies.get(id).cloned());
    found.ok_or_else(|| ApiError::missing("policy of this application", id))
}

async fn list(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let app = find(&world, &account, &id)?;
    Ok(Envelope::page(links::shown(&world, &app), Page::of(&query)?))
}

async fn one(
    State(api): State<Api>,
    Path((account, id, policy)): Path<(String, String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let app = find(&world, &account, &id)?;
    let (at, policy) = linked(&world, &app, &policy)?;
    Ok(Envelope::of(links::shown_one(&world, &policy, at + 1)))
}

/// Puts a policy at its place in the application, which is the end unless it says otherwise.
fn place(
    edit: &mut Edit,
    app: &Application,
    policy: &str,
    asked: &Asked,
) -> Result<Value, ApiError> {
    let mut app = app.clone();
    let before = app.policies.iter().position(|id| id == policy);
    app.policies.retain(|id| id != policy);
    let asked = asked.precedence.map(|place| usize::try_from(place).unwrap_or(usize::MAX));
    let at = asked.map(|place| place.saturating_sub(1)).or(before);
    let at = at.unwrap_or(app.policies.len()).min(app.policies.len());
    app.policies.insert(at, policy.to_owned());
    edit.put(app.clone());
    let (at, policy) = linked(edit, &app, policy)?;
    Ok(links::shown_one(edit, &policy, at + 1))
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let (new, now) = (new_uuid(), Moment::now());
    let made = api.plane.change(caller.actor(), "create policy", |edit| {
        let app = find(edit, &account, &id)?;
        edit.put(asked.policy(edit, (&account, new.clone()), false, now)?);
        place(edit, &app, &new, &asked)
    });
    Ok(Envelope::of(made.await?))
}

async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id, policy)): Path<(String, String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let now = Moment::now();
    let changed = api.plane.change(caller.actor(), "update policy", |edit| {
        let app = find(edit, &account, &id)?;
        let (_, there) = linked(edit, &app, &policy)?;
        if asked.has_definition() && there.is_reusable {
            let message = format!(
                "the policy {:?} is a reusable one; change it at /access/policies/{}",
                there.name, there.id
            );
            return Err(ApiError::invalid(message));
        }
        if asked.has_definition() {
            edit.put(asked.over(edit, &there, now)?);
        }
        place(edit, &app, &there.id, &asked)
    });
    Ok(Envelope::of(changed.await?))
}

/// Takes a policy from an application; one that is its alone is forgotten.
async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id, policy)): Path<(String, String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete policy", |edit| {
        let app = find(edit, &account, &id)?;
        let (_, there) = linked(edit, &app, &policy)?;
        let mut after = Application::clone(&app);
        after.policies.retain(|id| *id != there.id);
        links::forget_unlinked(edit, &app.policies, &after);
        edit.put(after);
        Ok::<_, ApiError>(json!({ "id": there.id }))
    });
    Ok(Envelope::of(gone.await?))
}

/// Lets other applications name a policy that was one's alone.
async fn make_reusable(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id, policy)): Path<(String, String, String)>,
) -> Result<Envelope, ApiError> {
    let changed = api.plane.change(caller.actor(), "update policy", |edit| {
        let app = find(edit, &account, &id)?;
        let (at, there) = linked(edit, &app, &policy)?;
        let policy = Policy { is_reusable: true, ..Policy::clone(&there) };
        keep(edit, policy.clone())?;
        Ok::<_, ApiError>(links::shown_one(edit, &policy, at + 1))
    });
    Ok(Envelope::of(changed.await?))
}
