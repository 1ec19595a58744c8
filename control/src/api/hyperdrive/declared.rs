//! Databases that proxies' own files declare: shown beside the configs, and changed in those files alone.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest;
use axum::{
    extract::{RawPathParams, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::found::find;
use crate::{
    api::{Api, ApiError},
    nodes::declared::Declared,
};

/// One of them, and the proxies whose files have it.
#[derive(Debug)]
pub(in crate::api) struct Found {
    /// What the first of the proxies says.
    pub(in crate::api) declared: Declared,
    /// The names of the proxies.
    by: Vec<String>,
    /// Its ids in their files; older nodes say none.
    ids: BTreeSet<String>,
}

/// Those that an account is shown, by name.
pub(in crate::api) fn all(api: &Api, account: &str) -> Vec<Found> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for (node, declared) in api.fleet.declared(account) {
        let one = found.entry(declared.name.clone());
        let ids = (!declared.id.is_empty()).then(|| declared.id.clone());
        let one = one.or_insert_with(|| Found { declared, by: Vec::new(), ids: BTreeSet::new() });
        one.by.push(node);
        one.ids.extend(ids);
    }
    found.into_values().collect()
}

/// One of them, by its id or its name.
pub(in crate::api) fn one(api: &Api, account: &str, id: &str) -> Option<Found> {
    all(api, account).into_iter().find(|one| one.declared.name == id || one.id() == id)
}

/// Refuses a name that a proxy's file has: it would be served as the file says there.
pub(super) fn check_free(api: &Api, account: &str, name: &str) -> Result<(), ApiError> {
    match one(api, account, name) {
        Some(one) => Err(ApiError::in_use(format!(
            "{name:?} is declared in the file of {}; choose another name",
            one.places()
        ))),
        None => Ok(()),
    }
}

/// Refuses to change what a file declares; a purge is for them, too.
pub(in crate::api) async fn read_only(
    State(api): State<Api>,
    parameters: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_of_config = path.contains("/hyperdrive/configs/");
    if is_of_config && request.method() != Method::GET && !path.ends_with("/purge") {
        let of = |key| parameters.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        let (account, id) = (of("account").unwrap_or_default(), of("id").unwrap_or_default());
        if find(&api.plane.known(), account, id).is_err()
            && let Some(one) = one(&api, account, id)
        {
            let message = format!(
                "{:?} is declared in the file of {}: change it there",
                one.declared.name,
                one.places()
            );
            return ApiError::in_use(message).into_response();
        }
    }
    next.run(request).await
}

impl Found {
    /// As a config is shown.
    pub(super) fn shown(&self) -> Value {
        let it = &self.declared;
        let mut origin = json!({ "scheme": it.scheme, "host": it.host });
        if let Some(port) = it.port {
            origin["port"] = json!(port);
        }
        origin["database"] = json!(it.database);
        origin["user"] = json!(it.user);
        json!({
            "id": self.id(),
            "name": it.name,
            "origin": origin,
            "caching": {
                "disabled": it.caching_disabled,
                "max_age": it.max_age,
                "stale_while_revalidate": it.stale_while_revalidate,
            },
            "origin_connection_limit": it.origin_connection_limit,
            "declared_by": self.by,
        })
    }

    /// The same at each control node, and at each time.
    pub(super) fn id(&self) -> String {
        let text = format!("declared\0{}", self.declared.name);
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        hex::encode(hash.as_ref().get(..16).unwrap_or_default())
    }

    /// Its ids in the files of proxies, which are not the one that it is shown with.
    pub(in crate::api) fn into_ids(self) -> BTreeSet<String> {
        self.ids
    }

    fn places(&self) -> String {
        match self.by.as_slice() {
            [one] => format!("the proxy {one:?}"),
            several => format!("the proxies {}", several.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        api::tests::{ACCOUNT, Site},
        fleet::{Asked, Fleet},
    };

    /// Two proxies with the same database in their files.
    #[derive(Debug)]
    struct Files;

    impl Fleet for Files {
        fn purge<'a>(
            &'a self,
            account: &'a str,
            database: (&'a str, &'a str),
            _tables: &'a [String],
        ) -> Asked<'a, usize> {
            assert_eq!((account, database), (ACCOUNT, ("of-file", "in the file")));
            Box::pin(async { 2 })
        }

        fn declared(&self, account: &str) -> Vec<(String, Declared)> {
            let name = String::from("of-file");
            let one = Declared {
                id: String::from("in the file"),
                name,
                scheme: String::from("postgres"),
                port: Some(1),
                ..Declared::default()
            };
            let by = ["p1", "p2"].into_iter().filter(|_| account == ACCOUNT);
            by.map(|by| (by.to_owned(), one.clone())).collect()
        }
    }

    #[tokio::test]
    async fn what_a_file_declares_is_shown_and_only_changed_there() {
        let site = Site::with(Arc::new(Files)).await;
        let configs = "/{a}/hyperdrive/configs";
        let listed = site.ask(Method::GET, configs, Value::Null).await;
        let id = listed[0]["id"].as_str().unwrap().to_owned();
        assert_eq!((id.len(), &listed[0]["declared_by"]), (32, &json!(["p1", "p2"])));
        let one = site.ask(Method::GET, &format!("{configs}/{id}"), Value::Null).await;
        assert_eq!(one, site.ask(Method::GET, &format!("{configs}/of-file"), Value::Null).await);
        let purged = site.ask(Method::POST, &format!("{configs}/{id}/purge"), json!({})).await;
        assert_eq!((&purged["id"], &purged["nodes"]), (&json!(id), &json!(2)));
        let origin = json!({
            "scheme": "postgres", "host": "h", "port": 1, "database": "d", "user": "u", "password": "p",
        });
        let new = |name: &str| json!({ "name": name, "origin": origin });
        for (method, path, body) in [
            (Method::PATCH, format!("{configs}/{id}"), json!({ "name": "other" })),
            (Method::PUT, format!("{configs}/of-file"), new("other")),
            (Method::DELETE, format!("{configs}/of-file"), Value::Null),
            (Method::POST, format!("{configs}/{id}/restart"), Value::Null),
            (Method::POST, format!("{configs}/{id}/credentials"), json!({})),
            (Method::POST, configs.to_owned(), new("of-file")),
        ] {
            let (status, answer) = site.refused(method, &path, body).await;
            assert_eq!(status, 400, "{path}");
            assert!(answer.contains("the file of the proxies p1, p2"), "{answer}");
        }
        site.ask(Method::POST, configs, new("other")).await;
        let (other, rename) = (format!("{configs}/other"), json!({ "name": "of-file" }));
        assert_eq!(site.refused(Method::PATCH, &other, rename).await.0, 400);
    }
}
