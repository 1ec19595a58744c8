//! Prepared statements: numbers of our own, prepared on the fly, with types, long data and cursors.

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::{capability, command, status},
        reply::{Outcome, code, done, error, rows},
        say::{self, Execute, Value},
        stage::{Place, Stage},
        wire::Wire,
    },
};

/// Moves a session to another backend: it is on loan to `holder` while `wire` runs something.
async fn on_another_backend(stage: &Stage) -> Wire {
    let mut holder = stage.client().await;
    holder.run("BEGIN").await;
    holder.run("SELECT 1").await;
    holder
}

/// FAULTS row 36: in MariaDB the highest id is the statement prepared last, in every command.
async fn the_highest_id_is_the_statement_prepared_last(place: Place) {
    const LAST: u32 = u32::MAX;
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut wire, mut other) = (stage.client().await, stage.client().await);
    assert_eq!(code(&wire.execute(LAST, &[]).await), 1243);
    // Both in one write, as MariaDB's connectors do.
    let execute = say::execute(LAST, Execute::default(), &[7.into()]);
    for turn in 0..2 {
        let both = [say::prepare("SELECT ? + 1"), execute.clone()];
        wire.command(&both[0]).await;
        let id = wire.prepared().await.expect("prepared").id;
        wire.command(&both[1]).await;
        assert_eq!(rows(&wire.reply(true).await)[0][0].as_deref(), Some("8"), "turn {turn}");
        assert_eq!(wire.executed_value(id, &[1.into()]).await, "2");
        assert_eq!(other.value("SELECT 'between'").await, "between");
    }
    let how = Execute { cursor: true, types: true };
    wire.command(&say::execute_with(LAST, how, &[1.into()], false)).await;
    wire.reply(true).await;
    wire.command(&say::fetch(LAST, 5)).await;
    assert_eq!(wire.until_end().await.0.len(), 1);
    assert_eq!(error(&wire.ask(&say::numbered(command::STMT_RESET, LAST)).await), "");
    wire.prepare("SELECT concat('a', ?)").await;
    wire.command(&say::long_data(LAST, 0, b"40")).await;
    assert_eq!(wire.executed_value(LAST, &[Value::Long]).await, "a40");
    // A statement that fails is none, and what was closed is gone.
    assert_eq!(wire.try_prepare("SELECT nosuch").await.map_err(|e| e.code).err(), Some(1054));
    assert_eq!(code(&wire.execute(LAST, &[]).await), 1243);
    let first = wire.prepare("SELECT 1").await.id;
    wire.prepare("SELECT 2").await;
    wire.close_statement(first).await;
    assert_eq!(wire.executed_value(LAST, &[]).await, "2");
    wire.close_statement(LAST).await;
    assert_eq!(code(&wire.execute(LAST, &[]).await), 1243);
}

/// Found by MariaDB's own test `show`: not every SHOW can be executed a second time, and a client that prepares it anew does not.
async fn a_show_that_is_prepared_anew_is_another(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    wire.run("CREATE TABLE named (nm VARCHAR(9))").await;
    let sql = "SHOW FIELDS FROM named WHERE field IN (SELECT * FROM (SELECT nm FROM named GROUP BY nm) dt)";
    for found in [0, 1] {
        let id = wire.prepare(sql).await.id;
        let reply = wire.execute(id, &[]).await;
        assert_eq!((error(&reply).as_str(), rows(&reply).len()), ("", found));
        wire.close_statement(id).await;
        wire.run("INSERT INTO named VALUES ('nm')").await;
    }
}

/// FAULTS row 41: the server's limit is for all connections, and our backends keep what clients have closed.
async fn statements_that_nobody_uses_make_room_for_others(place: Place) {
    let setup = Setup { mysql: vec!["--max-prepared-stmt-count=5"], ..Setup::pool_of(3) };
    let stage = Stage::with(place, setup).await;
    let mut wire = stage.client().await;
    for n in 0..12 {
        let statement = wire.prepare(&format!("SELECT {n}")).await;
        assert_eq!(wire.executed_value(statement.id, &[]).await, n.to_string());
        wire.close_statement(statement.id).await;
    }
    // On another backend, which has none to close.
    let mut holder = on_another_backend(&stage).await;
    let _second = on_another_backend(&stage).await;
    let statement = wire.prepare("SELECT 'there'").await;
    assert_eq!(wire.executed_value(statement.id, &[]).await, "there");
    holder.run("ROLLBACK").await;
    for n in 12..20 {
        let statement = holder.prepare(&format!("SELECT {n}")).await;
        assert_eq!(holder.executed_value(statement.id, &[]).await, n.to_string());
        holder.close_statement(statement.id).await;
    }
    assert_eq!(wire.executed_value(statement.id, &[]).await, "there");
}

async fn many_clients_prepare_on_one_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let of_a = a.prepare("SELECT concat('a', ?)").await;
    let of_b = b.prepare("SELECT concat('b', ?)").await;
    let same = b.prepare("SELECT concat('a', ?)").await;
    assert_eq!((of_a.params.len(), of_a.columns.len()), (1, 1));
    for n in 0..3_i64 {
        assert_eq!(a.executed_value(of_a.id, &[n.into()]).await, format!("a{n}"));
        assert_eq!(b.executed_value(of_b.id, &[n.into()]).await, format!("b{n}"));
        assert_eq!(b.executed_value(same.id, &[n.into()]).await, format!("a{n}"));
    }
    a.close_statement(of_a.id).await;
    assert_eq!(code(&a.execute(of_a.id, &[1.into()]).await), 1243);
    assert_eq!(b.executed_value(same.id, &["x".into()]).await, "ax", "what a closed is not b's");
}

async fn a_statement_is_prepared_wherever_it_runs(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut wire = stage.client().await;
    let sum = wire.prepare("SELECT ? + ?").await;
    let write = wire.prepare("INSERT INTO counter (name) VALUES (?)").await;
    let mut holders = Vec::new();
    for n in 0..3_i64 {
        assert_eq!(wire.executed_value(sum.id, &[n.into(), 1.into()]).await, (n + 1).to_string());
        assert_eq!(done(&wire.execute(write.id, &["x".into()]).await).affected, 1);
        if n < 2 {
            holders.push(on_another_backend(&stage).await);
        }
    }
}

async fn remembered_types_hold_on_another_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    let statement = wire.prepare("SELECT ?, ?, ?").await;
    let without = Execute { types: false, ..Execute::default() };
    let first = [Value::Int(7), Value::Double(1.5), "text".into()];
    let reply = wire.execute(statement.id, &first).await;
    assert_eq!(rows(&reply)[0][2].as_deref(), Some("text"));
    let _holder = on_another_backend(&stage).await;
    for values in [
        [Value::Int(-8), Value::Double(2.5), "other".into()],
        [Value::Int(9), Value::Double(-0.5), "third".into()],
    ] {
        let reply = wire.execute_as(statement.id, without, &values).await;
        let row = rows(&reply).remove(0);
        let Value::Int(number) = values[0] else { unreachable!("an int") };
        assert_eq!(row[0].as_deref(), Some(number.to_string().as_str()), "{reply:?}");
        let Value::Text(text) = &values[2] else { unreachable!("a text") };
        assert_eq!(row[2].as_deref().map(str::as_bytes), Some(&text[..]), "{reply:?}");
    }
    // Types of another execution take their place.
    let typed = [Value::from("now text"), Value::Null, Value::Unsigned(u64::MAX)];
    assert_eq!(rows(&wire.execute(statement.id, &typed).await)[0][0].as_deref(), Some("now text"));
    let reply = wire
        .execute_as(statement.id, without, &[Value::from("again"), Value::Null, Value::Unsigned(5)])
        .await;
    assert_eq!(rows(&reply)[0], [Some("again".into()), None, Some("5".into())]);
}

async fn every_type_of_parameter_arrives(place: Place) {
    use e2e::mysql::flags::kind;
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    let as_text = [
        (Value::Raw(kind::TINY, vec![0x7f]), "127"),
        (Value::Raw(kind::SHORT, vec![0x01, 0x02]), "513"),
        (Value::Raw(kind::LONG, vec![0xff, 0xff, 0xff, 0xff]), "-1"),
        (Value::Raw(kind::LONGLONG, vec![0, 0, 0, 0, 1, 0, 0, 0]), "4294967296"),
        (Value::Raw(kind::FLOAT, 1.5_f32.to_le_bytes().into()), "1.5"),
        (Value::Raw(kind::DOUBLE, (-0.25_f64).to_le_bytes().into()), "-0.25"),
        (Value::Raw(kind::BLOB, say::text(b"\0'\\")), "\0'\\"),
        (Value::Raw(kind::STRING, say::text("ß".as_bytes())), "ß"),
        (Value::Raw(kind::DATE, vec![4, 0xea, 0x07, 2, 28]), "2026-02-28"),
        (Value::Raw(kind::DATETIME, vec![0]), "0000-00-00 00:00:00"),
        (Value::Raw(kind::TIME, vec![8, 1, 1, 0, 0, 0, 2, 3, 4]), "-26:03:04"),
    ];
    for (value, expected) in as_text {
        // The first execution may settle the type of a parameter for good.
        let statement = wire.prepare("SELECT concat(?, '')").await;
        let found = wire.executed_value(statement.id, std::slice::from_ref(&value)).await;
        // Fractions of a second are shown by some versions.
        assert_eq!(found.trim_end_matches(".000000"), expected, "{value:?}");
        wire.close_statement(statement.id).await;
    }
    let nulls = wire.prepare(&format!("SELECT {}", vec!["(? IS NULL)"; 17].join(" + "))).await;
    assert_eq!(wire.executed_value(nulls.id, &vec![Value::Null; 17]).await, "17");
}

async fn long_data_stays_with_its_statement(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut wire, mut other) = (stage.client().await, stage.client().await);
    let statement = wire.prepare("SELECT concat(?, '|', ?)").await;
    for part in ["one ", "two ", "three"] {
        wire.command(&say::long_data(statement.id, 0, part.as_bytes())).await;
        assert_eq!(other.value("SELECT 'between'").await, "between");
    }
    let values = [Value::Long, "x".into()];
    assert_eq!(wire.executed_value(statement.id, &values).await, "one two three|x");
    // It is used up.
    assert_eq!(wire.executed_value(statement.id, &["a".into(), "b".into()]).await, "a|b");
    wire.command(&say::long_data(statement.id, 1, b"forgotten")).await;
    let reset = wire.ask(&say::numbered(command::STMT_RESET, statement.id)).await;
    assert_eq!(code(&reset), 0);
    assert_eq!(wire.executed_value(statement.id, &["a".into(), "b".into()]).await, "a|b");
    // Errors of long data come with the execution.
    wire.command(&say::long_data(99_999, 0, b"to nobody")).await;
    assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
}

async fn a_cursor_keeps_its_backend_until_its_last_row(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for flags in [0, capability::DEPRECATE_EOF] {
        let (mut wire, mut other) = (stage.client_with(flags).await, stage.client().await);
        let statement = wire.prepare("SELECT id FROM item ORDER BY id").await;
        let how = Execute { cursor: true, ..Execute::default() };
        wire.command(&say::execute(statement.id, how, &[])).await;
        let end = cursor_opened(&mut wire).await;
        assert!(end, "a cursor is open");
        let mut seen = Vec::new();
        loop {
            assert_eq!(other.value("SELECT 'between'").await, "between");
            wire.command(&say::fetch(statement.id, 30)).await;
            let (rows, end) = wire.until_end().await;
            let end = end.expect("rows");
            seen.extend(rows);
            if end.has(status::LAST_ROW_SENT) {
                break;
            }
            assert!(end.has(status::CURSOR_EXISTS), "{end:?}");
        }
        assert_eq!(seen.len(), 100);
        // Nothing holds a backend any more.
        let (mut a, mut b) = (stage.client().await, stage.client().await);
        a.run("BEGIN").await;
        b.run("BEGIN").await;
        a.run("SELECT 1").await;
        b.run("SELECT 1").await;
        a.close().await;
        b.close().await;
        wire.command(&say::fetch(99_999, 1)).await;
        assert_eq!(wire.until_end().await.1.expect_err("an error").code, 1243);
    }
}

/// Reads columns and the EOF that follows them.
async fn cursor_opened(wire: &mut Wire) -> bool {
    let count = wire.packet().await;
    assert_eq!(count.as_ref(), [1], "one column");
    wire.packet().await;
    let (rows, end) = wire.until_end().await;
    rows.is_empty() && end.is_ok_and(|end| end.has(status::CURSOR_EXISTS))
}

async fn a_closed_statement_closes_its_cursor(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut wire, mut other) = (stage.client().await, stage.client().await);
    let how = Execute { cursor: true, ..Execute::default() };
    // MySQL 9.7 breaks its own protocol when a statement with an open cursor is executed without one: it sends columns
    // and then an OK packet.
    let ends = match place.server {
        Server::MariaDb => &["close", "reset", "execute"][..],
        Server::MySql => &["close", "reset"],
    };
    for end in ends {
        let statement = wire.prepare("SELECT id FROM item ORDER BY id").await;
        wire.command(&say::execute(statement.id, how, &[])).await;
        assert!(cursor_opened(&mut wire).await);
        match *end {
            "close" => wire.close_statement(statement.id).await,
            "reset" => drop(wire.ask(&say::numbered(command::STMT_RESET, statement.id)).await),
            _ => drop(wire.execute(statement.id, &[]).await),
        }
        assert_eq!(other.value("SELECT 'served'").await, "served", "after {end}");
    }
}

async fn an_altered_table_shows_its_new_columns(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut wire, mut other) = (stage.client().await, stage.client().await);
    let statement = wire.prepare("SELECT * FROM legacy WHERE id = ?").await;
    assert_eq!(rows(&wire.execute(statement.id, &[1.into()]).await)[0].len(), 2);
    other.run("ALTER TABLE legacy ADD COLUMN more int DEFAULT 5").await;
    let row = rows(&wire.execute(statement.id, &[1.into()]).await).remove(0);
    assert_eq!(row, [Some("1".into()), Some("one".into()), Some("5".into())]);
    other.run("DROP TABLE legacy").await;
    assert_eq!(code(&wire.execute(statement.id, &[1.into()]).await), 1146);
    other.run("CREATE TABLE legacy (id int)").await;
    assert_eq!(error(&wire.execute(statement.id, &[1.into()]).await), "");
}

async fn a_statement_keeps_the_schema_it_was_prepared_in(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    let statement = wire.prepare("SELECT name FROM thing").await;
    wire.run("USE other").await;
    assert_eq!(wire.executed_value(statement.id, &[]).await, "from app");
    let _holder = on_another_backend(&stage).await;
    assert_eq!(wire.executed_value(statement.id, &[]).await, "from app");
    assert_eq!(wire.value("SELECT name FROM thing").await, "from other");
}

async fn a_statement_keeps_the_mode_it_was_prepared_in(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    wire.run("SET sql_mode = 'ANSI_QUOTES'").await;
    let statement = wire.prepare("SELECT \"name\" FROM item WHERE id = ?").await;
    wire.run("SET sql_mode = ''").await;
    assert_eq!(wire.executed_value(statement.id, &[1.into()]).await, "item 1");
    let _holder = on_another_backend(&stage).await;
    assert_eq!(wire.executed_value(statement.id, &[1.into()]).await, "item 1");
    assert_eq!(wire.value("SELECT \"name\" FROM item WHERE id = 1").await, "name");
}

async fn what_cannot_be_prepared_is_refused_with_its_error(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    for (sql, expected) in [("SELEKT 1", 1064), ("SELECT * FROM nothing", 1146), ("", 1065)] {
        let refusal = wire.try_prepare(sql).await.expect_err("an error");
        assert_eq!(refusal.code, expected, "{sql}");
    }
    assert_eq!(code(&wire.execute(12_345, &[]).await), 1243);
    let reset = wire.ask(&say::numbered(command::STMT_RESET, 12_345)).await;
    assert_eq!(code(&reset), 1243);
    wire.close_statement(12_345).await;
    assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
}

async fn hundreds_of_statements_are_kept_apart(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wire = stage.client().await;
    let mut statements = Vec::new();
    for n in 0..300 {
        statements.push((n, wire.prepare(&format!("SELECT {n} + ?")).await.id));
    }
    let _holder = on_another_backend(&stage).await;
    for (n, id) in statements.iter().rev() {
        assert_eq!(wire.executed_value(*id, &[1000.into()]).await, (1000 + n).to_string());
    }
}

async fn query_attributes_are_understood_and_dropped_where_they_must_be(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client_with(capability::QUERY_ATTRIBUTES).await;
    if wire.has(capability::QUERY_ATTRIBUTES) {
        let reply =
            wire.ask(&say::query_with(&[("trace", "abc"), ("span", "")], "SELECT 'read'")).await;
        assert_eq!(rows(&reply), [[Some("read".into())]]);
        let statement = wire.prepare("SELECT ?").await;
        assert_eq!(wire.executed_value(statement.id, &["seven".into()]).await, "seven");
        let statement = wire.prepare("SELECT 8").await;
        assert_eq!(wire.executed_value(statement.id, &[]).await, "8");
    }
    let reply = wire.query("SELECT 1").await;
    assert!(matches!(reply.first(), Some(Outcome::Rows(_))), "{reply:?}");
}

e2e::mysql_scenarios! {
    everywhere: [
        remembered_types_hold_on_another_backend,
    ],
    both: [
        a_cursor_keeps_its_backend_until_its_last_row,
        a_closed_statement_closes_its_cursor,
        every_type_of_parameter_arrives,
        an_altered_table_shows_its_new_columns,
        query_attributes_are_understood_and_dropped_where_they_must_be,
        long_data_stays_with_its_statement,
    ],
    jumpgate_both: [
        statements_that_nobody_uses_make_room_for_others,
    ],
    twice: [
        many_clients_prepare_on_one_backend,
        a_statement_is_prepared_wherever_it_runs,
        a_statement_keeps_the_schema_it_was_prepared_in,
        a_statement_keeps_the_mode_it_was_prepared_in,
        what_cannot_be_prepared_is_refused_with_its_error,
        hundreds_of_statements_are_kept_apart,
    ],
    mariadb: [
        a_show_that_is_prepared_anew_is_another,
        the_highest_id_is_the_statement_prepared_last,
    ],
}
