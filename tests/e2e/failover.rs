//! An origin of several hosts: the one that will do is found, and left for its successor without a client noticing more than
//! what was under way there.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use e2e::{
    certificates::Authority,
    jumpgate::{Jumpgate, Setup},
    postgres::{Postgres, REPLICATES},
    stage::{Place, eventually},
    wire::{Wire, error, say, sqlstate},
};

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(20);
const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";
const RECOVERS: &str = "SELECT pg_is_in_recovery() /* jumpgate: no-cache */";

/// A primary, a standby, and jumpgate before both.
struct World {
    jumpgate: Jumpgate,
    a: Postgres,
    b: Postgres,
}

impl World {
    /// With hosts in the order that `hosts` gives them, and more of `[database.origin]`.
    fn open(
        place: Place,
        hosts: impl FnOnce(SocketAddr, SocketAddr) -> Vec<SocketAddr>,
        origin: &str,
    ) -> Self {
        let authority = Authority::new();
        let mut a = Postgres::start(place.version, &authority, &REPLICATES).expect("a primary");
        let b = a.standby().expect("a standby");
        let setup = Setup {
            hosts: hosts(a.address(), b.address()),
            origin: origin.into(),
            ..Setup::pool_of(3)
        };
        let jumpgate = Jumpgate::start(&authority, a.address(), false, setup).expect("jumpgate");
        Self { jumpgate, a, b }
    }

    async fn client(&self) -> Wire {
        Wire::connect(&self.jumpgate.endpoint()).await
    }

    async fn failovers(&self) -> f64 {
        self.jumpgate.metrics().await.sum("jumpgate_origin_failovers_total", &[("database", "app")])
    }

    /// Waits until the standby has what the primary has.
    async fn catches_up(&self) {
        let mut primary = Wire::connect(&self.a.superuser()).await;
        let mut standby = Wire::connect(&self.b.superuser()).await;
        let at = primary.value("SELECT pg_current_wal_lsn()").await;
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{at}'");
        loop {
            if standby.value(&sql).await == "t" {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Reads until it is a hit.
async fn keep(reader: &mut Wire, sql: &str) -> String {
    for _turn in 0..200 {
        let value = reader.value(sql).await;
        if reader.cache_status().await == "hit" {
            return value;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("never kept: {sql}")
}

/// Waits until a server runs a statement that contains `marker`.
async fn running(server: &Postgres, marker: &str) {
    let mut superuser = Wire::connect(&server.superuser()).await;
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%{marker}%'"
    );
    while superuser.value(&sql).await == "0" {
        tokio::time::sleep(PAUSE).await;
    }
}

async fn a_client_goes_on_where_its_primary_has_a_successor(place: Place) {
    let mut world = World::open(place, |a, b| vec![a, b], "");
    let (mut client, mut other) = (world.client().await, world.client().await);
    client.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    assert_eq!(keep(&mut client, BALANCE).await, "1");
    assert_eq!((client.value(RECOVERS).await.as_str(), world.failovers().await), ("f", 0.0));
    world.catches_up().await;

    world.a.shut_down();
    world.b.promote().expect("a successor");
    // Nobody here was told of it.
    let mut direct = Wire::connect(&world.b.endpoint()).await;
    direct.run("UPDATE account SET balance = 2 WHERE id = 1").await;
    client.run("UPDATE account SET balance = 3 WHERE id = 2").await;
    assert_eq!(client.value(BALANCE).await, "2", "what was kept of the other host does not count");
    assert_eq!(other.value(BALANCE).await, "2");
    assert_eq!(direct.value("SELECT balance FROM account WHERE id = 2").await, "3");
    assert_eq!(keep(&mut client, BALANCE).await, "2", "and what this one says is kept");
    assert_eq!(world.failovers().await, 1.0);
    let metrics = world.jumpgate.metrics().await;
    assert_eq!(metrics.sum("jumpgate_origin_host", &[("database", "app")]), 1.0);

    // A cancel request goes to where the statement runs.
    client.send(say::query("SELECT pg_sleep(60) /* of ours */")).await;
    running(&world.b, "of ours").await;
    let mut wire = Wire::open(world.jumpgate.endpoint().address).await;
    wire.send(client.cancel_request()).await;
    assert_eq!(wire.byte().await, None);
    assert_eq!(sqlstate(&client.until_ready().await), "57014");

    // The first is back as a standby, and nobody goes there.
    world.a.follow(&world.b).expect("a standby");
    client.run("UPDATE account SET balance = 4 WHERE id = 1").await;
    assert_eq!((client.value(BALANCE).await.as_str(), world.failovers().await), ("4", 1.0));
    let (code, out, _) = world.jumpgate.tool(&["check", "app"]).expect("a check");
    let (a, b) = (world.a.address(), world.b.address());
    assert!(code == 0 && out.contains(&format!("{a} is a standby:")), "{out}");
    assert!(out.contains(&format!("{b} is a primary:")), "{out}");
    assert!(out.contains(&format!("{b} is used: target_session_attrs = \"read-write\".")), "{out}");
    let logs = world.jumpgate.logs();
    let told: Vec<_> =
        logs.lines().filter(|line| line.contains("the origin is on another host now")).collect();
    assert_eq!(told.len(), 1, "{logs}");
    assert!(told[0].contains(&format!("from={a} to={b}")), "{told:?}");
    for secret in Jumpgate::secrets() {
        assert!(!logs.contains(secret) && !out.contains(secret));
    }
}

async fn a_first_host_that_is_away_or_a_standby_is_passed_over(place: Place) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = listener.local_addr().unwrap();
    drop(listener);
    let world = World::open(place, |a, b| vec![away, b, a], "");
    let mut client = world.client().await;
    assert_eq!(client.value(RECOVERS).await, "f");
    client.run("UPDATE account SET balance = 7 WHERE id = 1").await;
    assert_eq!(keep(&mut client, BALANCE).await, "7");
    assert_eq!(world.failovers().await, 0.0, "there was none before");
}

async fn where_no_host_takes_writes_it_is_told_what_each_is(place: Place) {
    let mut world = World::open(place, |a, b| vec![a, b], "");
    let mut client = world.client().await;
    client.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    world.a.shut_down();
    world.a.follow(&world.b).expect("a standby");
    let refused = client.query("UPDATE account SET balance = 2 WHERE id = 1").await;
    assert!(error(&refused).contains("origin_unreachable"), "{}", error(&refused));
    let (a, b) = (world.a.address(), world.b.address());
    let told = format!(
        "no host is what target_session_attrs = \"read-write\" asks for: {a} is a standby; {b} is a standby"
    );
    assert!(world.jumpgate.logs().replace('\\', "").contains(&told), "{}", world.jumpgate.logs());
    let (code, out, _) = world.jumpgate.tool(&["check", "app"]).expect("a check");
    assert!(code != 0 && out.contains("No host is what target_session_attrs"), "{out}");
    world.b.promote().expect("a primary");
    // The same client writes again, as soon as one is asked.
    while !sqlstate(&client.query("UPDATE account SET balance = 3 WHERE id = 1").await).is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
    let mut direct = Wire::connect(&world.b.endpoint()).await;
    assert_eq!(direct.value(BALANCE).await, "3");
}

async fn reads_prefer_a_standby_while_there_is_one(place: Place) {
    let origin = "target_session_attrs = \"prefer-standby\"";
    let mut world = World::open(place, |a, b| vec![a, b], origin);
    let mut client = world.client().await;
    assert_eq!(client.value(RECOVERS).await, "t");
    let refused = client.query("UPDATE account SET balance = 2 WHERE id = 1").await;
    assert_eq!(sqlstate(&refused), "25006", "it is the client's to write elsewhere");
    world.b.kill_9();
    drop(client);
    // Clients of their own: one that is lent a connection which has just died hears of its end.
    eventually("the other host is used", async || {
        let mut client = world.client().await;
        let (answer, _goes_on) = e2e::engine::Client::attempt(&mut client, RECOVERS).await;
        answer.rows == [[Some(String::from("f"))]]
    })
    .await;
    assert_eq!(world.failovers().await, 1.0);
}

/// What a demoted primary refuses was not done, and is done on its successor unseen; in a block the client is told.
async fn a_primary_that_is_made_read_only_is_left(place: Place) {
    let world = World::open(place, |a, b| vec![a, b], "");
    let (mut simple, mut extended) = (world.client().await, world.client().await);
    let (mut block, mut own) = (world.client().await, world.client().await);
    own.run("SET default_transaction_read_only = on").await;
    for _turn in 0..2 {
        let refused = own.query("UPDATE account SET balance = 0 WHERE id = 1").await;
        assert_eq!(sqlstate(&refused), "25006", "its own wish");
    }
    own.run("RESET default_transaction_read_only").await;
    own.run("BEGIN READ ONLY").await;
    let refused = own.query("UPDATE account SET balance = 0 WHERE id = 1").await;
    assert_eq!(sqlstate(&refused), "25006", "its own wish");
    own.run("ROLLBACK").await;
    assert_eq!(world.failovers().await, 0.0);
    block.run("BEGIN").await;
    block.run("SELECT balance FROM account WHERE id = 2 FOR KEY SHARE").await;
    world.catches_up().await;

    world.b.promote().expect("a successor");
    let mut superuser = Wire::connect(&world.a.superuser()).await;
    superuser.run("ALTER SYSTEM SET default_transaction_read_only = on").await;
    superuser.run("SELECT pg_reload_conf()").await;
    eventually("the first host takes no writes", async || {
        let mut fresh = Wire::connect(&world.a.endpoint()).await;
        fresh.value("SHOW default_transaction_read_only").await == "on"
    })
    .await;
    let reply = simple.query("UPDATE account SET balance = 5 WHERE id = 1").await;
    assert_eq!(error(&reply), "");
    let reply = extended.extended("UPDATE account SET balance = 6 WHERE id = $1", &["2"]).await;
    assert_eq!(error(&reply), "");
    assert_eq!(world.failovers().await, 1.0);
    // It was begun where it may not write any more, and ends there.
    block.run("COMMIT").await;
    block.run("BEGIN").await;
    block.run("UPDATE account SET balance = balance + 1 WHERE id = 2").await;
    block.run("COMMIT").await;
    let mut direct = Wire::connect(&world.b.endpoint()).await;
    assert_eq!(direct.value(BALANCE).await, "5");
    assert_eq!(direct.value("SELECT balance FROM account WHERE id = 2").await, "7");
}

e2e::scenarios!(@place proxy_15 Proxy Fifteen:
    a_client_goes_on_where_its_primary_has_a_successor
    a_first_host_that_is_away_or_a_standby_is_passed_over
    where_no_host_takes_writes_it_is_told_what_each_is
    reads_prefer_a_standby_while_there_is_one
    a_primary_that_is_made_read_only_is_left);
e2e::scenarios!(@place proxy_18 Proxy Eighteen:
    a_client_goes_on_where_its_primary_has_a_successor
    a_first_host_that_is_away_or_a_standby_is_passed_over
    where_no_host_takes_writes_it_is_told_what_each_is
    reads_prefer_a_standby_while_there_is_one
    a_primary_that_is_made_read_only_is_left);
