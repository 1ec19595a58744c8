//! FAULTS rows 8 to 10 and 19f to 19i: what a prepared statement is stays so, whatever backend serves its client and whatever
//! others do to the schema and to their settings. Each holds at the database itself too.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::{Frame, Wire, error, rows, say, sqlstate, tags},
};

/// Two clients of a pool of two, and one that goes around jumpgate.
pub(super) struct World {
    _stage: Stage,
    pub(super) client: Wire,
    pub(super) other: Wire,
    pub(super) around: Wire,
}

impl World {
    pub(super) async fn open(place: Place) -> Self {
        Self::with(place, Setup::pool_of(2)).await
    }

    async fn with(place: Place, setup: Setup) -> Self {
        let stage = Stage::with(place, setup).await;
        let (client, other) = (stage.client().await, stage.client().await);
        let around = stage.direct().await;
        Self { _stage: stage, client, other, around }
    }

    /// The client's next statement is served by the backend that the other client held, if it held one.
    pub(super) async fn move_client(&mut self) {
        self.other.run("COMMIT").await;
        self.client.run("BEGIN; SELECT 1").await;
        self.other.run("BEGIN; SELECT 1").await;
        self.client.run("COMMIT").await;
    }
}

pub(super) async fn prepare(client: &mut Wire, name: &str, sql: &str) {
    let reply = client.ask(&[say::parse(name, sql, &[]), say::sync()]).await;
    assert_eq!(tags(&reply).trim_start_matches('N'), "1Z", "{reply:?}");
}

pub(super) fn run(name: &str) -> Vec<u8> {
    [say::bind("", name, &[], &[], &[]), say::execute("", 0), say::sync()].concat()
}

pub(super) fn run_with(name: &str, value: &[u8], format: u16) -> Vec<u8> {
    let bind = say::bind("", name, &[format], &[Some(value)], &[]);
    [bind, say::execute("", 0), say::sync()].concat()
}

pub(super) fn first(frames: &[Frame]) -> String {
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

/// FAULTS row 19g: a client that prepares a text gets what it is now, whatever backends were told of it before. What changes
/// around the proxy is in `recalled`.
async fn a_fresh_parse_is_parsed(place: Place) {
    let mut world = World::open(place).await;
    let table = [
        ("timestamp", "timestamptz", "SELECT pg_typeof(coalesce(NULL, $1, v)) FROM g"),
        ("float8", "numeric", "SELECT pg_typeof(coalesce(NULL, $1, v)) FROM g"),
        ("int4", "text", "SELECT pg_typeof(coalesce(NULL, $1, v)) FROM g"),
    ];
    for (before, after, sql) in table {
        world.other.run(&format!("CREATE TABLE g (v {before}); INSERT INTO g VALUES (NULL)")).await;
        for client in [&mut world.client, &mut world.other] {
            prepare(client, "old", sql).await;
        }
        world.other.run(&format!("ALTER TABLE g ALTER v TYPE {after}")).await;
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
        world.other.run("DROP TABLE g").await;
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

e2e::scenarios! {
    everywhere: [
        rows_that_changed_are_an_error_on_every_backend,
    ],
    twice: [
        parameters_keep_their_types_on_every_backend,
        a_fresh_parse_is_parsed,
        a_failed_group_leaves_names_as_they_were,
        a_name_is_certain_once_its_group_was_heard,
        deallocate_holds_for_what_is_behind_it,
        a_name_in_a_statement_is_looked_up_when_it_runs,
        names_in_sql_are_the_clients_own,
        a_deallocate_in_a_function_is_not_felt_by_others,
    ],
}
