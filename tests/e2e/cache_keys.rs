//! The key: two clients that could see different bytes never share an entry.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{rows, say},
};

/// A setting, its value for each of two clients, and a read that it changes.
const SETTINGS: [(&str, &str, &str, &str); 12] = [
    ("search_path", "one", "two", "SELECT name FROM thing"),
    ("TimeZone", "'Asia/Tokyo'", "'America/New_York'", "SELECT made FROM item WHERE id = 1"),
    ("DateStyle", "'German'", "'ISO, DMY'", "SELECT made FROM item WHERE id = 2"),
    (
        "IntervalStyle",
        "iso_8601",
        "sql_standard",
        "SELECT '1 day 02:03:04'::interval, id FROM item WHERE id = 1",
    ),
    ("extra_float_digits", "0", "3", "SELECT 0.1::float8 + id FROM item WHERE id = 1"),
    ("bytea_output", "escape", "hex", "SELECT '\\x6100'::bytea FROM item WHERE id = 1"),
    ("client_encoding", "LATIN1", "UTF8", "SELECT 'Gr\u{fc}n' || name FROM item WHERE id = 1"),
    ("standard_conforming_strings", "off", "on", "SELECT 'a\\\\b' FROM item WHERE id = 1"),
    ("ROLE", "reader", "app", "SELECT count(*) FROM guarded"),
    ("lc_monetary", "'C'", "'POSIX'", "SELECT '1.5'::money FROM item WHERE id = 1"),
    ("xmloption", "document", "content", "SELECT name FROM item WHERE id = 3"),
    ("array_nulls", "off", "on", "SELECT '{NULL}'::text[] FROM item WHERE id = 1"),
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
        let (of_a, of_b) = (direct_a.query(sql).await, direct_b.query(sql).await);
        for turn in 0..3 {
            assert_eq!(a.query(sql).await, of_a, "{name}, turn {turn}");
            assert_eq!(b.query(sql).await, of_b, "{name}, turn {turn}");
        }
        // The first client changes its mind: nothing of its old view may come back.
        a.run(&format!("SET {name} = {right}")).await;
        assert_eq!(a.query(sql).await, of_b, "{name}, changed");
        a.run(&format!("RESET {name}")).await;
    }
}

async fn startup_parameters_tell_readers_apart(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut one = stage.client_with(&[("search_path", "one")]).await;
    let mut two = stage.client_with(&[("options", "-c search_path=two")]).await;
    for _turn in 0..3 {
        assert_eq!(one.value("SELECT name FROM thing").await, "from one");
        assert_eq!(two.value("SELECT name FROM thing").await, "from two");
    }
}

async fn rows_guarded_by_policies_are_seen_by_their_owner_only(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut app, mut reader) = (stage.client().await, stage.client().await);
    reader.run("SET ROLE reader").await;
    for _turn in 0..3 {
        assert_eq!(app.value("SELECT string_agg(note, ',') FROM guarded").await, "for app");
        assert_eq!(reader.value("SELECT string_agg(note, ',') FROM guarded").await, "for reader");
    }
}

async fn a_read_without_rights_is_refused_though_another_has_it_cached(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut app, mut reader) = (stage.client().await, stage.client().await);
    reader.run("SET ROLE reader").await;
    let sql = "SELECT note FROM secret_row ORDER BY id";
    for _turn in 0..2 {
        assert_eq!(rows(&app.run(sql).await).len(), 2);
        assert_eq!(e2e::wire::sqlstate(&reader.query(sql).await), "42501");
    }
}

async fn values_and_types_of_parameters_count(place: Place) {
    let stage = Stage::open(place).await;
    let mut client = stage.client().await;
    for _turn in 0..3 {
        for id in ["1", "2", "3"] {
            let reply = client.extended("SELECT name FROM item WHERE id = $1", &[id]).await;
            assert_eq!(rows(&reply), [[Some(format!("item {id}"))]]);
        }
        for (oid, value, expected) in [(25, "01", "01"), (23, "01", "1"), (1700, "01.50", "1.50")] {
            let bind = say::bind("", "", &[], &[Some(value.as_bytes())], &[]);
            let ask = [
                say::parse("", "SELECT $1 FROM item WHERE id = 1", &[oid]),
                bind,
                say::execute("", 0),
                say::sync(),
            ];
            assert_eq!(rows(&client.ask(&ask).await), [[Some(expected.to_owned())]], "type {oid}");
        }
        let null = say::bind("", "", &[], &[None], &[]);
        let empty = say::bind("", "", &[], &[Some(b"")], &[]);
        for (bind, expected) in [(null, "t"), (empty, "f")] {
            let ask = [
                say::parse("", "SELECT $1::text IS NULL FROM item WHERE id = 1", &[]),
                bind,
                say::execute("", 0),
                say::sync(),
            ];
            assert_eq!(rows(&client.ask(&ask).await), [[Some(expected.to_owned())]]);
        }
    }
}

async fn formats_of_columns_count(place: Place) {
    let stage = Stage::open(place).await;
    let (mut client, mut direct) = (stage.client().await, stage.direct().await);
    let formats: [&[u16]; 6] = [&[], &[0], &[1], &[0, 1], &[1, 0], &[1, 1]];
    for _turn in 0..2 {
        for wanted in formats {
            let bind = say::bind("", "", &[], &[], wanted);
            let sql = "SELECT id, price FROM item WHERE id = 1";
            let ask = [
                say::parse("", sql, &[]),
                bind,
                say::describe(b'P', ""),
                say::execute("", 0),
                say::sync(),
            ];
            assert_eq!(client.ask(&ask).await, direct.ask(&ask).await, "{wanted:?}");
            assert_eq!(client.query(sql).await, direct.query(sql).await, "as a simple query");
            let silent = [
                say::parse("", sql, &[]),
                say::bind("", "", &[], &[], wanted),
                say::execute("", 0),
                say::sync(),
            ];
            assert_eq!(
                client.ask(&silent).await,
                direct.ask(&silent).await,
                "{wanted:?} without Describe"
            );
        }
    }
}

async fn the_status_byte_is_the_readers_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let sql = "SELECT name FROM item WHERE id = 1";
    a.run("BEGIN").await;
    assert_eq!(a.run(sql).await.last().unwrap().body.as_ref(), b"T");
    assert_eq!(b.run(sql).await.last().unwrap().body.as_ref(), b"I");
    assert_eq!(b.run(sql).await.last().unwrap().body.as_ref(), b"I");
    assert_eq!(a.run(sql).await.last().unwrap().body.as_ref(), b"T");
    a.run("COMMIT").await;
    assert_eq!(a.run(sql).await.last().unwrap().body.as_ref(), b"I");
}

e2e::scenarios! {
    twice: [
        settings_tell_readers_apart,
        startup_parameters_tell_readers_apart,
        rows_guarded_by_policies_are_seen_by_their_owner_only,
        a_read_without_rights_is_refused_though_another_has_it_cached,
        values_and_types_of_parameters_count,
        formats_of_columns_count,
        the_status_byte_is_the_readers_own,
    ],
}
