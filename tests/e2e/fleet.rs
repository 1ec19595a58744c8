//! Proxies that follow a control node: what it tells is served at once, and goes on without it.

use std::fs;

use e2e::{
    certificates::Authority,
    follower::{Follower, Leader},
    metrics,
    postgres::{APP_PASSWORD, Postgres},
    stage::{Version, eventually, run_on_a_runtime},
};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "clients-password";

pub(crate) fn database() -> (Postgres, Value) {
    let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
    let endpoint = postgres.endpoint();
    let origin = json!({
        "scheme": "postgres", "host": "127.0.0.1", "port": endpoint.address.port(),
        "database": endpoint.database, "user": endpoint.user, "password": APP_PASSWORD,
    });
    (postgres, origin)
}

/// Makes a config with a user; returns its id.
pub(crate) async fn make(control: &Leader, name: &str, origin: &Value) -> String {
    let body = json!({ "name": name, "origin": origin });
    let made = control.told("POST", "/{a}/hyperdrive/configs", &body).await.unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/{{a}}/hyperdrive/configs/{id}/credentials");
    let user = json!({ "user": "app", "password": PASSWORD });
    control.told("POST", &path, &user).await.unwrap();
    id
}

pub(crate) async fn is_served(proxy: &Follower, name: &str) {
    eventually("it is served", async || proxy.serves(name, PASSWORD).await).await;
}

async fn ready(proxy: &Follower) -> (u16, String) {
    metrics::get(proxy.admin, "/readyz").await.unwrap()
}

#[test]
fn a_config_made_by_the_api_is_served_at_once_and_goes_on_without_the_control_node() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let mut control = Leader::start().unwrap();
        let mut proxy = Follower::start(&control.section()).unwrap();
        eventually("it is ready", async || ready(&proxy).await.0 == 200).await;
        make(&control, "one", &origin).await;
        is_served(&proxy, "one").await;
        let mut client = proxy.client("one", PASSWORD).await;
        client.hold_a_backend().await;
        eventually("it is kept", async || proxy.has_kept_all(&control).await.unwrap()).await;
        control.kill();
        assert_eq!(client.value("SELECT 1").await, "1");
        client.run("COMMIT").await;
        proxy.restart().unwrap();
        assert!(proxy.serves("one", PASSWORD).await, "{}", proxy.log());
        assert_eq!(ready(&proxy).await.0, 200);
        // What was made meanwhile comes as soon as it is back.
        control.run().unwrap();
        make(&control, "two", &origin).await;
        is_served(&proxy, "two").await;
    });
}

#[test]
fn a_change_that_does_not_concern_a_client_leaves_it_alone_and_a_restart_lets_its_transaction_end()
{
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let control = Leader::start().unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        let id = make(&control, "one", &origin).await;
        is_served(&proxy, "one").await;
        let mut client = proxy.client("one", PASSWORD).await;
        client.run("BEGIN").await;
        let backend = client.value("SELECT pg_backend_pid()").await;
        client.run("CREATE TEMPORARY TABLE t ON COMMIT DROP AS SELECT 7 AS n").await;
        make(&control, "two", &origin).await;
        is_served(&proxy, "two").await;
        let restart = format!("/{{a}}/hyperdrive/configs/{id}/restart");
        control.told("POST", &restart, &Value::Null).await.unwrap();
        make(&control, "three", &origin).await;
        is_served(&proxy, "three").await;
        assert_eq!(client.value("SELECT n FROM t").await, "7");
        client.run("COMMIT").await;
        let mut other = proxy.client("one", PASSWORD).await;
        assert_ne!(other.value("SELECT pg_backend_pid()").await, backend);
        let gone = format!("/{{a}}/hyperdrive/configs/{id}");
        control.told("DELETE", &gone, &Value::Null).await.unwrap();
        eventually("it is gone", async || !proxy.serves("one", PASSWORD).await).await;
        assert!(proxy.serves("two", PASSWORD).await);
    });
}

#[test]
fn a_store_that_was_put_back_is_followed_back() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let mut control = Leader::start().unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        make(&control, "one", &origin).await;
        let backup = control.back_up().unwrap();
        make(&control, "two", &origin).await;
        is_served(&proxy, "two").await;
        control.put_back(&backup).unwrap();
        eventually("it is gone again", async || !proxy.serves("two", PASSWORD).await).await;
        assert!(proxy.serves("one", PASSWORD).await);
        assert!(proxy.log().contains("store was put back"), "{}", proxy.log());
    });
}

#[test]
fn a_snapshot_that_was_cut_short_is_said_and_not_used() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let mut control = Leader::start().unwrap();
        let mut proxy = Follower::start(&control.section()).unwrap();
        make(&control, "one", &origin).await;
        is_served(&proxy, "one").await;
        eventually("it is kept", async || proxy.has_kept_all(&control).await.unwrap()).await;
        control.kill();
        let whole = fs::read(proxy.snapshot()).unwrap();
        assert!(!String::from_utf8_lossy(&whole).contains("127.0.0.1"), "it is sealed");
        proxy.process = None;
        fs::write(proxy.snapshot(), &whole[..whole.len() / 2]).unwrap();
        proxy.restart().unwrap();
        assert!(proxy.log().contains("cut short"), "{}", proxy.log());
        let (status, why) = ready(&proxy).await;
        assert!(status == 503 && why.contains("control node"), "{status} {why}");
        assert!(!proxy.serves("one", PASSWORD).await);
        control.run().unwrap();
        is_served(&proxy, "one").await;
        eventually("it is ready", async || ready(&proxy).await.0 == 200).await;
    });
}

#[test]
fn two_proxies_are_shown_told_and_purged_and_the_file_of_one_wins() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let control = Leader::start().unwrap();
        let first = Follower::start(&control.section()).unwrap();
        let own = format!(
            "{}[[database]]\nname = \"one\"\n[[database.user]]\nname = \"app\"\npassword = \"own\"\n[database.origin]\n\
             scheme = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\ndatabase = {}\nuser = {}\npassword = {}\n",
            control.section(),
            origin["port"],
            origin["database"],
            origin["user"],
            origin["password"]
        );
        let id = make(&control, "one", &origin).await;
        make(&control, "two", &origin).await;
        let second = Follower::start(&own).unwrap();
        for proxy in [&first, &second] {
            is_served(proxy, "two").await;
        }
        assert!(second.serves("one", "own").await && !second.serves("one", PASSWORD).await);
        eventually("both are shown", async || {
            let nodes = control.nodes().await.unwrap();
            let is_current = |node: &Value| node["is_current"] == true && node["role"] == "proxy";
            let left_out = nodes.iter().filter(|node| node["left_out"] != json!([])).count();
            nodes.len() == 2 && nodes.iter().all(is_current) && left_out == 1
        })
        .await;
        let configs = "/{a}/hyperdrive/configs";
        let listed = control.told("GET", configs, &Value::Null).await.unwrap();
        let declared = listed.as_array().unwrap().iter().find(|it| it["declared_by"].is_array());
        let declared = declared.unwrap_or_else(|| panic!("{listed}"));
        assert_eq!((&declared["name"], listed.as_array().map(Vec::len)), (&json!("one"), Some(3)));
        let path = format!("{configs}/{}", declared["id"].as_str().unwrap());
        let (status, refused) = control.ask("DELETE", &path, &Value::Null).await.unwrap();
        assert!(status == 400 && refused.to_string().contains("change it there"), "{refused}");
        let purge = format!("/{{a}}/hyperdrive/configs/{id}/purge");
        let purged = control.told("POST", &purge, &json!({ "tables": ["t"] })).await.unwrap();
        assert_eq!(purged["nodes"], 2);
    });
}

#[test]
fn a_database_that_cannot_be_used_is_refused_with_the_layer_that_refuses() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let control = Leader::start().unwrap();
        // At first the control node walks, then a proxy.
        for proxy in [None, Some(Follower::start(&control.section()).unwrap())] {
            if proxy.is_some() {
                eventually("it is there", async || !control.nodes().await.unwrap().is_empty())
                    .await;
            }
            for (key, value, code) in [
                ("host", json!("database.invalid"), 2008),
                ("port", json!(1), 2011),
                ("password", json!("hunter2"), 2013),
                ("database", json!("nowhere"), 2014),
            ] {
                let mut wrong = origin.clone();
                wrong[key] = value;
                let body = json!({ "name": "wrong", "origin": wrong });
                let refused = control.told("POST", "/{a}/hyperdrive/configs", &body).await;
                let error = refused.unwrap_err().to_string();
                assert!(error.contains(&format!("\"code\":{code}")), "{error}");
                assert!(!error.contains("hunter2"), "{error}");
            }
        }
    });
}

/// By the tool, of all proxies or of one.
#[test]
fn what_clients_do_is_seen_through_the_control_node_and_at_the_proxy_itself() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let control = Leader::start().unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        make(&control, "one", &origin).await;
        is_served(&proxy, "one").await;
        let mut client = proxy.client("one", PASSWORD).await;
        client.run("BEGIN").await;
        client.run("SELECT relname FROM pg_class WHERE oid = 4711").await;
        let (url, admin) =
            (format!("http://{}", control.address), format!("http://{}", proxy.admin));
        let remote = ["--api-url", &url, "--api-token", &control.token];
        for asked in [&["one"][..], &[]]
            .map(|name| [name, &remote].concat())
            .into_iter()
            .chain([vec!["one", "--admin", &admin], vec!["--admin", &admin]])
        {
            let arguments = [&["top", "--once", "--json"][..], &asked].concat();
            let (code, said) = control.tool(&arguments).unwrap();
            assert_eq!(code, 0, "{asked:?}: {said}");
            let live: Value = serde_json::from_str(&said).unwrap();
            let one = &live["databases"][0];
            assert_eq!((&one["database"], &one["clients"]), (&json!("one"), &json!(1)), "{said}");
            assert_eq!(one["sessions"][0]["state"], "in transaction", "{said}");
            let texts = one["statements"].as_array().unwrap().iter().map(|it| &it["text"]);
            assert!(texts.clone().any(|text| text.to_string().contains("pg_class")), "{said}");
            assert!(!said.contains("4711"), "{said}");
        }
        let (code, table) = control.tool(&[&["top", "--once"][..], &remote].concat()).unwrap();
        assert!(
            code == 0 && table.contains("pg_class") && table.contains("1 of 1 proxies"),
            "{table}"
        );
    });
}
