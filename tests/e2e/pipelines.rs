//! Pipelines, COPY and clients that leave: replies stay in order, and a backend is never handed on dirty.

use e2e::{
    jumpgate::Setup,
    stage::{Place, SERVING_PROCESS, Stage, Version, eventually},
    wire::{Wire, error, rows, say, sqlstate, tags},
};

fn run(sql: &str) -> Vec<u8> {
    [say::parse("", sql, &[]), say::bind("", "", &[], &[], &[]), say::execute("", 0)].concat()
}

async fn an_open_transaction_keeps_its_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("BEGIN").await;
    let pid = a.value(SERVING_PROCESS).await;
    for _turn in 0..5 {
        assert_ne!(b.value(SERVING_PROCESS).await, pid);
        assert_eq!(a.value(SERVING_PROCESS).await, pid);
    }
    a.run("COMMIT").await;
}

async fn many_syncs_in_flight_are_answered_in_order(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for client in [&mut a, &mut b] {
        let messages: Vec<u8> =
            (0..100).flat_map(|n| [run(&format!("SELECT {n}")), say::sync()].concat()).collect();
        client.send(messages).await;
    }
    for client in [&mut a, &mut b] {
        for n in 0..100 {
            let reply = client.until_ready().await;
            assert_eq!(rows(&reply), [[Some(n.to_string())]]);
        }
    }
}

async fn transactions_in_flight_stay_in_order(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let transaction = |id: u32| {
        let add = run(&format!("UPDATE account SET balance = balance + {id} WHERE id = {id}"));
        [run("BEGIN"), add, say::sync(), run("COMMIT"), say::sync()].concat()
    };
    a.send(transaction(1).repeat(20)).await;
    b.send(transaction(2).repeat(20)).await;
    for client in [&mut a, &mut b] {
        for _transaction in 0..20 {
            let (open, closed) = (client.until_ready().await, client.until_ready().await);
            assert_eq!((tags(&open).as_str(), tags(&closed).as_str()), ("12C12CZ", "12CZ"));
            assert_eq!(open.last().unwrap().body.as_ref(), b"T");
            assert_eq!(closed.last().unwrap().body.as_ref(), b"I");
        }
    }
    assert_eq!(
        a.value("SELECT string_agg(balance::text, ',' ORDER BY id) FROM account").await,
        "120,140"
    );
}

async fn an_error_in_a_pipeline_skips_to_its_sync_only(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let broken = [
        run("SELECT 1"),
        run("SELECT 1/0"),
        run("SELECT 3"),
        say::sync(),
        run("SELECT 4"),
        say::sync(),
    ];
    for _turn in 0..3 {
        a.send(broken.concat()).await;
        b.send([run("SELECT 5"), say::sync()].concat()).await;
        assert_eq!(tags(&a.until_ready().await), "12DC1EZ");
        assert_eq!(rows(&a.until_ready().await), [[Some("4".to_owned())]]);
        assert_eq!(rows(&b.until_ready().await), [[Some("5".to_owned())]]);
    }
}

async fn flush_without_sync_keeps_the_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.send([run("UPDATE account SET balance = 1 WHERE id = 1"), say::flush()].concat()).await;
    a.until(b'C').await;
    // Behind jumpgate b waits for the only backend; direct, it reads beside a. Neither sees a's open write.
    b.send(say::query("SELECT balance FROM account WHERE id = 1")).await;
    let reply = a.ask(&[run("SELECT 1/0"), say::sync()]).await;
    assert_eq!(sqlstate(&reply), "22012");
    assert_eq!(rows(&b.until_ready().await), [[Some("100".to_owned())]]);
}

/// FAULTS §3, "an error in an extended batch is told only at Sync or Flush": the server flushes an error as soon as it has
/// it (`send_message_to_frontend` in elog.c), and with it what it said before.
async fn an_error_is_told_before_any_sync(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let parse = |sql: &str| say::parse("", sql, &[]);
    let bind =
        |statement: &str, values: &[Option<&[u8]>]| say::bind("", statement, &[], values, &[]);
    let wrong = |sql: &str, value: &[u8]| [parse(sql), bind("", &[Some(value)])].concat();
    let table: [(Vec<u8>, &str, &str); 10] = [
        (parse("selec 1"), "E", "42601"),
        (parse("SELECT * FROM no_such_table"), "E", "42P01"),
        (bind("nosuch", &[]), "E", "26000"),
        (say::describe(b'S', "nosuch"), "E", "26000"),
        (say::describe(b'P', "nosuch"), "E", "34000"),
        (say::execute("nosuch", 0), "E", "34000"),
        ([parse("SELECT 1"), bind("nosuch", &[])].concat(), "1E", "26000"),
        (wrong("SELECT $1::int", b"x"), "1E", "22P02"),
        (run("INSERT INTO account VALUES (1, 1)"), "12E", "23505"),
        ([run("SELECT 7"), parse("selec 1"), run("SELECT 8")].concat(), "12DCE", "42601"),
    ];
    for begin in ["", "BEGIN", "LISTEN news"] {
        for (messages, expected, code) in &table {
            let mut client = stage.client().await;
            client.run(begin).await;
            client.send(messages).await;
            let told = client.until(b'E').await;
            assert_eq!((tags(&told).as_str(), sqlstate(&told).as_str()), (*expected, *code));
            // What is behind it is skipped, up to the Sync.
            client.send(run("SELECT 9")).await;
            assert_eq!(tags(&client.ask(&[say::sync()]).await), "Z", "{begin} {code}");
            client.run(if begin == "BEGIN" { "ROLLBACK" } else { "SELECT 1" }).await;
            client.close().await;
        }
    }
}

/// As FAULTS §2: the server rolls back what its client has not ended.
async fn what_no_sync_has_ended_is_rolled_back_when_its_client_leaves(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let update = || run("UPDATE account SET balance = 7 WHERE id = 1");
    for says_goodbye in [false, true] {
        let (mut a, mut b) = (stage.client().await, stage.client().await);
        a.send([update(), say::flush()].concat()).await;
        a.until(b'C').await;
        if says_goodbye {
            a.close().await;
        } else {
            drop(a);
        }
        // It waits until the row is free.
        let update = "UPDATE account SET balance = balance + 1 WHERE id = 1 RETURNING balance";
        assert_eq!(b.value(update).await, "101");
        b.run("UPDATE account SET balance = 100 WHERE id = 1").await;
    }
}

/// What no Sync has ended is a transaction, and ends as an idle one does.
async fn a_pipeline_without_a_sync_is_an_idle_transaction(place: Place) {
    let pool = "idle_in_transaction_timeout = 1".to_owned();
    let stage = Stage::with(place, Setup { pool, ..Setup::pool_of(1) }).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.send(run("UPDATE account SET balance = 1 WHERE id = 1")).await;
    let told = a.until_closed().await;
    assert_eq!((tags(&told).as_str(), sqlstate(&told).as_str()), ("12CE", "25P03"));
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "100");
}

async fn a_portal_keeps_its_backend_across_syncs(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("BEGIN").await;
    let open =
        [say::parse("", "SELECT id FROM item ORDER BY id", &[]), say::bind("p", "", &[], &[], &[])]
            .concat();
    assert_eq!(tags(&a.ask(&[open, say::execute("p", 2), say::sync()]).await), "12DsZ");
    for next in [3, 5, 7] {
        b.run("SELECT 1").await;
        let reply = a.ask(&[say::execute("p", 2), say::sync()]).await;
        assert_eq!(rows(&reply), [[Some(next.to_string())], [Some((next + 1).to_string())]]);
    }
    a.run("COMMIT").await;
}

async fn a_simple_query_before_the_sync_of_an_extended_one_stays_in_order(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.send([run("UPDATE account SET balance = 7 WHERE id = 1"), say::query("SELECT 1")].concat())
        .await;
    assert_eq!(tags(&a.until_ready().await), "12CTDCZ");
    // The server keeps the implicit transaction open (xact.c, XACT_FLAGS_PIPELINING) until Sync.
    assert_eq!(tags(&a.ask(&[say::sync()]).await), "Z");
    if place.version == Version::Eighteen {
        // 18.4 is confused from here on ("StartTransactionCommand: unexpected state STARTED"): only b must be well.
        drop(a);
        assert_eq!(b.value("SELECT 'served'").await, "served");
        return;
    }
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "7");
}

async fn data_after_a_failed_copy_is_thrown_away(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for _turn in 0..3 {
        a.send(say::query("COPY account FROM STDIN")).await;
        a.until(b'G').await;
        a.send(say::copy_data("not a number\tx\n")).await;
        for n in 0..200 {
            a.send(say::copy_data(&format!("{n}\t{}\n", "1".repeat(1000)))).await;
        }
        a.send(say::copy_done()).await;
        assert_eq!(sqlstate(&a.until_ready().await), "22P02");
        assert_eq!(b.value("SELECT count(*) FROM account").await, "2");
        assert_eq!(a.value("SELECT 1").await, "1");
    }
}

async fn a_client_that_leaves_in_the_middle_of_copy_stores_nothing(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut a = stage.client().await;
    a.send(say::query("COPY account FROM STDIN")).await;
    a.until(b'G').await;
    a.send([say::copy_data("10\t1\n"), say::copy_data("11\t1\n")].concat()).await;
    drop(a);
    let mut b = stage.client().await;
    assert_eq!(b.value("SELECT count(*) FROM account").await, "2");
}

async fn a_client_that_leaves_in_a_transaction_leaves_no_lock(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut a = stage.client().await;
    a.run("BEGIN").await;
    a.run("SET LOCAL TimeZone = 'Asia/Tokyo'").await;
    a.run("UPDATE account SET balance = 0 WHERE id = 1").await;
    drop(a);
    let mut b = stage.client().await;
    let reply =
        b.run("UPDATE account SET balance = balance + 1 WHERE id = 1 RETURNING balance").await;
    assert_eq!(rows(&reply), [[Some("101".to_owned())]]);
    assert_eq!(reply.last().unwrap().body.as_ref(), b"I", "b is in no transaction");
    assert_eq!(b.value("SHOW TimeZone").await, "UTC");
}

async fn half_a_message_reaches_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for cut in [1, 4, 5, 20] {
        let mut a = stage.client().await;
        a.run("BEGIN").await;
        let message = say::query("UPDATE account SET balance = 0 WHERE id = 1; COMMIT");
        a.send(message.get(..cut).unwrap()).await;
        drop(a);
        let mut b = stage.client().await;
        assert_eq!(b.value("SELECT balance FROM account WHERE id = 1").await, "100");
        assert_eq!(b.value("SELECT 'clean'").await, "clean");
    }
}

async fn a_client_that_leaves_unread_replies_harms_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for _turn in 0..3 {
        let mut a = stage.client().await;
        a.send(say::query("SELECT filler FROM wide ORDER BY id")).await;
        a.frame().await;
        drop(a);
        let mut b = stage.client().await;
        assert_eq!(b.value("SELECT 'clean'").await, "clean");
    }
}

async fn a_goodbye_in_a_pipeline_is_obeyed_after_what_came_before(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut a = stage.client().await;
    a.send([say::query("UPDATE account SET balance = 42 WHERE id = 2"), say::terminate()].concat())
        .await;
    a.until_closed().await;
    let mut b = stage.client().await;
    assert_eq!(b.value("SELECT balance FROM account WHERE id = 2").await, "42");
}

async fn many_clients_share_few_backends(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut superuser = stage.superuser().await;
    let mut clients: Vec<Wire> = Vec::new();
    for _client in 0..30 {
        clients.push(stage.client().await);
    }
    for client in &mut clients {
        client.send(say::query("SELECT pg_sleep(0.02), pg_backend_pid()")).await;
    }
    let own = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND backend_type = 'client backend'";
    let busy: u32 = superuser.value(own).await.parse().unwrap();
    for client in &mut clients {
        assert_eq!(error(&client.until_ready().await), "");
    }
    if !stage.is_direct() {
        assert!(busy <= 3, "{busy} origin connections with a limit of 3");
        let metrics = stage.metrics().await;
        assert_eq!(metrics.sum("jumpgate_client_connections", &[]), 30.0);
        assert_eq!(metrics.sum("jumpgate_pool_max_size", &[]), 3.0);
        drop(clients);
        let gone = async || stage.metrics().await.sum("jumpgate_client_connections", &[]) == 0.0;
        eventually("the gauge of clients is back at 0", gone).await;
    }
}

/// Found by random scripts: a portal whose Bind was skipped is not there, whatever it would run.
async fn what_an_error_skipped_is_not_bound(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    other.run("CREATE SEQUENCE drawn").await;
    other.query("SELECT lastval()").await;
    other.run("SELECT nextval('drawn')").await;
    drop(other);
    client.run("BEGIN; SELECT 1").await;
    let twice = [run("selekt"), say::sync(), say::execute("", 0), say::sync()].concat();
    client.send(twice).await;
    for code in ["42601", "34000"] {
        assert_eq!(sqlstate(&client.until_ready().await), code);
    }
}

/// Found by random scripts: behind what ends a failed block, in one write with it, all is as outside of one.
async fn behind_the_end_of_a_failed_block_a_name_is_taken(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    for end in ["COMMIT", "ROLLBACK", "ROLLBACK TO s"] {
        let name = end.to_lowercase();
        client.ask(&[say::parse(&name, "SELECT 1", &[]), say::sync()]).await;
        // So that the client's backend, if it has one, is another one now, which lacks it.
        other.hold_a_backend().await;
        other.run("SELECT 1").await;
        client.run("BEGIN; SAVEPOINT s").await;
        client.query("SELECT 1/0").await;
        let behind = [run(end), say::parse(&name, "SELECT 2", &[]), say::sync()];
        let told = client.ask(&behind).await;
        assert_eq!((tags(&told).as_str(), sqlstate(&told).as_str()), ("12CEZ", "42P05"), "{end}");
        client.query("ROLLBACK").await;
        other.run("COMMIT").await;
    }
}

/// Each statement of a pipeline is counted as itself, and an error as that of the one that failed.
async fn statements_in_a_pipeline_are_counted_one_by_one(place: Place) {
    let mut stage = Stage::with(place, Setup::default()).await;
    let mut client = stage.client().await;
    let add = "INSERT INTO account VALUES ($1::int, 1)";
    let prepared = |id: &str| {
        [say::bind("", "add", &[], &[Some(id.as_bytes())], &[]), say::execute("", 0)].concat()
    };
    let messages = [
        say::parse("add", add, &[]),
        prepared("71"),
        prepared("72"),
        run("SELECT pg_sleep(0.05)"),
        say::sync(),
        // Twice the same key, and what is behind it does not run.
        prepared("71"),
        run("SELECT 'behind'"),
        say::sync(),
    ];
    client.send(messages.concat()).await;
    assert_eq!(tags(&client.until_ready().await), "12C2C12DCZ");
    assert_eq!(tags(&client.until_ready().await), "2EZ");
    let admin = stage.jumpgate().admin();
    let (_, text) = e2e::metrics::get(admin, "/activity?database=app").await.expect("the page");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let all = told["databases"][0]["statements"].as_array().cloned().unwrap_or_default();
    let find = |text: &str| {
        all.iter().find(|it| it["text"] == text).cloned().unwrap_or_else(|| panic!("{all:#?}"))
    };
    let count = |it: &serde_json::Value| -> u64 {
        let queries = it["queries"].as_object().into_iter().flatten();
        queries.filter_map(|(_, count)| count.as_u64()).sum()
    };
    let timed = |it: &serde_json::Value| -> u64 {
        it["uncached"].as_array().into_iter().flatten().filter_map(|it| it.as_u64()).sum()
    };
    let add = find("INSERT INTO account VALUES ($1::int, ?)");
    assert_eq!((count(&add), &add["errors"], timed(&add)), (3, &1.into(), 3), "{add}");
    let slept = find("SELECT pg_sleep(?)");
    assert_eq!((count(&slept), &slept["errors"], timed(&slept)), (1, &0.into(), 1), "{slept}");
    assert!(slept["uncached_micros"].as_u64() >= Some(50_000), "{slept}");
    assert!(!text.contains("behind"), "{text}");
}

e2e::scenarios! {
    everywhere: [
        what_an_error_skipped_is_not_bound,
        behind_the_end_of_a_failed_block_a_name_is_taken,
        an_open_transaction_keeps_its_backend,
        many_syncs_in_flight_are_answered_in_order,
        transactions_in_flight_stay_in_order,
        an_error_in_a_pipeline_skips_to_its_sync_only,
        flush_without_sync_keeps_the_backend,
        an_error_is_told_before_any_sync,
        what_no_sync_has_ended_is_rolled_back_when_its_client_leaves,
        a_portal_keeps_its_backend_across_syncs,
        a_simple_query_before_the_sync_of_an_extended_one_stays_in_order,
        data_after_a_failed_copy_is_thrown_away,
        a_client_that_leaves_in_the_middle_of_copy_stores_nothing,
        a_client_that_leaves_in_a_transaction_leaves_no_lock,
        half_a_message_reaches_nobody,
        a_client_that_leaves_unread_replies_harms_nobody,
        a_goodbye_in_a_pipeline_is_obeyed_after_what_came_before,
        many_clients_share_few_backends,
    ],
    jumpgate: [
        a_pipeline_without_a_sync_is_an_idle_transaction,
        statements_in_a_pipeline_are_counted_one_by_one,
    ],
}
