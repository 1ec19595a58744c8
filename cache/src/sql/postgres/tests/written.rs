//! What statements change.

use super::*;
use crate::sql::postgres::writes;
use crate::sql::{TableName, Writes};

fn tables(names: &[&str]) -> Writes {
    let name = |name: &&str| match name.split_once('.') {
        Some((schema, name)) => TableName::qualified(schema, name),
        None => TableName::bare(name),
    };
    Writes::Tables(names.iter().map(name).collect())
}

#[test]
fn writes_name_their_tables() {
    let catalog = catalog();
    for (sql, expect) in [
        ("SELECT * FROM users", Writes::None),
        ("SELECT now(), nextval('numbers')", Writes::None),
        ("SELECT * FROM recent_users", Writes::None),
        ("INSERT INTO users VALUES (1)", tables(&["users"])),
        ("INSERT INTO users VALUES (1, gen_salt('md5'))", tables(&["users"])),
        ("INSERT INTO public.users SELECT * FROM users", tables(&["public.users"])),
        ("UPDATE users SET name = lower(name)", tables(&["users"])),
        ("DELETE FROM users USING orders WHERE orders.user_id = users.id", tables(&["users"])),
        ("MERGE INTO users u USING orders o ON true WHEN MATCHED THEN DELETE", tables(&["users"])),
        ("TRUNCATE users, orders", tables(&["orders", "users"])),
        ("COPY users FROM STDIN", tables(&["users"])),
        ("COPY users TO STDOUT", Writes::None),
        ("WITH d AS (DELETE FROM users RETURNING id) SELECT * FROM d", tables(&["users"])),
        (
            "WITH d AS (DELETE FROM users RETURNING id) INSERT INTO only_plain SELECT id FROM d",
            tables(&["only_plain", "users"]),
        ),
        ("EXPLAIN DELETE FROM users", Writes::None),
        ("EXPLAIN ANALYZE DELETE FROM users", tables(&["users"])),
        ("INSERT INTO users VALUES (1); DELETE FROM orders", tables(&["orders", "users"])),
        ("UPDATE touched SET id = 1", tables(&["touched"])),
        ("INSERT INTO plain_view VALUES (1)", tables(&["only_plain", "plain_view"])),
        // What code behind it writes, and no more.
        ("SELECT writer(1)", tables(&["only_plain"])),
        ("SELECT * FROM writing_view", tables(&["only_plain"])),
        ("INSERT INTO users VALUES (writer(1))", tables(&["only_plain", "users"])),
        ("INSERT INTO audited VALUES (1)", tables(&["audited", "only_plain"])),
        ("INSERT INTO sneaky VALUES (1)", tables(&["only_plain", "sneaky"])),
        ("DELETE FROM owner", tables(&["only_plain", "owner"])),
        ("SELECT unsteady_agg(id) FROM only_plain", Writes::None),
        ("EXPLAIN SELECT writer(1)", tables(&["only_plain"])),
        ("SELECT json_object('a': writer(1)), xmlelement(name a, 1)", tables(&["only_plain"])),
        ("SELECT xmlelement(name a, writer(1))", tables(&["only_plain"])),
        ("DO $$ BEGIN END $$", Writes::None),
        (
            "DO $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM users WHERE (id IN (1)); END $$",
            Writes::None,
        ),
        (
            "DO LANGUAGE plpgsql 'BEGIN IF (1 > 0) THEN INSERT INTO users (id) VALUES (1); END IF; END'",
            tables(&["users"]),
        ),
        (
            "DO $$ BEGIN PERFORM writer(1); UPDATE public.users SET name = lower(name); END $$",
            tables(&["only_plain", "users"]),
        ),
        (
            "DO $$ BEGIN INSERT INTO audited VALUES (1); COMMIT; CALL fills(2); END $$",
            tables(&["audited", "notes", "only_plain", "orders"]),
        ),
        (
            "DO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO plain_view VALUES (i); END LOOP; END $$",
            tables(&["only_plain", "plain_view"]),
        ),
        ("CALL fills(1)", tables(&["notes", "only_plain", "orders"])),
        ("CALL gives_out(1, NULL)", tables(&["notes"])),
        ("CALL public.gives_out(1 + writer(1), NULL)", tables(&["notes", "only_plain"])),
    ] {
        assert_eq!(writes(&analyse(sql), &catalog), expect, "{sql}");
    }
}

#[test]
fn what_cannot_be_seen_through_writes_everything() {
    let catalog = catalog();
    for sql in [
        "CREATE TABLE t (a int)",
        "ALTER TABLE users ADD COLUMN x int",
        "DROP VIEW user_orders",
        "SELECT 1 INTO t",
        "TRUNCATE users CASCADE",
        "DO $$ BEGIN EXECUTE x; END $$",
        "DO $$ BEGIN CREATE TABLE x (); END $$",
        "DO $$ BEGIN PERFORM nowhere(1); END $$",
        "DO $$ BEGIN INSERT INTO nowhere VALUES (1); END $$",
        "DO LANGUAGE plperl $$ 1 $$",
        "DO $$ BEGIN IF true THEN x := 'a\'b'; END IF; END $$",
        "CALL p()",
        "CALL dynamic(1)",
        "EXECUTE p",
        "VACUUM FULL users",
        "COMMIT PREPARED 'x'",
        "SELECT query_to_xml('DELETE FROM users', true, true, '')",
        "SELECT no_such_function(1)",
        "REVOKE SELECT ON users FROM public",
        "CREATE INDEX ON users (lower(name))",
        "CREATE INDEX ON users (name text_pattern_ops)",
        "CREATE INDEX ON users (name) WHERE id > 0",
        "SELECT * FROM elsewhere",
        "INSERT INTO half_here VALUES (1)",
        "SELECT table_to_xml('writing_view', true, true, '')",
        "INSERT INTO ruled VALUES (1)",
        "INSERT INTO no_such_table VALUES (1)",
        "SELECT defines()",
        "CREATE TEMP TABLE t AS EXECUTE p",
        "SELEC 1",
    ] {
        assert_eq!(writes(&analyse(sql), &catalog), Writes::Everything, "{sql}");
    }
}

#[test]
fn creating_a_temporary_table_from_a_writer_writes() {
    let sql = "CREATE TEMP TABLE t AS WITH d AS (DELETE FROM users RETURNING id) SELECT * FROM d";
    assert_eq!(analyse(sql).writes(), tables(&["users", "pg_catalog.*"]));
}
