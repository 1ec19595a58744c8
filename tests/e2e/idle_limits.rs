//! FAULTS row 40: timeouts that a client sets, of which some are the proxy's to keep.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, SERVING_PROCESS, Stage, Version},
    wire::{Frame, Wire, say},
};
use tokio::time::{Instant, sleep, timeout};

/// How a session ends that is left alone for the limit of `milliseconds`.
async fn ends(mut client: Wire, milliseconds: u64) -> Vec<Frame> {
    let began = Instant::now();
    let frames = timeout(Duration::from_secs(20), client.until_closed()).await.expect("it ends");
    // The limit began a little before.
    assert!(began.elapsed() + Duration::from_millis(100) > Duration::from_millis(milliseconds));
    assert_eq!(frames.len(), 1, "{frames:?}");
    frames
}

async fn an_idle_session_ends_after_its_own_limit(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut other = stage.client().await;
    for (set, startup) in [
        ("SET idle_session_timeout = 400", None),
        ("SET idle_session_timeout = '0.4s'", None),
        ("SELECT set_config('idle_session_timeout', '400ms', false)", None),
        ("SELECT 1", Some("-c idle_session_timeout=400")),
        // On a backend of its own the database itself ends it.
        ("SET idle_session_timeout = 400; CREATE TEMP TABLE t (a int)", None),
    ] {
        let options: Vec<_> = startup.map(|value| ("options", value)).into_iter().collect();
        let mut client = stage.client_with(&options).await;
        client.run(set).await;
        assert_eq!(client.value("SHOW idle_session_timeout").await, "400ms", "{set}");
        if !set.contains("TEMP") {
            assert_eq!(other.value("SHOW idle_session_timeout").await, "0", "{set}");
            assert_eq!(client.value("SHOW idle_session_timeout").await, "400ms", "{set}");
        }
        let frames = ends(client, 400).await;
        let text = "terminating connection due to idle-session timeout";
        assert_eq!((frames[0].field(b'C'), frames[0].field(b'M')), ("57P05".into(), text.into()));
        assert_eq!(frames[0].field(b'S'), "FATAL");
    }
    assert_eq!(other.value("SELECT 1").await, "1");
}

async fn a_session_that_speaks_in_time_or_lifts_its_limit_lives(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client().await;
    client.run("SET idle_session_timeout = 600").await;
    for _turn in 0..4 {
        sleep(Duration::from_millis(300)).await;
        client.run("SELECT 1").await;
    }
    // A statement that takes longer is not idle, nor is a transaction.
    client.run("SELECT pg_sleep(0.9)").await;
    client.run("BEGIN").await;
    sleep(Duration::from_millis(900)).await;
    client.run("COMMIT").await;
    for lift in ["RESET idle_session_timeout", "SET idle_session_timeout = 0", "DISCARD ALL"] {
        client.run("SET idle_session_timeout = 600").await;
        client.run(lift).await;
        sleep(Duration::from_millis(900)).await;
        client.run("SELECT 1").await;
    }
}

/// No connection of the pool ends because a client wished to.
async fn a_limit_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut first = stage.client().await;
    let backend = first.value(SERVING_PROCESS).await;
    let mut client = stage.client().await;
    client.run("SET idle_session_timeout = 300").await;
    client.send([say::query("SELECT 1"), say::terminate()].concat()).await;
    client.until_closed().await;
    let other = stage.client_with(&[("options", "-c idle_session_timeout=300")]).await;
    other.close().await;
    sleep(Duration::from_millis(1000)).await;
    assert_eq!(first.value(SERVING_PROCESS).await, backend);
}

async fn a_transaction_left_open_ends_after_its_own_limit(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut limits = vec![("idle_in_transaction_session_timeout", "25P03")];
    if place.version == Version::Eighteen {
        limits.push(("transaction_timeout", "25P04"));
    }
    for (setting, sqlstate) in limits {
        let mut client = stage.client().await;
        client.run(&format!("SET {setting} = 400")).await;
        client.run("BEGIN").await;
        let frames = ends(client, 400).await;
        assert_eq!(frames[0].field(b'C'), sqlstate, "{setting}");
        assert_eq!(stage.client().await.value("SELECT 1").await, "1");
    }
}

e2e::scenarios! {
    twice: [
        an_idle_session_ends_after_its_own_limit,
        a_session_that_speaks_in_time_or_lifts_its_limit_lives,
        a_transaction_left_open_ends_after_its_own_limit,
    ],
    jumpgate_twice: [
        a_limit_stays_with_its_client,
    ],
}
