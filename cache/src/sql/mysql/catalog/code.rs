//! What can be said of stored code and of computed columns by their words.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::facts::FunctionCall;
use super::super::functions::{BuiltIn, built_in, clock_word, is_syntax, is_volatile_word};
use super::super::lexer::{self, TokenKind};
use super::super::modes::Modes;
use super::super::target;
use super::super::tokens::Tokens;
use crate::sql::common::{TableName, Writes};

/// What a piece of code may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// What it may change by itself, as it spells it.
    pub(super) writes: Writes,
    /// What stands before a parenthesis and is not built in: stored functions, and what has columns.
    pub(super) calls: BTreeSet<FunctionCall>,
    /// The procedures that it calls.
    pub(super) procedures: BTreeSet<FunctionCall>,
    /// Its words, each of which may name a view.
    pub(super) words: BTreeSet<String>,
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

/// The texts that code may have which is shown like this.
///
/// MySQL shows it with what its strings mean, not as they are written (`body_utf8` of `sp_head`), so that no quote tells for
/// certain where one ends: besides as it stands, all of it is read as code.
pub(super) fn readings(shown: &str, is_exact: bool) -> impl Iterator<Item = Cow<'_, str>> {
    let is_certain = is_exact || !shown.contains(['\'', '"']);
    let all_code = || {
        let plain = shown.replace("/*", " ").replace("*/", " ");
        Cow::Owned(plain.replace(['\'', '"', '`', '\\', '#', '-'], " "))
    };
    [Cow::Borrowed(shown)].into_iter().chain((!is_certain).then(all_code))
}

/// What code may do that was stored in these modes; of code that cannot be read, anything.
pub(super) fn body(code: &str, modes: Option<Modes>) -> Body {
    let unknown = Body {
        writes: Writes::Everything,
        calls: BTreeSet::new(),
        procedures: BTreeSet::new(),
        words: BTreeSet::new(),
        result: Constancy::Changing,
    };
    // The modes decide what a backslash or a double quote is.
    if modes.is_none() && code.contains(['\\', '"']) {
        return unknown;
    }
    let modes = modes.unwrap_or_default();
    let Ok(lexed) = lexer::lex(code, modes) else { return unknown };
    if lexed.has_conditional {
        return unknown;
    }
    let tokens = Tokens { sql: code, list: &lexed.tokens, modes };
    let mut found = Body { writes: Writes::None, result: Constancy::Constant, ..unknown };
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
            if word == "call" {
                self.calls_procedure(tokens, at + 1);
            } else if is(&WRITING) {
                self.writes.merge(written(tokens, at));
            }
            let is_volatile = is_volatile_word(&word) || clock_word(&word).is_some();
            if is(&WRITING) || is(&READING) || is_volatile {
                self.result = Constancy::Changing;
            } else if is(&DATES) {
                self.result = self.result.max(Constancy::OfDates);
            }
        }
        if tokens.is_symbol(at + 1, "(") && !is_of_call(tokens, at) {
            self.called(tokens, at, &word);
        }
        self.words.insert(word);
    }

    fn calls_procedure(&mut self, tokens: Tokens<'_>, at: usize) {
        match tokens.name(at).map(|(name, _)| target::table(&name)) {
            Some(TableName { schema, name }) => {
                self.procedures.insert(FunctionCall { schema, name });
            }
            None => self.writes = Writes::Everything,
        }
    }

    fn called(&mut self, tokens: Tokens<'_>, at: usize, name: &str) {
        let is_qualified = at.checked_sub(1).is_some_and(|before| tokens.is_symbol(before, "."));
        match built_in(name).filter(|_| !is_qualified) {
            Some(BuiltIn::Volatile | BuiltIn::Clock(..)) => self.result = Constancy::Changing,
            Some(native) if native.is_of_dates() => {
                // Without an argument it is the clock.
                let is_clock = tokens.is_symbol(at + 2, ")") && name == "unix_timestamp";
                let found = if is_clock { Constancy::Changing } else { Constancy::OfDates };
                self.result = self.result.max(found);
            }
            Some(_) => {}
            None if tokens.keyword(at).is_some()
                && (is_syntax(name) || CONTROL.contains(&name)) => {}
            None => {
                let schema = is_qualified.then(|| at.checked_sub(2)).flatten();
                let schema = schema.and_then(|at| tokens.name_part(at)).map(|it| it.to_lowercase());
                self.calls.insert(FunctionCall { schema, name: name.to_owned() });
                self.result = Constancy::Changing;
            }
        }
    }
}

/// Whether a word is the name of a procedure behind CALL.
fn is_of_call(tokens: Tokens<'_>, at: usize) -> bool {
    let is_qualified = at.checked_sub(1).is_some_and(|before| tokens.is_symbol(before, "."));
    let begin = if is_qualified { at.checked_sub(3) } else { at.checked_sub(1) };
    begin.is_some_and(|at| tokens.is(at, "CALL"))
}

/// What the statement that begins with this word changes.
fn written(tokens: Tokens<'_>, at: usize) -> Writes {
    if tokens.is_symbol(at + 1, "(") {
        // The functions INSERT() and REPLACE().
        return Writes::None;
    }
    let before = at.checked_sub(1);
    let follows = |words: &[&str]| before.is_some_and(|at| tokens.is_one_of(at, words));
    let handles = tokens.is(at, "HANDLER") && follows(&["CONTINUE", "EXIT", "UNDO"]);
    if handles || tokens.are(at, &["LOCK", "IN"]) {
        // DECLARE … HANDLER FOR; SELECT … LOCK IN SHARE MODE
        return Writes::None;
    }
    if tokens.is(at, "UPDATE") && follows(&["KEY", "FOR"]) {
        // ON DUPLICATE KEY UPDATE, FOR UPDATE
        return Writes::None;
    }
    let end = tokens.len().min(at.saturating_add(MAX_STATEMENT));
    match (at..end).find(|&at| tokens.is_symbol(at, ";")).or((end == tokens.len()).then_some(end)) {
        Some(end) => target::written(tokens.until(end).from(at), 0),
        None => Writes::Everything,
    }
}

/// Of how many tokens a statement in code is at most, to be looked into.
const MAX_STATEMENT: usize = 1000;

/// Words of code that writes or runs other code.
const WRITING: [&str; 29] = [
    "alter",
    "binlog",
    "call",
    "clone",
    "create",
    "delete",
    "drop",
    "execute",
    "flush",
    "global",
    "grant",
    "handler",
    "import",
    "insert",
    "install",
    "load",
    "lock",
    "persist",
    "persist_only",
    "prepare",
    "rename",
    "repair",
    "replace",
    "reset",
    "revoke",
    "truncate",
    "uninstall",
    "update",
    "xa",
];

/// Words of code that an expression may follow.
const CONTROL: [&str; 8] = ["do", "elseif", "if", "return", "until", "when", "where", "while"];

/// Words of code that reads tables.
const READING: [&str; 5] = ["cursor", "from", "select", "table", "value"];

/// Words of code that handles dates.
const DATES: [&str; 6] = ["date", "datetime", "interval", "time", "timestamp", "year"];
