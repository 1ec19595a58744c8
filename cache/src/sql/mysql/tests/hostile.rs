//! Texts made to break the reader.

use proptest::prelude::*;

use super::*;
use crate::sql::mysql::{Catalog, classify, writes};
use crate::sql::{MAX_TEXT_BYTES, Parse, TableName, Writes};

/// Runs on a stack as small as a tokio worker's.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap();
    thread.join().unwrap();
}

fn judge(sql: &str) -> Analysis {
    let analysis = analysed(sql);
    drop(classify(&analysis, &Catalog::default(), "a"));
    drop(writes(&analysis, &Catalog::default(), "a"));
    analysis
}

fn nested(times: usize) -> Vec<String> {
    let many = |part: &str| part.repeat(times);
    vec![
        format!("SELECT {}1{}", many("("), many(")")),
        format!("SELECT {}1{}", many("(1 + "), many(")")),
        format!("SELECT 1{}", many(" + 1")),
        format!("SELECT a{}", many(" + a")),
        format!("SELECT {}1", many("- ")),
        format!("SELECT {}1", many("!")),
        format!("SELECT true{}", many(" AND true")),
        format!("SELECT {} true", many("NOT ")),
        format!("SELECT a{}", many(" IS NULL")),
        format!("SELECT a{}", many(" COLLATE b")),
        format!("SELECT a{}", many(" IN (1)")),
        format!("SELECT a{}", many(" LIKE 'a'")),
        format!("SELECT a{}", many(" BETWEEN 1 AND 2")),
        format!("SELECT a{}", many(" -> '$.a'")),
        format!("SELECT {}1{}", many("abs("), many(")")),
        format!("SELECT {}1{}", many("CASE WHEN 1 THEN "), many(" END")),
        format!("SELECT {}1{}", many("CAST("), many(" AS SIGNED)")),
        format!("SELECT 1{}", many(" UNION SELECT 1")),
        format!("{}SELECT 1{}", many("("), many(")")),
        format!("SELECT * FROM t{}", many(" JOIN t USING (id)")),
        format!("SELECT * FROM {}t{}", many("("), many(")")),
        format!("{}SELECT 1{}", many("SELECT * FROM ("), many(") AS q")),
        format!("{}SELECT 1{}", many("WITH a AS ("), many(") SELECT 1")),
        format!("SELECT {}", many("a.")),
        format!("SELECT {}", many("INTERVAL 1 ")),
        format!("{}SELECT 1", many("SET STATEMENT a = 1 FOR ")),
        format!("{}SELECT 1", many("EXPLAIN ")),
        format!("UPDATE {}t SET a = 1", many("(")),
        format!("CREATE PROCEDURE p() {} {}", many("BEGIN "), many("END; ")),
        many("/*!"),
        many("@a:="),
        many("SELECT "),
        many("'"),
        many("("),
        many(";"),
        many("a("),
    ]
}

#[test]
fn deep_nesting_is_an_answer_and_not_a_crash() {
    on_a_small_stack(|| {
        for times in [20, 39, 60, 300, 999, 1499, 2990, 10_000] {
            nested(times).iter().for_each(|sql| drop(judge(sql)));
        }
    });
}

#[test]
fn a_megabyte_of_anything_is_read_in_reasonable_time() {
    on_a_small_stack(|| {
        for sql in nested(40_000) {
            let end = sql.floor_char_boundary(MAX_TEXT_BYTES);
            drop(judge(sql.get(..end).unwrap()));
        }
    });
}

#[test]
fn a_long_list_is_understood() {
    let list = "?, ".repeat(20_000);
    let analysis = judge(&format!("SELECT a FROM t WHERE b IN ({list} 1)"));
    assert_eq!(analysis.parse, Parse::Full);
    assert!(analysis.statements[0].reads.is_complete);
}

#[test]
fn a_text_that_is_too_long_is_read_by_its_beginning() {
    let values = "(1, 'a@b.c; SET @x = 1'), ".repeat(60_000);
    let analysis = judge(&format!("INSERT INTO a.T (x, y) VALUES {values} (2, '')"));
    assert_eq!(analysis.parse, Parse::Oversized);
    assert_eq!(analysis.statements[0].kind, Kind::Insert);
    assert_eq!(analysis.writes(), Writes::Tables(vec![TableName::qualified("a", "t")]));
    for end in ["; SET @x = 1", " ON DUPLICATE KEY UPDATE x = @y", ", (GET_LOCK('a', 1), '')"] {
        let analysis = judge(&format!("INSERT INTO t VALUES {values} (2, ''){end}"));
        assert_eq!(analysis.statements[0].kind, Kind::Unknown, "{end}");
    }
    let analysis = judge(&format!("SELECT '{}'", "x".repeat(MAX_TEXT_BYTES)));
    assert_eq!(analysis.statements[0].kind, Kind::Unknown);
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS.split_whitespace().collect::<Vec<_>>());
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

fn modes() -> impl Strategy<Value = Modes> {
    (any::<bool>(), any::<bool>())
        .prop_map(|(ansi_quotes, no_backslash_escapes)| Modes { ansi_quotes, no_backslash_escapes })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_without_a_panic(sql in ".{0,300}", modes in modes()) {
        let analysis = analyse(&sql, modes);
        prop_assert!(analysis.statements.iter().all(|one| sql.get(one.text.clone()).is_some()));
    }

    #[test]
    fn any_words_are_read_without_a_panic(sql in words(), modes in modes()) {
        let analysis = analyse(&sql, modes);
        prop_assert!(analysis.mentions.iter().all(|one| sql.get(one.span.clone()).is_some()));
        drop(classify(&analysis, &Catalog::default(), "a"));
    }

    #[test]
    fn a_variable_assigned_anywhere_is_never_missed(before in words(), after in words()) {
        let sql = format!("SELECT {before} , (@secret := 1) , {after}");
        let analysis = analyse(&sql, PLAIN);
        let is_seen = analysis.effects().any(|effect| *effect == Effect::UserVariable("secret".into()));
        let is_safe = analysis.parse == Parse::Error
            || analysis.effects().any(|effect| *effect == Effect::UnknownSetting)
            || analysis.statements.iter().any(|one| matches!(one.kind, Kind::Unknown | Kind::Ddl));
        prop_assert!(is_seen || is_safe, "{sql}: {analysis:?}");
    }
}

/// Words that mean something to the reader.
const WORDS: &str = r#"
    SELECT FROM t a ( ) , * JOIN ON = 1 'x' WHERE AND INTO @a := @@x GET_LOCK SET UPDATE INSERT
    VALUES DELETE USING WITH AS UNION ALL ORDER BY LIMIT IF BEGIN END ; CREATE TEMPORARY TABLE
    PROCEDURE DROP /*!40101 */ PREPARE EXECUTE . CASE WHEN THEN EXPLAIN FOR SHOW WARNINGS COUNT
    INTERVAL CAST DATE NOT EXISTS IN IS NULL OVER PARTITION `q` "d" ? - STATEMENT HANDLER OPEN
    RENAME TO LOCK MATCH AGAINST CONVERT EXTRACT TRIM
"#;
