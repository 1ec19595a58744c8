//! The key: two clients that could see different values never share an entry.

use e2e::{
    jumpgate::Setup,
    mysql::{
        flags::{capability, kind},
        reply::{Outcome, code, rows},
        say::Value,
        stage::{Place, Stage},
        wire::Wire,
    },
};

/// A setting, its value for each of two clients, and a read that it changes.
const SETTINGS: [(&str, &str, &str, &str); 12] = [
    ("time_zone", "'+09:00'", "'-05:00'", "SELECT ts FROM kinds WHERE id = 1"),
    ("sql_mode", "'ANSI_QUOTES'", "''", "SELECT \"name\" FROM item WHERE id = 1"),
    ("sql_mode", "'PIPES_AS_CONCAT'", "''", "SELECT name || '1' FROM item WHERE id = 1"),
    ("sql_mode", "'NO_BACKSLASH_ESCAPES'", "''", r"SELECT 'a\\b' FROM item WHERE id = 1"),
    ("sql_mode", "'PAD_CHAR_TO_FULL_LENGTH'", "''", "SELECT c FROM kinds WHERE id = 1"),
    ("character_set_results", "latin1", "utf8mb4", "SELECT v FROM kinds WHERE id = 1"),
    (
        "collation_connection",
        "utf8mb4_bin",
        "utf8mb4_general_ci",
        "SELECT 'a' = 'A' FROM item WHERE id = 1",
    ),
    ("div_precision_increment", "2", "9", "SELECT price / 7 FROM item WHERE id = 1"),
    (
        "group_concat_max_len",
        "8",
        "1000",
        "SELECT group_concat(name ORDER BY id) FROM item WHERE id < 5",
    ),
    ("lc_time_names", "'de_DE'", "'fr_FR'", "SELECT dayname(made) FROM item WHERE id = 1"),
    ("default_week_format", "0", "3", "SELECT week(made) FROM item WHERE id = 1"),
    ("sql_select_limit", "2", "5", "SELECT id FROM item ORDER BY id"),
];

async fn settings_tell_readers_apart(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for (name, left, right, sql) in SETTINGS {
        let (mut a, mut b) = (stage.client().await, stage.client().await);
        let (mut direct_a, mut direct_b) = (stage.direct().await, stage.direct().await);
        for (client, value) in
            [(&mut a, left), (&mut b, right), (&mut direct_a, left), (&mut direct_b, right)]
        {
            client.run(&format!("SET {name} = {value}")).await;
        }
        let (of_a, of_b) = (rows(&direct_a.query(sql).await), rows(&direct_b.query(sql).await));
        for turn in 0..3 {
            assert_eq!(rows(&a.query(sql).await), of_a, "{name}, turn {turn}: {sql}");
            assert_eq!(rows(&b.query(sql).await), of_b, "{name}, turn {turn}: {sql}");
        }
        // The first client changes its mind: nothing of its old view may come back.
        a.run(&format!("SET {name} = {right}")).await;
        assert_eq!(rows(&a.query(sql).await), of_b, "{name}, changed");
    }
}

async fn the_schema_tells_readers_apart(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let mut c = Wire::connect(&stage.endpoint().with_database("other")).await;
    b.run("USE other").await;
    for _turn in 0..3 {
        assert_eq!(a.value("SELECT name FROM thing").await, "from app");
        assert_eq!(b.value("SELECT name FROM thing").await, "from other");
        assert_eq!(c.value("SELECT name FROM thing").await, "from other");
    }
}

async fn a_statement_reads_the_schema_it_was_prepared_in(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut writer) = (stage.client().await, stage.client().await);
    let statement = client.prepare("SELECT name FROM thing").await;
    client.run("USE other").await;
    assert_eq!(client.executed_value(statement.id, &[]).await, "from app");
    assert_eq!(client.executed_value(statement.id, &[]).await, "from app");
    writer.run("UPDATE thing SET name = 'new'").await;
    assert_eq!(client.executed_value(statement.id, &[]).await, "new");
    let update = client.prepare("UPDATE thing SET name = 'of other'").await;
    assert_eq!(client.value("SELECT name FROM thing").await, "from other");
    client.run("USE app").await;
    client.execute(update.id, &[]).await;
    client.run("USE other").await;
    assert_eq!(client.value("SELECT name FROM thing").await, "of other");
}

async fn variables_that_drivers_ask_for_are_kept_for_who_has_not_set_them(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let sql = "SELECT @@wait_timeout";
    let first = a.value(sql).await;
    assert_eq!(b.value(sql).await, first);
    assert!(stage.is_direct() || b.cache_status().await == "hit");
    b.run("SET SESSION wait_timeout = 7777").await;
    for _turn in 0..2 {
        assert_eq!(b.value(sql).await, "7777");
        assert_eq!(a.value(sql).await, first);
    }
}

async fn a_read_without_rights_is_refused_though_another_has_it_cached(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut app, mut reader) = (stage.client().await, stage.client().await);
    let sql = "SELECT name FROM other.thing";
    assert_eq!(app.value(sql).await, "from other");
    let mut root = stage.root().await;
    root.run("REVOKE ALL ON other.* FROM app@'%'").await;
    root.run("CREATE ROLE helper").await;
    root.run("GRANT SELECT ON other.* TO helper").await;
    root.run("GRANT helper TO app@'%'").await;
    for _turn in 0..2 {
        assert_eq!(code(&reader.query("SELECT name FROM other.thing -- as reader").await), 1142);
        app.run("SET ROLE helper").await;
        assert_eq!(app.value("SELECT name FROM other.thing -- as reader").await, "from other");
    }
}

async fn values_and_types_of_parameters_count(place: Place) {
    let stage = Stage::open(place).await;
    let (mut client, mut direct) = (stage.client().await, stage.direct().await);
    let sql = "SELECT ?, name FROM item WHERE id = 1";
    let values = [
        Value::Int(1),
        Value::Int(2),
        Value::Unsigned(u64::MAX),
        Value::Int(-1),
        Value::Double(1.0),
        Value::from("1"),
        Value::from(""),
        Value::Null,
        Value::Raw(kind::BLOB, vec![1, b'1']),
        Value::Raw(kind::DATE, vec![4, 0xea, 7, 1, 2]),
        Value::Raw(kind::DATETIME, vec![4, 0xea, 7, 1, 2]),
    ];
    for _turn in 0..2 {
        for value in &values {
            let value = std::slice::from_ref(value);
            // MySQL keeps the type of an earlier execution where it can.
            let reference = direct.prepare(sql).await;
            let expected = direct.execute(reference.id, value).await;
            for _run in 0..2 {
                let statement = client.prepare(sql).await;
                let found = client.execute(statement.id, value).await;
                assert_eq!(rows(&found), rows(&expected), "{value:?}");
                assert_eq!(columns(&found), columns(&expected), "{value:?}");
            }
        }
    }
}

fn columns(reply: &[Outcome]) -> Vec<u8> {
    let Some(Outcome::Rows(set)) = reply.first() else { panic!("a set: {reply:?}") };
    set.columns.iter().map(|column| column.kind).collect()
}

async fn text_and_binary_do_not_mix(place: Place) {
    let stage = Stage::open(place).await;
    let sql = "SELECT * FROM kinds ORDER BY id";
    let mut direct = stage.direct().await;
    let (text, binary) = (rows(&direct.query(sql).await), rows(&direct.binary(sql, &[]).await));
    for form in [0, capability::DEPRECATE_EOF] {
        let mut client = stage.client_with(form).await;
        for _turn in 0..3 {
            assert_eq!(rows(&client.query(sql).await), text);
            assert_eq!(rows(&client.binary(sql, &[]).await), binary);
        }
    }
}

async fn ignore_space_is_a_way_of_reading(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut spaced = stage.client_with(capability::IGNORE_SPACE).await;
    let mut strict = stage.client().await;
    for _turn in 0..2 {
        assert_eq!(spaced.value("SELECT count (*) FROM item").await, "100");
        assert_ne!(code(&strict.query("SELECT count (*) FROM item").await), 0);
    }
}

e2e::mysql_scenarios! {
    both: [
        settings_tell_readers_apart,
        text_and_binary_do_not_mix,
    ],
    twice: [
        the_schema_tells_readers_apart,
        a_statement_reads_the_schema_it_was_prepared_in,
        variables_that_drivers_ask_for_are_kept_for_who_has_not_set_them,
        a_read_without_rights_is_refused_though_another_has_it_cached,
        values_and_types_of_parameters_count,
        ignore_space_is_a_way_of_reading,
    ],
}
