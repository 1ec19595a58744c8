//! `wrangler`, unmodified, the last for Node 20 and the newest: each row of what it can send.

use std::fs;

use e2e::{certificates::Authority, control::Control};
use serde_json::{Value, json};

use super::asked;

/// All scenarios with one release.
macro_rules! scenarios {
    ($release:ident: $($scenario:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $scenario() {
            let mut control = e2e::control::Control::start_without_tests().unwrap();
            control.wrangler = e2e::control::Wrangler::$release;
            super::$scenario(control).await;
        })+
    };
    ($release:ident) => {
        scenarios!(
            $release:
            wrangler_creates_configs_of_each_kind,
            wrangler_updates_and_deletes_a_config,
            wrangler_shows_what_is_wrong_and_who_asks,
            wrangler_uploads_certificates_and_configs_name_them,
            wrangler_manages_tunnels,
        );
    };
}

mod last_for_node_20 {
    scenarios!(Node20);
}

mod newest {
    scenarios!(Newest);
}

/// What wrangler prints of a config, and its id.
async fn made(control: &Control, arguments: &[&str]) -> Value {
    let (code, said) = control.wrangler(&[&["hyperdrive", "create"], arguments].concat()).unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("✅ Created new Hyperdrive"), "{said}");
    let id = said.split('"').find(|part| part.len() == 32).unwrap_or_else(|| panic!("{said}"));
    asked(control, "GET", &format!("/{{a}}/hyperdrive/configs/{id}"), Value::Null).await
}

async fn wrangler_creates_configs_of_each_kind(control: Control) {
    let url = "--connection-string=postgres://us%40er:p%40ss@db.example.com/mydb";
    let direct = made(&control, &["db1", url]).await;
    let origin = json!({
        "scheme": "postgres", "host": "db.example.com", "port": 5432, "database": "mydb", "user": "us@er",
    });
    assert_eq!((&direct["origin"], &direct["caching"]), (&origin, &json!({ "disabled": false })));
    let login = ["--user", "u", "--password", "p", "--database", "d"];
    let access = ["db2", "--host", "t.example.com", "--access-client-id", "abc.access"];
    let access = [&access[..], &["--access-client-secret", "sec"], &login].concat();
    let tunnel = made(&control, &access).await;
    assert_eq!(
        (&tunnel["origin"]["port"], &tunnel["origin"]["access_client_id"]),
        (&Value::Null, &json!("abc.access"))
    );
    let mysql = ["db3", "--host", "h", "--port", "3306", "--scheme", "mysql", "--caching-disabled"];
    let mysql = made(&control, &[&mysql[..], &login].concat()).await;
    assert_eq!(mysql["caching"], json!({ "disabled": true }));
    let aged = ["db4", "--host", "h", "--port", "5432", "--max-age", "120", "--swr", "30"];
    let aged =
        [&aged[..], &["--origin-connection-limit", "15", "--sslmode", "require"], &login].concat();
    let aged = made(&control, &aged).await;
    let caching = json!({ "disabled": false, "max_age": 120, "stale_while_revalidate": 30 });
    assert_eq!((&aged["caching"], &aged["origin_connection_limit"]), (&caching, &json!(15)));
    assert_eq!(aged["mtls"], json!({ "sslmode": "require" }));
    let (code, said) = control.wrangler(&["hyperdrive", "list"]).unwrap();
    assert_eq!(code, 0, "{said}");
    for shown in ["db1", "us@er", "db2", "t.example.com", "db3", "db4", "max_age: 120"] {
        assert!(said.contains(shown), "{shown} is missing in {said}");
    }
    assert!(!said.contains("p@ss") && !control.log().contains("p@ss"), "{said}");
}

async fn wrangler_updates_and_deletes_a_config(control: Control) {
    let url = "--connection-string=postgres://u:p@h:5432/d";
    let config = made(&control, &["one", url]).await;
    let id = config["id"].as_str().unwrap();
    let update = |arguments: &[&str]| {
        let (code, said) =
            control.wrangler(&[&["hyperdrive", "update", id], arguments].concat()).unwrap();
        assert_eq!(code, 0, "{said}");
        let json = said.find('{').and_then(|from| said.get(from..=said.rfind('}')?));
        serde_json::from_str::<Value>(json.unwrap_or_else(|| panic!("{said}"))).unwrap()
    };
    assert_eq!(update(&["--max-age", "10", "--swr", "0"])["caching"]["max_age"], 10);
    assert_eq!(update(&["--caching-disabled"])["caching"], json!({ "disabled": true }));
    assert_eq!(update(&["--caching-disabled=false"])["caching"], json!({ "disabled": false }));
    let access = ["--host", "h3", "--access-client-id", "a.access", "--access-client-secret", "b"];
    assert_eq!(update(&access)["origin"]["port"], Value::Null);
    let direct = update(&["--host", "h2", "--port", "6543"]);
    assert_eq!(
        (&direct["origin"]["port"], &direct["origin"]["access_client_id"]),
        (&json!(6543), &Value::Null)
    );
    assert_eq!(update(&["--origin-connection-limit", "20"])["origin_connection_limit"], 20);
    assert_eq!(update(&["--sslmode", "require"])["mtls"], json!({ "sslmode": "require" }));
    let whole = update(&["--connection-string", "postgresql://a:b@c:1/d"]);
    assert_eq!((&whole["origin"]["host"], &whole["origin"]["port"]), (&json!("c"), &json!(1)));
    assert_eq!(update(&[])["origin"]["host"], "c", "nothing changes nothing");
    assert_eq!(update(&["--name", "two", "--password", "pw"])["name"], "two");
    let (code, said) = control.wrangler(&["hyperdrive", "get", id]).unwrap();
    assert!(code == 0 && said.contains("\"two\""), "{said}");
    let (code, said) = control.wrangler(&["hyperdrive", "delete", id]).unwrap();
    assert!(code == 0 && said.contains("✅ Deleted"), "{said}");
    let (code, said) = control.wrangler(&["hyperdrive", "get", id]).unwrap();
    assert!(
        code == 1 && said.contains("there is no config") && said.contains("[code: 1003]"),
        "{said}"
    );
}

async fn wrangler_shows_what_is_wrong_and_who_asks(mut control: Control) {
    let (code, said) = control
        .wrangler(&["hyperdrive", "create", "x", "--connection-string=postgres://a:b@c:1/"])
        .unwrap();
    assert!(code == 1 && said.contains("origin.database: must not be empty"), "{said}");
    let (code, said) = control.wrangler(&["whoami"]).unwrap();
    assert!(code == 0 && said.contains(&control.account), "{said}");
    control.token = String::from("wrong");
    let (code, said) = control.wrangler(&["hyperdrive", "list"]).unwrap();
    assert!(code == 1 && said.contains("[code: 10000]"), "{said}");
}

async fn wrangler_uploads_certificates_and_configs_name_them(control: Control) {
    let run = |arguments: &[&str]| {
        let (code, said) = control.wrangler(arguments).unwrap();
        assert_eq!(code, 0, "{arguments:?}: {said}");
        said
    };
    let authority = Authority::new();
    fs::write(control.home().join("ca.pem"), &authority.pem).unwrap();
    authority.leaf(&["client"]).write(control.home(), "leaf").unwrap();
    run(&["cert", "upload", "certificate-authority", "--ca-cert", "ca.pem", "--name", "ours"]);
    let pair = ["--cert", "leaf.pem", "--key", "leaf.key"];
    run(&[&["cert", "upload", "mtls-certificate", "--name", "shown"], &pair[..]].concat());
    run(&[&["mtls-certificate", "upload", "--name", "old"], &pair[..]].concat());
    let listed = run(&["cert", "list"]);
    assert!(["ours", "shown", "old"].iter().all(|name| listed.contains(name)), "{listed}");
    let kept = asked(&control, "GET", "/{a}/mtls_certificates", Value::Null).await;
    let id = |name: &str| {
        let found = kept.as_array().unwrap().iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{kept}"))["id"].as_str().unwrap().to_owned()
    };
    let (ca, client) = (id("ours"), id("shown"));
    let login = ["--user", "u", "--password", "p", "--database", "d", "--sslmode", "verify-full"];
    let named = ["--ca-certificate-id", ca.as_str(), "--mtls-certificate-id", &client];
    let config = [&["db", "--host", "h", "--port", "5432"][..], &login, &named].concat();
    let config = made(&control, &config).await;
    let mtls = json!({
        "ca_certificate_id": ca, "mtls_certificate_id": client, "sslmode": "verify-full",
    });
    assert_eq!(config["mtls"], mtls);
    let (code, said) = control.wrangler(&["cert", "delete", "--id", &ca]).unwrap();
    assert!(code == 1 && said.contains("db"), "a config needs it: {said}");
    run(&["hyperdrive", "delete", config["id"].as_str().unwrap()]);
    run(&["cert", "delete", "--id", &ca]);
    run(&["mtls-certificate", "delete", "--name", "old"]);
    let left = asked(&control, "GET", "/{a}/mtls_certificates", Value::Null).await;
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
}

async fn wrangler_manages_tunnels(control: Control) {
    let run = |arguments: &[&str]| {
        let (code, said) = control.wrangler(arguments).unwrap();
        assert_eq!(code, 0, "{arguments:?}: {said}");
        said
    };
    let said = run(&["tunnel", "create", "office"]);
    let kept = asked(&control, "GET", "/{a}/cfd_tunnel?is_deleted=false", Value::Null).await;
    let id = kept[0]["id"].as_str().unwrap();
    assert!(said.contains(id), "{said}");
    assert!(run(&["tunnel", "list"]).contains("office"));
    assert!(run(&["tunnel", "info", "office"]).contains(id));
    run(&["tunnel", "delete", "office", "--force"]);
    let kept = asked(&control, "GET", "/{a}/cfd_tunnel?is_deleted=false", Value::Null).await;
    assert_eq!(kept, json!([]));
}
