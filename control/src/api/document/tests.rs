//! The document is about the routes that there are, and about no others.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::*;
use crate::api::tests::{ACCOUNT, Site};

fn paths() -> impl Iterator<Item = (&'static String, &'static Map<String, Value>)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    paths.map(|(path, methods)| (path, methods.as_object().unwrap()))
}

#[tokio::test]
async fn each_route_is_in_the_document_and_the_reverse() {
    let site = Site::new().await;
    // axum tells its routes to nobody else; the base and all below it are the fallback's.
    let router = format!("{:?}", site.router());
    let routes = router.split('"').filter_map(|text| text.strip_prefix(BASE));
    let routes: BTreeSet<_> = routes.filter(|it| !it.is_empty() && !it.contains("{*")).collect();
    let told: BTreeSet<_> = paths().map(|(path, _)| path.as_str()).collect();
    let missing: Vec<_> = routes.symmetric_difference(&told).collect();
    assert!(missing.is_empty(), "either not in `operations.rs` or no route: {missing:?}");
    for (path, methods) in paths() {
        let filled = path.replace("{account}", ACCOUNT).replace("{zone}", ACCOUNT);
        let (status, headers, _) =
            site.send(&site.token, Method::TRACE, &format!("{BASE}{filled}"), "").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(allowed(&headers), told_methods(methods), "{path}");
    }
}

fn allowed(headers: &HeaderMap) -> BTreeSet<String> {
    let allowed = headers[header::ALLOW].to_str().unwrap().split(',');
    allowed.map(str::to_ascii_lowercase).filter(|method| method != "head").collect()
}

fn told_methods(methods: &Map<String, Value>) -> BTreeSet<String> {
    methods.keys().cloned().collect()
}

#[test]
fn each_schema_is_there_and_used() {
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap();
    let known: BTreeSet<_> = schemas.as_object().unwrap().keys().map(String::as_str).collect();
    let text = DOCUMENT.to_string();
    let used = text.split("\"#/components/schemas/").skip(1);
    let used: BTreeSet<_> = used.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(known, used);
    let ids = paths().flat_map(|(_, methods)| methods.values());
    let ids: Vec<_> = ids.map(|operation| &operation["operationId"]).collect();
    let distinct: BTreeSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(ids.len(), distinct.len());
}
