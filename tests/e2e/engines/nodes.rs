//! Several proxies in front of one database that share a tier: what anybody has seen of a write through one of them, nobody
//! misses afterwards through another (docs/CLUSTER.md).

use std::time::Duration;

use e2e::{
    engine::{Client, Database, Place, Stage},
    jumpgate::{Jumpgate, Setup},
    metrics, process,
    redis::Redis,
    stage::eventually,
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";

/// Three nodes and their tier.
struct Nodes<S> {
    stage: S,
    second: Jumpgate,
    third: Jumpgate,
    tier: Redis,
}

fn setup(tier: &Redis, more: &str) -> Setup {
    let cluster = format!("[cluster]\nurl = \"redis://{}\"\n{more}\n", tier.address());
    Setup { more: cluster, caching: "max_age = 300".into(), ..Setup::pool_of(4) }
}

async fn nodes<P: Place>(place: P, more: &str) -> Nodes<P::Stage> {
    let tier = Redis::start().expect("a tier");
    let mut stage = place.stage(setup(&tier, more)).await;
    let second = stage.another(setup(&tier, more));
    let third = stage.another(setup(&tier, more));
    for admin in [stage.jumpgate().admin(), second.admin(), third.admin()] {
        eventually("each has a lease", async || readiness(admin).await == "ready\n").await;
    }
    Nodes { stage, second, third, tier }
}

async fn readiness(admin: std::net::SocketAddr) -> String {
    metrics::get(admin, "/readyz").await.expect("the admin port answers").1
}

/// Reads until it is a hit.
async fn keep(reader: &mut impl Client, sql: &str) -> String {
    let mut value = String::new();
    for _turn in 0..300 {
        value = reader.value(sql).await;
        if reader.cache_status().await == "hit" {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never kept: {value}")
}

async fn a_write_through_one_node_is_seen_through_each(place: impl Place) {
    let nodes = nodes(place, "").await;
    let mut first = nodes.stage.client().await;
    let mut second = nodes.stage.client_at(&nodes.second).await;
    let mut third = nodes.stage.client_at(&nodes.third).await;
    for turn in 0..20 {
        for reader in [&mut first, &mut second, &mut third] {
            keep(reader, BALANCE).await;
        }
        let balance = (turn * 10).to_string();
        if turn % 2 == 0 {
            second.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
        } else {
            second.run("BEGIN").await;
            second.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
            second.run("COMMIT").await;
        }
        for reader in [&mut first, &mut second, &mut third] {
            assert_eq!(reader.value(BALANCE).await, balance, "turn {turn}");
        }
    }
    let second = nodes.second.metrics().await;
    assert!(second.sum("jumpgate_cluster_awaited_total", &[]) >= 10.0, "others were asked");
    let found = nodes.third.metrics().await.sum("jumpgate_cluster_found_total", &[]);
    assert!(found > 0.0, "what one has read, another need not ask for");
}

async fn what_one_node_has_read_another_answers(place: impl Place) {
    let mut nodes = nodes(
        place,
        "seal_key = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
    )
    .await;
    let mut first = nodes.stage.client().await;
    let mut second = nodes.stage.client_at(&nodes.second).await;
    keep(&mut first, BALANCE).await;
    // Until the second knows the schema.
    keep(&mut second, BALANCE).await;
    for turn in 0.. {
        assert!(turn < 100, "each asks for itself");
        let sql = format!("SELECT balance, 'of node {turn}.' FROM account WHERE id = 1");
        keep(&mut first, &sql).await;
        // It is handed on beside.
        tokio::time::sleep(Duration::from_millis(turn)).await;
        let rows = second.run(&sql).await;
        let is_hit = second.cache_status().await == "hit";
        assert_eq!(rows, first.run(&sql).await);
        let asked = nodes.stage.database().executions(&format!("of node {turn}."));
        if is_hit {
            assert_eq!(asked, 1, "nobody else is asked");
            break;
        }
    }
}

/// A node that is stopped for longer than its lease neither holds up a write for ever nor serves what it had.
async fn a_stopped_node_serves_nothing_old(place: impl Place) {
    let nodes = nodes(place, "lease = 1.0").await;
    let mut first = nodes.stage.client().await;
    let mut second = nodes.stage.client_at(&nodes.second).await;
    let mut third = nodes.stage.client_at(&nodes.third).await;
    for turn in 1..4 {
        keep(&mut second, BALANCE).await;
        keep(&mut third, BALANCE).await;
        process::signal(nodes.second.pid(), "STOP");
        first.run(&format!("UPDATE account SET balance = {turn} WHERE id = 1")).await;
        assert_eq!(third.value(BALANCE).await, turn.to_string());
        // It is waited for no more.
        first.run(&format!("UPDATE account SET balance = 1{turn} WHERE id = 1")).await;
        process::signal(nodes.second.pid(), "CONT");
        assert_eq!(second.value(BALANCE).await, format!("1{turn}"), "turn {turn}");
        assert_eq!(third.value(BALANCE).await, format!("1{turn}"));
    }
    let waited = nodes.stage.metrics().await.sum("jumpgate_cluster_outlasted_total", &[]);
    assert!(waited >= 1.0, "a lease was waited for");
}

/// Without the tier nothing is served from memory, and no write is sent; with it all is as before.
async fn without_a_tier_nothing_is_kept_and_nothing_written(place: impl Place) {
    let mut nodes = nodes(place, "lease = 0.5\nwrite_wait = 1.0").await;
    let mut reader = nodes.stage.client().await;
    let mut writer = nodes.stage.client_at(&nodes.second).await;
    let before = keep(&mut reader, BALANCE).await;
    nodes.tier.kill_9();
    let admin = nodes.stage.jumpgate().admin();
    eventually("the lease ends", async || readiness(admin).await.contains("no lease")).await;
    assert_eq!(reader.value(BALANCE).await, before);
    assert_eq!(reader.cache_status().await, "miss", "it is asked of the database");
    let (answer, _goes_on) = writer.attempt("UPDATE account SET balance = 77 WHERE id = 1").await;
    assert!(answer.error.contains("the write was not sent"), "{answer:?}");
    assert_eq!(nodes.stage.direct().await.value(BALANCE).await, before, "it was not");
    nodes.tier.restart().expect("it starts again");
    eventually("there is a lease again", async || readiness(admin).await == "ready\n").await;
    let mut writer = nodes.stage.client_at(&nodes.second).await;
    keep(&mut reader, BALANCE).await;
    writer.run("UPDATE account SET balance = 78 WHERE id = 1").await;
    assert_eq!(reader.value(BALANCE).await, "78");
}

/// The catalog of each node is as new as what any of them has changed.
async fn a_schema_changed_through_one_node_is_known_to_each(place: impl Place) {
    let nodes = nodes(place, "").await;
    let mut first = nodes.stage.client().await;
    let mut second = nodes.stage.client_at(&nodes.second).await;
    let mut third = nodes.stage.client_at(&nodes.third).await;
    first.run("CREATE TABLE noted (n int)").await;
    first.run("CREATE VIEW shown AS SELECT 1 AS n").await;
    assert_eq!(keep(&mut second, "SELECT n FROM shown").await, "1");
    first
        .run("CREATE OR REPLACE VIEW shown AS SELECT balance AS n FROM account WHERE id = 1")
        .await;
    first.run("UPDATE account SET balance = 41 WHERE id = 1").await;
    assert_eq!(keep(&mut second, "SELECT n FROM shown").await, "41");
    third.run("UPDATE account SET balance = 42 WHERE id = 1").await;
    assert_eq!(second.value("SELECT n FROM shown").await, "42", "it reads another table now");
}

/// A node that dies in the middle of a write leaves its table unkept until the database has ended it.
async fn a_write_of_a_node_that_died_is_waited_for(place: impl Place) {
    let Nodes { mut stage, second, third: _third, tier: _tier } = nodes(place, "lease = 0.5").await;
    let mut reader = stage.client().await;
    keep(&mut reader, BALANCE).await;
    let mut holder = stage.direct().await;
    holder.run("BEGIN").await;
    holder.run("UPDATE account SET balance = 5 WHERE id = 1").await;
    let mut writer = stage.client_at(&second).await;
    writer.start("UPDATE account SET balance = 6 WHERE id = 1").await;
    let admin = stage.jumpgate().admin();
    let text = "UPDATE account SET balance = 6";
    while stage.database().executions(text) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process::signal(second.pid(), "KILL");
    // Long after the dead node's lease.
    tokio::time::sleep(Duration::from_secs(2)).await;
    reader.value(BALANCE).await;
    assert_ne!(reader.cache_status().await, "hit");
    reader.value(BALANCE).await;
    assert_ne!(reader.cache_status().await, "hit", "the write may be seen at any moment");
    holder.run("ROLLBACK").await;
    let kept = keep(&mut reader, BALANCE).await;
    assert_eq!(kept, stage.direct().await.value(BALANCE).await);
    eventually("it has its lease", async || readiness(admin).await == "ready\n").await;
}

e2e::scenarios! {
    jumpgate_once: [
        a_write_through_one_node_is_seen_through_each,
        what_one_node_has_read_another_answers,
        a_stopped_node_serves_nothing_old,
        without_a_tier_nothing_is_kept_and_nothing_written,
        a_schema_changed_through_one_node_is_known_to_each,
        a_write_of_a_node_that_died_is_waited_for,
    ],
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        a_write_through_one_node_is_seen_through_each,
        what_one_node_has_read_another_answers,
        a_stopped_node_serves_nothing_old,
        without_a_tier_nothing_is_kept_and_nothing_written,
        a_schema_changed_through_one_node_is_known_to_each,
        a_write_of_a_node_that_died_is_waited_for,
    ],
}
