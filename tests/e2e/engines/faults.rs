//! Broken servers and networks: one error in the right place, and everybody else goes on.

use std::time::Duration;

use e2e::{
    engine::{Client as _, Database, Place, Stage, recovers},
    jumpgate::Setup,
    stage::{Route, eventually},
};

const UNIQUE: &str = "/* jumpgate: no-cache */";

/// The name of the function that waits.
fn sleep<S: Stage>(_stage: &S) -> &'static str {
    S::Database::SLEEP
}

async fn a_killed_database_ends_its_query_with_one_error(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(3)).await;
    let (mut busy, mut idle) = (stage.client().await, stage.client().await);
    idle.run("SELECT 1").await;
    let sleep = sleep(&stage);
    busy.start(&format!("SELECT {sleep}(60) /* busy */")).await;
    while stage.database().executions("busy") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.database().kill_9();
    assert_eq!(busy.errors().await, 1, "exactly one error");
    stage.database().restart();
    recovers(&mut idle).await;
    recovers(&mut stage.client().await).await;
}

async fn a_login_needs_no_origin(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(2)).await;
    stage.client().await.run("SELECT 1").await;
    stage.database().kill_9();
    let mut client = stage.client().await;
    let word =
        if place.route() == Route::Tunnel { "origin_unreachable" } else { "connection_refused" };
    let asks = format!("SELECT 2 {UNIQUE}");
    let mut told = client.query(&asks).await.error;
    // The pool may find its old connections dead first; the next statement needs a new one.
    if !told.contains("Server connection attempt failed") {
        told = client.query(&asks).await.error;
    }
    assert_eq!(told, format!("Server connection attempt failed: {word}"));
    stage.database().restart();
    recovers(&mut client).await;
}

async fn a_cut_network_is_noticed_before_the_next_query(place: impl Place) {
    let setup = Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(3) };
    let stage = place.stage(setup).await;
    let mut client = stage.client().await;
    for _turn in 0..3 {
        client.run(&format!("SELECT 1 {UNIQUE}")).await;
        stage.relay().expect("a relay").cut().await;
        // That a connection has ended passes connector and edge; a query before that ends with its connection.
        if place.route() == Route::Tunnel {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(client.value(&format!("SELECT 2 {UNIQUE}")).await, "2", "nobody notices");
    }
}

async fn a_full_pool_says_so_and_the_session_goes_on(place: impl Place) {
    let setup = Setup { pool: "checkout_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = place.stage(setup).await;
    let (mut holder, mut waiting) = (stage.client().await, stage.client().await);
    holder.run("BEGIN").await;
    holder.run(&format!("SELECT 1 FROM item {UNIQUE}")).await;
    let answer = waiting.query(&format!("SELECT 1 {UNIQUE}")).await;
    assert_eq!(answer.error, "Failed to acquire a connection from the pool.");
    assert!(["58000", "1040"].contains(&answer.code.as_str()), "{answer:?}");
    holder.run("COMMIT").await;
    assert_eq!(waiting.value(&format!("SELECT 2 {UNIQUE}")).await, "2");
    assert!(stage.metrics().await.sum("jumpgate_pool_checkout_seconds_count", &[]) >= 1.0);
}

async fn a_client_that_does_not_read_loses_its_backend(place: impl Place) {
    let setup = Setup { listen: "write_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = place.stage(setup).await;
    let (mut slow, mut other) = (stage.client().await, stage.client().await);
    slow.start("SELECT repeat('x', 100000) FROM wide").await;
    slow.begin().await;
    recovers(&mut other).await;
}

async fn a_drain_lets_the_running_query_end(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(2)).await;
    let (mut busy, idle) = (stage.client().await, stage.client().await);
    let sleep = sleep(&stage);
    busy.start(&format!("SELECT 'done', {sleep}(1) /* busy */")).await;
    while stage.database().executions("busy") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.jumpgate().proxy().signal("TERM");
    let answer = busy.end().await;
    assert_eq!(answer.rows[0][0].as_deref(), Some("done"), "it ends well: {answer:?}");
    drop((busy, idle));
    let status = stage.jumpgate().proxy().wait(Duration::from_secs(30)).expect("the proxy ends");
    assert_eq!(status.code(), Some(0));
}

async fn a_reload_changes_new_connections_and_breaks_none(place: impl Place) {
    let mut stage = place.stage(Setup::default()).await;
    let mut old = stage.client().await;
    old.run("BEGIN").await;
    old.run("SELECT 1").await;
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
    jumpgate: [
        a_killed_database_ends_its_query_with_one_error,
        a_login_needs_no_origin,
        a_cut_network_is_noticed_before_the_next_query,
        a_full_pool_says_so_and_the_session_goes_on,
        a_client_that_does_not_read_loses_its_backend,
        a_drain_lets_the_running_query_end,
    ],
    jumpgate_twice: [
        a_reload_changes_new_connections_and_breaks_none,
    ],
}

e2e::mysql_scenarios! {
    jumpgate: [
        a_killed_database_ends_its_query_with_one_error,
        a_cut_network_is_noticed_before_the_next_query,
        a_client_that_does_not_read_loses_its_backend,
    ],
    jumpgate_twice: [
        a_login_needs_no_origin,
        a_full_pool_says_so_and_the_session_goes_on,
        a_drain_lets_the_running_query_end,
        a_reload_changes_new_connections_and_breaks_none,
    ],
}
