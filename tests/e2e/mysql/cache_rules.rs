//! What may be kept at all: reads that are sure to be the same again, and nothing else.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::capability,
        reply::{code, done, rows},
        say::{self, Execute},
        stage::{Place, Stage},
        wire::Wire,
    },
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
        "SELECT id FROM account UNION SELECT id FROM parent",
        "SELECT name FROM item WHERE id = 2 /* now() and rand() are only mentioned */ -- uuid()",
        "SELECT 'rand()', \"sysdate()\" FROM item WHERE id = 1",
        "SELECT name AS `now()` FROM item WHERE id = 1;",
        "SELECT name FROM item WHERE id = -5",
        "SELECT `name` FROM `app`.`item` WHERE id = 3",
        "SELECT name FROM other.thing",
        "SELECT id, row_number() OVER (ORDER BY price) FROM item WHERE id < 5",
        "SELECT CASE WHEN id > 2 THEN 'big' END, coalesce(note, ''), concat(name, '!') FROM item ORDER BY id LIMIT 4",
        "SELECT id FROM parent",
    ];
    for sql in sure {
        assert_eq!(second_status(&mut client, sql).await, "hit", "{sql}");
    }
    let statement = client.prepare("SELECT name FROM item WHERE id = ?").await;
    for _run in 0..2 {
        assert_eq!(client.executed_value(statement.id, &[7.into()]).await, "item 7");
    }
    assert_eq!(client.cache_status().await, "hit", "a binary reply");
    assert!(stage.metrics().await.queries("hit") >= 17.0);
    assert!(stage.metrics().await.sum("jumpgate_cache_entries", &[]) >= 17.0);
}

/// FAULTS §3: MariaDB goes into the schema of a view and back, and tells of it.
async fn a_view_of_another_schema_is_kept(place: Place) {
    let stage = Stage::open(place).await;
    let (mut root, mut client) = (stage.root().await, stage.client().await);
    for sql in [
        "CREATE DATABASE aside",
        "CREATE TABLE aside.part (id INT PRIMARY KEY, n INT)",
        "INSERT INTO aside.part VALUES (1, 1)",
        "CREATE SQL SECURITY INVOKER VIEW aside.parts AS SELECT id, n FROM aside.part",
        "GRANT ALL ON aside.* TO app@'%'",
    ] {
        root.run(sql).await;
    }
    client.run("CREATE TABLE beside (a INT)").await;
    let reads = [
        "SELECT n FROM aside.parts WHERE id = 1",
        "SELECT p.n FROM aside.parts p JOIN item i ON i.id = p.id WHERE p.id = 1",
    ];
    for sql in reads {
        let mut last = String::new();
        for _turn in 0..100 {
            last = second_status(&mut client, sql).await;
            if last == "hit" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert_eq!(last, "hit", "{sql}");
    }
    let mut writer = stage.client().await;
    writer.run("USE aside").await;
    writer.run("UPDATE part SET n = 2 WHERE id = 1").await;
    for sql in reads {
        assert_eq!(client.value(sql).await, "2", "{sql}");
    }
    assert_eq!(client.value("SELECT DATABASE()").await, "app");
}

async fn volatile_functions_are_never_kept(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let unsure = [
        "SELECT now()",
        "SELECT current_timestamp",
        "SELECT CURRENT_DATE, id FROM item WHERE id = 1",
        "SELECT sysdate() FROM item WHERE id = 1",
        "SELECT rand()",
        "SELECT id FROM item ORDER BY rand() LIMIT 1",
        "SELECT uuid()",
        "SELECT unix_timestamp() FROM item WHERE id = 1",
        "SELECT random_one() FROM item WHERE id = 1",
        "SELECT noted(1) FROM item WHERE id = 1",
        "SELECT * FROM clock",
        "SELECT id FROM item WHERE made < now() AND id = 1",
        "SELECT (SELECT random_one()) FROM item WHERE id = 1",
        "SELECT connection_id() FROM item WHERE id = 1",
        "SELECT last_insert_id() FROM item WHERE id = 1",
        "SELECT found_rows() FROM item WHERE id = 1",
        "SELECT user(), id FROM item WHERE id = 1",
        "SELECT sleep(0) FROM item WHERE id = 1",
        "SELECT benchmark(1, 1) FROM item WHERE id = 1",
        "SELECT is_free_lock('x') FROM item WHERE id = 1",
        "SELECT load_file('/etc/hostname') FROM item WHERE id = 1",
        // A table without transactions: what is written to it is seen before the commit.
        "SELECT id FROM legacy",
        // A time of day that becomes a date takes today's.
        "SELECT timestamp(maketime(1, 2, 3)) FROM item WHERE id = 1",
    ];
    for sql in unsure {
        let status = second_status(&mut client, sql).await;
        assert!(["volatile", "uncacheable"].contains(&status.as_str()), "{sql}: {status}");
    }
    assert_eq!(stage.metrics().await.queries("hit"), 0.0);
}

async fn what_is_not_a_plain_read_is_never_kept(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client_with(capability::MULTI_STATEMENTS).await;
    let others = [
        ("SELECT name FROM item WHERE id = 1 FOR UPDATE", ""),
        ("SELECT name FROM item WHERE id = 1 LOCK IN SHARE MODE", ""),
        ("SELECT SQL_CALC_FOUND_ROWS name FROM item LIMIT 1", ""),
        ("SELECT SQL_NO_CACHE name FROM item LIMIT 1", ""),
        ("SELECT table_rows FROM information_schema.tables WHERE table_name = 'item'", ""),
        ("SELECT user FROM mysql.user", ""),
        ("SELECT @x FROM item WHERE id = 1", ""),
        ("SELECT @@hostname FROM item WHERE id = 1", ""),
        ("SELECT current_role() FROM item WHERE id = 1", ""),
        ("SELECT current_user FROM item WHERE id = 1", ""),
        ("SELECT name INTO @y FROM item WHERE id = 1", ""),
        ("SELECT /*! rand() */ FROM item WHERE id = 1", ""),
        ("SELECT /*!40000 id, */ name FROM item WHERE id = 1", ""),
        ("SELECT 1; SELECT 2", "multiplestatements"),
        ("UPDATE account SET balance = balance", "notaquery"),
        ("SHOW TABLE STATUS", "notaquery"),
        ("SET time_zone = '+00:00'", "notaquery"),
        ("CALL two_sets()", "notaquery"),
        ("EXPLAIN SELECT 1", ""),
        ("SELEKT 1", "parseerror"),
        ("SELECT name FROM missing", ""),
        ("SELECT cast('abc' AS signed) FROM item WHERE id = 1", ""),
    ];
    for (sql, status) in others {
        let found = second_status(&mut client, sql).await;
        assert_ne!(found, "hit", "{sql}");
        assert!(status.is_empty() || found == status, "{sql}: {found}, not {status}");
    }
    if place.server == Server::MariaDb {
        for sql in
            ["SELECT nextval(ticket)", "SELECT next value for ticket", "SELECT * FROM ticket"]
        {
            assert_ne!(second_status(&mut client, sql).await, "hit", "{sql}");
        }
    }
}

async fn a_read_in_a_transaction_is_neither_kept_nor_served(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let sql = "SELECT balance FROM account WHERE id = 1";
    assert_eq!(client.value(sql).await, "100");
    for begin in ["BEGIN", "SET autocommit = 0"] {
        client.run(begin).await;
        client.run("UPDATE account SET balance = 5 WHERE id = 1").await;
        assert_eq!(client.value(sql).await, "5", "it sees its own write");
        assert_eq!(client.cache_status().await, "transaction");
        assert_eq!(other.value(sql).await, "100", "nobody else does");
        client.run("ROLLBACK").await;
        client.run("SET autocommit = 1").await;
        assert_eq!(client.value(sql).await, "100");
        assert_eq!(other.value(sql).await, "100");
    }
}

async fn repeatable_reads_are_repeatable(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut client, mut writer) = (stage.client().await, stage.client().await);
    let sql = "SELECT balance FROM account WHERE id = 1";
    client.run("START TRANSACTION WITH CONSISTENT SNAPSHOT").await;
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
    let renewing = format!("/* jumpgate: no-cache */ {sql}");
    assert_eq!(second_status(&mut other, sql).await, "hit");
    around.run("UPDATE account SET balance = 11 WHERE id = 1").await;
    assert_eq!(other.value(sql).await, "100", "it was kept");
    assert_eq!(client.value(&renewing).await, "11");
    assert_eq!(client.cache_status().await, "hint");
    assert_eq!(other.value(sql).await, "11", "kept for all");
    assert_eq!(other.cache_status().await, "hit");
    // Prepared statements have replies of their own.
    let plain = other.prepare(sql).await;
    assert_eq!(other.executed_value(plain.id, &[]).await, "11");
    around.run("UPDATE account SET balance = 12 WHERE id = 1").await;
    assert_eq!(other.executed_value(plain.id, &[]).await, "11");
    let renewing = client.prepare(&renewing).await;
    assert_eq!(client.executed_value(renewing.id, &[]).await, "12");
    assert_eq!(other.executed_value(plain.id, &[]).await, "12");
}

/// FAULTS §4: `SHOW JUMPGATE STATUS` was a syntax error in mysql2's `execute`, and its words hid "pinned".
async fn the_status_is_told_to_prepared_statements_too(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let sql = "SELECT name FROM item WHERE id = 3";
    let show = client.prepare("SHOW JUMPGATE STATUS;").await;
    assert_eq!(second_status(&mut client, sql).await, "hit");
    for _run in 0..2 {
        let reply = client.execute(show.id, &[]).await;
        let told = rows(&reply);
        assert_eq!(told, [[Some("cache_status".to_owned()), Some("hit".to_owned())]]);
    }
    client.run("SET @a = 1").await;
    assert_eq!(second_status(&mut client, sql).await, "pinned (user_variable)");
    let told = rows(&client.execute(show.id, &[]).await);
    assert_eq!(told[0][1].as_deref(), Some("pinned (user_variable)"));
    client.close_statement(show.id).await;
    assert_eq!(client.value(sql).await, "item 3");
}

async fn a_reply_over_the_limit_streams_and_is_forgotten(place: Place) {
    let setup = Setup { cache: "max_entry_bytes = 100000".into(), ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    let mut client = stage.client().await;
    for _run in 0..3 {
        assert_eq!(rows(&client.run("SELECT id, filler FROM wide ORDER BY id").await).len(), 3000);
        assert_eq!(client.cache_status().await, "oversizedresult");
    }
    let small = "SELECT id, filler FROM wide WHERE id < 50 ORDER BY id";
    assert_eq!(second_status(&mut client, small).await, "hit");
    assert!(stage.metrics().await.sum("jumpgate_cache_bytes", &[]) < 200_000.0);
}

async fn a_temporary_table_hides_a_kept_reply(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let sql = "SELECT name FROM item WHERE id = 1";
    for reader in [&mut client, &mut other] {
        assert_eq!(reader.value(sql).await, "item 1");
    }
    client.run("CREATE TEMPORARY TABLE item AS SELECT 1 AS id, 'mine' AS name").await;
    for _turn in 0..2 {
        assert_eq!(client.value(sql).await, "mine");
        assert_eq!(other.value(sql).await, "item 1");
    }
    client.run("DROP TEMPORARY TABLE item").await;
    assert_eq!(client.value(sql).await, "item 1");
}

async fn a_cursor_is_not_answered_with_the_whole(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    let statement = client.prepare("SELECT id FROM item ORDER BY id").await;
    assert_eq!(rows(&client.execute(statement.id, &[]).await).len(), 100);
    let how = Execute { cursor: true, ..Execute::default() };
    client.command(&say::execute(statement.id, how, &[])).await;
    client.packet().await;
    client.packet().await;
    assert_eq!(client.until_end().await.0.len(), 0, "the rows come with COM_STMT_FETCH");
    client.command(&say::fetch(statement.id, 7)).await;
    assert_eq!(client.until_end().await.0.len(), 7);
}

/// Also after a hit, SHOW WARNINGS is about it and not about what ran before.
async fn errors_and_warnings_are_not_kept(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    client.run("SET sql_mode = ''").await;
    let sql = "SELECT cast(name AS signed) FROM item WHERE id = 1";
    for _run in 0..3 {
        assert_eq!(done(&client.run(sql).await).warnings, 1, "a warning comes each time");
        assert_eq!(rows(&client.run("SHOW WARNINGS").await).len(), 1);
    }
    let sql = "SELECT (SELECT id FROM item WHERE price < balance - 98) FROM account WHERE id = 1";
    assert_eq!(code(&client.query(sql).await), 0);
    let mut direct = stage.direct().await;
    direct.run("UPDATE account SET balance = 110 WHERE id = 1").await;
    client.run("UPDATE item SET note = 'x' WHERE id = 1").await;
    assert_eq!(code(&client.query(sql).await), 1242);
    direct.run("UPDATE account SET balance = 100 WHERE id = 1").await;
    assert_eq!(code(&client.query(sql).await), 0, "the error was not kept");
}

e2e::mysql_scenarios! {
    jumpgate: [
        a_reply_over_the_limit_streams_and_is_forgotten,
    ],
    jumpgate_both: [
        a_view_of_another_schema_is_kept,
        sure_reads_are_kept,
        volatile_functions_are_never_kept,
        what_is_not_a_plain_read_is_never_kept,
    ],
    twice: [
        repeatable_reads_are_repeatable,
        errors_and_warnings_are_not_kept,
        a_cursor_is_not_answered_with_the_whole,
    ],
    jumpgate_twice: [
        a_read_in_a_transaction_is_neither_kept_nor_served,
        a_read_that_wants_what_the_origin_says_now_renews_what_is_kept,
        the_status_is_told_to_prepared_statements_too,
        a_temporary_table_hides_a_kept_reply,
    ],
}
