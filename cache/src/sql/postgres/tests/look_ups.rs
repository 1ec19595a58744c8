//! What drivers and ORMs ask of the server's own catalogs.

use super::*;
use crate::sql::postgres::writes;
use crate::sql::{TableName, Writes};

#[track_caller]
fn tables_of(sql: &str, catalog: &Catalog) -> Vec<String> {
    match classify(&analyse(sql), catalog) {
        Verdict::Cacheable { tables } => tables.iter().map(TableName::to_string).collect(),
        Verdict::Timed { reason, .. } | Verdict::Refused(reason) => panic!("{sql}: {reason}"),
    }
}

#[test]
fn what_only_ddl_changes_is_cacheable() {
    let catalog = catalog();
    for sql in CACHEABLE {
        assert_eq!(tables_of(sql, &catalog), ["pg_catalog.*"], "{sql}");
    }
}

/// Of the shapes that drivers' and ORMs' own have.
const CACHEABLE: &[&str] = &[
    "SELECT relname FROM pg_class",
    "SELECT current_schema(), current_schemas(false), pg_catalog.current_database()",
    "SELECT 'users'::regclass, to_regclass($1), $2::regtype::text, 'public'::regnamespace",
    "SELECT pg_catalog.format_type(23, NULL)",
    // Types by oid, and what they are made of.
    "SELECT t.typname, t.typtype, t.typelem, r.rngsubtype, t.typbasetype, n.nspname, t.typrelid
       FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
       JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1",
    "SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = $1 ORDER BY enumsortorder",
    "SELECT b.oid, b.typarray FROM pg_catalog.pg_type a LEFT JOIN pg_catalog.pg_type b ON b.oid = a.typelem
      WHERE a.typcategory = 'A' GROUP BY b.oid, b.typarray ORDER BY b.oid",
    "WITH RECURSIVE known AS (
         SELECT t.oid, pg_catalog.format_type(t.oid, NULL) AS name,
                (SELECT array_agg(a.atttypid ORDER BY a.attnum) FROM pg_attribute a
                   JOIN pg_class c ON c.oid = a.attrelid
                  WHERE c.reltype = t.oid AND a.attnum > 0 AND NOT a.attisdropped) AS parts
           FROM pg_catalog.pg_type AS t
     ), tree(oid, name, parts, depth) AS (
         SELECT k.oid, k.name, k.parts, 0 FROM known k WHERE k.oid = any($1::oid[])
         UNION ALL
         SELECT k.oid, k.name, k.parts, tree.depth + 1 FROM known k, tree WHERE k.oid = any(tree.parts)
     ) SELECT DISTINCT *, oid::regtype::text AS called FROM tree ORDER BY depth DESC",
    "SELECT t.oid, t.typname, t.oid::regtype::text, t.typdelim FROM pg_type t WHERE t.oid = to_regtype($1)",
    // Tables, columns, keys, comments.
    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $1 AND c.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm'])
        AND pg_catalog.pg_table_is_visible(c.oid) AND n.nspname != 'pg_catalog'",
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull,
            col_description(a.attrelid, a.attnum), a.attidentity
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
       LEFT JOIN pg_type t ON a.atttypid = t.oid
      WHERE a.attrelid = '\"users\"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    "SELECT c.conname, pg_get_constraintdef(c.oid, true), json_agg(a.attname ORDER BY k.ord)
       FROM pg_catalog.pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, ord)
       JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
      WHERE c.contype = 'p' GROUP BY c.oid, c.conname",
    "SELECT i.indisunique, i.indkey, pg_get_indexdef(d.oid), pg_catalog.obj_description(d.oid, 'pg_class')
       FROM pg_class t INNER JOIN pg_index i ON t.oid = i.indrelid INNER JOIN pg_class d ON d.oid = i.indexrelid
       LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = ANY (current_schemas(false))",
    "SELECT k.position FROM pg_index i, unnest(i.indkey, i.indoption) WITH ORDINALITY k(attnum, option, position)",
    "SELECT json_build_object('start', s.seqstart, 'by', s.seqincrement) FROM pg_sequence s",
    "SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_catalog.pg_index i",
    "SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = $1",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_type",
    "SELECT count(*) FROM pg_class",
    "SELECT n.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace",
    "SELECT q.* FROM (SELECT c.relname FROM pg_class c) AS q",
    "SELECT has_table_privilege(c.oid, 'SELECT'), pg_get_userbyid(c.relowner) FROM pg_class AS c",
];

#[test]
fn what_changes_by_itself_or_elsewhere_is_not() {
    let catalog = catalog();
    for sql in REFUSED {
        let reason = refused(classify(&analyse(sql), &catalog));
        let reason = reason.unwrap_or_else(|| panic!("cacheable: {sql}"));
        assert!(["uncacheable", "volatile"].contains(&reason.status()), "{sql}: {reason}");
    }
}

const REFUSED: &[&str] = &[
    // Columns that VACUUM keeps.
    "SELECT * FROM pg_class",
    "TABLE pg_catalog.pg_class",
    "SELECT reltuples FROM pg_class",
    "SELECT c.relpages::int FROM pg_class c",
    "SELECT relname FROM pg_class ORDER BY reltuples",
    "SELECT relname FROM pg_class WHERE relfrozenxid IS NULL",
    "SELECT c.* FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid",
    "SELECT c FROM pg_class c",
    "SELECT pg_class FROM pg_class",
    "SELECT row_to_json(c) FROM pg_class c",
    "SELECT c.hash_record FROM pg_class c",
    "SELECT (c).relname FROM pg_class c",
    "SELECT b FROM pg_class AS c(a, b)",
    "SELECT j.* FROM (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) AS j",
    "SELECT x FROM (pg_class c CROSS JOIN pg_namespace n) AS j(y, x)",
    "SELECT 1 FROM pg_class NATURAL JOIN pg_type",
    "SELECT 1 FROM pg_class JOIN pg_class p USING (reltuples)",
    "SELECT * FROM (SELECT * FROM pg_class) AS q",
    "SELECT (SELECT count(c.*) FROM pg_type) FROM pg_class c",
    "WITH w AS (TABLE pg_class) SELECT 1 FROM w",
    // What is not of one database, or changes without DDL.
    "SELECT rolname FROM pg_roles",
    "SELECT usename FROM pg_user",
    "SELECT * FROM pg_authid",
    "SELECT datname FROM pg_database",
    "SELECT * FROM pg_stats",
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_stat_user_tables",
    "SELECT * FROM pg_locks",
    "SELECT * FROM pg_settings",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_prepared_statements",
    "SELECT last_value FROM pg_sequences",
    "SELECT * FROM pg_largeobject",
    "SELECT * FROM information_schema.applicable_roles",
    "SELECT * FROM information_schema.no_such_view",
    "SELECT * FROM pg_catalog.no_such_catalog",
    "SELECT pg_relation_size(c.oid) FROM pg_class c",
    "SELECT pg_total_relation_size('users')",
    "SELECT pg_stat_get_numscans(c.oid) FROM pg_class c",
    "SELECT current_schemas(true)",
    "SELECT current_schemas($1)",
    "SELECT pg_my_temp_schema()",
    "SELECT 'postgres'::regrole",
    "SELECT now() FROM pg_type",
    "SELECT relname FROM pg_class FOR UPDATE",
];

#[test]
fn what_changes_catalogs_writes_them() {
    let catalog = catalog();
    let only = Writes::catalogs();
    for sql in [
        "COMMENT ON TABLE users IS 'x'",
        "GRANT SELECT ON users TO public",
        "GRANT pg_monitor TO somebody",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO public",
        "SECURITY LABEL FOR x ON TABLE users IS 'y'",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON users (name DESC, id)",
        "DROP INDEX i",
        "REINDEX TABLE CONCURRENTLY users",
        "VACUUM users",
        "ANALYZE",
        "CREATE TEMP TABLE t (a int)",
        "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
        "SELECT 1 INTO TEMP t",
        "DISCARD TEMP",
    ] {
        assert_eq!(writes(&analyse(sql), &catalog), only, "{sql}");
    }
    for sql in [
        "CREATE TYPE mood2 AS ENUM ('a')",
        "ALTER TYPE mood ADD VALUE 'b'",
        "CREATE EXTENSION hstore",
        "REVOKE SELECT ON users FROM public",
        "ALTER ROLE somebody RENAME TO other",
        "UPDATE pg_class SET relname = 'x'",
        "INSERT INTO pg_catalog.pg_description VALUES (1, 2, 3, 'x')",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE x ()'; END $$",
    ] {
        assert_eq!(writes(&analyse(sql), &catalog), Writes::Everything, "{sql}");
    }
    let refreshed = writes(&analyse("REFRESH MATERIALIZED VIEW totals"), &catalog);
    let both = vec![TableName::bare("totals"), TableName::qualified("pg_catalog", "*")];
    assert_eq!(refreshed, Writes::Tables(both));
}

#[test]
fn a_view_of_catalogs_and_a_query_of_both_are_written_with_either() {
    let catalog = catalog();
    let sql = "SELECT u.id, obj_description('users'::regclass, 'pg_class') FROM users u";
    assert_eq!(tables_of(sql, &catalog), ["users", "pg_catalog.*"]);
    let [catalog, table] = ["SELECT typname FROM pg_type", "SELECT id FROM users"].map(verdict);
    assert!(catalog.looks_up() && !table.looks_up());
    assert_eq!(table.clone().without_look_ups(), table);
    assert_eq!(refused(catalog.without_look_ups()).unwrap().status(), "uncacheable");
}

#[test]
fn why_a_catalog_is_not_cached_is_told() {
    for (sql, expect) in [
        (
            "SELECT reltuples FROM pg_class",
            "pg_class is read with columns that change by themselves, such as reltuples",
        ),
        (
            "SELECT * FROM pg_catalog.pg_locks",
            "pg_catalog.pg_locks is of the server, and changes without DDL of this database",
        ),
    ] {
        assert_eq!(refused(verdict(sql)).map(|reason| reason.to_string()).as_deref(), Some(expect));
    }
}
