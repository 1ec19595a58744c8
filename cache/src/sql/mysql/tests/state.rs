//! What state statements leave behind.

use super::*;
use crate::sql::mysql::{Diagnosed, Mentioned, Victim};
use crate::sql::{Parse, TableName};

fn variable(name: &str) -> Effect {
    Effect::UserVariable(name.to_owned())
}

fn cleared(name: &str) -> Effect {
    Effect::UserVariableCleared(name.to_owned())
}

fn lock(name: &str) -> Effect {
    Effect::NamedLock(Some(name.to_owned()))
}

fn table(name: &str) -> Effect {
    Effect::TempTable(name.to_owned())
}

fn dropped(name: &str) -> Effect {
    Effect::TempTableDropped(name.to_owned())
}

#[test]
fn kinds_are_told_by_their_words_in_any_case() {
    for (sql, expect) in [
        ("select 1", Kind::Select),
        ("(SELECT 1) UNION (SELECT 2)", Kind::Select),
        ("VALUES ROW(1)", Kind::Select),
        ("TABLE t", Kind::Select),
        ("WITH c AS (SELECT 1) SELECT * FROM c", Kind::Select),
        ("WITH c AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT * FROM c)", Kind::Write),
        ("with c as (select 1) update t, c set a = 1", Kind::Write),
        ("insert into t values (1)", Kind::Insert),
        ("REPLACE t SET a = 1", Kind::Insert),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", Kind::Insert),
        ("UPDATE t SET a = 1", Kind::Write),
        ("DELETE FROM t", Kind::Write),
        ("TRUNCATE t", Kind::Write),
        ("BEGIN", Kind::Begin),
        ("begin work", Kind::Begin),
        ("START TRANSACTION READ ONLY", Kind::Begin),
        ("COMMIT AND CHAIN", Kind::Commit),
        ("ROLLBACK", Kind::Rollback),
        ("ROLLBACK WORK TO SAVEPOINT a", Kind::Savepoint),
        ("SAVEPOINT a", Kind::Savepoint),
        ("RELEASE SAVEPOINT a", Kind::Savepoint),
        ("SET a = 1", Kind::Set),
        ("USE `My Db`", Kind::Use("My Db".to_owned())),
        ("SHOW TABLES", Kind::Show),
        ("DESCRIBE t", Kind::Show),
        ("DESC t a", Kind::Show),
        ("EXPLAIN t", Kind::Show),
        ("EXPLAIN SELECT 1", Kind::Explain),
        ("EXPLAIN FORMAT=JSON UPDATE t SET a = 1", Kind::Explain),
        ("EXPLAIN FOR CONNECTION 5", Kind::Explain),
        ("ANALYZE FORMAT=JSON DELETE FROM t", Kind::Explain),
        ("ANALYZE TABLE t", Kind::Other),
        ("GET DIAGNOSTICS CONDITION @i @a = MYSQL_ERRNO", Kind::GetDiagnostics(None)),
        ("GET DIAGNOSTICS a = NUMBER", Kind::GetDiagnostics(None)),
        ("CREATE TABLE t (a INT)", Kind::Ddl),
        ("ALTER TABLE t ADD b INT", Kind::Ddl),
        ("GRANT ALL ON *.* TO a", Kind::Ddl),
        ("INSTALL PLUGIN a SONAME 'b'", Kind::Ddl),
        ("CALL p(1)", Kind::Call(Some(TableName::bare("p")))),
        ("PREPARE S FROM 'SELECT 1'", Kind::Prepare("s".to_owned())),
        ("EXECUTE s", Kind::Execute("s".to_owned())),
        ("DEALLOCATE PREPARE s", Kind::Deallocate("s".to_owned())),
        ("DROP PREPARE s", Kind::Deallocate("s".to_owned())),
        ("EXECUTE IMMEDIATE 'SELECT 1'", Kind::Code),
        ("BEGIN NOT ATOMIC SET @a = 1; END", Kind::Code),
        ("IF 1 THEN SET @a = 1; END IF", Kind::Code),
        ("LOCK TABLES t READ", Kind::LockTables),
        ("UNLOCK TABLES", Kind::UnlockTables),
        ("FLUSH TABLES WITH READ LOCK", Kind::LockTables),
        ("FLUSH TABLES t FOR EXPORT", Kind::LockTables),
        ("FLUSH STATUS", Kind::Other),
        ("KILL 5", Kind::Kill { query: false, target: Victim::Thread(5) }),
        ("KILL (5)", Kind::Kill { query: false, target: Victim::Thread(5) }),
        ("KILL CONNECTION 5", Kind::Kill { query: false, target: Victim::Thread(5) }),
        ("KILL SOFT QUERY 5", Kind::Kill { query: true, target: Victim::Thread(5) }),
        ("KILL QUERY ID 5", Kind::Kill { query: true, target: Victim::Other }),
        ("KILL USER a", Kind::Kill { query: false, target: Victim::Other }),
        ("KILL CONNECTION_ID()", Kind::Kill { query: false, target: Victim::Own }),
        ("KILL QUERY ?", Kind::Kill { query: true, target: Victim::Parameter }),
        ("KILL @a", Kind::Kill { query: false, target: Victim::Expression(5..7) }),
        ("KILL (5 + 1)", Kind::Kill { query: false, target: Victim::Expression(6..11) }),
        ("HANDLER t OPEN", Kind::Handler),
        ("DO SLEEP(1)", Kind::Other),
        ("SET STATEMENT max_statement_time = 1 FOR SELECT 1", Kind::Select),
        ("DELIMITER //", Kind::Unknown),
        ("FROBNICATE", Kind::Unknown),
    ] {
        assert_eq!(kind(sql), expect, "{sql}");
    }
}

#[test]
fn questions_for_diagnostics_are_read_with_their_limits() {
    let shown = |errors_only, count, offset, limit| Kind::ShowDiagnostics {
        errors_only,
        count,
        offset,
        limit,
    };
    for (sql, expect) in [
        ("SHOW WARNINGS", shown(false, false, 0, None)),
        ("show errors", shown(true, false, 0, None)),
        ("SHOW COUNT(*) WARNINGS", shown(false, true, 0, None)),
        ("SHOW COUNT ( * ) ERRORS", shown(true, true, 0, None)),
        ("SHOW WARNINGS LIMIT 5", shown(false, false, 0, Some(5))),
        ("SHOW WARNINGS LIMIT 2, 5", shown(false, false, 2, Some(5))),
        ("SHOW ERRORS LIMIT 5 OFFSET 2", shown(true, false, 2, Some(5))),
        ("SHOW WARNINGS LIMIT x", Kind::Show),
        ("SHOW COUNT(*) WARNINGS LIMIT 1", Kind::Show),
    ] {
        assert_eq!(kind(sql), expect, "{sql}");
    }
}

#[test]
fn what_get_diagnostics_asks_for_is_read() {
    let asked = |condition, items: &[(&str, &str)]| {
        let items = items.iter().map(|(to, name)| ((*to).to_owned(), (*name).to_owned()));
        Kind::GetDiagnostics(Some(Diagnosed { condition, items: items.collect() }))
    };
    assert_eq!(kind("GET DIAGNOSTICS @a = NUMBER"), asked(None, &[("@a", "NUMBER")]));
    let sql = "GET CURRENT DIAGNOSTICS CONDITION 1 @c = MYSQL_ERRNO, @`m` = message_text";
    assert_eq!(kind(sql), asked(Some(1), &[("@c", "MYSQL_ERRNO"), ("@`m`", "MESSAGE_TEXT")]));
}

#[test]
fn user_variables_are_seen_wherever_they_are_assigned() {
    for (sql, expect) in [
        ("SET @a = 1", vec![variable("a")]),
        ("SET @A := 1, GLOBAL x = 2, @`b c` = 3", vec![variable("a"), variable("b c")]),
        ("SET PERSIST x = 1, SESSION y = 2, @a = (SELECT 1, 2)", vec![variable("a")]),
        ("SET @a = NULL", vec![cleared("a")]),
        ("SET @a := NULL", vec![cleared("a")]),
        ("SET @a = NULL, @b = (@a := 5)", vec![cleared("a"), variable("b"), variable("a")]),
        ("SET @a = NULL, @a := 5", vec![cleared("a"), variable("a")]),
        ("SET x = (SELECT @a := 1)", vec![variable("a")]),
        ("SELECT @a := @b + 1, @c:=2", vec![variable("a"), variable("c")]),
        ("SELECT a, b INTO @x, @y FROM t", vec![variable("x"), variable("y")]),
        ("SELECT a FROM t INTO @x", vec![variable("x")]),
        ("SELECT @a, @b = 1", vec![]),
        ("UPDATE t SET a = (@n := @n + 1)", vec![variable("n")]),
        ("INSERT INTO t SELECT @n := 1", vec![variable("n")]),
        ("DO @a := 1", vec![variable("a")]),
        ("LOAD DATA INFILE 'x' INTO TABLE t (a, @b) SET c = @b", vec![variable("b")]),
        ("CALL p(@x, 1)", vec![variable("x")]),
        ("GET DIAGNOSTICS @n = NUMBER", vec![variable("n")]),
        ("GET DIAGNOSTICS CONDITION 1 @n = MYSQL_ERRNO", vec![variable("n")]),
        ("EXPLAIN FORMAT=JSON INTO @e SELECT 1", vec![variable("e")]),
        ("EXECUTE s USING @a", vec![variable("a"), Effect::UnknownSetting]),
        ("SELECT '@a := 1', \"@b := 1\" /* @c := 1 */", vec![]),
        ("SET @'a' = 1", vec![variable("a")]),
        ("CREATE TABLE t SELECT @a := 1", vec![variable("a")]),
        ("SET STATEMENT x = 1 FOR SELECT @a := 1", vec![variable("a"), variable("a")]),
    ] {
        assert_eq!(effects(sql), expect, "{sql}");
    }
}

#[test]
fn settings_that_no_report_tells_of_are_named() {
    use Effect::{LastInsertId, NextTransaction, OneShot, SessionTracking, UnknownSetting};
    for (sql, expect) in [
        ("SET sql_mode = 'ANSI'", vec![]),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", vec![]),
        ("SET autocommit = 0, @@session.time_zone = 'UTC'", vec![]),
        ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", vec![NextTransaction]),
        ("SET SESSION TRANSACTION READ ONLY", vec![]),
        ("SET GLOBAL TRANSACTION READ ONLY", vec![]),
        ("SET @@transaction_isolation = 'SERIALIZABLE'", vec![NextTransaction]),
        ("SET @@session.transaction_isolation = 'SERIALIZABLE'", vec![]),
        ("SET SESSION tx_isolation = 'SERIALIZABLE'", vec![]),
        ("SET GLOBAL transaction_isolation = 'SERIALIZABLE'", vec![]),
        ("SET insert_id = 5", vec![OneShot]),
        ("SET @@session.rand_seed1 = 5, x = 1", vec![OneShot]),
        ("SET LOCAL gtid_next = 'AUTOMATIC'", vec![OneShot]),
        ("SET GLOBAL server_id = 5", vec![]),
        ("SET timestamp = 5", vec![OneShot]),
        ("SET last_insert_id = 5", vec![LastInsertId]),
        ("SET @@identity = 5", vec![LastInsertId]),
        ("SET session_track_schema = 0", vec![SessionTracking]),
        ("SET @@SESSION.session_track_system_variables = ''", vec![SessionTracking]),
        ("SET ROLE admin", vec![UnknownSetting]),
        ("SET DEFAULT ROLE admin TO a", vec![]),
        ("SET PASSWORD = 'x'", vec![]),
        ("SET PASSWORD FOR a = 'x'", vec![]),
        ("SET RESOURCE GROUP g", vec![UnknownSetting]),
        ("XA START 'a'", vec![UnknownSetting]),
        ("LOCK INSTANCE FOR BACKUP", vec![UnknownSetting]),
        ("BACKUP STAGE START", vec![UnknownSetting]),
        ("BINLOG 'AAAA'", vec![UnknownSetting]),
        ("EXECUTE s", vec![UnknownSetting]),
        ("EXECUTE IMMEDIATE @a", vec![UnknownSetting]),
        ("EXECUTE IMMEDIATE 'SET @a = 1'", vec![variable("a")]),
        ("EXECUTE IMMEDIATE CONCAT('a', 'b')", vec![UnknownSetting]),
        ("BEGIN NOT ATOMIC SELECT 1; END", vec![UnknownSetting]),
        ("SELECT LAST_INSERT_ID(5)", vec![LastInsertId]),
        ("UPDATE t SET a = LAST_INSERT_ID(a + 1)", vec![LastInsertId]),
        ("SELECT SQL_CALC_FOUND_ROWS 1", vec![Effect::FoundRows]),
        ("USE a", vec![Effect::Schema("a".to_owned())]),
    ] {
        assert_eq!(effects(sql), expect, "{sql}");
    }
}

#[test]
fn temporary_tables_are_followed_by_name() {
    let renamed = |from: &str, to: &str| Effect::TempTableRenamed {
        from: from.to_owned(),
        to: to.to_owned(),
    };
    for (sql, expect) in [
        ("CREATE TEMPORARY TABLE t (a INT)", vec![table("t")]),
        ("CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS a.`T` SELECT 1", vec![table("a.T")]),
        ("CREATE TEMPORARY TABLE t LIKE u", vec![table("t")]),
        ("CREATE TABLE t (a INT)", vec![]),
        ("DROP TEMPORARY TABLE IF EXISTS a, b.c", vec![dropped("a"), dropped("b.c")]),
        ("DROP TABLE a, b CASCADE", vec![dropped("a"), dropped("b")]),
        ("DROP VIEW a", vec![]),
        ("ALTER TABLE a ADD b INT, RENAME TO c", vec![renamed("a", "c")]),
        ("ALTER TABLE a RENAME c", vec![renamed("a", "c")]),
        ("ALTER TABLE a RENAME COLUMN b TO c", vec![]),
        ("RENAME TABLE a TO b, c TO d", vec![renamed("a", "b"), renamed("c", "d")]),
    ] {
        assert_eq!(effects(sql), expect, "{sql}");
    }
    assert_eq!(kind("CREATE TEMPORARY TABLE t (a INT)"), Kind::Other);
    assert_eq!(kind("DROP TEMPORARY TABLE t"), Kind::Other);
}

#[test]
fn locks_are_seen_wherever_they_are_taken() {
    let released = |name: &str| Effect::NamedLockReleased(Some(name.to_owned()));
    for (sql, expect) in [
        ("SELECT GET_LOCK('A', 10)", vec![lock("A")]),
        ("SELECT GET_LOCK('ä', 10)", vec![Effect::NamedLock(None)]),
        ("CREATE TABLE get_lock (a INT)", vec![]),
        ("CREATE VIEW v AS SELECT GET_LOCK('a', 1)", vec![]),
        ("DO get_lock ( 'a' , 10 )", vec![lock("a")]),
        ("SELECT GET_LOCK(CONCAT('a', b), 1) FROM t", vec![Effect::NamedLock(None)]),
        ("SELECT GET_LOCK('a' 'b', 1)", vec![Effect::NamedLock(None)]),
        ("INSERT INTO t SELECT GET_LOCK('a', 1)", vec![lock("a")]),
        ("SET @x = GET_LOCK('a', 1)", vec![variable("x"), lock("a")]),
        ("SELECT RELEASE_LOCK('a')", vec![released("a")]),
        ("SELECT GET_LOCK('b', 1), RELEASE_LOCK('a')", vec![released("a"), lock("b")]),
        ("SELECT RELEASE_ALL_LOCKS()", vec![Effect::NamedLocksReleased]),
        ("DO RELEASE_ALL_LOCKS()", vec![Effect::NamedLocksReleased]),
        ("SELECT IF(0, RELEASE_ALL_LOCKS(), 1)", vec![Effect::NamedLockReleased(None)]),
        ("EXPLAIN SELECT RELEASE_ALL_LOCKS()", vec![]),
        ("CREATE VIEW v AS SELECT RELEASE_LOCK('a')", vec![]),
        ("LOCK TABLE t WRITE", vec![Effect::TableLock]),
        ("FLUSH LOCAL TABLES a WITH READ LOCK", vec![Effect::TableLock]),
        ("UNLOCK TABLES", vec![Effect::TablesUnlocked]),
        ("START TRANSACTION", vec![]),
        ("HANDLER a.T OPEN", vec![Effect::HandlerOpened("t".to_owned())]),
        ("HANDLER t OPEN AS X", vec![Effect::HandlerOpened("x".to_owned())]),
        ("HANDLER x READ FIRST", vec![]),
        ("HANDLER x CLOSE", vec![Effect::HandlerClosed("x".to_owned())]),
    ] {
        assert_eq!(effects(sql), expect, "{sql}");
    }
}

#[test]
fn a_prepared_literal_tells_what_it_will_run() {
    let facts = only("PREPARE s FROM 'SET @a = ''x'''");
    assert_eq!(facts.effects, [Effect::Prepared("s".to_owned())]);
    let prepared = facts.prepared.unwrap();
    assert_eq!((prepared.kind, prepared.effects), (Kind::Set, vec![variable("a")]));
    assert_eq!(only("PREPARE s FROM 'UPDATE ' 't SET a = 1'").prepared.unwrap().kind, Kind::Write);
    for sql in ["PREPARE s FROM @a", "PREPARE s FROM 'a; b'", "PREPARE s FROM CONCAT('a', 'b')"] {
        assert_eq!(only(sql).prepared, None, "{sql}");
    }
}

#[test]
fn statements_are_cut_at_semicolons_that_are_none_of_texts_comments_or_bodies() {
    let count = |sql: &str| analysed(sql).statements.len();
    for (sql, expect) in [
        ("", 0),
        (" ; ; /* a */ -- b", 0),
        ("SELECT 1;", 1),
        ("SELECT ';' /* ; */ # ;\n; SELECT 2", 2),
        ("CREATE PROCEDURE p() BEGIN SET @a = 1; SELECT 1; END", 1),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; END; SET @a = 1", 2),
        ("CREATE PROCEDURE p() SELECT 1; SET @a = 1", 2),
        (
            "CREATE DEFINER = `a`@`b` TRIGGER t BEFORE INSERT ON u FOR EACH ROW \
             IF NEW.a THEN SET NEW.b = IF(1, 2, 3); END IF; SET @a = 1",
            2,
        ),
        (
            "CREATE FUNCTION f() RETURNS INT BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN END; \
             CASE WHEN 1 THEN WHILE 1 DO SELECT CASE 1 WHEN 2 THEN 3 END; END WHILE; END CASE; \
             RETURN 1; END",
            1,
        ),
        ("BEGIN; SELECT 1; END", 3),
        ("BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3", 2),
    ] {
        assert_eq!(count(sql), expect, "{sql}");
    }
    assert_eq!(effects("CREATE PROCEDURE p() BEGIN SET @a = 1; END"), []);
    assert_eq!(effects("CREATE PROCEDURE p() BEGIN SELECT 1; END; SET @a = 1"), [variable("a")]);
    let open = effects("CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END; SET @a = 1");
    assert_eq!(open, [Effect::UnknownSetting]);
}

#[test]
fn a_statement_knows_its_place_in_the_text() {
    let sql = "SELECT 1 ; -- x\n UPDATE t SET a = 'é';";
    let analysis = analysed(sql);
    let texts: Vec<&str> =
        analysis.statements.iter().map(|s| sql.get(s.text.clone()).unwrap()).collect();
    assert_eq!(texts, ["SELECT 1", "UPDATE t SET a = 'é'"]);
}

#[test]
fn mentions_say_where_and_whether_they_name_a_column() {
    use Mentioned::{
        ConnectionId, ErrorCount, FoundRows, LastInsertId, RowCount, Schema, WarningCount,
    };
    // The bool: it is a whole column without an alias.
    type Found<'t> = (Mentioned, &'t str, bool);
    let cases: &[(&str, &[Found<'_>])] = &[
        ("SELECT FOUND_ROWS()", &[(FoundRows, "FOUND_ROWS()", true)]),
        ("select  found_rows ( ) ;", &[(FoundRows, "found_rows ( )", true)]),
        ("SELECT FOUND_ROWS() AS n", &[(FoundRows, "FOUND_ROWS()", false)]),
        ("SELECT FOUND_ROWS() n", &[(FoundRows, "FOUND_ROWS()", false)]),
        ("SELECT FOUND_ROWS() + 1", &[(FoundRows, "FOUND_ROWS()", false)]),
        (
            "SELECT a, ROW_COUNT(), CONNECTION_ID() FROM t",
            &[(RowCount, "ROW_COUNT()", true), (ConnectionId, "CONNECTION_ID()", true)],
        ),
        ("SELECT 'é', @@warning_count", &[(WarningCount, "@@warning_count", true)]),
        (
            "SELECT @@session.error_count, @@local.`identity` LIMIT 1",
            &[
                (ErrorCount, "@@session.error_count", true),
                (LastInsertId, "@@local.`identity`", true),
            ],
        ),
        ("SELECT @@global.error_count", &[]),
        (
            "SELECT * FROM t WHERE id = LAST_INSERT_ID()",
            &[(LastInsertId, "LAST_INSERT_ID()", false)],
        ),
        ("SELECT LAST_INSERT_ID(5)", &[]),
        ("INSERT INTO t VALUES (LAST_INSERT_ID())", &[(LastInsertId, "LAST_INSERT_ID()", false)]),
        ("SELECT (SELECT ROW_COUNT())", &[(RowCount, "ROW_COUNT()", true)]),
        ("SELECT 'FOUND_ROWS()' -- FOUND_ROWS()", &[]),
        ("CREATE PROCEDURE p() SELECT FOUND_ROWS()", &[]),
        // FAULTS rows 12 and 39: what is stored, and what is only named so.
        ("CREATE VIEW v AS SELECT CONNECTION_ID()", &[]),
        ("ALTER VIEW v AS SELECT CONNECTION_ID()", &[]),
        ("CREATE TABLE t (a BIGINT DEFAULT (CONNECTION_ID()))", &[]),
        ("ALTER TABLE t ADD a BIGINT DEFAULT (CONNECTION_ID())", &[]),
        (
            "CREATE TABLE t (a BIGINT DEFAULT (CONNECTION_ID())) SELECT CONNECTION_ID()",
            &[(ConnectionId, "CONNECTION_ID()", true)],
        ),
        ("CREATE TABLE connection_id (a INT)", &[]),
        ("CREATE TEMPORARY TABLE found_rows (a INT)", &[]),
        ("INSERT INTO row_count () VALUES ()", &[]),
        ("INSERT row_count() VALUES ()", &[]),
        ("CALL row_count()", &[]),
        ("INSERT INTO t VALUES (ROW_COUNT())", &[(RowCount, "ROW_COUNT()", false)]),
        ("SELECT app.row_count()", &[]),
        (
            "SELECT DATABASE(), schema( ) s",
            &[(Schema, "DATABASE()", true), (Schema, "schema( )", false)],
        ),
        ("CREATE DATABASE schema", &[]),
        // What the server numbers its threads by.
        ("SELECT IS_USED_LOCK('a') = CONNECTION_ID()", &[]),
        ("SELECT 1 FROM information_schema.PROCESSLIST WHERE id = CONNECTION_ID()", &[]),
        (
            "PREPARE s FROM 'SELECT CONNECTION_ID() + 1'",
            &[(ConnectionId, "CONNECTION_ID()", false)],
        ),
        ("SET @@last_insert_id = 5", &[]),
    ];
    for (sql, expect) in cases {
        let analysis = analysed(sql);
        let found: Vec<_> = analysis
            .mentions
            .iter()
            .map(|mention| {
                let is_column = analysis.unnamed.contains(&mention.span);
                (mention.what, sql.get(mention.span.clone()).unwrap(), is_column)
            })
            .collect();
        assert_eq!(found, *expect, "{sql}");
    }
}

#[test]
fn executable_comments_are_looked_into_and_never_end_a_pin() {
    assert_eq!(kind("/*!40101 SET @a = 1 */"), Kind::Set);
    assert_eq!(effects("/*!40101 SET @a = @@x */;"), [variable("a")]);
    assert_eq!(effects("/*!40000 UNLOCK TABLES */"), []);
    let either = effects("SET @a = 1 /*!99999 , @b = 2 */");
    assert_eq!(either, [variable("a"), variable("b"), variable("a")]);
    assert_eq!(kind("/*!99999 SELECT */ SET @a = 1"), Kind::Unknown);
    assert_eq!(kind("SELECT 1 /*! ; SELECT 2 */"), Kind::Unknown);
}

#[test]
fn modes_decide_what_is_a_name() {
    let ansi = Modes { ansi_quotes: true, ..PLAIN };
    let facts = |sql, modes| analyse(sql, modes).statements[0].writes.clone();
    assert_eq!(
        facts("UPDATE \"T\" SET a = 1", ansi),
        crate::sql::Writes::Tables(vec![TableName::bare("t")])
    );
    let plain_backslash = Modes { no_backslash_escapes: true, ..PLAIN };
    assert_eq!(analyse(r"SELECT '\'; SET @a = 1 -- '", plain_backslash).statements.len(), 2);
    assert_eq!(analyse(r"SELECT '\'; SET @a = 1 -- '", PLAIN).statements.len(), 1);
}

#[test]
fn what_cannot_be_read_is_unknown_without_effects() {
    for sql in ["SELECT 'a", "SELECT `a", "SELECT 1 /* a", "SELECT $$a$$", "FROB"] {
        let analysis = analysed(sql);
        assert_eq!(analysis.parse, Parse::Error, "{sql}");
        assert_eq!(analysis.statements[0].kind, Kind::Unknown, "{sql}");
        assert_eq!(analysis.effects().count(), 0, "{sql}");
    }
}

#[test]
fn a_hint_is_read_from_every_sort_of_comment() {
    for sql in [
        "/* jumpgate: max_age=5 */ SELECT 1",
        "# jumpgate: max_age=5\nSELECT 1",
        "SELECT 1; -- jumpgate: max_age=5",
    ] {
        assert_eq!(analysed(sql).hint.max_age.map(|age| age.as_secs()), Some(5), "{sql}");
    }
    for sql in ["SELECT /* jumpgate: max_age=5 */ 1", "SELECT '/* jumpgate: no-cache */'"] {
        assert_eq!(analysed(sql).hint, crate::sql::Hint::default(), "{sql}");
    }
}
