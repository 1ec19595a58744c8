//! The tokens of one statement, with the questions that the readers of statements ask.
//!
//! A position beyond the end is an empty word, so a reader needs no check for the end.

use std::ops::Range;

use super::lexer::{Token, TokenKind};
use super::modes::Modes;

/// The tokens of one statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'t> {
    pub(super) sql: &'t str,
    pub(super) list: &'t [Token],
    pub(super) modes: Modes,
}

impl<'t> Tokens<'t> {
    pub(super) const fn len(self) -> usize {
        self.list.len()
    }

    /// The tokens from a position on.
    pub(super) fn from(self, at: usize) -> Self {
        Self { list: self.list.get(at..).unwrap_or_default(), ..self }
    }

    /// The tokens up to a position.
    pub(super) fn until(self, at: usize) -> Self {
        Self { list: self.list.get(..at).unwrap_or(self.list), ..self }
    }

    pub(super) fn kind(self, at: usize) -> Option<TokenKind> {
        self.list.get(at).map(|token| token.kind)
    }

    /// The token as it is written.
    pub(super) fn text(self, at: usize) -> &'t str {
        self.list.get(at).and_then(|token| self.sql.get(span(token))).unwrap_or_default()
    }

    /// Where the token stands in the text.
    pub(super) fn span(self, at: usize) -> Range<usize> {
        self.list.get(at).map_or(0..0, span)
    }

    /// The word at a position if it may be a keyword: not quoted, and not after the dot of a name.
    pub(super) fn keyword(self, at: usize) -> Option<&'t str> {
        let is_word = self.kind(at) == Some(TokenKind::Word);
        let follows_dot = at.checked_sub(1).is_some_and(|before| self.is_symbol(before, "."));
        (is_word && !follows_dot).then(|| self.text(at))
    }

    /// Whether this keyword, in upper case, stands at a position.
    pub(super) fn is(self, at: usize, keyword: &str) -> bool {
        self.keyword(at).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    /// Whether one of these keywords stands at a position.
    pub(super) fn is_one_of(self, at: usize, keywords: &[&str]) -> bool {
        self.keyword(at)
            .is_some_and(|word| keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)))
    }

    /// Whether these keywords stand one after the other.
    pub(super) fn are(self, at: usize, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(offset, keyword)| self.is(at + offset, keyword))
    }

    pub(super) fn is_symbol(self, at: usize, symbol: &str) -> bool {
        self.kind(at) == Some(TokenKind::Symbol) && self.text(at) == symbol
    }

    /// The first position from `at` on that holds none of these keywords.
    pub(super) fn skip(self, mut at: usize, keywords: &[&str]) -> usize {
        while self.is_one_of(at, keywords) {
            at += 1;
        }
        at
    }

    /// Skips `IF EXISTS` or `IF NOT EXISTS`.
    pub(super) fn skip_if_exists(self, at: usize) -> usize {
        if self.are(at, &["IF", "EXISTS"]) {
            at + 2
        } else if self.are(at, &["IF", "NOT", "EXISTS"]) {
            at + 3
        } else {
            at
        }
    }

    /// One part of a name as the server stores it, without quotes.
    pub(super) fn name_part(self, at: usize) -> Option<String> {
        match self.kind(at)? {
            TokenKind::Word => Some(self.text(at).to_owned()),
            TokenKind::Name => Some(unquoted(self.text(at))),
            TokenKind::Text
            | TokenKind::National
            | TokenKind::Bits
            | TokenKind::Number
            | TokenKind::UserVariable
            | TokenKind::SystemMark
            | TokenKind::Parameter
            | TokenKind::Symbol => None,
        }
    }

    /// A name that may have a schema before it, and the position behind it.
    pub(super) fn name(self, at: usize) -> Option<(Qualified, usize)> {
        // `.t` means the table t of the session's schema.
        let at = if self.is_symbol(at, ".") { at + 1 } else { at };
        let first = self.name_part(at)?;
        if !self.is_symbol(at + 1, ".") {
            return Some((Qualified { schema: None, name: first }, at + 1));
        }
        let name = self.name_part(at + 2)?;
        Some((Qualified { schema: Some(first), name }, at + 3))
    }

    /// The name of a user variable, without sign and quotes, in lower case as far as it is ASCII: what else a server
    /// takes for the same letter is its own matter.
    pub(super) fn user_variable(self, at: usize) -> Option<String> {
        (self.kind(at) == Some(TokenKind::UserVariable)).then(|| {
            let name = self.text(at).strip_prefix('@').unwrap_or_default();
            if name.starts_with(['`', '\'', '"']) { unquoted(name) } else { name.to_owned() }
                .to_ascii_lowercase()
        })
    }

    /// The value of the text literals from `at` up to the end, if there is nothing else.
    pub(super) fn literal(self, at: usize) -> Option<String> {
        let rest = self.list.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.iter().any(|token| token.kind != TokenKind::Text) {
            return None;
        }
        Some((at..self.len()).map(|at| self.value(at)).collect())
    }

    /// The value of one text literal.
    pub(super) fn value(self, at: usize) -> String {
        let text = self.text(at);
        if self.modes.no_backslash_escapes { unquoted(text) } else { unescaped(text) }
    }

    /// The positions that are in no parentheses.
    pub(super) fn outer(self) -> impl Iterator<Item = usize> + use<'t> {
        let mut depth = 0_usize;
        (0..self.len()).filter(move |&at| {
            if self.is_symbol(at, "(") {
                depth += 1;
                return false;
            }
            if self.is_symbol(at, ")") {
                depth = depth.saturating_sub(1);
                return false;
            }
            depth == 0
        })
    }
}

/// A name as it is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Qualified {
    pub(super) schema: Option<String>,
    pub(super) name: String,
}

impl Qualified {
    /// As it is spelled, with the schema where that is spelled out.
    pub(super) fn spelled(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

fn span(token: &Token) -> Range<usize> {
    let offset = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    offset(token.start)..offset(token.end)
}

/// A quoted name or text without its quotes, doubled quotes undone.
fn unquoted(text: &str) -> String {
    let Some(quote) = text.chars().next().filter(char::is_ascii) else { return String::new() };
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let doubled: String = [quote, quote].iter().collect();
    inner.replace(&doubled, quote.encode_utf8(&mut [0; 4]))
}

/// A quoted text without its quotes, doubled quotes and escapes undone (`get_text` in sql_lex.cc).
fn unescaped(text: &str) -> String {
    let quote = text.chars().next();
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            match chars.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some('b') => value.push('\u{8}'),
                Some('0') => value.push('\0'),
                Some('Z') => value.push('\u{1a}'),
                Some(escaped @ ('_' | '%')) => value.extend(['\\', escaped]),
                Some(escaped) => value.push(escaped),
                None => {}
            }
        } else {
            value.push(char);
            if Some(char) == quote {
                chars.next();
            }
        }
    }
    value
}
