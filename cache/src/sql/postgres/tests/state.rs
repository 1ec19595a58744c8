//! What statements leave behind in a session.

use super::*;
use crate::sql::postgres::{Discarded, Effect, Kind, Pin};

fn set(name: &str, sql: &str) -> Effect {
    Effect::Set { name: name.to_owned(), sql: sql.to_owned() }
}

fn reset(name: &str) -> Effect {
    Effect::Reset { name: name.to_owned() }
}

#[test]
fn settings_with_literals_are_followed() {
    for (sql, effect) in [
        ("SET search_path TO a, b", set("search_path", "SET search_path TO 'a', 'b'")),
        ("set Search_Path = 'A b'", set("search_path", "SET search_path TO 'A b'")),
        ("SET SESSION work_mem = '64MB'", set("work_mem", "SET work_mem TO '64MB'")),
        ("SET extra_float_digits = -1", set("extra_float_digits", "SET extra_float_digits TO -1")),
        ("SET enable_seqscan = off", set("enable_seqscan", "SET enable_seqscan TO 'off'")),
        ("SET app.tenant TO 'it''s'", set("app.tenant", "SET \"app\".\"tenant\" TO 'it''s'")),
        ("SET a.b TO E'\\\\'", set("a.b", "SET \"a\".\"b\" TO E'\\\\'")),
        ("SET TIME ZONE 'UTC'", set("timezone", "SET timezone TO 'UTC'")),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            set("default_transaction_read_only", "SET default_transaction_read_only TO 1"),
        ),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            set(
                "default_transaction_isolation",
                "SET default_transaction_isolation TO 'repeatable read'",
            ),
        ),
        ("SET NAMES 'utf8'", set("client_encoding", "SET client_encoding TO 'utf8'")),
        ("SET ROLE app", set("role", "SET ROLE 'app'")),
        (
            "SET SESSION AUTHORIZATION app",
            set("session_authorization", "SET SESSION AUTHORIZATION 'app'"),
        ),
        ("SELECT set_config('app.id', '7', false)", set("app.id", "SET \"app\".\"id\" TO '7'")),
        (
            "SELECT current_setting('app.id') AS before, set_config('app.id', '7', false)",
            set("app.id", "SET \"app\".\"id\" TO '7'"),
        ),
        (
            "SELECT pg_catalog.set_config('search_path', 'A, \"B\"', false)",
            set("search_path", "SET search_path TO 'a', 'B'"),
        ),
        (
            "SELECT pg_catalog.set_config('search_path', '', false)",
            set("search_path", "SET search_path TO ''"),
        ),
        ("RESET work_mem", reset("work_mem")),
        ("SET work_mem TO DEFAULT", reset("work_mem")),
        ("SET TIME ZONE LOCAL", reset("timezone")),
        ("RESET ROLE", reset("role")),
        ("RESET ALL", Effect::ResetAll),
        ("DISCARD ALL", Effect::DiscardAll),
        ("DISCARD PLANS", Effect::DiscardPlans),
        ("DISCARD TEMP", Effect::DiscardTemp),
        ("DISCARD SEQUENCES", Effect::DiscardSequences),
    ] {
        assert_eq!(only(sql).effects, [effect], "{sql}");
    }
}

#[test]
fn a_followed_setting_parses_to_itself() {
    for sql in ["SET search_path TO 'a', 'b'", "SET ROLE 'x'", "SET \"a\".\"b\" TO E'\\\\'"] {
        let facts = only(sql);
        let [Effect::Set { sql: again, .. }] = facts.effects.as_slice() else { panic!("{sql}") };
        assert_eq!(again, sql);
    }
}

#[test]
fn what_ends_with_the_transaction_leaves_nothing() {
    for sql in [
        "SET LOCAL work_mem = '64MB'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET transaction_read_only = on",
        "SELECT set_config('a.b', 'c', true)",
        "SET CONSTRAINTS ALL DEFERRED",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
        "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
        "DECLARE c CURSOR FOR SELECT 1",
        "EXPLAIN SELECT pg_advisory_lock(1)",
        "EXPLAIN (ANALYZE false) SELECT pg_advisory_lock(1)",
        "CREATE TABLE t (a int)",
        "SELECT 'pg_advisory_lock(1)'",
        "BEGIN",
    ] {
        assert_eq!(only(sql).effects, [], "{sql}");
    }
}

#[test]
fn state_that_cannot_be_carried_pins() {
    for (sql, pin) in [
        ("LISTEN news", Pin::Listen),
        ("CREATE TEMP TABLE t (a int)", Pin::TempTable),
        ("CREATE TEMPORARY TABLE t AS SELECT 1", Pin::TempTable),
        ("CREATE TABLE pg_temp.t (a int)", Pin::TempTable),
        ("SET search_path TO pg_temp, public", Pin::UnknownSetting),
        ("CREATE TEMP VIEW v AS SELECT 1", Pin::TempTable),
        ("CREATE TEMP SEQUENCE s", Pin::TempTable),
        ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", Pin::TempTable),
        ("SELECT 1 INTO TEMP t", Pin::TempTable),
        ("SELECT 1 AS a INTO pg_temp.t UNION SELECT 2", Pin::TempTable),
        ("SELECT pg_advisory_lock(1)", Pin::AdvisoryLock),
        ("SELECT pg_try_advisory_lock_shared(1, 2)", Pin::AdvisoryLock),
        (
            "SELECT * FROM users WHERE (SELECT pg_catalog.pg_try_advisory_lock(id))",
            Pin::AdvisoryLock,
        ),
        ("INSERT INTO t SELECT pg_advisory_lock(1)", Pin::AdvisoryLock),
        ("EXPLAIN ANALYZE SELECT pg_advisory_lock(1)", Pin::AdvisoryLock),
        ("COPY (SELECT pg_advisory_lock(1)) TO STDOUT", Pin::AdvisoryLock),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Pin::HoldCursor),
        ("LOAD 'auto_explain'", Pin::Load),
        ("SELECT pg_backup_start('nightly')", Pin::Backup),
        ("SELECT * FROM pg_catalog.pg_backup_start(label => 'nightly', fast => true)", Pin::Backup),
        ("SELECT pg_start_backup('nightly', false, false)", Pin::Backup),
        ("DO $$ BEGIN PERFORM pg_backup_start('nightly'); END $$", Pin::Backup),
        ("PREPARE p AS SELECT 1", Pin::SqlPrepare),
        ("SET work_mem FROM CURRENT", Pin::UnknownSetting),
        ("SET seed TO 0.5", Pin::UnknownSetting),
        ("SELECT setseed(0.5)", Pin::UnknownSetting),
        ("SELECT set_config('a.b', $1, false)", Pin::UnknownSetting),
        ("SELECT set_config('a.b', 'c', false) FROM users", Pin::UnknownSetting),
        ("UPDATE pg_settings SET setting = 'x' WHERE name = 'y'", Pin::UnknownSetting),
        ("DO $$ BEGIN CREATE TEMP TABLE t (a int); END $$", Pin::TempTable),
        ("DO $$ BEGIN SET work_mem = '1MB'; END $$", Pin::UnknownSetting),
        ("SELEC 1", Pin::Unparsed),
    ] {
        assert_eq!(only(sql).effects, [Effect::Pin(pin)], "{sql}");
    }
}

/// Found by PostgreSQL's isolation tests: what the server reports can be followed whatever the text says.
#[test]
fn a_reported_setting_is_followed_also_where_its_value_is_an_expression() {
    for (sql, name) in [
        ("SELECT set_config('application_name', $1, false)", "application_name"),
        ("SELECT set_config('Application_Name', a || 'x', false) FROM t", "application_name"),
        ("SELECT set_config('application_name', 'x', $1), f()", "application_name"),
        ("SELECT set_config('search_path', $1, false)", "search_path"),
        ("WITH x AS (SELECT set_config('TimeZone', $1, false)) SELECT * FROM x", "timezone"),
        ("INSERT INTO t VALUES (set_config('IntervalStyle', $1, false))", "intervalstyle"),
        ("SET TIME ZONE INTERVAL '+03:00' HOUR TO MINUTE", "timezone"),
        ("SET application_name FROM CURRENT", "application_name"),
    ] {
        let effect = Effect::Set { name: name.into(), sql: String::new() };
        assert_eq!(only(sql).effects, [effect], "{sql}");
    }
    for sql in [
        "SELECT set_config('role', $1, false)",
        "SELECT set_config('session_authorization', $1, false)",
        "SELECT set_config('work_mem', $1, false)",
        "SELECT set_config($1, $2, false)",
    ] {
        assert_eq!(only(sql).effects, [Effect::Pin(Pin::UnknownSetting)], "{sql}");
    }
    assert_eq!(only("SELECT set_config('application_name', $1, true)").effects, []);
}

#[test]
fn what_may_end_a_pin_says_so() {
    for sql in [
        "UNLISTEN *",
        "DROP TABLE t",
        "CLOSE ALL",
        "DEALLOCATE ALL",
        "DISCARD ALL",
        "RESET ALL",
        "ROLLBACK",
        "SELECT pg_advisory_unlock(1)",
        "SELECT pg_advisory_unlock_all()",
    ] {
        assert!(only(sql).may_release_pin, "{sql}");
    }
    for sql in ["SELECT 1", "COMMIT", "SET a.b TO 1", "INSERT INTO t VALUES (1)"] {
        assert!(!only(sql).may_release_pin, "{sql}");
    }
}

#[test]
fn kinds_tell_the_session_what_it_must_know() {
    for (sql, kind) in [
        ("SELECT 1", Kind::Select),
        ("VALUES (1)", Kind::Select),
        ("WITH a AS (DELETE FROM t RETURNING 1) SELECT * FROM a", Kind::Write),
        ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", Kind::Write),
        ("COPY t FROM STDIN", Kind::Copy { from_stdin: true, to_stdout: false }),
        ("COPY t TO STDOUT", Kind::Copy { from_stdin: false, to_stdout: true }),
        ("COPY t TO '/tmp/x'", Kind::Copy { from_stdin: false, to_stdout: false }),
        ("START TRANSACTION READ ONLY", Kind::Begin),
        ("END", Kind::Commit),
        ("ABORT", Kind::Rollback),
        ("SAVEPOINT s", Kind::Savepoint("s".to_owned())),
        ("RELEASE s", Kind::Release("s".to_owned())),
        ("ROLLBACK TO s", Kind::RollbackTo("s".to_owned())),
        ("PREPARE TRANSACTION 'x'", Kind::PrepareTransaction),
        ("COMMIT PREPARED 'x'", Kind::FinishPrepared),
        ("PREPARE p AS SELECT 1", Kind::Prepare("p".to_owned())),
        ("EXECUTE p (1)", Kind::Execute("p".to_owned())),
        ("DEALLOCATE p", Kind::Deallocate(Some("p".to_owned()))),
        ("DEALLOCATE ALL", Kind::Deallocate(None)),
        ("DISCARD ALL", Kind::Discard(Discarded::All)),
        ("SHOW jumpgate.cache_status", Kind::Show("jumpgate.cache_status".to_owned())),
        ("SHOW TIME ZONE", Kind::Show("timezone".to_owned())),
        ("EXPLAIN SELECT 1", Kind::Explain { analyze: false }),
        ("EXPLAIN (ANALYZE) SELECT 1", Kind::Explain { analyze: true }),
        ("LISTEN a", Kind::Listen),
        ("CREATE INDEX i ON t (lower(a))", Kind::Ddl),
        // It changes no verdict: FAULTS §4.
        ("CREATE INDEX i ON t (a)", Kind::Other),
        ("CALL p(1)", Kind::Code),
        ("VACUUM t", Kind::Other),
    ] {
        assert_eq!(only(sql).kind, kind, "{sql}");
    }
}

#[test]
fn every_statement_of_a_text_has_its_own_facts() {
    let analysis = analyse("BEGIN; SET a.b TO 1; INSERT INTO t VALUES (1); COMMIT");
    assert_eq!(analysis.statements.len(), 4);
    assert_eq!(analysis.effects().count(), 1);
    assert_eq!(
        analysis.writes(),
        crate::sql::Writes::Tables(vec![crate::sql::TableName::bare("t")])
    );
}

#[test]
fn a_prepare_shows_what_execute_will_run() {
    let facts = only("PREPARE p AS DELETE FROM t WHERE a = $1");
    let prepared = facts.prepared.unwrap();
    assert_eq!(prepared.kind, Kind::Write);
    assert_eq!(
        (facts.writes, prepared.writes),
        (
            crate::sql::Writes::None,
            crate::sql::Writes::Tables(vec![crate::sql::TableName::bare("t")])
        )
    );
}
