//! FAULTS rows 3, 4, 5 and 18: what a statement does not name, and code does.
//!
//! For every kind of object through which PostgreSQL runs code, `cases` hides a writer in it; after a write through the
//! proxy nobody reads what it has replaced. What is known to write one table outdates that table only.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Wire, error, rows, say, tags},
};

mod cases;

use cases::{CASES, COMMON, Case, OF_A_SUPERUSER, OF_ALL_STATEMENTS, Reach};

const SEEN: &str = "SELECT n FROM seen";
const BYSTANDER: &str = "SELECT n FROM bystander";

/// Reads until the cache answers: the catalog may have to be read first.
async fn warm(client: &mut Wire, read: &str) {
    let mut value = client.value(read).await;
    let give_up = tokio::time::Instant::now() + Duration::from_secs(20);
    while client.cache_status().await != "hit" {
        assert!(
            tokio::time::Instant::now() < give_up,
            "{read} is never a hit, but {}",
            client.cache_status().await
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
        value = client.value(read).await;
    }
    assert!(!value.is_empty());
}

/// Makes the hidden write, and looks who notices.
async fn write_and_look(stage: &Stage, case: &Case, (reader, writer): (&mut Wire, &mut Wire)) {
    let Case { name, write, reach, .. } = case;
    let mut direct = stage.direct().await;
    let before = direct.value(SEEN).await;
    if *reach == Reach::NothingIsKept {
        for _run in 0..20 {
            assert_ne!(direct.value(SEEN).await, "");
            writer.run(write).await;
            assert_eq!(reader.value(SEEN).await, direct.value(SEEN).await, "{name}");
        }
        assert_ne!(reader.cache_status().await, "hit");
        return;
    }
    warm(reader, SEEN).await;
    warm(reader, BYSTANDER).await;
    writer.run(write).await;
    let now = direct.value(SEEN).await;
    assert_ne!(now, before, "{name}: {write} is a hidden writer");
    for client in [&mut *reader, &mut *writer] {
        assert_eq!(client.value(SEEN).await, now, "{name}: after {write}");
    }
    assert_eq!(reader.value(BYSTANDER).await, "7");
    let status = reader.cache_status().await;
    let expected = if *reach == Reach::Table { "hit" } else { "miss" };
    assert_eq!(status, expected, "{name}: what has nothing to do with {write}");
    // Once more, for what the first time may have been answered for another reason.
    warm(reader, SEEN).await;
    writer.run(write).await;
    assert_eq!(reader.value(SEEN).await, direct.value(SEEN).await, "{name}: again");
}

/// Everything is there when Jumpgate reads the catalog.
async fn no_writer_is_hidden_well_enough(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    let (mut superuser, mut app) = (stage.superuser().await, stage.direct().await);
    app.run(COMMON).await;
    for case in CASES {
        if !case.setup.is_empty() {
            app.run(case.setup).await;
        }
    }
    for case in OF_A_SUPERUSER {
        superuser.run(case.setup).await;
    }
    // So that the catalog is read now.
    writer.run("CREATE TABLE now_read ()").await;
    for case in CASES.iter().chain(OF_A_SUPERUSER) {
        write_and_look(&stage, case, (&mut reader, &mut writer)).await;
    }
}

/// The same, made through Jumpgate.
async fn a_writer_that_is_made_through_the_proxy_is_seen_at_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    writer.run(COMMON).await;
    for case in CASES {
        warm(&mut reader, SEEN).await;
        if !case.setup.is_empty() {
            writer.run(case.setup).await;
        }
        // At once, while the catalog is being read: nothing may be kept.
        writer.run(case.write).await;
        let now = stage.direct().await.value(SEEN).await;
        assert_eq!(reader.value(SEEN).await, now, "{}", case.name);
    }
}

async fn what_every_statement_may_do_is_seen(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    let (mut superuser, mut app) = (stage.superuser().await, stage.direct().await);
    app.run(COMMON).await;
    for case in OF_ALL_STATEMENTS {
        if case.setup.contains("postgres_fdw") {
            let there = "SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'";
            if superuser.value(there).await == "0" {
                continue;
            }
            superuser.run("CREATE EXTENSION IF NOT EXISTS postgres_fdw").await;
        }
        superuser.run(case.setup).await;
        writer.run("CREATE TABLE IF NOT EXISTS now_read ()").await;
        write_and_look(&stage, case, (&mut reader, &mut writer)).await;
    }
}

/// A COPY into a table whose default writes, by the extended protocol too.
async fn a_default_that_writes_is_seen_however_rows_come(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    writer.run(COMMON).await;
    writer.run("CREATE TABLE t (a int, b int DEFAULT bump())").await;
    warm(&mut reader, SEEN).await;
    writer.send(say::query("COPY t (a) FROM STDIN")).await;
    writer.until(b'G').await;
    assert_eq!(error(&writer.ask(&[say::copy_data("1\n2\n"), say::copy_done()]).await), "");
    assert_eq!(reader.value(SEEN).await, "2", "after COPY");
    warm(&mut reader, SEEN).await;
    let bind = say::bind("", "", &[], &[Some(b"5")], &[]);
    let insert = say::parse("", "INSERT INTO t (a) VALUES ($1)", &[]);
    assert_eq!(tags(&writer.ask(&[insert, bind, say::execute("", 0), say::sync()]).await), "12CZ");
    assert_eq!(reader.value(SEEN).await, "3", "after an extended write");
}

/// What ordinary tables have does not make their writes outdate others.
async fn ordinary_tables_outdate_only_themselves(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    writer
        .run(
            "CREATE TABLE bystander (n int); INSERT INTO bystander VALUES (7);
             CREATE TYPE mark AS ENUM ('a', 'b'); CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
             CREATE TABLE o1 (id serial PRIMARY KEY, name short NOT NULL, m mark DEFAULT 'a',
                 made timestamptz DEFAULT now(), price numeric CHECK (price >= 0),
                 big bigint GENERATED ALWAYS AS IDENTITY, up text GENERATED ALWAYS AS (upper(name)) STORED);
             CREATE UNIQUE INDEX ON o1 (lower(name)) WHERE price > 1;
             CREATE TABLE o2 (id int REFERENCES o1 ON DELETE CASCADE, u uuid DEFAULT gen_random_uuid());
             CREATE TABLE o3 (id int, owner text); ALTER TABLE o3 ENABLE ROW LEVEL SECURITY;
             ALTER TABLE o3 FORCE ROW LEVEL SECURITY;
             CREATE POLICY p ON o3 USING (owner = current_user) WITH CHECK (owner = current_user);
             CREATE TABLE o4 (id int, day date) PARTITION BY RANGE (day);
             CREATE TABLE o4p PARTITION OF o4 DEFAULT;
             CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN -- it's now
                 NEW.name := coalesce(NEW.name, 'x') || format('%s', 'execute'); RETURN NEW; END $$;
             CREATE TRIGGER g BEFORE INSERT ON o1 FOR EACH ROW EXECUTE FUNCTION stamp();
             CREATE VIEW ov AS SELECT id, name FROM o1",
        )
        .await;
    for write in [
        "INSERT INTO o1 (name, price) VALUES ('n', 1)",
        "INSERT INTO ov (name) VALUES ('m')",
        "UPDATE o1 SET price = 2",
        "INSERT INTO o2 SELECT min(id) FROM o1",
        "DELETE FROM o1 WHERE price = 2",
        "INSERT INTO o3 VALUES (1, current_user)",
        "INSERT INTO o4 VALUES (1, '2020-01-01')",
        "TRUNCATE o3",
        "ANALYZE",
        "CREATE INDEX o1_price ON o1 (price)",
        "DROP INDEX o1_price",
        "GRANT SELECT ON o1 TO PUBLIC",
        "COMMENT ON TABLE o1 IS 'x'",
    ] {
        warm(&mut reader, BYSTANDER).await;
        writer.run(write).await;
        assert_eq!(reader.value(BYSTANDER).await, "7");
        assert_eq!(reader.cache_status().await, "hit", "after {write}");
    }
    // A right that is taken away is missed at once, and the catalog need not be read anew for it.
    writer.run("REVOKE SELECT ON o1 FROM PUBLIC").await;
    assert_eq!(reader.value(BYSTANDER).await, "7");
    assert_eq!(reader.cache_status().await, "miss");
    assert_eq!(reader.value(BYSTANDER).await, "7");
    assert_eq!(reader.cache_status().await, "hit");
}

/// FAULTS row 5: a statement that waited for DDL does what the DDL says.
async fn a_write_that_waits_for_ddl_outdates_what_it_then_does(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(5)).await;
    let (mut ddl, mut writer, mut reader) =
        (stage.client().await, stage.client().await, stage.client().await);
    writer.run(COMMON).await;
    writer.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    warm(&mut reader, SEEN).await;
    ddl.run("BEGIN").await;
    ddl.run("CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION bumped()").await;
    writer.run("BEGIN").await;
    writer.send(say::query("UPDATE t SET a = 2")).await;
    let mut direct = stage.direct().await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    eventually("the write waits", async || stage.direct().await.value(waiting).await == "1").await;
    ddl.run("COMMIT").await;
    assert_eq!(error(&writer.until_ready().await), "");
    // Read and kept while the write is not committed.
    warm(&mut reader, SEEN).await;
    writer.run("COMMIT").await;
    assert_eq!(direct.value(SEEN).await, "1");
    assert_eq!(reader.value(SEEN).await, "1");
}

/// A stable function is looked into: what it reads outdates what it gave, and what it asks of the session is in the key.
async fn what_a_stable_function_reads_outdates_what_it_gave(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    writer
        .run(
            "CREATE TABLE todos (id int, owner text); INSERT INTO todos VALUES (1, 'ann'), (2, 'bob');
             CREATE TABLE bystander (n int); INSERT INTO bystander VALUES (7);
             CREATE FUNCTION uid() RETURNS text STABLE LANGUAGE sql AS
               $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::json->>'sub' $$;
             CREATE FUNCTION own() RETURNS SETOF int STABLE LANGUAGE sql SECURITY DEFINER SET search_path = public
               AS $$ SELECT id FROM todos WHERE owner = uid() ORDER BY id $$;
             CREATE FUNCTION how_many(who text) RETURNS bigint STABLE LANGUAGE sql
               BEGIN ATOMIC SELECT count(*) FROM todos WHERE owner = who; END;
             CREATE TABLE notes (id int, owner text); INSERT INTO notes VALUES (1, 'ann'), (2, 'bob');
             ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes FORCE ROW LEVEL SECURITY;
             CREATE POLICY p ON notes USING (owner = uid())",
        )
        .await;
    const OWN: &str = "SELECT string_agg(o::text, ',') FROM own() AS o";
    const NOTES: &str = "SELECT string_agg(id::text, ',') FROM notes";
    const MANY: &str = "SELECT how_many('ann')";
    for (who, id) in [("ann", "1"), ("bob", "2"), ("ann", "1")] {
        let claims = format!("SET request.jwt.claims TO '{{\"sub\": \"{who}\"}}'");
        reader.run(&claims).await;
        for read in [OWN, NOTES] {
            warm(&mut reader, read).await;
            assert_eq!(reader.value(read).await, id, "{read} as {who}");
        }
    }
    for (write, own, many) in [
        ("INSERT INTO todos VALUES (3, 'ann')", "1,3", "2"),
        ("DO $$ BEGIN DELETE FROM todos WHERE id = 1; END $$", "3", "1"),
    ] {
        for read in [OWN, MANY, BYSTANDER] {
            warm(&mut reader, read).await;
        }
        writer.run(write).await;
        assert_eq!(reader.value(BYSTANDER).await, "7");
        assert_eq!(reader.cache_status().await, "hit", "after {write}");
        assert_eq!(reader.value(OWN).await, own, "after {write}");
        assert_eq!(reader.cache_status().await, "miss", "after {write}");
        assert_eq!(reader.value(MANY).await, many, "after {write}");
    }
    // Another body is another function.
    warm(&mut reader, MANY).await;
    writer.run("CREATE OR REPLACE FUNCTION how_many(who text) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT 99'").await;
    assert_eq!(reader.value(MANY).await, "99");
}

/// What a block of code defines is known before the next write.
async fn a_trigger_that_a_block_of_code_makes_is_seen_at_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    writer.run(COMMON).await;
    writer.run("CREATE TABLE t (a int)").await;
    warm(&mut reader, SEEN).await;
    writer
        .run(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'g') THEN
               CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION bumped(); END IF; END $$",
        )
        .await;
    for expected in ["1", "2", "3"] {
        reader.run(SEEN).await;
        writer.run("INSERT INTO t VALUES (1)").await;
        assert_eq!(reader.value(SEEN).await, expected);
        warm(&mut reader, SEEN).await;
    }
}

/// FAULTS row 18: what code leaves behind on a backend reaches nobody else.
async fn what_a_function_leaves_behind_reaches_nobody_else(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut owner = stage.client().await;
    owner
        .run(
            "CREATE TABLE shared (n int); INSERT INTO shared VALUES (5);
             CREATE FUNCTION shadows() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               CREATE TEMP TABLE shared AS SELECT 999 AS n; RETURN 1; END $$;
             CREATE FUNCTION unseen() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               EXECUTE 'CREATE TEMP TABLE shared AS SELECT 999 AS n'; RETURN 1; END $$;
             CREATE FUNCTION brief() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               CREATE TEMP TABLE shared ON COMMIT DROP AS SELECT 999 AS n; RETURN 1; END $$;
             CREATE FUNCTION sets() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               EXECUTE 'SET bytea_output TO escape'; RETURN 1; END $$;",
        )
        .await;
    owner.run("SET timezone TO 'Asia/Tokyo'").await;
    for code in [
        "SELECT unseen()",
        "SELECT sets()",
        "SELECT brief()",
        "DO $$ BEGIN PERFORM unseen(); END $$",
    ] {
        owner.run(code).await;
        let mut other = stage.client().await;
        for _run in 0..3 {
            assert_eq!(other.value("SELECT n FROM shared").await, "5", "after {code}");
        }
        let setting = "SELECT current_setting('bytea_output')";
        assert_eq!(other.value(setting).await, "hex", "after {code}");
        warm(&mut other, "SELECT n FROM shared").await;
        assert_eq!(owner.value("SELECT current_setting('timezone')").await, "Asia/Tokyo");
    }
    // A body that says so keeps its session on the backend, as a direct connection would.
    owner.run("SELECT shadows()").await;
    assert_eq!(owner.value("SELECT n FROM shared").await, "999");
    owner.run("DROP TABLE shared").await;
    assert_eq!(owner.value("SELECT n FROM shared").await, "5");
    assert_eq!(stage.client().await.value("SELECT n FROM shared").await, "5");
}

/// FAULTS §4: what is made around the proxy is known as soon as it is used.
async fn what_is_made_around_the_proxy_is_known_once_it_is_used(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut client, mut direct) = (stage.client().await, stage.direct().await);
    warm(&mut client, "SELECT 1").await;
    direct.run("CREATE TABLE around (a int); INSERT INTO around VALUES (1)").await;
    warm(&mut client, "SELECT a FROM around").await;
    direct
        .run("CREATE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2'")
        .await;
    warm(&mut client, "SELECT half(4)").await;
    direct.run("CREATE TABLE written (a int)").await;
    // A write tells too: soon it outdates no more than its table.
    let give_up = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        client.run("SELECT a FROM around").await;
        client.run("INSERT INTO written VALUES (1)").await;
        client.run("SELECT a FROM around").await;
        if client.cache_status().await == "hit" {
            break;
        }
        assert!(tokio::time::Instant::now() < give_up, "the table that is written is never known");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rows(&client.run("SELECT a FROM around").await).len(), 1);
}

e2e::scenarios! {
    jumpgate_twice: [
        no_writer_is_hidden_well_enough,
        a_writer_that_is_made_through_the_proxy_is_seen_at_once,
        what_every_statement_may_do_is_seen,
        a_default_that_writes_is_seen_however_rows_come,
        ordinary_tables_outdate_only_themselves,
        what_a_stable_function_reads_outdates_what_it_gave,
        a_trigger_that_a_block_of_code_makes_is_seen_at_once,
        a_write_that_waits_for_ddl_outdates_what_it_then_does,
        what_a_function_leaves_behind_reaches_nobody_else,
        what_is_made_around_the_proxy_is_known_once_it_is_used,
    ],
}
