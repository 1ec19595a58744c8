//! Changes that go around the proxy: PostgreSQL tells of them by logical replication, and what they outdate is not served any
//! more, however long it might live otherwise.

use std::process::Command;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::Wire,
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";
/// What lives for an hour, unless it is told of.
const LONG: &str = "max_age = 3600\nstale_while_revalidate = 0";
/// What lives for a second, unless nobody need be asked.
const SHORT: &str = "max_age = 1\nstale_while_revalidate = 0";

/// A world whose database can tell, with these keys of `[database.capture]`. Nothing is published yet.
async fn silent(place: Place, keys: &str, settings: &[&'static str]) -> Stage {
    let usual = ["wal_level = logical", "max_wal_senders = 10"];
    let setup = Setup {
        postgres: [&usual, settings].concat(),
        caching: if keys.contains("until_changed") { SHORT } else { LONG }.into(),
        more: format!("[database.capture]\nenabled = true\n{keys}\n"),
        ..Setup::pool_of(3)
    };
    let stage = Stage::with(place, setup).await;
    stage.superuser().await.run("ALTER ROLE app REPLICATION").await;
    stage
}

/// The same, where `tables` are published.
async fn telling(place: Place, keys: &str, tables: &str) -> Stage {
    let stage = silent(place, keys, &[]).await;
    publish(&stage, tables).await;
    stage
}

async fn publish(stage: &Stage, tables: &str) {
    let mut superuser = stage.superuser().await;
    superuser.run(&format!("CREATE PUBLICATION jumpgate FOR {tables}")).await;
    // Opens the database, if nobody has.
    stage.client().await.run("SELECT 1").await;
    is_up(stage, true).await;
}

/// Waits until changes are heard of, or are not.
async fn is_up(stage: &Stage, is_up: bool) {
    let expected = f64::from(u8::from(is_up));
    eventually(if is_up { "changes are captured" } else { "the capture is lost" }, async || {
        stage.metrics().await.sum("jumpgate_capture_up", &[("database", "app")]) == expected
    })
    .await;
}

/// Reads until it is a hit.
async fn kept(reader: &mut Wire, sql: &str) -> String {
    let mut value = String::new();
    for _turn in 0..200 {
        value = reader.value(sql).await;
        if reader.cache_status().await == "hit" {
            return value;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never kept: {sql}: {value}")
}

/// Waits until a read answers so, whoever answers.
async fn sees(reader: &mut Wire, sql: &str, expected: &str) {
    let mut value = String::new();
    for _turn in 0..1000 {
        value = reader.value(sql).await;
        if value == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{sql}: still {value}, and not {expected}")
}

async fn every_kind_of_write_around_the_proxy_is_seen(place: Place) {
    let stage = telling(place, "", "TABLE account, item").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    let all = "SELECT string_agg(id || ':' || balance, ' ' ORDER BY id) FROM account";
    let unconcerned = "SELECT name FROM item WHERE id = 1";
    for (write, expected) in [
        ("UPDATE account SET balance = 1 WHERE id = 1", "1:1 2:100"),
        ("INSERT INTO account VALUES (3, 3)", "1:1 2:100 3:3"),
        ("DELETE FROM account WHERE id = 3", "1:1 2:100"),
        ("BEGIN; UPDATE account SET balance = 2 WHERE id = 1; COMMIT", "1:2 2:100"),
        ("DO $$ BEGIN UPDATE account SET balance = 3 WHERE id = 1; END $$", "1:3 2:100"),
        (
            "BEGIN; SAVEPOINT s; UPDATE account SET balance = 4 WHERE id = 1; RELEASE s; COMMIT",
            "1:4 2:100",
        ),
        ("TRUNCATE account", "NULL"),
        ("INSERT INTO account SELECT n, n FROM generate_series(1, 2) n", "1:1 2:2"),
    ] {
        kept(&mut reader, all).await;
        kept(&mut reader, unconcerned).await;
        around.run(write).await;
        sees(&mut reader, all, expected).await;
        assert_eq!(kept(&mut reader, all).await, expected, "after {write}");
        reader.run(unconcerned).await;
        assert_eq!(reader.cache_status().await, "hit", "{write} does not concern it");
    }
    let metrics = stage.metrics().await;
    let changes = |kind| metrics.sum("jumpgate_capture_changes_total", &[("kind", kind)]);
    assert!(changes("rows") >= 7.0 && changes("truncate") == 1.0, "{metrics:?}");
}

/// Partitions, children by inheritance, and what a foreign key writes by itself.
async fn a_write_around_the_proxy_is_seen_by_whoever_reads_the_table_by_another_name(place: Place) {
    let stage = silent(place, "", &[]).await;
    let mut around = stage.direct().await;
    for sql in [
        "CREATE TABLE event (id int PRIMARY KEY, n int) PARTITION BY RANGE (id)",
        "CREATE TABLE event_low PARTITION OF event FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE event_high PARTITION OF event FOR VALUES FROM (10) TO (20)",
        "INSERT INTO event VALUES (1, 0), (11, 0)",
        "CREATE TABLE animal (id int PRIMARY KEY, n int)",
        "CREATE TABLE dog (PRIMARY KEY (id)) INHERITS (animal)",
        "INSERT INTO dog VALUES (1, 0)",
        "CREATE TABLE owner (id int PRIMARY KEY)",
        "CREATE TABLE thing (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE CASCADE)",
        "INSERT INTO owner VALUES (1); INSERT INTO thing VALUES (1, 1)",
        "CREATE VIEW seen AS SELECT sum(n) AS n FROM event",
    ] {
        around.run(sql).await;
    }
    publish(&stage, "TABLE event, animal, dog, owner, thing").await;
    let mut reader = stage.client().await;
    for by_root in ["false", "true"] {
        let mut superuser = stage.superuser().await;
        let option =
            format!("ALTER PUBLICATION jumpgate SET (publish_via_partition_root = {by_root})");
        superuser.run(&option).await;
        around.run("UPDATE event SET n = 0; UPDATE dog SET n = 0").await;
        for (write, read, expected) in [
            ("UPDATE event_low SET n = 1", "SELECT sum(n) FROM event", "1"),
            ("UPDATE event_low SET n = 2", "SELECT n FROM seen", "2"),
            ("UPDATE event SET n = 3 WHERE id = 11", "SELECT sum(n) FROM event_high", "3"),
            ("UPDATE animal SET n = 4", "SELECT sum(n) FROM dog", "4"),
            ("UPDATE dog SET n = 5", "SELECT sum(n) FROM animal", "5"),
        ] {
            kept(&mut reader, read).await;
            around.run(write).await;
            sees(&mut reader, read, expected).await;
        }
    }
    let things = "SELECT count(*) FROM thing";
    assert_eq!(kept(&mut reader, things).await, "1");
    around.run("DELETE FROM owner").await;
    sees(&mut reader, things, "0").await;
}

/// A table that is another is noticed with the next row of it, and at once where an event trigger tells of it.
async fn another_schema_made_around_the_proxy_is_noticed(place: Place) {
    let stage = telling(place, "", "TABLE account, item").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    let row = "SELECT row_to_json(a)::text FROM account a WHERE id = 1";
    kept(&mut reader, row).await;
    around.run("ALTER TABLE account ADD COLUMN note text DEFAULT 'new'").await;
    around.run("UPDATE account SET balance = 7 WHERE id = 1").await;
    sees(&mut reader, row, r#"{"id":1,"balance":7,"note":"new"}"#).await;
    let mut superuser = stage.superuser().await;
    superuser
        .run(
            "CREATE FUNCTION tell() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_catalog.pg_logical_emit_message(true, 'jumpgate.schema', ''); END $$",
        )
        .await;
    superuser.run("CREATE EVENT TRIGGER tell ON ddl_command_end EXECUTE FUNCTION tell()").await;
    superuser.run("CREATE EVENT TRIGGER tell_drop ON sql_drop EXECUTE FUNCTION tell()").await;
    around.run("CREATE VIEW shown AS SELECT 1 AS n").await;
    let shown = "SELECT n FROM shown";
    assert_eq!(kept(&mut reader, shown).await, "1");
    around.run("CREATE OR REPLACE VIEW shown AS SELECT 2 AS n").await;
    sees(&mut reader, shown, "2").await;
    kept(&mut reader, row).await;
    around.run("ALTER TABLE account DROP COLUMN note").await;
    sees(&mut reader, row, r#"{"id":1,"balance":7}"#).await;
    assert_eq!(kept(&mut reader, row).await, r#"{"id":1,"balance":7}"#);
}

/// What tells is not replaced meanwhile: nobody may.
async fn while_nobody_tells_of_changes_nothing_is_cached(place: Place) {
    let stage = telling(place, "", "TABLE account").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    let mut superuser = stage.superuser().await;
    assert_eq!(kept(&mut reader, BALANCE).await, "100");
    superuser.run("ALTER ROLE app NOREPLICATION").await;
    superuser.run("SELECT pg_terminate_backend(pid) FROM pg_stat_replication").await;
    is_up(&stage, false).await;
    for balance in ["1", "2", "3"] {
        around.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
        assert_eq!(reader.value(BALANCE).await, balance);
        reader.run(BALANCE).await;
        assert_ne!(reader.cache_status().await, "hit");
    }
    superuser.run("ALTER ROLE app REPLICATION").await;
    is_up(&stage, true).await;
    assert_eq!(kept(&mut reader, BALANCE).await, "3");
    around.run("UPDATE account SET balance = 4 WHERE id = 1").await;
    sees(&mut reader, BALANCE, "4").await;
    assert!(stage.metrics().await.sum("jumpgate_capture_restarts_total", &[]) >= 1.0);
}

/// A killed walsender, each time with a write right behind it.
async fn no_write_is_missed_when_the_capture_is_killed(place: Place) {
    let stage = telling(place, "", "TABLE account").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    let mut superuser = stage.superuser().await;
    for balance in ["1", "2", "3"] {
        kept(&mut reader, BALANCE).await;
        superuser.run("SELECT pg_terminate_backend(pid) FROM pg_stat_replication").await;
        around.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
        sees(&mut reader, BALANCE, balance).await;
        assert_eq!(kept(&mut reader, BALANCE).await, balance);
    }
}

/// The connection stands, and nothing comes on it.
async fn what_is_told_too_late_is_not_cached_meanwhile(place: Place) {
    let stage = telling(place, "max_lag = 0.5", "TABLE account").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    assert_eq!(kept(&mut reader, BALANCE).await, "100");
    let restarts = async || stage.metrics().await.sum("jumpgate_capture_restarts_total", &[]);
    let before = restarts().await;
    let process = around.value("SELECT pid FROM pg_stat_replication").await;
    let signal = |word: &str| Command::new("kill").args([word, &process]).status().unwrap();
    assert!(signal("-STOP").success());
    is_up(&stage, false).await;
    around.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    assert_eq!(reader.value(BALANCE).await, "1", "it is late, and nothing is served");
    assert!(stage.metrics().await.sum("jumpgate_capture_lag_seconds", &[]) > 0.5);
    assert!(signal("-CONT").success());
    is_up(&stage, true).await;
    assert_eq!(kept(&mut reader, BALANCE).await, "1");
    assert_eq!(restarts().await, before);
}

/// With a synchronous standby that is away a commit is in the log, and nobody sees it.
async fn what_is_told_before_it_can_be_seen_is_cached_only_then(place: Place) {
    let stage = telling(place, "", "TABLE account, item").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    let mut superuser = stage.superuser().await;
    superuser.run("ALTER SYSTEM SET synchronous_standby_names = 'away'").await;
    superuser.run("SELECT pg_reload_conf()").await;
    sees(&mut around, "SHOW synchronous_standby_names", "away").await;
    kept(&mut reader, BALANCE).await;
    let seen = |metrics: e2e::metrics::Metrics| {
        metrics.sum("jumpgate_capture_changes_total", &[("kind", "rows")])
    };
    let before = seen(stage.metrics().await);
    around.run("SET synchronous_commit = on").await;
    let writes = around.query("UPDATE account SET balance = 1 WHERE id = 1");
    let watches = async {
        eventually("it was told", async || seen(stage.metrics().await) > before).await;
        for _turn in 0..20 {
            assert_eq!(reader.value(BALANCE).await, "100");
            assert_ne!(reader.cache_status().await, "hit", "it may be seen at any moment");
        }
        assert_eq!(kept(&mut reader, "SELECT name FROM item WHERE id = 1").await, "item 1");
        superuser.run("ALTER SYSTEM SET synchronous_standby_names = ''").await;
        superuser.run("SELECT pg_reload_conf()").await;
    };
    let (written, ()) = tokio::join!(writes, watches);
    assert_eq!(e2e::wire::error(&written), "");
    assert_eq!(reader.value(BALANCE).await, "1");
    assert_eq!(kept(&mut reader, BALANCE).await, "1");
}

async fn a_slot_that_was_dropped_is_made_anew(place: Place) {
    let stage = telling(place, "slot = 'jumpgate_1'", "TABLE account").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    let mut superuser = stage.superuser().await;
    let slots = "SELECT string_agg(slot_name || ' ' || temporary, ',') FROM pg_replication_slots";
    assert_eq!(around.value(slots).await, "jumpgate_1 false");
    kept(&mut reader, BALANCE).await;
    superuser.run("ALTER ROLE app NOREPLICATION").await;
    superuser.run("SELECT pg_terminate_backend(pid) FROM pg_stat_replication").await;
    is_up(&stage, false).await;
    sees(&mut superuser, "SELECT count(*) FROM pg_stat_replication", "0").await;
    superuser.run("SELECT pg_drop_replication_slot('jumpgate_1')").await;
    around.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    superuser.run("ALTER ROLE app REPLICATION").await;
    is_up(&stage, true).await;
    assert_eq!(around.value(slots).await, "jumpgate_1 false");
    assert_eq!(kept(&mut reader, BALANCE).await, "1");
    around.run("UPDATE account SET balance = 2 WHERE id = 1").await;
    sees(&mut reader, BALANCE, "2").await;
}

/// A reload that turns it off, and on with a role of its own.
async fn a_reload_begins_and_ends_it(place: Place) {
    let mut stage = telling(place, "", "TABLE account").await;
    let mut superuser = stage.superuser().await;
    let slots = "SELECT count(*) FROM pg_replication_slots";
    assert_eq!(superuser.value(slots).await, "1");
    stage.jumpgate().reload(|setup| setup.more = String::new()).unwrap();
    sees(&mut superuser, slots, "0").await;
    let mut reader = stage.client().await;
    assert_eq!(kept(&mut reader, BALANCE).await, "100");
    superuser.run("ALTER ROLE app NOREPLICATION").await;
    superuser.run("CREATE ROLE teller LOGIN REPLICATION PASSWORD 'told'").await;
    let keys = "[database.capture]\nenabled = true\nuser = 'teller'\npassword = 'told'\n";
    stage.jumpgate().reload(|setup| setup.more = keys.into()).unwrap();
    is_up(&stage, true).await;
    let who = "SELECT string_agg(DISTINCT usename, ',') FROM pg_stat_activity WHERE application_name ~ 'capture'";
    assert_eq!(superuser.value(who).await, "teller");
    kept(&mut reader, BALANCE).await;
    superuser.run("UPDATE account SET balance = 5 WHERE id = 1").await;
    sees(&mut reader, BALANCE, "5").await;
}

/// What is missing is told with the commands; when they have been run nothing is.
async fn check_tells_what_is_missing(place: Place) {
    let setup =
        Setup { more: String::from("[database.capture]\nenabled = true\n"), ..Setup::pool_of(3) };
    let mut stage = Stage::with(place, setup).await;
    let (code, said, problems) = stage.jumpgate().tool(&["check", "app"]).unwrap();
    assert_eq!(code, 1, "{said}{problems}");
    for told in [
        "wal_level is minimal, and must be logical",
        "max_wal_senders is 0, and 0 are in use",
        "there is no publication \"jumpgate\"",
        "→ CREATE PUBLICATION \"jumpgate\" FOR TABLE public.account, public.child",
        "→ ALTER TABLE public.wide REPLICA IDENTITY FULL;",
        "app may not replicate",
        "→ ALTER ROLE \"app\" REPLICATION;",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let mut stage = telling(place, "", "TABLE account, item").await;
    let (code, said, problems) = stage.jumpgate().tool(&["check", "app"]).unwrap();
    assert_eq!(code, 0, "{said}{problems}");
    let create = "→ ALTER PUBLICATION \"jumpgate\" ADD TABLE public.child, public.parent;";
    assert!(said.contains("does not tell of") && said.contains(create), "{said}");
    let mut superuser = stage.superuser().await;
    superuser.run("DROP PUBLICATION jumpgate; CREATE PUBLICATION jumpgate FOR ALL TABLES").await;
    let (code, said, problems) = stage.jumpgate().tool(&["check", "app"]).unwrap();
    assert_eq!(code, 0, "{said}{problems}");
    assert!(said.contains("tells of all tables") && said.contains("app may replicate"), "{said}");
}

/// An hour in place of a second, for what is told of, and for nothing else.
async fn what_is_told_of_may_be_kept_until_it_changes(place: Place) {
    let stage = telling(place, "until_changed = true", "TABLE account").await;
    let (mut around, mut reader) = (stage.direct().await, stage.client().await);
    let untold = "SELECT name FROM item WHERE id = 1";
    kept(&mut reader, BALANCE).await;
    kept(&mut reader, untold).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    reader.run(BALANCE).await;
    assert_eq!(reader.cache_status().await, "hit");
    reader.run(untold).await;
    assert_ne!(reader.cache_status().await, "hit", "nobody tells of it");
    around.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    sees(&mut reader, BALANCE, "1").await;
}

e2e::scenarios! {
    jumpgate: [
        every_kind_of_write_around_the_proxy_is_seen,
        while_nobody_tells_of_changes_nothing_is_cached,
        no_write_is_missed_when_the_capture_is_killed,
    ],
    jumpgate_twice: [
        a_write_around_the_proxy_is_seen_by_whoever_reads_the_table_by_another_name,
        another_schema_made_around_the_proxy_is_noticed,
        what_is_told_too_late_is_not_cached_meanwhile,
        what_is_told_before_it_can_be_seen_is_cached_only_then,
        a_slot_that_was_dropped_is_made_anew,
    ],
    jumpgate_once: [
        a_reload_begins_and_ends_it,
        check_tells_what_is_missing,
        what_is_told_of_may_be_kept_until_it_changes,
    ],
}
