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

/// What a tool says that works in the control node's store, and is done.
fn done(control: &Control, line: &str) -> String {
    let (code, said) = control.tool(&line.split(' ').collect::<Vec<_>>()).unwrap();
    assert_eq!(code, 0, "{line}: {said}");
    said
}

/// What it says that asks the control node.
fn asked_of(control: &Control, line: &str) -> (i32, String) {
    let url = format!("http://{}", control.address);
    let to = ["--api-url", &url, "--api-token", &control.token];
    let config = ["-c", "no such file"];
    control.tool(&[&line.split(' ').collect::<Vec<_>>()[..], &to, &config].concat()).unwrap()
}

#[tokio::test]
async fn tunnels_are_managed_through_the_control_plane() {
    let control = Control::start_without_tests().unwrap();
    let said = done(&control, "tunnel create office --out office.token");
    assert!(said.contains("cloudflared tunnel") && said.contains("is in office.token"), "{said}");
    let token = std::fs::read_to_string(control.home().join("office.token")).unwrap();
    assert_eq!(done(&control, "tunnel token office -q").trim(), token.trim());
    let route = "tunnel route office db.test --service tcp://127.0.0.1:5432";
    assert!(done(&control, route).contains("Nobody may pass yet"));
    assert!(done(&control, "tunnel list").contains("db.test → tcp://127.0.0.1:5432"));
    assert!(done(&control, "tunnel hostnames").contains("office"));
    done(&control, "tunnel create other -q");
    let other = "tunnel route other db.test";
    let (code, said) = control.tool(&other.split(' ').collect::<Vec<_>>()).unwrap();
    assert!(code == 1 && said.contains("leads to the tunnel \"office\" already"), "{said}");
    done(&control, &format!("{other} --overwrite"));
    let (code, said) = asked_of(&control, "tunnel info other --json");
    let info: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &info["name"], &info["status"]), (0, &"other".into(), &"inactive".into()));
    assert!(asked_of(&control, "tunnel connections other").1.contains("Nobody is connected"));
    assert_eq!(asked_of(&control, "tunnel cleanup other").0, 0);
    let (code, said) = control.tool(&["tunnel", "connections", "other"]).unwrap();
    assert!(code == 1 && said.contains("only a control node that runs"), "{said}");
    assert_ne!(done(&control, "tunnel rotate office --overlap 0s -q").trim(), token.trim());
    done(&control, "tunnel unroute db.test");
    done(&control, "tunnel delete other");
    assert!(!done(&control, "tunnel list").contains("other"));
}

#[tokio::test]
async fn who_may_pass_is_managed_through_the_control_plane() {
    let control = Control::start_without_tests().unwrap();
    let said = done(&control, "access token create proxy --duration 90d");
    let secret = said.split('"').nth(3).unwrap();
    assert_eq!(secret.len(), 64, "{said}");
    done(&control, "access token create spare --duration forever");
    let policy = "access policy create staff --include token:proxy --exclude token:spare";
    assert!(done(&control, policy).contains("--policy staff"));
    done(&control, "access app create db.test --policy staff --token spare");
    done(&control, "access policy update staff --include any --exclude none");
    done(&control, "access app update db.test --service-auth-401 true");
    for (line, parts) in [
        ("access token list", &["proxy", "spare", "forever"][..]),
        ("access policy list", &["staff", "any"]),
        ("access app list", &["db.test", "staff", "any; token:spare"]),
    ] {
        let (code, said) = asked_of(&control, line);
        assert_eq!(code, 0, "{said}");
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains(secret), "{said}");
    }
    let apps = asked(&control, "GET", "/{a}/access/apps", Value::Null).await;
    assert_eq!(
        (&apps[0]["service_auth_401_redirect"], apps[0]["policies"].as_array().unwrap().len()),
        (&true.into(), 2)
    );
    let said = done(&control, "access token rotate proxy --overlap 1h");
    assert!(said.contains("valid for 1 h") && !said.contains(secret), "{said}");
    let (code, said) = asked_of(&control, "access token revoke spare");
    assert!(code == 1 && said.contains("the policy db.test names it"), "{said}");
    done(&control, "access app update db.test --policy staff");
    done(&control, "access token revoke spare");
    done(&control, "access app delete db.test");
    done(&control, "access policy delete staff");
    let (code, said) = asked_of(&control, "access policy create x --include token:none");
    assert!(
        code == 1 && said.contains("there is no service token \"none\"; there is proxy"),
        "{said}"
    );
}

#[tokio::test]
async fn a_purge_reaches_the_proxies_of_the_control_node() {
    let control = Control::start_without_tests().unwrap();
    done(&control, "create app --connection-string postgres://u:hunter2@db.test:5432/d");
    let (code, said) = asked_of(&control, "purge app --table orders");
    assert!(code == 0 && said.contains("Purged of \"app\" on 0 proxies: orders"), "{said}");
    let (code, said) = control.tool(&["purge", "app"]).unwrap();
    assert!(code == 1 && said.contains("only a control node that runs"), "{said}");
}

/// Where there is nothing, both ways are named; where an edge's file is, its folder is meant.
#[test]
fn an_edge_without_a_control_plane_is_managed_in_its_folder() {
    let home = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = std::process::Command::new(e2e::install::jumpgate().unwrap());
        command.args(line.split(' ')).current_dir(home.path()).env("HOME", home.path());
        let output = command.env_remove("XDG_CONFIG_HOME").output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    for line in ["tunnel list", "access token list"] {
        let (code, said) = run(line);
        let names_both = said.contains("jumpgate login URL") && said.contains("edge init");
        assert!(code == Some(1) && names_both, "{said}");
    }
    assert_eq!(run("edge init -c edge.toml").0, Some(0));
    assert_eq!(run("tunnel create office -c edge.toml --out office.token").0, Some(0));
    assert!(run("tunnel list -c edge.toml --json").1.contains("\"office\""));
    let (code, said) = run("tunnel token office -c edge.toml");
    assert!(code == Some(1) && said.contains("jumpgate tunnel rotate"), "{said}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, said) = run(&format!("completion {shell}"));
        assert!(code == Some(0) && said.contains("hostnames"), "{shell}");
    }
    assert_eq!(run("tunnel nonsense").0, Some(2));
}
