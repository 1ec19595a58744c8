//! What can be said of stored code and of computed columns by their words.

use super::facts::Modes;
use super::functions::{BuiltIn, built_in, is_syntax, is_volatile_word};
use super::lexer::{self, TokenKind};
use super::tokens::Tokens;

/// What a piece of code may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// It may change tables, or state that others see.
    pub(super) may_write: bool,
    /// What its result depends on.
    pub(super) result: Constancy,
}

/// What a result depends on, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Constancy {
    /// On what is given and on settings alone.
    Constant,
    /// The same, but dates or times are handled: a TIME turned into a date takes the current one.
    OfDates,
    /// On more.
    Changing,
}

/// What the code may do; of code that cannot be read, anything.
pub(super) fn body(code: &str) -> Body {
    let unknown = Body { may_write: true, result: Constancy::Changing };
    // The modes that it was stored in are not known, and decide what a backslash or a double quote is.
    if code.contains(['\\', '"']) {
        return unknown;
    }
    let Ok(lexed) = lexer::lex(code, Modes::default()) else { return unknown };
    if lexed.has_conditional {
        return unknown;
    }
    let tokens = Tokens { sql: code, list: &lexed.tokens, modes: Modes::default() };
    let mut found = Body { may_write: false, result: Constancy::Constant };
    for at in 0..tokens.len() {
        match tokens.kind(at) {
            Some(TokenKind::UserVariable | TokenKind::SystemMark) => {
                found.result = Constancy::Changing;
            }
            Some(TokenKind::Word | TokenKind::Name) => found.word(tokens, at),
            Some(_) | None => {}
        }
    }
    found
}

impl Body {
    fn word(&mut self, tokens: Tokens<'_>, at: usize) {
        let Some(word) = tokens.name_part(at).map(|word| word.to_lowercase()) else { return };
        if tokens.keyword(at).is_some() {
            let is = |list: &[&str]| list.contains(&word.as_str());
            self.may_write |= is(&WRITING);
            if is(&WRITING) || is(&READING) || is_volatile_word(&word) {
                self.result = Constancy::Changing;
            } else if is(&DATES) {
                self.result = self.result.max(Constancy::OfDates);
            }
        }
        if tokens.is_symbol(at + 1, "(") {
            self.called(tokens, at, &word);
        }
    }

    fn called(&mut self, tokens: Tokens<'_>, at: usize, name: &str) {
        let is_qualified = at.checked_sub(1).is_some_and(|before| tokens.is_symbol(before, "."));
        match built_in(name).filter(|_| !is_qualified) {
            Some(BuiltIn::Constant) => {}
            Some(BuiltIn::Date | BuiltIn::Time | BuiltIn::DateOrTime) => {
                // Without an argument it is the clock.
                let is_clock = tokens.is_symbol(at + 2, ")") && name == "unix_timestamp";
                let found = if is_clock { Constancy::Changing } else { Constancy::OfDates };
                self.result = self.result.max(found);
            }
            Some(BuiltIn::Volatile) => self.result = Constancy::Changing,
            None if tokens.keyword(at).is_some() && is_syntax(name) => {}
            None => {
                self.may_write = true;
                self.result = Constancy::Changing;
            }
        }
    }
}

/// Words of code that writes or runs other code.
const WRITING: [&str; 19] = [
    "alter", "call", "create", "delete", "drop", "execute", "flush", "grant", "handler", "insert",
    "install", "load", "lock", "prepare", "rename", "replace", "revoke", "truncate", "update",
];

/// Words of code that reads tables.
const READING: [&str; 5] = ["cursor", "from", "select", "table", "value"];

/// Words of code that handles dates.
const DATES: [&str; 6] = ["date", "datetime", "interval", "time", "timestamp", "year"];
