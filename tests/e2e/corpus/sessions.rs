//! Conversations of simple queries only: transactions, settings, cursors, DDL, notices.

/// Name, statements in order.
pub(super) const SESSIONS: &[(&str, &[&str])] = &[
    ("several statements at once", &["SELECT 1; SELECT 'a', 'b'; SELECT 2 WHERE false"]),
    ("several statements with an error", &["SELECT 1; SELECT 1/0; SELECT 2", "SELECT 3"]),
    (
        "several statements are one transaction",
        &[
            "UPDATE account SET balance = 1 WHERE id = 1; SELECT 1/0",
            "SELECT balance FROM account WHERE id = 1",
        ],
    ),
    ("BEGIN and COMMIT in one query", &["BEGIN; SELECT 1; COMMIT; SELECT 2"]),
    (
        "a transaction that ends well",
        &["BEGIN", "SELECT balance FROM account WHERE id = 1", "COMMIT"],
    ),
    ("a transaction that fails", &["BEGIN", "SELECT 1/0", "SELECT 1", "COMMIT", "SELECT 2"]),
    (
        "a transaction rolled back",
        &[
            "BEGIN",
            "INSERT INTO account VALUES (77, 7)",
            "SELECT * FROM account WHERE id = 77",
            "ROLLBACK",
            "SELECT * FROM account WHERE id = 77",
        ],
    ),
    (
        "savepoints",
        &["BEGIN", "SAVEPOINT a", "SELECT 1/0", "ROLLBACK TO a", "SELECT 1", "RELEASE a", "COMMIT"],
    ),
    (
        "isolation levels",
        &[
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
            "SHOW transaction_isolation",
            "UPDATE account SET balance = 0",
            "ROLLBACK",
        ],
    ),
    ("BEGIN twice, COMMIT without", &["BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK"]),
    ("AND CHAIN", &["BEGIN", "COMMIT AND CHAIN", "SELECT 1", "ROLLBACK"]),
    (
        "SET and SHOW",
        &[
            "SET TimeZone = 'Asia/Tokyo'",
            "SHOW TimeZone",
            "SELECT '2026-01-01 00:00+00'::timestamptz",
            "RESET TimeZone",
            "SHOW TimeZone",
        ],
    ),
    (
        "DateStyle and IntervalStyle",
        &[
            "SET DateStyle = 'German'",
            "SELECT '2026-11-23'::date",
            "SET IntervalStyle = 'iso_8601'",
            "SELECT '1 day 2 hours'::interval",
            "RESET ALL",
            "SELECT '2026-11-23'::date, '1 day'::interval",
        ],
    ),
    (
        "SET LOCAL ends with its transaction",
        &["BEGIN", "SET LOCAL TimeZone = 'Asia/Tokyo'", "SHOW TimeZone", "COMMIT", "SHOW TimeZone"],
    ),
    (
        "SET is undone by ROLLBACK",
        &["BEGIN", "SET TimeZone = 'Asia/Tokyo'", "SHOW TimeZone", "ROLLBACK", "SHOW TimeZone"],
    ),
    (
        "SET search_path",
        &[
            "SET search_path = one",
            "SELECT name FROM thing",
            "SET search_path = two",
            "SELECT name FROM thing",
            "SET search_path TO DEFAULT",
            "SELECT name FROM thing",
        ],
    ),
    (
        "extra_float_digits and bytea_output",
        &[
            "SET extra_float_digits = 0",
            "SELECT 0.1::float8 + 0.2",
            "SET bytea_output = escape",
            "SELECT '\\x6100ff'::bytea",
        ],
    ),
    (
        "custom settings",
        &[
            "SET my.value = 'x'",
            "SHOW my.value",
            "SELECT current_setting('my.value')",
            "RESET my.value",
            "SELECT current_setting('my.value', true)",
        ],
    ),
    (
        "set_config",
        &[
            "SELECT set_config('TimeZone', 'Asia/Tokyo', false)",
            "SHOW TimeZone",
            "SELECT set_config('TimeZone', 'UTC', true)",
            "SHOW TimeZone",
        ],
    ),
    (
        "client_encoding",
        &[
            "SET client_encoding = 'LATIN1'",
            "SELECT 'e'",
            "SHOW client_encoding",
            "RESET client_encoding",
            "SHOW client_encoding",
        ],
    ),
    (
        "SET ROLE",
        &[
            "SET ROLE reader",
            "SELECT current_user",
            "SELECT * FROM account",
            "RESET ROLE",
            "SELECT current_user",
        ],
    ),
    (
        "SET standard_conforming_strings",
        &[
            "SET standard_conforming_strings = off",
            "SELECT 'a\\\\b'",
            "RESET standard_conforming_strings",
            "SELECT 'a\\\\b'",
        ],
    ),
    (
        "PREPARE, EXECUTE, DEALLOCATE",
        &[
            "PREPARE p(int) AS SELECT $1 + 1",
            "EXECUTE p(1)",
            "EXECUTE p(2)",
            "PREPARE p AS SELECT 1",
            "DEALLOCATE p",
            "EXECUTE p(3)",
        ],
    ),
    (
        "PREPARE of a write",
        &[
            "PREPARE w(int) AS UPDATE account SET balance = balance WHERE id = $1 RETURNING id",
            "EXECUTE w(1)",
            "DEALLOCATE ALL",
        ],
    ),
    (
        "a cursor in a transaction",
        &[
            "BEGIN",
            "DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id",
            "FETCH 3 FROM c",
            "MOVE 5 IN c",
            "FETCH NEXT FROM c",
            "CLOSE c",
            "FETCH c",
            "ROLLBACK",
        ],
    ),
    (
        "a scrolling cursor",
        &[
            "BEGIN",
            "DECLARE c SCROLL CURSOR FOR SELECT id FROM item ORDER BY id",
            "FETCH LAST FROM c",
            "FETCH PRIOR FROM c",
            "FETCH ABSOLUTE 2 FROM c",
            "COMMIT",
        ],
    ),
    (
        "a cursor WITH HOLD",
        &[
            "DECLARE h CURSOR WITH HOLD FOR SELECT id FROM item ORDER BY id",
            "FETCH 2 FROM h",
            "FETCH 2 FROM h",
            "CLOSE h",
        ],
    ),
    ("a cursor outside a transaction", &["DECLARE c CURSOR FOR SELECT 1"]),
    (
        "a temp table",
        &[
            "CREATE TEMP TABLE mine (a int)",
            "INSERT INTO mine VALUES (1), (2)",
            "SELECT a + 0 AS a FROM mine ORDER BY 1",
            "DROP TABLE mine",
            "SELECT a + 0 FROM mine",
        ],
    ),
    (
        "a temp table ON COMMIT DROP",
        &[
            "BEGIN",
            "CREATE TEMP TABLE brief (a int) ON COMMIT DROP",
            "INSERT INTO brief VALUES (1)",
            "COMMIT",
            "SELECT 1 FROM brief",
        ],
    ),
    (
        "notices of DDL",
        &[
            "DROP TABLE IF EXISTS not_there",
            "CREATE TABLE IF NOT EXISTS item (a int)",
            "CREATE TABLE once (id int)",
            "DROP TABLE once",
        ],
    ),
    (
        "client_min_messages",
        &[
            "SET client_min_messages = error",
            "SELECT complain('hidden')",
            "RESET client_min_messages",
            "SELECT complain('shown')",
        ],
    ),
    (
        "CREATE, ALTER, DROP with data",
        &[
            "CREATE TABLE shape (a int)",
            "INSERT INTO shape VALUES (1)",
            "SELECT a + 0 AS a FROM shape",
            "ALTER TABLE shape ADD b text DEFAULT 'x'",
            "SELECT a + 0 AS a, b || '' AS b FROM shape",
            "DROP TABLE shape",
        ],
    ),
    (
        "a write and the read after it",
        &[
            "SELECT balance FROM account WHERE id = 1",
            "UPDATE account SET balance = balance + 1 WHERE id = 1",
            "SELECT balance FROM account WHERE id = 1",
            "UPDATE account SET balance = balance - 1 WHERE id = 1",
            "SELECT balance FROM account WHERE id = 1",
        ],
    ),
    (
        "a writing CTE",
        &[
            "WITH gone AS (DELETE FROM account WHERE id = 99 RETURNING id) SELECT count(*) FROM gone",
            "WITH w AS (UPDATE account SET balance = balance RETURNING id) SELECT id FROM w ORDER BY 1",
        ],
    ),
    (
        "sequences",
        &[
            "CREATE SEQUENCE counter",
            "SELECT nextval('counter')",
            "SELECT nextval('counter')",
            "SELECT currval('counter')",
            "DROP SEQUENCE counter",
        ],
    ),
    (
        "advisory locks",
        &[
            "SELECT pg_advisory_lock(4242)",
            "SELECT pg_advisory_unlock(4242)",
            "SELECT pg_advisory_unlock(4242)",
        ],
    ),
    ("LISTEN and UNLISTEN", &["LISTEN one_channel", "UNLISTEN one_channel", "SELECT 1"]),
    ("LOCK TABLE", &["LOCK TABLE account", "BEGIN", "LOCK TABLE account IN SHARE MODE", "COMMIT"]),
    (
        "MERGE",
        &[
            "MERGE INTO account a USING (VALUES (1)) v(id) ON a.id = v.id WHEN MATCHED THEN DO NOTHING",
        ],
    ),
    (
        "TRUNCATE",
        &[
            "CREATE TABLE empty_me (a int)",
            "INSERT INTO empty_me SELECT generate_series(1, 10)",
            "TRUNCATE empty_me",
            "SELECT count(*) FROM empty_me",
            "DROP TABLE empty_me",
        ],
    ),
    (
        "DISCARD",
        &[
            "DISCARD PLANS",
            "DISCARD SEQUENCES",
            "DISCARD TEMP",
            "DISCARD ALL",
            "BEGIN",
            "DISCARD ALL",
            "ROLLBACK",
        ],
    ),
    (
        "statement_timeout of the client",
        &[
            "SET statement_timeout = '50ms'",
            "SELECT pg_sleep(5)",
            "RESET statement_timeout",
            "SELECT 1",
        ],
    ),
    ("a transaction in a procedure", &["CALL touch(1)", "BEGIN", "CALL touch(2)", "COMMIT"]),
    (
        "a large statement",
        &[
            "SELECT length('0123456789012345678901234567890123456789012345678901234567890123456789')",
        ],
    ),
    (
        "comments around statements",
        &["/* a */ BEGIN /* b */", "-- c\nSELECT 1 -- d", "/* e /* nested */ */ COMMIT"],
    ),
];
