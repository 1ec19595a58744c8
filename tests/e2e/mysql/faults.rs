//! Broken servers and networks: one error in the right place, and everybody else goes on.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        reply::{code, error, rows},
        stage::{Place, Stage, recovers},
        wire::Wire,
    },
    stage::{Route, eventually},
};

const UNIQUE: &str = "/* jumpgate: no-cache */";

async fn start(wire: &mut Wire, sql: &str) {
    let payload = wire.text_of(sql);
    wire.command(&payload).await;
}

/// The packets until an end of the reply or of the connection: the errors among them.
async fn errors(wire: &mut Wire) -> Vec<u16> {
    let mut errors = Vec::new();
    while let Some(packet) = wire.next().await {
        if packet.first() == Some(&0xff) {
            errors.push(u16::from_le_bytes([packet[1], packet[2]]));
            break;
        }
    }
    errors
}

async fn a_killed_database_ends_its_query_with_one_error(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut busy, mut idle) = (stage.client().await, stage.client().await);
    idle.run("SELECT 1").await;
    start(&mut busy, "SELECT sleep(60) /* busy */").await;
    eventually("the query runs", async || stage.mysql.executions("busy") == 1).await;
    stage.mysql.kill_9();
    assert_eq!(errors(&mut busy).await.len(), 1, "exactly one error");
    stage.mysql.restart().expect("the database starts again");
    recovers(&mut idle).await;
    recovers(&mut stage.client().await).await;
}

async fn a_login_needs_no_origin(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    stage.client().await.run("SELECT 1").await;
    stage.mysql.kill_9();
    let mut client = stage.client().await;
    let word =
        if place.route == Route::Tunnel { "origin_unreachable" } else { "connection_refused" };
    let wanted = format!("Server connection attempt failed: {word}");
    let mut text = error(&client.query(&format!("SELECT 2 {UNIQUE}")).await);
    // The pool may find its old connections dead first; the next statement needs a new one.
    if !text.contains("Server connection attempt failed") {
        text = error(&client.query(&format!("SELECT 2 {UNIQUE}")).await);
    }
    assert_eq!(text, wanted);
    stage.mysql.restart().expect("the database starts again");
    recovers(&mut client).await;
}

async fn an_ended_idle_connection_is_not_handed_out(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    client.run("SELECT 1").await;
    let mut root = stage.root().await;
    for _turn in 0..3 {
        let threads = "SELECT id FROM information_schema.processlist WHERE user = 'app'";
        for row in rows(&root.run(threads).await) {
            root.query(&format!("KILL {}", row[0].as_deref().unwrap())).await;
        }
        let gone = "SELECT count(*) FROM information_schema.processlist WHERE user = 'app'";
        eventually("they are gone", async || stage.root().await.value(gone).await == "0").await;
        if place.route == Route::Tunnel {
            // The news passes connector and edge; a query before it arrives is lost with its connection.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let reply = client.query(&format!("SELECT 2 {UNIQUE}")).await;
        assert_eq!(error(&reply), "", "the client notices nothing");
    }
}

async fn a_transaction_does_not_survive_its_connection(place: Place) {
    let setup = Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(2) };
    let stage = Stage::with(place, setup).await;
    let mut client = stage.client().await;
    client.run("BEGIN").await;
    client.run("UPDATE account SET balance = 0 WHERE id = 1").await;
    stage.relay.as_ref().expect("a relay").cut().await;
    let payload = [&[0x03][..], b"SELECT balance FROM account WHERE id = 1"].concat();
    let framed = [&[u8::try_from(payload.len()).unwrap(), 0, 0, 0][..], &payload].concat();
    client.command(b"").await;
    if client.try_send(framed).await {
        // Packets are only looked at for their kind: whether the session goes on is up to who notices the cut.
        let said = tokio::time::timeout(Duration::from_secs(5), client.bytes_until_closed()).await;
        if let Ok(said) = said {
            let text = String::from_utf8_lossy(&said);
            assert!(!text.contains("balance"), "no row of a lost transaction: {text}");
        }
    }
    let mut next = stage.client().await;
    recovers(&mut next).await;
    assert_eq!(next.value("SELECT balance FROM account WHERE id = 1").await, "100");
}

async fn a_cut_network_is_noticed_before_the_next_query(place: Place) {
    let setup = Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(3) };
    let stage = Stage::with(place, setup).await;
    let mut client = stage.client().await;
    for _turn in 0..3 {
        client.run(&format!("SELECT 1 {UNIQUE}")).await;
        stage.relay.as_ref().expect("a relay").cut().await;
        if place.route == Route::Tunnel {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(client.value(&format!("SELECT 2 {UNIQUE}")).await, "2", "nobody notices");
    }
}

async fn a_full_pool_says_so_and_the_session_goes_on(place: Place) {
    let setup = Setup { pool: "checkout_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let (mut holder, mut waiting) = (stage.client().await, stage.client().await);
    holder.run("BEGIN").await;
    holder.run("SELECT 1 FROM item").await;
    let reply = waiting.query(&format!("SELECT 1 {UNIQUE}")).await;
    assert_eq!(error(&reply), "Failed to acquire a connection from the pool.");
    assert_eq!(code(&reply), 1040);
    holder.run("COMMIT").await;
    assert_eq!(waiting.value(&format!("SELECT 2 {UNIQUE}")).await, "2");
    assert!(stage.metrics().await.sum("jumpgate_pool_checkout_seconds_count", &[]) >= 1.0);
}

async fn a_client_that_does_not_read_loses_its_backend(place: Place) {
    let setup = Setup { listen: "write_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let (mut slow, mut other) = (stage.client().await, stage.client().await);
    start(&mut slow, "SELECT repeat('x', 100000) FROM wide").await;
    slow.packet().await;
    recovers(&mut other).await;
}

async fn a_drain_lets_the_running_query_end(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut busy, idle) = (stage.client().await, stage.client().await);
    start(&mut busy, "SELECT sleep(1), 'done' /* busy */").await;
    eventually("the query runs", async || stage.mysql.executions("busy") == 1).await;
    stage.jumpgate().proxy().signal("TERM");
    assert_eq!(rows(&busy.reply(false).await)[0][1].as_deref(), Some("done"), "it ends well");
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

async fn a_lost_connector_is_named_and_its_return_found(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut busy, mut idle) = (stage.client().await, stage.client().await);
    idle.run("SELECT name FROM item WHERE id = 1").await;
    start(&mut busy, "SELECT sleep(60) /* busy */").await;
    eventually("the query runs", async || stage.mysql.executions("busy") == 1).await;
    stage.jumpgate().kill_connector();
    assert_eq!(errors(&mut busy).await.len(), 1, "the query ends with one error");
    let mut text = String::new();
    let wanted = "Server connection attempt failed: tunnel_unavailable";
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    while text != wanted {
        assert!(tokio::time::Instant::now() < give_up, "wanted `{wanted}`, got `{text}`");
        text = error(&idle.query(&format!("SELECT 1 {UNIQUE}")).await);
    }
    let cached = idle.value("SELECT name FROM item WHERE id = 1").await;
    assert_eq!(cached, "item 1", "what is cached is served without a tunnel");
    stage.jumpgate().start_connector().expect("the connector registers again");
    recovers(&mut idle).await;
}

e2e::mysql_scenarios! {
    everywhere: [
        a_transaction_does_not_survive_its_connection,
    ],
    jumpgate: [
        a_killed_database_ends_its_query_with_one_error,
        a_cut_network_is_noticed_before_the_next_query,
        a_client_that_does_not_read_loses_its_backend,
    ],
    jumpgate_twice: [
        a_login_needs_no_origin,
        an_ended_idle_connection_is_not_handed_out,
        a_full_pool_says_so_and_the_session_goes_on,
        a_drain_lets_the_running_query_end,
        a_reload_changes_new_connections_and_breaks_none,
    ],
}

mod through_the_tunnel {
    use e2e::{
        mysql::{
            Server,
            stage::{Place, run},
        },
        stage::Route,
    };

    #[test]
    fn a_lost_connector_is_named_and_its_return_found() {
        let place = Place { server: Server::MariaDb, route: Route::Tunnel };
        run(place, super::a_lost_connector_is_named_and_its_return_found);
    }
}
