//! Where a text names prepared statements: EXECUTE, DEALLOCATE and PREPARE, also within EXPLAIN and CREATE TABLE … AS.
//!
//! The parse tree says which statement names one, and what the name is once it is folded and cut; the scanner says where it
//! stands, for a proxy that knows the statement under another name.

use std::ops::Range;

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RawStmt, Token};

use super::facts::{NamedBy, StatementName};

/// The names in the statements of a text, in order. One that cannot be found in the text is left out.
pub(super) fn names(statements: &[RawStmt], text: &str) -> Box<[StatementName]> {
    statements.iter().filter_map(|raw| name_of(raw, text)).collect()
}

fn name_of(raw: &RawStmt, text: &str) -> Option<StatementName> {
    let (by, name) = named(raw.stmt.as_deref()?)?;
    let start = usize::try_from(raw.stmt_location).ok()?;
    let rest = text.get(start..)?;
    // A length of 0 means up to the end.
    let length = usize::try_from(raw.stmt_len).ok().filter(|&length| length > 0);
    let statement = length.map_or(Some(rest), |length| rest.get(..length))?;
    let span = find(&by, statement)?;
    Some(StatementName { by, name, span: start + span.start..start + span.end })
}

/// Where in a text of one PREPARE the statement stands that it prepares.
pub fn prepared_text(text: &str) -> Option<Range<usize>> {
    let scanned = pg_query::scan(text).ok()?;
    let is_comment = |token: &Token| matches!(token, Token::SqlComment | Token::CComment);
    let mut tokens = scanned.tokens.iter().filter(|token| !is_comment(&token.token()));
    let mut depth = 0_usize;
    loop {
        match tokens.next()?.token() {
            Token::Ascii40 => depth += 1,
            Token::Ascii41 => depth = depth.checked_sub(1)?,
            Token::As if depth == 0 => break,
            _ => {}
        }
    }
    let (first, rest) = (tokens.next()?, tokens);
    let mut from_the_end = rest.rev();
    let last = from_the_end.find(|token| token.token() != Token::Ascii59).unwrap_or(first);
    let (start, end) = (usize::try_from(first.start).ok()?, usize::try_from(last.end).ok()?);
    Some(start..end)
}

/// What a statement names, and for what.
fn named(node: &Node) -> Option<(NamedBy, String)> {
    match node.node.as_ref()? {
        NodeEnum::ExecuteStmt(execute) => Some((NamedBy::Execute, execute.name.clone())),
        NodeEnum::PrepareStmt(prepare) => Some((NamedBy::Prepare, prepare.name.clone())),
        NodeEnum::DeallocateStmt(deallocate) if !deallocate.isall => {
            Some((NamedBy::Deallocate, deallocate.name.clone()))
        }
        NodeEnum::ExplainStmt(explain) => named(explain.query.as_deref()?),
        NodeEnum::CreateTableAsStmt(create) => named(create.query.as_deref()?),
        _ => None,
    }
}

/// Where the name stands in a statement.
fn find(by: &NamedBy, statement: &str) -> Option<Range<usize>> {
    let scanned = pg_query::scan(statement).ok()?;
    let mut tokens = scanned
        .tokens
        .iter()
        .filter(|token| !matches!(token.token(), Token::SqlComment | Token::CComment))
        .peekable();
    let keyword = match by {
        NamedBy::Execute => Token::Execute,
        NamedBy::Prepare => Token::Prepare,
        NamedBy::Deallocate => Token::Deallocate,
    };
    // What stands before it: nothing, EXPLAIN with options, or CREATE TABLE … AS. A table may have the keyword's name.
    let mut depth = 0_usize;
    let mut last = None;
    loop {
        let token = tokens.next()?;
        match token.token() {
            Token::Ascii40 => depth += 1,
            Token::Ascii41 => depth = depth.saturating_sub(1),
            found if found == keyword && depth == 0 && begins(last) => break,
            _ => {}
        }
        last = Some(token.token());
    }
    let mut name = tokens.next()?;
    if matches!(by, NamedBy::Deallocate)
        && name.token() == Token::Prepare
        && let Some(next) = tokens.next()
    {
        name = next;
    }
    let (start, end) = (usize::try_from(name.start).ok()?, usize::try_from(name.end).ok()?);
    // Its escape character may be defined behind it.
    (name.token() != Token::Uident).then_some(start..end)
}

/// Whether a statement can begin behind this token.
fn begins(last: Option<Token>) -> bool {
    last.is_none_or(|last| {
        matches!(
            last,
            Token::As | Token::Explain | Token::Analyze | Token::Verbose | Token::Ascii41
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::analyse;

    fn check(sql: &str, expected: &[(&str, &str)]) {
        let analysis = analyse(sql);
        let found: Vec<_> = analysis
            .names
            .iter()
            .map(|name| (&*name.name, sql.get(name.span.clone()).unwrap()))
            .collect();
        assert_eq!(found, expected, "{sql}");
    }

    /// Issue 11, item 2.
    #[test]
    fn what_is_prepared_stands_behind_as() {
        for (sql, expected) in [
            ("PREPARE a AS SELECT 1", "SELECT 1"),
            (
                "prepare \"as\" (numeric(4, 0), x.\"as\") /* as */ AS -- as\n SELECT $1 AS b; -- x",
                { "SELECT $1 AS b" },
            ),
            ("PREPARE a AS (SELECT 1) ;", "(SELECT 1)"),
            ("PREPARE a AS VALUES ('as') /* x */", "VALUES ('as')"),
        ] {
            let found = super::prepared_text(sql).and_then(|span| sql.get(span));
            assert_eq!(found, Some(expected), "{sql}");
        }
    }

    #[test]
    fn a_name_is_found_wherever_it_stands() {
        for (sql, expected) in [
            ("execute a", &[("a", "a")][..]),
            ("/* execute b */ EXECUTE -- c\n a (1, 'execute d')", &[("a", "a")]),
            ("EXECUTE \"A \"\" b\"(1)", &[("A \" b", "\"A \"\" b\"")]),
            ("EXECUTE Execute", &[("execute", "Execute")]),
            ("EXPLAIN EXECUTE a", &[("a", "a")]),
            ("EXPLAIN (ANALYZE, COSTS off) EXECUTE a(1)", &[("a", "a")]),
            ("EXPLAIN ANALYZE VERBOSE EXECUTE a", &[("a", "a")]),
            ("CREATE TABLE execute AS EXECUTE a WITH NO DATA", &[("a", "a")]),
            ("CREATE TEMP TABLE t (execute) AS EXECUTE a(1)", &[("a", "a")]),
            ("DEALLOCATE a", &[("a", "a")]),
            ("DEALLOCATE PREPARE a", &[("a", "a")]),
            ("DEALLOCATE prepare", &[("prepare", "prepare")]),
            ("PREPARE a(int) AS SELECT $1", &[("a", "a")]),
            (
                "PREPARE a AS SELECT 1; EXECUTE a; DEALLOCATE b",
                &[("a", "a"), ("a", "a"), ("b", "b")],
            ),
            ("SELECT 1; EXECUTE a; SELECT 2", &[("a", "a")]),
            ("SAVEPOINT p;DEALLOCATE \"_PLAN1\";RELEASE p", &[("_PLAN1", "\"_PLAN1\"")]),
            ("DEALLOCATE ALL", &[]),
            ("SELECT 'EXECUTE a' AS execute", &[]),
            ("EXECUTE U&\"\\0061\"", &[]),
        ] {
            check(sql, expected);
        }
        let long = "x".repeat(70);
        check(&format!("EXECUTE {long}"), &[(&"x".repeat(63), &long)]);
    }
}
