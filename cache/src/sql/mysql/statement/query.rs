//! Reads and writes of rows.

use super::super::facts::{Kind, StatementFacts, plain};
use super::super::scan;
use super::super::target;
use super::super::tokens::Tokens;

/// The facts of a statement that reads or writes rows. `query` is where its query begins, if it is one.
pub(super) fn facts(tokens: Tokens<'_>, query: &mut Option<usize>) -> Option<StatementFacts> {
    // `(SELECT …) UNION …`
    let first = (0..tokens.len()).find(|&at| !tokens.is_symbol(at, "("))?;
    let verb = if tokens.is(first, "WITH") { main_verb(tokens, first)? } else { first };
    if tokens.is_one_of(verb, &["SELECT", "VALUES", "TABLE"]) {
        *query = Some(0);
        return Some(plain(Kind::Select));
    }
    let kind = match tokens.keyword(verb)?.to_ascii_uppercase().as_str() {
        "INSERT" | "REPLACE" => Kind::Insert,
        "UPDATE" | "DELETE" => Kind::Write,
        "TRUNCATE" if verb == 0 => Kind::Write,
        "LOAD" if verb == 0 && tokens.is_one_of(1, &["DATA", "XML"]) => {
            return Some(StatementFacts {
                effects: scan::every_user_variable(tokens),
                writes: target::written(tokens, 0),
                ..plain(Kind::Insert)
            });
        }
        _ => return None,
    };
    Some(StatementFacts { writes: target::written(tokens, verb), ..plain(kind) })
}

/// The verb after the CTEs of a WITH.
fn main_verb(tokens: Tokens<'_>, with: usize) -> Option<usize> {
    // Parentheses before the WITH are those of a query.
    if with > 0 {
        return (with..tokens.len()).find(|&at| tokens.is(at, "SELECT"));
    }
    let verbs = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "VALUES", "TABLE"];
    let outer = tokens.outer().find(|&at| tokens.is_one_of(at, &verbs));
    // `WITH c AS (…) (SELECT …)`
    outer.or_else(|| (0..tokens.len()).find(|&at| tokens.is(at, "SELECT")))
}
