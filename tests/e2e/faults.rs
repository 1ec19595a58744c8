//! Broken servers and networks: one error in the right place, and everybody else goes on.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Route, Stage, eventually, recovers},
    wire::{error, say},
};

const UNIQUE: &str = "/* jumpgate: no-cache */";

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

e2e::scenarios! {
    everywhere: [
        a_transaction_does_not_survive_its_connection,
    ],
    jumpgate: [
        a_terminated_idle_connection_is_not_handed_out,
        a_terminated_query_says_so_once,
    ],
}
