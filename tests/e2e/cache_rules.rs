//! What may be kept at all: reads that are sure to be the same again, and nothing else.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Wire, error, rows, say, sqlstate},
};

/// Runs a statement twice and says what the cache did with the second.
async fn second_status(client: &mut Wire, sql: &str) -> String {
    for _run in 0..2 {
        client.query(sql).await;
    }
    client.cache_status().await
}

async fn sure_reads_are_kept(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let sure = [
        "SELECT name FROM item WHERE id = 1",
        "SELECT count(*), sum(price) FROM item",
        "SELECT upper(name), add_one(id) FROM item WHERE id < 4",
        "SELECT * FROM cheap ORDER BY id",
        "WITH a AS (SELECT id FROM item) SELECT max(id) FROM a",
        "SELECT a.name FROM item a JOIN account b ON a.id = b.id ORDER BY 1",
        "VALUES (1), (2)",
        "TABLE account",
        "SELECT * FROM pairs()",
        "SELECT name FROM item WHERE id = 2 /* now() and random() are only mentioned */ -- nextval",
        "SELECT 'random()', $$clock_timestamp()$$ FROM item WHERE id = 1",
        "SELECT name AS \"now()\" FROM item WHERE id = 1;",
        "SELECT name FROM item WHERE id = -5",
    ];
    for sql in sure {
        assert_eq!(second_status(&mut client, sql).await, "hit", "{sql}");
    }
    assert!(stage.metrics().await.queries("hit") >= 13.0);
    assert!(stage.metrics().await.sum("jumpgate_cache_entries", &[]) >= 13.0);
}

async fn volatile_functions_and_the_clock_are_never_kept(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let unsure = [
        "SELECT now()",
        "SELECT current_timestamp",
        "SELECT current_date, id FROM item WHERE id = 1",
        "SELECT random()",
        "SELECT id FROM item ORDER BY random() LIMIT 1",
        "SELECT nextval('ticket')",
        "SELECT clock_timestamp()",
        "SELECT volatile_one()",
        "SELECT * FROM clock",
        "SELECT gen_random_uuid()",
        "SELECT id FROM item WHERE made < now() AND id = 1",
        "SELECT pg_backend_pid()",
        // A constant that a cast, implied or not, turns into the time: PostgreSQL accepts 'now()'::timestamp.
        "SELECT 'now()', $$random()$$ FROM item WHERE id = 1",
    ];
    for sql in unsure {
        assert_eq!(second_status(&mut client, sql).await, "volatile", "{sql}");
    }
    assert_eq!(stage.metrics().await.queries("hit"), 0.0);
}

async fn what_is_not_a_plain_read_is_never_kept(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let others = [
        ("SELECT name FROM item WHERE id = 1 FOR UPDATE", ""),
        ("SELECT name FROM item WHERE id = 1 FOR SHARE", ""),
        ("SELECT count(reltuples) FROM pg_class WHERE relname = 'item'", ""),
        ("SELECT rolname FROM pg_roles WHERE rolname = 'app'", ""),
        ("SELECT current_setting('in_hot_standby')", ""),
        (
            "WITH w AS (UPDATE account SET balance = balance RETURNING id) SELECT count(*) FROM w",
            "",
        ),
        ("SELECT 1; SELECT 2", "multiplestatements"),
        ("UPDATE account SET balance = balance", "notaquery"),
        ("SHOW TimeZone", "notaquery"),
        ("SET TimeZone = 'UTC'", "notaquery"),
        ("EXPLAIN SELECT 1", ""),
        ("COPY (SELECT 1) TO STDOUT", "notaquery"),
        ("SELEKT 1", "parseerror"),
        ("SELECT 1/0", ""),
        ("SELECT fail('x')", ""),
        ("SELECT name FROM missing", ""),
    ];
    for (sql, status) in others {
        let found = second_status(&mut client, sql).await;
        assert_ne!(found, "hit", "{sql}");
        assert!(status.is_empty() || found == status, "{sql}: {found}, not {status}");
    }
}

async fn a_read_in_a_transaction_is_neither_kept_nor_served(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let sql = "SELECT balance FROM account WHERE id = 1";
    assert_eq!(client.value(sql).await, "100");
    client.run("BEGIN").await;
    client.run("UPDATE account SET balance = 5 WHERE id = 1").await;
    assert_eq!(client.value(sql).await, "5", "it sees its own write");
    assert_eq!(client.cache_status().await, "transaction");
    assert_eq!(other.value(sql).await, "100", "nobody else does");
    client.run("ROLLBACK").await;
    assert_eq!(client.value(sql).await, "100");
    assert_eq!(other.value(sql).await, "100");
}

async fn repeatable_reads_are_repeatable(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut client, mut writer) = (stage.client().await, stage.client().await);
    let sql = "SELECT balance FROM account WHERE id = 1";
    client.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    assert_eq!(client.value(sql).await, "100");
    writer.run("UPDATE account SET balance = 6 WHERE id = 1").await;
    assert_eq!(writer.value(sql).await, "6");
    assert_eq!(client.value(sql).await, "100");
    client.run("COMMIT").await;
    assert_eq!(client.value(sql).await, "6");
}

/// FAULTS §4, a `no-cache` read does not replace the old entry.
async fn a_read_that_wants_what_the_origin_says_now_renews_what_is_kept(place: Place) {
    let stage = Stage::open(place).await;
    let (mut client, mut other, mut around) =
        (stage.client().await, stage.client().await, stage.direct().await);
    let sql = "SELECT balance FROM account WHERE id = 1";
    let change = |balance: u32| format!("UPDATE account SET balance = {balance} WHERE id = 1");
    assert_eq!(second_status(&mut other, sql).await, "hit");
    for (balance, renewed) in [
        (11, format!("/* jumpgate: no-cache */ {sql}")),
        (12, format!("{sql} /* jumpgate: no-cache */")),
        (13, format!("/* jumpgate: max_age=0, swr=0 */{sql}")),
    ] {
        around.run(&change(balance)).await;
        assert_ne!(other.value(sql).await, balance.to_string(), "it was kept");
        assert_eq!(client.value(&renewed).await, balance.to_string(), "{renewed}");
        assert_eq!(other.value(sql).await, balance.to_string(), "kept for all: {renewed}");
        assert_eq!(other.cache_status().await, "hit");
    }
    // The extended protocol keeps replies of its own.
    let ask = async |client: &mut Wire, sql: &str| {
        rows(&client.extended(sql, &[]).await)[0][0].clone().unwrap_or_default()
    };
    assert_eq!(ask(&mut other, sql).await, "13");
    around.run(&change(14)).await;
    assert_eq!(ask(&mut other, sql).await, "13");
    assert_eq!(ask(&mut client, &format!("/* jumpgate: no-cache */ {sql}")).await, "14");
    assert_eq!(client.cache_status().await, "hint");
    assert_eq!(ask(&mut other, sql).await, "14");
}

/// FAULTS §4: the words of `SHOW jumpgate.cache_status` hid "pinned" and "hint".
async fn the_status_says_why_a_session_that_keeps_its_backend_is_not_answered(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let sql = "SELECT name FROM item WHERE id = 3";
    client.run("LISTEN news").await;
    assert_eq!(second_status(&mut client, sql).await, "pinned (listen)");
    client.extended(sql, &[]).await;
    assert_eq!(client.cache_status().await, "pinned (listen)");
    assert_eq!(second_status(&mut client, "SELECT random()").await, "volatile");
    client.run("UNLISTEN *").await;
    // It is asked whether that was all.
    let mut last = String::new();
    for _turn in 0..50 {
        last = second_status(&mut client, sql).await;
        if last == "hit" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(last, "hit");
}

async fn a_reply_over_the_limit_streams_and_is_forgotten(place: Place) {
    let stage =
        Stage::with(place, Setup { cache: "max_entry_bytes = 100000".into(), ..Setup::default() })
            .await;
    let mut client = stage.client().await;
    for _run in 0..3 {
        let reply = client.run("SELECT id, filler FROM wide ORDER BY id").await;
        assert_eq!(rows(&reply).len(), 3000);
        assert_eq!(client.cache_status().await, "oversizedresult");
    }
    assert_eq!(
        second_status(&mut client, "SELECT id, filler FROM wide WHERE id < 50 ORDER BY id").await,
        "hit"
    );
    assert!(stage.metrics().await.sum("jumpgate_cache_bytes", &[]) < 200_000.0);
}

async fn a_temp_table_hides_a_kept_reply(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let sql = "SELECT name FROM item WHERE id = 1";
    for reader in [&mut client, &mut other] {
        assert_eq!(reader.value(sql).await, "item 1");
    }
    client.run("CREATE TEMP TABLE item AS SELECT 1 AS id, 'mine'::text AS name").await;
    for _turn in 0..2 {
        assert_eq!(client.value(sql).await, "mine");
        assert_eq!(other.value(sql).await, "item 1");
    }
    client.run("DROP TABLE pg_temp.item").await;
    assert_eq!(client.value(sql).await, "item 1");
}

async fn a_row_limit_or_a_portal_is_not_answered_with_the_whole(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let sql = "SELECT id FROM item ORDER BY id";
    assert_eq!(rows(&client.extended(sql, &[]).await).len(), 100);
    let open = [say::parse("", sql, &[]), say::bind("", "", &[], &[], &[])].concat();
    for limit in [1, 7, 100] {
        let reply = client.ask(&[open.clone(), say::execute("", limit), say::sync()]).await;
        assert_eq!(rows(&reply).len(), limit as usize);
        let complete = reply.iter().any(|frame| frame.tag == b'C');
        assert!(!complete, "a portal at its limit is suspended: {:?}", e2e::wire::tags(&reply));
    }
    assert_eq!(rows(&client.extended(sql, &[]).await).len(), 100);
}

async fn errors_and_notices_are_not_kept(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let sql = "SELECT 10 / (balance - 100) FROM account WHERE id = 1";
    assert_eq!(sqlstate(&client.query(sql).await), "22012");
    let mut direct = stage.direct().await;
    direct.run("UPDATE account SET balance = 110 WHERE id = 1").await;
    let reply = client.query(sql).await;
    assert_eq!(error(&reply), "", "the error was not kept");
    for _run in 0..2 {
        let reply = client.run("SELECT complain('x')").await;
        assert_eq!(
            reply.iter().filter(|frame| frame.tag == b'N').count(),
            2,
            "notices come each time"
        );
    }
}

/// FAULTS §4: `SHOW jumpgate.cache_status` was answered in the simple protocol only (42704 for asyncpg, postgres.js,
/// psycopg and named statements of node-postgres).
async fn the_status_is_told_in_the_extended_protocol_too(place: Place) {
    const SHOW: &str = "SHOW jumpgate.cache_status";
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    assert_eq!(second_status(&mut client, "SELECT name FROM item WHERE id = 2").await, "hit");
    let run = |name: &str| {
        [say::bind("", name, &[], &[], &[]), say::execute("", 0), say::sync()].concat()
    };
    let (parse, bind) = (say::parse("", SHOW, &[]), say::bind("", "", &[], &[], &[]));
    let portal = [bind, say::describe(b'P', ""), say::execute("", 0), say::sync()].concat();
    for (asks, tags) in [
        ([&parse[..], &portal].concat(), "12TDCZ"),
        ([&parse[..], &say::describe(b'S', ""), &run("")].concat(), "1tT2DCZ"),
    ] {
        let reply = client.ask(&[asks]).await;
        assert_eq!(e2e::wire::tags(&reply), tags, "{reply:?}");
        assert_eq!(rows(&reply), [[Some("hit".to_owned())]]);
    }
    // Prepared once and run later, as asyncpg does.
    let prepared = [say::parse("s", SHOW, &[]), say::describe(b'S', "s"), say::sync()].concat();
    assert_eq!(e2e::wire::tags(&client.ask(&[prepared]).await), "1tTZ");
    let reply = client.ask(&[run("s")]).await;
    assert_eq!(e2e::wire::tags(&reply), "2DCZ", "{reply:?}");
    assert_eq!(rows(&reply), [[Some("hit".to_owned())]]);
    // Prepared alone, as psycopg does with the sixth.
    let prepared = [say::parse("p", SHOW, &[]), say::sync()].concat();
    assert_eq!(e2e::wire::tags(&client.ask(&[prepared]).await), "1Z");
    let bound = [say::bind("", "p", &[], &[], &[]), say::describe(b'P', "")].concat();
    let reply = client.ask(&[[bound, say::execute("", 0), say::sync()].concat()]).await;
    assert_eq!(e2e::wire::tags(&reply), "2TDCZ", "{reply:?}");
    assert_eq!(rows(&reply), [[Some("hit".to_owned())]]);
    // In a transaction, which the database would end over it.
    client.run("BEGIN").await;
    client.value("SELECT name FROM item WHERE id = 2").await;
    for asks in [run("s"), [&parse[..], &portal].concat()] {
        let reply = client.ask(&[asks]).await;
        assert_eq!(rows(&reply), [[Some("transaction".to_owned())]], "{reply:?}");
        assert_eq!(reply.last().map(|ready| ready.body[0]), Some(b'T'), "it is still open");
        let sql = "SELECT name FROM item WHERE id = 2";
        assert_eq!(rows(&client.extended(sql, &[]).await).len(), 1);
    }
    client.run("COMMIT").await;
}

e2e::scenarios! {
    jumpgate: [
        volatile_functions_and_the_clock_are_never_kept,
        a_reply_over_the_limit_streams_and_is_forgotten,
    ],
    twice: [
        repeatable_reads_are_repeatable,
        errors_and_notices_are_not_kept,
        a_row_limit_or_a_portal_is_not_answered_with_the_whole,
    ],
    jumpgate_twice: [
        sure_reads_are_kept,
        what_is_not_a_plain_read_is_never_kept,
        a_read_in_a_transaction_is_neither_kept_nor_served,
        a_read_that_wants_what_the_origin_says_now_renews_what_is_kept,
        the_status_says_why_a_session_that_keeps_its_backend_is_not_answered,
        a_temp_table_hides_a_kept_reply,
        the_status_is_told_in_the_extended_protocol_too,
    ],
}
