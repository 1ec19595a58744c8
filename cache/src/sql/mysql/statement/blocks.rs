//! Where one statement of a text ends and the next begins.
//!
//! A semicolon ends a statement, but not within the body of a routine. DELIMITER is a word of the
//! command line client; the server never sees it.

use std::ops::Range;

use super::super::lexer::TokenKind;
use super::super::tokens::Tokens;
use super::definition;

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its tokens.
    pub(super) tokens: Range<usize>,
    /// It is a block whose end was not found: statements behind it may have been taken for its body.
    pub(super) is_open: bool,
}

/// The statements of a text.
pub(super) fn split(tokens: Tokens<'_>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < tokens.len() {
        let rest = tokens.from(start);
        let (len, is_open) = if has_body(rest) {
            body_len(rest)
        } else {
            let semicolon = (0..rest.len()).find(|&at| rest.is_symbol(at, ";"));
            (semicolon.unwrap_or(rest.len()), false)
        };
        if len > 0 {
            pieces.push(Piece { tokens: start..start + len, is_open });
        }
        start += len + 1;
    }
    pieces
}

fn has_body(tokens: Tokens<'_>) -> bool {
    definition::is_stored_code(tokens)
        || tokens.is_one_of(0, &OPENERS)
        || tokens.is(0, "CASE")
        || tokens.are(0, &["BEGIN", "NOT"])
        || tokens.is_symbol(1, ":")
}

/// How many tokens there are up to the semicolon that is in no block, and whether a block is open at
/// the end of the text.
fn body_len(tokens: Tokens<'_>) -> (usize, bool) {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < tokens.len() {
        if tokens.is_symbol(at, ";") && depth == 0 {
            return (at, false);
        }
        if tokens.is(at, "END") {
            depth = depth.saturating_sub(1);
            // `END IF` opens nothing.
            at += usize::from(tokens.is_one_of(at + 1, &OPENERS) || tokens.is(at + 1, "CASE"));
        } else if tokens.is_one_of(at, &["BEGIN", "CASE"])
            || tokens.is_one_of(at, &OPENERS) && begins_statement(tokens, at)
        {
            depth += 1;
        }
        at += 1;
    }
    (tokens.len(), depth > 0)
}

/// Whether a word such as IF stands where a statement begins; elsewhere it is a function or a part of
/// another statement.
fn begins_statement(tokens: Tokens<'_>, at: usize) -> bool {
    let is_condition = tokens.is(at, "IF")
        && (tokens.is(at + 1, "EXISTS") || tokens.are(at + 1, &["NOT", "EXISTS"]))
        && tokens.is_one_of(at.saturating_sub(1), &["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"]);
    let Some(before) = at.checked_sub(1) else { return true };
    !is_condition
        && (tokens.is_one_of(before, &BEFORE_STATEMENT)
            || [";", ":", ")"].iter().any(|symbol| tokens.is_symbol(before, symbol))
            || tokens.kind(before) == Some(TokenKind::Text))
}

/// Words that begin a block where a statement begins.
const OPENERS: [&str; 5] = ["IF", "LOOP", "REPEAT", "WHILE", "FOR"];

/// Words that a statement of a body may follow, characteristics of the routine among them.
const BEFORE_STATEMENT: [&str; 14] = [
    "BEGIN",
    "THEN",
    "ELSE",
    "DO",
    "LOOP",
    "REPEAT",
    "ROW",
    "DETERMINISTIC",
    "SQL",
    "DATA",
    "DEFINER",
    "INVOKER",
    "ATOMIC",
    "HANDLER",
];
