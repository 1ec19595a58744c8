//! A shape says what its text says.

use proptest::prelude::*;

use super::*;
use crate::sql::postgres::analyse;

/// A shape says the same as its text.
fn check(sql: &str) {
    let Some(shape) = shape(sql) else { return };
    let (of_shape, of_text) = (analyse(&shape), analyse(sql));
    if of_shape.effects().next().is_none() {
        assert_eq!(of_shape, of_text, "{sql}\n{shape}");
    }
}

#[test]
fn plain_constants_are_replaced() {
    for (sql, expected) in [
        ("SELECT abalance FROM a WHERE aid = 42;", "SELECT abalance FROM a WHERE aid = 1;"),
        ("select * from t where n = 'it''s' and k=-7", "select * from t where n = '' and k=-1"),
        ("\n INSERT INTO t1 VALUES (1,2), (33,'x')", "\n INSERT INTO t1 VALUES (1)"),
        ("UPDATE \"t 1\" SET a = $2 WHERE b IN (10)", "UPDATE \"t 1\" SET a = $2 WHERE b IN (1)"),
        ("SELECT 10 WHERE d > 'now'", "SELECT 1 WHERE d > 'now'"),
        (
            "SELECT 1.5, 1e5, 0x1f, 12345678901, a.b2, 7",
            "SELECT 1.5, 1e5, 0x1f, 12345678901, a.b2, 1",
        ),
    ] {
        assert_eq!(shape(sql).as_deref(), Some(expected));
        check(sql);
    }
}

/// FAULTS row 51: an INSERT of a megabyte is as short as one row.
#[test]
fn lists_and_rows_of_constants_are_as_long_as_one() {
    for (sql, expected) in [
        ("SELECT a FROM t WHERE b IN (1, 22,'x' , -3, NULL, $4)", "SELECT a FROM t WHERE b IN (1)"),
        ("SELECT a FROM t WHERE b IN (1, c, 2, 3)", "SELECT a FROM t WHERE b IN (1, c, 1)"),
        ("SELECT f(1, 2), g((1), 2)", "SELECT f(1, 1), g((1), 1)"),
        (
            "INSERT INTO t (a, b) VALUES (1.5, -2e-3), (NULL, 12345678901) ON CONFLICT DO NOTHING",
            "INSERT INTO t (a, b) VALUES (1) ON CONFLICT DO NOTHING",
        ),
        ("VALUES (1, now()), ('x', now()), (3, g(2)) ", "VALUES (1, now()), (1, g(1)) "),
        ("VALUES ('now'), ('a'), ('b')", "VALUES ('now'), (1)"),
        ("VALUES ((1)), ((2)), (-'3'), (-f(4))", "VALUES ((1)), (-''), (-f(1))"),
        (
            "SELECT * FROM (VALUES (1, 2), (3, 4)) v, (VALUES (5)) w",
            "SELECT * FROM (VALUES (1)) v, (VALUES (1)) w",
        ),
        ("DELETE FROM t WHERE (a, b) IN ((1, 2), (3, 4))", "DELETE FROM t WHERE (a, b) IN ((1))"),
        (r"INSERT INTO t VALUES (E'it\'s \\', ''), ('b', TRUE)", "INSERT INTO t VALUES (1)"),
        (r"SELECT E'a\nb'", "SELECT ''"),
        ("SELECT a IN (SELECT 1, 2, 3), 4", "SELECT a IN (SELECT 1, 1), 1"),
        ("VALUES (1) , ('a'), (b)", "VALUES (1), (b)"),
    ] {
        assert_eq!(shape(sql).as_deref(), Some(expected));
        check(sql);
    }
    let rows = "(1, 'a', NULL), ".repeat(50_000);
    let shape = shape(&format!("INSERT INTO t VALUES {rows}(2, 'b', 3)")).expect("constants");
    assert_eq!(shape, "INSERT INTO t VALUES (1)");
}

#[test]
fn what_is_not_sure_has_no_shape() {
    for sql in [
        "SELECT a FROM t",
        "SET work_mem = 64",
        "EXPLAIN (ANALYZE 0) SELECT 5",
        "SELECT 5; SET a.b = 5",
        "SELECT 5 -- max_age=5",
        "SELECT 5 /* 5 */",
        "SELECT E'\\156ow', 5",
        "SELECT E'n\\ow', 5",
        "SELECT E'abc\\', 5",
        "SELECT U&'\\0041', 5",
        "SELECT $x$5$x$",
        "SELECT 'abc, 5",
        "SELECT 5::float(30)",
        "SELECT \"a, 5",
        "SELECT '\0', 5",
        "SELECT d > 'to'\n'day'::date",
        "",
    ] {
        assert_eq!(shape(sql), None, "{sql}");
    }
}

#[test]
fn a_text_with_effects_is_seen_by_its_shape() {
    let shape = shape("SELECT set_config('a.b', '5', false)").expect("a plain constant");
    assert!(analyse(&shape).effects().next().is_some());
}

proptest! {
    #[test]
    fn shapes_mean_what_their_texts_mean(parts in prop::collection::vec(part(), 0..12)) {
        check(&format!("SELECT {}", parts.join(" ")));
    }

    #[test]
    fn lists_mean_what_their_texts_mean(
        verb in prop::sample::select(vec!["SELECT a IN (", "SELECT (a, b) IN (", "INSERT INTO t VALUES ", "SELECT * FROM (VALUES "]),
        rows in prop::collection::vec(row(), 1..6),
        items in prop::collection::vec(item(), 1..5),
        end in prop::sample::select(vec!["", ")", ") v, (VALUES (1), (2)) w", ") AND b IN (2, 3)"]),
    ) {
        check(&format!("{verb}{}{end}", rows.join(", ")));
        check(&format!("{verb}{}{end}", items.join(", ")));
        check(&format!("{verb}{}, {}{end}", items.join(" ,"), rows.join(",")));
    }

    #[test]
    fn no_text_makes_it_panic(sql in ".*") {
        check(&format!("SELECT {sql}"));
    }
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "a",
            "+",
            ",",
            "(",
            ")",
            "FROM",
            "t",
            "WHERE",
            "=",
            "now()",
            "'now'",
            "::date",
            "LIMIT",
            "$1",
            "f(",
            "::regclass",
            "interval",
            "nextval('s')",
            "IN",
            "ORDER BY",
            "float4",
            ".",
            "-",
            "'to'",
            "'day'",
            "'no'",
            "'w'",
            "set_config('a.b',",
            "pg_advisory_lock(",
            ";",
            "\"x\"",
            "E'a'",
            "\n",
            "::varchar(",
            "date",
        ])
        .prop_map(ToOwned::to_owned),
        "[0-9]{1,12}",
        "[0-9]{0,3}[.]?[0-9]{1,3}(e[0-9])?",
        "'([a-z0-9 ]|''){0,8}'",
    ]
}

fn row() -> impl Strategy<Value = String> {
    prop::collection::vec(item(), 0..4).prop_map(|items| format!("({})", items.join(", ")))
}

/// What may stand in a row or a list.
fn item() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => part(),
        4 => (part(), prop::sample::select(vec!["-", "- ", "+", "--", "1 +", "ARRAY[", "f("]))
            .prop_map(|(part, before)| format!("{before}{part}")),
        2 => (part(), prop::sample::select(vec!["::date", "]", ")", "::int[]", " AND c"]))
            .prop_map(|(part, after)| format!("{part}{after}")),
        8 => prop::sample::select(vec![
            "NULL", "true", "DEFAULT", "$2", "-5", "- 1.5", "1e-5", "-1e+5", ".5", "5.", "1e5", "00", "99999999999",
            "E'a'", r"E'a\nb'", r"E'\bnow'", r"e'it\'s'", "'now'", "now()", "(1)", "(1, 2)", "f(1, 2)", "ARRAY[1, 2]",
            "(SELECT 1, 2)", "(SELECT 1 WHERE 2 IN (3, 4))", "(VALUES (1), (2))", "c", "1 2", "", "-'5'", "- $1",
            "row(1, 2)", "date '2020-01-01'", "numeric(10, 2) '5'", "1::numeric(10, 2)", "a IN (1, 2)", "CASE WHEN 1 THEN 2 END",
        ]).prop_map(ToOwned::to_owned),
    ]
}
