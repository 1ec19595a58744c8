//! Conversations of several statements, which may write.

use e2e::mysql::{
    flags::command,
    say::{self, Value},
};

use super::{Step, init_db, ping, query};

/// Conversations that are more than texts.
pub(super) fn own() -> Vec<Conversation> {
    [statements(), commands()].into_iter().flatten().collect()
}

type Conversation = (&'static str, Vec<Step>);

fn commands() -> Vec<Conversation> {
    vec![
        ("ping", vec![ping(), query("BEGIN"), ping(), query("ROLLBACK"), ping()]),
        (
            "init_db",
            vec![
                init_db("other"),
                query("SELECT * FROM thing"),
                query("SELECT database()"),
                init_db("nowhere"),
                query("SELECT database()"),
                init_db("app"),
            ],
        ),
        (
            "a reset connection",
            vec![
                query("SET time_zone = '+05:00', sql_mode = ''"),
                query("SET @x = 1"),
                Step::Command(vec![command::RESET_CONNECTION]),
                query("SELECT @@time_zone, @@sql_mode, @x"),
            ],
        ),
        (
            "multi-statements off and on",
            vec![
                Step::Command(say::set_option(1)),
                query("SELECT 1; SELECT 2"),
                Step::Command(say::set_option(0)),
                query("SELECT 1; SELECT 2"),
                Step::Command(say::set_option(9)),
            ],
        ),
        (
            "fields",
            vec![
                Step::Fields(say::field_list("item", "")),
                Step::Fields(say::field_list("item", "n%")),
                Step::Fields(say::field_list("nothing", "")),
                query("SELECT 1"),
            ],
        ),
        (
            "a file",
            vec![
                Step::File(
                    "LOAD DATA LOCAL INFILE 'f' INTO TABLE audited".into(),
                    vec![
                        b"50\tfifty\n".to_vec(),
                        b"51\tlonger than twenty characters, by far\n".to_vec(),
                    ],
                ),
                query("SHOW WARNINGS"),
                query("SELECT * FROM audited ORDER BY id"),
                Step::File("LOAD DATA LOCAL INFILE 'f' INTO TABLE audited".into(), Vec::new()),
                query("DELETE FROM audited; DELETE FROM audit"),
            ],
        ),
    ]
}

fn statements() -> Vec<Conversation> {
    let insert = "INSERT INTO counter (name) VALUES (?)";
    let values =
        |texts: &[&str]| texts.iter().map(|text| vec![Value::from(*text)]).collect::<Vec<_>>();
    vec![
        (
            "prepared writes",
            vec![
                Step::Binary(insert.into(), values(&["one", "two", "straße"])),
                query("SELECT last_insert_id()"),
                Step::Binary(
                    "UPDATE counter SET name = ? WHERE name = 'two'".into(),
                    values(&["zwei"]),
                ),
                query("SELECT row_count()"),
                query("SELECT id, name FROM counter ORDER BY id"),
                Step::Binary("DELETE FROM counter".into(), vec![Vec::new()]),
            ],
        ),
        (
            "a cursor",
            vec![
                Step::Cursor("SELECT id, name FROM item WHERE id < 20 ORDER BY id".into(), 7),
                Step::Cursor("SELECT id FROM item WHERE id < 0".into(), 7),
                Step::Cursor("SELECT * FROM kinds ORDER BY id".into(), 1),
                Step::Cursor("DO 1".into(), 1),
                query("SELECT 'after'"),
            ],
        ),
        (
            "procedures, prepared",
            vec![
                Step::Binary("CALL two_sets()".into(), vec![Vec::new(), Vec::new()]),
                Step::Binary("CALL touch(?)".into(), vec![vec![5.into()], vec![(-1).into()]]),
                Step::Binary("CALL fail(?)".into(), values(&["oh"])),
            ],
        ),
        (
            "long texts",
            vec![
                query(&format!("SELECT length('{}')", "x".repeat(100_000))),
                Step::Binary(
                    format!("SELECT ?, length('{}')", "y".repeat(70_000)),
                    vec![vec![Value::Text(vec![b'z'; 70_000])]],
                ),
            ],
        ),
    ]
}

/// Conversations of COM_QUERY only.
pub(super) const SESSIONS: &[(&str, &[&str])] = &[
    (
        "a transaction",
        &[
            "BEGIN",
            "UPDATE account SET balance = balance - 10 WHERE id = 1",
            "SELECT * FROM account ORDER BY id",
            "SAVEPOINT s",
            "UPDATE account SET balance = 0",
            "ROLLBACK TO SAVEPOINT s",
            "RELEASE SAVEPOINT s",
            "SELECT * FROM account ORDER BY id",
            "ROLLBACK",
            "SELECT * FROM account ORDER BY id",
        ],
    ),
    (
        "a read-only transaction",
        &[
            "START TRANSACTION READ ONLY",
            "SELECT count(*) FROM item",
            "UPDATE account SET balance = 1",
            "COMMIT",
        ],
    ),
    (
        "autocommit",
        &[
            "SET autocommit = 0",
            "SELECT count(*) FROM account",
            "INSERT INTO parent VALUES (90)",
            "ROLLBACK",
            "SELECT count(*) FROM parent",
            "SET autocommit = 1",
            "SELECT 1",
        ],
    ),
    (
        "chained transactions",
        &[
            "BEGIN",
            "COMMIT AND CHAIN",
            "SELECT count(*) FROM account",
            "ROLLBACK AND NO CHAIN NO RELEASE",
        ],
    ),
    (
        "errors in a transaction",
        &[
            "BEGIN",
            "INSERT INTO account VALUES (1, 1)",
            "INSERT INTO account VALUES (9, -1)",
            "SELECT count(*) FROM account",
            "ROLLBACK",
        ],
    ),
    (
        "constraints",
        &[
            "INSERT INTO child VALUES (30, 999)",
            "INSERT INTO parent VALUES (1)",
            "INSERT INTO item (id) VALUES (200)",
            "INSERT INTO counter (id, name) VALUES ('x', 'y')",
            "DELETE FROM parent WHERE id = 1",
            "SELECT * FROM child ORDER BY id",
            "INSERT INTO parent VALUES (1)",
            "INSERT INTO child VALUES (10, 1)",
        ],
    ),
    (
        "insert ids",
        &[
            "INSERT INTO counter (name) VALUES ('a')",
            "SELECT last_insert_id()",
            "INSERT INTO counter (name) VALUES ('b'), ('c')",
            "SELECT last_insert_id(), row_count()",
            "INSERT IGNORE INTO counter (id, name) VALUES (1000, 'd')",
            "REPLACE INTO counter (id, name) VALUES (1000, 'e')",
            "INSERT INTO counter (id, name) VALUES (1000, 'f') ON DUPLICATE KEY UPDATE name = 'g'",
            "SELECT last_insert_id()",
            "UPDATE counter SET name = 'h' WHERE id = 1000",
            "UPDATE counter SET name = 'h' WHERE id = 1000",
            "DELETE FROM counter",
            "SELECT row_count()",
            "ALTER TABLE counter AUTO_INCREMENT = 1",
        ],
    ),
    (
        "found rows",
        &[
            "SELECT SQL_CALC_FOUND_ROWS id FROM item ORDER BY id LIMIT 2",
            "SELECT found_rows()",
            "SELECT id FROM item WHERE id < 6",
            "SELECT found_rows(), row_count()",
            "SELECT id FROM item WHERE id < 6",
            "SELECT found_rows()",
        ],
    ),
    (
        "warnings",
        &[
            "SELECT cast('abc' AS signed)",
            "SHOW WARNINGS",
            "SHOW COUNT(*) WARNINGS",
            "SELECT @@warning_count, @@error_count",
            "SELECT * FROM nothing",
            "SHOW ERRORS",
            "SHOW WARNINGS LIMIT 0, 1",
            "SET sql_mode = ''",
            "INSERT INTO audited VALUES (60, 'longer than twenty characters')",
            "SHOW WARNINGS",
            "DELETE FROM audited",
            "DELETE FROM audit",
            "SHOW WARNINGS",
            "CALL complain('careful')",
            "SHOW WARNINGS",
        ],
    ),
    (
        // Without GET DIAGNOSTICS: see docs/DIFFERENCES.md.
        "diagnostics",
        &[
            "SELECT * FROM nothing",
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'own', MYSQL_ERRNO = 5000",
            "RESIGNAL",
        ],
    ),
    (
        "settings",
        &[
            "SET time_zone = '+05:30'",
            "SELECT @@time_zone, from_unixtime(0)",
            "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'",
            "SELECT \"name\" || '!' FROM item WHERE id = 1",
            "SET NAMES latin1",
            "SELECT 'x', v FROM kinds WHERE id = 1",
            "SET NAMES utf8mb4",
            "SET sql_select_limit = 2",
            "SELECT id FROM item ORDER BY id",
            "SET sql_select_limit = DEFAULT",
            "SET group_concat_max_len = 5",
            "SELECT group_concat(name) FROM item",
            "SET lc_time_names = 'de_DE'",
            "SELECT dayname('2026-01-01')",
            "SET no_such = 1",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        ],
    ),
    (
        "settings shape the same text",
        &[
            "SELECT count(*) FROM item",
            "SET time_zone = '-08:00'",
            "SELECT ts FROM kinds ORDER BY id",
            "SET time_zone = '+08:00'",
            "SELECT ts FROM kinds ORDER BY id",
            "SET div_precision_increment = 10",
            "SELECT 1/3",
            "SET div_precision_increment = 2",
            "SELECT 1/3",
        ],
    ),
    (
        "user variables",
        &[
            "SET @a = 1, @b = 'x'",
            "SELECT @a, @b",
            "SELECT @a := @a + 1",
            "SELECT id INTO @c FROM item WHERE id = 5",
            "SELECT @c",
            "SET @a = NULL, @b = NULL, @c = NULL",
        ],
    ),
    (
        "prepared in SQL",
        &[
            "PREPARE p FROM 'SELECT ? + ?'",
            "SET @x = 1, @y = 2",
            "EXECUTE p USING @x, @y",
            "EXECUTE p USING @x",
            "DEALLOCATE PREPARE p",
            "EXECUTE p USING @x, @y",
            "SET @x = NULL, @y = NULL",
        ],
    ),
    (
        "temporary tables",
        &[
            "CREATE TEMPORARY TABLE t (id int, v varchar(9))",
            "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
            "SELECT * FROM t ORDER BY id",
            "DROP TEMPORARY TABLE t",
            "SELECT * FROM t",
        ],
    ),
    (
        "locks",
        &[
            "LOCK TABLES item READ, account WRITE",
            "SELECT count(*) FROM item",
            "SELECT count(*) FROM legacy",
            "UNLOCK TABLES",
            "SELECT get_lock('x', 1), is_free_lock('x')",
            "SELECT release_lock('x'), release_lock('x'), release_all_locks()",
        ],
    ),
    (
        "handlers",
        &[
            "HANDLER account OPEN",
            "HANDLER account READ `PRIMARY` FIRST",
            "HANDLER account READ `PRIMARY` NEXT",
            "HANDLER account READ `PRIMARY` NEXT",
            "HANDLER account CLOSE",
            "HANDLER account READ FIRST",
        ],
    ),
    (
        "data definition",
        &[
            "CREATE TABLE made (id int PRIMARY KEY, v varchar(5))",
            "INSERT INTO made VALUES (1, 'a')",
            "SELECT * FROM made",
            "ALTER TABLE made ADD COLUMN w int DEFAULT 7",
            "SELECT * FROM made",
            "CREATE INDEX i ON made (v)",
            "RENAME TABLE made TO renamed",
            "SELECT * FROM made",
            "SELECT * FROM renamed",
            "TRUNCATE TABLE renamed",
            "SELECT * FROM renamed",
            "DROP TABLE renamed",
            "DROP TABLE IF EXISTS renamed",
            "SHOW WARNINGS",
        ],
    ),
    (
        "written then read",
        &[
            "SELECT name FROM item WHERE id = 50",
            "UPDATE item SET name = 'changed' WHERE id = 50",
            "SELECT name FROM item WHERE id = 50",
            "UPDATE item SET name = 'item 50' WHERE id = 50",
            "SELECT name FROM item WHERE id = 50",
            "CALL rename_item(50, 'called')",
            "SELECT name FROM item WHERE id = 50",
            "CALL rename_item(50, 'item 50')",
            "SELECT name FROM item WHERE id = 50",
        ],
    ),
    (
        "triggers and cascades",
        &[
            "SELECT count(*) FROM audit",
            "INSERT INTO audited VALUES (1, 'x')",
            "SELECT what FROM audit ORDER BY id",
            "DELETE FROM audited",
            "DELETE FROM audit",
            "SELECT count(*) FROM audit",
            "SELECT * FROM child ORDER BY id",
            "DELETE FROM parent WHERE id = 2",
            "SELECT * FROM child ORDER BY id",
            "INSERT INTO parent VALUES (2)",
            "INSERT INTO child VALUES (20, 2)",
            "SELECT * FROM child ORDER BY id",
            "SELECT noted(5)",
            "SELECT what FROM audit",
            "DELETE FROM audit",
        ],
    ),
    (
        "several statements",
        &[
            "SELECT 1; SELECT 2",
            "SELECT 1; SELEKT 2; SELECT 3",
            "SELECT 1; SELECT * FROM nothing; SELECT 3",
            "BEGIN; UPDATE account SET balance = 5; SELECT balance FROM account; ROLLBACK",
            "SELECT balance FROM account",
            "DO 1; DO 2",
            ";",
            "SELECT 1;",
            "CALL two_sets(); SELECT 'end'",
            "INSERT INTO counter (name) VALUES ('m'); SELECT last_insert_id() > 0; DELETE FROM counter",
        ],
    ),
    (
        "procedures",
        &[
            "CALL two_sets()",
            "CALL fail('on purpose')",
            "CALL no_set()",
            "SET @n = 1",
            "CALL touch(@n)",
            "SELECT @n",
            "CALL nothing()",
            "SET @n = NULL",
        ],
    ),
    (
        "schemas",
        &[
            "USE other",
            "SELECT * FROM thing",
            "SELECT * FROM app.thing",
            "USE app",
            "SELECT * FROM thing",
            "USE nowhere",
            "SELECT database()",
        ],
    ),
    (
        "explain",
        &[
            "EXPLAIN SELECT id FROM account WHERE id = 1",
            "ANALYZE TABLE digit",
            "CHECKSUM TABLE digit",
        ],
    ),
    (
        "locking reads and writes",
        &[
            "SELECT * FROM account WHERE id = 1 FOR UPDATE",
            "INSERT INTO counter (name) SELECT name FROM item WHERE id < 3",
            "UPDATE item i JOIN account a ON a.id = i.id SET i.note = 'joined'",
            "SELECT note FROM item WHERE id < 3 ORDER BY id",
            "UPDATE item SET note = 'a0,b' WHERE id < 3",
            "DELETE FROM counter",
            "ALTER TABLE counter AUTO_INCREMENT = 1",
        ],
    ),
];
