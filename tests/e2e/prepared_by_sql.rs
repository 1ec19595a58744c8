//! Issue 11, item 2: what PREPARE has made follows its client, as what a Parse has made does.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Frame, Wire, error, rows, say, sqlstate, tags},
};

/// A client, and another one that makes it change its backend.
struct World {
    stage: Stage,
    client: Wire,
    other: Wire,
}

impl World {
    async fn open(place: Place) -> Self {
        let stage = Stage::with(place, Setup::pool_of(2)).await;
        let (client, other) = (stage.client().await, stage.client().await);
        Self { stage, client, other }
    }

    /// The backend that the client had last is another's now.
    async fn move_client(&mut self) {
        self.other.hold_a_backend().await;
    }

    async fn pins(&self) -> f64 {
        if self.stage.is_direct() { 0.0 } else { self.stage.metrics().await.pins() }
    }
}

fn run(name: &str, values: &[Option<&[u8]>]) -> Vec<u8> {
    [say::bind("", name, &[], values, &[]), say::execute("", 0), say::sync()].concat()
}

fn first(frames: &[Frame]) -> String {
    rows(frames).into_iter().flatten().next().flatten().unwrap_or_else(|| error(frames))
}

async fn a_prepare_follows_its_client(place: Place) {
    let mut world = World::open(place).await;
    for text in [
        "PREPARE \"The \"\" one\" (int, text) AS SELECT $1 + 100 || $2",
        "/* a */ prepare\n\"The \"\" one\" (pg_catalog.int4, varchar(3)) as -- as\n(SELECT $1 + 100 || $2) ; -- b",
    ] {
        assert_eq!(tags(&world.client.run(text).await), "CZ");
        world.other.run("PREPARE a AS SELECT 'of another'").await;
        for _backend in 0..3 {
            assert_eq!(world.client.value("EXECUTE \"The \"\" one\" (1, 'x')").await, "101x");
            let bound = world.client.ask(&[run("The \" one", &[Some(b"2"), Some(b"y")])]).await;
            assert_eq!(first(&bound), "102y", "by the protocol too");
            let plan = world.client.run("EXPLAIN EXECUTE \"The \"\" one\"(1, 'x')").await;
            assert_eq!(rows(&plan).len(), 1);
            assert_eq!(world.other.value("EXECUTE a").await, "of another");
            world.move_client().await;
        }
        assert_eq!(world.pins().await, 0.0);
        world.other.query("ROLLBACK").await;
        world.other.run("DEALLOCATE a").await;
        world.client.run("DEALLOCATE \"The \"\" one\"").await;
        assert_eq!(
            sqlstate(&world.client.query("EXECUTE \"The \"\" one\"(1, 'x')").await),
            "26000"
        );
    }
}

/// What the first PREPARE settled stays settled.
async fn a_prepare_keeps_its_constants_and_its_rows(place: Place) {
    let mut world = World::open(place).await;
    world.client.run("SET TimeZone = 'UTC'").await;
    let text =
        "PREPARE at AS SELECT extract(epoch FROM timestamptz '2020-01-01 12:00')::int, $1::text";
    world.client.run(text).await;
    world.client.run("CREATE TABLE changing (a int, b int)").await;
    world.client.run("INSERT INTO changing VALUES (1, 2)").await;
    world.client.run("PREPARE rows AS SELECT * FROM changing WHERE a = $1").await;
    world.client.run("SET TimeZone = 'Asia/Tokyo'").await;
    for _backend in 0..2 {
        assert_eq!(world.client.value("EXECUTE at('x')").await, "1577880000");
        assert_eq!(rows(&world.client.run("EXECUTE rows(1)").await).len(), 1);
        world.move_client().await;
    }
    world.other.run("ALTER TABLE changing DROP b; ALTER TABLE changing ADD c text; COMMIT").await;
    for _backend in 0..2 {
        assert_eq!(sqlstate(&world.client.query("EXECUTE rows(1)").await), "0A000");
        world.move_client().await;
    }
    world.client.ask(&[say::close(b'S', "rows"), say::sync()]).await;
    world.client.run("PREPARE rows AS SELECT 5").await;
    assert_eq!(world.client.value("EXECUTE rows").await, "5");
}

async fn a_name_is_taken_once(place: Place) {
    let mut world = World::open(place).await;
    let client = &mut world.client;
    client.run("PREPARE a AS SELECT 1").await;
    assert_eq!(
        error(&client.query("PREPARE a AS SELECT 2").await),
        "prepared statement \"a\" already exists"
    );
    let parse = [say::parse("a", "SELECT 2", &[]), say::sync()];
    assert_eq!(error(&client.ask(&parse).await), "prepared statement \"a\" already exists");
    assert_eq!(client.value("EXECUTE a").await, "1");
    client.ask(&[say::close(b'S', "a"), say::sync()]).await;
    assert_eq!(tags(&client.ask(&parse).await), "1Z");
    assert_eq!(sqlstate(&client.query("PREPARE a AS SELECT 1").await), "42P05");
    assert_eq!(client.value("EXECUTE a").await, "2");
    client.run("DEALLOCATE ALL").await;
    client.run("PREPARE a AS SELECT 3").await;
    client.run("DISCARD ALL").await;
    assert_eq!(sqlstate(&client.query("EXECUTE a").await), "26000");
    client.run("PREPARE a AS SELECT 4").await;
    assert_eq!(client.value("EXECUTE a").await, "4");
}

async fn a_prepare_that_fails_makes_nothing(place: Place) {
    let mut world = World::open(place).await;
    for (text, code) in [
        ("PREPARE f AS SELECT * FROM nowhere", "42P01"),
        ("PREPARE f AS SELECT $2", "42P18"),
        ("PREPARE f (nothing) AS SELECT $1", "42704"),
        ("PREPARE f AS SELEKT 1", "42601"),
    ] {
        assert_eq!(tags(&world.client.query(text).await), "EZ", "{text}");
        assert_eq!(sqlstate(&world.client.query(text).await), code, "{text}");
        let reply = world.client.query("EXECUTE f").await;
        assert_eq!(error(&reply), "prepared statement \"f\" does not exist");
    }
    world.client.run("BEGIN").await;
    world.client.run("PREPARE kept AS SELECT 'kept'").await;
    world.client.query("PREPARE f AS SELECT * FROM nowhere").await;
    assert_eq!(sqlstate(&world.client.query("PREPARE f AS SELECT 1").await), "25P02");
    world.client.run("ROLLBACK").await;
    world.move_client().await;
    assert_eq!(world.client.value("EXECUTE kept").await, "kept", "no rollback takes it back");
    world.client.run("PREPARE f AS SELECT 'now'").await;
    assert_eq!(world.client.value("EXECUTE f").await, "now");
}

/// Sent in one write, and where a setting changes in front of it.
async fn a_prepare_is_what_it_was_when_it_ran(place: Place) {
    let mut world = World::open(place).await;
    let client = &mut world.client;
    let texts = [
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "PREPARE p AS SELECT 1",
        "DEALLOCATE p",
        "EXECUTE p",
        "PREPARE p AS SELECT 2",
        "EXECUTE p",
        "SET TimeZone = 'Asia/Tokyo'",
        "PREPARE z AS SELECT extract(epoch FROM timestamptz '2020-01-01 12:00')::int",
        "SET TimeZone = 'UTC'",
        "EXECUTE z",
    ];
    client.send(texts.map(say::query).concat()).await;
    let mut told = Vec::new();
    for _text in texts {
        let reply = client.until_ready().await;
        told.push(if sqlstate(&reply).is_empty() { first(&reply) } else { sqlstate(&reply) });
    }
    assert_eq!(told, ["", "1", "42P05", "", "26000", "", "2", "", "", "", "1577847600"]);
    world.move_client().await;
    assert_eq!(world.client.value("EXECUTE p").await, "2");
    assert_eq!(world.client.value("EXECUTE z").await, "1577847600");
    // In a block it is read with what the block has set.
    world.client.run("BEGIN").await;
    world.client.run("SET LOCAL TimeZone = 'Asia/Tokyo'").await;
    let text = "PREPARE l AS SELECT extract(epoch FROM timestamptz '2020-01-01 12:00')::int";
    world.client.run(text).await;
    world.client.run("COMMIT").await;
    world.other.query("ROLLBACK").await;
    assert_eq!(world.client.value("EXECUTE l").await, "1577847600");
    assert_eq!(world.client.value("EXECUTE p").await, "2");
    world.client.run("DEALLOCATE l").await;
    // Among others it stays where it is.
    let both = world.client.run("PREPARE m AS SELECT 'm'; EXECUTE m").await;
    assert_eq!(first(&both), "m");
    assert_eq!(world.client.value("EXECUTE m").await, "m");
    world.client.run("DEALLOCATE m").await;
    assert_eq!(world.client.value("EXECUTE p").await, "2");
}

async fn a_prepare_of_what_is_gone_fails_alone(place: Place) {
    let mut world = World::open(place).await;
    world.client.run("CREATE TABLE gone (a int)").await;
    world.client.run("PREPARE p AS SELECT * FROM gone").await;
    world.client.run("PREPARE q AS SELECT 'q'").await;
    world.other.run("DROP TABLE gone").await;
    for _backend in 0..2 {
        assert_eq!(sqlstate(&world.client.query("EXECUTE p").await), "42P01");
        assert_eq!(world.client.value("EXECUTE q").await, "q");
        world.move_client().await;
    }
}

async fn hundreds_of_prepares_all_stay_usable(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client().await;
    for number in 0..600 {
        client.run(&format!("PREPARE s{number} AS SELECT {number}")).await;
    }
    for number in (0..600).step_by(7) {
        assert_eq!(client.value(&format!("EXECUTE s{number}")).await, number.to_string());
    }
}

/// What an EXECUTE leaves behind and writes is what its statement does.
async fn an_execute_does_what_its_statement_does(place: Place) {
    let mut world = World::open(place).await;
    let body = "BEGIN CREATE TEMP TABLE IF NOT EXISTS left_behind (a int); RETURN $1; END";
    let function =
        format!("CREATE FUNCTION leaves(int) RETURNS int LANGUAGE plpgsql AS $$ {body} $$");
    world.client.run(&function).await;
    world.client.run("PREPARE w (int) AS UPDATE account SET balance = $1 WHERE id = 1").await;
    let reads = ["SELECT balance FROM account WHERE id = 1", "SELECT name FROM item WHERE id = 1"];
    eventually("both are cached, with the catalog read", async || {
        let mut reader = world.stage.client().await;
        let mut is_hit = true;
        for read in reads {
            reader.run(read).await;
            is_hit &= reader.value("SHOW jumpgate.cache_status").await == "hit";
        }
        is_hit
    })
    .await;
    world.client.run("EXECUTE w (4711)").await;
    for (read, status) in reads.into_iter().zip(["miss", "hit"]) {
        world.client.run(read).await;
        assert_eq!(world.client.value("SHOW jumpgate.cache_status").await, status, "{read}");
    }
    assert_eq!(world.other.value(reads[0]).await, "4711");
    assert_eq!(world.pins().await, 0.0);
    world.client.run("PREPARE l AS SELECT leaves(1)").await;
    world.client.run("EXECUTE l").await;
    assert_eq!(world.pins().await, 1.0);
    world.other.hold_a_backend().await;
    world.other.run("SELECT 1").await;
    assert_eq!(world.client.value("SELECT count(*) FROM left_behind").await, "0");
}

/// Found by random scripts: what a prepared EXECUTE returns is settled by its Parse, and what it runs is not.
async fn a_prepared_execute_is_described_as_it_was_parsed(place: Place) {
    let mut world = World::open(place).await;
    let describe = |name: &str| [say::describe(b'S', name), say::sync()].concat();
    let parse = |name: &str, text: &str| [say::parse(name, text, &[]), say::sync()].concat();
    let close = |name: &str| [say::close(b'S', name), say::sync()].concat();
    world.client.ask(&[parse("early", "execute a")]).await;
    world.client.ask(&[parse("a", "select 1 as one")]).await;
    world.client.ask(&[parse("late", "execute a")]).await;
    world.client.ask(&[parse("later", "execute late")]).await;
    let columns = |frames: &[Frame]| {
        let row = frames.iter().find(|frame| frame.tag == b'T');
        row.map(|row| String::from_utf8_lossy(&row.body[2..5]).into_owned())
    };
    for _backend in 0..3 {
        assert_eq!(tags(&world.client.ask(&[describe("early")]).await), "tnZ");
        for name in ["late", "later"] {
            let told = world.client.ask(&[describe(name)]).await;
            assert_eq!((tags(&told).as_str(), columns(&told).as_deref()), ("tTZ", Some("one")));
        }
        for name in ["early", "late"] {
            assert_eq!(first(&world.client.ask(&[run(name, &[])]).await), "1", "{name}");
        }
        world.move_client().await;
    }
    world.client.ask(&[close("a")]).await;
    for _backend in 0..3 {
        assert_eq!(tags(&world.client.ask(&[describe("early")]).await), "tnZ");
        assert_eq!(sqlstate(&world.client.ask(&[describe("late")]).await), "26000");
        assert_eq!(sqlstate(&world.client.ask(&[run("late", &[])]).await), "26000");
        world.move_client().await;
    }
}

/// Found by random scripts: an EXECUTE by SQL of what is an EXECUTE itself.
async fn an_execute_of_an_execute_runs_what_that_means_now(place: Place) {
    let mut world = World::open(place).await;
    let parse = |name: &str, text: &str| [say::parse(name, text, &[]), say::sync()].concat();
    world.client.ask(&[parse("a", "select 'text'")]).await;
    world.client.ask(&[parse("b", " execute \"a\" ( 1+1, 'x' ) ; ")]).await;
    world.client.ask(&[parse("c", "execute b -- c")]).await;
    world.client.ask(&[parse("d", "execute d2")]).await;
    world.client.ask(&[parse("e1", "execute e2")]).await;
    world.client.ask(&[parse("e2", "execute e1")]).await;
    for (a, expected) in [("select $1::int || $2", "2x"), ("select $2 || $1::int", "x2")] {
        world.client.ask(&[say::close(b'S', "a"), parse("a", a)]).await;
        for _backend in 0..3 {
            assert_eq!(world.client.value("EXECUTE b").await, expected);
            assert_eq!(first(&world.client.extended("execute b", &[]).await), expected);
            assert_eq!(first(&world.client.query("EXECUTE b; SELECT 5").await), expected);
            assert_eq!(rows(&world.client.run("EXPLAIN EXECUTE b").await).len(), 1);
            assert_eq!(first(&world.client.ask(&[run("c", &[])]).await), expected);
            assert_eq!(sqlstate(&world.client.query("EXECUTE d").await), "26000");
            // The server runs out of stack.
            assert_eq!(sqlstate(&world.client.query("EXECUTE e1").await), "54001");
            assert_eq!(sqlstate(&world.client.ask(&[run("e2", &[])]).await), "54001");
            let made = world.client.query("CREATE TABLE made AS EXECUTE b").await;
            assert_eq!(sqlstate(&made), "42809");
            world.move_client().await;
        }
    }
}

/// Found by PostgreSQL's own tests: on the backend of a pinned session the statement has its client's name.
async fn a_pinned_session_prepares_under_its_own_names(place: Place) {
    let mut world = World::open(place).await;
    let client = &mut world.client;
    client.run("CREATE TEMP TABLE own (v int)").await;
    client.run("PREPARE pp (int) AS SELECT $1 + 1").await;
    assert_eq!(
        client.value("SELECT string_agg(name, ',') FROM pg_prepared_statements").await,
        "pp"
    );
    client
        .run(
            "CREATE FUNCTION pg_temp.runs(i int) RETURNS int LANGUAGE plpgsql AS $$ \
             DECLARE l int; BEGIN EXECUTE 'EXECUTE pp(' || i || ')' INTO l; RETURN l; END $$",
        )
        .await;
    assert_eq!(client.value("SELECT pg_temp.runs(4)").await, "5");
    assert_eq!(client.value("EXECUTE pp(1)").await, "2");
}

e2e::scenarios! {
    everywhere: [
        a_prepare_follows_its_client,
    ],
    twice: [
        a_prepared_execute_is_described_as_it_was_parsed,
        an_execute_of_an_execute_runs_what_that_means_now,
        a_prepare_keeps_its_constants_and_its_rows,
        a_name_is_taken_once,
        a_prepare_that_fails_makes_nothing,
        a_prepare_is_what_it_was_when_it_ran,
        a_prepare_of_what_is_gone_fails_alone,
    ],
    jumpgate_twice: [
        an_execute_does_what_its_statement_does,
        a_pinned_session_prepares_under_its_own_names,
    ],
    once: [
        hundreds_of_prepares_all_stay_usable,
    ],
}
