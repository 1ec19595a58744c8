//! What clients say about their own sessions, answered without the database: the same bytes, and the same session behind it.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Frame, Wire, error, say, sqlstate},
};

/// What reads nothing may be a hit too.
const KINDS: [&str; 4] = ["set", "show", "reset", "hit"];

/// How many of these round trips were not needed.
async fn spared(stage: &Stage) -> f64 {
    let metrics = stage.metrics().await;
    KINDS.into_iter().map(|kind| metrics.saved(kind)).sum()
}

/// Says it as a simple query, or in the extended protocol as drivers do. In which order settings are reported is nobody's
/// business.
async fn ask(client: &mut Wire, sql: &str, is_simple: bool) -> Vec<Frame> {
    let mut reply = match is_simple {
        true => client.query(sql).await,
        false => ask_extended(client, sql).await,
    };
    let is_status = |frame: &Frame| frame.tag == b'S';
    let mut statuses: Vec<Frame> = reply.iter().filter(|it| is_status(it)).cloned().collect();
    statuses.sort_by(|one, other| one.body.cmp(&other.body));
    reply.retain(|frame| !is_status(frame));
    reply.extend(statuses);
    reply
}

async fn ask_extended(client: &mut Wire, sql: &str) -> Vec<Frame> {
    let messages = [
        say::parse("", sql, &[]),
        say::bind("", "", &[], &[], &[]),
        say::describe(b'P', ""),
        say::execute("", 0),
        say::sync(),
    ];
    client.ask(&messages).await
}

/// What the session is then, seen by a statement that reads a table, and so is never answered for it.
async fn state(client: &mut Wire) -> Vec<Frame> {
    client
        .query(
            "SELECT current_setting('search_path'), current_setting('TimeZone'), \
             current_setting('DateStyle'), current_setting('work_mem'), nullif(current_setting('a.b', true), ''), \
             current_setting('application_name'), current_setting('statement_timeout'), \
             (SELECT count(*) FROM item) /* jumpgate: no-cache */",
        )
        .await
}

/// Texts that are one statement each, in an order in which they mean something.
const TEXTS: [&str; 32] = [
    "SET search_path TO one, public",
    "SHOW search_path",
    "SELECT current_schema()",
    "SELECT pg_catalog.current_setting('search_path')",
    "SET TIME ZONE 'Asia/Tokyo'",
    "SHOW TIME ZONE",
    "SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE",
    "SHOW TIME ZONE",
    "SET TimeZone TO 'Europe/Oslo'",
    "SET DateStyle TO 'German'",
    "SHOW DateStyle",
    "SET DateStyle = 'ISO, DMY'",
    "SET work_mem = '5MB'",
    "SHOW work_mem",
    "RESET work_mem",
    "SHOW work_mem",
    "SET a.b = 'c'",
    "SET application_name TO 'a name'",
    "SHOW application_name",
    "SET statement_timeout = 5000",
    "SHOW transaction isolation level",
    "SHOW standard_conforming_strings",
    "SELECT version()",
    "select pg_catalog.version()",
    "SELECT set_config('search_path', 'two', false)",
    "SHOW search_path",
    "UNLISTEN *",
    "CLOSE ALL",
    "RESET ALL",
    "SHOW search_path",
    "DEALLOCATE ALL",
    "DISCARD ALL",
];

async fn the_second_client_hears_the_same_and_asks_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for is_simple in [true, false] {
        let (mut direct, mut first) = (stage.direct().await, stage.client().await);
        let mut second = stage.client().await;
        for sql in TEXTS {
            let expected = ask(&mut direct, sql, is_simple).await;
            assert_eq!(error(&expected), "", "{sql}");
            assert_eq!(ask(&mut first, sql, is_simple).await, expected, "{sql}");
            let before = spared(&stage).await;
            assert_eq!(ask(&mut second, sql, is_simple).await, expected, "{sql}");
            assert_eq!(spared(&stage).await, before + 1.0, "{sql}");
            assert_eq!(first.parameters, second.parameters, "{sql}");
        }
        let expected = state(&mut direct).await;
        assert_eq!(state(&mut second).await, expected);
    }
}

/// It travels with the next statement, and the next client has nothing of it.
async fn what_is_set_so_holds_for_whoever_set_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for _client in 0..3 {
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        for sql in TEXTS {
            let (expected, found) =
                (ask(&mut direct, sql, true).await, ask(&mut client, sql, true).await);
            assert_eq!(found, expected, "{sql}");
            assert_eq!(state(&mut client).await, state(&mut direct).await, "behind {sql}");
        }
        client.run("SET work_mem = '6MB'").await;
        let (mut direct, mut other) = (stage.direct().await, stage.client().await);
        assert_eq!(state(&mut other).await, state(&mut direct).await);
    }
}

/// What it is reset to is what its own startup packet said.
async fn a_reset_goes_back_to_what_the_client_began_with(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for options in
        [&[("search_path", "one"), ("TimeZone", "Asia/Tokyo")][..], &[("search_path", "two")], &[]]
    {
        for text in ["RESET ALL", "DISCARD ALL", "RESET search_path", "SET search_path TO DEFAULT"]
        {
            for _client in 0..2 {
                let mut direct = Wire::connect_with(&stage.postgres.endpoint(), options).await;
                let mut client = stage.client_with(options).await;
                for sql in
                    ["SET search_path TO public", "SET TimeZone TO 'UTC'", text, "SHOW search_path"]
                {
                    assert_eq!(
                        ask(&mut client, sql, true).await,
                        ask(&mut direct, sql, true).await,
                        "{sql} of {options:?}"
                    );
                }
                assert_eq!(
                    state(&mut client).await,
                    state(&mut direct).await,
                    "{text} of {options:?}"
                );
            }
        }
    }
}

/// asyncpg's and others' texts, also with something to tidy.
async fn a_text_that_tidies_is_answered_as_the_database_does(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let asyncpg = "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;";
    for before in [
        "",
        "SET work_mem = '5MB'",
        "SELECT pg_advisory_lock_shared(3)",
        "LISTEN a",
        "CREATE TEMP TABLE t (a int)",
    ] {
        for text in [asyncpg, "DISCARD ALL", "RESET ALL; DEALLOCATE ALL", "ROLLBACK; DISCARD ALL"] {
            for _client in 0..2 {
                let (mut direct, mut client) = (stage.direct().await, stage.client().await);
                if !before.is_empty() {
                    direct.run(before).await;
                    client.run(before).await;
                }
                let (expected, found) =
                    (ask(&mut direct, text, true).await, ask(&mut client, text, true).await);
                assert_eq!(found, expected, "{before}; {text}");
                assert_eq!(state(&mut client).await, state(&mut direct).await, "{before}; {text}");
                direct.close().await;
                client.close().await;
            }
        }
    }
    // Of a session with nothing it costs nothing.
    let mut client = stage.client().await;
    for text in [asyncpg, "DISCARD ALL", "RESET ALL; DEALLOCATE ALL"] {
        let before = spared(&stage).await;
        client.run(text).await;
        assert_eq!(spared(&stage).await, before + 1.0, "{text}");
    }
    // And leaves no statement.
    let parse = [say::parse("s", "SELECT 1", &[]), say::sync()];
    assert_eq!(error(&client.ask(&parse).await), "");
    client.run("DISCARD ALL").await;
    let bind = [say::bind("", "s", &[], &[], &[]), say::sync()];
    assert_eq!(sqlstate(&client.ask(&bind).await), "26000");
}

/// What is wrong is the database's to refuse, each time, and what changes rights is asked.
async fn what_was_never_accepted_is_asked(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    for _client in 0..2 {
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        let before = spared(&stage).await;
        for sql in [
            "SET nosuch TO 1",
            "SET work_mem TO 'much'",
            "SET TimeZone TO 'Nowhere/Else'",
            "SET log_statement TO 'all'",
            "SHOW nosuch",
            "SHOW no.such",
            "SELECT current_setting('nosuch')",
            "SET LOCAL work_mem TO '5MB'",
            "SET ROLE nosuch",
            "RESET ROLE",
            "SET SESSION AUTHORIZATION DEFAULT",
            "CLOSE nosuch",
            "DEALLOCATE nosuch",
        ] {
            assert_eq!(client.query(sql).await, direct.query(sql).await, "{sql}");
        }
        assert_eq!(spared(&stage).await, before);
    }
}

/// What sessions begin with changes what is shown, and what a reset goes back to.
async fn what_sessions_begin_with_is_known_when_it_changes(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut other = stage.client().await;
    for path in ["one", "two"] {
        for _client in 0..2 {
            let mut client = stage.client().await;
            client.value("SHOW search_path").await;
            client.run("RESET ALL").await;
        }
        other.run(&format!("ALTER ROLE app SET search_path = {path}")).await;
        let mut client = stage.client().await;
        assert_eq!(client.value("SHOW search_path").await, path);
        assert_eq!(client.value("SELECT current_schema()").await, path);
        client.run("SET search_path TO public").await;
        client.run("RESET ALL").await;
        assert_eq!(client.value("SHOW search_path").await, path);
        other.run("CREATE SCHEMA IF NOT EXISTS nosuch").await;
        client.run("SET search_path TO nosuch").await;
        assert_eq!(client.value("SELECT current_schema()").await, "nosuch");
        other.run("DROP SCHEMA nosuch").await;
        assert_eq!(client.value("SELECT current_schema()").await, "NULL");
    }
}

/// In a block, and on a backend of its own, a client asks.
async fn who_holds_a_backend_is_answered_by_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut learner = stage.client().await;
    learner.run("SET work_mem = '5MB'").await;
    learner.run("SHOW work_mem").await;
    for before in ["BEGIN; SELECT count(*) FROM item; SET LOCAL work_mem = '7MB'", "LISTEN a"] {
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        for sql in [
            before,
            "SHOW work_mem",
            "SET work_mem = '5MB'",
            "SHOW work_mem",
            "RESET ALL",
            "SHOW work_mem",
            "DISCARD ALL",
            "ROLLBACK",
            "SHOW work_mem",
        ] {
            let expected = ask(&mut direct, sql, true).await;
            assert_eq!(ask(&mut client, sql, true).await, expected, "{before}; {sql}");
        }
    }
}

/// As asyncpg and PostgREST set something: the value is a parameter, which it follows.
async fn a_setting_follows_its_parameter(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let set = async |client: &mut Wire, sql: &str, value: Option<&[u8]>| {
        let messages = [
            say::parse("", sql, &[]),
            say::describe(b'S', ""),
            say::bind("", "", &[], &[value], &[]),
            say::execute("", 0),
            say::sync(),
        ];
        client.ask(&messages).await
    };
    let many: [(&str, Option<&[u8]>, bool); 8] = [
        ("SELECT set_config('jit', $1, false)", Some(b"on"), true),
        ("SELECT set_config('work_mem', $1, false)", Some(b"5MB"), true),
        ("SELECT pg_catalog.set_config('search_path', $1, false)", Some(b"one, public"), true),
        ("SELECT set_config('work_mem', $1, false)", Some(b"much"), false),
        ("SELECT set_config('work_mem', $1, true)", Some(b"7MB"), false),
        ("SELECT set_config('TimeZone', $1, false)", Some(b"Asia/Tokyo"), true),
        ("SELECT set_config('DateStyle', $1, false)", Some(b"German"), true),
        ("SELECT set_config('statement_timeout', $1, false)", Some(b"5s"), true),
    ];
    for client_number in 0..3 {
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        for (sql, value, is_spared) in many {
            let expected = set(&mut direct, sql, value).await;
            let before = spared(&stage).await;
            assert_eq!(set(&mut client, sql, value).await, expected, "{sql}");
            if client_number > 0 && is_spared {
                assert_eq!(spared(&stage).await, before + 1.0, "{sql}");
            }
            assert_eq!(state(&mut client).await, state(&mut direct).await, "behind {sql}");
        }
        assert_eq!(client.value("SHOW jit").await, "on");
        assert_eq!(stage.metrics().await.sum("jumpgate_pins_total", &[]), 0.0);
        client.close().await;
        direct.close().await;
        let mut reset = stage.client().await;
        let mut direct = stage.direct().await;
        assert_eq!(state(&mut reset).await, state(&mut direct).await, "it has nothing of it");
    }
    // Without a value it goes back to what it was.
    let (mut direct, mut client) = (stage.direct().await, stage.client().await);
    for value in [Some(&b"5MB"[..]), None] {
        let sql = "SELECT set_config('work_mem', $1, false)";
        assert_eq!(set(&mut client, sql, value).await, set(&mut direct, sql, value).await);
        assert_eq!(state(&mut client).await, state(&mut direct).await);
    }
}

e2e::scenarios! {
    jumpgate_twice: [
        the_second_client_hears_the_same_and_asks_nobody,
        what_is_set_so_holds_for_whoever_set_it,
        a_reset_goes_back_to_what_the_client_began_with,
        a_text_that_tidies_is_answered_as_the_database_does,
        what_was_never_accepted_is_asked,
        what_sessions_begin_with_is_known_when_it_changes,
        who_holds_a_backend_is_answered_by_it,
        a_setting_follows_its_parameter,
    ],
}
