//! What asks about the last statement is answered for the client's own, whoever used the backend between.

use e2e::{
    jumpgate::Setup,
    mysql::{
        reply::{done, rows},
        stage::{Place, Stage},
        wire::Wire,
    },
};

async fn two_on_one_backend(place: Place) -> (Stage, Wire, Wire) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (a, b) = (stage.client().await, stage.client().await);
    (stage, a, b)
}

async fn the_last_insert_id_is_ones_own(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    assert_eq!(a.value("SELECT LAST_INSERT_ID()").await, "0");
    let of_a = done(&a.run("INSERT INTO counter (name) VALUES ('a')").await).insert_id.to_string();
    let of_b =
        done(&b.run("INSERT INTO counter (name) VALUES ('b'), ('c')").await).insert_id.to_string();
    assert_ne!(of_a, of_b);
    for _turn in 0..2 {
        for sql in ["SELECT LAST_INSERT_ID()", "SELECT @@last_insert_id", "SELECT @@identity"] {
            assert_eq!(a.value(sql).await, of_a, "{sql}");
            assert_eq!(b.value(sql).await, of_b, "{sql}");
        }
    }
    let statement = a.prepare("SELECT LAST_INSERT_ID()").await;
    b.run("INSERT INTO counter (name) VALUES ('d')").await;
    assert_eq!(a.executed_value(statement.id, &[]).await, of_a);
    // A child row that names its parent, as object mappers write it.
    b.run("INSERT INTO counter (name) VALUES ('e')").await;
    a.run("INSERT INTO parent VALUES (LAST_INSERT_ID() + 1000)").await;
    let parent = format!("SELECT count(*) FROM parent WHERE id = {of_a} + 1000");
    assert_eq!(a.value(&parent).await, "1");
    let name = a.value("SELECT name FROM counter WHERE id = LAST_INSERT_ID()").await;
    assert_eq!(name, "a");
}

async fn a_last_insert_id_that_is_set_counts_too(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    a.run("UPDATE account SET balance = LAST_INSERT_ID(balance + 1) WHERE id = 1").await;
    b.run("INSERT INTO counter (name) VALUES ('b')").await;
    assert_eq!(a.value("SELECT LAST_INSERT_ID()").await, "101");
    a.run("SELECT LAST_INSERT_ID(4711)").await;
    b.run("INSERT INTO counter (name) VALUES ('b')").await;
    assert_eq!(a.value("SELECT LAST_INSERT_ID()").await, "4711");
}

async fn an_insert_without_a_new_id_keeps_the_last(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    let of_a = done(&a.run("INSERT INTO counter (name) VALUES ('a')").await).insert_id.to_string();
    b.run("INSERT INTO counter (name) VALUES ('b')").await;
    a.run("INSERT INTO parent VALUES (77)").await;
    assert_eq!(a.value("SELECT LAST_INSERT_ID()").await, of_a);
    // A given id is the OK packet's and not the function's.
    let given = done(&a.run("INSERT INTO counter (id, name) VALUES (5000, 'given')").await);
    assert_eq!(given.insert_id, 5000);
    b.run("INSERT INTO counter (name) VALUES ('b')").await;
    assert_eq!(a.value("SELECT LAST_INSERT_ID()").await, of_a);
}

async fn the_row_count_is_ones_own(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    a.run("UPDATE account SET balance = balance + 1").await;
    b.run("UPDATE account SET balance = balance + 1 WHERE id = 1").await;
    assert_eq!(a.value("SELECT ROW_COUNT()").await, "2");
    assert_eq!(b.value("SELECT ROW_COUNT()").await, "1");
    a.run("SELECT * FROM account").await;
    b.run("DELETE FROM counter").await;
    assert_eq!(a.value("SELECT ROW_COUNT()").await, "-1");
    assert_eq!(b.value("SELECT ROW_COUNT()").await, "0");
}

async fn the_found_rows_are_ones_own(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    a.run("SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 3").await;
    b.run("SELECT id FROM item WHERE id < 8").await;
    assert_eq!(a.value("SELECT FOUND_ROWS()").await, "100");
    assert_eq!(b.value("SELECT FOUND_ROWS()").await, "7");
}

/// A hit does not run, and is the last statement all the same.
async fn the_found_rows_of_a_cached_reply_are_its_own(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    for _turn in 0..3 {
        a.run("SELECT id FROM item WHERE id < 5").await;
        b.run("SELECT id FROM item WHERE id < 9 /* jumpgate: no-cache */").await;
        assert_eq!(a.value("SELECT FOUND_ROWS()").await, "4");
        assert_eq!(b.value("SELECT FOUND_ROWS()").await, "8");
        a.run("SELECT id FROM item WHERE id < 5").await;
        assert_eq!(a.value("SELECT ROW_COUNT()").await, "-1");
    }
}

async fn the_warnings_are_ones_own(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    for wire in [&mut a, &mut b] {
        wire.run("SET sql_mode = ''").await;
    }
    let warned = done(&a.run("SELECT CAST('abc' AS signed) /* one */").await);
    assert_eq!(warned.warnings, 1);
    b.run("SELECT 1").await;
    let shown = rows(&a.run("SHOW WARNINGS").await);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0][1].as_deref(), Some("1292"));
    assert!(rows(&b.run("SHOW WARNINGS").await).is_empty(), "b's statement had none");
    let again = rows(&a.run("SHOW WARNINGS").await);
    assert_eq!(again, shown, "showing them does not clear them");
    assert_eq!(a.value("SHOW COUNT(*) WARNINGS").await, "1");
    assert_eq!(a.value("SELECT @@warning_count").await, "1");
    // MariaDB keeps them until a statement uses a table.
    a.run("SELECT balance FROM account").await;
    assert!(rows(&a.run("SHOW WARNINGS").await).is_empty(), "the next statement clears them");
}

async fn the_errors_are_ones_own(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    a.query("SELECT * FROM nothing_of_a").await;
    b.run("SELECT 1").await;
    let shown = rows(&a.run("SHOW ERRORS").await);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0][1].as_deref(), Some("1146"));
    let shown = rows(&a.run("SHOW WARNINGS LIMIT 1").await);
    assert!(shown[0][2].as_deref().is_some_and(|text| text.contains("nothing_of_a")), "{shown:?}");
    assert_eq!(a.value("SELECT @@error_count").await, "1");
    assert_eq!(b.value("SELECT @@error_count").await, "0");
}

async fn the_warnings_of_a_prepared_statement_are_ones_own(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    a.run("SET sql_mode = ''").await;
    let statement = a.prepare("SELECT CAST(? AS signed)").await;
    assert_eq!(done(&a.execute(statement.id, &["abc".into()]).await).warnings, 1);
    b.run("SELECT 1").await;
    assert_eq!(rows(&a.run("SHOW WARNINGS").await).len(), 1);
}

async fn the_connection_id_is_the_one_of_the_greeting(place: Place) {
    let (_stage, mut a, mut b) = two_on_one_backend(place).await;
    for _turn in 0..2 {
        for wire in [&mut a, &mut b] {
            let told = wire.greeting.thread.to_string();
            assert_eq!(wire.value("SELECT CONNECTION_ID()").await, told);
            assert_eq!(wire.value("SELECT @@pseudo_thread_id").await, told);
            let statement = wire.prepare("SELECT CONNECTION_ID()").await;
            assert_eq!(wire.executed_value(statement.id, &[]).await, told);
        }
    }
}

async fn the_names_of_such_columns_are_kept(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    for sql in [
        "SELECT LAST_INSERT_ID()",
        "SELECT FOUND_ROWS()",
        "SELECT ROW_COUNT() AS n",
        "SELECT connection_id()",
        "SELECT last_insert_id( )",
        "SELECT @@warning_count",
    ] {
        let reply = wire.run(sql).await;
        let Some(e2e::mysql::reply::Outcome::Rows(set)) = reply.first() else {
            panic!("{reply:?}")
        };
        let expected = if sql.ends_with("AS n") { "n" } else { sql.trim_start_matches("SELECT ") };
        assert_eq!(set.columns[0].name(), expected);
    }
}

/// Outside of a transaction the backend may have served another since.
async fn diagnostics_can_be_asked_for_in_a_transaction(place: Place) {
    let (_stage, mut a, _b) = two_on_one_backend(place).await;
    a.run("BEGIN").await;
    a.query("SELECT * FROM nothing").await;
    a.run("GET DIAGNOSTICS CONDITION 1 @code = MYSQL_ERRNO").await;
    assert_eq!(a.value("SELECT @code").await, "1146");
    a.run("ROLLBACK").await;
}

e2e::mysql_scenarios! {
    both: [
        the_last_insert_id_is_ones_own,
        a_last_insert_id_that_is_set_counts_too,
        an_insert_without_a_new_id_keeps_the_last,
        the_row_count_is_ones_own,
        the_found_rows_are_ones_own,
        the_found_rows_of_a_cached_reply_are_its_own,
        the_warnings_are_ones_own,
        the_errors_are_ones_own,
        the_connection_id_is_the_one_of_the_greeting,
        the_names_of_such_columns_are_kept,
    ],
    twice: [
        diagnostics_can_be_asked_for_in_a_transaction,
        the_warnings_of_a_prepared_statement_are_ones_own,
    ],
}
