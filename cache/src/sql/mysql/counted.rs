//! What a statement leaves of the one before: what `FOUND_ROWS()` says, and whether MariaDB keeps the diagnostics.

use super::facts::{Counted, Kind, Reads};
use super::functions::built_in;
use super::lexer::TokenKind;
use super::tokens::Tokens;
use crate::sql::common::Writes;

/// What `FOUND_ROWS()` says behind a statement.
pub(super) fn counted(tokens: Tokens<'_>, kind: &Kind, writes: &Writes) -> Counted {
    let has = |words: &[&str]| (0..tokens.len()).any(|at| tokens.is_one_of(at, words));
    // What a SHOW reads from no table of the system's, and HANDLER, counts nothing on either server.
    let counts_nothing = match kind {
        Kind::Handler => true,
        Kind::Show => (1..3).any(|at| tokens.is_one_of(at, &UNCOUNTED)),
        _ => false,
    };
    if counts_nothing {
        return Counted::Kept;
    }
    match kind {
        Kind::Select => of_query(tokens),
        Kind::Explain => of_explained(tokens),
        // One row for MySQL; MariaDB counts nothing.
        Kind::Other if tokens.is(0, "DO") && !has(&["SELECT"]) => Counted::Matched,
        Kind::Insert | Kind::Set | Kind::Use(_) | Kind::Begin | Kind::Commit | Kind::Rollback
        | Kind::Savepoint | Kind::Prepare(_) | Kind::Deallocate(_) | Kind::LockTables
        | Kind::UnlockTables | Kind::Ddl | Kind::ShowDiagnostics { .. } | Kind::GetDiagnostics(_)
            // What is in RETURNING is a reply of its own.
            if !has(&["SELECT", "RETURNING"]) => Counted::Kept,
        Kind::Write if has(&["SELECT", "RETURNING", "JOIN", "STRAIGHT_JOIN", "USING", "WITH"]) => {
            Counted::Server
        }
        Kind::Write => match writes {
            Writes::Tables(tables) if tables.len() == 1 && !has_several_tables(tokens) => {
                if tokens.is(0, "UPDATE") { Counted::Matched } else { Counted::Kept }
            }
            _ => Counted::Server,
        },
        _ => Counted::Server,
    }
}

/// Whether a comma stands where the tables of an UPDATE or DELETE do.
fn has_several_tables(tokens: Tokens<'_>) -> bool {
    // `DELETE a FROM …` names its table twice.
    let is_named_first = tokens.is(0, "DELETE") && !tokens.is(tokens.skip(1, &OF_DELETE), "FROM");
    let tables =
        tokens.outer().take_while(|&at| !tokens.is_one_of(at, &["SET", "WHERE", "ORDER", "LIMIT"]));
    is_named_first || tables.into_iter().any(|at| tokens.is_symbol(at, ","))
}

/// What is explained is not run, but what no table is needed for may be: MariaDB counts that, and both count what they
/// make of derived tables.
fn of_explained(tokens: Tokens<'_>) -> Counted {
    let all = |words: &[&str]| (0..tokens.len()).filter(|&at| tokens.is_one_of(at, words)).count();
    let reads = |at: usize| tokens.is(at, "FROM") && !tokens.is(at + 1, "DUAL");
    let is_kept = match all(&["SELECT"]) {
        0 => all(&["UPDATE", "DELETE", "INSERT", "REPLACE"]) > 0,
        1 => (0..tokens.len()).any(reads),
        _ => false,
    };
    // And of these the tables themselves may tell without being read.
    let is_special = all(&["ANALYZE", "MIN", "MAX", "COUNT", "UNION", "EXCEPT", "INTERSECT"]) > 0;
    if is_kept && !is_special { Counted::Kept } else { Counted::Server }
}

fn of_query(tokens: Tokens<'_>) -> Counted {
    let has = |words: &[&str]| (0..tokens.len()).any(|at| tokens.is_one_of(at, words));
    let verb = (0..tokens.len()).find(|&at| !tokens.is_symbol(at, "("));
    if has(&["SQL_CALC_FOUND_ROWS", "PROCEDURE", "INTO"])
        || !verb.is_some_and(|verb| tokens.is_one_of(verb, &["SELECT", "WITH"]))
    {
        return Counted::Server;
    }
    let is_limited = has(&["LIMIT", "OFFSET", "FETCH"]);
    let in_parentheses = tokens.is_symbol(0, "(");
    if is_limited && (in_parentheses || has(&["UNION", "EXCEPT", "INTERSECT", "MINUS", "ROLLUP"])) {
        return Counted::Server;
    }
    let mut counted = Counted::Rows;
    for at in tokens.outer() {
        let has_two = tokens.is(at, "LIMIT") && tokens.is_symbol(at + 2, ",");
        if has_two || tokens.is(at, "OFFSET") {
            // How many, the text says, and not what is remembered of its shape.
            counted = match tokens.kind(at + 1) {
                Some(TokenKind::Number) => Counted::Skipping,
                Some(TokenKind::Parameter) => {
                    let is_parameter = |at: &usize| tokens.kind(*at) == Some(TokenKind::Parameter);
                    Counted::SkippingParameter((0..=at).filter(is_parameter).count())
                }
                _ => return Counted::Server,
            };
        }
    }
    counted
}

/// Whether certainly no table is involved in a statement.
pub(super) fn is_tableless(tokens: Tokens<'_>, kind: &Kind, reads: &Reads) -> bool {
    let may_be = matches!(
        kind,
        Kind::Select
            | Kind::Set
            | Kind::Use(_)
            | Kind::Begin
            | Kind::Commit
            | Kind::Rollback
            | Kind::Savepoint
            | Kind::Prepare(_)
            | Kind::Deallocate(_)
    ) || *kind == Kind::Other && tokens.is(0, "DO")
        || *kind == Kind::Explain && explains_query(tokens);
    let names_table =
        |at: usize| tokens.is_one_of(at, &["FROM", "JOIN", "TABLE"]) && !tokens.is(at + 1, "DUAL");
    may_be
        && !(0..tokens.len()).any(names_table)
        && reads.calls.iter().all(|call| call.schema.is_none() && built_in(&call.name).is_some())
}

/// Whether it is a query that an EXPLAIN is of.
fn explains_query(tokens: Tokens<'_>) -> bool {
    const VERBS: [&str; 7] = ["SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"];
    let verb = (1..tokens.len()).find(|&at| tokens.is_one_of(at, &VERBS));
    verb.is_some_and(|verb| tokens.is_one_of(verb, &["SELECT", "VALUES"]))
}

const UNCOUNTED: [&str; 5] = ["CREATE", "GRANTS", "PROCESSLIST", "PROFILE", "PROFILES"];

const OF_DELETE: [&str; 4] = ["LOW_PRIORITY", "QUICK", "IGNORE", "HISTORY"];

#[cfg(test)]
mod tests {
    use super::super::{Counted, Modes, analyse};

    /// As both servers answer; `tests/e2e/mysql` holds them to it.
    #[test]
    fn what_found_rows_says_is_known_of_plain_statements_only() {
        use Counted::{Kept, Matched, Rows, Server, Skipping, SkippingParameter};
        for (sql, expected) in [
            ("SELECT 1", Rows),
            ("SELECT a FROM t LIMIT 5", Rows),
            ("SELECT a FROM t LIMIT ?", Rows),
            ("SELECT a FROM t LIMIT 2, 5", Skipping),
            ("SELECT a FROM t LIMIT 5 OFFSET 2", Skipping),
            ("SELECT a FROM t LIMIT ?, ?", SkippingParameter(0)),
            ("SELECT a FROM t LIMIT 5 OFFSET ?", SkippingParameter(0)),
            ("SELECT a FROM t WHERE b = ? AND c = (?) LIMIT ? OFFSET ?", SkippingParameter(3)),
            ("SELECT a FROM t UNION SELECT 1 LIMIT ? OFFSET ?", Server),
            ("SELECT a FROM t LIMIT 5 OFFSET @a", Server),
            ("SELECT a FROM (SELECT b FROM t LIMIT 2, 5) x", Rows),
            ("WITH c AS (SELECT 1) SELECT * FROM c LIMIT 1", Rows),
            ("(SELECT a FROM t)", Rows),
            ("(SELECT a FROM t LIMIT 2, 5)", Server),
            ("SELECT a FROM t UNION SELECT 1", Rows),
            ("SELECT a FROM t UNION ALL SELECT 1 LIMIT 2", Server),
            ("SELECT a, count(*) FROM t GROUP BY a WITH ROLLUP LIMIT 2", Server),
            ("SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 2", Server),
            ("SELECT a FROM t LIMIT 1 INTO @a", Server),
            ("VALUES (1), (2)", Server),
            ("INSERT INTO t VALUES (1)", Kept),
            ("INSERT INTO t SELECT 1", Server),
            ("INSERT INTO t VALUES (1) RETURNING a", Server),
            ("UPDATE t SET a = 1, b = 2 WHERE c IN (1, 2)", Matched),
            ("UPDATE t, u SET a = 1", Server),
            ("UPDATE t JOIN u USING (a) SET b = 1", Server),
            ("DELETE FROM t WHERE a = 1", Kept),
            ("DELETE QUICK FROM t ORDER BY a, b LIMIT 1", Kept),
            ("DELETE a FROM t a", Server),
            ("DELETE FROM t WHERE a IN (SELECT 1)", Server),
            ("TRUNCATE TABLE t", Kept),
            ("SET @a = 1", Kept),
            ("SET @a = (SELECT 1)", Server),
            ("COMMIT", Kept),
            ("DO 1", Matched),
            ("DO (SELECT 1)", Server),
            ("SHOW CREATE TABLE t", Kept),
            ("SHOW FULL PROCESSLIST", Kept),
            ("HANDLER t READ FIRST", Kept),
            ("SHOW TABLES", Server),
            ("SHOW WARNINGS", Kept),
            ("CALL p()", Server),
            ("CREATE TABLE t SELECT 1", Server),
            ("ALTER TABLE t ADD a INT", Kept),
            ("EXPLAIN SELECT a FROM t WHERE b = 1 LIMIT 3", Kept),
            ("EXPLAIN FORMAT=JSON SELECT a FROM t JOIN u USING (b)", Kept),
            ("EXPLAIN UPDATE t SET a = 1", Kept),
            ("EXPLAIN INSERT INTO t SELECT a, b FROM u", Kept),
            ("EXPLAIN SELECT 1", Server),
            ("EXPLAIN SELECT 1 FROM DUAL", Server),
            ("EXPLAIN SELECT MAX(a) FROM t", Server),
            ("EXPLAIN SELECT * FROM (SELECT 1) x", Server),
            ("EXPLAIN SELECT a FROM t UNION TABLE u", Server),
            ("EXPLAIN ANALYZE SELECT a FROM t", Server),
            ("ANALYZE SELECT a FROM t", Server),
            ("EXPLAIN FOR CONNECTION 5", Server),
        ] {
            assert_eq!(analyse(sql, Modes::default()).statements[0].counted, expected, "{sql}");
        }
    }

    #[test]
    fn a_statement_is_without_a_table_only_where_it_names_none() {
        for (sql, expected) in [
            ("SELECT 1", true),
            ("SELECT @@warning_count, CONCAT('a', 1) FROM DUAL", true),
            ("SELECT f(1)", false),
            ("SELECT 1 FROM t", false),
            ("SELECT 1 FROM (SELECT 1) x", false),
            ("SET @a = 1", true),
            ("SET @a = (SELECT 1 FROM t)", false),
            ("BEGIN", true),
            ("DO 1", true),
            ("SHOW TABLES", false),
            ("EXPLAIN SELECT 1", true),
            ("EXPLAIN FORMAT=JSON SELECT 1 LIKE (1 IN (SELECT 1))", true),
            ("EXPLAIN SELECT 1 FROM t", false),
            ("EXPLAIN UPDATE t SET a = 1", false),
            ("EXPLAIN FOR CONNECTION 5", false),
            ("INSERT INTO t VALUES (1)", false),
        ] {
            let found = analyse(sql, Modes::default()).statements[0].is_tableless;
            assert_eq!(found, expected, "{sql}");
        }
    }
}
