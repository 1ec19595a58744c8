//! Texts made to break the analysis.

use super::*;
use crate::sql::postgres::writes;
use crate::sql::{MAX_TEXT_BYTES, Parse, TableName, Writes};

/// Runs on a stack as small as a tokio worker's.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap();
    thread.join().unwrap();
}

fn nested() -> Vec<String> {
    let many = |part: &str| part.repeat(10_000);
    vec![
        format!("SELECT {}1{}", many("("), many(")")),
        format!("SELECT {}1{}", many("(1 + "), many(")")),
        format!("SELECT 1{}", many(" + 1")),
        format!("SELECT 'a'{}", many(" || 'a'")),
        format!("SELECT true{}", many(" AND true")),
        format!("SELECT {} true", many("NOT ")),
        format!("SELECT 1{}", many("::int")),
        format!("SELECT {}1{}", many("abs("), many(")")),
        format!("SELECT ARRAY{}1{}", many("["), many("]")),
        format!("SELECT 1{}", many(" UNION SELECT 1")),
        format!("SELECT * FROM users{}", many(" JOIN users USING (id)")),
        format!("SELECT {}1{}", many("CASE WHEN true THEN "), many(" END")),
        format!("{}SELECT 1{}", many("SELECT * FROM ("), many(") AS q")),
        format!("SELECT 1{}", " + 1".repeat(250_000)),
    ]
}

#[test]
fn deep_nesting_is_an_answer_and_not_a_crash() {
    on_a_small_stack(|| {
        let catalog = catalog();
        for sql in nested() {
            let analysis = analyse(&sql);
            drop(classify(&analysis, &catalog));
            drop(writes(&analysis, &catalog));
        }
    });
}

#[test]
fn a_long_chain_is_refused_without_a_pin() {
    let analysis = analyse(&format!("SELECT name{} FROM users", " || 'a'".repeat(200)));
    assert_eq!(analysis.parse, Parse::Shallow);
    assert_eq!(analysis.effects().count(), 0);
    assert_eq!(analysis.writes(), Writes::None);
    assert_eq!(refused(classify(&analysis, &catalog())), Some(Reason::TooDeep));
}

#[test]
fn a_deep_write_still_names_its_table() {
    let sql = format!("UPDATE users SET name = 'a'{}", " || 'a'".repeat(200));
    let analysis = analyse(&sql);
    assert_eq!(analysis.parse, Parse::Shallow);
    assert_eq!(analysis.writes(), Writes::Tables(vec![TableName::bare("users")]));
}

#[test]
fn deep_statements_that_change_state_still_pin() {
    let chain = " || 'a'".repeat(200);
    for sql in [
        format!("SELECT pg_advisory_lock(1), 'a'{chain}"),
        format!("SELECT pg_backup_start('nightly'), 'a'{chain}"),
        format!("SELECT set_config('a.b', 'a'{chain}, false)"),
        format!("CREATE TEMP TABLE t AS SELECT 'a'{chain}"),
        format!("SELECT 'a'{chain} INTO TEMP t"),
    ] {
        assert_eq!(analyse(&sql).effects().count(), 1, "{sql}");
    }
}

#[test]
fn a_deep_query_that_calls_a_writer_writes_what_that_writes() {
    let analysis = analyse(&format!("SELECT writer(1), 'a'{}", " || 'a'".repeat(200)));
    let only_plain = Writes::Tables(vec![TableName::bare("only_plain")]);
    assert_eq!(writes(&analysis, &catalog()), only_plain);
}

#[test]
fn a_text_over_the_limit_is_not_parsed() {
    let analysis = analyse(&format!("SELECT '{}'", "x".repeat(MAX_TEXT_BYTES)));
    let reason = refused(classify(&analysis, &catalog())).unwrap();
    assert_eq!(reason.status(), "oversizedquery");
}

#[test]
fn bytes_that_no_text_should_hold_are_an_error() {
    assert_eq!(analyse("SELECT '\0'").parse, Parse::Error);
}

const WORDS: [&str; 48] = [
    "SELECT",
    "FROM",
    "users",
    "(",
    ")",
    ",",
    "1",
    "'a'",
    "WHERE",
    "id",
    "=",
    "AND",
    "WITH",
    "u",
    "AS",
    "UNION",
    "INTO",
    "TEMP",
    "INSERT",
    "VALUES",
    "UPDATE",
    "SET",
    "DELETE",
    "RETURNING",
    "*",
    ".",
    ";",
    "::",
    "int",
    "[",
    "]",
    "$1",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "JOIN",
    "ON",
    "lower",
    "now",
    "COPY",
    "TO",
    "STDOUT",
    "EXPLAIN",
    "ANALYZE",
    "/* jumpgate: max_age=5 */",
    "é",
    "ORDER BY",
];

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_analysis(picks in proptest::collection::vec(0..WORDS.len(), 0..24)) {
        let words: Vec<&str> = picks.into_iter().map(|pick| WORDS[pick]).collect();
        let analysis = analyse(&words.join(" "));
        drop(classify(&analysis, &Catalog::default()));
        drop(writes(&analysis, &Catalog::default()));
    }

    #[test]
    fn no_string_breaks_the_analysis(text in "\\PC{0,80}") {
        drop(analyse(&text));
        drop(analyse(&format!("SELECT {text} /* jumpgate: {text} */")));
    }
}

/// FAULTS row 50: what no text takes time out of proportion to. One of these that was not refused and not linear
/// would take minutes here.
#[test]
fn two_hundred_kilobytes_of_anything_are_analysed_in_reasonable_time() {
    on_a_small_stack(|| {
        for (one, other) in
            tokens().iter().flat_map(|one| [(*one, ""), (*one, "+"), ("/*", *one), (*one, "a ")])
        {
            for begin in ["", "select "] {
                let times = (200 << 10) / (one.len() + other.len());
                let sql = format!("{begin}{}", format!("{one}{other}").repeat(times));
                let analysis = analyse(&sql);
                drop(classify(&analysis, &Catalog::default()));
                drop(writes(&analysis, &Catalog::default()));
            }
        }
    });
}

/// What a lexer or a grammar may have trouble with.
fn tokens() -> [&'static str; 34] {
    [
        "/*",
        "*/",
        "/**/",
        "--",
        "--\n",
        "+",
        "-",
        "*",
        "/",
        "<=",
        "@",
        "#",
        "|",
        "::",
        ".",
        ",",
        ";",
        "(",
        "[",
        "'",
        "''",
        "\"",
        "$",
        "$a$",
        "E'\\",
        "\\",
        "a.",
        "a(",
        "1,",
        "(1),",
        "'a'\n",
        "a and ",
        "case ",
        "set a.b=1;",
    ]
}

/// FAULTS row 50: names without end, which must not be compared with one another.
#[test]
fn a_megabyte_of_names_is_analysed_in_reasonable_time() {
    let many = |part: fn(usize) -> String| (0..40_000).map(part).collect::<String>();
    for sql in [
        format!(
            "WITH {} z AS (SELECT 1) SELECT 1 FROM {} z",
            many(|n| format!("a{n} AS (SELECT 1),")),
            ""
        ),
        format!("WITH a AS (SELECT 1) SELECT 1 FROM {} z", many(|n| format!("a{n},"))),
        many(|n| format!("DELETE FROM a{n};")),
        format!("TRUNCATE {} z", many(|n| format!("a{n},"))),
        format!("SELECT {} 1", many(|n| format!("a{n}::date, f{n}(),"))),
    ] {
        let analysis = analyse(&sql);
        drop(classify(&analysis, &catalog()));
        drop(writes(&analysis, &catalog()));
    }
}

#[test]
fn a_text_that_the_grammar_would_be_slow_in_is_one_that_is_too_long() {
    let analysis = analyse(&format!("SELECT {}1", "+".repeat(1000)));
    assert_eq!(analysis.parse, Parse::Oversized);
    assert_eq!(analysis.writes(), Writes::Everything);
    assert_eq!(analysis.effects().count(), 1);
}
