//! tokio-postgres, unmodified: TLS with channel binding, cancel, pipelining, COPY, transactions, LISTEN, types.

use std::{sync::Arc, time::Duration};

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    tls::MakeConnect,
};
use futures_util::{SinkExt, StreamExt, TryStreamExt, future::try_join_all, pin_mut};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_postgres::{
    AsyncMessage, Client, Config, NoTls,
    config::{ChannelBinding, SslMode},
    error::SqlState,
    types::Type,
};

/// A connection; what it hears unasked goes to the receiver.
async fn connect(stage: &Stage, tasks: &mut JoinSet<()>) -> (Client, mpsc::Receiver<String>) {
    let (client, mut connection) = config(stage).connect(NoTls).await.expect("a connection");
    let (heard, notifications) = mpsc::channel(100);
    tasks.spawn(async move {
        let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message
                && heard.send(notification.payload().to_owned()).await.is_err()
            {
                return;
            }
        }
    });
    (client, notifications)
}

fn config(stage: &Stage) -> Config {
    stage.endpoint().url().parse().expect("a connection string")
}

async fn values_of_all_types_come_back(place: Place) {
    let stage = Stage::open(place).await;
    let mut tasks = JoinSet::new();
    let (client, _) = connect(&stage, &mut tasks).await;
    let sql = "SELECT $1::int4, $2::int8, $3::float8, $4::text, $5::bool, $6::bytea, $7::int4[], $8::text";
    for turn in 0..4 {
        let values: (i32, i64, f64) = (turn, 1 << 40, 0.1);
        let absent: Option<String> = None;
        let row = client
            .query_one(
                sql,
                &[
                    &values.0,
                    &values.1,
                    &values.2,
                    &"ü€",
                    &true,
                    &b"\0\xff".as_slice(),
                    &vec![1, 2],
                    &absent,
                ],
            )
            .await
            .expect("a row");
        assert_eq!((row.get::<_, i32>(0), row.get::<_, i64>(1), row.get::<_, f64>(2)), values);
        assert_eq!(
            (row.get::<_, &str>(3), row.get::<_, bool>(4), row.get::<_, &[u8]>(5)),
            ("ü€", true, &b"\0\xff"[..])
        );
        assert_eq!((row.get::<_, Vec<i32>>(6), row.get::<_, Option<&str>>(7)), (vec![1, 2], None));
    }
    let moods = client
        .query_one("SELECT 'happy'::mood, ROW(1, 'x')::pair IS NULL", &[])
        .await
        .expect("custom types");
    assert_eq!(moods.columns()[0].type_().name(), "mood");
}

async fn pipelined_queries_are_answered_each(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut tasks = JoinSet::new();
    let (client, _) = connect(&stage, &mut tasks).await;
    let statement = client.prepare("SELECT $1::int4 * 2").await.expect("a statement");
    let queries = (0..500).map(|n: i32| {
        let (client, statement) = (&client, &statement);
        async move { client.query_one(statement, &[&n]).await.map(|row| (n, row.get::<_, i32>(0))) }
    });
    for (n, doubled) in try_join_all(queries).await.expect("all are answered") {
        assert_eq!(doubled, n * 2);
    }
    // Much in both directions at once: neither side may stop reading because it cannot write.
    let large = "x".repeat(300_000);
    let queries = (0..30).map(|_| {
        client.query_one(
            "SELECT $1::text",
            std::slice::from_ref(&large).iter().map(|text| text as _).collect::<Vec<_>>().leak(),
        )
    });
    for row in try_join_all(queries).await.expect("all are answered") {
        assert_eq!(row.get::<_, &str>(0).len(), large.len());
    }
}

/// Its driver asks for the description of the statement behind the Bind.
async fn a_typed_query_is_answered_from_the_cache(place: Place) {
    let stage = Stage::open(place).await;
    let mut tasks = JoinSet::new();
    let (client, _) = connect(&stage, &mut tasks).await;
    for _ in 0..3 {
        let rows = client
            .query_typed("SELECT balance, id FROM account WHERE id = $1", &[(&1_i32, Type::INT4)])
            .await
            .expect("a row");
        assert_eq!(rows[0].get::<_, i32>("id"), 1);
        assert_eq!(rows[0].columns()[0].name(), "balance");
    }
    if !stage.is_direct() {
        assert!(stage.metrics().await.queries("hit") >= 2.0);
    }
}

async fn transactions_commit_and_roll_back(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut tasks = JoinSet::new();
    let (mut client, _) = connect(&stage, &mut tasks).await;
    let (other, _) = connect(&stage, &mut tasks).await;
    let balance = "SELECT balance FROM account WHERE id = 1";
    let transaction = client.transaction().await.expect("BEGIN");
    transaction
        .execute("UPDATE account SET balance = $1 WHERE id = 1", &[&1])
        .await
        .expect("an update");
    assert_eq!(other.query_one(balance, &[]).await.unwrap().get::<_, i32>(0), 100);
    transaction.commit().await.expect("COMMIT");
    assert_eq!(other.query_one(balance, &[]).await.unwrap().get::<_, i32>(0), 1);
    let mut transaction = client.transaction().await.expect("BEGIN");
    transaction
        .execute("UPDATE account SET balance = 2 WHERE id = 1", &[])
        .await
        .expect("an update");
    let savepoint = transaction.savepoint("nested").await.expect("a savepoint");
    let failed = savepoint.execute("SELECT 1/0", &[]).await.expect_err("an error");
    assert_eq!(failed.code(), Some(&SqlState::DIVISION_BY_ZERO));
    savepoint.rollback().await.expect("ROLLBACK TO");
    assert_eq!(transaction.query_one(balance, &[]).await.unwrap().get::<_, i32>(0), 2);
    drop(transaction);
    assert_eq!(client.query_one(balance, &[]).await.unwrap().get::<_, i32>(0), 1);
}

async fn portals_of_a_transaction_give_their_rows_in_pieces(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut tasks = JoinSet::new();
    let (mut client, _) = connect(&stage, &mut tasks).await;
    let transaction = client.transaction().await.expect("BEGIN");
    let portal = transaction.bind("SELECT id FROM item ORDER BY id", &[]).await.expect("a portal");
    let mut counts = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 30).await.expect("rows");
        counts.push(rows.len());
        if rows.len() < 30 {
            break;
        }
    }
    assert_eq!(counts, [30, 30, 30, 10]);
    transaction.commit().await.expect("COMMIT");
}

async fn copy_works_both_ways(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut tasks = JoinSet::new();
    let (client, _) = connect(&stage, &mut tasks).await;
    let sink = client.copy_in::<_, bytes::Bytes>("COPY account FROM STDIN").await.expect("COPY");
    pin_mut!(sink);
    for id in 1000..3000 {
        sink.send(format!("{id}\t{id}\n").into()).await.expect("a row");
    }
    assert_eq!(sink.finish().await.expect("the end"), 2000);
    let stream = client
        .copy_out("COPY (SELECT id FROM account WHERE id >= 1000) TO STDOUT")
        .await
        .expect("COPY");
    let lines: Vec<bytes::Bytes> = stream.try_collect().await.expect("rows");
    assert_eq!(lines.len(), 2000);
    // Dropped before its end: aborted.
    drop(client.copy_in::<_, bytes::Bytes>("COPY account FROM STDIN").await.expect("COPY"));
    let count = client.query_one("SELECT count(*) FROM account", &[]).await.expect("a count");
    assert_eq!(count.get::<_, i64>(0), 2002);
}

async fn notifications_arrive(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut tasks = JoinSet::new();
    let (listener, mut notifications) = connect(&stage, &mut tasks).await;
    let (speaker, _) = connect(&stage, &mut tasks).await;
    listener.batch_execute("LISTEN news").await.expect("LISTEN");
    for n in 0..5 {
        speaker
            .execute("SELECT pg_notify('news', $1)", &[&n.to_string()])
            .await
            .expect("a notification");
        let heard = tokio::time::timeout(Duration::from_secs(30), notifications.recv())
            .await
            .expect("it arrives");
        assert_eq!(heard, Some(n.to_string()));
    }
}

async fn a_cancel_token_cancels(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut tasks = JoinSet::new();
    let (client, _) = connect(&stage, &mut tasks).await;
    let token = client.cancel_token();
    let (slept, ()) = tokio::join!(client.batch_execute("SELECT pg_sleep(60)"), async {
        while stage.postgres.executions("pg_sleep(60)") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        token.cancel_query(NoTls).await.expect("a cancel request");
    });
    assert_eq!(slept.expect_err("cancelled").code(), Some(&SqlState::QUERY_CANCELED));
    assert_eq!(client.query_one("SELECT 1", &[]).await.expect("alive").get::<_, i32>(0), 1);
}

async fn tls_is_bound_to_its_channel(place: Place) {
    let stage = Stage::open(place).await;
    let mut tasks = JoinSet::new();
    let mut config = config(&stage);
    config.ssl_mode(SslMode::Require).channel_binding(ChannelBinding::Require);
    let tls = MakeConnect(Arc::clone(&stage.authority.client_config(None)));
    let (client, connection) = config.connect(tls.clone()).await.expect("a TLS connection");
    tasks.spawn(async move {
        connection.await.expect("the connection ends well");
    });
    let rows =
        client.query("SELECT filler FROM wide ORDER BY id", &[]).await.expect("3 MB inside TLS");
    assert_eq!(rows.len(), 3000);
    let token = client.cancel_token();
    let (slept, cancelled) = tokio::join!(client.batch_execute("SELECT pg_sleep(60)"), async {
        while stage.postgres.executions("pg_sleep(60)") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        token.cancel_query(tls).await
    });
    cancelled.expect("a cancel request inside TLS");
    assert_eq!(slept.expect_err("cancelled").code(), Some(&SqlState::QUERY_CANCELED));
}

async fn dropped_statements_are_closed_and_their_names_free(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut tasks = JoinSet::new();
    let (client, _) = connect(&stage, &mut tasks).await;
    for n in 0..300_i32 {
        let statement =
            client.prepare(&format!("SELECT {n} + $1::int4")).await.expect("a statement");
        assert_eq!(
            client.query_one(&statement, &[&1]).await.expect("a row").get::<_, i32>(0),
            n + 1
        );
    }
}

e2e::scenarios! {
    everywhere: [
        values_of_all_types_come_back,
        pipelined_queries_are_answered_each,
        a_typed_query_is_answered_from_the_cache,
        transactions_commit_and_roll_back,
        portals_of_a_transaction_give_their_rows_in_pieces,
        copy_works_both_ways,
        notifications_arrive,
        a_cancel_token_cancels,
        tls_is_bound_to_its_channel,
        dropped_statements_are_closed_and_their_names_free,
    ],
}
