//! Statements by name: each client has its own names, whatever backend serves it.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Frame, Wire, error, rows, say, sqlstate, tags},
};

fn run(name: &str) -> Vec<u8> {
    [say::bind("", name, &[], &[], &[]), say::execute("", 0), say::sync()].concat()
}

fn first(frames: &[Frame]) -> String {
    rows(frames).into_iter().flatten().next().flatten().unwrap_or_else(|| error(frames))
}

async fn prepare(client: &mut Wire, name: &str, sql: &str) {
    let reply = client.ask(&[say::parse(name, sql, &[]), say::sync()]).await;
    assert_eq!(tags(&reply), "1Z", "{reply:?}");
}

async fn one_name_means_another_statement_to_another_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    prepare(&mut a, "s", "SELECT 'of a'").await;
    prepare(&mut b, "s", "SELECT 'of b'").await;
    for _turn in 0..3 {
        assert_eq!(first(&a.ask(&[run("s")]).await), "of a");
        assert_eq!(first(&b.ask(&[run("s")]).await), "of b");
    }
}

async fn the_unnamed_statement_belongs_to_its_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    prepare(&mut a, "", "SELECT 'of a'").await;
    prepare(&mut b, "", "SELECT 'of b'").await;
    for _turn in 0..2 {
        assert_eq!(first(&a.ask(&[run("")]).await), "of a");
        assert_eq!(first(&b.ask(&[run("")]).await), "of b");
    }
}

async fn an_unnamed_statement_that_is_parsed_again_is_what_was_said_last(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client().await;
    let typed = async |client: &mut Wire, oid| {
        let parse = say::parse("", "SELECT pg_typeof($1)::text", &[oid]);
        let bind = say::bind("", "", &[], &[Some(b"1")], &[]);
        first(&client.ask(&[parse, bind, say::execute("", 0), say::sync()]).await)
    };
    for (oid, name) in [(23, "integer"), (23, "integer"), (25, "text"), (23, "integer")] {
        assert_eq!(typed(&mut client, oid).await, name);
    }
    client.run("SELECT 1").await;
    assert_eq!(typed(&mut client, 23).await, "integer", "also behind a simple query");

    // By SQL a statement has another name at the backend: the text that was sent is not the text that was said.
    let execute = async |client: &mut Wire, sql: &str| {
        first(&client.ask(&[say::parse("", sql, &[]), run("")]).await)
    };
    assert_eq!(sqlstate(&client.ask(&[say::parse("", "EXECUTE s", &[]), run("")]).await), "26000");
    prepare(&mut client, "s", "SELECT 'one'").await;
    let ours = client.value("SELECT name FROM pg_prepared_statement()").await;
    assert_eq!(execute(&mut client, "EXECUTE s").await, "one");
    client.ask(&[say::close(b'S', "s"), say::sync()]).await;
    prepare(&mut client, "s", "SELECT 'two'").await;
    assert_eq!(execute(&mut client, &format!("EXECUTE \"{ours}\"")).await, "one");
    assert_eq!(execute(&mut client, "EXECUTE s").await, "two");
}

async fn a_statement_works_on_a_backend_that_never_saw_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    prepare(&mut a, "s", "SELECT 'of a'").await;
    for _turn in 0..4 {
        // Whichever backend b holds, a gets the other one.
        b.hold_a_backend().await;
        b.run("SELECT pg_backend_pid()").await;
        assert_eq!(first(&a.ask(&[run("s")]).await), "of a");
        a.run("BEGIN").await;
        b.run("COMMIT").await;
        assert_eq!(first(&a.ask(&[run("s")]).await), "of a");
        a.run("COMMIT").await;
    }
}

async fn a_failed_parse_is_not_remembered(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for sql in ["SELEKT 1", "SELECT * FROM not_yet"] {
        let reply = a.ask(&[say::parse("s", sql, &[]), run("s")]).await;
        assert_eq!(tags(&reply), "EZ", "exactly one error for {sql}");
        assert_eq!(sqlstate(&a.ask(&[run("s")]).await), "26000", "there is no such statement");
    }
    b.run("CREATE TABLE not_yet (a int)").await;
    prepare(&mut a, "s", "SELECT * FROM not_yet").await;
    assert_eq!(tags(&a.ask(&[run("s")]).await), "2CZ");
}

async fn a_parse_that_an_error_skipped_never_happened(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut a = stage.client().await;
    let failing =
        [say::parse("", "SELECT 1/0", &[]), say::bind("", "", &[], &[], &[]), say::execute("", 0)]
            .concat();
    let reply = a.ask(&[failing, say::parse("late", "SELECT 1", &[]), say::sync()]).await;
    assert_eq!(sqlstate(&reply), "22012");
    assert_eq!(sqlstate(&a.ask(&[run("late")]).await), "26000");
    prepare(&mut a, "late", "SELECT 'now'").await;
    assert_eq!(first(&a.ask(&[run("late")]).await), "now");
}

async fn types_of_parameters_tell_statements_apart(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let sql = "SELECT pg_typeof($1)::text";
    for (client, oid) in [(&mut a, 23), (&mut b, 25)] {
        assert_eq!(tags(&client.ask(&[say::parse("s", sql, &[oid]), say::sync()]).await), "1Z");
    }
    let bind = || [say::bind("", "s", &[], &[Some(b"1")], &[]), say::execute("", 0), say::sync()];
    assert_eq!(first(&a.ask(&bind()).await), "integer");
    assert_eq!(first(&b.ask(&bind()).await), "text");
}

async fn a_changed_table_does_not_break_shared_statements(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    b.run("CREATE TABLE shape (one int)").await;
    b.run("INSERT INTO shape VALUES (1)").await;
    prepare(&mut a, "s", "SELECT * FROM shape").await;
    assert_eq!(rows(&a.ask(&[run("s")]).await).len(), 1);
    b.run("ALTER TABLE shape ADD two int DEFAULT 2").await;
    let reply = a.ask(&[run("s")]).await;
    let told =
        sqlstate(&reply) == "0A000" || rows(&reply).first().is_some_and(|row| row.len() == 2);
    assert!(told, "a is told, or gets both columns: {reply:?}");
    // A client that prepares anew gets the new shape, under any name and on any backend.
    for (client, name) in [(&mut b, "s"), (&mut a, "t")] {
        prepare(client, name, "SELECT * FROM shape").await;
        let reply = client.ask(&[run(name)]).await;
        assert_eq!(rows(&reply).first().map(Vec::len), Some(2), "{reply:?}");
    }
    let reply = a
        .ask(&[say::close(b'S', "s"), say::parse("s", "SELECT * FROM shape", &[]), run("s")])
        .await;
    assert_eq!(rows(&reply).first().map(Vec::len), Some(2), "{reply:?}");
}

async fn statements_of_sql_follow_their_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("PREPARE p(int) AS SELECT $1 + 100").await;
    b.run("PREPARE p(int) AS SELECT $1 + 200").await;
    for _turn in 0..3 {
        assert_eq!(a.value("EXECUTE p(1)").await, "101");
        assert_eq!(b.value("EXECUTE p(1)").await, "201");
    }
    a.run("DEALLOCATE p").await;
    assert_eq!(sqlstate(&a.query("EXECUTE p(1)").await), "26000");
    assert_eq!(b.value("EXECUTE p(1)").await, "201");
}

async fn deallocate_all_forgets_only_ones_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for forget in ["DEALLOCATE ALL", "DISCARD ALL"] {
        prepare(&mut a, "s", "SELECT 'shared text'").await;
        if forget == "DEALLOCATE ALL" {
            prepare(&mut b, "s", "SELECT 'shared text'").await;
        }
        a.run(forget).await;
        assert_eq!(sqlstate(&a.ask(&[run("s")]).await), "26000", "after {forget}");
        assert_eq!(first(&b.ask(&[run("s")]).await), "shared text", "after {forget}");
    }
}

async fn thousands_of_statements_all_stay_usable(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    for number in 0..1500 {
        client.send(say::parse(&format!("s{number}"), &format!("SELECT {number}"), &[])).await;
    }
    assert_eq!(client.ask(&[say::sync()]).await.len(), 1501);
    for number in (0..1500).step_by(7) {
        assert_eq!(first(&client.ask(&[run(&format!("s{number}"))]).await), number.to_string());
    }
}

/// FAULTS row 32: what one client may keep here.
async fn a_client_does_not_keep_texts_without_end(place: Place) {
    // Much more than that for all.
    let cache = "capacity_bytes = 1073741824".into();
    let stage = Stage::with(place, Setup { cache, ..Setup::default() }).await;
    let mut client = stage.client().await;
    let text = |name: &str| format!("SELECT '{name}', '{}'", "x".repeat(15 << 20));
    for (name, tags_expected) in [("a", "1Z"), ("b", "1Z"), ("c", "1Z"), ("d", "1Z"), ("e", "EZ")] {
        let reply = client.ask(&[say::parse(name, &text(name), &[]), say::sync()]).await;
        assert_eq!(tags(&reply), tags_expected, "{name}");
    }
    prepare(&mut client, "short", "SELECT 1").await;
    let both = [say::close(b'S', "a"), say::parse("e", &text("e"), &[]), say::sync()];
    assert_eq!(tags(&client.ask(&both).await), "31Z", "there is room again");
}

async fn a_parse_and_its_describe_are_answered_in_order(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    // The second client's Parse is known to the backend already; its replies must not show that.
    for client in [&mut a, &mut b] {
        let reply = client
            .ask(&[
                say::parse("s", "SELECT id, name FROM item WHERE id = $1", &[]),
                say::describe(b'S', "s"),
                say::bind("", "s", &[], &[Some(b"1")], &[]),
                say::describe(b'P', ""),
                say::execute("", 0),
                say::close(b'S', "s"),
                say::sync(),
            ])
            .await;
        assert_eq!(tags(&reply), "1tT2TDC3Z", "{reply:?}");
    }
}

/// FAULTS rows 8 and 9, found by random scripts: in one write, names that an error gives back, and that stand for what was
/// heard of their statement meanwhile.
async fn names_that_an_error_gives_back_are_what_they_were(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut other, mut client) = (stage.client().await, stage.client().await);
    let fails = || say::describe(b'P', "nosuch");
    let groups = async |client: &mut Wire, messages: &[Vec<u8>], count: usize| {
        client.send(messages.concat()).await;
        let mut replies = Vec::new();
        for _group in 0..count {
            replies.push(client.until_ready().await);
        }
        replies
    };
    let use_of = |name: &str| [say::bind("", name, &[], &[], &[]), say::execute("", 0)].concat();
    // Another has the same statement, which is the client's one name's too once that is heard.
    prepare(&mut other, "s", "SELECT 'two'").await;
    let messages = [
        say::parse("a", "SELECT 'two'", &[]),
        use_of("a"),
        fails(),
        say::close(b'S', "a"),
        say::sync(),
    ];
    assert_eq!(sqlstate(&client.ask(&messages).await), "34000");
    let reply = client.ask(&[say::parse("a", "SELECT 1", &[]), say::sync()]).await;
    assert_eq!(error(&reply), "prepared statement \"a\" already exists");
    // All are forgotten behind the one that comes back.
    let messages = [
        [fails(), say::close(b'S', "a"), say::sync()].concat(),
        [say::parse("b", "DEALLOCATE ALL", &[]), use_of("b"), use_of("a"), say::sync()].concat(),
    ];
    let replies = groups(&mut client, &messages, 2).await;
    assert_eq!(sqlstate(&replies[1]), "26000", "{:?}", replies[1]);
    // An error names a statement as its own message did, and not by what the name means behind it.
    prepare(&mut client, "b", "SELECT $1::int + 1").await;
    prepare(&mut client, "a", "SELECT $1::int + 1").await;
    for name in ["a", "b"] {
        let messages = [use_of(name), say::close(b'S', name), say::sync()];
        let reply = client.ask(&messages).await;
        assert!(error(&reply).contains(&format!("statement \"{name}\" requires")), "{reply:?}");
    }
    let messages = [
        say::close(b'S', "a"),
        say::parse("a", "SELECT $1::int", &[]),
        use_of("a"),
        say::parse("a", "BEGIN", &[]),
    ];
    let reply = client.ask(&[messages.concat(), say::sync()]).await;
    assert!(error(&reply).contains("statement \"a\" requires"), "{reply:?}");
}

/// As FAULTS row 8, found by random scripts: each of several groups in flight fails before its Parse.
async fn groups_that_fail_one_after_the_other_leave_what_was_before_them(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    prepare(&mut client, "", "SELECT 'kept'").await;
    let fails = |text: &str| {
        [say::bind("", "nosuch", &[], &[], &[]), say::parse("", text, &[]), say::sync()].concat()
    };
    client.send([fails("SELECT 1"), fails("SELECT 2"), fails("SELECT 3"), run("")].concat()).await;
    for _group in 0..3 {
        assert_eq!(tags(&client.until_ready().await), "EZ");
    }
    assert_eq!(first(&client.until_ready().await), "kept");
    assert_eq!(first(&client.ask(&[run("")]).await), "kept");
}

/// As FAULTS row 19h, found by random scripts: psycopg's pipelines do so after a SET LOCAL.
async fn a_statement_is_used_in_one_group_behind_a_setting(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let once = |sql: &str| {
        [say::parse("", sql, &[]), say::bind("", "", &[], &[], &[]), say::execute("", 0)].concat()
    };
    let tokyo = "TimeZone TO 'Asia/Tokyo'";
    for group in [
        once(&format!("SET {tokyo}")),
        [once("BEGIN"), once(&format!("SET LOCAL {tokyo}"))].concat(),
        once("SELECT set_config('TimeZone', 'Asia/Tokyo', false)"),
    ] {
        client.run("SET TimeZone TO 'UTC'").await;
        client
            .ask(&[say::parse("at", "SELECT '2020-01-01 12:00'::timestamptz", &[]), say::sync()])
            .await;
        // The backend that has it is another's now.
        other.hold_a_backend().await;
        other.run("SELECT 1").await;
        let reply = client.ask(&[group, run("at")]).await;
        let shown = rows(&reply).into_iter().flatten().last().flatten();
        assert_eq!(shown.as_deref(), Some("2020-01-01 21:00:00+09"), "{}", error(&reply));
        client.query("ROLLBACK").await;
        other.run("COMMIT").await;
        client.ask(&[say::close(b'S', "at"), say::sync()]).await;
    }
}

/// FAULTS rows 8, 9 and 19h, found by random scripts: groups in one write that each replace the unnamed statement, and fail.
async fn an_unnamed_statement_outlives_groups_that_fail(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut other, mut client) = (stage.client().await, stage.client().await);
    let fails = || say::describe(b'P', "nosuch");
    let parse = |sql| say::parse("", sql, &[]);
    for ends in [true, false] {
        prepare(&mut client, "", "SELECT 'first'").await;
        // The second group closes it, or the third would be the second once more.
        let second = if ends { parse("SELECT 'second'") } else { say::close(b'S', "") };
        let messages = [
            [fails(), second, say::sync()].concat(),
            [fails(), parse("SELECT 'third'"), say::sync()].concat(),
            run(""),
        ];
        client.send(messages.concat()).await;
        for _group in 0..2 {
            assert_eq!(sqlstate(&client.until_ready().await), "34000");
        }
        assert_eq!(first(&client.until_ready().await), "first");
    }
    // What was read with a setting of its group only is never read again.
    let literal = "SELECT '2020-01-01 12:00'::timestamptz = '2020-01-01 03:00Z'";
    let set = [parse("SET LOCAL TimeZone TO 'Asia/Tokyo'"), run("")].concat();
    let set = &set[..set.len() - say::sync().len()];
    for fails_behind in [true, false] {
        let behind = if fails_behind { [fails(), parse("SELECT 2")].concat() } else { Vec::new() };
        let messages = [set.to_vec(), parse(literal), behind, say::sync()].concat();
        client.send([messages, run("")].concat()).await;
        client.until_ready().await;
        assert_eq!(first(&client.until_ready().await), "t");
        // Nor is it kept for those who read it with another.
        assert_eq!(first(&client.ask(&[run("")]).await), "t");
        assert_eq!(first(&other.ask(&[parse(literal), run("")]).await), "f");
        other.hold_a_backend().await;
        other.run("SELECT 1").await;
        let reply = client.ask(&[run("")]).await;
        let is_refused = error(&reply) == "cached plan must not change result type";
        assert!(is_refused || first(&reply) == "t", "on another backend: {reply:?}");
        other.run("COMMIT").await;
    }
}

/// FAULTS row 9, found by random scripts: a failed block still parses a text that ends it, or that is none.
async fn a_failed_block_says_that_a_name_is_taken(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut other, mut client) = (stage.client().await, stage.client().await);
    prepare(&mut client, "a", "SELECT 1").await;
    for _turn in 0..2 {
        // On the backend that has it is the other's block.
        other.hold_a_backend().await;
        client.run("BEGIN").await;
        for wire in [&mut client, &mut other] {
            assert_eq!(sqlstate(&wire.query("SELECT 1/0").await), "22012");
        }
        for (sql, expected) in [
            ("", "42P05"),
            ("ROLLBACK", "42P05"),
            ("COMMIT", "42P05"),
            ("SELECT 2", "25P02"),
            ("bad bad", "42601"),
        ] {
            let reply = client.ask(&[say::parse("a", sql, &[]), say::sync()]).await;
            assert_eq!(sqlstate(&reply), expected, "{sql:?}");
        }
        other.run("ROLLBACK").await;
        client.run("ROLLBACK").await;
        other.run("SELECT 3").await;
    }
    assert_eq!(first(&client.ask(&[run("a")]).await), "1");
}

e2e::scenarios! {
    everywhere: [
        a_statement_works_on_a_backend_that_never_saw_it,
        a_changed_table_does_not_break_shared_statements,
        thousands_of_statements_all_stay_usable,
    ],
    twice: [
        one_name_means_another_statement_to_another_client,
        an_unnamed_statement_that_is_parsed_again_is_what_was_said_last,
        the_unnamed_statement_belongs_to_its_client,
        a_failed_parse_is_not_remembered,
        a_parse_that_an_error_skipped_never_happened,
        names_that_an_error_gives_back_are_what_they_were,
        groups_that_fail_one_after_the_other_leave_what_was_before_them,
        a_statement_is_used_in_one_group_behind_a_setting,
        an_unnamed_statement_outlives_groups_that_fail,
        a_failed_block_says_that_a_name_is_taken,
        types_of_parameters_tell_statements_apart,
        statements_of_sql_follow_their_client,
        deallocate_all_forgets_only_ones_own,
        a_parse_and_its_describe_are_answered_in_order,
    ],
    jumpgate_once: [
        a_client_does_not_keep_texts_without_end,
    ],
}
