//! Cancel requests: they reach the query they were meant for, or nothing.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Wire, login::Binding, say, sqlstate},
};

/// Waits until the database runs a statement that contains `marker`.
async fn running(stage: &Stage, marker: &str) {
    running_at_once(stage, marker, 1).await;
}

/// Waits until the database runs so many. A cancel request that comes before its query reaches nothing.
async fn running_at_once(stage: &Stage, marker: &str, count: usize) {
    let mut superuser = stage.superuser().await;
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%{marker}%'"
    );
    while superuser.value(&sql).await.parse::<usize>().unwrap() < count {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn cancel(stage: &Stage, request: Vec<u8>) {
    let mut wire = Wire::open(stage.endpoint().address).await;
    wire.send(request).await;
    assert_eq!(wire.byte().await, None, "a cancel request is answered by closing");
}

async fn a_cancel_reaches_only_its_own_query(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.send(say::query("SELECT pg_sleep(60) /* of a */")).await;
    b.send(say::query("SELECT pg_sleep(1), 'b' /* of b */")).await;
    running(&stage, "of a").await;
    running(&stage, "of b").await;
    cancel(&stage, a.cancel_request()).await;
    assert_eq!(sqlstate(&a.until_ready().await), "57014");
    assert_eq!(sqlstate(&b.until_ready().await), "", "b runs to its end");
    assert_eq!(a.value("SELECT 'alive'").await, "alive");
}

async fn a_cancel_of_an_idle_client_harms_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("SELECT 1").await;
    b.send(say::query("SELECT pg_sleep(0.5) /* of b */")).await;
    running(&stage, "of b").await;
    for _time in 0..5 {
        cancel(&stage, a.cancel_request()).await;
    }
    assert_eq!(sqlstate(&b.until_ready().await), "", "the only backend serves b now");
}

async fn a_cancel_with_a_wrong_key_does_nothing(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut a = stage.client().await;
    a.send(say::query("SELECT pg_sleep(0.5) /* of a */")).await;
    running(&stage, "of a").await;
    let (pid, secret) = a.key.clone().unwrap();
    let wrong: Vec<u8> = secret.iter().map(|byte| !byte).collect();
    cancel(&stage, say::cancel(pid, &wrong)).await;
    cancel(&stage, say::cancel(pid.wrapping_add(1), &secret)).await;
    assert_eq!(sqlstate(&a.until_ready().await), "");
}

async fn a_long_key_of_protocol_3_2_cancels_too(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let endpoint = stage.endpoint();
    let mut a = Wire::open(endpoint.address).await;
    a.start(&endpoint, 0x0003_0002, &[]).await;
    a.authenticate(&endpoint, Binding::None).await.expect("a login");
    a.send(say::query("SELECT pg_sleep(60) /* of a */")).await;
    running(&stage, "of a").await;
    cancel(&stage, a.cancel_request()).await;
    assert_eq!(sqlstate(&a.until_ready().await), "57014");
}

async fn a_cancel_inside_tls_works(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut a = stage.client().await;
    a.send(say::query("SELECT pg_sleep(60) /* of a */")).await;
    running(&stage, "of a").await;
    let (mut wire, _) =
        Wire::open_tls(stage.endpoint().address, stage.authority.client_config(None)).await;
    wire.send(a.cancel_request()).await;
    assert_eq!(sqlstate(&a.until_ready().await), "57014");
}

async fn a_cancelled_transaction_goes_on_with_its_rollback(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("BEGIN").await;
    a.run("UPDATE account SET balance = 0 WHERE id = 1").await;
    a.send(say::query("SELECT pg_sleep(60) /* of a */")).await;
    running(&stage, "of a").await;
    cancel(&stage, a.cancel_request()).await;
    let reply = a.until_ready().await;
    assert_eq!(sqlstate(&reply), "57014");
    assert_eq!(reply.last().unwrap().body.as_ref(), b"E", "the transaction has failed");
    a.run("ROLLBACK").await;
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "100");
}

async fn many_cancels_at_once_are_survived(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let mut clients = Vec::new();
    for _client in 0..5 {
        let mut client = stage.client().await;
        client.send(say::query("SELECT pg_sleep(60) /* cancelled */")).await;
        clients.push(client);
    }
    running_at_once(&stage, "cancelled", 5).await;
    for client in &mut clients {
        let (key, address) = (client.cancel_request(), stage.endpoint().address);
        let mut storm = Vec::new();
        for _time in 0..10 {
            let mut wire = Wire::open(address).await;
            wire.send(&key).await;
            storm.push(wire);
        }
        assert_eq!(sqlstate(&client.until_ready().await), "57014");
        drop(storm);
    }
    eventually("all clients work on", async || {
        let mut fresh = stage.client().await;
        fresh.query("SELECT 1").await.iter().any(|frame| frame.tag == b'D')
    })
    .await;
}

async fn the_statement_limit_cancels_at_the_origin_and_says_so(place: Place) {
    let setup = Setup { pool: "statement_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let mut a = stage.client().await;
    let reply = a.query("SELECT pg_sleep(60)").await;
    assert_eq!(sqlstate(&reply), "57014", "{reply:?}");
    assert_eq!(a.value("SELECT 'alive'").await, "alive");
}

/// FAULTS §4: `statement_timeout` cut a COPY, CREATE INDEX or migration in the middle, and no user could be without it.
async fn the_statement_limit_is_not_for_copies_and_changes_of_the_schema(place: Place) {
    let setup = Setup { pool: "statement_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let mut a = stage.client().await;
    let slow = "SELECT 1 FROM generate_series(1, 15) g, LATERAL (SELECT pg_sleep(0.1), g) s";
    for sql in [format!("COPY ({slow}) TO STDOUT"), format!("CREATE TABLE slow AS {slow}")] {
        let reply = a.query(&sql).await;
        assert_eq!(sqlstate(&reply), "", "{sql}: {reply:?}");
        let reply = a.extended(&sql.replace("TABLE slow", "TABLE slower"), &[]).await;
        assert_eq!(sqlstate(&reply), "", "{sql}: {reply:?}");
    }
    // In the same transaction as one, too, it is for all others.
    a.run("BEGIN; CREATE TABLE another (a int)").await;
    assert_eq!(sqlstate(&a.query(slow).await), "57014");
    a.run("ROLLBACK").await;
    assert_eq!(sqlstate(&a.extended(slow, &[]).await), "57014");
}

e2e::scenarios! {
    everywhere: [
        a_cancel_reaches_only_its_own_query,
        a_cancel_of_an_idle_client_harms_nobody,
        a_cancel_with_a_wrong_key_does_nothing,
        a_long_key_of_protocol_3_2_cancels_too,
        a_cancel_inside_tls_works,
        a_cancelled_transaction_goes_on_with_its_rollback,
        many_cancels_at_once_are_survived,
    ],
    jumpgate: [
        the_statement_limit_cancels_at_the_origin_and_says_so,
        the_statement_limit_is_not_for_copies_and_changes_of_the_schema,
    ],
}
