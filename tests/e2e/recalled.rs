//! What statements are, told again without the database: the same bytes, and never more than the database would have said to
//! whoever prepared the statement before the schema changed.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Frame, Wire, error, rows, say, sqlstate, tags},
};

const CHANGED: &str = "cached plan must not change result type";

/// How many descriptions were not asked for.
async fn spared(stage: &Stage) -> f64 {
    stage.metrics().await.saved("describe")
}

async fn prepare(client: &mut Wire, name: &str, sql: &str, types: &[u32]) -> Vec<Frame> {
    let messages = [say::parse(name, sql, types), say::describe(b'S', name), say::sync()];
    client.ask(&messages).await
}

async fn run(client: &mut Wire, name: &str, values: &[&str]) -> Vec<Frame> {
    let values: Vec<_> = values.iter().map(|value| Some(value.as_bytes())).collect();
    let bind = say::bind("", name, &[], &values, &[]);
    client.ask(&[bind, say::execute("", 0), say::sync()]).await
}

/// Prepares it where nobody has heard of it, so that the next one is told what this one was.
async fn teach(stage: &Stage, sql: &str) {
    let mut teacher = stage.client().await;
    let reply = prepare(&mut teacher, "teacher", sql, &[]).await;
    assert!(tags(&reply) == "1tTZ" || tags(&reply) == "1tnZ", "{sql}: {reply:?}");
}

/// A client that was told what a statement is without its backend being asked.
async fn told(stage: &Stage, name: &str, sql: &str) -> Wire {
    let mut client = stage.client().await;
    let before = spared(stage).await;
    let reply = prepare(&mut client, name, sql, &[]).await;
    assert_eq!(error(&reply), "", "{sql}");
    assert_eq!(spared(stage).await, before + 1.0, "{sql}");
    client
}

async fn the_second_client_is_told_the_same_and_asks_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut direct, mut first) = (stage.direct().await, stage.client().await);
    let mut second = stage.client().await;
    for (at, (sql, types, values)) in [
        ("SELECT * FROM item WHERE id = $1", &[][..], &["1"][..]),
        ("SELECT name, price::float8 FROM item WHERE id = $1 ORDER BY 1", &[23], &["2"]),
        ("SELECT $1::text", &[25], &["a"]),
        ("SELECT volatile_one(), 1 AS one", &[], &[]),
        ("UPDATE account SET balance = balance + $1 WHERE id = $2", &[], &["0", "1"]),
        ("UPDATE account SET balance = $1 WHERE id = 1 RETURNING *", &[], &["100"]),
        ("INSERT INTO parent VALUES ($1) ON CONFLICT DO NOTHING", &[], &["7"]),
        ("DELETE FROM child", &[], &[]),
        ("VALUES (1, 'a')", &[], &[]),
        ("EXPLAIN SELECT 1", &[], &[]),
        ("CREATE TABLE IF NOT EXISTS parent (id int)", &[], &[]),
        ("BEGIN", &[], &[]),
        ("COMMIT", &[], &[]),
        ("SHOW work_mem", &[], &[]),
        ("SET work_mem = '5MB'", &[], &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("s{at}");
        let expected = prepare(&mut direct, &name, sql, types).await;
        assert_eq!(prepare(&mut first, &name, sql, types).await, expected, "{sql}");
        let before = spared(&stage).await;
        assert_eq!(prepare(&mut second, &name, sql, types).await, expected, "{sql}");
        assert_eq!(spared(&stage).await, before + 1.0, "{sql}");
        // Up to a Flush, without a name, and alone.
        let mut third = stage.client().await;
        third
            .send([say::parse("", sql, types), say::describe(b'S', ""), say::flush()].concat())
            .await;
        let end = if expected.iter().any(|frame| frame.tag == b'T') { b'T' } else { b'n' };
        let mut unnamed = third.until(end).await;
        unnamed.extend(third.ask(&[say::sync()]).await);
        assert_eq!(unnamed, expected, "{sql}");
        let alone = third.ask(&[say::parse("alone", sql, types), say::sync()]).await;
        assert_eq!(tags(&alone), "1Z", "{sql}");
        if matches!(sql, "BEGIN" | "COMMIT") {
            continue;
        }
        let expected = run(&mut direct, &name, values).await;
        assert_eq!(tags(&run(&mut second, &name, values).await), tags(&expected), "{sql}");
        assert_eq!(tags(&run(&mut third, "alone", values).await), tags(&expected), "{sql}");
    }
}

/// A text without a description has none the second time either, and says so each time.
async fn an_error_is_never_told_from_memory(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for _client in 0..2 {
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        for sql in ["SELECT nosuch FROM item", "SELECT * FROM nosuch", "nonsense", "SELECT $1 + $2"]
        {
            let expected = prepare(&mut direct, "s", sql, &[]).await;
            assert_eq!(prepare(&mut client, "s", sql, &[]).await, expected, "{sql}");
        }
    }
}

/// In a failed block a Parse is an error.
async fn a_failed_block_is_told_nothing(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let sql = "SELECT name FROM item WHERE id = $1";
    teach(&stage, sql).await;
    let mut client = stage.client().await;
    client.run("BEGIN").await;
    let before = spared(&stage).await;
    assert_eq!(tags(&prepare(&mut client, "a", sql, &[]).await), "1tTZ");
    assert_eq!(spared(&stage).await, before + 1.0);
    assert_eq!(rows(&run(&mut client, "a", &["1"]).await).len(), 1);
    client.query("nonsense").await;
    assert_eq!(sqlstate(&prepare(&mut client, "b", sql, &[]).await), "25P02");
    client.run("ROLLBACK").await;
    assert_eq!(rows(&run(&mut client, "a", &["1"]).await).len(), 1);
}

/// The database says it of who prepared it before: see the second client, who goes around.
async fn a_column_that_was_added_around_the_proxy_is_noticed_when_it_runs(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for (name, sql, is_same) in [
        ("", "SELECT * FROM parent", false),
        ("s", "SELECT * FROM parent WHERE id > $1", false),
        ("s", "INSERT INTO parent VALUES ($1) RETURNING *", false),
        ("s", "UPDATE parent SET id = id WHERE id = $1", true),
        ("s", "SELECT id FROM parent WHERE id = $1", true),
    ] {
        let values: &[&str] = if sql.contains("$1") { &["1"] } else { &[] };
        let mut direct = stage.direct().await;
        prepare(&mut direct, name, sql, &[]).await;
        teach(&stage, sql).await;
        stage.superuser().await.run("ALTER TABLE parent ADD COLUMN more text").await;
        let mut client = told(&stage, name, sql).await;
        let mut counter = stage.direct().await;
        let count = counter.value("SELECT count(*) FROM parent").await;
        let expected = run(&mut direct, name, values).await;
        let found = run(&mut client, name, values).await;
        assert_eq!(tags(&found), tags(&expected), "{sql}: {found:?}");
        assert_eq!(sqlstate(&found), sqlstate(&expected), "{sql}");
        assert_eq!(error(&found), if is_same { "" } else { CHANGED }, "{sql}");
        assert_eq!(counter.value("SELECT count(*) FROM parent").await, count, "nothing has run");
        // Whoever comes next is told what it is today.
        let mut client = stage.client().await;
        let expected = prepare(&mut direct, "today", sql, &[]).await;
        assert_eq!(prepare(&mut client, "today", sql, &[]).await, expected, "{sql}");
        assert_eq!(error(&run(&mut client, "today", values).await), "", "{sql}");
        stage.superuser().await.run("TRUNCATE parent, child").await;
        stage.superuser().await.run("ALTER TABLE parent DROP COLUMN more").await;
        // That is what it was: who was told so is right again.
        eventually("it is asked for again", async || {
            let mut client = stage.client().await;
            let _told = prepare(&mut client, "again", sql, &[]).await;
            error(&run(&mut client, "again", values).await).is_empty()
        })
        .await;
        stage.superuser().await.run("TRUNCATE parent, child").await;
    }
}

/// The values of a Bind are of the types that its client was told.
async fn a_parameter_whose_column_has_another_type_is_what_it_was(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut superuser = stage.superuser().await;
    for (to, sql) in [
        ("bigint", "SELECT 1 AS one FROM parent WHERE id = $1 /* jumpgate: no-cache */"),
        ("text", "SELECT 1 AS one FROM parent WHERE id = $1 /* jumpgate: no-cache */"),
        ("bigint", "INSERT INTO parent VALUES ($1)"),
        ("text", "INSERT INTO parent VALUES ($1)"),
        ("bigint", "INSERT INTO parent VALUES ($1) RETURNING 1"),
        ("date", "INSERT INTO parent VALUES ($1)"),
    ] {
        superuser.run("DROP TABLE IF EXISTS parent CASCADE; CREATE TABLE parent (id int)").await;
        superuser.run("GRANT ALL ON parent TO app").await;
        let mut direct = stage.direct().await;
        teach(&stage, sql).await;
        for name in ["s", ""] {
            prepare(&mut direct, name, sql, &[]).await;
        }
        let using = if to == "date" { "USING NULL" } else { "" };
        superuser.run(&format!("ALTER TABLE parent ALTER COLUMN id TYPE {to} {using}")).await;
        let mut client = told(&stage, "s", sql).await;
        let binary = say::bind("", "s", &[1], &[Some(&7_i32.to_be_bytes())], &[]);
        let messages = [binary, say::execute("", 0), say::sync()];
        let (expected, found) = (direct.ask(&messages).await, client.ask(&messages).await);
        assert_eq!(tags(&found), tags(&expected), "{to}: {sql}: {found:?} and not {expected:?}");
        assert_eq!(sqlstate(&found), sqlstate(&expected), "{to}: {sql}");
        let counted = direct.value("SELECT count(*) FROM parent").await;
        let twice = sql.starts_with("INSERT") && sqlstate(&found).is_empty();
        assert_eq!(counted, if twice { "2" } else { "0" }, "{to}: {sql}");
    }
}

/// A value that is none of the type that a parameter had is refused once.
async fn a_value_of_a_parameter_s_new_type_is_taken_from_whoever_comes_next(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut superuser = stage.superuser().await;
    let sql = "INSERT INTO account VALUES ($1, 1)";
    teach(&stage, sql).await;
    superuser.run("ALTER TABLE account ALTER COLUMN id TYPE bigint").await;
    for name in ["s", ""] {
        let mut client = told(&stage, name, sql).await;
        assert_eq!(sqlstate(&run(&mut client, name, &["3000000000"]).await), "22003");
        let mut client = stage.client().await;
        prepare(&mut client, name, sql, &[]).await;
        assert_eq!(error(&run(&mut client, name, &["3000000000"]).await), "", "{name}");
        superuser.run("DELETE FROM account WHERE id > 2").await;
        superuser.run("ALTER TABLE account ALTER COLUMN id TYPE int").await;
        stage.client().await.run("CREATE TABLE IF NOT EXISTS another (id int)").await;
        teach(&stage, sql).await;
        superuser.run("ALTER TABLE account ALTER COLUMN id TYPE bigint").await;
    }
}

async fn a_table_that_is_gone_and_rights_that_are_taken_are_errors_where_it_runs(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut superuser = stage.superuser().await;
    superuser.run("CREATE SCHEMA ours; GRANT USAGE ON SCHEMA ours TO app").await;
    for (change, code) in [
        ("DROP TABLE ours.gone", "42P01"),
        ("REVOKE ALL ON ours.gone FROM app", "42501"),
        ("REVOKE USAGE ON SCHEMA ours FROM app", "42501"),
    ] {
        for (name, sql) in [
            ("", "SELECT a FROM ours.gone"),
            ("s", "SELECT a FROM ours.gone"),
            ("s", "INSERT INTO ours.gone VALUES (1)"),
            ("s", "INSERT INTO ours.gone VALUES (1) RETURNING a"),
        ] {
            superuser.run("DROP TABLE IF EXISTS ours.gone; CREATE TABLE ours.gone (a int)").await;
            superuser.run("GRANT USAGE ON SCHEMA ours TO app; GRANT ALL ON ours.gone TO app").await;
            let mut direct = stage.direct().await;
            prepare(&mut direct, name, sql, &[]).await;
            // It may have been asked for before, when it was another table.
            stage.client().await.run("CREATE TABLE IF NOT EXISTS parent (id int)").await;
            teach(&stage, sql).await;
            superuser.run(change).await;
            let mut client = told(&stage, name, sql).await;
            let expected = run(&mut direct, name, &[]).await;
            let found = run(&mut client, name, &[]).await;
            assert_eq!(sqlstate(&expected), code, "{change}: {sql}");
            assert_eq!(sqlstate(&found), code, "{change}: {sql}");
            assert_eq!(error(&found), error(&expected), "{change}: {sql}");
            // Whoever comes next hears it when the database says it.
            let (mut direct, mut client) = (stage.direct().await, stage.client().await);
            let expected = prepare(&mut direct, name, sql, &[]).await;
            let found = prepare(&mut client, name, sql, &[]).await;
            assert_eq!(found, expected, "{change}: {sql}");
        }
    }
}

/// What another client does through the proxy is known when it has heard of it.
async fn a_change_through_the_proxy_is_known_at_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut direct, mut other) = (stage.direct().await, stage.client().await);
    let sql = "SELECT * FROM parent";
    for change in [
        "ALTER TABLE parent ADD COLUMN b text",
        "ALTER TABLE parent ALTER COLUMN b TYPE varchar(7)",
        "ALTER TABLE parent RENAME COLUMN b TO c",
        "DROP TABLE parent CASCADE",
        "CREATE VIEW parent AS SELECT 'a'::text AS a, 2 AS b",
        "BEGIN; DROP VIEW parent; CREATE TABLE parent (id bigint); COMMIT",
    ] {
        drop(prepare(&mut stage.client().await, "s", sql, &[]).await);
        other.run(change).await;
        let mut client = stage.client().await;
        direct.run("DEALLOCATE ALL").await;
        let expected = prepare(&mut direct, "s", sql, &[]).await;
        assert_eq!(prepare(&mut client, "s", sql, &[]).await, expected, "{change}");
        let (expected, found) =
            (run(&mut direct, "s", &[]).await, run(&mut client, "s", &[]).await);
        assert_eq!(found, expected, "{change}");
    }
}

/// Settings decide what a text means, also those that only a block has, and so do temporary tables.
async fn who_reads_texts_otherwise_is_told_for_itself(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let sql = "SELECT * FROM thing";
    for schema in ["one", "two"] {
        let set = format!("SET search_path TO {schema}");
        for _client in 0..2 {
            let mut client = stage.client().await;
            client.run(&set).await;
            assert_eq!(tags(&prepare(&mut client, "s", sql, &[]).await), "1tTZ");
            let reply = run(&mut client, "s", &[]).await;
            assert_eq!(rows(&reply)[0][0].as_deref(), Some(&*format!("from {schema}")));
        }
    }
    let sql = "SELECT * FROM item WHERE id = 1";
    teach(&stage, sql).await;
    for (before, after) in [
        ("BEGIN; SET LOCAL search_path TO one", "ROLLBACK"),
        ("BEGIN; SELECT set_config('search_path', 'one', true)", "ROLLBACK"),
        ("CREATE TEMP TABLE item (other int)", "DROP TABLE pg_temp.item"),
        ("BEGIN; CREATE TEMP TABLE item (other int) ON COMMIT DROP", "ROLLBACK"),
        ("BEGIN; ALTER TABLE item ADD COLUMN other int", "ROLLBACK"),
        ("BEGIN; DO 'begin create temp table item (other int) on commit drop; end'", "ROLLBACK"),
    ] {
        let mut found = Vec::new();
        for client in [&mut stage.direct().await, &mut stage.client().await] {
            client.run(before).await;
            found.push(prepare(client, "s", sql, &[]).await);
            client.run(after).await;
        }
        let shown = |reply: &[Frame]| (tags(reply), sqlstate(reply));
        assert_eq!(shown(&found[1]), shown(&found[0]), "{before}");
        let columns = |reply: &[Frame]| {
            reply.iter().filter(|it| it.tag == b'T').map(|it| it.body.len()).sum::<usize>()
        };
        assert_eq!(columns(&found[1]), columns(&found[0]), "{before}");
    }
}

e2e::scenarios! {
    jumpgate_twice: [
        the_second_client_is_told_the_same_and_asks_nobody,
        an_error_is_never_told_from_memory,
        a_failed_block_is_told_nothing,
        a_column_that_was_added_around_the_proxy_is_noticed_when_it_runs,
        a_parameter_whose_column_has_another_type_is_what_it_was,
        a_value_of_a_parameter_s_new_type_is_taken_from_whoever_comes_next,
        a_table_that_is_gone_and_rights_that_are_taken_are_errors_where_it_runs,
        a_change_through_the_proxy_is_known_at_once,
        who_reads_texts_otherwise_is_told_for_itself,
    ],
}
