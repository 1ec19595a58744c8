//! The shape of a text: what stays the same when an application asks for another row.
//!
//! As for PostgreSQL, but that the lexer here says what is a constant. It must hold that the shape has the
//! same [`Analysis`](super::Analysis) as the text, but for [places](super::StatementFacts::text) in it, unless the
//! analysis has effects or mentions: those repeat values and places, and whoever uses a shape must look for
//! them.

use super::lexer::{TokenKind, lex};
use super::modes::Modes;
use super::tokens::Tokens;
use super::walk::FORMATTED;

/// The shape of one SELECT, INSERT, UPDATE, DELETE, REPLACE or WITH. `None` for all others, for what has
/// variables or executable comments, where the value of a text decides what is made of it, and where nothing would be
/// replaced.
pub(super) fn shape(sql: &str, modes: Modes) -> Option<String> {
    let lexed = lex(sql, modes).ok().filter(|lexed| !lexed.has_conditional)?;
    let tokens = Tokens { sql, list: &lexed.tokens, modes };
    if !tokens.is_one_of(0, &VERBS) {
        return None;
    }
    let (mut shape, mut copied) = (String::new(), 0);
    for at in 0..tokens.len() {
        let text = tokens.text(at);
        let constant = match tokens.kind(at)? {
            TokenKind::UserVariable | TokenKind::SystemMark => return None,
            TokenKind::Word if tokens.is(at, FORMATTED) => return None,
            TokenKind::Symbol if text == ";" && at + 1 < tokens.len() => return None,
            TokenKind::Number if is_plain(text) => "1",
            // Its own quotes: those of its neighbour would go on with it.
            TokenKind::Text if text.starts_with('"') => r#""""#,
            TokenKind::Text => "''",
            _ => continue,
        };
        let place = tokens.span(at);
        if copied == 0 {
            shape.reserve(sql.len());
        }
        shape.push_str(sql.get(copied..place.start)?);
        shape.push_str(constant);
        copied = place.end;
    }
    shape.push_str(sql.get(copied..)?);
    (copied > 0).then_some(shape)
}

/// Whether a number is an integer that no type is too small for.
fn is_plain(number: &str) -> bool {
    number.len() <= MAX_DIGITS && number.bytes().all(|byte| byte.is_ascii_digit())
}

const MAX_DIGITS: usize = 9;

const VERBS: [&str; 6] = ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Analysis, analyse};
    use super::*;

    const ALL_MODES: [Modes; 4] = [
        Modes { ansi_quotes: false, no_backslash_escapes: false },
        Modes { ansi_quotes: true, no_backslash_escapes: false },
        Modes { ansi_quotes: false, no_backslash_escapes: true },
        Modes { ansi_quotes: true, no_backslash_escapes: true },
    ];

    /// What a text says wherever it says it.
    fn anywhere(sql: &str, modes: Modes) -> Analysis {
        let mut analysis = analyse(sql, modes);
        analysis.statements.iter_mut().for_each(|statement| statement.text = 0..0);
        analysis
    }

    /// A shape says the same as its text.
    fn check(sql: &str) {
        for modes in ALL_MODES {
            let Some(shape) = shape(sql, modes) else { continue };
            let of_shape = anywhere(&shape, modes);
            if of_shape.mentions.is_empty() && of_shape.effects().next().is_none() {
                assert_eq!(of_shape, anywhere(sql, modes), "{sql}\n{shape}");
            }
        }
    }

    #[test]
    fn plain_constants_are_replaced() {
        for (sql, expected) in [
            ("SELECT c FROM sbtest1 WHERE id=50123", "SELECT c FROM sbtest1 WHERE id=1"),
            (r"select * from t where n = 'it''s \' 5'", "select * from t where n = ''"),
            (r#"select 'a'"b" 'c', 42"#, r#"select ''"" '', 1"#),
            (
                "\n INSERT INTO t1 VALUES (1,2), (33,'x');",
                "\n INSERT INTO t1 VALUES (1,1), (1,'');",
            ),
            ("REPLACE t SET `a 1` = _utf8'x', b = ?", "REPLACE t SET `a 1` = _utf8'', b = ?"),
            ("SELECT 10 -- 20\n /* 30 */ + 40", "SELECT 1 -- 20\n /* 30 */ + 1"),
            (
                "SELECT 1.5, 1e5, 0x1f, 12345678901, a.2b, 2a, x'1F', N'x', .5, 7",
                "SELECT 1.5, 1e5, 0x1f, 12345678901, a.2b, 2a, x'1F', N'x', .5, 1",
            ),
        ] {
            assert_eq!(shape(sql, Modes::default()).as_deref(), Some(expected));
            check(sql);
        }
    }

    #[test]
    fn what_is_quoted_depends_on_the_modes() {
        let [plain, ansi, bare, _] = ALL_MODES;
        let sql = r#"SELECT "a" = 5"#;
        assert_eq!(shape(sql, plain).as_deref(), Some(r#"SELECT "" = 1"#));
        assert_eq!(shape(sql, ansi).as_deref(), Some(r#"SELECT "a" = 1"#));
        let sql = r"SELECT '\', 5";
        assert_eq!(shape(sql, plain), None);
        assert_eq!(shape(sql, bare).as_deref(), Some("SELECT '', 1"));
    }

    #[test]
    fn what_is_not_sure_has_no_shape() {
        for sql in [
            "SELECT a FROM t",
            "SET SESSION sort_buffer_size = 65536",
            "SELECT 5; SELECT 6",
            "SELECT /*!50000 5 */ 6",
            "SELECT @a, 5",
            "SELECT str_to_date(a, '%H')",
            "SELECT @@max_allowed_packet, 5",
            "SELECT 'abc, 5",
            "KILL 5",
            "PREPARE s FROM 'SELECT 5'",
            "",
        ] {
            assert_eq!(shape(sql, Modes::default()), None, "{sql}");
        }
    }

    #[test]
    fn a_text_with_effects_or_mentions_is_seen_by_its_shape() {
        let seen =
            |sql| analyse(&shape(sql, Modes::default()).expect("constants"), Modes::default());
        assert!(seen("SELECT get_lock('a', 5)").effects().next().is_some());
        assert!(!seen("SELECT 55, row_count()").mentions.is_empty());
    }

    proptest! {
        #[test]
        fn shapes_mean_what_their_texts_mean(
            verb in prop::sample::select(VERBS.to_vec()),
            parts in prop::collection::vec(part(), 0..14),
            space in prop::sample::select(vec!["", " "]),
        ) {
            check(&format!("{verb} {}", parts.join(space)));
        }

        #[test]
        fn no_text_makes_it_panic(sql in ".*") {
            check(&format!("SELECT {sql}"));
        }
    }

    fn part() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => prop::sample::select(PARTS.to_vec()).prop_map(ToOwned::to_owned),
            1 => "[0-9]{1,12}",
            1 => "[0-9]{0,3}[.]?[0-9]{1,3}(e[0-9])?[a-z]?",
            1 => r"'([a-z0-9% ]|''|\\'|\\){0,8}'",
            1 => r#""([a-z0-9% ]|""|'){0,8}""#,
        ]
    }

    const PARTS: &[&str] = &[
        "a",
        "b.",
        ".",
        "`x 1`",
        "+",
        "-",
        "--",
        "-- 5\n",
        "#5\n",
        "/* 5 */",
        "/*+ SET_VAR(a=5) */",
        "/*",
        "/* jumpgate: max_age=5 */",
        "/*!50000",
        "*/",
        ",",
        "(",
        ")",
        "FROM",
        "INTO t",
        "t",
        "SET",
        "a =",
        "VALUES (",
        "WHERE",
        "=",
        "now(",
        "LIMIT",
        "OFFSET",
        "?",
        "f(",
        "CAST(",
        "AS DATETIME(",
        "AS CHAR(",
        "AS DECIMAL(",
        "AS SIGNED)",
        "interval",
        "DAY",
        "IN (",
        "ORDER BY",
        "GROUP BY",
        "SELECT",
        "UNION",
        "MATCH (a) AGAINST (",
        ";",
        "@a",
        "@",
        "@@b",
        "get_lock(",
        "last_insert_id(",
        "row_count()",
        "ON DUPLICATE KEY UPDATE",
        "N",
        "x",
        "_utf8",
        "date",
        "time",
        "timestamp",
        "->",
        "->>",
        "JSON_TABLE(",
        "AS",
        "COLLATE",
        "PARTITION (",
        "INTO OUTFILE",
        "rand(",
        "float(",
        "$",
        "é",
        "c AS (",
        "rows",
        "preceding",
        "over (",
        "{d",
        "}",
        "\\",
        "0x",
        "b'1'",
        "week(",
        "*",
        "PROCEDURE analyse(",
        "sleep(",
        "USING",
        "convert(",
        "escape",
        "LIKE",
        "SQL_CALC_FOUND_ROWS",
    ];
}
