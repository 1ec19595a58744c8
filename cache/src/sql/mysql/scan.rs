//! What can stand anywhere in a statement: assigned user variables, locks taken by functions, calls,
//! and questions about the statement before.

use std::collections::BTreeSet;
use std::ops::Range;

use super::effects::Effect;
use super::facts::{FunctionCall, Mention, Mentioned};
use super::functions::is_syntax;
use super::items::Lists;
use super::lexer::TokenKind;
use super::tokens::Tokens;

/// What a statement says anywhere.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) effects: Vec<Effect>,
    pub(super) mentions: Vec<Mention>,
    /// Items of select lists with a mention and without an alias.
    pub(super) unnamed: Vec<Range<usize>>,
    /// Every name before a parenthesis that may call a function.
    pub(super) calls: BTreeSet<FunctionCall>,
    lists: Lists,
    /// The user variables that are assigned.
    assigned: BTreeSet<String>,
    /// It asks what the server calls its threads.
    asks_for_threads: bool,
    evaluated: Evaluated,
}

/// Which part of a statement is evaluated when it runs: a definition is stored as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evaluated {
    /// From this token on.
    pub(super) from: usize,
    /// This token is a name, whatever follows it.
    pub(super) name: Option<usize>,
}

/// Looks through all tokens of a statement.
pub(super) fn scan(tokens: Tokens<'_>, evaluated: Evaluated) -> Scan {
    let mut scan = Scan { evaluated, ..Scan::default() };
    for at in 0..tokens.len() {
        scan.token(tokens, at);
    }
    scan.lists.finish(tokens);
    scan.unnamed = std::mem::take(&mut scan.lists.unnamed);
    if scan.asks_for_threads {
        // Its own number must be one of those.
        scan.mentions.retain(|mention| mention.what != Mentioned::ConnectionId);
    }
    scan
}

/// The user variables of a statement, each as assigned: what may be one when the text does not show
/// which are.
pub(super) fn every_user_variable(tokens: Tokens<'_>) -> Vec<Effect> {
    let names = (0..tokens.len()).filter_map(|at| tokens.user_variable(at));
    names.collect::<BTreeSet<_>>().into_iter().map(Effect::UserVariable).collect()
}

impl Scan {
    fn token(&mut self, tokens: Tokens<'_>, at: usize) {
        self.lists.token(tokens, at);
        match tokens.kind(at) {
            Some(TokenKind::Word) => {
                self.word(tokens, at);
                self.called(tokens, at);
                self.asks_for_threads |= is_of_threads(tokens, at);
            }
            Some(TokenKind::Name) => {
                self.called(tokens, at);
                self.asks_for_threads |= is_of_threads(tokens, at);
            }
            Some(TokenKind::UserVariable) => {
                if tokens.is_symbol(at + 1, ":=") && !self.is_item_of_set(tokens, at) {
                    self.assigned(tokens, at);
                }
            }
            Some(TokenKind::SystemMark) => self.system_variable(tokens, at),
            Some(
                TokenKind::Symbol
                | TokenKind::Text
                | TokenKind::National
                | TokenKind::Bits
                | TokenKind::Number
                | TokenKind::Parameter,
            )
            | None => {}
        }
    }

    fn word(&mut self, tokens: Tokens<'_>, at: usize) {
        if tokens.is(at, "INTO") {
            self.variables_after_into(tokens, at + 1);
        } else if tokens.is(at, "SQL_CALC_FOUND_ROWS") {
            self.effects.push(Effect::FoundRows);
        } else if tokens.are(at, &["PREVIOUS", "VALUE", "FOR"]) {
            self.effects.push(Effect::LastDraw);
        }
    }

    /// `INTO @a, @b`
    fn variables_after_into(&mut self, tokens: Tokens<'_>, mut at: usize) {
        while tokens.kind(at) == Some(TokenKind::UserVariable) {
            self.assigned(tokens, at);
            if !tokens.is_symbol(at + 1, ",") {
                return;
            }
            at += 2;
        }
    }

    fn assigned(&mut self, tokens: Tokens<'_>, at: usize) {
        let new = tokens.user_variable(at).filter(|name| self.assigned.insert(name.clone()));
        self.effects.extend(new.map(Effect::UserVariable));
    }

    /// `SET @x := 1`, which the reader of SET sees.
    fn is_item_of_set(&self, tokens: Tokens<'_>, at: usize) -> bool {
        tokens.is(0, "SET")
            && self.lists.is_outermost()
            && (at == 1 || at.checked_sub(1).is_some_and(|before| tokens.is_symbol(before, ",")))
    }

    /// A name that a parenthesis follows.
    fn called(&mut self, tokens: Tokens<'_>, at: usize) {
        if !tokens.is_symbol(at + 1, "(") {
            return;
        }
        let Some(name) = tokens.name_part(at).map(|name| name.to_lowercase()) else { return };
        let dotted = at.checked_sub(1).is_some_and(|before| tokens.is_symbol(before, "."));
        if dotted {
            let schema = at.checked_sub(2).and_then(|before| tokens.name_part(before));
            let schema = schema.map(|schema| schema.to_lowercase());
            self.calls.insert(FunctionCall { schema, name });
            return;
        }
        if tokens.kind(at) == Some(TokenKind::Name) || !is_syntax(&name) {
            if at >= self.evaluated.from && self.evaluated.name != Some(at) {
                self.built_in(tokens, at, &name);
            }
            self.calls.insert(FunctionCall { schema: None, name });
        }
    }

    fn built_in(&mut self, tokens: Tokens<'_>, at: usize, name: &str) {
        let is_empty = tokens.is_symbol(at + 2, ")");
        match name {
            "get_lock" => self.effects.push(Effect::NamedLock(first_literal(tokens, at + 2))),
            "service_get_read_locks" | "service_get_write_locks" => {
                self.effects.push(Effect::NamedLock(None));
            }
            "release_lock" => {
                self.effects.push(Effect::NamedLockReleased(first_literal(tokens, at + 2)));
            }
            "release_all_locks" => {
                let is_all = at == 1 && tokens.is_one_of(0, &["SELECT", "DO"]) && tokens.len() == 4;
                self.effects.push(match is_all {
                    true => Effect::NamedLocksReleased,
                    false => Effect::NamedLockReleased(None),
                });
            }
            "lastval" => self.effects.push(Effect::LastDraw),
            "last_insert_id" if !is_empty => self.effects.push(Effect::LastInsertId),
            "last_insert_id" => self.mention(tokens, Mentioned::LastInsertId, at, at + 2),
            "found_rows" if is_empty => self.mention(tokens, Mentioned::FoundRows, at, at + 2),
            "row_count" if is_empty => self.mention(tokens, Mentioned::RowCount, at, at + 2),
            "connection_id" if is_empty => {
                self.mention(tokens, Mentioned::ConnectionId, at, at + 2);
            }
            "database" | "schema" if is_empty => {
                self.mention(tokens, Mentioned::Schema, at, at + 2);
            }
            "is_used_lock" | "ps_thread_id" => self.asks_for_threads = true,
            _ => {}
        }
    }

    /// `@@x`, `@@session.x`
    fn system_variable(&mut self, tokens: Tokens<'_>, at: usize) {
        let is_scoped = tokens.is_symbol(at + 2, ".");
        let is_global = tokens.name_part(at + 1).is_some_and(|scope| {
            is_scoped && !["session", "local"].iter().any(|own| scope.eq_ignore_ascii_case(own))
        });
        let last = if is_scoped { at + 3 } else { at + 1 };
        let Some(name) = tokens.name_part(last) else { return };
        let what = match name.to_lowercase().as_str() {
            "warning_count" => Mentioned::WarningCount,
            "error_count" => Mentioned::ErrorCount,
            "last_insert_id" | "identity" => Mentioned::LastInsertId,
            "pseudo_thread_id" => Mentioned::ConnectionId,
            _ => return,
        };
        // What is assigned is not asked for.
        let is_target = tokens.is_symbol(last + 1, "=") && tokens.is(0, "SET")
            || tokens.is_symbol(last + 1, ":=");
        if !is_global && !is_target && at >= self.evaluated.from {
            self.mention(tokens, what, at, last);
        }
    }

    /// Notes a question that stands from the token `first` to the token `last`.
    fn mention(&mut self, tokens: Tokens<'_>, what: Mentioned, first: usize, last: usize) {
        if last >= tokens.len() {
            return;
        }
        let span = tokens.span(first).start..tokens.span(last).end;
        // Which statement of its text this is, is not known here.
        self.mentions.push(Mention { what, span, statement: 0 });
        self.lists.mark();
    }
}

/// Whether a name is of something in which the server numbers its threads.
fn is_of_threads(tokens: Tokens<'_>, at: usize) -> bool {
    let is = |names: &[&str]| {
        let name = tokens.name_part(at);
        name.is_some_and(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known)))
    };
    let is_qualifier = tokens.is_symbol(at + 1, ".");
    is_qualifier && is(&["information_schema", "performance_schema", "sys"])
        || !is_qualifier && is(&["processlist", "innodb_trx", "metadata_locks"])
}

/// The first argument, if it is one text literal and nothing else. Of what is not ASCII it is not certain how the server
/// reads it.
pub(super) fn first_literal(tokens: Tokens<'_>, at: usize) -> Option<String> {
    let is_alone = tokens.is_symbol(at + 1, ",") || tokens.is_symbol(at + 1, ")");
    let is_literal = is_alone && tokens.kind(at) == Some(TokenKind::Text);
    is_literal.then(|| tokens.value(at)).filter(|name| name.is_ascii())
}
