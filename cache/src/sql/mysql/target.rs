//! Which tables a statement names as written.
//!
//! Too many names cost a miss, one too few a stale reply: where tables and columns cannot be told
//! apart, both are taken, and a name that the catalog does not know stands for everything.

use super::tokens::{Qualified, Tokens};
use crate::sql::common::{MAX_TABLES, TableName, Writes};

/// A table in the form by which writes find readers: in lower case.
pub(super) fn table(name: &Qualified) -> TableName {
    TableName {
        schema: name.schema.as_ref().map(|schema| schema.to_lowercase()),
        name: name.name.to_lowercase(),
    }
}

/// Where the name of the table stands in an INSERT or REPLACE whose verb is at `at`.
pub(super) fn target(tokens: Tokens<'_>, at: usize) -> usize {
    tokens.skip(tokens.skip(at + 1, &MODIFIERS), &["INTO"])
}

/// What a statement that begins with `verb` at `at` writes.
pub(super) fn written(tokens: Tokens<'_>, at: usize) -> Writes {
    let after = |at| tokens.skip(at, &MODIFIERS);
    if tokens.is_one_of(at, &["INSERT", "REPLACE"]) {
        one(tokens, target(tokens, at))
    } else if tokens.is(at, "LOAD") {
        let into = (at..tokens.len()).find(|&at| tokens.are(at, &["INTO", "TABLE"]));
        into.map_or(Writes::Everything, |into| one(tokens, into + 2))
    } else if tokens.is(at, "TRUNCATE") {
        one(tokens, tokens.skip(at + 1, &["TABLE"]))
    } else if tokens.is(at, "UPDATE") {
        referenced(tokens, after(at + 1), &["SET"])
    } else if tokens.is(at, "DELETE") {
        deleted(tokens, after(at + 1))
    } else {
        Writes::Everything
    }
}

fn one(tokens: Tokens<'_>, at: usize) -> Writes {
    match tokens.name(at) {
        Some((name, _)) => Writes::Tables(vec![table(&name)]),
        None => Writes::Everything,
    }
}

/// `DELETE FROM t …`, `DELETE a, b FROM refs`, `DELETE FROM a, b USING refs`: of the last two, every
/// table that is referred to, since `a` may be an alias.
fn deleted(tokens: Tokens<'_>, at: usize) -> Writes {
    if !tokens.is(at, "FROM") {
        let from = (at..tokens.len()).find(|&at| tokens.is(at, "FROM"));
        return from.map_or(Writes::Everything, |from| referenced(tokens, from + 1, &ENDS));
    }
    let using = tokens.from(at).outer().map(|offset| at + offset);
    // `JOIN … USING (…)` is within the references, which only follow the first USING.
    match using.take_while(|&at| !tokens.is_one_of(at, &ENDS)).find(|&at| tokens.is(at, "USING")) {
        Some(using) => referenced(tokens, using + 1, &ENDS),
        None => referenced(tokens, at + 1, &ENDS),
    }
}

/// Every table of a list of references: what stands first, after a comma or after JOIN, with any
/// parentheses before it. In conditions that also finds columns after commas.
fn referenced(tokens: Tokens<'_>, start: usize, ends: &[&str]) -> Writes {
    let mut tables = Vec::new();
    let mut expects = true;
    let mut depth = 0_usize;
    let mut at = start;
    while at < tokens.len() {
        if depth == 0 && tokens.is_one_of(at, ends) {
            break;
        }
        if tokens.is_symbol(at, "(") {
            depth += 1;
        } else if tokens.is_symbol(at, ")") {
            depth = depth.saturating_sub(1);
            expects = false;
        } else if tokens.is_symbol(at, ",") || tokens.is_one_of(at, &["JOIN", "STRAIGHT_JOIN"]) {
            expects = true;
        } else if expects && tokens.is_one_of(at, &["SELECT", "WITH", "VALUES", "TABLE"]) {
            // What is in a derived table is only read, but where it ends is not worth knowing.
            return Writes::Everything;
        } else if expects && !tokens.is(at, "LATERAL") {
            let Some((name, next)) = tokens.name(at) else { return Writes::Everything };
            tables.push(table(&name));
            expects = false;
            at = next;
            continue;
        }
        at += 1;
    }
    if tables.is_empty() {
        return Writes::Everything;
    }
    tables.sort_unstable();
    tables.dedup();
    if tables.len() > MAX_TABLES { Writes::Everything } else { Writes::Tables(tables) }
}

/// What may stand between the verb and the table.
const MODIFIERS: [&str; 6] =
    ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "HISTORY"];

/// What ends a list of references.
const ENDS: [&str; 5] = ["WHERE", "ORDER", "LIMIT", "RETURNING", "FOR"];
