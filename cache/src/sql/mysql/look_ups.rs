//! What of the server's own schema is cached: what only DDL and changes of rights change, by name, default-deny.
//!
//! All of `information_schema` together, with the SHOW statements that read it, is one table ([`TableName::catalogs`]). DDL
//! writes everything, and so that too, and so does what changes rights. What it shows depends on the account, which is in the
//! key of each reply; what a session has of its own there, temporary tables and roles, pins it, and who is pinned is answered
//! by its backend.
//!
//! Statistics, sizes, counters and activity change without a statement of anybody's, or with each. Some columns are such: a
//! statement that may read one of these, by its name or by `*`, is not cached. SHOW INDEX and SHOW TABLE STATUS always do.

use super::facts::{Reads, Use};
use super::lexer::TokenKind;
use super::tokens::Tokens;
use crate::sql::common::TableName;

/// The schema of the server's that is looked at.
pub(super) const SCHEMA: &str = "information_schema";

/// Whether a view of that schema only changes by DDL, but for its restless columns.
pub(super) fn is_steady(view: &str) -> bool {
    VIEWS.binary_search(&view).is_ok()
}

/// Whether some columns of a view change by themselves.
pub(super) fn has_restless(view: &str) -> bool {
    ["statistics", "tables"].contains(&view)
}

/// Whether a column of this name may be one of these.
pub(super) fn is_restless(name: &str) -> bool {
    RESTLESS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What a SHOW or DESCRIBE reads, where that is the server's schema only.
pub(super) fn shown(tokens: Tokens<'_>) -> Option<Reads> {
    let (view, uses) = if tokens.is(0, "SHOW") { of_show(tokens)? } else { of_describe(tokens)? };
    let relations = [TableName::qualified(SCHEMA, view)].into();
    Some(Reads {
        is_complete: true,
        relations,
        uses: uses.into_iter().collect(),
        ..Reads::default()
    })
}

/// `DESCRIBE t`, `DESC s.t c`, `EXPLAIN t 'c%'`
fn of_describe(tokens: Tokens<'_>) -> Option<(&'static str, Option<Use>)> {
    let (_table, next) = tokens.name(1)?;
    let is_column = || tokens.name_part(next).is_some() || tokens.literal(next).is_some();
    let is_whole = tokens.len() == next || tokens.len() == next.saturating_add(1) && is_column();
    is_whole.then_some(("columns", None))
}

fn of_show(tokens: Tokens<'_>) -> Option<(&'static str, Option<Use>)> {
    let at = tokens.skip(1, &["FULL"]);
    let is_full = at > 1;
    let (view, end) = match tokens.keyword(at)?.to_ascii_uppercase().as_str() {
        "TABLES" => ("tables", filtered(tokens, of_schema(tokens, at + 1)?)),
        "COLUMNS" | "FIELDS" if tokens.is_one_of(at + 1, &OF) => {
            let (_table, next) = tokens.name(at + 2)?;
            ("columns", filtered(tokens, of_schema(tokens, next)?))
        }
        _ if is_full => return None,
        "DATABASES" | "SCHEMAS" => ("schemata", filtered(tokens, at + 1)),
        "TRIGGERS" => ("triggers", liked(tokens, of_schema(tokens, at + 1)?)),
        "PROCEDURE" | "FUNCTION" if tokens.is(at + 1, "STATUS") => {
            ("routines", liked(tokens, at + 2))
        }
        "CHARSET" => ("character_sets", liked(tokens, at + 1)),
        "CHARACTER" if tokens.is(at + 1, "SET") => ("character_sets", liked(tokens, at + 2)),
        "COLLATION" => ("collations", liked(tokens, at + 1)),
        "CREATE" => return of_create(tokens, at + 1),
        _ => return None,
    };
    end.then_some((view, None))
}

/// `SHOW CREATE TABLE t` and its kin.
fn of_create(tokens: Tokens<'_>, at: usize) -> Option<(&'static str, Option<Use>)> {
    let (view, uses) = match tokens.keyword(at)?.to_ascii_uppercase().as_str() {
        // The options of a table hold the counter.
        "TABLE" => ("columns", Some(Use::Counter)),
        "VIEW" => ("views", None),
        "DATABASE" | "SCHEMA" => ("schemata", None),
        "PROCEDURE" | "FUNCTION" => ("routines", None),
        "TRIGGER" => ("triggers", None),
        _ => return None,
    };
    let (_name, next) = tokens.name(at + 1)?;
    (tokens.len() == next).then_some((view, uses))
}

/// The position behind `FROM s`, where that is said. `None` where what is said is no name.
fn of_schema(tokens: Tokens<'_>, at: usize) -> Option<usize> {
    if !tokens.is_one_of(at, &OF) {
        return Some(at);
    }
    tokens.name_part(at + 1).map(|_schema| at + 2)
}

/// Whether what is left is nothing, or `LIKE 'a%'`.
fn liked(tokens: Tokens<'_>, at: usize) -> bool {
    tokens.len() == at || tokens.is(at, "LIKE") && tokens.literal(at + 1).is_some()
}

/// The same, or a WHERE that does nothing but compare names with constants.
fn filtered(tokens: Tokens<'_>, at: usize) -> bool {
    let compares = |at: usize| match tokens.kind(at) {
        Some(TokenKind::Text | TokenKind::Number | TokenKind::Parameter) => true,
        Some(TokenKind::Name) => !tokens.is_symbol(at + 1, "("),
        Some(TokenKind::Word) => {
            let names_table = tokens.text(at).to_ascii_lowercase().starts_with("tables_in_");
            let is_known = names_table || tokens.is_one_of(at, &COMPARED);
            tokens.is(at, "IN") || is_known && !tokens.is_symbol(at + 1, "(")
        }
        Some(TokenKind::Symbol) => COMPARING.contains(&tokens.text(at)),
        _ => false,
    };
    liked(tokens, at)
        || tokens.is(at, "WHERE") && tokens.len() > at + 1 && (at + 1..tokens.len()).all(compares)
}

const OF: [&str; 2] = ["FROM", "IN"];

/// The words of a WHERE, among them the columns of what is shown.
const COMPARED: [&str; 16] = [
    "AND",
    "COLLATION",
    "COMMENT",
    "DATABASE",
    "DEFAULT",
    "EXTRA",
    "FIELD",
    "IS",
    "KEY",
    "LIKE",
    "NOT",
    "NULL",
    "OR",
    "PRIVILEGES",
    "TABLE_TYPE",
    "TYPE",
];

const COMPARING: [&str; 6] = ["=", "<>", "!=", "(", ")", ","];

/// The views that only change by DDL.
const VIEWS: [&str; 18] = [
    "character_sets",
    "check_constraints",
    "collation_character_set_applicability",
    "collations",
    "columns",
    "key_column_usage",
    "keywords",
    "parameters",
    "referential_constraints",
    "routines",
    "schemata",
    "statistics",
    "table_constraints",
    "tables",
    "triggers",
    "view_routine_usage",
    "view_table_usage",
    "views",
];

/// The columns of theirs that change by themselves. What a table was made at changes when it is emptied or rebuilt.
const RESTLESS: [&str; 13] = [
    "auto_increment",
    "avg_row_length",
    "cardinality",
    "check_time",
    "checksum",
    "create_time",
    "data_free",
    "data_length",
    "index_length",
    "max_data_length",
    "max_index_length",
    "table_rows",
    "update_time",
];
