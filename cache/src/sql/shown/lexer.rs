//! A text cut into words, signs and constants, as the servers cut it.

use std::ops::Range;

use super::words::{Dialect, MORE};

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name or a keyword, quoted or not.
    Word(&'t str),
    /// The place of a value that comes beside the text.
    Parameter(&'t str),
    /// A value.
    Constant,
    /// Anything else, one character.
    Sign(&'t str),
}

/// What is left of a text.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Where the last token begins.
    begun: usize,
    dialect: Dialect,
    /// There is more behind this text.
    is_cut: bool,
    had_space: bool,
}

/// Where a constant ends, if it does.
enum End {
    At(usize),
    Nowhere,
    /// Two readers of it would not agree.
    Unsure,
}

impl<'t> Lexer<'t> {
    pub(super) const fn new(text: &'t str, is_cut: bool, dialect: Dialect) -> Self {
        Self { text, at: 0, begun: 0, dialect, is_cut, had_space: false }
    }

    /// Whether there was space, or a comment, before the last token.
    pub(super) const fn had_space(&self) -> bool {
        self.had_space
    }

    /// Where the last token stands in the text, in bytes; where it is not sure what comes, what was not read begins at its end.
    pub(super) const fn span(&self) -> Range<usize> {
        self.begun..self.at
    }

    /// Whether the last token is the end of what is read, and not of the text.
    pub(super) const fn is_cut_here(&self) -> bool {
        self.is_cut && self.at >= self.text.len()
    }

    /// Whether a number follows at once.
    pub(super) fn is_before_number(&self) -> bool {
        let next = self.bytes().get(self.at..).unwrap_or_default();
        let is_digit = |at: usize| next.get(at).is_some_and(u8::is_ascii_digit);
        is_digit(0) || next.first() == Some(&b'.') && is_digit(1)
    }

    /// The next token; `None` within at the end, without where it is not sure what comes.
    #[expect(
        clippy::option_option,
        reason = "the two ends mean different things, and `?` is for one of them"
    )]
    pub(super) fn next(&mut self) -> Option<Option<Token<'t>>> {
        self.skip_space()?;
        self.begun = self.at;
        let Some(byte) = self.bytes().get(self.at).copied() else { return Some(None) };
        let token = match byte {
            0 => return None,
            b'\'' => self.quoted(self.at, b'\'', self.escapes())?,
            b'"' if self.dialect == Dialect::Postgres => self.name(b'"')?,
            b'"' => self.quoted(self.at, b'"', self.escapes())?,
            b'`' if self.dialect != Dialect::Postgres => self.name(b'`')?,
            b'$' if self.dialect == Dialect::Postgres => self.dollar()?,
            b'?' if self.dialect != Dialect::Postgres => {
                self.at += 1;
                Token::Parameter("?")
            }
            _ if self.is_before_number() => self.number(),
            _ if is_word(byte) => self.word()?,
            _ => Token::Sign(self.take(self.at + 1)),
        };
        Some(Some(token))
    }

    const fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    fn escapes(&self) -> bool {
        self.dialect == Dialect::MySql
    }

    fn rest(&self) -> &'t [u8] {
        self.bytes().get(self.at..).unwrap_or_default()
    }

    /// What is up to a place, which is then the next.
    fn take(&mut self, end: usize) -> &'t str {
        let taken = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        taken
    }

    fn skip_space(&mut self) -> Option<()> {
        let before = self.at;
        loop {
            let rest = self.rest();
            let is_mysql = self.dialect != Dialect::Postgres;
            let length = match rest {
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => 1,
                [b'-', b'-', ..] if !is_mysql => {
                    memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())
                }
                [b'#', ..] if is_mysql => line(rest),
                [b'-', b'-', byte, ..] if is_mysql && (*byte <= b' ' || *byte == 0x7f) => {
                    line(rest)
                }
                // The server runs what is in it, or not, by its version.
                [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..] if is_mysql => return None,
                [b'/', b'*', ..] => match comment(rest, !is_mysql) {
                    Some(length) => length,
                    None if self.is_cut => rest.len(),
                    None => return None,
                },
                _ => break,
            };
            self.at += length;
        }
        self.had_space = self.at > before;
        Some(())
    }

    /// A constant in quotes, whose first quote is at `from`.
    fn quoted(&mut self, from: usize, quote: u8, escapes: bool) -> Option<Token<'t>> {
        match self.end_of(from, quote, escapes) {
            End::At(end) => self.at = end,
            End::Nowhere if self.is_cut => {
                self.at = self.text.len();
            }
            End::Nowhere | End::Unsure => return None,
        }
        Some(Token::Constant)
    }

    fn name(&mut self, quote: u8) -> Option<Token<'t>> {
        match self.end_of(self.at, quote, false) {
            End::At(end) => Some(Token::Word(self.take(end))),
            // Not cut in the middle: what is not a name there is not shown.
            End::Nowhere if self.is_cut => {
                self.at = self.text.len();
                Some(Token::Word(MORE))
            }
            End::Nowhere | End::Unsure => None,
        }
    }

    fn end_of(&self, from: usize, quote: u8, escapes: bool) -> End {
        let bytes = self.bytes();
        let mut at = from + 1;
        while let Some(byte) = bytes.get(at) {
            let next = bytes.get(at + 1);
            match byte {
                b'\\' if escapes => at += 2,
                // It may be read by a server that escapes (`standard_conforming_strings`, a mode that is not known).
                b'\\' if quote == b'\'' && next == Some(&quote) => return End::Unsure,
                _ if *byte == quote && next == Some(&quote) => at += 2,
                _ if *byte == quote => return End::At(at + 1),
                _ => at += 1,
            }
        }
        End::Nowhere
    }

    /// A parameter, or a constant between two tags.
    fn dollar(&mut self) -> Option<Token<'t>> {
        let behind = self.rest().get(1..).unwrap_or_default();
        let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 && behind.get(digits).is_some_and(|byte| is_word(*byte)) {
            return None;
        }
        if digits > 0 {
            return Some(Token::Parameter(self.take(self.at + 1 + digits)));
        }
        let length = behind.iter().take_while(|byte| is_word(**byte) && **byte != b'$').count();
        if behind.get(length) != Some(&b'$') {
            return Some(Token::Sign(self.take(self.at + 1)));
        }
        let tag = self.rest().get(..length + 2)?;
        let inner = self.rest().get(tag.len()..).unwrap_or_default();
        match memchr::memmem::find(inner, tag) {
            Some(found) => self.at += found + 2 * tag.len(),
            None if self.is_cut => {
                self.at = self.text.len();
            }
            None => return None,
        }
        Some(Token::Constant)
    }

    /// A number, with all that a server might read as part of it.
    fn number(&mut self) -> Token<'t> {
        let rest = self.rest();
        // Behind an exponent without a digit a comment may begin.
        let is_part = |at: usize| match rest.get(at) {
            Some(b'+' | b'-') => {
                at > 0
                    && matches!(rest.get(at - 1), Some(b'e' | b'E'))
                    && rest.get(at + 1).is_some_and(u8::is_ascii_digit)
            }
            Some(byte) => is_word(*byte) || *byte == b'.',
            None => false,
        };
        self.at += (0..).take_while(|at| is_part(*at)).count();
        Token::Constant
    }

    /// A word, or what a quote at its end makes of it.
    fn word(&mut self) -> Option<Token<'t>> {
        let length = self.rest().iter().take_while(|byte| is_word(**byte)).count();
        let end = self.at + length;
        let word = self.text.get(self.at..end)?;
        let is_quoted = self.bytes().get(end) == Some(&b'\'');
        if is_quoted && is_prefix(word) {
            let is = |prefix: &str| word.eq_ignore_ascii_case(prefix);
            // Digits in quotes have none.
            let escapes = self.escapes() && !is("b") && !is("x")
                || self.dialect == Dialect::Postgres && is("e");
            return self.quoted(end, b'\'', escapes);
        }
        self.at = end;
        Some(Token::Word(word))
    }
}

/// Whether it may stand in a name that is not quoted.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether it says what sort of constant stands behind it.
fn is_prefix(word: &str) -> bool {
    ["e", "b", "x", "n"].iter().any(|prefix| word.eq_ignore_ascii_case(prefix))
}

fn line(rest: &[u8]) -> usize {
    memchr::memchr(b'\n', rest).unwrap_or(rest.len())
}

/// How long a comment is, if it ends. In PostgreSQL one may stand in another.
fn comment(rest: &[u8], nests: bool) -> Option<usize> {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        match rest.get(at..at + 2)? {
            b"*/" => {
                depth -= 1;
                at += 2;
            }
            b"/*" if nests => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    Some(at)
}
