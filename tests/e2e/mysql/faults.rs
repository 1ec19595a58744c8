//! Broken servers and networks: one error in the right place, and everybody else goes on.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        reply::{error, rows},
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
    jumpgate_twice: [
        an_ended_idle_connection_is_not_handed_out,
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
