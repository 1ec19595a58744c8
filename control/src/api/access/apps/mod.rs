//! `/accounts/{account}/access/apps`: places that are guarded.
//!
//! * `found`: the one that is meant; `place`, `asked`: what is asked of one.
//! * `links`: which policies it has, and those that belong to it alone; `policies`: the same as a resource below it.

mod asked;
mod found;
mod links;
mod place;
mod policies;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};

use self::{asked::Asked, found::find, place::Place};
use crate::{
    api::{
        Api, Caller, Query, body,
        claims::claim,
        envelope::{ApiError, Envelope, Page, TAKEN},
        new_secret, new_uuid,
    },
    moment::Moment,
    plane::{Edit, World},
    resources::Application,
};

/// How long a login is good for, in the reference; told back.
const SESSION: &str = "24h";

pub(super) fn routes() -> Router<Api> {
    let all = "/accounts/{account}/access/apps";
    Router::new()
        .route(all, get(list).post(create))
        .route(&format!("{all}/{{id}}"), get(one).put(update).delete(delete))
        .route(&format!("{all}/{{id}}/revoke_tokens"), post(revoke_tokens))
        .merge(policies::routes(all))
}

fn shown(world: &World, app: &Application) -> Value {
    let place = Place::of(app).to_string();
    let mut shown = json!({
        "id": app.id,
        "type": "self_hosted",
        "name": app.name,
        "domain": place,
        "domain_type": "public",
        "self_hosted_domains": [place],
        "destinations": [{ "type": "public", "uri": place }],
        "aud": app.aud,
        "session_duration": app.session_duration,
        "policies": links::shown(world, app),
        "allowed_idps": [],
        "app_launcher_visible": false,
        "service_auth_401_redirect": app.service_auth_401,
        "read_service_tokens_from_header": app.token_header,
        "created_at": app.created_at,
        "updated_at": app.updated_at,
    });
    if let Some(shown) = shown.as_object_mut() {
        shown.extend(app.others.clone());
    }
    shown
}

async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let is = |key: &str, value: &str| query.get(key).is_none_or(|asked| asked == value);
    let ours = world.applications.iter().filter(|app| {
        app.account == account
            && is("name", &app.name)
            && is("aud", &app.aud)
            && is("domain", &Place::of(app).to_string())
    });
    let mut ours: Vec<_> = ours.collect();
    ours.sort_by_key(|app| (app.created_at, &app.id));
    Ok(Envelope::page(ours.into_iter().map(|it| shown(&world, it)).collect(), Page::of(&query)?))
}

async fn one(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    let app = find(&world, &account, &id)?;
    Ok(Envelope::of(shown(&world, &app)))
}

async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path(account): Path<String>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let now = Moment::now();
    let nothing = Application {
        id: new_uuid(),
        account,
        name: String::new(),
        hostname: String::new(),
        path: String::new(),
        aud: new_secret(),
        policies: Vec::new(),
        service_auth_401: false,
        token_header: None,
        session_duration: SESSION.to_owned(),
        others: serde_json::Map::new(),
        created_at: now,
        updated_at: now,
    };
    let made = api
        .plane
        .change(caller.actor(), "create application", |edit| put(edit, &nothing, &asked, now));
    Ok(Envelope::of(made.await?))
}

async fn update(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Envelope, ApiError> {
    let asked: Asked = body::read(&body)?;
    let now = Moment::now();
    let changed = api.plane.change(caller.actor(), "update application", |edit| {
        let before = find(edit, &account, &id)?;
        put(edit, &before, &asked, now)
    });
    Ok(Envelope::of(changed.await?))
}

/// Makes of an application what is asked, policies of its own among it.
fn put(
    edit: &mut Edit,
    before: &Application,
    asked: &Asked,
    now: Moment,
) -> Result<Value, ApiError> {
    let mut app = asked.over(before, now)?;
    claim(edit, &app.account, [&*app.hostname])?;
    let is_taken = edit.applications.iter().any(|other| {
        other.id != app.id && (&other.hostname, &other.path) == (&app.hostname, &app.path)
    });
    if is_taken {
        let place = Place::of(&app);
        let message = format!("an application guards {place} already; change that one");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, TAKEN, message));
    }
    if let Some(policies) = asked.policies() {
        app.policies = links::linked(edit, &app, policies, now)?;
        links::forget_unlinked(edit, &before.policies, &app);
    }
    edit.put(app.clone());
    Ok(shown(edit, &app))
}

/// Forgets an application and the policies that are its alone. Its place lets nobody pass then.
async fn delete(
    caller: Caller,
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    let gone = api.plane.change(caller.actor(), "delete application", |edit| {
        let app = find(edit, &account, &id)?;
        let nothing = Application { policies: Vec::new(), ..Application::clone(&app) };
        links::forget_unlinked(edit, &app.policies, &nothing);
        edit.delete::<Application>(&app.id);
        Ok::<_, ApiError>(json!({ "id": app.id }))
    });
    Ok(Envelope::of(gone.await?))
}

/// There are no sessions to end: every stream is judged by the token that it has shown, at each change.
async fn revoke_tokens(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
) -> Result<Envelope, ApiError> {
    find(&*api.plane.current().await?, &account, &id)?;
    Ok(Envelope::of(json!({})))
}
