//! What of the server's own schema is cached, and what writes it.

use super::*;
use crate::sql::mysql::classify;
use crate::sql::{Verdict, Writes};

fn is_look_up(sql: &str, schema: &str) -> bool {
    let catalog = Catalog::default();
    let verdict = classify(&analysed(sql), &catalog, schema);
    let looks_up = verdict.looks_up();
    assert_eq!(matches!(verdict, Verdict::Cacheable { .. }), looks_up, "{sql}: {verdict:?}");
    looks_up
}

#[test]
fn what_drivers_and_orms_look_up_is_one_table() {
    for sql in [
        "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()",
        "SELECT * FROM `INFORMATION_SCHEMA`.`COLUMNS` WHERE TABLE_NAME = ?",
        "SELECT TABLE_NAME, TABLE_TYPE, TABLE_COMMENT FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'app'",
        "SELECT COUNT(*) FROM information_schema.tables",
        "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.statistics ORDER BY SEQ_IN_INDEX",
        "SELECT k.*, r.UPDATE_RULE FROM information_schema.key_column_usage k \
             JOIN information_schema.referential_constraints r USING (CONSTRAINT_NAME)",
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA",
        "SELECT ROUTINE_NAME FROM information_schema.routines UNION SELECT TABLE_NAME FROM information_schema.views",
        "SHOW TABLES",
        "show full tables from `app` where Table_type != 'VIEW'",
        "SHOW TABLES IN app LIKE 'a%'",
        "SHOW TABLES WHERE Tables_in_app IN ('a', 'b')",
        "SHOW COLUMNS FROM t",
        "SHOW FULL COLUMNS FROM `t` FROM `app`",
        "SHOW FIELDS IN app.t LIKE 'a%'",
        "SHOW FULL COLUMNS FROM t WHERE Field = 'id' AND `Key` = ?",
        "SHOW DATABASES",
        "SHOW SCHEMAS LIKE 'app'",
        "SHOW CREATE TABLE app.t",
        "SHOW CREATE VIEW v;",
        "SHOW CREATE DATABASE app",
        "SHOW CREATE PROCEDURE p",
        "SHOW TRIGGERS LIKE 't'",
        "SHOW PROCEDURE STATUS",
        "SHOW CHARACTER SET LIKE 'utf8%'",
        "SHOW COLLATION",
        "DESCRIBE t",
        "desc app.t id",
        "EXPLAIN t 'i%'",
    ] {
        assert!(is_look_up(sql, "app"), "{sql}");
    }
    assert!(is_look_up("SELECT COLUMN_NAME FROM columns", "INFORMATION_SCHEMA"));
}

#[test]
fn what_changes_by_itself_or_is_not_known_is_asked_each_time() {
    for sql in [
        "SELECT * FROM information_schema.tables",
        "SELECT TABLE_ROWS FROM information_schema.tables",
        "SELECT TABLE_NAME FROM information_schema.tables ORDER BY `Create_Time`",
        "SELECT t.table_name FROM information_schema.tables t WHERE t.AUTO_INCREMENT > 1",
        "SELECT s.* FROM information_schema.statistics s",
        "SELECT CARDINALITY FROM information_schema.statistics",
        "SELECT a FROM (SELECT * FROM information_schema.tables) x (a, b)",
        "SELECT 1 FROM information_schema.tables a NATURAL JOIN information_schema.columns b",
        "SELECT ID FROM information_schema.processlist",
        "SELECT VARIABLE_VALUE FROM information_schema.global_status",
        "SELECT EVENT_NAME FROM information_schema.events",
        "SELECT PARTITION_NAME FROM information_schema.partitions",
        "SELECT TRX_ID FROM information_schema.innodb_trx",
        "SELECT User FROM mysql.user",
        "SELECT * FROM performance_schema.threads",
        "SELECT * FROM sys.version",
        "SELECT COLUMN_NAME, @a FROM information_schema.columns",
        "SELECT COLUMN_NAME FROM information_schema.columns FOR UPDATE",
        "TABLE information_schema.tables",
        "SHOW INDEX FROM t",
        "SHOW KEYS FROM t",
        "SHOW TABLE STATUS",
        "SHOW PROCESSLIST",
        "SHOW STATUS",
        "SHOW GRANTS",
        "SHOW CREATE USER u",
        "SHOW CREATE EVENT e",
        "SHOW EVENTS",
        "SHOW OPEN TABLES",
        "SHOW EXTENDED TABLES",
        "SHOW TABLES WHERE sleep(1)",
        "SHOW TABLES WHERE Tables_in_app = @a",
        "SHOW COLUMNS FROM t WHERE Field = (SELECT 1)",
        "SHOW COLUMNS FROM t WHERE `f`()",
        "SHOW TABLES LIKE 'a' 'b' WHERE 1",
        "SHOW /*!50002 FULL */ TABLES",
        "SET STATEMENT max_statement_time = 1 FOR SHOW TABLES",
        "SHOW TABLES; SHOW TABLES",
    ] {
        assert!(!is_look_up(sql, "app"), "{sql}");
    }
}

/// A GRANT is DDL; what else changes rights changes what is shown as well.
#[test]
fn what_changes_the_schema_or_rights_writes_it() {
    for sql in [
        "ALTER TABLE t ADD a INT",
        "CREATE VIEW v AS SELECT 1",
        "GRANT SELECT ON t TO u",
        "REVOKE SELECT ON t FROM u",
        "FLUSH PRIVILEGES",
        "SET DEFAULT ROLE NONE TO u",
        "DROP USER u",
        "CALL p()",
    ] {
        assert_eq!(analysed(sql).writes(), Writes::Everything, "{sql}");
    }
    for sql in ["CREATE TEMPORARY TABLE t (a INT)", "DROP TEMPORARY TABLE t", "FLUSH TABLES"] {
        assert_eq!(analysed(sql).writes(), Writes::None, "{sql}");
    }
}

#[test]
fn a_counter_may_be_told_by_show_create_table_only() {
    for (sql, expected) in [
        ("SHOW CREATE TABLE t", true),
        ("SHOW CREATE VIEW t", false),
        ("SHOW COLUMNS FROM t", false),
        ("SELECT 1", false),
    ] {
        assert_eq!(analysed(sql).may_tell_counters(), expected, "{sql}");
    }
}

#[test]
fn questions_about_settings_are_told_from_others() {
    for (sql, expected) in [
        ("SELECT @@autocommit", true),
        ("SELECT @@max_allowed_packet, @@wait_timeout", true),
        ("SELECT VERSION() AS `version`", true),
        ("SELECT DATABASE()", true),
        ("SHOW VARIABLES LIKE 'sql_mode'", true),
        ("SELECT 1", false),
        ("SELECT @@hostname", false),
        ("SELECT id FROM users WHERE id > @@wait_timeout", false),
        ("SHOW TABLES", false),
        ("SELECT @@autocommit; SELECT 1", false),
    ] {
        assert_eq!(analysed(sql).asks_for_settings(), expected, "{sql}");
    }
}
