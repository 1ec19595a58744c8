//! Both ends of the tunnel on code that is not ours: hyper-h2 and C++ Cap'n Proto as the connector, Python's TLS as the client.
//!
//! The edge is made by the commands of the walk-through. A foreign connector names what an edge must not do to it in lines
//! that begin with `problem:`; every scenario ends with a look for those.

use std::{net::SocketAddr, process::Command, time::Duration};

use e2e::{
    certificates::Authority,
    drivers::{program, try_program},
    jumpgate::HOSTNAME,
    postgres::Postgres,
    process::Process,
    stage::{Place, eventually, recovers},
    walk::{TUNNEL, Walk},
    wire::{Endpoint, Wire},
};
use tokio_util::task::TaskTracker;

const HA_CONNECTIONS: usize = 4;

/// A database, an edge and a foreign connector between them.
///
/// Fields end in this order.
struct World {
    connector: Process,
    walk: Walk,
    postgres: Postgres,
    authority: Authority,
}

/// Who says where the hostname leads.
#[derive(Clone, Copy)]
enum Managed {
    Remotely,
    Locally,
}

impl World {
    async fn open(place: Place, managed: Managed, arguments: &'static [&'static str]) -> Self {
        blocking(move || {
            let authority = Authority::new();
            let postgres =
                Postgres::start(place.version, &authority, &[]).expect("PostgreSQL starts");
            let origin = postgres.address();
            let (service, rule) = match managed {
                Managed::Remotely => (Some(origin), None),
                Managed::Locally => (None, Some(format!("{HOSTNAME}=tcp://{origin}"))),
            };
            let walk = Walk::open(service).expect("the edge starts");
            let mut all = arguments.to_vec();
            if let Some(rule) = &rule {
                all.extend(["--ingress", rule]);
            }
            let connector = start(&walk, &all);
            Self { connector, walk, postgres, authority }
        })
        .await
    }

    /// The way from our proxy: its process, and what clients connect to.
    fn proxy(&self) -> (Process, Endpoint) {
        self.walk.proxy(&self.authority.pem).expect("the proxy starts")
    }

    /// The way from a foreign client: its process, and where the database seems to be.
    fn client(&self) -> (Process, Endpoint) {
        let (process, address) = self.walk.foreign_client().expect("the client starts");
        (process, Walk::endpoint(address, &self.postgres))
    }
}

/// A foreign connector that has registered all its connections.
fn start(walk: &Walk, arguments: &[&str]) -> Process {
    let mut connector = walk.foreign_connector(arguments).expect("the connector starts");
    for index in 0..HA_CONNECTIONS {
        connector.says(&format!("registered {index} ")).expect("the connector registers");
    }
    connector
}

fn has_no_problem(process: &Process) {
    let said = process.said();
    assert!(!said.iter().any(|line| line.starts_with("problem:")), "{said:#?}\n{}", process.log());
    assert!(!process.log().contains("Traceback"), "{}", process.log());
}

/// Waits for a line of a process, of which it may have said others that begin alike.
async fn says(process: &Process, line: &str) {
    let has_said = async || process.said().iter().any(|said| said.contains(line));
    eventually(&format!("{line}, among {:#?}", process.said()), has_said).await;
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("the work does not panic")
}

/// Asks in psql, over TLS, and returns what it printed.
async fn psql(endpoint: &Endpoint, sql: &'static str) -> (i32, String) {
    let endpoint = endpoint.clone();
    let mut psql = Command::new("psql");
    psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .env("PGSSLMODE", "require");
    blocking(move || try_program(&mut psql, &endpoint)).await.expect("psql runs")
}

/// A large result, a large statement, a large value, and a load.
async fn works(endpoint: &Endpoint) {
    let mut client = Wire::connect(endpoint).await;
    let large = "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 131072) n";
    let text = client.value(large).await;
    assert_eq!(text.len(), 4_194_304);
    let hash = client.value(&format!("SELECT md5(({large}))")).await;
    let back = client.value(&format!("SELECT md5('{text}')")).await;
    assert_eq!(hash, back, "4 MB come and go unchanged");
    client.run("CREATE TABLE parcel (content text)").await;
    let value: String = ('a'..='z').cycle().take(1_000_000).collect();
    client.run(&format!("INSERT INTO parcel VALUES ('{value}')")).await;
    assert_eq!(client.value("SELECT length(content) FROM parcel").await, "1000000");
    assert_eq!(client.value("SELECT content FROM parcel").await, value);
    client.run("DROP TABLE parcel").await;
    pgbench(endpoint).await;
}

/// The database's own TLS is inside the tunnel.
async fn has_tls(endpoint: &Endpoint) {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(psql(endpoint, sql).await, (0, "t\n".into()));
}

async fn pgbench(endpoint: &Endpoint) {
    let endpoint = endpoint.clone();
    blocking(move || {
        let bench = |arguments: &[&str]| {
            let mut pgbench = Command::new("pgbench");
            program(pgbench.args(arguments), &endpoint).unwrap_or_else(|error| panic!("{error:#}"))
        };
        bench(&["-i", "-q", "-s", "1", "-I", "dtGp"]);
        let output = bench(&["-n", "-S", "-c", "4", "-t", "100"]);
        assert!(output.contains("number of failed transactions: 0"), "{output}");
    })
    .await;
}

async fn a_foreign_connector_that_is_told_its_rules_carries_our_proxy(place: Place) {
    let world = World::open(place, Managed::Remotely, &["--ping-interval", "0.5"]).await;
    let origin = world.postgres.address();
    says(&world.connector, &format!("{HOSTNAME}=tcp://{origin} *=http_status:404")).await;
    says(&world.connector, "registered 0 remote").await;
    let (_proxy, endpoint) = world.proxy();
    works(&endpoint).await;
    says(&world.connector, "pong").await;
    // A running edge tells of changes.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let line = format!("tunnel route {TUNNEL} other.example.test --service tcp://{nowhere}");
    world.walk.run(&line).expect("a route");
    says(&world.connector, &format!("other.example.test=tcp://{nowhere} *=http_status:404")).await;
    recovers(&mut Wire::connect(&endpoint).await).await;
    has_no_problem(&world.connector);
}

async fn a_foreign_connector_with_rules_of_its_own_carries_our_proxy(place: Place) {
    let world = World::open(place, Managed::Locally, &[]).await;
    says(&world.connector, "registered 0 local").await;
    says(&world.connector, "told its rules 0").await;
    let log = world.walk.log();
    assert!(log.contains("rules of its own") && log.contains(HOSTNAME), "{log}");
    let (_proxy, endpoint) = world.proxy();
    works(&endpoint).await;
    has_no_problem(&world.connector);
}

async fn a_foreign_client_passes_the_edge_to_our_connector(place: Place) {
    let authority = Authority::new();
    let postgres = Postgres::start(place.version, &authority, &[]).expect("PostgreSQL starts");
    let walk = Walk::open(Some(postgres.address())).expect("the edge starts");
    let _connector = walk.own_connector(postgres.address()).expect("our connector registers");
    let (client, address) = walk.foreign_client().expect("the client starts");
    let endpoint = Walk::endpoint(address, &postgres);
    has_tls(&endpoint).await;
    works(&endpoint).await;
    has_no_problem(&client);
}

async fn a_foreign_client_passes_the_edge_to_a_foreign_connector(place: Place) {
    let world = World::open(
        place,
        Managed::Remotely,
        &["--ping-interval", "0.5", "--max-streams", "4294967295"],
    )
    .await;
    let (client, endpoint) = world.client();
    has_tls(&endpoint).await;
    works(&endpoint).await;
    let (code, text) = psql(&endpoint, "SELECT pg_sleep(2), 'late'").await;
    assert_eq!((code, &*text), (0, "|late\n"));
    says(&client, "ping").await;
    says(&world.connector, "pong").await;
    has_no_problem(&client);
    has_no_problem(&world.connector);
}

async fn a_wrong_secret_is_refused_in_words_after_which_a_connector_tries_again(place: Place) {
    let mut world = World::open(place, Managed::Remotely, &[]).await;
    let mut wrong = world.walk.foreign_connector(&["--wrong-secret"]).expect("it starts");
    says(&wrong, "rejected 0 Unauthorized: Invalid tunnel secret").await;
    let refused =
        async || wrong.said().iter().filter(|said| said.starts_with("rejected 0")).count() >= 3;
    eventually("it tries again and again", refused).await;
    assert!(wrong.is_running() && world.connector.is_running());
    assert!(!wrong.said().iter().any(|said| said.starts_with("registered")));
    has_no_problem(&wrong);
    has_no_problem(&world.connector);
}

async fn a_connector_that_is_stopped_finishes_its_streams_and_ends(place: Place) {
    let mut world = World::open(place, Managed::Remotely, &[]).await;
    let (client, endpoint) = world.client();
    let running = endpoint.clone();
    let query =
        TaskTracker::new().spawn(async move { psql(&running, "SELECT pg_sleep(4), 'done'").await });
    eventually("the query runs", async || world.postgres.executions("pg_sleep(4)") == 1).await;
    world.connector.signal("TERM");
    for index in 0..HA_CONNECTIONS {
        says(&world.connector, &format!("unregistered {index}")).await;
    }
    says(&world.connector, "closed").await;
    let (code, text) = psql(&endpoint, "SELECT 1").await;
    assert_ne!(code, 0, "nothing new while it drains: {text}");
    says(&client, "bad handshake 530").await;
    let (code, text) = query.await.expect("psql runs");
    assert_eq!((code, &*text), (0, "|done\n"));
    let limit = Duration::from_secs(3);
    let status = world.connector.wait(limit);
    assert!(
        status.is_some_and(|status| status.success()),
        "{status:?} {:#?}",
        world.connector.said()
    );
    has_no_problem(&world.connector);
    // Without streams it takes no time.
    let mut idle = start(&world.walk, &[]);
    idle.signal("TERM");
    assert!(idle.wait(Duration::from_secs(1)).is_some(), "{:#?}", idle.said());
    assert_eq!(
        idle.said().iter().filter(|said| said.starts_with("unregistered")).count(),
        HA_CONNECTIONS
    );
    has_no_problem(&idle);
}

/// FAULTS row 22: the edge tells our proxy that a connector leaves, whoever made that.
async fn a_foreign_connector_that_is_stopped_is_left_by_our_proxy_at_once(place: Place) {
    let mut world = World::open(place, Managed::Remotely, &[]).await;
    let (_proxy, endpoint) = world.proxy();
    let mut client = Wire::connect(&endpoint).await;
    client.run("SELECT 1").await;
    world.connector.signal("TERM");
    let status = world.connector.ends(Duration::from_secs(2)).await;
    assert!(
        status.is_some_and(|status| status.success()),
        "{status:?} {:#?}",
        world.connector.said()
    );
    has_no_problem(&world.connector);
    let _another = start(&world.walk, &[]);
    client.run("SELECT 1").await;
}

async fn a_connector_that_was_killed_is_missed_until_another_comes(place: Place) {
    let mut world = World::open(place, Managed::Remotely, &[]).await;
    let (client, endpoint) = world.client();
    assert_eq!(psql(&endpoint, "SELECT 1").await, (0, "1\n".into()));
    world.connector.signal("KILL");
    let is_gone = async || psql(&endpoint, "SELECT 1").await.0 != 0;
    eventually("the edge misses the connector", is_gone).await;
    says(&client, "bad handshake 530").await;
    world.connector = start(&world.walk, &[]);
    assert_eq!(psql(&endpoint, "SELECT 1").await, (0, "1\n".into()));
    has_no_problem(&world.connector);
}

async fn a_connector_outlives_its_edge(place: Place) {
    let mut world = World::open(place, Managed::Remotely, &[]).await;
    let (_client, endpoint) = world.client();
    assert_eq!(psql(&endpoint, "SELECT 1").await, (0, "1\n".into()));
    world.walk.restart_edge().expect("the edge starts on its old ports");
    let is_back = async || psql(&endpoint, "SELECT 1").await.0 == 0;
    eventually("the connector comes back", is_back).await;
    for index in 0..HA_CONNECTIONS {
        let line = format!("registered {index} ");
        let twice = async || {
            world.connector.said().iter().filter(|said| said.starts_with(&line)).count() == 2
        };
        eventually(&line, twice).await;
    }
    has_no_problem(&world.connector);
}

async fn what_an_origin_refuses_is_told_to_the_client(place: Place) {
    let world = World::open(place, Managed::Remotely, &[]).await;
    let (client, endpoint) = world.client();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let line = format!("tunnel unroute {HOSTNAME}");
    world.walk.run(&line).expect("no route");
    let line = format!("tunnel route {TUNNEL} {HOSTNAME} --service tcp://{nowhere}");
    world.walk.run(&line).expect("a route");
    says(&world.connector, &format!("{HOSTNAME}=tcp://{nowhere}")).await;
    let (code, text) = psql(&endpoint, "SELECT 1").await;
    assert_ne!(code, 0, "{text}");
    says(&client, "bad handshake 502").await;
    has_no_problem(&world.connector);
}

async fn a_connector_without_rules_is_told_some_later(place: Place) {
    let authority = Authority::new();
    let postgres = Postgres::start(place.version, &authority, &[]).expect("PostgreSQL starts");
    let walk = Walk::open(None).expect("the edge starts");
    let connector = start(&walk, &[]);
    let (client, address) = walk.foreign_client().expect("the client starts");
    let endpoint = Walk::endpoint(address, &postgres);
    assert_ne!(psql(&endpoint, "SELECT 1").await.0, 0);
    says(&client, "bad handshake 503").await;
    walk.run(&format!("tunnel unroute {HOSTNAME}")).expect("no route");
    let origin = postgres.address();
    walk.run(&format!("tunnel route {TUNNEL} {HOSTNAME} --service tcp://{origin}"))
        .expect("a route");
    says(&connector, &format!("{HOSTNAME}=tcp://{origin}")).await;
    assert_eq!(psql(&endpoint, "SELECT 1").await, (0, "1\n".into()));
    // Rules of which none is for a hostname that still leads here.
    walk.run(&format!("tunnel unroute {HOSTNAME}")).expect("no route");
    walk.run(&format!("tunnel route {TUNNEL} {HOSTNAME}")).expect("a route");
    let is_bare = |said: &String| said.split(' ').skip(2).eq(["*=http_status:404"]);
    let told = async || connector.said().iter().any(is_bare);
    eventually("the rules are gone", told).await;
    // The edge may have seen the moment in which nothing led there, and has no certificate for the name then.
    let is_barred = async || {
        assert_ne!(psql(&endpoint, "SELECT 1").await.0, 0);
        client.said().iter().any(|said| said.contains("bad handshake 404"))
    };
    eventually("nothing is served", is_barred).await;
    has_no_problem(&connector);
}

/// FAULTS row 31: a hostname without a service led to `http_status:404` for ever.
async fn a_connector_goes_by_its_own_rules_again_once_the_edge_has_none(place: Place) {
    let mut world = World::open(place, Managed::Locally, &[]).await;
    let (client, endpoint) = world.client();
    assert_eq!(psql(&endpoint, "SELECT 1").await, (0, "1\n".into()));
    let line = format!("tunnel route {TUNNEL} {HOSTNAME}");
    world.walk.run(&format!("{line} --service tcp://127.0.0.1:9")).expect("a route");
    says(&world.connector, &format!("{HOSTNAME}=tcp://127.0.0.1:9")).await;
    let said = world.walk.run(&line).expect("a route");
    assert!(said.contains("started anew"), "{said}");
    // What it was told is taken back, and its own rules are its own business.
    let is_barred = async || {
        let refused = psql(&endpoint, "SELECT 1").await.0 != 0;
        refused && client.said().iter().any(|said| said.contains("bad handshake 404"))
    };
    eventually("the rules are gone", is_barred).await;
    world.connector.signal("KILL");
    let rule = format!("{HOSTNAME}=tcp://{}", world.postgres.address());
    world.connector = start(&world.walk, &["--ingress", &rule]);
    says(&world.connector, "registered 0 local").await;
    says(&world.connector, "told its rules 0").await;
    let is_served = async || psql(&endpoint, "SELECT 1").await == (0, "1\n".into());
    eventually("its own rules count", is_served).await;
    has_no_problem(&world.connector);
}

async fn a_connector_admits_streams_and_the_edge_heeds_how_many(place: Place) {
    // Of two on each connection the control stream is one.
    let world = World::open(place, Managed::Remotely, &["--max-streams", "2"]).await;
    let (_client, endpoint) = world.client();
    let open = (0..HA_CONNECTIONS).map(async |_number| Wire::connect(&endpoint).await);
    let mut open = futures_util::future::join_all(open).await;
    for client in &mut open {
        assert_eq!(client.value("SELECT 1").await, "1");
    }
    let late = endpoint.clone();
    let late = TaskTracker::new().spawn(async move { psql(&late, "SELECT 'in time'").await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!late.is_finished(), "there is no room");
    // It waits on one of the connections.
    drop(open);
    assert_eq!(late.await.expect("psql runs"), (0, "in time\n".into()));
    has_no_problem(&world.connector);
}

e2e::scenarios! {
    jumpgate_once: [
        a_foreign_connector_that_is_told_its_rules_carries_our_proxy,
        a_foreign_connector_with_rules_of_its_own_carries_our_proxy,
        a_foreign_client_passes_the_edge_to_our_connector,
        a_foreign_client_passes_the_edge_to_a_foreign_connector,
        a_wrong_secret_is_refused_in_words_after_which_a_connector_tries_again,
        a_connector_that_is_stopped_finishes_its_streams_and_ends,
        a_foreign_connector_that_is_stopped_is_left_by_our_proxy_at_once,
        a_connector_that_was_killed_is_missed_until_another_comes,
        a_connector_outlives_its_edge,
        a_connector_without_rules_is_told_some_later,
        a_connector_admits_streams_and_the_edge_heeds_how_many,
        a_connector_goes_by_its_own_rules_again_once_the_edge_has_none,
        what_an_origin_refuses_is_told_to_the_client,
    ],
}
