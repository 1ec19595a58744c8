//! FAULTS rows 8 to 10 and 19f to 19i: what a prepared statement is stays so, whatever backend serves its client and whatever
//! others do to the schema and to their settings. Each holds at the database itself too.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Frame, Wire, error, rows, say, sqlstate, tags},
};

/// Two clients of a pool of two, and one that goes around jumpgate.
struct World {
    _stage: Stage,
    client: Wire,
    other: Wire,
    around: Wire,
}

impl World {
    async fn open(place: Place) -> Self {
        Self::with(place, Setup::pool_of(2)).await
    }

    async fn with(place: Place, setup: Setup) -> Self {
        let stage = Stage::with(place, setup).await;
        let (client, other) = (stage.client().await, stage.client().await);
        let around = stage.direct().await;
        Self { _stage: stage, client, other, around }
    }

    /// The client's next statement is served by the backend that the other client held, if it held one.
    async fn move_client(&mut self) {
        self.other.run("COMMIT").await;
        self.client.run("BEGIN; SELECT 1").await;
        self.other.run("BEGIN; SELECT 1").await;
        self.client.run("COMMIT").await;
    }
}

async fn prepare(client: &mut Wire, name: &str, sql: &str) {
    let reply = client.ask(&[say::parse(name, sql, &[]), say::sync()]).await;
    assert_eq!(tags(&reply).trim_start_matches('N'), "1Z", "{reply:?}");
}

fn run(name: &str) -> Vec<u8> {
    [say::bind("", name, &[], &[], &[]), say::execute("", 0), say::sync()].concat()
}

fn run_with(name: &str, value: &[u8], format: u16) -> Vec<u8> {
    let bind = say::bind("", name, &[format], &[Some(value)], &[]);
    [bind, say::execute("", 0), say::sync()].concat()
}

fn first(frames: &[Frame]) -> String {
    rows(frames).into_iter().flatten().next().flatten().unwrap_or_else(|| sqlstate(frames))
}

/// FAULTS row 19f: the types of parameters that the first Parse settled hold on every backend.
async fn parameters_keep_their_types_on_every_backend(place: Place) {
    let mut world = World::open(place).await;
    world.around.run("CREATE TABLE t (b int8)").await;
    let insert = "INSERT INTO t (b) VALUES ($1)";
    let messages = [say::parse("s", insert, &[]), say::describe(b'S', "s"), say::sync()];
    assert_eq!(tags(&world.client.ask(&messages).await), "1tnZ");
    world.around.run("ALTER TABLE t ALTER b TYPE float8").await;
    for _turn in 0..3 {
        world.move_client().await;
        let reply = world.client.ask(&[run_with("s", &5_i64.to_be_bytes(), 1)]).await;
        assert_eq!(tags(&reply), "2CZ", "{reply:?}");
    }
    assert_eq!(world.around.value("SELECT string_agg(b::text, ',') FROM t").await, "5,5,5");
}

/// FAULTS row 19f: rows that are not those of the first Parse are an error, whether they are described, read or written, and
/// what would return them has not run.
async fn rows_that_changed_are_an_error_on_every_backend(place: Place) {
    // A cache may answer with the rows of before, as they were.
    let setup = Setup { caching: "disabled = true".into(), ..Setup::pool_of(2) };
    let mut world = World::with(place, setup).await;
    world.around.run("CREATE TABLE f (a int, b int); INSERT INTO f VALUES (1, 2)").await;
    world.around.run("CREATE TABLE log (n int, m int)").await;
    prepare(&mut world.client, "read", "SELECT * FROM f").await;
    prepare(&mut world.client, "write", "INSERT INTO log VALUES (1, 2) RETURNING *").await;
    assert_eq!(rows(&world.client.ask(&[run("read")]).await).len(), 1);
    world.around.run("ALTER TABLE f DROP a; ALTER TABLE f ADD c int DEFAULT 3").await;
    world.around.run("ALTER TABLE log DROP m; ALTER TABLE log ADD o int").await;
    for _turn in 0..3 {
        world.move_client().await;
        for name in ["read", "write"] {
            let reply = world.client.ask(&[run(name)]).await;
            assert_eq!(
                (tags(&reply).as_str(), sqlstate(&reply).as_str()),
                ("EZ", "0A000"),
                "{name}"
            );
            assert_eq!(reply[0].field(b'R'), "RevalidateCachedQuery", "as drivers look for");
            let reply = world.client.ask(&[say::describe(b'S', name), say::sync()]).await;
            assert_eq!(sqlstate(&reply), "0A000", "{name}");
        }
        world.client.run("BEGIN").await;
        let reply = world.client.ask(&[run("read")]).await;
        assert_eq!((sqlstate(&reply).as_str(), &reply[1].body[..]), ("0A000", &b"E"[..]));
        assert_eq!(sqlstate(&world.client.query("SELECT 1").await), "25P02", "the block failed");
        world.client.run("ROLLBACK").await;
    }
    assert_eq!(world.around.value("SELECT count(*) FROM log").await, "0");
    // What is prepared now is what it is now.
    prepare(&mut world.client, "anew", "SELECT * FROM f").await;
    let reply = world.client.ask(&[run("anew")]).await;
    assert_eq!(rows(&reply), [[Some("2".to_owned()), Some("3".to_owned())]]);
    world.client.ask(&[say::close(b'S', "read"), say::sync()]).await;
    prepare(&mut world.client, "read", "SELECT * FROM f").await;
    assert_eq!(rows(&world.client.ask(&[run("read")]).await)[0].len(), 2);
}

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

/// FAULTS row 19g: a client that prepares a text gets what it is now, whatever backends were told of it before.
async fn a_fresh_parse_is_parsed(place: Place) {
    let mut world = World::open(place).await;
    let table = [
        ("timestamp", "timestamptz", "SELECT pg_typeof(coalesce(NULL, $1, v)) FROM g"),
        ("float8", "numeric", "SELECT pg_typeof(coalesce(NULL, $1, v)) FROM g"),
        ("int4", "text", "SELECT pg_typeof(coalesce(NULL, $1, v)) FROM g"),
    ];
    for (before, after, sql) in table {
        world
            .around
            .run(&format!("CREATE TABLE g (v {before}); INSERT INTO g VALUES (NULL)"))
            .await;
        for client in [&mut world.client, &mut world.other] {
            prepare(client, "old", sql).await;
        }
        world.around.run(&format!("ALTER TABLE g ALTER v TYPE {after}")).await;
        for client in [&mut world.client, &mut world.other] {
            let parse = say::parse("new", sql, &[]);
            let reply = client.ask(&[parse, say::describe(b'S', "new"), say::sync()]).await;
            assert_eq!(tags(&reply), "1tTZ");
            let value: &[u8] = if after == "text" { b"007" } else { b"2020-01-01" };
            let value = if after == "numeric" { b"1.5" } else { value };
            let reply = client.ask(&[run_with("new", value, 0)]).await;
            let name = if after == "timestamptz" { "timestamp with time zone" } else { after };
            assert_eq!(first(&reply), name);
            client.ask(&[say::close(b'S', "old"), say::close(b'S', "new"), say::sync()]).await;
        }
        world.around.run("DROP TABLE g").await;
    }
    // Within one transaction, and behind a table that shadows another.
    world.around.run("CREATE TABLE h (v int); INSERT INTO h VALUES (1)").await;
    prepare(&mut world.client, "h1", "SELECT * FROM h").await;
    world.client.run("BEGIN; ALTER TABLE h ADD w text DEFAULT 'new'").await;
    prepare(&mut world.client, "h2", "SELECT * FROM h").await;
    assert_eq!(rows(&world.client.ask(&[run("h2")]).await)[0].len(), 2);
    world.client.run("ROLLBACK").await;
    prepare(&mut world.client, "h3", "SELECT * FROM h").await;
    assert_eq!(rows(&world.client.ask(&[run("h3")]).await)[0].len(), 1);
    world.client.run("CREATE TEMP TABLE h AS SELECT 'temporary' AS v").await;
    prepare(&mut world.client, "h4", "SELECT * FROM h").await;
    assert_eq!(first(&world.client.ask(&[run("h4")]).await), "temporary");
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

/// FAULTS row 8: an error takes back what was said behind it, and nothing else.
async fn a_failed_group_leaves_names_as_they_were(place: Place) {
    let mut world = World::open(place).await;
    let client = &mut world.client;
    prepare(client, "a", "SELECT 'old'").await;
    let reply = client
        .ask(&[
            say::execute("nosuch", 0),
            say::close(b'S', "a"),
            say::parse("a", "SELECT 'new'", &[]),
            say::close(b'S', "a"),
            say::sync(),
        ])
        .await;
    assert_eq!(sqlstate(&reply), "34000");
    assert_eq!(first(&client.ask(&[run("a")]).await), "old");
    // The unnamed statement: gone if its own Parse failed, as it was if that was skipped.
    prepare(client, "", "SELECT 'old'").await;
    let skipped = [say::execute("nosuch", 0), say::parse("", "SELECT 'new'", &[]), say::sync()];
    client.ask(&skipped).await;
    assert_eq!(first(&client.ask(&[run("")]).await), "old");
    client.ask(&[say::parse("", "bad bad", &[]), say::sync()]).await;
    assert_eq!(first(&client.ask(&[run("")]).await), "26000");
}

/// FAULTS row 9: in the next group a name is what the last one made of it, also if both come in one write.
async fn a_name_is_certain_once_its_group_was_heard(place: Place) {
    let mut world = World::open(place).await;
    let client = &mut world.client;
    let bad = || say::parse("", "bad bad", &[]);
    let groups = async |client: &mut Wire, messages: Vec<Vec<u8>>, count: usize| {
        client.send(messages.concat()).await;
        let mut replies = Vec::new();
        for _group in 0..count {
            replies.push(client.until_ready().await);
        }
        replies
    };
    prepare(client, "P0", "SELECT 'old'").await;
    let new = || say::parse("P0", "SELECT 'new'", &[]);
    let messages = vec![bad(), say::close(b'S', "P0"), new(), say::sync(), run("P0")];
    let replies = groups(client, messages, 2).await;
    assert_eq!((sqlstate(&replies[0]).as_str(), first(&replies[1]).as_str()), ("42601", "old"));

    let messages = vec![
        say::parse("e", "bad bad", &[]),
        say::sync(),
        say::parse("e", "SELECT 2", &[]),
        run("e"),
    ];
    let replies = groups(client, messages, 2).await;
    assert_eq!((sqlstate(&replies[0]).as_str(), first(&replies[1]).as_str()), ("42601", "2"));

    client.run("BEGIN").await;
    assert_eq!(sqlstate(&client.query("SELECT 1/0").await), "22012");
    let messages =
        vec![say::close(b'S', "P0"), new(), say::sync(), say::query("ROLLBACK"), run("P0")];
    let replies = groups(client, messages, 3).await;
    assert_eq!(first(&replies[0]), "25P02");
    assert_eq!(first(&replies[2]), "26000", "it was closed, and not made anew");
    assert!(error(&replies[2]).contains("\"P0\""), "the client's own name: {}", error(&replies[2]));
}

/// FAULTS row 28: a statement that SQL takes away is away for what stands behind it in the same write.
async fn deallocate_holds_for_what_is_behind_it(place: Place) {
    let mut world = World::open(place).await;
    let client = &mut world.client;
    for forget in ["DEALLOCATE d1", "DEALLOCATE ALL"] {
        prepare(client, "d1", "SELECT 'old'").await;
        let messages = [
            say::parse("", forget, &[]),
            run(""),
            say::parse("d1", "SELECT 'new'", &[]),
            say::sync(),
            run("d1"),
        ];
        client.send(messages.concat()).await;
        assert_eq!(tags(&client.until_ready().await), "12CZ", "{forget}");
        assert_eq!(tags(&client.until_ready().await), "1Z", "{forget}");
        assert_eq!(first(&client.until_ready().await), "new", "{forget}");
        // All in one group.
        let bind = [say::bind("", "", &[], &[], &[]), say::execute("", 0)].concat();
        let parse = say::parse("d1", "SELECT 'newer'", &[]);
        let reply = client.ask(&[say::parse("", forget, &[]), bind, parse, run("d1")]).await;
        assert_eq!(tags(&reply), "12C12DCZ", "{forget}: {reply:?}");
        assert_eq!(first(&reply), "newer", "{forget}");
        client.run("DEALLOCATE d1").await;
    }
}

/// FAULTS rows 10, 19i: a statement that names another means the one that has the name when it runs.
async fn a_name_in_a_statement_is_looked_up_when_it_runs(place: Place) {
    let mut world = World::open(place).await;
    prepare(&mut world.client, "a", "SELECT 'old'").await;
    prepare(&mut world.client, "x", "EXECUTE a").await;
    prepare(&mut world.client, "d", "DEALLOCATE a").await;
    assert_eq!(first(&world.client.ask(&[run("x")]).await), "old");
    world.client.ask(&[say::close(b'S', "a"), say::sync()]).await;
    assert_eq!(first(&world.client.ask(&[run("x")]).await), "26000");
    prepare(&mut world.client, "a", "SELECT 'new'").await;
    for _turn in 0..2 {
        assert_eq!(first(&world.client.ask(&[run("x")]).await), "new");
        world.move_client().await;
        let reply = world
            .client
            .ask(&[say::parse("e", "EXECUTE a", &[]), say::describe(b'S', "e"), say::sync()])
            .await;
        assert_eq!(tags(&reply), "1tTZ", "it is described as what it runs");
        assert_eq!(first(&world.client.ask(&[run("e")]).await), "new");
        world.client.ask(&[say::close(b'S', "e"), say::sync()]).await;
    }
    assert_eq!(tags(&world.client.ask(&[run("d")]).await), "2CZ");
    assert_eq!(first(&world.client.ask(&[run("a")]).await), "26000");
}

/// FAULTS row 27: names of statements in every kind of text, however they are written.
async fn names_in_sql_are_the_clients_own(place: Place) {
    let mut world = World::open(place).await;
    let long = "n".repeat(70);
    for name in ["_PLAN1", "a \" b", "execute", &long] {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        for (text, seen) in [
            ("BEGIN; EXECUTE NAME; COMMIT", "CTDCCZ"),
            ("EXECUTE NAME; SELECT 5", "TDCTDCZ"),
            ("EXPLAIN (COSTS off) EXECUTE NAME", "TDCZ"),
            ("CREATE TEMP TABLE execute AS EXECUTE NAME; DROP TABLE execute", "CCZ"),
            ("SAVEPOINT p;DEALLOCATE NAME;RELEASE p", "EZ"),
            ("DEALLOCATE PREPARE NAME /* NAME */; SELECT 1/0", "CEZ"),
        ] {
            prepare(&mut world.client, name, "SELECT 'it'").await;
            world.move_client().await;
            let text = text.replace("NAME", &quoted);
            let reply = world.client.query(&text).await;
            let reply: Vec<_> = reply.into_iter().filter(|frame| frame.tag != b'N').collect();
            assert_eq!(tags(&reply), seen, "{text}: {reply:?}");
            if !text.contains("PREPARE") {
                world.client.run(&format!("DEALLOCATE {quoted}")).await;
            }
            assert_eq!(sqlstate(&world.client.ask(&[run(name)]).await), "26000", "{text}");
        }
    }
    // SQL and protocol share one space of names.
    prepare(&mut world.client, "shared", "SELECT 1").await;
    let reply = world.client.query("PREPARE shared AS SELECT 2").await;
    assert_eq!(error(&reply), "prepared statement \"shared\" already exists");
    world.client.run("PREPARE by_sql AS SELECT 2").await;
    let reply = world.client.ask(&[say::parse("by_sql", "SELECT 1", &[]), say::sync()]).await;
    assert_eq!(error(&reply), "prepared statement \"by_sql\" already exists");
}

/// FAULTS row 26: what a client does to a backend's statements where nobody sees it costs no other client anything.
async fn a_deallocate_in_a_function_is_not_felt_by_others(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    for sql in ["SELECT now() IS NULL", "SELECT $1::int, now() IS NULL"] {
        let values: &[Option<&[u8]>] = if sql.contains('$') { &[Some(b"7")] } else { &[] };
        prepare(&mut client, "s", sql).await;
        other.run("DO $$ BEGIN EXECUTE 'deallocate all'; END $$").await;
        let bind = say::bind("", "s", &[], values, &[]);
        let reply = client.ask(&[bind, say::execute("", 0), say::sync()]).await;
        assert_eq!(tags(&reply), "2DCZ", "{reply:?}");
        client.ask(&[say::close(b'S', "s"), say::sync()]).await;
    }
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
        rows_that_changed_are_an_error_on_every_backend,
        every_setting_was_looked_at,
    ],
    twice: [
        parameters_keep_their_types_on_every_backend,
        constants_are_read_as_at_the_parse,
        a_fresh_parse_is_parsed,
        an_insert_stores_what_its_own_settings_say,
        a_failed_group_leaves_names_as_they_were,
        a_name_is_certain_once_its_group_was_heard,
        deallocate_holds_for_what_is_behind_it,
        a_name_in_a_statement_is_looked_up_when_it_runs,
        names_in_sql_are_the_clients_own,
        a_deallocate_in_a_function_is_not_felt_by_others,
    ],
}
