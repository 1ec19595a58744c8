//! What a followed setting is worth on the next backend: the value that the client's statement gave it, whatever it
//! hung on there.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, Version, recovers},
    wire::{rows, say, sqlstate},
};

/// FAULTS row 6: a SET of one half keeps the other, and nobody else's.
async fn half_a_date_style_keeps_the_other_half(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut other, mut plain) = (stage.client().await, stage.client().await);
    other.run("SET datestyle = 'Postgres, YMD'").await;
    for (texts, expected) in [
        (vec!["SET datestyle = 'SQL'", "SET datestyle = 'dmy'"], "SQL, DMY"),
        (vec!["SET datestyle = 'dmy'", "SET datestyle = SQL"], "SQL, DMY"),
        (vec!["SELECT set_config('DateStyle', 'German', false)"], "German, DMY"),
        (vec!["SET datestyle = 'YMD'; SELECT set_config('datestyle', 'SQL', false)"], "SQL, YMD"),
        (vec!["BEGIN", "SET datestyle = 'SQL'", "SET datestyle = 'ymd'", "COMMIT"], "SQL, YMD"),
        (vec!["BEGIN; SET datestyle = 'SQL'; COMMIT; SELECT 1"], "SQL, MDY"),
        (vec!["SET datestyle = 'SQL'", "BEGIN", "SET datestyle = 'dmy'", "ROLLBACK"], "SQL, MDY"),
        (
            vec!["BEGIN", "SET datestyle = 'SQL'", "SET LOCAL datestyle = 'ymd'", "COMMIT"],
            "SQL, MDY",
        ),
        (vec!["SET datestyle = 'SQL, DMY'", "SET datestyle = 'default'"], "ISO, MDY"),
        (vec!["SET datestyle = 'SQL'", "RESET datestyle", "SET datestyle = 'ymd'"], "ISO, YMD"),
    ] {
        let mut client = stage.client().await;
        for text in &texts {
            client.run(text).await;
            if !texts.contains(&"BEGIN") {
                assert_eq!(other.value("SHOW datestyle").await, "Postgres, YMD");
                assert_eq!(plain.value("SHOW datestyle").await, "ISO, MDY");
            }
        }
        for _turn in 0..2 {
            assert_eq!(client.value("SHOW datestyle").await, expected, "{texts:?}");
            assert_eq!(client.parameters["DateStyle"], expected, "{texts:?}");
            assert_eq!(other.value("SHOW datestyle").await, "Postgres, YMD");
        }
        client.close().await;
    }
}

/// Found by PostgreSQL's isolation tests, whose every session names itself by an expression: a reported setting needs no
/// pin.
async fn a_reported_setting_is_followed_whatever_its_expression(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut other, mut bystander) = (stage.client().await, stage.client().await);
    other.run("SET application_name = 'other'; SET timezone = 'Asia/Tokyo'").await;
    let rename = "SELECT set_config('application_name', \
                  current_setting('application_name') || '/' || $1, false)";
    let mut client = stage.client_with(&[("application_name", "base")]).await;
    client.extended(rename, &["x"]).await;
    client.extended(rename, &["it's"]).await;
    for (texts, name, expected) in [
        (&[][..], "application_name", "base/x/it's"),
        (
            &["BEGIN", "SELECT set_config('application_name', 'a' || 'b', false)", "ROLLBACK"],
            "application_name",
            "base/x/it's",
        ),
        (
            &["BEGIN; SET LOCAL application_name = 'l'; SET application_name FROM CURRENT; COMMIT"],
            "application_name",
            "l",
        ),
        (
            &[
                "SELECT set_config('application_name', 'a' || g, false) FROM generate_series(1, 3) g",
            ],
            "application_name",
            "a3",
        ),
        (
            &["SELECT set_config('application_name', 'n', false) WHERE 1 = 2"],
            "application_name",
            "a3",
        ),
        (
            &[
                "SELECT set_config('application_name', 'a' || 'b', false); SET application_name = 'c'",
            ],
            "application_name",
            "c",
        ),
        (&["SET TIME ZONE INTERVAL '+03:00' HOUR TO MINUTE"], "TimeZone", "<+03>-03"),
        (
            &["SELECT set_config('timezone', 'Europe/' || 'Vienna', false), 1"],
            "TimeZone",
            "Europe/Vienna",
        ),
        (&["SELECT set_config('datestyle', 'S' || 'QL', false)"], "DateStyle", "SQL, MDY"),
        (&["RESET application_name"], "application_name", "base"),
    ] {
        for text in texts {
            client.run(text).await;
        }
        for _turn in 0..2 {
            assert_ne!(other.value(&format!("SHOW {name}")).await, expected, "{texts:?}");
            assert_eq!(bystander.value("SHOW application_name").await, "", "{texts:?}");
            assert_eq!(client.value(&format!("SHOW {name}")).await, expected, "{texts:?}");
            assert_eq!(client.parameters[name], expected, "{texts:?}");
        }
    }
    if place.version == Version::Eighteen {
        client.run("SELECT set_config('search_path', 'pg_' || 'catalog, \"A b\"', false)").await;
        assert_eq!(bystander.value("SHOW search_path").await, "\"$user\", public");
        assert_eq!(client.value("SHOW search_path").await, "pg_catalog, \"A b\"");
    }
    if !stage.is_direct() {
        assert_eq!(stage.metrics().await.pins(), 0.0);
    }
}

/// FAULTS row 6: a half in the startup packet meets the server's default, and a SET meets that.
async fn half_a_date_style_of_the_startup_meets_the_default(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut other = stage.client().await;
    other.run("SET datestyle = 'Postgres, YMD'").await;
    let mut client = stage.client_with(&[("DateStyle", "German")]).await;
    let start = client.parameters["DateStyle"].clone();
    assert_eq!(start, "German, DMY");
    for _turn in 0..2 {
        assert_eq!(client.value("SHOW datestyle").await, start);
        assert_eq!(other.value("SHOW datestyle").await, "Postgres, YMD");
    }
    client.run("SET datestyle = 'YMD'").await;
    for _turn in 0..2 {
        assert_eq!(other.value("SHOW datestyle").await, "Postgres, YMD");
        assert_eq!(client.value("SHOW datestyle").await, "German, YMD");
    }
    for reset in ["RESET datestyle", "SET datestyle = 'default'", "RESET ALL", "DISCARD ALL"] {
        client.run("SET datestyle = 'ISO, YMD'").await;
        client.run(reset).await;
        assert_eq!(client.parameters["DateStyle"], start, "{reset}");
        assert_eq!(other.value("SHOW datestyle").await, "Postgres, YMD");
        assert_eq!(client.value("SHOW datestyle").await, start, "{reset}");
    }
}

/// FAULTS row 16: without standard_conforming_strings a backslash escapes, in a SET too.
async fn a_backslash_in_a_set_is_read_as_the_server_reads_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    // In one write: the second is read another way because of the first.
    client
        .send(
            [
                say::query(
                    "SET standard_conforming_strings = off; SET escape_string_warning = off",
                ),
                say::query(r"SET application_name = 'a\\b'"),
            ]
            .concat(),
        )
        .await;
    client.until_ready().await;
    client.until_ready().await;
    for _turn in 0..2 {
        assert_eq!(other.value("SHOW application_name").await, "");
        assert_eq!(client.value("SHOW application_name").await, r"a\b");
    }
    client.run(r"SELECT set_config('app.x', 'c\\d', false)").await;
    client.run(r"SELECT 'x\'; SET app.x = 1; --'").await;
    for _turn in 0..2 {
        other.run("SELECT 1").await;
        assert_eq!(client.value("SHOW app.x").await, r"c\d");
    }
}

/// FAULTS row 16: the same with characters that came in another encoding.
async fn a_value_with_other_letters_arrives_as_it_was_meant(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut latin, mut other) = (stage.client().await, stage.client().await);
    latin.run("SET client_encoding = 'LATIN1'").await;
    latin.ask(&[say::message(b'Q', b"SET app.x = 'caf\xe9'\0")]).await;
    other.run("SET app.x = 'naïve 🐘 \\'").await;
    for _turn in 0..3 {
        let reply = latin.query("SHOW app.x").await;
        let row = reply.iter().find(|frame| frame.tag == b'D').expect("a row");
        assert_eq!(row.columns()[0].as_deref(), Some(&b"caf\xe9"[..]));
        assert_eq!(other.value("SHOW app.x").await, "naïve 🐘 \\");
    }
}

/// As row 6: what a configuration's bare name means is settled when it is set.
async fn a_text_search_configuration_is_the_one_that_was_meant(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("CREATE TEXT SEARCH CONFIGURATION one.mine (COPY = simple)").await;
    client.run("CREATE TEXT SEARCH CONFIGURATION two.mine (COPY = simple)").await;
    client.run("SET search_path = one").await;
    client.run("SET default_text_search_config = 'mine'").await;
    client.run("SET search_path = two").await;
    for _turn in 0..2 {
        other.run("SELECT 1").await;
        assert_eq!(client.value("SHOW default_text_search_config").await, "one.mine");
    }
}

/// As row 6: the text of an EXECUTE does not say what it sets.
async fn what_an_execute_sets_stays_with_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.ask(&[say::parse("s", "SET search_path TO two", &[]), say::sync()]).await;
    client.run("EXECUTE s").await;
    for _turn in 0..3 {
        assert_eq!(sqlstate(&other.query("SELECT name FROM thing").await), "42P01");
        assert_eq!(client.value("SELECT name FROM thing").await, "from two");
    }
}

/// As row 25: of two settings that exclude each other one goes before the other comes.
async fn settings_that_exclude_each_other_change_hands(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    stage.superuser().await.run("ALTER ROLE app SUPERUSER").await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    one.run("SET log_statement_stats = on").await;
    two.run("SET log_parser_stats = on").await;
    for _turn in 0..2 {
        assert_eq!(one.value("SHOW log_parser_stats").await, "off");
        assert_eq!(two.value("SHOW log_statement_stats").await, "off");
    }
}

/// FAULTS row 25: what needs rights is given before they are dropped, and taken back with them.
async fn a_setting_that_needs_rights_follows_a_client_that_dropped_them(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut superuser = stage.superuser().await;
    superuser
        .run("CREATE ROLE plain; CREATE ROLE power SUPERUSER; GRANT plain, power TO app")
        .await;
    let show = "SELECT current_user || ' ' || session_user || ' ' \
                || current_setting('session_replication_role')";
    for (is_super, texts, expected) in [
        (true, ["SET session_replication_role = replica", "SET ROLE plain"], "plain app replica"),
        (
            true,
            ["SET session_replication_role = replica", "SET SESSION AUTHORIZATION plain"],
            "plain plain replica",
        ),
        (false, ["SET ROLE power", "SET session_replication_role = replica"], "power app replica"),
        (
            false,
            ["SET ROLE power; SET session_replication_role = replica", "SET ROLE plain"],
            "plain app replica",
        ),
        (
            false,
            ["SET ROLE power; SET session_replication_role = replica", "RESET ROLE"],
            "app app replica",
        ),
        (
            false,
            ["BEGIN; SET LOCAL ROLE power; SET session_replication_role = replica; COMMIT", ""],
            "app app replica",
        ),
    ] {
        let word = if is_super { "SUPERUSER" } else { "NOSUPERUSER" };
        superuser.run(&format!("ALTER ROLE app {word}")).await;
        let (mut client, mut other) = (stage.client().await, stage.client().await);
        let is_pinned = texts[0].contains("LOCAL");
        for text in texts {
            client.run(text).await;
            if !is_pinned {
                assert_eq!(other.value(show).await, "app app origin", "{texts:?}");
            }
        }
        for _turn in 0..2 {
            assert_eq!(client.value(show).await, expected, "{texts:?}");
            if !is_pinned {
                assert_eq!(other.value(show).await, "app app origin", "{texts:?}");
            }
        }
        if expected.starts_with("plain") {
            let refused = client.query("SET session_replication_role = local").await;
            assert_eq!(sqlstate(&refused), "42501", "{texts:?}");
            client.run("RESET ROLE; RESET SESSION AUTHORIZATION").await;
            let reply = client.run(show).await;
            assert_eq!(rows(&reply)[0][0].as_deref(), Some("app app replica"));
        }
        client.close().await;
        recovers(&mut other).await;
        assert_eq!(other.value(show).await, "app app origin", "{texts:?}");
        other.close().await;
    }
}

/// FAULTS row 18: the server never forgets the name of a custom setting (see "Known differences"); what others set it to
/// reaches nobody.
async fn a_custom_setting_of_another_is_empty_and_never_its_value(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut owner, mut other) = (stage.client().await, stage.client().await);
    let ask = "SELECT coalesce(current_setting('app.tenant', true), 'NULL')";
    assert_eq!(other.value(ask).await, "NULL");
    for texts in [
        &["SET app.tenant = '7'"][..],
        &["SELECT set_config('app.tenant', '7', false)"],
        &["BEGIN; SET LOCAL app.tenant = '8'; COMMIT"],
        &["BEGIN", "SELECT set_config('app.tenant', '8', true)", "ROLLBACK"],
    ] {
        for text in texts {
            owner.run(text).await;
        }
        assert_eq!(owner.value(ask).await, "7", "its own goes with it: {texts:?}");
        // What it was told before the name was known may be in the cache.
        let told = other.value(ask).await;
        assert!(["", "NULL"].contains(&&*told), "another's is empty: {texts:?}: {told}");
        assert_eq!(other.value("SHOW app.tenant").await, "");
    }
    for reset in ["RESET app.tenant", "DISCARD ALL"] {
        owner.run(reset).await;
        let told = owner.value(ask).await;
        assert!(["", "NULL"].contains(&&*told), "as at the database: {reset}: {told}");
    }
}

e2e::scenarios! {
    twice: [
        half_a_date_style_keeps_the_other_half,
        half_a_date_style_of_the_startup_meets_the_default,
        a_reported_setting_is_followed_whatever_its_expression,
        a_backslash_in_a_set_is_read_as_the_server_reads_it,
        a_value_with_other_letters_arrives_as_it_was_meant,
        a_text_search_configuration_is_the_one_that_was_meant,
        what_an_execute_sets_stays_with_its_client,
        settings_that_exclude_each_other_change_hands,
        a_setting_that_needs_rights_follows_a_client_that_dropped_them,
    ],
    jumpgate_twice: [
        a_custom_setting_of_another_is_empty_and_never_its_value,
    ],
}
