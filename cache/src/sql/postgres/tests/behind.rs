//! What runs behind a statement, by catalogs of a few rows.

use std::sync::Arc;

use super::*;
use crate::sql::Writes;
use crate::sql::postgres::{Classifier, Pin, Verdicts, deeds};

/// A catalog of these functions (name, volatility, language, text), with the tables `seen`, `t` and the view `v`.
fn catalog_of(functions: &[(&str, &str, &str, &str)], uses: &[[&str; 4]]) -> Catalog {
    let mut builder = CatalogBuilder::new();
    let mut put = |query, row: &[&str]| {
        let row: Vec<_> = row.iter().map(|column| (*column != "-").then_some(*column)).collect();
        builder.row(query, &row).unwrap();
    };
    for (number, (name, volatility, language, text)) in functions.iter().enumerate() {
        let oid = (20_000 + number).to_string();
        let (takes, gives) = ("23", "23");
        let row = [
            "public", name, volatility, "0", "1", "false", "false", &oid, takes, gives, "-", "-",
            "-",
        ];
        put(CatalogQuery::Functions, &row);
        put(CatalogQuery::Bodies, &[&oid, language, text, "-"]);
    }
    put(CatalogQuery::Relations, &["public", "seen", "r", "-", "-", "30000", "-", "false"]);
    put(CatalogQuery::Relations, &["public", "t", "r", "-", "-", "30001", "-", "false"]);
    put(
        CatalogQuery::Relations,
        &["public", "v", "v", "-", "SELECT a FROM t", "30002", "-", "false"],
    );
    put(CatalogQuery::Operators, &["pg_catalog", "+", "i", "1", "23", "23", "23"]);
    uses.iter().for_each(|used| put(CatalogQuery::Uses, used));
    builder.build()
}

fn written(sql: &str, catalog: &Catalog) -> Vec<String> {
    match deeds(&analyse(sql), catalog).writes {
        Writes::None => Vec::new(),
        Writes::Tables(tables) => tables.iter().map(ToString::to_string).collect(),
        Writes::Everything => vec!["everything".to_owned()],
    }
}

/// FAULTS row 4: a label is only a claim.
#[test]
fn a_function_does_what_the_functions_do_that_it_calls() {
    let catalog = catalog_of(
        &[
            ("sly", "i", "plpgsql", "begin return bump(); end"),
            ("bump", "v", "sql", "update seen set n = n + 1 returning n"),
            ("one", "i", "sql", "select 1"),
            ("reader", "i", "sql", "select n from seen"),
            ("unseen", "i", "plperl", "-"),
            ("ping", "i", "plpgsql", "begin return pong(); end"),
            ("pong", "i", "plpgsql", "begin return ping() + sly(); end"),
            ("keeps", "v", "plpgsql", "begin create temp table x (); end"),
        ],
        &[["w", "30001", "f", "20000"], ["w", "30002", "n", "30001"]],
    );
    for (sql, expect) in [
        ("SELECT one()", &[][..]),
        ("SELECT sly()", &["seen"]),
        ("SELECT bump()", &["seen"]),
        ("SELECT ping()", &["seen"]),
        ("SELECT unseen()", &["everything"]),
        ("INSERT INTO seen VALUES (1)", &["seen"]),
        ("INSERT INTO t VALUES (1)", &["seen", "t"]),
        ("INSERT INTO v VALUES (1)", &["seen", "t", "v"]),
        ("SELECT a FROM v", &[]),
        ("SELECT nobody()", &["everything"]),
    ] {
        assert_eq!(written(sql, &catalog), expect, "{sql}");
    }
    for (sql, status) in [
        ("SELECT one()", None),
        ("SELECT a FROM v", None),
        ("SELECT sly()", Some("volatile")),
        ("SELECT unseen()", Some("volatile")),
        ("SELECT reader()", Some("volatile")),
    ] {
        let reason = refused(classify(&analyse(sql), &catalog));
        assert_eq!(reason.map(|reason| reason.status()), status, "{sql}");
    }
    let keeps = deeds(&analyse("SELECT keeps()"), &catalog);
    assert_eq!(keeps.pins.into_iter().collect::<Vec<_>>(), [Pin::TempTable]);
    assert!(!keeps.is_opaque);
    assert!(deeds(&analyse("SELECT unseen()"), &catalog).is_opaque);
}

/// FAULTS row 4: a cast, and an event trigger.
#[test]
fn what_no_statement_names_is_done_by_every_statement_that_may() {
    let functions = [("bump", "v", "sql", "update seen set n = n + 1")];
    let catalog = catalog_of(&functions, &[["c", "0", "f", "20000"]]);
    assert_eq!(written("INSERT INTO t VALUES (1)", &catalog), ["seen", "t"]);
    assert!(refused(classify(&analyse("SELECT 1"), &catalog)).is_some());
    let catalog = catalog_of(&functions, &[["e", "0", "f", "20000"]]);
    assert_eq!(written("COMMENT ON TABLE t IS 'x'", &catalog), ["seen", "pg_catalog.*"]);
    assert_eq!(written("INSERT INTO t VALUES (1)", &catalog), ["t"]);
}

/// FAULTS §4: what a statement names and the catalog does not know.
#[test]
fn a_text_says_what_the_catalog_lacks() {
    let catalog = catalog_of(&[("one", "i", "sql", "select 1")], &[]);
    let classifier = Classifier::new(Arc::new(catalog), &Verdicts::new(1 << 20));
    for (sql, lacks) in [
        ("SELECT one() FROM t", false),
        ("INSERT INTO t VALUES (1)", false),
        ("SELECT two()", true),
        ("SELECT 1 FROM nowhere", true),
        ("INSERT INTO nowhere VALUES (1)", true),
        ("SELECT 'a'::nothing", true),
        ("BEGIN", false),
    ] {
        assert_eq!(classifier.classify(sql, &Arc::new(analyse(sql))).lacks, lacks, "{sql}");
    }
}

#[test]
fn two_readings_of_a_catalog_have_one_fingerprint() {
    let functions = [("a", "i", "sql", "select 1"), ("b", "i", "sql", "select 1")];
    let uses = [["w", "30001", "f", "20000"], ["r", "30001", "f", "20001"]];
    let one = catalog_of(&functions, &uses).fingerprint();
    let reversed = [uses[1], uses[0]];
    assert_eq!(catalog_of(&functions, &reversed).fingerprint(), one);
    let other = [("a", "i", "sql", "select 2"), ("b", "i", "sql", "select 1")];
    assert_ne!(catalog_of(&other, &uses).fingerprint(), one);
}
