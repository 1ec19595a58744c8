//! Broken servers and networks: one error in the right place, and everybody else goes on.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Route, Stage, eventually, recovers},
    wire::{error, say, sqlstate},
};

const UNIQUE: &str = "/* jumpgate: no-cache */";

async fn a_killed_database_ends_its_query_with_one_error(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut busy, mut idle) = (stage.client().await, stage.client().await);
    idle.run("SELECT 1").await;
    busy.send(say::query("SELECT pg_sleep(60) /* busy */")).await;
    eventually("the query runs", async || stage.postgres.executions("busy") == 1).await;
    stage.postgres.kill_9();
    let mut errors = Vec::new();
    while let Some(frame) = busy.next().await {
        match frame.tag {
            b'E' => errors.push(frame),
            b'Z' => break,
            _ => {}
        }
    }
    assert_eq!(errors.len(), 1, "exactly one error: {errors:?}");
    stage.postgres.restart().expect("the database starts again");
    recovers(&mut idle).await;
    recovers(&mut stage.client().await).await;
}

async fn a_login_needs_no_origin(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    stage.client().await.run("SELECT 1").await;
    stage.postgres.kill_9();
    let mut client = stage.client().await;
    let reply = client.query(&format!("SELECT 2 {UNIQUE}")).await;
    let word =
        if place.route == Route::Tunnel { "origin_unreachable" } else { "connection_refused" };
    let text = error(&reply);
    // The pool may find its old connections dead first; the next statement needs a new one.
    if !text.contains("Server connection attempt failed") {
        let reply = client.query(&format!("SELECT 2 {UNIQUE}")).await;
        assert_eq!(error(&reply), format!("Server connection attempt failed: {word}"));
        assert_eq!(sqlstate(&reply), "58000");
    } else {
        assert_eq!(text, format!("Server connection attempt failed: {word}"));
    }
    stage.postgres.restart().expect("the database starts again");
    recovers(&mut client).await;
}

/// That a connection has ended passes connector and edge; a query before that ends with its connection.
async fn word_of_it_arrives(place: Place) {
    if place.route == Route::Tunnel {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn a_terminated_idle_connection_is_not_handed_out(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    client.run("SELECT 1").await;
    let mut superuser = stage.superuser().await;
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'app'";
    for _turn in 0..3 {
        superuser.run(end).await;
        word_of_it_arrives(place).await;
        assert_eq!(
            error(&client.query(&format!("SELECT 2 {UNIQUE}")).await),
            "",
            "the client notices nothing"
        );
    }
}

async fn a_terminated_query_says_so_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.send(say::query("SELECT pg_sleep(60) /* doomed */")).await;
    eventually("the query runs", async || stage.postgres.executions("doomed") == 1).await;
    let mut superuser = stage.superuser().await;
    superuser.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%doomed%' AND pid <> pg_backend_pid()").await;
    let mut codes = Vec::new();
    while let Some(frame) = client.next().await {
        match frame.tag {
            b'E' => codes.push(frame.field(b'C')),
            b'Z' => break,
            _ => {}
        }
    }
    assert_eq!(codes, ["57P01"]);
    recovers(&mut other).await;
}

async fn a_transaction_does_not_survive_its_connection(place: Place) {
    let stage =
        Stage::with(place, Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(2) }).await;
    let mut client = stage.client().await;
    client.run("BEGIN").await;
    client.run("UPDATE account SET balance = 0 WHERE id = 1").await;
    stage.relay.as_ref().expect("a relay").cut().await;
    let mut errors = 0;
    if client.try_send(say::query("SELECT balance FROM account WHERE id = 1")).await {
        while let Some(frame) = client.next().await {
            assert_ne!(frame.tag, b'D', "no row of a lost transaction");
            errors += usize::from(frame.tag == b'E');
            if frame.tag == b'Z' {
                assert_eq!(frame.body.as_ref(), b"I", "no transaction is open any more");
                break;
            }
        }
    }
    assert!(errors <= 1 && (stage.is_direct() || errors == 1), "{errors} errors");
    let mut next = stage.client().await;
    recovers(&mut next).await;
    assert_eq!(next.value("SELECT balance FROM account WHERE id = 1").await, "100");
}

async fn a_cut_network_is_noticed_before_the_next_query(place: Place) {
    let stage =
        Stage::with(place, Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(3) }).await;
    let mut client = stage.client().await;
    for _turn in 0..3 {
        client.run(&format!("SELECT 1 {UNIQUE}")).await;
        stage.relay.as_ref().expect("a relay").cut().await;
        word_of_it_arrives(place).await;
        assert_eq!(client.value(&format!("SELECT 2 {UNIQUE}")).await, "2", "nobody notices");
    }
}

async fn a_full_pool_says_so_and_the_session_goes_on(place: Place) {
    let stage =
        Stage::with(place, Setup { pool: "checkout_timeout = 1".into(), ..Setup::pool_of(1) })
            .await;
    let (mut holder, mut waiting) = (stage.client().await, stage.client().await);
    holder.run("BEGIN").await;
    holder.run("SELECT pg_backend_pid()").await;
    let reply = waiting.query(&format!("SELECT 1 {UNIQUE}")).await;
    assert_eq!(error(&reply), "Failed to acquire a connection from the pool.");
    assert_eq!(sqlstate(&reply), "58000");
    holder.run("COMMIT").await;
    assert_eq!(waiting.value(&format!("SELECT 2 {UNIQUE}")).await, "2");
    assert!(stage.metrics().await.sum("jumpgate_pool_checkout_seconds_count", &[]) >= 1.0);
}

async fn a_client_that_does_not_read_loses_its_backend(place: Place) {
    let setup = Setup { listen: "write_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let (mut slow, mut other) = (stage.client().await, stage.client().await);
    slow.send(say::query("SELECT repeat('x', 100000) FROM generate_series(1, 2000)")).await;
    slow.frame().await;
    recovers(&mut other).await;
}

async fn a_drain_lets_the_running_query_end(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut busy, idle) = (stage.client().await, stage.client().await);
    busy.send(say::query("SELECT pg_sleep(1), 'done' /* busy */")).await;
    eventually("the query runs", async || stage.postgres.executions("busy") == 1).await;
    stage.jumpgate().proxy().signal("TERM");
    let reply = busy.until_ready().await;
    assert!(reply.iter().any(|frame| frame.tag == b'D'), "it ends well: {reply:?}");
    drop((busy, idle));
    let status = stage.jumpgate().proxy().wait(Duration::from_secs(30)).expect("the proxy ends");
    assert_eq!(status.code(), Some(0));
}

async fn a_reload_changes_new_connections_and_breaks_none(place: Place) {
    let mut stage = Stage::open(place).await;
    let mut old = stage.client().await;
    old.run("BEGIN").await;
    stage.jumpgate().reload(|setup| setup.caching = "disabled = true".into()).expect("a reload");
    eventually("new clients are not cached", async || {
        let mut client = stage.client().await;
        client.run("SELECT name FROM item WHERE id = 9").await;
        client.cache_status().await == "disabled"
    })
    .await;
    old.run("COMMIT").await;
    stage.jumpgate().reload(|setup| setup.more = "this is not TOML".into()).expect("a reload");
    for _turn in 0..3 {
        assert_eq!(stage.client().await.value("SELECT 1").await, "1", "a bad file changes nothing");
    }
    assert!(stage.jumpgate().proxy().is_running());
}

e2e::scenarios! {
    everywhere: [
        a_transaction_does_not_survive_its_connection,
    ],
    jumpgate: [
        a_killed_database_ends_its_query_with_one_error,
        a_login_needs_no_origin,
        a_terminated_idle_connection_is_not_handed_out,
        a_terminated_query_says_so_once,
        a_cut_network_is_noticed_before_the_next_query,
        a_full_pool_says_so_and_the_session_goes_on,
        a_client_that_does_not_read_loses_its_backend,
        a_drain_lets_the_running_query_end,
    ],
    jumpgate_twice: [
        a_reload_changes_new_connections_and_breaks_none,
    ],
}
