//! FAULTS rows 19f and 19h: the constants of a prepared statement are read once, with the settings of its Parse.

use e2e::{
    stage::{Place, Stage},
    wire::rows,
};

use super::prepared_moves::{World, first, prepare, run, run_with};

/// FAULTS row 19f, 19h: constants are read with the settings of the Parse, wherever and whenever the statement runs, and not
/// with those of another client that prepared the same text.
async fn constants_are_read_as_at_the_parse(place: Place) {
    let mut world = World::open(place).await;
    // What is set, a text whose constant it decides, what it is at the Parse, and with the default.
    let table = [
        (
            "TimeZone TO 'Asia/Tokyo'",
            "'2020-01-01 12:00'::timestamptz = '2020-01-01 03:00Z'",
            "t",
            "f",
        ),
        ("DateStyle TO 'SQL, DMY'", "extract(month FROM '01/02/2020'::date)", "2", "1"),
        ("IntervalStyle TO 'sql_standard'", "'-1 2:00'::interval = '-26 hours'", "t", "f"),
        ("array_nulls TO off", "('{NULL}'::text[])[1] IS NULL", "f", "t"),
        ("transform_null_equals TO on", "(NULL = NULL) IS NULL", "f", "t"),
        (
            "timezone_abbreviations TO 'Australia'",
            "'2020-01-01 12:00 EST'::timestamptz < '2020-01-01 12:00Z'",
            "t",
            "f",
        ),
        ("standard_conforming_strings TO off", "length('\\\\')", "1", "2"),
    ];
    for (number, (set, text, at_parse, by_default)) in table.into_iter().enumerate() {
        let (sql, name) = (format!("SELECT {text}"), format!("s{number}"));
        prepare(&mut world.other, &name, &sql).await;
        world.client.run(&format!("SET {set}")).await;
        prepare(&mut world.client, &name, &sql).await;
        let setting = set.split(' ').next().expect("a name");
        for reset in [None, Some(format!("RESET {setting}")), None] {
            if let Some(reset) = reset {
                world.client.run(&reset).await;
            }
            for _turn in 0..2 {
                assert_eq!(first(&world.other.ask(&[run(&name)]).await), by_default, "{sql}");
                assert_eq!(first(&world.client.ask(&[run(&name)]).await), at_parse, "{sql} {set}");
                world.move_client().await;
                assert_eq!(first(&world.client.ask(&[run(&name)]).await), at_parse, "{sql} {set}");
                world.other.run("COMMIT").await;
            }
        }
        assert_eq!(world.client.value(&format!("SHOW {setting}")).await, {
            world.around.value(&format!("SHOW {setting}")).await
        });
    }
}

/// FAULTS row 19h: what a transaction has set and the server does not report counts for what it prepares.
async fn constants_are_read_as_in_their_transaction(place: Place) {
    let mut world = World::open(place).await;
    let table = [
        (
            "TimeZone TO 'Asia/Tokyo'",
            "'2020-01-01 12:00'::timestamptz = '2020-01-01 03:00Z'",
            "t",
            "f",
        ),
        ("array_nulls TO off", "('{NULL}'::text[])[1] IS NULL", "f", "t"),
        ("transform_null_equals TO on", "(NULL = NULL) IS NULL", "f", "t"),
    ];
    for (number, (set, text, at_parse, by_default)) in table.into_iter().enumerate() {
        for (at, scope) in ["", "LOCAL"].into_iter().enumerate() {
            let name = format!("s{number}{at}");
            world.client.run("BEGIN").await;
            world.client.run(&format!("SET {scope} {set}")).await;
            prepare(&mut world.client, &name, &format!("SELECT {text}")).await;
            world.client.run(if at == 0 { "ROLLBACK" } else { "COMMIT" }).await;
            prepare(&mut world.other, &name, &format!("SELECT {text}")).await;
            for _turn in 0..3 {
                assert_eq!(
                    first(&world.client.ask(&[run(&name)]).await),
                    at_parse,
                    "{scope} {set}"
                );
                world.move_client().await;
                assert_eq!(
                    first(&world.client.ask(&[run(&name)]).await),
                    at_parse,
                    "{scope} {set}"
                );
                world.other.run("COMMIT").await;
                let others = first(&world.other.ask(&[run(&name)]).await);
                assert_eq!(others, by_default, "another's {set}");
            }
        }
    }
}

/// FAULTS row 19h: what an INSERT stores is what its own client's settings say.
async fn an_insert_stores_what_its_own_settings_say(place: Place) {
    let mut world = World::open(place).await;
    world.around.run("CREATE TABLE i (who text, at timestamptz, on_day date)").await;
    world.other.run("SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO, MDY'").await;
    world.client.run("SET TimeZone TO 'Asia/Tokyo'; SET DateStyle TO 'ISO, DMY'").await;
    let sql = "INSERT INTO i VALUES ($1, '2020-01-01 12:00', '01/02/2020')";
    prepare(&mut world.other, "s", sql).await;
    prepare(&mut world.client, "s", sql).await;
    world.other.ask(&[run_with("s", b"other", 0)]).await;
    world.client.ask(&[run_with("s", b"client", 0)]).await;
    let stored = "SELECT string_agg(who || ' ' || (at AT TIME ZONE 'UTC') || ' ' || to_char(on_day, 'Mon DD'), ',' ORDER BY who) FROM i";
    assert_eq!(
        world.around.value(stored).await,
        "client 2020-01-01 03:00:00 Feb 01,other 2020-01-01 12:00:00 Jan 02"
    );
}

/// Which settings decide how constants are read is known of every setting that a client may change: those of these groups do
/// not, and of the others each was looked at.
async fn every_setting_was_looked_at(place: Place) {
    const READ_AT_THE_PARSE: [&str; 11] = [
        "DateStyle",
        "IntervalStyle",
        "TimeZone",
        "array_nulls",
        "backslash_quote",
        "client_encoding",
        "lc_monetary",
        "standard_conforming_strings",
        "timezone_abbreviations",
        "transform_null_equals",
        "xmloption",
    ];
    const READ_WHEN_IT_RUNS: [&str; 42] = [
        "allow_alter_system",
        "bytea_output",
        "check_function_bodies",
        "client_connection_check_interval",
        "client_min_messages",
        "createrole_self_grant",
        "default_table_access_method",
        "default_tablespace",
        "default_text_search_config",
        "default_toast_compression",
        "default_transaction_deferrable",
        "default_transaction_isolation",
        "default_transaction_read_only",
        "default_with_oids",
        "dynamic_library_path",
        "escape_string_warning",
        "event_triggers",
        "extension_control_path",
        "extra_float_digits",
        "file_copy_method",
        "gin_fuzzy_search_limit",
        "gin_pending_list_limit",
        "icu_validation_level",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "lc_messages",
        "lc_numeric",
        "lc_time",
        "lo_compat_privileges",
        "local_preload_libraries",
        "lock_timeout",
        "quote_all_identifiers",
        "restrict_nonsystem_relation_kind",
        "row_security",
        "search_path",
        "session_preload_libraries",
        "session_replication_role",
        "statement_timeout",
        "synchronize_seqscans",
        "temp_tablespaces",
        "transaction_timeout",
        "xmlbinary",
    ];
    let stage = Stage::open(place).await;
    let mut superuser = stage.superuser().await;
    let sql = "SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') \
               AND category ~ '^(Client Connection|Version and Platform|Customized)' \
               AND name NOT LIKE 'vacuum%' AND name NOT LIKE 'transaction\\_%' AND name !~ '[.]'";
    let found = rows(&superuser.query(sql).await).into_iter().flatten().flatten();
    let unknown: Vec<_> = found
        .filter(|name| !READ_AT_THE_PARSE.contains(&name.as_str()))
        .filter(|name| !READ_WHEN_IT_RUNS.contains(&name.as_str()))
        .collect();
    assert_eq!(unknown, Vec::<String>::new(), "nobody has looked at these");
    drop(stage);
}

e2e::scenarios! {
    everywhere: [
        every_setting_was_looked_at,
    ],
    twice: [
        constants_are_read_as_at_the_parse,
        constants_are_read_as_in_their_transaction,
        an_insert_stores_what_its_own_settings_say,
    ],
}
