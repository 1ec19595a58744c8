//! Look-ups in the database's own catalogs: the second client's cost nothing, and nobody misses what was changed through
//! the proxy.

use std::{fs, time::Duration};

use e2e::{
    drivers::script,
    jumpgate::Setup,
    stage::{Place, Stage},
    wire::Wire,
};

const COLUMNS: &str = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute \
     WHERE attrelid = 'account'::regclass AND attnum > 0 AND NOT attisdropped";
const COMMENT: &str = "SELECT coalesce(obj_description('account'::regclass, 'pg_class'), '-')";
const LABELS: &str = "SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) \
     FROM pg_catalog.pg_enum WHERE enumtypid = 'mood'::regtype";
const MAY_READ: &str = "SELECT has_table_privilege('reader', 'account', 'SELECT')";
const INDEXES: &str = "SELECT count(*) FROM pg_index WHERE indrelid = 'account'::regclass";
const TYPES: &str = "SELECT count(*) FROM information_schema.domains WHERE domain_name = 'shade'";
const TEMPORARY: &str = "SELECT count(*) FROM pg_class WHERE relname = 'passing'";

async fn the_second_client_is_answered_from_the_cache(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    let more = [
        "SELECT typname, typtype, typelem FROM pg_catalog.pg_type WHERE oid = 23",
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT current_schema(), format_type(23, NULL)",
        "SELECT c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE contype = 'p'",
    ];
    for sql in [COLUMNS, COMMENT, LABELS, MAY_READ, INDEXES, TYPES, TEMPORARY].iter().chain(&more) {
        let first = one.run(sql).await;
        assert_eq!(two.run(sql).await, first, "{sql}");
        assert_eq!(two.cache_status().await, "hit", "{sql}");
    }
    for moving in ["SELECT reltuples FROM pg_class", "SELECT count(*) FROM pg_stat_activity"] {
        two.run(moving).await;
        assert_eq!(two.cache_status().await, "uncacheable", "{moving}");
    }
}

/// Reads until the cache answers, which is when the catalog has been read again; each time it must be this.
async fn reads(client: &mut Wire, sql: &str, expected: &str, after: &str) {
    loop {
        assert_eq!(client.value(sql).await, expected, "{sql} after {after}");
        if client.cache_status().await == "hit" {
            return;
        }
    }
}

async fn what_changes_the_catalogs_is_seen_by_everyone(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    writer
        .run(
            "CREATE FUNCTION comments() RETURNS void LANGUAGE plpgsql AS \
             $$ BEGIN EXECUTE 'COMMENT ON TABLE account IS ''by code'''; END $$",
        )
        .await;
    for (sql, before, change, after) in [
        (COLUMNS, "id balance", "ALTER TABLE account ADD COLUMN more int", "id balance more"),
        (COLUMNS, "id balance more", "ALTER TABLE account RENAME more TO most", "id balance most"),
        (
            COLUMNS,
            "id balance most",
            "DO $$ BEGIN ALTER TABLE account DROP COLUMN most; END $$",
            "id balance",
        ),
        (COMMENT, "-", "COMMENT ON TABLE account IS 'said'", "said"),
        (COMMENT, "said", "DO $$ BEGIN COMMENT ON TABLE account IS 'done'; END $$", "done"),
        (COMMENT, "done", "SELECT comments()", "by code"),
        (COMMENT, "by code", "SELECT 1; COMMENT ON TABLE account IS NULL", "-"),
        (LABELS, "sad ok happy", "ALTER TYPE mood ADD VALUE 'calm'", "sad ok happy calm"),
        (MAY_READ, "f", "GRANT SELECT ON account TO reader", "t"),
        (MAY_READ, "t", "REVOKE SELECT ON account FROM reader", "f"),
        (INDEXES, "1", "CREATE INDEX account_balance ON account (balance)", "2"),
        (INDEXES, "2", "DROP INDEX account_balance", "1"),
        (TYPES, "0", "CREATE DOMAIN shade AS int", "1"),
        (TYPES, "1", "DROP DOMAIN shade", "0"),
    ] {
        for client in [&mut reader, &mut writer] {
            reads(client, sql, before, "nothing").await;
        }
        writer.run(change).await;
        for client in [&mut reader, &mut writer] {
            reads(client, sql, after, change).await;
        }
    }
}

async fn a_block_changes_them_when_it_commits_and_a_rollback_does_not(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    for (sql, change, before, after) in [
        (COMMENT, "COMMENT ON TABLE account IS 'in a block'", "-", "in a block"),
        (COLUMNS, "ALTER TABLE account ADD COLUMN late int", "id balance", "id balance late"),
    ] {
        for end in ["ROLLBACK", "COMMIT"] {
            writer.run("BEGIN").await;
            writer.run(change).await;
            let own = writer.value(sql).await;
            assert_eq!(
                (own.as_str(), writer.cache_status().await.as_str()),
                (after, "transaction")
            );
            if sql == COMMENT {
                // The lock of ALTER TABLE would be waited for.
                reads(&mut reader, sql, before, "what is not committed").await;
            }
            writer.run(end).await;
            let expected = if end == "COMMIT" { after } else { before };
            reads(&mut reader, sql, expected, end).await;
        }
    }
}

/// As psycopg and SQLAlchemy look types up: within a block that has done nothing else.
async fn a_block_that_has_done_nothing_looks_up_what_is_cached(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut writer, mut reader) = (stage.client().await, stage.client().await);
    let mut wait = 0;
    // Filled by blocks alone, once the catalog is known.
    while reader.cache_status().await != "hit" {
        wait += 1;
        assert!(wait < 1000, "it is never known");
        for begin in ["BEGIN", "SAVEPOINT a"] {
            reader.run(begin).await;
        }
        assert_eq!(reader.value(COLUMNS).await, "id balance");
        let status = reader.cache_status().await;
        reader.run("ROLLBACK").await;
        if status == "hit" {
            break;
        }
    }
    for (begin, expected) in [
        ("BEGIN", "hit"),
        ("BEGIN READ ONLY", "hit"),
        ("START TRANSACTION ISOLATION LEVEL READ COMMITTED", "hit"),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "transaction"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "transaction"),
        ("BEGIN; SELECT 1", "transaction"),
    ] {
        reader.run(begin).await;
        assert_eq!(reader.value(COLUMNS).await, "id balance");
        assert_eq!(reader.cache_status().await, expected, "{begin}");
        // Rows of a table are the block's to read.
        reader.run("SELECT balance FROM account WHERE id = 1").await;
        assert_eq!(reader.cache_status().await, "transaction", "{begin}");
        reader.run("COMMIT").await;
    }
    for change in
        ["ALTER TABLE account ADD COLUMN late int", "ALTER TABLE account DROP COLUMN late"]
    {
        reader.run("BEGIN").await;
        let before = reader.value(COLUMNS).await;
        // Locks nothing of what was read from the cache.
        writer.run(change).await;
        let after = reader.value(COLUMNS).await;
        assert_ne!(after, before, "{change}");
        reader.run("ROLLBACK").await;
        // What it has changed itself it sees, and nobody else.
        writer.run("BEGIN").await;
        writer.run("ALTER TABLE account ADD COLUMN own int").await;
        assert_eq!(writer.value(COLUMNS).await, format!("{after} own"));
        assert_eq!(writer.cache_status().await, "transaction");
        writer.run("ROLLBACK").await;
        reader.run("BEGIN").await;
        assert_eq!(reader.value(COLUMNS).await, after);
        reader.run("ROLLBACK").await;
    }
}

async fn what_is_temporary_is_seen_to_come_and_go(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut one, mut two, mut reader) =
        (stage.client().await, stage.client().await, stage.client().await);
    reads(&mut reader, TEMPORARY, "0", "nothing").await;
    one.run("CREATE TEMP TABLE passing ()").await;
    reads(&mut reader, TEMPORARY, "1", "one").await;
    two.run("CREATE TEMP TABLE passing ()").await;
    reads(&mut reader, TEMPORARY, "2", "the other").await;
    two.run("DISCARD ALL").await;
    reads(&mut reader, TEMPORARY, "1", "DISCARD ALL").await;
    one.close().await;
    // Its goodbye is not answered; the scenario's own time is the limit.
    while reader.value(TEMPORARY).await != "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn rights_and_search_paths_tell_readers_apart(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'account'";
    two.run("SET ROLE reader").await;
    for _turn in 0..2 {
        assert_eq!(one.value(tables).await, "1");
        assert_eq!(two.value(tables).await, "0", "whom it is not granted to");
    }
    two.run("RESET ROLE").await;
    one.run("SET search_path = one").await;
    two.run("SET search_path = two").await;
    let names = "SELECT current_schema() || ' ' || 'thing'::regclass || ' ' || \
         'one.thing'::regclass || ' ' || array_to_string(current_schemas(false), ',') FROM pg_type LIMIT 1";
    for _turn in 0..2 {
        assert_eq!(one.value(names).await, "one thing thing one");
        assert_eq!(two.value(names).await, "two thing one.thing two");
    }
    assert_eq!(two.cache_status().await, "hit");
}

async fn where_it_is_switched_off_the_catalogs_are_asked(place: Place) {
    let setup = Setup { round_trips: "catalog = false".into(), ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    let mut client = stage.client().await;
    for sql in [COLUMNS, COMMENT] {
        client.run(sql).await;
        client.run(sql).await;
        assert_eq!(client.cache_status().await, "uncacheable", "{sql}");
    }
    let table = "SELECT balance FROM account WHERE id = 1";
    client.run(table).await;
    client.run(table).await;
    assert_eq!(client.cache_status().await, "hit");
}

/// A driver's own look-ups, by its script, which connects once and has nothing else answered by the cache.
async fn the_look_ups_of(place: Place, name: &'static str, hits: f64) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, &stage.authority.pem).unwrap();
    let mut asked = Vec::new();
    for _client in 0..3 {
        let (endpoint, authority) = (stage.endpoint(), authority.clone());
        let run = tokio::task::spawn_blocking(move || script(name, &endpoint, &authority));
        let output = run.await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
        assert!(output.contains("looked up"), "{output}");
        asked.push(stage.metrics().await.queries("hit"));
    }
    let [first, second, third] = asked.try_into().unwrap();
    assert_eq!((first, third - second), (0.0, hits));
}

async fn asyncpg_finds_types_known(place: Place) {
    the_look_ups_of(place, "look_ups_asyncpg.py", 1.0).await;
}

async fn postgres_js_finds_types_known(place: Place) {
    the_look_ups_of(place, "look_ups_postgres.js", 1.0).await;
}

e2e::scenarios! {
    jumpgate_twice: [
        the_second_client_is_answered_from_the_cache,
        what_changes_the_catalogs_is_seen_by_everyone,
        a_block_changes_them_when_it_commits_and_a_rollback_does_not,
        a_block_that_has_done_nothing_looks_up_what_is_cached,
        what_is_temporary_is_seen_to_come_and_go,
        rights_and_search_paths_tell_readers_apart,
        where_it_is_switched_off_the_catalogs_are_asked,
        asyncpg_finds_types_known,
        postgres_js_finds_types_known,
    ],
}
