//! An edge made by the operator's commands: the whole walk, and what each later command changes while all runs.

use std::time::Duration;

use e2e::{
    certificates::Authority,
    edge::{Connector, Proxy, Token, Walk, Way},
    jumpgate::Engine,
    mysql::{self, Mysql, Server},
    postgres::Postgres,
    stage::{SERVING_PROCESS, Version, eventually},
    wire::{Frame, Wire, error, rows, say},
};
use tokio::time::{Instant, sleep};

/// Longest until a change is seen, and between two looks.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// The hostname of PostgreSQL.
pub(crate) const SHOP: &str = "shop.example.test";
/// The hostname of the other database.
const STOCK: &str = "stock.example.test";

/// The way `app` to PostgreSQL through the edge.
pub(crate) fn way<'a>(walk: &Walk, name: &'a str, token: &'a Token) -> Way<'a> {
    let engine = Engine::Postgres;
    Way { name, engine, hostname: SHOP, token, edge: walk.public }
}

/// A client of PostgreSQL under this name.
pub(crate) async fn client(proxy: &Proxy, database: &str) -> Wire {
    Wire::connect(&proxy.endpoint(Engine::Postgres, database)).await
}

/// PostgreSQL, an edge and one connector that may reach it.
struct World {
    proxy: Proxy,
    _connector: Connector,
    walk: Walk,
    postgres: Postgres,
    token: Token,
}

impl World {
    /// The token `proxy` under the name `app`; those of `more` under their own.
    fn open(more: &[(&str, &Token)], walk: Walk, postgres: Postgres, token: Token) -> Self {
        let connector = walk.connector("connector", &[postgres.address()]).unwrap();
        let mut ways = vec![way(&walk, "app", &token)];
        ways.extend(more.iter().map(|(name, token)| way(&walk, name, token)));
        let proxy = walk.proxy("proxy", &ways).unwrap();
        Self { proxy, _connector: connector, walk, postgres, token }
    }
}

fn postgres_and_edge() -> (Walk, Postgres, Token) {
    let authority = Authority::new();
    let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
    let (walk, token) = Walk::with_routes(&authority, &[(SHOP, postgres.address())]).unwrap();
    (walk, postgres, token)
}

async fn the_walk_works_as_it_is_typed() {
    let authority = Authority::new();
    let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
    let mariadb = Mysql::start(Server::MariaDb, &authority, &[]).unwrap();
    let services = [postgres.address(), mariadb.address()];
    let mut walk = Walk::init(&authority).unwrap();
    walk.create_tunnel("office").unwrap();
    let said = walk
        .run(&format!("tunnel route office {SHOP} --service tcp://{}", postgres.address()))
        .unwrap();
    assert!(said.contains("Nobody may pass yet"), "{said}");
    let token = walk.create_token("proxy", "8760h").unwrap();
    walk.run(&format!("access app create {SHOP} --token proxy")).unwrap();
    walk.start().unwrap();
    let connector = walk.connector("connector", &services).unwrap();
    let shop = way(&walk, "shop", &token);
    let stock = Way { name: "stock", engine: Engine::MySql, hostname: STOCK, ..shop.clone() };
    let proxy = walk.proxy("proxy", &[shop, stock]).unwrap();

    let (code, said) = proxy.check("shop").unwrap();
    assert!(code == 0 && said.contains("Everything works") && !said.contains('✗'), "{said}");
    assert_eq!(client(&proxy, "shop").await.value("SELECT 40 + 2").await, "42");
    assert_eq!(connector.page("/healthcheck").await, (200, "OK\n".into()));
    let (status, ready) = connector.page("/ready").await;
    assert!(status == 200 && ready.contains(r#""readyConnections":2"#), "{ready}");
    assert_eq!(connector.metric("cloudflared_tunnel_ha_connections").await, 2.0);
    assert!(connector.metric("cloudflared_tunnel_total_requests").await >= 1.0);

    // FAULTS §3: the edge had no pages, its list no connectors, and its log no addresses.
    assert_eq!(walk.page("/ready").await, (200, "ready, 2 connections of connectors\n".into()));
    let (_, metrics) = walk.page("/metrics").await;
    assert!(metrics.contains("\njumpgate_edge_connectors{tunnel=\"office\"} 2\n"), "{metrics}");
    let said = walk.run("tunnel list").unwrap();
    assert!(said.contains("127.0.0.1 ×2 (jumpgate"), "{said}");
    let said = walk.run("tunnel list --json").unwrap();
    assert_eq!(said.matches("\"address\": \"127.0.0.1:").count(), 2, "{said}");
    let log = walk.edge().log();
    let registered = log.lines().find(|line| line.contains("connector registered")).unwrap();
    assert!(registered.contains("peer") && registered.contains("127.0.0.1:"), "{registered}");

    // The second database comes while everything runs.
    let before = connector.metric("cloudflared_orchestration_config_version").await;
    walk.run(&format!("tunnel route office {STOCK} --service tcp://{}", mariadb.address()))
        .unwrap();
    walk.run(&format!("access app create {STOCK} --token proxy")).unwrap();
    eventually("the connector has newer rules", async || {
        connector.metric("cloudflared_orchestration_config_version").await > before
    })
    .await;
    let mut client = mysql::wire::Wire::connect(&proxy.endpoint(Engine::MySql, "stock")).await;
    mysql::stage::recovers(&mut client).await;
    assert_eq!(client.value("SELECT 40 + 2").await, "42");
    let (code, said) = proxy.check("stock").unwrap();
    assert!(code == 0 && said.contains("Everything works") && !said.contains('✗'), "{said}");
}

/// A query that runs at the database, of a client of its own.
async fn busy(world: &World, database: &str) -> Wire {
    let mut client = client(&world.proxy, database).await;
    client.send(say::query(&format!("SELECT pg_sleep(60) /* busy {database} */"))).await;
    let mark = format!("busy {database}");
    eventually("the query runs", async || world.postgres.executions(&mark) == 1).await;
    client
}

/// Reads the end of a query that was cut off: one error, and nothing that looks like an answer.
pub(crate) async fn cut_off(mut client: Wire) {
    let tags = e2e::wire::tags(&reply(&mut client).await);
    assert!(tags == "E" || tags == "EZ", "{tags}");
}

/// All of a reply, whose end may also be the end of the session.
pub(crate) async fn reply(client: &mut Wire) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(frame) = client.next().await {
        frames.push(frame);
        if frames.last().is_some_and(|frame| frame.tag == b'Z') {
            break;
        }
    }
    frames
}

/// Logs in and asks: the answer or the error.
async fn try_once(proxy: &Proxy, database: &str) -> Result<String, String> {
    let endpoint = proxy.endpoint(Engine::Postgres, database);
    let mut wire = Wire::open(endpoint.address).await;
    wire.login(&endpoint, &[]).await.map_err(|refusal| refusal.field(b'M'))?;
    wire.send(say::query("SELECT 'served'")).await;
    let frames = reply(&mut wire).await;
    let answer = rows(&frames).into_iter().flatten().flatten().next();
    answer.ok_or_else(|| error(&frames))
}

/// Tries new clients until they are served.
pub(crate) async fn served(proxy: &Proxy, database: &str) {
    let give_up = Instant::now() + PATIENCE;
    while let Err(problem) = try_once(proxy, database).await {
        assert!(Instant::now() < give_up, "{database} is still not served: {problem}");
        sleep(PAUSE).await;
    }
}

/// Tries new clients until they are refused with this last word.
async fn refused(proxy: &Proxy, database: &str, word: &str) {
    let wanted = Err(format!("Server connection attempt failed: {word}"));
    let give_up = Instant::now() + PATIENCE;
    loop {
        let outcome = try_once(proxy, database).await;
        if outcome == wanted {
            return;
        }
        assert!(Instant::now() < give_up, "{database}: {outcome:?}, and not {wanted:?}");
        sleep(PAUSE).await;
    }
}

/// A transaction that is open, and the database's process that serves it.
async fn transaction(world: &World, database: &str) -> (Wire, String) {
    let mut client = client(&world.proxy, database).await;
    client.run("BEGIN").await;
    let process = client.value(SERVING_PROCESS).await;
    (client, process)
}

async fn a_revoked_token_ends_what_it_opened_and_nothing_else() {
    let (walk, postgres, token) = postgres_and_edge();
    let other = walk.create_token("other", "8760h").unwrap();
    walk.run("access policy create both --include any").unwrap();
    walk.run(&format!("access app delete {SHOP}")).unwrap();
    walk.run(&format!("access app create {SHOP} --policy both")).unwrap();
    let world = World::open(&[("other", &other)], walk, postgres, token);
    // The edge takes the change in by itself.
    served(&world.proxy, "other").await;
    let revoked = busy(&world, "app").await;
    let (mut stays, process) = transaction(&world, "other").await;
    world.walk.run("access token revoke proxy").unwrap();
    let started = Instant::now();
    cut_off(revoked).await;
    eprintln!("the stream of a revoked token ended after {:?}", started.elapsed());
    refused(&world.proxy, "app", "access_denied").await;
    assert_eq!(stays.value(SERVING_PROCESS).await, process);
    stays.run("COMMIT").await;
}

async fn an_application_for_another_token_ends_the_streams_of_the_first() {
    let (walk, postgres, token) = postgres_and_edge();
    let other = walk.create_token("other", "8760h").unwrap();
    let world = World::open(&[("other", &other)], walk, postgres, token);
    let before = busy(&world, "app").await;
    refused(&world.proxy, "other", "access_denied").await;
    world.walk.run(&format!("access app delete {SHOP}")).unwrap();
    world.walk.run(&format!("access app create {SHOP} --token other")).unwrap();
    cut_off(before).await;
    served(&world.proxy, "other").await;
    refused(&world.proxy, "app", "access_denied").await;
}

async fn a_rotated_token_works_with_both_secrets_until_the_overlap_ends() {
    let (walk, postgres, first) = postgres_and_edge();
    let second = walk.rotate_token("proxy", "1h").unwrap();
    let mut world = World::open(&[("second", &second)], walk, postgres, first);
    for name in ["app", "second"] {
        served(&world.proxy, name).await;
    }
    let (mut stays, process) = transaction(&world, "second").await;
    assert_eq!(stays.value(SERVING_PROCESS).await, process);
    let old = busy(&world, "app").await;
    let old_too = busy(&world, "second").await;
    let third = world.walk.rotate_token("proxy", "0s").unwrap();
    cut_off(old).await;
    cut_off(old_too).await;
    for name in ["app", "second"] {
        refused(&world.proxy, name, "access_denied").await;
    }
    let third = way(&world.walk, "app", &third);
    world.proxy = world.walk.proxy("third", &[third]).unwrap();
    assert_eq!(client(&world.proxy, "app").await.value("SELECT 1").await, "1");
}

async fn an_expired_token_ends_its_streams_by_itself() {
    let (walk, postgres, token) = postgres_and_edge();
    walk.run("access policy create both --include any").unwrap();
    walk.run(&format!("access app delete {SHOP}")).unwrap();
    walk.run(&format!("access app create {SHOP} --policy both")).unwrap();
    let mut world = World::open(&[], walk, postgres, token);
    let brief = world.walk.create_token("brief", "15s").unwrap();
    let ways = [way(&world.walk, "app", &world.token), way(&world.walk, "brief", &brief)];
    world.proxy = world.walk.proxy("brief", &ways).unwrap();
    let (mut stays, process) = transaction(&world, "app").await;
    served(&world.proxy, "brief").await;
    cut_off(busy(&world, "brief").await).await;
    refused(&world.proxy, "brief", "access_denied").await;
    assert_eq!(stays.value(SERVING_PROCESS).await, process);
    assert!(world.walk.run("access token list").unwrap().contains("(expired)"));
}

async fn a_route_that_is_changed_leads_new_connections_elsewhere() {
    let authority = Authority::new();
    let start = || Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
    let [first, second, forbidden] = [start(), start(), start()];
    let (walk, token) = Walk::with_routes(&authority, &[(SHOP, first.address())]).unwrap();
    let connector = walk.connector("connector", &[first.address(), second.address()]).unwrap();
    let new_proxy = |name| walk.proxy(name, &[way(&walk, "app", &token)]).unwrap();
    let port = async |proxy: &Proxy| {
        served(proxy, "app").await;
        client(proxy, "app").await.value("SELECT inet_server_port()").await
    };
    let before = new_proxy("first");
    assert_eq!(port(&before).await, first.address().port().to_string());
    let lead_to = async |database: &Postgres| {
        let version = connector.metric("cloudflared_orchestration_config_version").await;
        let service = database.address();
        walk.run(&format!("tunnel route office {SHOP} --service tcp://{service}")).unwrap();
        eventually("the connector has newer rules", async || {
            connector.metric("cloudflared_orchestration_config_version").await > version
        })
        .await;
    };
    lead_to(&second).await;
    assert_eq!(port(&new_proxy("second")).await, second.address().port().to_string());
    lead_to(&forbidden).await;
    let proxy = new_proxy("forbidden");
    refused(&proxy, "app", "origin_unreachable").await;
    let log = connector.process.log();
    assert!(log.contains("allow-list does not have"), "{log}");
    // Nobody logged in there, nor began to.
    assert!(!forbidden.log().contains("|app|") && !forbidden.log().contains("statement"));
    lead_to(&first).await;
    assert_eq!(port(&proxy).await, first.address().port().to_string());
}

/// FAULTS §3: `check` had the wrong remedy for each of these.
async fn check_says_what_is_wrong_on_the_way_to_the_database() {
    let (walk, postgres, token) = postgres_and_edge();
    let nowhere = "tcp://127.0.0.1:9";
    walk.run(&format!("tunnel route office {STOCK} --service {nowhere}")).unwrap();
    walk.run(&format!("access app create {STOCK} --token proxy")).unwrap();
    let _connector = walk.connector("connector", &[postgres.address()]).unwrap();
    let ways = [
        Way { hostname: "other.example.test", ..way(&walk, "unknown", &token) },
        Way { edge: walk.connectors, ..way(&walk, "port", &token) },
        Way { hostname: STOCK, ..way(&walk, "barred", &token) },
    ];
    let proxy = walk.proxy("proxy", &ways).unwrap();
    for (database, step, remedy) in [
        ("unknown", "✗ TLS to the edge", "`jumpgate tunnel route`"),
        ("port", "✗ tunnel", "`public` listener"),
        ("barred", "✗ tunnel", "allow-list: --allow"),
    ] {
        // The edge learns of a hostname within a second.
        let is_right = async || {
            let (code, all) = proxy.check(database).unwrap();
            code == 1 && all.contains(step) && all.contains(remedy)
        };
        eventually(remedy, is_right).await;
    }
    walk.run("tunnel rotate office --overlap 0s --out office.token").unwrap();
    eventually("the connector is let go", async || {
        walk.run("tunnel list").unwrap().trim_end().ends_with("none")
    })
    .await;
}

e2e::walks! {
    check_says_what_is_wrong_on_the_way_to_the_database,
    the_walk_works_as_it_is_typed,
    a_revoked_token_ends_what_it_opened_and_nothing_else,
    an_application_for_another_token_ends_the_streams_of_the_first,
    a_rotated_token_works_with_both_secrets_until_the_overlap_ends,
    an_expired_token_ends_its_streams_by_itself,
    a_route_that_is_changed_leads_new_connections_elsewhere,
}
