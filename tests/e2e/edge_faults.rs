//! What ends while clients are at it: connectors, edges, connections between them. Nobody hears anything wrong.

use std::time::Duration;

use e2e::{
    certificates::Authority,
    edge::{Connector, Proxy, Walk},
    jumpgate::Engine,
    postgres::Postgres,
    relay::Relay,
    stage::{Version, eventually, recovers},
    wire::{Endpoint, Frame, Wire, error, rows, say},
};
use tokio::{net::TcpStream, task::JoinSet};

use crate::edge_walk::{SHOP, client, cut_off, reply, served, way};

/// Longest for an edge that drains while a pool keeps its streams: its own limit, and some more.
const DRAINED: Duration = Duration::from_secs(45);

/// PostgreSQL, an edge, two connectors and a proxy.
struct World {
    proxy: Proxy,
    connectors: [Connector; 2],
    walk: Walk,
    postgres: Postgres,
}

impl World {
    fn open() -> Self {
        let authority = Authority::new();
        let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
        let (walk, token) = Walk::with_routes(&authority, &[(SHOP, postgres.address())]).unwrap();
        let connectors =
            ["first", "second"].map(|name| walk.connector(name, &[postgres.address()]).unwrap());
        let proxy = walk.proxy("proxy", &[way(&walk, "app", &token)]).unwrap();
        Self { proxy, connectors, walk, postgres }
    }

    /// As many queries that run at the database.
    async fn busy(&self, count: usize, seconds: u32) -> Vec<Wire> {
        let mut clients = Vec::new();
        for _client in 0..count {
            let mut client = client(&self.proxy, "app").await;
            client.send(say::query(&format!("SELECT 7, pg_sleep({seconds}) /* busy */"))).await;
            clients.push(client);
        }
        eventually("all queries run", async || self.postgres.executions("busy") == count).await;
        clients
    }
}

/// Was the query answered, and was it not refused?
fn is_answered(reply: &[Frame]) -> bool {
    let answers = rows(reply);
    let is_right = answers.len() == 1 && answers[0][0].as_deref() == Some("7");
    let errors = reply.iter().filter(|frame| frame.tag == b'E').count();
    assert!((is_right && errors == 0) || (answers.is_empty() && errors == 1), "{reply:?}");
    is_right
}

async fn a_connector_that_is_killed_takes_only_its_own_streams_along() {
    let mut world = World::open();
    let clients = world.busy(6, 3).await;
    let lost = world.connectors[0].active().await;
    assert!(lost > 0.0 && world.connectors[1].active().await > 0.0, "both have streams");
    world.connectors[0].process.signal("KILL");
    let mut refused = 0.0;
    for mut client in clients {
        if is_answered(&reply(&mut client).await) {
            client.run("SELECT 1").await;
        } else {
            refused += 1.0;
        }
    }
    assert!(refused > 0.0 && refused <= lost && refused < 6.0, "{refused} of {lost}");
    served(&world.proxy, "app").await;
    assert!(world.connectors[1].process.is_running());
}

async fn a_connector_that_is_told_to_end_lets_its_queries_finish() {
    let mut world = World::open();
    let clients = world.busy(6, 2).await;
    let [first, second] = &mut world.connectors;
    assert!(first.active().await > 0.0 && second.active().await > 0.0, "both have streams");
    first.process.signal("TERM");
    // New streams have only the other way.
    let taken = second.metric("cloudflared_tunnel_total_requests").await;
    let mut fresh = Vec::new();
    for _client in 0..4 {
        let mut client = client(&world.proxy, "app").await;
        client.run("BEGIN").await;
        fresh.push(client);
    }
    assert!(second.metric("cloudflared_tunnel_total_requests").await > taken);
    for mut client in clients {
        assert!(is_answered(&client.until_ready().await), "a running query is answered");
    }
    assert!(first.process.is_running(), "the pool still has streams on it");
    for client in &mut fresh {
        client.run("COMMIT").await;
    }
    world.proxy.process.signal("KILL");
    // With its last stream, and long before its limit of 30 seconds.
    let status = first.process.wait(Duration::from_secs(15)).expect("it ends by itself");
    assert!(status.success(), "{status}");
}

async fn an_edge_that_is_told_to_end_lets_queries_finish_and_takes_nothing_new() {
    let mut world = World::open();
    let clients = world.busy(3, 2).await;
    world.walk.edge().signal("TERM");
    let public = world.walk.public;
    eventually("the edge refuses new connections", async || {
        TcpStream::connect(public).await.is_err()
    })
    .await;
    assert!(world.walk.edge().is_running(), "it waits for the queries");
    let mut again = Vec::new();
    for mut client in clients {
        assert!(is_answered(&client.until_ready().await), "a running query is answered");
        again.push(client);
    }
    let status = world.walk.edge().wait(DRAINED).expect("it ends by itself");
    assert!(status.success(), "{status}");
    world.walk.start().unwrap();
    for client in &mut again {
        recovers(client).await;
    }
}

async fn an_edge_that_is_killed_costs_one_error_and_is_found_again() {
    let mut world = World::open();
    let clients = world.busy(3, 60).await;
    let mut idle = client(&world.proxy, "app").await;
    idle.run("SELECT 1").await;
    world.walk.edge().signal("KILL");
    for client in clients {
        cut_off(client).await;
    }
    world.walk.start().unwrap();
    recovers(&mut idle).await;
    for connector in &world.connectors {
        eventually("the connectors are back", async || {
            connector.metric("cloudflared_tunnel_ha_connections").await == 2.0
        })
        .await;
    }
}

/// Writes numbers one after another: which were acknowledged, and how many were not.
async fn write(endpoint: Endpoint, writer: usize, count: usize) -> (Vec<String>, usize) {
    let (mut written, mut refused) = (Vec::new(), 0);
    let mut client = Wire::connect(&endpoint).await;
    for n in 0..count {
        let value = format!("{writer}-{n}");
        // Long enough that every writer needs a connection of its own, so that they are on both connectors.
        let sql = format!("INSERT INTO mark SELECT '{value}' FROM pg_sleep(0.005) RETURNING v");
        client.send(say::query(&sql)).await;
        let reply = reply(&mut client).await;
        match rows(&reply).first() {
            Some(row) => {
                assert_eq!(row[0].as_deref(), Some(&*value), "the reply of another query");
                written.push(value);
            }
            None => {
                assert_ne!(error(&reply), "", "neither an answer nor an error: {reply:?}");
                refused += 1;
                if reply.last().is_none_or(|frame| frame.tag != b'Z') {
                    client = Wire::connect(&endpoint).await;
                }
            }
        }
    }
    (written, refused)
}

async fn half_of_the_connections_cut_loses_and_repeats_nothing() {
    let authority = Authority::new();
    let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
    let (walk, token) = Walk::with_routes(&authority, &[(SHOP, postgres.address())]).unwrap();
    let relay = Relay::start(walk.connectors, Duration::ZERO).await.unwrap();
    let allow = [postgres.address()];
    let _connectors = [
        walk.connector_over("first", &allow, relay.address()).unwrap(),
        walk.connector("second", &allow).unwrap(),
    ];
    let proxy = walk.proxy("proxy", &[way(&walk, "app", &token)]).unwrap();
    let mut owner = Wire::connect(&postgres.endpoint()).await;
    owner.run("CREATE TABLE mark (v text)").await;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        writers.spawn(write(proxy.endpoint(Engine::Postgres, "app"), writer, 150));
    }
    let mut all = (Vec::new(), 0);
    for round in 1..=3 {
        let count = format!("SELECT count(*) >= {} FROM mark", round * 200);
        while owner.value(&count).await != "t" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        relay.cut().await;
    }
    while let Some(done) = writers.join_next().await {
        let (written, refused) = done.unwrap();
        all.0.extend(written);
        all.1 += refused;
    }
    eprintln!("{} acknowledged, {} refused", all.0.len(), all.1);
    assert!(all.1 > 0, "some were cut off");
    served(&proxy, "app").await;
    let stored = rows(&owner.run("SELECT v FROM mark").await);
    let mut stored: Vec<_> = stored.into_iter().filter_map(|mut row| row.remove(0)).collect();
    let count = stored.len();
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored.len(), count, "a write was repeated");
    for value in &all.0 {
        assert!(stored.binary_search(value).is_ok(), "{value} was acknowledged and is lost");
    }
}

e2e::walks! {
    a_connector_that_is_killed_takes_only_its_own_streams_along,
    a_connector_that_is_told_to_end_lets_its_queries_finish,
    an_edge_that_is_told_to_end_lets_queries_finish_and_takes_nothing_new,
    an_edge_that_is_killed_costs_one_error_and_is_found_again,
    half_of_the_connections_cut_loses_and_repeats_nothing,
}
