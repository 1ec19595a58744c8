//! The reference's SDKs, unmodified, and the requests of its Terraform provider.

use e2e::control::Control;
use serde_json::{Value, json};

use super::{asked, config};

#[tokio::test]
async fn the_node_sdk_manages_configs() {
    let control = Control::start_without_tests().unwrap();
    let said = control.script("control.js").unwrap();
    assert!(said.contains("control.js: done"), "{said}");
}

#[tokio::test]
async fn the_python_sdk_manages_configs() {
    let control = Control::start_without_tests().unwrap();
    let said = control.script("control.py").unwrap();
    assert!(said.contains("control.py: done"), "{said}");
}

/// What provider 5.22.0 sends, and what it must find for its next plan to be empty.
#[tokio::test]
async fn terraform_finds_no_drift() {
    let control = Control::start_without_tests().unwrap();
    let mut wanted = config("tf");
    wanted["caching"] = json!({ "disabled": false });
    wanted["origin_connection_limit"] = json!(20);
    let made = asked(&control, "POST", "/{a}/hyperdrive/configs", wanted.clone()).await;
    let one = format!("/{{a}}/hyperdrive/configs/{}", made["id"].as_str().unwrap());
    let read = asked(&control, "GET", &one, Value::Null).await;
    assert_eq!(read["caching"], wanted["caching"]);
    assert_eq!(read["origin"]["scheme"], "postgres");
    // What was removed from the configuration comes as null, nested too.
    let mut updated = config("tf");
    updated["caching"] = json!({ "disabled": false, "max_age": null });
    updated["mtls"] = Value::Null;
    updated["origin_connection_limit"] = Value::Null;
    updated["origin"]["access_client_id"] = Value::Null;
    let answer = asked(&control, "PUT", &one, updated).await;
    let read = asked(&control, "GET", &one, Value::Null).await;
    assert_eq!(answer, read);
    assert_eq!((&read["origin_connection_limit"], &read["mtls"]), (&Value::Null, &Value::Null));
    let moved = json!({ "name": "tf", "caching": { "disabled": false }, "origin": {
        "scheme": "postgres", "host": "t.test", "port": null, "database": "d", "user": "u", "password": "p",
        "access_client_id": "a.access", "access_client_secret": "s",
    } });
    let moved = asked(&control, "PUT", &one, moved).await;
    assert!(moved["origin"].get("port").is_none(), "{moved}");
    let imported = asked(&control, "GET", &one, Value::Null).await;
    assert_eq!(imported, moved);
    asked(&control, "DELETE", &one, Value::Null).await;
    assert_eq!(control.ask("GET", &one, &Value::Null).await.unwrap().0, 404);
}
