//! Tunnels and hostnames as `cloudflared`, `wrangler` and the SDKs ask for them.

use std::sync::Arc;

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    api::tests::{ACCOUNT, Site},
    fleet::{Asked, Fleet},
};

const TUNNELS: &str = "/{a}/cfd_tunnel";
const NAMES: &str = "/{a}/hostnames";
const CLIENT: &str = "00000000-0000-4000-8000-00000000000c";

/// A fleet with one connector for every tunnel, until it is told to disconnect.
#[derive(Debug, Default)]
struct Connected {
    is_gone: Mutex<Vec<Option<String>>>,
}

impl Fleet for Connected {
    fn connections(&self, _tunnel: &str) -> Vec<Value> {
        if !self.is_gone.lock().is_empty() {
            return Vec::new();
        }
        let connection = json!({
            "id": "00000000-0000-4000-8000-0000000000cc", "colo_name": "edge", "is_pending_reconnect": false,
            "origin_ip": "192.0.2.1", "opened_at": "2026-01-01T00:00:00Z",
        });
        vec![json!({
            "id": CLIENT, "version": "2026.8.2", "arch": "linux_amd64", "features": [], "config_version": 1,
            "run_at": "2026-01-01T00:00:00Z", "conns": [connection],
        })]
    }

    fn disconnect<'a>(&'a self, _tunnel: &'a str, connector: Option<&'a str>) -> Asked<'a, ()> {
        self.is_gone.lock().push(connector.map(ToOwned::to_owned));
        Box::pin(async {})
    }

    fn nodes(&self) -> Vec<Value> {
        Vec::new()
    }
}

fn below(made: &Value) -> String {
    format!("{TUNNELS}/{}", made["id"].as_str().unwrap())
}

async fn tunnel(site: &Site, name: &str) -> Value {
    site.ask(Method::POST, TUNNELS, json!({ "name": name })).await
}

/// Names of a list, whatever it is of.
async fn names(site: &Site, path: &str, key: &str) -> Vec<String> {
    let listed = site.ask(Method::GET, path, Value::Null).await;
    listed.as_array().unwrap().iter().map(|it| it[key].as_str().unwrap().to_owned()).collect()
}

async fn route(site: &Site, tunnel: &Value, name: &str, overwrite: bool) -> Value {
    let path = format!("/zones/{ACCOUNT}/tunnels/{}/routes", tunnel["id"].as_str().unwrap());
    let body = json!({ "type": "dns", "user_hostname": name, "overwrite_existing": overwrite });
    let (_, answer) = site.ask_as(&site.token, Method::PUT, &path, &body).await;
    if answer["success"] == true {
        answer["result"].clone()
    } else {
        answer["errors"][0]["message"].clone()
    }
}

fn configuration(rules: &[(&str, &str)]) -> Value {
    let rules = rules.iter().map(|(name, service)| json!({ "hostname": name, "service": service }));
    let last = json!({ "service": "http_status:404" });
    json!({ "config": { "ingress": rules.chain([last]).collect::<Vec<_>>(), "originRequest": {} } })
}

#[tokio::test]
async fn a_tunnel_is_made_found_renamed_and_deleted() {
    let site = Site::new().await;
    let secret = STANDARD.encode([7; 32]);
    let body = json!({ "name": "one", "tunnel_secret": secret, "config_src": "cloudflare" });
    let made = site.ask(Method::POST, TUNNELS, body).await;
    let one = below(&made);
    let token = made["token"].as_str().unwrap();
    let fields: Value = serde_json::from_slice(&STANDARD.decode(token).unwrap()).unwrap();
    assert_eq!(fields, json!({ "a": ACCOUNT, "t": made["id"], "s": secret }));
    assert_eq!(made["credentials_file"]["TunnelSecret"], secret);
    assert_eq!(site.ask(Method::GET, &format!("{one}/token"), Value::Null).await, token);
    let shown = site.ask(Method::GET, &one, Value::Null).await;
    assert!(!shown.to_string().contains(&secret));
    assert_eq!(
        (&shown["status"], &shown["config_src"], &shown["connections"], &shown["metadata"]),
        (&json!("inactive"), &json!("cloudflare"), &json!([]), &json!({}))
    );
    let path = format!("{TUNNELS}/one");
    let changed = json!({ "name": "two", "tunnel_secret": STANDARD.encode([8; 32]), "overlap": 0 });
    assert_eq!(site.ask(Method::PATCH, &path, changed).await["name"], "two");
    assert_ne!(site.ask(Method::GET, &format!("{one}/token"), Value::Null).await, token);
    assert!(route(&site, &made, "a.test", false).await.is_object());
    let gone = site.ask(Method::DELETE, &one, Value::Null).await;
    assert!(gone["deleted_at"].is_string());
    assert_eq!(site.ask(Method::GET, &one, Value::Null).await, gone);
    assert_eq!(site.ask(Method::GET, NAMES, Value::Null).await, json!([]));
    for (method, path) in [
        (Method::GET, format!("{one}/token")),
        (Method::PATCH, one.clone()),
        (Method::DELETE, one.clone()),
        (Method::GET, format!("{one}/configurations")),
    ] {
        let (status, message) = site.refused(method, &path, Value::Null).await;
        assert_eq!((status, &*message), (400, "the tunnel \"two\" is deleted; create another one"));
    }
    tunnel(&site, "two").await;
}

#[tokio::test]
async fn what_is_no_tunnel_is_refused() {
    let site = Site::new().await;
    let made = tunnel(&site, "one").await;
    tunnel(&site, "two").await;
    let taken = String::from("there is a tunnel \"one\" already; choose another name");
    let post = |body| site.refused(Method::POST, TUNNELS, body);
    assert_eq!(post(json!({ "name": "one" })).await, (409, taken.clone()));
    let two = format!("{TUNNELS}/two");
    assert_eq!(site.refused(Method::PATCH, &two, json!({ "name": "one" })).await, (409, taken));
    for (body, expected) in [
        (json!({}), "name is missing"),
        (json!({ "name": made["id"] }), "name must not be a UUID"),
        (json!({ "name": "x", "tunnel_secret": "aHVudGVyMg==" }), "base64 of 32 to 1024 bytes"),
        (json!({ "name": "x", "config_src": "x" }), "config_src must be \"local\""),
    ] {
        let (status, message) = post(body).await;
        assert!(status == 400 && message.contains(expected), "{message}");
        assert!(!message.contains("aHVudGVyMg"), "{message}");
    }
    assert_eq!(site.refused(Method::GET, &format!("{TUNNELS}/x"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn every_filter_of_a_list_counts() {
    let site = Site::new().await;
    let one = tunnel(&site, "office-one").await;
    let two = tunnel(&site, "office-two").await;
    tunnel(&site, "home").await;
    site.ask(Method::DELETE, &below(&two), Value::Null).await;
    let uuid = format!("uuid={}", one["id"].as_str().unwrap());
    for (query, expected) in [
        ("", &["office-one", "office-two", "home"][..]),
        ("is_deleted=false", &["office-one", "home"]),
        ("is_deleted=true", &["office-two"]),
        ("name=home", &["home"]),
        (&uuid, &["office-one"]),
        ("include_prefix=office&is_deleted=false", &["office-one"]),
        ("name_prefix=office&exclude_prefix=office-t", &["office-one"]),
        ("status=healthy", &[]),
        ("status=inactive&per_page=2&page=2", &["home"]),
        ("page=2", &[]),
        ("existed_at=2020-01-01T00:00:00Z", &[]),
        ("existed_at=2999-01-01T00:00:00Z", &["office-one", "home"]),
        ("was_active_at=2999-01-01T00:00:00Z", &[]),
        ("was_inactive_at=2999-01-01T00:00:00Z", &["office-one", "home"]),
    ] {
        let found = names(&site, &format!("{TUNNELS}?{query}"), "name").await;
        assert_eq!(found, expected, "{query}");
    }
    for query in ["existed_at=x", "status=x", "page=x"] {
        assert_eq!(
            site.refused(Method::GET, &format!("{TUNNELS}?{query}"), Value::Null).await.0,
            400
        );
    }
    // What `cloudflared` counts pages by.
    let path = format!("{TUNNELS}?per_page=2");
    let (_, answer) = site.ask_as(&site.token, Method::GET, &path, &Value::Null).await;
    let info = &answer["result_info"];
    assert_eq!(
        (&info["count"], &info["page"], &info["per_page"], &info["total_count"]),
        (&json!(2), &json!(1), &json!(2), &json!(3))
    );
}

#[tokio::test]
async fn connections_are_shown_ended_and_in_the_way_of_a_deletion() {
    let fleet = Arc::new(Connected::default());
    let site = Site::with(Arc::<Connected>::clone(&fleet)).await;
    let one = below(&tunnel(&site, "one").await);
    let shown = site.ask(Method::GET, &one, Value::Null).await;
    assert_eq!(
        (&shown["status"], &shown["conns_active_at"], &shown["connections"][0]["client_id"]),
        (&json!("healthy"), &json!("2026-01-01T00:00:00Z"), &json!(CLIENT))
    );
    let active = format!("{TUNNELS}?status=healthy&was_active_at=2026-02-01T00:00:00Z");
    assert_eq!(names(&site, &active, "name").await, ["one"]);
    let clients = site.ask(Method::GET, &format!("{one}/connections"), Value::Null).await;
    let connector = format!("{one}/connectors/{CLIENT}");
    assert_eq!(site.ask(Method::GET, &connector, Value::Null).await, clients[0]);
    for path in [format!("{one}/connectors/x"), format!("{one}/connections?client_id=x")] {
        let method = if path.contains('?') { Method::DELETE } else { Method::GET };
        assert_eq!(site.refused(method, &path, Value::Null).await.0, 404);
    }
    let (status, message) = site.refused(Method::DELETE, &one, Value::Null).await;
    assert!(status == 400 && message.contains("has active connections"), "{message}");
    site.ask(Method::DELETE, &format!("{one}?cascade=true"), Value::Null).await;
    assert_eq!(*fleet.is_gone.lock(), [None]);
    fleet.is_gone.lock().clear();
    let two = below(&tunnel(&site, "two").await);
    let path = format!("{two}/connections?client_id={CLIENT}");
    assert_eq!(site.ask(Method::DELETE, &path, Value::Null).await, Value::Null);
    assert_eq!(*fleet.is_gone.lock(), [Some(CLIENT.to_owned())]);
    for path in ["management", "management/logs"] {
        let (status, message) =
            site.refused(Method::POST, &format!("{two}/{path}"), Value::Null).await;
        assert!(status == 400 && message.contains("cloudflared tunnel info two"), "{message}");
    }
}

#[tokio::test]
async fn rules_are_kept_as_they_were_put_and_counted() {
    let site = Site::new().await;
    let path = format!("{}/configurations", below(&tunnel(&site, "one").await));
    let before = site.ask(Method::GET, &path, Value::Null).await;
    assert_eq!(
        (&before["version"], &before["config"], &before["source"]),
        (&json!(0), &Value::Null, &json!("local"))
    );
    let rules = configuration(&[("DB.test", "tcp://localhost:5432")]);
    let put = site.ask(Method::PUT, &path, rules.clone()).await;
    assert_eq!(
        (&put["version"], &put["config"], &put["source"]),
        (&json!(1), &rules["config"], &json!("cloudflare"))
    );
    assert_eq!(site.ask(Method::PUT, &path, rules).await, put);
    assert_eq!(site.ask(Method::GET, &path, Value::Null).await, put);
    assert_eq!(names(&site, NAMES, "hostname").await, ["db.test"]);
    let wrong = configuration(&[("a.test", "http://localhost:80")]);
    let (status, message) = site.refused(Method::PUT, &path, wrong).await;
    assert!(status == 400 && message.contains("config.ingress.0.service"), "{message}");
    for body in [json!({}), json!({ "config": null }), json!({ "config": [] })] {
        assert!(site.refused(Method::PUT, &path, body).await.1.contains("config is missing"));
    }
    let less = site.ask(Method::PUT, &path, configuration(&[])).await;
    assert_eq!(less["version"], 2);
    assert_eq!(site.ask(Method::GET, NAMES, Value::Null).await, json!([]));
}

#[tokio::test]
async fn a_hostname_is_led_to_a_tunnel_and_away() {
    let site = Site::new().await;
    let (one, two) = (tunnel(&site, "one").await, tunnel(&site, "two").await);
    let cname = |answer: &Value| answer["cname"].clone();
    let new = route(&site, &one, "DB.Test", false).await;
    assert_eq!(new, json!({ "cname": "new", "name": "db.test", "dns_tag": one["id"] }));
    assert_eq!(cname(&route(&site, &one, "db.test", false).await), "unchanged");
    let refused = route(&site, &two, "db.test", false).await;
    assert!(refused.as_str().unwrap().contains("leads to the tunnel \"one\" already"), "{refused}");
    assert_eq!(cname(&route(&site, &two, "db.test", true).await), "updated");
    let shown = site.ask(Method::GET, &format!("{NAMES}/DB.test"), Value::Null).await;
    assert_eq!(
        (&shown["tunnel_name"], &shown["service"], &shown["source"]),
        (&json!("two"), &Value::Null, &json!("route"))
    );
    for wrong in ["", "*.test", "a.test:1", "x.argotunnel.com"] {
        let message = route(&site, &one, wrong, false).await;
        assert!(message.as_str().unwrap().starts_with("user_hostname: "), "{message}");
    }
    let path = format!("/zones/{ACCOUNT}/tunnels/{}/routes", one["id"].as_str().unwrap());
    let (status, message) = site.refused(Method::PUT, &path, json!({ "type": "lb" })).await;
    assert!(status == 400 && message.contains("no load balancers"), "{message}");
    let path = format!("/zones/{ACCOUNT}/tunnels/x/routes");
    let body = json!({ "user_hostname": "a.test" });
    assert_eq!(site.refused(Method::PUT, &path, body).await.0, 404);
    assert_eq!(site.ask(Method::DELETE, &format!("{NAMES}/db.test"), Value::Null).await, shown);
    assert_eq!(site.refused(Method::GET, &format!("{NAMES}/db.test"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_service_is_not_told_to_a_tunnel_whose_own_file_leads_others() {
    let site = Site::new().await;
    tunnel(&site, "one").await;
    let (db, other) = (format!("{NAMES}/db.test"), format!("{NAMES}/other.test"));
    site.ask(Method::PUT, &db, json!({ "tunnel": "one" })).await;
    let body = json!({ "tunnel": "one", "service": "tcp://a:1" });
    let (status, message) = site.refused(Method::PUT, &other, body.clone()).await;
    assert!(status == 400 && message.contains("by which db.test can be reached"), "{message}");
    assert_eq!(site.ask(Method::GET, NAMES, Value::Null).await.as_array().map(Vec::len), Some(1));
    // Once nobody goes by the file any more.
    site.ask(Method::PUT, &db, body.clone()).await;
    site.ask(Method::PUT, &other, body).await;
}

#[tokio::test]
async fn a_hostname_with_a_service_is_a_rule_of_its_tunnel() {
    let site = Site::new().await;
    let path = format!("{}/configurations", below(&tunnel(&site, "one").await));
    let db = format!("{NAMES}/db.test");
    for (service, rules) in [("tcp://a:1", "a:1"), ("tcp://b:2", "b:2")] {
        let body = json!({ "tunnel": "one", "service": service });
        let put = site.ask(Method::PUT, &db, body).await;
        assert_eq!(put["service"], service);
        let config = site.ask(Method::GET, &path, Value::Null).await["config"].clone();
        let rule = json!({ "hostname": "db.test", "service": format!("tcp://{rules}") });
        assert_eq!(config["ingress"], json!([rule, { "service": "http_status:404" }]));
    }
    site.ask(Method::POST, "/{a}/access/apps", json!({ "name": "guard", "domain": "db.test" }))
        .await;
    let listed = site.ask(Method::GET, &format!("{NAMES}?tunnel=one"), Value::Null).await;
    assert_eq!(listed[0]["applications"], json!(["guard"]));
    for (body, expected) in [
        (json!({}), "tunnel is missing"),
        (json!({ "tunnel": "one", "service": "http://a" }), "service: only TCP services"),
        (json!({ "tunnel": "x" }), "there is no tunnel \"x\""),
    ] {
        let (_, message) = site.refused(Method::PUT, &db, body).await;
        assert!(message.contains(expected), "{message}");
    }
    site.ask(Method::DELETE, &db, Value::Null).await;
    assert_eq!(site.ask(Method::GET, NAMES, Value::Null).await, json!([]));
    let config = site.ask(Method::GET, &path, Value::Null).await["config"].clone();
    assert_eq!(config["ingress"], json!([{ "service": "http_status:404" }]));
}

#[tokio::test]
async fn what_is_one_accounts_is_no_others() {
    let site = Site::new().await;
    let other = site.ask(Method::POST, "/accounts", json!({ "name": "other" })).await;
    let other = format!("/accounts/{}", other["id"].as_str().unwrap());
    let one = tunnel(&site, "one").await;
    let path = format!("{}/configurations", below(&one));
    site.ask(Method::PUT, &path, configuration(&[("rule.test", "tcp://a:1")])).await;
    route(&site, &one, "led.test", false).await;
    site.ask(Method::POST, "/{a}/access/apps", json!({ "domain": "guarded.test" })).await;
    // The same name is no conflict in another account.
    let theirs =
        site.ask(Method::POST, &format!("{other}/cfd_tunnel"), json!({ "name": "one" })).await;
    let id = theirs["id"].as_str().unwrap();
    for name in ["rule.test", "led.test", "guarded.test"] {
        for (method, path, body) in [
            (
                Method::PUT,
                format!("{other}/hostnames/{name}"),
                json!({ "tunnel": "one", "overwrite_existing": true }),
            ),
            (
                Method::PUT,
                format!("{other}/cfd_tunnel/{id}/configurations"),
                configuration(&[(name, "tcp://a:1")]),
            ),
            (
                Method::POST,
                format!("{other}/access/apps"),
                json!({ "domain": format!("{name}/x") }),
            ),
        ] {
            let (status, message) = site.refused(method, &path, body).await;
            assert!(status == 400 && message.contains("is another account's already"), "{message}");
        }
    }
    for path in [format!("{TUNNELS}/{id}"), format!("{TUNNELS}/{id}/token")] {
        assert_eq!(site.refused(Method::GET, &path, Value::Null).await.0, 404);
    }
    assert_eq!(site.ask(Method::GET, &format!("{other}/hostnames"), Value::Null).await, json!([]));
}

#[tokio::test]
async fn a_token_that_may_only_look_is_not_told_a_tunnels() {
    let site = Site::new().await;
    let one = below(&tunnel(&site, "one").await);
    let body = json!({ "name": "look", "scope": "read" });
    let look =
        site.ask(Method::POST, "/user/tokens", body).await["value"].as_str().unwrap().to_owned();
    for (path, expected) in [(one.clone(), 200), (format!("{one}/token"), 403)] {
        let (status, _) = site.ask_as(&look, Method::GET, &path, &Value::Null).await;
        assert_eq!(status.as_u16(), expected);
    }
}
