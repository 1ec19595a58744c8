//! The tunnel carries bytes, names its failures, and forgets what broke.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually, recovers},
    wire::{Wire, error, say, sqlstate},
};

const UNIQUE: &str = "/* jumpgate: no-cache */";

/// Asks until the proxy's error has this last word.
async fn fails_with(client: &mut Wire, word: &str) {
    let wanted = format!("Server connection attempt failed: {word}");
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let text = error(&client.query(&format!("SELECT 1 {UNIQUE}")).await);
        if text == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < give_up, "wanted `{wanted}`, got `{text}`");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn a_connector_killed_in_mid_query_is_replaced(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut busy, mut idle) = (stage.client().await, stage.client().await);
    idle.run("SELECT name FROM item WHERE id = 1").await;
    busy.send(say::query("SELECT pg_sleep(60) /* busy */")).await;
    eventually("the query runs", async || stage.postgres.executions("busy") == 1).await;
    stage.jumpgate().kill_connector();
    let mut errors = 0;
    while let Some(frame) = busy.next().await {
        errors += usize::from(frame.tag == b'E');
        if frame.tag == b'Z' {
            break;
        }
    }
    assert_eq!(errors, 1, "the query ends with one error");
    fails_with(&mut idle, "tunnel_unavailable").await;
    let cached = idle.value("SELECT name FROM item WHERE id = 1").await;
    assert_eq!(cached, "item 1", "what is cached is served without a tunnel");
    stage.jumpgate().start_connector().expect("the connector registers again");
    recovers(&mut idle).await;
}

async fn an_edge_that_restarts_is_found_again(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut client = stage.client().await;
    client.run("SELECT 1").await;
    stage.jumpgate().restart_edge().expect("the edge starts on its old ports");
    recovers(&mut client).await;
}

async fn a_revoked_token_is_denied_and_the_session_goes_on(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut client = stage.client().await;
    client.run("SELECT name FROM item WHERE id = 1").await;
    stage.jumpgate().revoke_token().expect("the edge starts on its old ports");
    fails_with(&mut client, "access_denied").await;
    assert_eq!(
        client.value("SELECT name FROM item WHERE id = 1").await,
        "item 1",
        "the cache still answers"
    );
    let logs = stage.jumpgate().logs();
    for secret in e2e::jumpgate::Jumpgate::secrets() {
        assert!(!logs.contains(secret), "a secret is logged");
    }
}

async fn megabytes_pass_both_ways_unchanged(place: Place) {
    let stage = Stage::with(place, Setup::caching("disabled = true")).await;
    let mut client = stage.client().await;
    for size in [0, 1, 1023, 16_384, 65_535, 65_536, 1_000_000, 8_000_000] {
        let text: String = ('a'..='z').cycle().take(size).collect();
        let bind = say::bind("", "", &[], &[Some(text.as_bytes())], &[]);
        let messages = [
            say::parse("", "SELECT md5($1::text), $1::text", &[]),
            bind,
            say::execute("", 0),
            say::sync(),
        ];
        let reply = client.ask(&messages).await;
        assert_eq!(sqlstate(&reply), "");
        let row = reply.iter().find(|frame| frame.tag == b'D').expect("a row").columns();
        assert_eq!(row[1].as_deref(), Some(text.as_bytes()), "{size} bytes come back");
    }
}

async fn a_small_reply_is_not_held_back(place: Place) {
    let stage = Stage::with(place, Setup::caching("disabled = true")).await;
    let mut client = stage.client().await;
    // 500 round trips: a Nagle or a coalescing timer of 40 ms would take 20 seconds.
    let started = tokio::time::Instant::now();
    for n in 0..500 {
        assert_eq!(client.value(&format!("SELECT {n}")).await, n.to_string());
    }
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "500 round trips took {:?}",
        started.elapsed()
    );
}

async fn a_goodbye_closes_the_connection_at_the_database(place: Place) {
    let stage =
        Stage::with(place, Setup { pool: "idle_timeout = 1".into(), ..Setup::pool_of(3) }).await;
    let mut client = stage.client().await;
    client.run("SELECT 1").await;
    client.close().await;
    let mut superuser = stage.superuser().await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
    let give_up = tokio::time::Instant::now() + Duration::from_secs(90);
    while superuser.value(open).await != "0" {
        assert!(tokio::time::Instant::now() < give_up, "the database still holds a connection");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn connections_that_a_tunnel_took_with_it_come_back_by_themselves(place: Place) {
    let setup = Setup { pool: "min_idle = 2".into(), ..Setup::pool_of(5) };
    let mut stage = Stage::with(place, setup).await;
    let mut superuser = stage.superuser().await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jumpgate/app'";
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    let mut reaches = async |wanted: fn(u32) -> bool| {
        while !wanted(superuser.value(open).await.parse().unwrap()) {
            assert!(tokio::time::Instant::now() < give_up, "the connections are not as wanted");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    reaches(|count| count >= 2).await;
    stage.jumpgate().kill_connector();
    reaches(|count| count == 0).await;
    stage.jumpgate().start_connector().expect("the connector registers again");
    reaches(|count| count >= 2).await;
}

async fn a_cancel_request_finds_a_stream_that_is_open(place: Place) {
    let setup = Setup { more: "[log]\nfilter = 'info,proxy=debug'".into(), ..Setup::pool_of(3) };
    let mut stage = Stage::with(place, setup).await;
    let mut client = stage.client().await;
    for _time in 0..2 {
        client.send(say::query("SELECT pg_sleep(60)")).await;
        // It is opened within a second of the loan.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut wire = Wire::open(stage.endpoint().address).await;
        wire.send(client.cancel_request()).await;
        assert_eq!(sqlstate(&client.until_ready().await), "57014");
    }
    // A client has its answer before its request is known to be over.
    let give_up = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let logs = stage.jumpgate().logs();
        if logs.matches("went out on the spare stream").count() == 2 {
            break;
        }
        assert!(tokio::time::Instant::now() < give_up, "{logs}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

e2e::scenarios! {
    everywhere: [
        megabytes_pass_both_ways_unchanged,
        a_small_reply_is_not_held_back,
    ],
    jumpgate: [
        a_goodbye_closes_the_connection_at_the_database,
    ],
    tunnel: [
        a_connector_killed_in_mid_query_is_replaced,
        an_edge_that_restarts_is_found_again,
        a_revoked_token_is_denied_and_the_session_goes_on,
        connections_that_a_tunnel_took_with_it_come_back_by_themselves,
        a_cancel_request_finds_a_stream_that_is_open,
    ],
}
