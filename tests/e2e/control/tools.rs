//! Our own tools, in the control node's store, beside it and without it.

use e2e::control::Control;
use serde_json::Value;

use super::asked;

#[tokio::test]
async fn the_tools_manage_a_store_with_its_node_and_without() {
    let mut control = Control::start_without_tests().unwrap();
    let tool = |control: &Control, arguments: &[&str]| {
        let (code, said) = control.tool(arguments).unwrap();
        assert_eq!(code, 0, "{arguments:?}: {said}");
        said
    };
    let url = "postgres://u:hunter2@db.test:5432/d";
    let said =
        tool(&control, &["create", "app", "--connection-string", url, "--client-user", "web"]);
    assert!(said.contains("postgres://web:") && !said.contains("hunter2"), "{said}");
    // The node that runs beside sees it at once.
    let (status, answer) =
        control.ask("GET", "/{a}/hyperdrive/configs/app", &Value::Null).await.unwrap();
    assert_eq!((status, &answer["result"]["origin"]["host"]), (200, &Value::from("db.test")));
    control.kill();
    assert!(tool(&control, &["list"]).contains("db.test"));
    let updated = tool(&control, &["update", "app", "--max-age", "7"]);
    assert!(updated.contains("\"max_age\": 7"), "{updated}");
    let rotated = tool(&control, &["credentials", "rotate", "app", "web"]);
    assert!(rotated.contains("postgres://web:"), "{rotated}");
    let read = tool(&control, &["token", "create", "ci", "--scope", "read", "--json"]);
    let read: Value = serde_json::from_str(&read).unwrap();
    control.run().unwrap();
    control.token = read["value"].as_str().unwrap().to_owned();
    assert_eq!(
        control.ask("DELETE", "/{a}/hyperdrive/configs/app", &Value::Null).await.unwrap().0,
        403
    );
    assert!(tool(&control, &["audit"]).contains("rotate credential"));
    tool(&control, &["delete", "app"]);
    let (code, said) = control.tool(&["get", "app"]).unwrap();
    assert!(code == 1 && said.contains("there is no config \"app\""), "{said}");
}

/// In the store alone, where nobody waits for a connector: all that is made for it, and what a refusal leaves.
#[tokio::test]
async fn one_command_makes_the_whole_way_to_a_private_database() {
    let control = Control::start_without_tests().unwrap();
    let way = ["--tunnel", "office", "--hostname", "db.test", "--service", "tcp://127.0.0.1:5432"];
    let login = ["--database", "d", "--user", "u", "--password", "hunter2"];
    let create = |name: &'static str, more: &[&'static str]| {
        let all = [&["create", name][..], &way, &login, more].concat();
        control.tool(&all).unwrap()
    };
    let (code, said) = create("no", &["--scheme", "postgres", "--max-age", "3601"]);
    assert!(code == 1 && said.contains("caching.max_age"), "{said}");
    for path in [
        "cfd_tunnel?is_deleted=false",
        "hostnames",
        "access/service_tokens",
        "access/apps",
        "access/policies",
    ] {
        let left = asked(&control, "GET", &format!("/{{a}}/{path}"), Value::Null).await;
        assert_eq!(left, Value::Array(Vec::new()), "{path}");
    }
    let (code, said) = create("app", &["--scheme", "postgres"]);
    assert!(code == 0 && said.contains("jumpgate connector --edge"), "{said}");
    let config = asked(&control, "GET", "/{a}/hyperdrive/configs/app", Value::Null).await;
    assert_eq!(
        (&config["origin"]["host"], &config["origin"]["port"]),
        (&Value::from("db.test"), &Value::Null)
    );
    let apps = asked(&control, "GET", "/{a}/access/apps", Value::Null).await;
    assert_eq!(apps[0]["domain"], "db.test");
    let hostnames = asked(&control, "GET", "/{a}/hostnames", Value::Null).await;
    assert_eq!(hostnames[0]["service"], "tcp://127.0.0.1:5432", "{hostnames}");
}

#[tokio::test]
async fn a_tool_elsewhere_logs_in_once() {
    let control = Control::start_without_tests().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], input: &str| {
        let token = elsewhere.path().join("token");
        std::fs::write(&token, input).unwrap();
        let mut command = std::process::Command::new(e2e::install::jumpgate().unwrap());
        command.args(arguments).current_dir(elsewhere.path()).env("HOME", elsewhere.path());
        let input = std::fs::File::open(&token).unwrap();
        let output = command.env_remove("XDG_CONFIG_HOME").stdin(input).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = run(&["list"], "");
    assert!(code == Some(1) && said.contains("jumpgate login URL"), "{said}");
    let url = format!("http://{}", control.address);
    let (code, said) = run(&["login", &url], "wrong\n");
    assert!(code == Some(1) && said.contains("[code: 10000]"), "{said}");
    let (code, said) = run(&["login", &url], &format!("{}\n", control.token));
    assert!(code == Some(0) && said.contains("scope admin"), "{said}");
    let (code, said) = run(&["list"], "");
    assert!(code == Some(0) && said.contains("no configs yet"), "{said}");
}
