//! Issue 11, item 2, found by PostgreSQL's own tests: what SQL has prepared where nobody can put another name, and what its errors
//! say.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Frame, error, rows, say, sqlstate, tags},
};

const RUNS: &str = "CREATE FUNCTION runs(text) RETURNS text LANGUAGE plpgsql AS $$ \
    DECLARE found text; BEGIN EXECUTE $1 INTO found; RETURN found; END $$";

fn names(frames: &[Frame]) -> String {
    let names = rows(frames).into_iter().flatten().flatten();
    names.collect::<Vec<_>>().join(",")
}

async fn finds_in_code(place: Place, caching: bool) {
    let setup = match caching {
        true => Setup::pool_of(2),
        false => Setup { pool_size: 2, ..Setup::caching("disabled = true") },
    };
    let stage = Stage::with(place, setup).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run(RUNS).await;
    client.run("SET TimeZone = 'UTC'").await;
    let at = "extract(epoch FROM timestamptz '2020-01-01 12:00')::int";
    client.run(&format!("PREPARE \"An at\" AS SELECT {at}")).await;
    client.run("SET TimeZone = 'Asia/Tokyo'").await;
    client.run("PREPARE pp (int) AS SELECT $1 + 1").await;
    client.run("CREATE TABLE gone AS SELECT 'gone'").await;
    client.run("PREPARE lost AS SELECT * FROM gone").await;
    other.hold_a_backend().await;
    assert_eq!(client.value("EXECUTE pp(1)").await, "2", "on another backend, if there is one");
    other.run("DROP TABLE gone; COMMIT").await;
    for _time in 0..2 {
        assert_eq!(client.value("SELECT runs('EXECUTE pp(4)')").await, "5");
        assert_eq!(client.value("SELECT runs('EXECUTE \"An at\"')").await, "1577880000");
        let extended = client.extended("SELECT runs($1)", &["EXECUTE pp(7)"]).await;
        assert_eq!(names(&extended), "8", "{extended:?}");
        let gone = client.query("SELECT runs('EXECUTE lost')").await;
        assert!(["26000", "42P01"].contains(&sqlstate(&gone).as_str()), "{gone:?}");
        other.hold_a_backend().await;
    }
    let block = "DO $$ DECLARE one int; BEGIN FOR one IN EXECUTE 'EXECUTE pp(3)' LOOP \
        RAISE NOTICE 'found %', one; END LOOP; END $$";
    let notices = client.run(block).await;
    assert!(notices.iter().any(|frame| frame.field(b'M') == "found 4"), "{notices:?}");
    assert_eq!(client.value("EXECUTE pp(1)").await, "2");
    client.run("DEALLOCATE pp").await;
    assert_eq!(sqlstate(&client.query("EXECUTE pp(1)").await), "26000");
    client.run("PREPARE pp AS SELECT 'anew'").await;
    assert_eq!(client.value("SELECT runs('EXECUTE pp')").await, "anew");
    other.query("ROLLBACK").await;
    client.run("DEALLOCATE ALL").await;
    assert_eq!(sqlstate(&client.query("SELECT runs('EXECUTE pp')").await), "26000");
    client.run("PREPARE pp AS SELECT 'free'").await;
    assert_eq!(client.value("EXECUTE pp").await, "free");
}

async fn code_finds_what_sql_has_prepared(place: Place) {
    finds_in_code(place, true).await;
}

async fn code_finds_what_sql_has_prepared_where_nothing_is_cached(place: Place) {
    finds_in_code(place, false).await;
}

/// In a block, and in one write with what comes before it.
async fn code_finds_what_sql_has_prepared_in_the_middle_of_things(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut client = stage.client().await;
    client.run(RUNS).await;
    client.run("PREPARE pp (int) AS SELECT $1 + 1").await;
    client.run("CREATE TABLE gone AS SELECT 'gone'").await;
    client.run("PREPARE lost AS SELECT * FROM gone").await;
    client.run("DROP TABLE gone").await;
    client.run("BEGIN").await;
    assert_eq!(client.value("SELECT runs('EXECUTE pp(4)')").await, "5");
    assert_eq!(names(&client.extended("SELECT runs($1)", &["EXECUTE pp(7)"]).await), "8");
    client.run("ROLLBACK").await;
    assert_eq!(client.value("EXECUTE pp(1)").await, "2");
    let mut client = stage.client().await;
    let texts =
        ["PREPARE pp (int) AS SELECT $1 + 2", "BEGIN", "SELECT runs('EXECUTE pp(4)')", "COMMIT"];
    client.send(texts.map(say::query).concat()).await;
    let mut told = Vec::new();
    for _text in texts {
        told.push(names(&client.until_ready().await));
    }
    assert_eq!(told, ["", "", "6", ""]);
    drop(client);
    // A failed block runs nothing.
    let mut client = stage.client().await;
    client.run("PREPARE pp AS SELECT 1").await;
    client.query("BEGIN; SELECT 1/0").await;
    client.query("BEGIN; SELECT nowhere").await;
    for text in ["SELECT runs('EXECUTE pp')", "EXECUTE nowhere", "DO 'BEGIN END'"] {
        let told = client.query(text).await;
        assert_eq!((sqlstate(&told).as_str(), tags(&told).as_str()), ("25P02", "EZ"), "{text}");
    }
    drop(client);
    // Skipped behind an error, so that the statement is what it was.
    let mut client = stage.client().await;
    client.run("PREPARE pp (int) AS SELECT $1 + 3").await;
    let skipped = client
        .ask(&[
            say::parse("", "SELECT 1/0", &[]),
            say::bind("", "", &[], &[], &[]),
            say::execute("", 0),
            say::parse("", "SELECT runs('EXECUTE pp(4)')", &[]),
            say::bind("", "", &[], &[], &[]),
            say::execute("", 0),
            say::sync(),
        ])
        .await;
    assert_eq!(sqlstate(&skipped), "22012");
    assert_eq!(client.value("EXECUTE pp(1)").await, "4");
    assert_eq!(client.value("SELECT runs('EXECUTE pp(1)')").await, "4");
}

async fn a_pinned_session_lists_its_own_names(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    let list = "SELECT name FROM pg_prepared_statements ORDER BY name";
    client.ask(&[say::parse("by_parse", "SELECT 1", &[]), say::sync()]).await;
    client.run("PREPARE by_sql AS SELECT 1").await;
    client.run("CREATE TEMP TABLE own (v int)").await;
    client.run("PREPARE later AS SELECT 1").await;
    assert_eq!(names(&client.run(list).await), "by_parse,by_sql,later");
    client.run("BEGIN").await;
    assert_eq!(names(&client.run(list).await), "by_parse,by_sql,later");
    client.run("CREATE TEMP TABLE PG_prepared_statements AS SELECT 'of a table' AS name").await;
    assert_eq!(names(&client.run(list).await), "of a table");
}

/// The backend is given other names than the client's.
async fn errors_point_into_the_clients_own_text(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    client.run("PREPARE pp (int) AS SELECT $1").await;
    client.run("PREPARE \"é\" (int, bytea) AS SELECT $1").await;
    for (text, place) in [
        ("PREPARE p1 AS SELECT $1a", "$1a"),
        ("PREPARE p1 (nothing) AS SELECT $1", "nothing"),
        ("PREPARE p1 AS SELECT 'é', nowhere", "nowhere"),
        ("EXECUTE pp('bad')", "'bad'"),
        ("EXECUTE pp(1); EXECUTE \"é\"(1, 'ok'); EXECUTE pp('bad')", "'bad'"),
        ("EXECUTE \"é\"('é', 'ok')", "'é', 'ok'"),
        ("EXPLAIN EXECUTE pp(nowhere)", "nowhere"),
        ("SELECT pg_backend_pid(), nowhere", "nowhere"),
    ] {
        let reply = client.query(text).await;
        let position = text.split_once(place).expect("there").0.chars().count() + 1;
        let told = reply.iter().find(|frame| frame.tag == b'E').map(|frame| frame.field(b'P'));
        assert_eq!(told, Some(position.to_string()), "{text}: {reply:?}");
    }
}

/// Found by random scripts: one statement can have two names.
async fn errors_speak_of_the_name_that_was_said(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    let parse = |name: &str| say::parse(name, "SELECT $1::int + 1", &[]);
    client.ask(&[parse("a"), say::sync()]).await;
    client.ask(&[parse("c"), say::sync()]).await;
    client.send([parse("b"), say::query("EXECUTE b")].concat()).await;
    assert!(error(&client.until_ready().await).contains("\"b\""));
    client.send(["EXECUTE a", "EXECUTE c", "SELECT 1; EXECUTE b"].map(say::query).concat()).await;
    for name in ["a", "c", "b"] {
        let told = error(&client.until_ready().await);
        assert!(told.contains(&format!("prepared statement \"{name}\"")), "{told}");
    }
}

/// What a backend lacks is parsed there ahead of the client's text: of an error there the client hears once.
async fn a_statement_that_is_gone_is_told_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    client.run("CREATE TABLE gone (a int)").await;
    for (name, text) in
        [("a", "SELECT * FROM gone"), ("b", "SELECT a FROM gone"), ("c", "SELECT 'c'")]
    {
        client.run(&format!("PREPARE {name} AS {text}")).await;
    }
    client.ask(&[say::parse("by_parse", "SELECT * FROM gone", &[]), say::sync()]).await;
    other.run("DROP TABLE gone").await;
    for _backend in 0..2 {
        other.hold_a_backend().await;
        let told = client.query("EXECUTE a").await;
        assert_eq!((tags(&told).as_str(), sqlstate(&told).as_str()), ("EZ", "42P01"), "{told:?}");
        assert_eq!(error(&told), "relation \"gone\" does not exist");
        let position = told.iter().find(|frame| frame.tag == b'E').map(|frame| frame.field(b'P'));
        assert_eq!(position, Some("28".into()), "in the text of the PREPARE");
        let texts = ["EXECUTE b", "SELECT 'behind'", "EXECUTE c"];
        client.send(texts.map(say::query).concat()).await;
        let mut told = Vec::new();
        for _text in texts {
            told.push(tags(&client.until_ready().await));
        }
        assert_eq!(told, ["EZ", "TDCZ", "TDCZ"]);
        client.run("BEGIN").await;
        assert_eq!(sqlstate(&client.query("EXECUTE a").await), "42P01");
        assert_eq!(sqlstate(&client.query("SELECT 1").await), "25P02");
        client.run("ROLLBACK").await;
    }
    other.query("ROLLBACK").await;
    // To deallocate it, it need not be what it was.
    for name in ["a", "b", "by_parse"] {
        other.hold_a_backend().await;
        assert_eq!(tags(&client.query(&format!("DEALLOCATE {name}")).await), "CZ", "{name}");
        other.query("ROLLBACK").await;
        assert_eq!(sqlstate(&client.query(&format!("EXECUTE {name}")).await), "26000");
    }
    assert_eq!(names(&client.run("SELECT name FROM pg_prepared_statements").await), "c");
}

/// Found by random scripts: what an EXECUTE runs may name another statement, or ask about its session.
async fn an_execute_runs_what_its_statement_names_and_asks(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let own = client.value("SELECT pg_backend_pid()").await;
    for by_sql in [false, true] {
        // SQL prepares no statements about statements.
        if by_sql {
            client.run("PREPARE pid AS SELECT pg_backend_pid()").await;
        } else {
            client.ask(&[say::parse("pid", "SELECT pg_backend_pid()", &[]), say::sync()]).await;
        }
        for (name, text) in [("a", "SELECT 'a'"), ("self", "DEALLOCATE self")] {
            client.ask(&[say::parse(name, text, &[]), say::sync()]).await;
        }
        for (name, text) in [("explains", "EXPLAIN EXECUTE a"), ("drops", "DEALLOCATE a")] {
            client.ask(&[say::parse(name, text, &[]), say::sync()]).await;
        }
        other.hold_a_backend().await;
        assert_eq!(client.value("EXECUTE pid").await, own);
        assert_eq!(rows(&client.run("EXECUTE explains").await).len(), 1);
        let nested = client.query("EXPLAIN EXECUTE explains").await;
        assert_eq!(names(&nested), "Utility statements have no plan structure");
        for (dropper, name) in [("drops", "a"), ("self", "self")] {
            let text = format!("EXECUTE {dropper}");
            assert_eq!(tags(&client.query(&text).await), "CZ", "{text}");
            assert_eq!(sqlstate(&client.query(&format!("EXECUTE {name}")).await), "26000");
            other.hold_a_backend().await;
        }
        assert_eq!(sqlstate(&client.query("EXECUTE explains").await), "26000");
        other.query("ROLLBACK").await;
        client.run("DEALLOCATE ALL").await;
    }
}

e2e::scenarios! {
    twice: [
        an_execute_runs_what_its_statement_names_and_asks,
        code_finds_what_sql_has_prepared,
        errors_point_into_the_clients_own_text,
        a_statement_that_is_gone_is_told_once,
    ],
    once: [
        errors_speak_of_the_name_that_was_said,
        code_finds_what_sql_has_prepared_where_nothing_is_cached,
        code_finds_what_sql_has_prepared_in_the_middle_of_things,
        a_pinned_session_lists_its_own_names,
    ],
}
