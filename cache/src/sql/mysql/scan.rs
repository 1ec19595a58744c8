//! What can stand anywhere in a statement: assigned user variables, locks taken by functions, calls,
//! and questions about the statement before.

use std::collections::BTreeSet;

use super::effects::Effect;
use super::facts::{FunctionCall, Mention, Mentioned};
use super::functions::is_syntax;
use super::lexer::TokenKind;
use super::tokens::Tokens;

/// What a statement says anywhere.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) effects: Vec<Effect>,
    pub(super) mentions: Vec<Mention>,
    /// Every name before a parenthesis that may call a function.
    pub(super) calls: BTreeSet<FunctionCall>,
    /// For each open parenthesis, and for the statement itself, whether a select list is being read.
    lists: Vec<bool>,
    /// The user variables that are assigned.
    assigned: BTreeSet<String>,
}

/// Looks through all tokens of a statement.
pub(super) fn scan(tokens: Tokens<'_>) -> Scan {
    let mut scan = Scan { lists: vec![false], ..Scan::default() };
    for at in 0..tokens.len() {
        scan.token(tokens, at);
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
        match tokens.kind(at) {
            Some(TokenKind::Word) => {
                self.word(tokens, at);
                self.called(tokens, at);
            }
            Some(TokenKind::Name) => self.called(tokens, at),
            Some(TokenKind::UserVariable) => {
                if tokens.is_symbol(at + 1, ":=") && !self.is_item_of_set(tokens, at) {
                    self.assigned(tokens, at);
                }
            }
            Some(TokenKind::SystemMark) => self.system_variable(tokens, at),
            Some(TokenKind::Symbol) => match tokens.text(at) {
                "(" => self.lists.push(false),
                // The statement's own entry stays, however many are closed.
                ")" if self.lists.len() > 1 => {
                    self.lists.pop();
                }
                _ => {}
            },
            Some(
                TokenKind::Text
                | TokenKind::National
                | TokenKind::Bits
                | TokenKind::Number
                | TokenKind::Parameter,
            )
            | None => {}
        }
    }

    fn word(&mut self, tokens: Tokens<'_>, at: usize) {
        if tokens.is(at, "SELECT") {
            self.set_list(true);
        } else if tokens.is_one_of(at, &AFTER_LIST) {
            self.set_list(false);
            if tokens.is(at, "INTO") {
                self.variables_after_into(tokens, at + 1);
            }
        } else if tokens.is(at, "SQL_CALC_FOUND_ROWS") {
            self.effects.push(Effect::FoundRows);
        }
    }

    fn set_list(&mut self, value: bool) {
        if let Some(list) = self.lists.last_mut() {
            *list = value;
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
            && self.lists.len() == 1
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
            self.built_in(tokens, at, &name);
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
            "last_insert_id" if !is_empty => self.effects.push(Effect::LastInsertId),
            "last_insert_id" => self.mention(tokens, Mentioned::LastInsertId, at, at + 2),
            "found_rows" => self.mention(tokens, Mentioned::FoundRows, at, at + 2),
            "row_count" => self.mention(tokens, Mentioned::RowCount, at, at + 2),
            "connection_id" => self.mention(tokens, Mentioned::ConnectionId, at, at + 2),
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
        if !is_global && !is_target {
            self.mention(tokens, what, at, last);
        }
    }

    /// Notes a question that stands from the token `first` to the token `last`.
    fn mention(&mut self, tokens: Tokens<'_>, what: Mentioned, first: usize, last: usize) {
        if last >= tokens.len() {
            return;
        }
        let span = tokens.span(first).start..tokens.span(last).end;
        let in_list = self.lists.last().copied().unwrap_or_default();
        let begins = first.checked_sub(1).is_some_and(|before| {
            tokens.is_symbol(before, ",") || tokens.is_one_of(before, &BEFORE_ITEM)
        });
        let ends = last + 1 == tokens.len()
            || tokens.is_symbol(last + 1, ",")
            || tokens.is_symbol(last + 1, ")")
            || tokens.is_one_of(last + 1, &AFTER_LIST);
        self.mentions.push(Mention { what, span, is_column: in_list && begins && ends });
    }
}

/// The first argument, if it is one text literal and nothing else.
fn first_literal(tokens: Tokens<'_>, at: usize) -> Option<String> {
    let is_alone = tokens.is_symbol(at + 1, ",") || tokens.is_symbol(at + 1, ")");
    (is_alone && tokens.kind(at) == Some(TokenKind::Text)).then(|| tokens.value(at).to_lowercase())
}

/// What a select list may begin with.
const BEFORE_ITEM: [&str; 13] = [
    "SELECT",
    "ALL",
    "DISTINCT",
    "DISTINCTROW",
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS",
    "SQL_NO_CACHE",
    "SQL_SMALL_RESULT",
    "RETURNING",
];

/// What ends a select list.
const AFTER_LIST: [&str; 13] = [
    "FROM",
    "INTO",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "FOR",
    "LOCK",
    "PROCEDURE",
    "UNION",
    "EXCEPT",
    "INTERSECT",
];
