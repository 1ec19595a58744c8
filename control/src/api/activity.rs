//! What clients do, `/accounts/{account}/hyperdrive/…/history` and `…/activity`: ours, of which the reference has nothing.

use std::collections::BTreeSet;

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use serde_json::Value;

use super::{
    envelope::{ApiError, Envelope, UNAVAILABLE},
    hyperdrive::{
        Named,
        declared::{self, Found},
        find, named,
    },
    query::Query,
    state::Api,
};
use crate::{
    history::{self, Period},
    live::Live,
    plane::PlaneError,
};

/// Statements and sessions of each database, where nothing else is asked for, and at most.
const USUAL: usize = 50;
const MOST: usize = 500;

pub(super) fn routes() -> Router<Api> {
    let all = "/accounts/{account}/hyperdrive";
    Router::new()
        .route(&format!("{all}/history"), get(history_of_account))
        .route(&format!("{all}/activity"), get(activity_of_account))
        .route(&format!("{all}/configs/{{id}}/history"), get(history_of_config))
        .route(&format!("{all}/configs/{{id}}/activity"), get(activity_of_config))
}

async fn history_of_config(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let period = period(&query)?;
    let config = find(&*api.plane.current().await?, &account, &id)?;
    let points = history::of(api.plane.database(), &config.id, period).await;
    Ok(Envelope::of(points.map_err(PlaneError::from)?))
}

/// With a few figures of each config, of the last hour.
async fn history_of_account(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let period = period(&query)?;
    let world = api.plane.current().await?;
    let database = api.plane.database();
    let mut points = history::of(database, &account, period).await.map_err(PlaneError::from)?;
    let configs = history::of_each(database, &world, &account).await.map_err(PlaneError::from)?;
    if let Some(fields) = points.as_object_mut() {
        fields.insert(String::from("configs"), Value::from(configs));
    }
    Ok(Envelope::of(points))
}

async fn activity_of_config(
    State(api): State<Api>,
    Path((account, id)): Path<(String, String)>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let Named { name, ids, .. } = named(&api, &account, &id).await?;
    shown(&live(&api, &account, (Some(&name), &ids), &query).await?)
}

async fn activity_of_account(
    State(api): State<Api>,
    Path(account): Path<String>,
    query: Query,
) -> Result<Envelope, ApiError> {
    let world = api.plane.current().await?;
    // Proxies serve other accounts, too.
    let ours = world.hyperdrives.iter().filter(|config| config.account == account);
    let ours = ours.map(|config| config.id.clone());
    let declared = declared::all(&api, &account).into_iter().flat_map(Found::into_ids);
    let ours = ours.chain(declared).collect();
    shown(&live(&api, &account, (None, &ours), &query).await?)
}

/// Of databases with these ids: a name may be another's, too.
async fn live(
    api: &Api,
    account: &str,
    (database, ids): (Option<&str>, &BTreeSet<String>),
    query: &Query,
) -> Result<Live, ApiError> {
    let (statements, sessions) = (count(query, "statements")?, count(query, "sessions")?);
    let mut told = api.fleet.activity(account, database, statements, sessions).await;
    for (_, activity) in &mut told.answers {
        activity.databases.retain(|database| ids.contains(&database.id));
    }
    Ok(Live::of(told.asked, told.answers, statements, sessions))
}

fn shown(live: &Live) -> Result<Envelope, ApiError> {
    let shown = serde_json::to_value(live).map_err(|_unwritable| {
        let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        ApiError::new(status, UNAVAILABLE, "the answer cannot be written as JSON")
    })?;
    Ok(Envelope::of(shown))
}

fn period(query: &Query) -> Result<Period, ApiError> {
    let word = query.get("period").unwrap_or("hour");
    Period::of(word).ok_or_else(|| ApiError::invalid("period must be hour, day or week"))
}

fn count(query: &Query, key: &str) -> Result<usize, ApiError> {
    let Some(text) = query.get(key) else { return Ok(USUAL) };
    let count = text.parse::<usize>().ok().filter(|count| *count <= MOST);
    count.ok_or_else(|| ApiError::invalid(format!("{key} must be a number from 0 to {MOST}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::Method;
    use parking_lot::Mutex;
    use serde_json::json;

    use super::*;
    use crate::{
        api::tests::{ACCOUNT, Site},
        fleet::{Activities, Asked, Fleet},
    };

    /// Two proxies of which one answers, with databases of its own file too, of which one is called like a config; by the id
    /// of the config.
    #[derive(Debug, Default)]
    struct Busy(Mutex<String>);

    impl Fleet for Busy {
        fn activity<'a>(
            &'a self,
            account: &'a str,
            database: Option<&'a str>,
            statements: usize,
            sessions: usize,
        ) -> Asked<'a, Activities> {
            assert_eq!((account, sessions), (ACCOUNT, USUAL));
            let session = json!({ "user": "app", "state": "active", "pins": ["temporary table"] });
            let shape = json!({ "text": "SELECT ?", "queries": { "hit": 2 } });
            let own = self.0.lock().clone();
            let told = [("one", &*own), ("one", "f"), ("one", ""), ("of the file", "g")];
            let told = told.map(|(name, id)| {
                json!({
                    "database": name, "id": id, "clients": 1, "sessions": [session],
                    "statements": vec![shape.clone(); statements],
                })
            });
            let told =
                told.into_iter().filter(|it| database.is_none_or(|name| it["database"] == name));
            let told = json!({ "databases": told.collect::<Vec<_>>() });
            let answers = vec![(String::from("p"), serde_json::from_value(told).unwrap())];
            Box::pin(async { Activities { asked: 2, answers } })
        }
    }

    #[tokio::test]
    async fn what_goes_on_is_shown_of_the_accounts_own_configs() {
        let busy = Arc::new(Busy::default());
        let site = Site::with(busy.clone()).await;
        let origin = json!({
            "scheme": "postgres", "host": "h", "port": 1, "database": "d", "user": "u", "password": "p",
        });
        let made = json!({ "name": "one", "origin": origin });
        let made = site.ask(Method::POST, "/{a}/hyperdrive/configs", made).await;
        made["id"].as_str().unwrap().clone_into(&mut busy.0.lock());
        for path in [
            "/{a}/hyperdrive/activity?statements=3",
            "/{a}/hyperdrive/configs/one/activity?statements=3",
        ] {
            let live = site.ask(Method::GET, path, Value::Null).await;
            assert_eq!(live["nodes"], json!({ "asked": 2, "answered": 1 }), "{path}");
            assert_eq!(live["databases"].as_array().unwrap().len(), 1, "{path}");
            assert_eq!(live["databases"][0]["clients"], 1, "{path}");
            let one = &live["databases"][0];
            assert_eq!(
                (&one["database"], &one["statements"][0]["queries"]["hit"]),
                (&json!("one"), &json!(6))
            );
            assert_eq!(
                (&one["sessions"][0]["node"], &one["sessions"][0]["user"]),
                (&json!("p"), &json!("app"))
            );
        }
        for (path, status) in [
            ("/{a}/hyperdrive/activity?statements=501", 400),
            ("/{a}/hyperdrive/activity?sessions=-1", 400),
            ("/{a}/hyperdrive/history?period=year", 400),
            ("/{a}/hyperdrive/configs/two/history", 404),
            ("/{a}/hyperdrive/configs/two/activity", 404),
        ] {
            assert_eq!(site.refused(Method::GET, path, Value::Null).await.0, status, "{path}");
        }
        for path in ["/{a}/hyperdrive/history", "/{a}/hyperdrive/configs/one/history?period=day"] {
            let history = site.ask(Method::GET, path, Value::Null).await;
            assert_eq!(
                (&history["total"]["count"], &history["total"]["hit_ratio"]),
                (&json!(0), &Value::Null)
            );
        }
    }
}
