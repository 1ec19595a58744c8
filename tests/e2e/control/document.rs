//! The OpenAPI document, held against the answers: whatever it allows is asked, and much that it does not.

use std::process::Command;

use e2e::{certificates::Authority, control::Control, drivers, install};
use serde_json::{Value, json};

use super::{asked, config};

/// What an answer must be. That strange requests are refused is not held: clients send more than they mean.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
    response_headers_conformance,unsupported_method,allow_header_conformance";

#[tokio::test]
async fn what_the_document_allows_is_answered_as_it_says() {
    let control = Control::start_without_tests().unwrap();
    let known = one_of_each(&control).await;
    std::fs::write(control.home().join("schemathesis.toml"), known).unwrap();
    let schemathesis = drivers::schemathesis().unwrap();
    // What is deleted could not be asked for.
    for methods in ["--exclude-method", "--include-method"] {
        let mut command = Command::new(&schemathesis);
        command.arg("run").arg(format!("http://{}/client/v4/openapi.json", control.address));
        command.args(["--header", &format!("Authorization: Bearer {}", control.token)]);
        command.args(["--checks", CHECKS, "--seed", "1", "--max-examples", "5"]);
        command.args(["--phases", "examples,coverage,fuzzing", "--no-color", methods, "DELETE"]);
        install::run(command.current_dir(control.home())).unwrap();
    }
    assert!(!control.log().contains("panicked"), "{}", control.log());
}

/// Makes one of each kind; says how each is called.
async fn one_of_each(control: &Control) -> String {
    let make = async |path: &str, body: Value| {
        let made = asked(control, "POST", path, body).await;
        made["id"].as_str().unwrap().to_owned()
    };
    let any = json!([{ "any_valid_service_token": {} }]);
    let own = json!({ "name": "own", "decision": "non_identity", "include": any });
    let pem = Authority::new().leaf(&["ca.test"]).certificate;
    let certificate = json!({ "name": "ca", "certificates": pem, "ca": true });
    let ids = [
        ("/hyperdrive/", make("/{a}/hyperdrive/configs", config("one")).await),
        ("/mtls_certificates/", make("/{a}/mtls_certificates", certificate).await),
        ("/service_tokens/", make("/{a}/access/service_tokens", json!({ "name": "t" })).await),
        ("/access/policies/", make("/{a}/access/policies", own.clone()).await),
        ("/access/apps/", make("/{a}/access/apps", json!({ "domain": "db.test" })).await),
        ("/(cfd_tunnel|tunnels)/", make("/{a}/cfd_tunnel", json!({ "name": "office" })).await),
        ("/user/tokens/", make("/user/tokens", json!({ "name": "t", "scope": "read" })).await),
    ];
    let policy = make("/{a}/access/apps/db.test/policies", own).await;
    make("/{a}/hyperdrive/configs/one/credentials", json!({ "user": "app" })).await;
    let lead = json!({ "tunnel": "office" });
    asked(control, "PUT", "/{a}/hostnames/db.test", lead).await;
    let zones = asked(control, "GET", "/zones", Value::Null).await;
    let mut known = format!(
        "[parameters]\n\"path.account\" = {:?}\n\"path.zone\" = {}\n\"path.user\" = \"app\"\n\
         \"path.name\" = \"db.test\"\n\"path.policy\" = {policy:?}\n",
        control.account, zones[0]["id"]
    );
    for (path, id) in ids {
        known.push_str(&format!(
            "[[operations]]\ninclude-path-regex = \"{path}\"\nparameters = {{ \"path.id\" = {id:?} }}\n"
        ));
    }
    known
}
