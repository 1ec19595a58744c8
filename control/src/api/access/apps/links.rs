//! The policies of an application: links to reusable ones, and definitions of its own.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    api::{
        access::asked::{self, Asked},
        body,
        envelope::ApiError,
        new_uuid,
    },
    moment::Moment,
    plane::{Edit, World},
    resources::{Application, Policy},
};

/// The policies of an application in their order, each with its place.
pub(super) fn shown(world: &World, app: &Application) -> Vec<Value> {
    let found = app.policies.iter().filter_map(|id| world.policies.get(id));
    let numbered = found.enumerate();
    numbered.map(|(number, policy)| shown_one(world, policy, number + 1)).collect()
}

/// One of them.
pub(super) fn shown_one(world: &World, policy: &Policy, precedence: usize) -> Value {
    let mut shown = asked::shown(world, policy);
    shown["precedence"] = json!(precedence);
    shown
}

/// The ids of the policies that are asked for, in their order. What is defined within is made.
pub(super) fn linked(
    edit: &mut Edit,
    app: &Application,
    asked: &[Value],
    now: Moment,
) -> Result<Vec<String>, ApiError> {
    let mut links = Vec::with_capacity(asked.len());
    for (number, asked) in asked.iter().enumerate() {
        let at = |mut error: ApiError| {
            error.message = format!("policies.{number}: {}", error.message);
            error
        };
        let asked = if asked.is_string() { &json!({ "id": asked }) } else { asked };
        let asked: Asked = body::read(asked.to_string().as_bytes()).map_err(at)?;
        let id = link(edit, app, &asked, now).map_err(at)?;
        if links.iter().any(|(_, linked)| *linked == id) {
            return Err(at(ApiError::invalid("this policy is named twice")));
        }
        links.push((asked.precedence, id));
    }
    // A stable order: what has no number stays where it was written, behind those that have one.
    links.sort_by_key(|(precedence, _)| precedence.unwrap_or(u32::MAX));
    Ok(links.into_iter().map(|(_, id)| id).collect())
}

/// The policy that is asked for: one that is there, one of the application's own that changes, or a new one of its own.
fn link(
    edit: &mut Edit,
    app: &Application,
    asked: &Asked,
    now: Moment,
) -> Result<String, ApiError> {
    let Some(id) = asked.id.as_deref().filter(|id| !id.is_empty()) else {
        let policy = asked.policy(edit, (&app.account, new_uuid()), false, now)?;
        let id = policy.id.clone();
        edit.put(policy);
        return Ok(id);
    };
    let policy = find(edit, app, id)?;
    if !policy.is_reusable && asked.has_definition() {
        let policy = asked.over(edit, &policy, now)?;
        edit.put(policy);
    }
    Ok(policy.id.clone())
}

/// A policy that this application may have.
fn find(world: &World, app: &Application, id: &str) -> Result<Arc<Policy>, ApiError> {
    let found = world.policies.get(id).filter(|policy| {
        policy.account == app.account && (policy.is_reusable || app.policies.contains(&policy.id))
    });
    found.cloned().ok_or_else(|| {
        let mut error = ApiError::missing("policy", id);
        error.status = axum::http::StatusCode::BAD_REQUEST;
        error
    })
}

/// Forgets the policies that were this application's alone and that it does not name any more.
pub(super) fn forget_unlinked(edit: &mut Edit, before: &[String], app: &Application) {
    for id in before.iter().filter(|id| !app.policies.contains(id)) {
        if edit.policies.get(id).is_some_and(|policy| !policy.is_reusable) {
            edit.delete::<Policy>(id);
        }
    }
}
