//! What ends while clients are at it: connectors, edges, connections between them. Nobody hears anything wrong.

use std::{net::SocketAddr, time::Duration};

use e2e::{
    certificates::Authority,
    edge::{Connector, Proxy, Walk, Way},
    jumpgate::Engine,
    postgres::Postgres,
    relay::Relay,
    stage::{Version, eventually, recovers},
    wire::{Endpoint, Frame, Wire, error, rows, say},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::edge_walk::{SHOP, client, cut_off, reply, served, way};

/// FAULTS row 22: who leaves while nobody is busy takes no longer.
const SOON: Duration = Duration::from_secs(2);

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
        client.hold_a_backend().await;
        fresh.push(client);
    }
    assert!(second.metric("cloudflared_tunnel_total_requests").await > taken);
    for mut client in clients {
        assert!(is_answered(&client.until_ready().await), "a running query is answered");
    }
    // With its last stream, for the pool gives back those that nobody is on.
    let status = first.process.wait(SOON).expect("it ends by itself");
    assert!(status.success(), "{status}");
    for client in &mut fresh {
        client.run("COMMIT").await;
    }
}

/// FAULTS row 22.
async fn a_connector_that_is_told_to_end_costs_no_statement_and_no_time() {
    let mut world = World::open();
    // Streams in the pool, on both, that nobody is on.
    for mut client in world.busy(6, 1).await {
        assert!(is_answered(&client.until_ready().await));
    }
    assert!(world.connectors[0].active().await > 0.0, "the pool keeps its streams");
    let mut idle = client(&world.proxy, "app").await;
    world.connectors[0].process.signal("TERM");
    let status = world.connectors[0].process.wait(SOON).expect("it ends by itself");
    assert!(status.success(), "{status}");
    idle.run("SELECT 1").await;
    // Under load, with the other one back.
    world.connectors[0] = world.walk.connector("third", &[world.postgres.address()]).unwrap();
    let writers = Writers::start(&world.postgres, &world.proxy).await;
    world.connectors[1].process.signal("TERM");
    let status = world.connectors[1].process.ends(2 * SOON).await.expect("it ends by itself");
    assert!(status.success(), "{status}");
    writers.lose_nothing().await;
}

/// Eight clients that write all the time.
struct Writers {
    owner: Wire,
    tasks: JoinSet<(Vec<String>, usize)>,
}

impl Writers {
    /// Once they are at it.
    async fn start(postgres: &Postgres, proxy: &Proxy) -> Self {
        let mut owner = Wire::connect(&postgres.endpoint()).await;
        owner.run("CREATE TABLE mark (v text)").await;
        let mut tasks = JoinSet::new();
        for writer in 0..8 {
            tasks.spawn(write(proxy.endpoint(Engine::Postgres, "app"), writer, 400));
        }
        while owner.value("SELECT count(*) >= 200 FROM mark").await != "t" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { owner, tasks }
    }

    async fn lose_nothing(mut self) {
        assert!(!self.tasks.is_empty(), "they are still at it");
        while let Some(done) = self.tasks.join_next().await {
            let (written, refused) = done.unwrap();
            assert_eq!((written.len(), refused), (400, 0), "no statement is lost");
        }
        assert_eq!(self.owner.value("SELECT count(*) FROM mark").await, "3200");
    }
}

/// Leads to the first of two addresses that takes the connection, as a load balancer does.
async fn balancer(targets: [SocketAddr; 2]) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut streams = JoinSet::new();
        while let Ok((mut client, _peer)) = listener.accept().await {
            streams.spawn(async move {
                for target in targets {
                    if let Ok(mut edge) = TcpStream::connect(target).await {
                        edge.set_nodelay(true).unwrap();
                        let _gone = copy_bidirectional(&mut client, &mut edge).await;
                        return;
                    }
                }
            });
        }
    });
    (address, tasks)
}

/// FAULTS row 22.
async fn an_edge_with_another_beside_it_ends_without_a_lost_statement() {
    let authority = Authority::new();
    let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
    let (mut walk, token) = Walk::with_routes(&authority, &[(SHOP, postgres.address())]).unwrap();
    let (_second, public, connectors) = walk.second_edge().unwrap();
    let edges = [walk.connectors, connectors];
    let _connectors = ["first", "second"]
        .map(|name| walk.connector_to(name, &[postgres.address()], &edges).unwrap());
    let (edge, _balancer) = balancer([walk.public, public]).await;
    let proxy = walk.proxy("proxy", &[Way { edge, ..way(&walk, "app", &token) }]).unwrap();
    let writers = Writers::start(&postgres, &proxy).await;
    walk.edge().signal("TERM");
    let status = walk.edge().ends(2 * SOON).await.expect("it ends by itself");
    assert!(status.success(), "{status}");
    writers.lose_nothing().await;
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
    let (status, ready) = world.walk.page("/ready").await;
    assert!(status == 503 && ready.starts_with("draining"), "{status} {ready}");
    let mut again = Vec::new();
    for mut client in clients {
        assert!(is_answered(&client.until_ready().await), "a running query is answered");
        again.push(client);
    }
    let status = world.walk.edge().wait(SOON).expect("it ends by itself");
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
    a_connector_that_is_told_to_end_costs_no_statement_and_no_time,
    an_edge_with_another_beside_it_ends_without_a_lost_statement,
    an_edge_that_is_told_to_end_lets_queries_finish_and_takes_nothing_new,
    an_edge_that_is_killed_costs_one_error_and_is_found_again,
    half_of_the_connections_cut_loses_and_repeats_nothing,
}
