//! An edge that follows a control node: tunnels and access as the API made them, with the control node and without.

use std::{fs, net::SocketAddr, time::Duration};

use e2e::{
    certificates::Authority,
    follower::{Follower, FollowingEdge, Leader},
    postgres::{APP_PASSWORD, Postgres},
    stage::{Version, eventually, run_on_a_runtime},
    wire::{Endpoint, Wire},
    wrangler,
};
use serde_json::{Value, json};

const HOSTNAME: &str = "db.example.test";
const PASSWORD: &str = "clients-password";

/// A tunnel with a rule for the hostname, and its token.
async fn tunnel(control: &Leader, postgres: &Postgres) -> (String, String) {
    let body = json!({ "name": "office", "config_src": "cloudflare" });
    let tunnel = control.told("POST", "/{a}/cfd_tunnel", &body).await.unwrap();
    let one = format!("/{{a}}/cfd_tunnel/{}", tunnel["id"].as_str().unwrap());
    let service = format!("tcp://{}", postgres.address());
    let rules = json!({ "config": { "ingress": [
        { "hostname": HOSTNAME, "service": service },
        { "service": "http_status:404" },
    ] } });
    control.told("PUT", &format!("{one}/configurations"), &rules).await.unwrap();
    let token = control.told("GET", &format!("{one}/token"), &Value::Null).await.unwrap();
    (one, token.as_str().unwrap().to_owned())
}

/// A service token that alone may pass.
async fn access(control: &Leader) -> Value {
    let body = json!({ "name": "proxies", "duration": "8760h" });
    let token = control.told("POST", "/{a}/access/service_tokens", &body).await.unwrap();
    let policy = json!({
        "name": "proxies", "decision": "non_identity",
        "include": [{ "service_token": { "token_id": token["id"] } }],
    });
    let policy = control.told("POST", "/{a}/access/policies", &policy).await.unwrap();
    let application = json!({
        "type": "self_hosted", "name": "db", "domain": HOSTNAME, "policies": [policy["id"]],
    });
    control.told("POST", "/{a}/access/apps", &application).await.unwrap();
    token
}

async fn connectors(control: &Leader, tunnel: &str) -> Value {
    control.told("GET", &format!("{tunnel}/connections"), &Value::Null).await.unwrap()
}

#[test]
fn a_database_behind_a_tunnel_is_served_by_what_the_api_made_alone() {
    run_on_a_runtime(|| async {
        let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
        let mut control = Leader::start().unwrap();
        let mut edge = FollowingEdge::start(&control.section()).unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        let (tunnel, token) = tunnel(&control, &postgres).await;
        let access = access(&control).await;
        edge.connect(&token, postgres.address()).unwrap();
        eventually("its connections are shown", async || {
            let shown = connectors(&control, &tunnel).await;
            shown[0]["conns"].as_array().is_some_and(|conns| !conns.is_empty())
        })
        .await;
        eventually("both are there", async || control.nodes().await.unwrap().len() == 2).await;
        // Neither where the edge is, nor by whom its certificate is: the edge has said that.
        let config = json!({ "name": "app", "origin": {
            "scheme": "postgres", "host": HOSTNAME, "database": "app", "user": "app",
            "password": APP_PASSWORD,
            "access_client_id": access["client_id"], "access_client_secret": access["client_secret"],
        } });
        let made = control.told("POST", "/{a}/hyperdrive/configs", &config).await.unwrap();
        let path =
            format!("/{{a}}/hyperdrive/configs/{}/credentials", made["id"].as_str().unwrap());
        let user = json!({ "user": "app", "password": PASSWORD });
        control.told("POST", &path, &user).await.unwrap();
        eventually("it is served", async || proxy.serves("app", PASSWORD).await).await;

        control.kill();
        edge.restart().unwrap();
        eventually("it is served without", async || proxy.serves("app", PASSWORD).await).await;
        control.run().unwrap();
        eventually("the edge is back", async || control.nodes().await.unwrap().len() == 2).await;

        // A session that began before a rotation dials with the secret of now.
        let mut client = proxy.client("app", PASSWORD).await;
        let backend = client.value("SELECT inet_client_port()").await;
        let rotate =
            format!("/{{a}}/access/service_tokens/{}/rotate", access["id"].as_str().unwrap());
        let rotated = control.told("POST", &rotate, &Value::Null).await.unwrap();
        assert_ne!(rotated["client_secret"], access["client_secret"]);
        let mut origin = config["origin"].clone();
        origin["access_client_secret"] = rotated["client_secret"].clone();
        let one = format!("/{{a}}/hyperdrive/configs/{}", made["id"].as_str().unwrap());
        let changed = json!({ "name": "app", "origin": origin });
        // The edge has to have heard of it.
        eventually("it is taken", async || control.told("PUT", &one, &changed).await.is_ok()).await;
        let is_there =
            format!("SELECT count(*) FROM pg_stat_activity WHERE client_port = {backend}");
        eventually("what had passed ends", async || {
            Wire::connect(&postgres.superuser()).await.value(&is_there).await == "0"
        })
        .await;
        eventually("it is served", async || proxy.serves("app", PASSWORD).await).await;
        assert_ne!(client.value("SELECT inet_client_port()").await, backend);

        client.hold_a_backend().await;
        let token = format!("/{{a}}/access/service_tokens/{}", access["id"].as_str().unwrap());
        let disabled = json!({ "name": "proxies", "enabled": false });
        control.told("PUT", &token, &disabled).await.unwrap();
        // What it had let pass ends at once.
        let ended = tokio::time::timeout(Duration::from_secs(20), client.until_closed());
        assert!(ended.await.is_ok(), "{}", edge.log());
        eventually("nobody passes", async || !proxy.serves("app", PASSWORD).await).await;
    });
}

#[test]
fn connectors_that_are_cleaned_up_come_again() {
    run_on_a_runtime(|| async {
        let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
        let control = Leader::start().unwrap();
        let mut edge = FollowingEdge::start(&control.section()).unwrap();
        let (tunnel, token) = tunnel(&control, &postgres).await;
        edge.connect(&token, postgres.address()).unwrap();
        let all = async || {
            let shown = connectors(&control, &tunnel).await;
            let conns = shown[0]["conns"].as_array().cloned().unwrap_or_default();
            conns.iter().map(|conn| conn["id"].to_string()).collect::<Vec<_>>()
        };
        eventually("there are four", async || all().await.len() == 4).await;
        let before = all().await;
        control.told("DELETE", &format!("{tunnel}/connections"), &Value::Null).await.unwrap();
        eventually("there are four others", async || {
            let now = all().await;
            now.len() == 4 && now.iter().all(|id| !before.contains(id))
        })
        .await;
    });
}

/// Reads with both drivers of PostgreSQL that Workers have.
const WORKER: &str = r"
import postgres from 'postgres';
import pg from 'pg';

export default {
  async fetch(request, env, ctx) {
    try {
      const client = new pg.Client({ connectionString: env.DB.connectionString });
      await client.connect();
      const { rows: [one] } = await client.query('SELECT name FROM item WHERE id = $1', [3]);
      ctx.waitUntil(client.end());
      const sql = postgres(env.DB.connectionString, { max: 1, fetch_types: false });
      const [two] = await sql`SELECT name FROM item WHERE id = ${4}`;
      ctx.waitUntil(sql.end());
      return new Response(`${one.name}, ${two.name}`);
    } catch (error) {
      return new Response(String(error.stack ?? error), { status: 500 });
    }
  },
};
";

async fn worker_reads(address: SocketAddr) {
    eventually("the Worker reads", async || {
        let asked =
            tokio::time::timeout(Duration::from_secs(20), e2e::metrics::get(address, "/")).await;
        let (status, body) = asked.ok().and_then(Result::ok).unwrap_or_default();
        (status, body.as_str()) == (200, "item 3, item 4")
    })
    .await;
}

/// As the documentation of wrangler has it, with another base URL.
#[test]
fn a_worker_reads_a_private_database_that_wrangler_made() {
    run_on_a_runtime(|| async {
        let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
        let control = Leader::start().unwrap();
        let mut edge = FollowingEdge::start(&control.section()).unwrap();
        let proxy = Follower::start(&control.section()).unwrap();
        let (_, token) = tunnel(&control, &postgres).await;
        let access = access(&control).await;
        edge.connect(&token, postgres.address()).unwrap();
        eventually("all are there", async || {
            let nodes = control.nodes().await.unwrap();
            nodes.len() == 2 && nodes.iter().any(|node| node["connectors"] == 1)
        })
        .await;
        let login = [("user", "app"), ("password", APP_PASSWORD), ("database", "app")];
        let way = [
            ("host", HOSTNAME),
            ("access-client-id", access["client_id"].as_str().unwrap()),
            ("access-client-secret", access["client_secret"].as_str().unwrap()),
        ];
        let flags = way.iter().chain(&login).map(|(name, value)| format!("--{name}={value}"));
        let words: Vec<_> =
            ["hyperdrive", "create", "app"].map(String::from).into_iter().chain(flags).collect();
        let (code, said) =
            control.wrangler(&words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(code, 0, "{said}");
        let user = ["credentials", "create", "app", "--json"];
        let (code, made) = control.tool(&user).unwrap();
        assert_eq!(code, 0, "{made}");
        let made: Value = serde_json::from_str(&made).unwrap();
        let part = |name: &str| made[name].as_str().unwrap().to_owned();
        let endpoint = Endpoint {
            address: proxy.address,
            user: part("user"),
            password: part("password"),
            database: String::from("app"),
        };
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("worker.js"), WORKER).unwrap();
        let dev = wrangler::start(folder.path(), &endpoint.url()).unwrap();
        worker_reads(dev.address).await;
        drop(dev);
        let (_workerd, address) = wrangler::workerd(folder.path(), &endpoint).unwrap();
        worker_reads(address).await;
    });
}
