//! What statements write.

use super::*;
use crate::sql::mysql::writes;
use crate::sql::{TableName, Writes};

fn some(names: &[&str]) -> Writes {
    let table = |name: &&str| match name.split_once('.') {
        Some((schema, name)) => TableName::qualified(schema, name),
        None => TableName::bare(name),
    };
    Writes::Tables(names.iter().map(table).collect())
}

#[test]
fn writes_name_their_tables() {
    for (sql, expect) in [
        ("INSERT INTO t VALUES (1)", some(&["t"])),
        ("INSERT LOW_PRIORITY IGNORE INTO `A`.`B``C` (x) SELECT * FROM u", some(&["a.b`c"])),
        ("INSERT t SET a = 1 ON DUPLICATE KEY UPDATE a = 2", some(&["t"])),
        ("REPLACE DELAYED INTO t VALUES (1)", some(&["t"])),
        (
            "LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE a.t FIELDS TERMINATED BY ','",
            some(&["a.t"]),
        ),
        ("TRUNCATE TABLE t", some(&["t"])),
        ("TRUNCATE t", some(&["t"])),
        ("UPDATE t SET a = 1 WHERE b = 2", some(&["t"])),
        ("UPDATE LOW_PRIORITY IGNORE a.t AS x SET x.a = 1", some(&["a.t"])),
        ("UPDATE t, u AS v SET t.a = v.a", some(&["t", "u"])),
        ("UPDATE t JOIN (u, v) ON t.a = u.a SET t.a = 1", some(&["t", "u", "v"])),
        ("UPDATE t LEFT JOIN u USING (a) SET t.a = 1", some(&["t", "u"])),
        ("UPDATE t JOIN (SELECT 1) x SET a = 1", Writes::Everything),
        ("DELETE FROM t WHERE a = 1", some(&["t"])),
        ("DELETE QUICK FROM a.t ORDER BY b LIMIT 1", some(&["a.t"])),
        ("DELETE x FROM t AS x JOIN u ON x.a = u.a WHERE u.b = 1", some(&["t", "u"])),
        ("DELETE FROM a, b USING t AS a JOIN u AS b USING (c) WHERE d = 1", some(&["t", "u"])),
        ("WITH c AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT * FROM c)", some(&["t"])),
        ("ANALYZE UPDATE t SET a = 1", some(&["t"])),
        ("EXPLAIN ANALYZE UPDATE t SET a = 1", some(&["t"])),
        ("EXPLAIN UPDATE t SET a = 1", Writes::None),
        ("EXECUTE IMMEDIATE 'UPDATE t SET a = 1'", some(&["t"])),
        ("INSERT INTO t VALUES (1); UPDATE u SET a = 1", some(&["t", "u"])),
        ("SELECT * FROM t", Writes::None),
        ("SET a = 1", Writes::None),
        ("SET a = @@global.a, @@session.b = 1, @c = (SELECT 1, @@global.d)", Writes::None),
        ("SET GLOBAL a = 1", Writes::Everything),
        ("SET @b = 1, @@Global.a := 1", Writes::Everything),
        ("SET PERSIST a = 1", Writes::Everything),
        ("SET @@persist_only.a = DEFAULT", Writes::Everything),
        ("SET GLOBAL TRANSACTION READ ONLY", Writes::Everything),
        ("COMMIT", Writes::None),
        ("CREATE TEMPORARY TABLE t (a INT)", Writes::None),
        ("DROP TEMPORARY TABLE t", Writes::None),
        ("OPTIMIZE TABLE t", Writes::None),
        ("CREATE TABLE t (a INT)", Writes::Everything),
        ("DROP TABLE t", Writes::Everything),
        ("CALL p()", Writes::Everything),
        ("EXECUTE s", Writes::Everything),
        ("REPAIR TABLE t", Writes::Everything),
        ("XA COMMIT 'a'", Writes::Everything),
        ("INSERT /*!40000 IGNORE */ INTO t VALUES (1)", Writes::Everything),
        ("FROB", Writes::Everything),
    ] {
        assert_eq!(analysed(sql).writes(), expect, "{sql}");
    }
}

#[test]
fn a_stored_function_that_writes_counts_wherever_it_is_called() {
    for (server, catalog) in catalogs() {
        for (sql, expect) in [
            // A view calls a function that writes, and any INSERT … SELECT may read it.
            ("DELETE FROM orders", some(&["orders", "app.audit"])),
            ("INSERT INTO notes VALUES (1)", some(&["notes", "app.audit"])),
            ("SELECT writer()", some(&["app.audit"])),
            ("SELECT w FROM writing_view", some(&["app.audit"])),
            ("DO app.writer()", some(&["app.audit"])),
            ("SELECT package.function(1)", Writes::Everything),
            ("SELECT plus_one(1)", Writes::None),
            ("SELECT * FROM best_orders", Writes::None),
        ] {
            assert_eq!(writes(&analysed(sql), &catalog, "app"), expect, "{server}: {sql}");
        }
    }
}

/// The catalogs without the view that calls a function that writes.
fn quiet() -> [Catalog; 2] {
    let rows: [fn(CatalogQuery) -> &'static str; 2] = [mariadb, mysql];
    rows.map(|rows_of| {
        let mut builder = CatalogBuilder::new();
        for query in CatalogQuery::ALL {
            for line in rows_of(query).lines().filter(|line| !line.contains("writing_view")) {
                let columns: Vec<Option<String>> = line.split('\t').map(written).collect();
                let columns: Vec<Option<&str>> = columns.iter().map(Option::as_deref).collect();
                builder.row(query, &columns).unwrap();
            }
        }
        builder.build()
    })
}

#[test]
fn triggers_views_and_stored_functions_are_looked_through() {
    for catalog in quiet() {
        for (sql, expect) in [
            ("INSERT INTO orders VALUES (1)", some(&["orders"])),
            ("INSERT INTO app.users VALUES (1)", some(&["app.users"])),
            ("INSERT INTO stamped VALUES (1, 'a')", some(&["stamped"])),
            ("INSERT INTO audited VALUES (1)", some(&["audited", "app.audit"])),
            ("UPDATE user_orders SET total = 1", some(&["user_orders", "app.orders", "app.users"])),
            ("UPDATE unheard_of SET total = 1", Writes::Everything),
            ("INSERT INTO merged VALUES (1)", Writes::Everything),
            ("USE other; INSERT INTO far VALUES (1)", some(&["far"])),
            ("USE other; INSERT INTO orders VALUES (1)", Writes::Everything),
            ("UPDATE mysql.user SET a = 1", Writes::Everything),
            ("INSERT INTO notes VALUES (writer())", some(&["notes", "app.audit"])),
            ("INSERT INTO notes VALUES (plus_one(1))", some(&["notes"])),
            ("INSERT INTO relayed VALUES (1)", some(&["relayed", "app.notes", "other.far"])),
            ("CALL fills(1)", some(&["app.notes", "other.far"])),
            ("call `App`.Fills (1)", some(&["app.notes", "other.far"])),
            ("CALL other.far_fill(1)", some(&["other.far"])),
            ("USE other; CALL far_fill(1)", some(&["other.far"])),
            ("CALL fills(writer())", some(&["app.audit", "app.notes", "other.far"])),
            ("CALL looks", Writes::None),
            ("CALL ping(1)", some(&["app.orders"])),
            // MySQL does not show that the quotes are escaped.
            ("CALL hides()", some(&["app.notes"])),
            ("CALL runs_text()", Writes::Everything),
            ("CALL sets_for_all()", Writes::Everything),
            ("CALL lost()", Writes::Everything),
            ("CALL nowhere()", Writes::Everything),
            ("CALL other.fills(1)", Writes::Everything),
            ("EXECUTE IMMEDIATE 'CALL fills(1)'", Writes::Everything),
        ] {
            assert_eq!(writes(&analysed(sql), &catalog, "app"), expect, "{sql}");
        }
    }
}
