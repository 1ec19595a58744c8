//! Bytes to tokens, as MySQL and MariaDB cut them (`lex_one_token` in sql/sql_lex.cc).
//!
//! It is our own and not sqlparser's, for session state hangs on its details: what `@x` is, where a
//! comment ends, what a quote opens in which `sql_mode`. Nothing is copied or allocated per token, and
//! nothing recurses. What the server would refuse is refused here as well ([`Unreadable`]), for
//! what follows it cannot be known.

use super::modes::Modes;

mod number;

/// What sort of token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in backticks, or in double quotes under `ANSI_QUOTES`.
    Name,
    /// A text.
    Text,
    /// A text such as `N'x'`.
    National,
    /// `x'1F'`, `0x1F`, `b'1'`, `0b1`.
    Bits,
    /// A number.
    Number,
    /// `@x`, with whatever quotes it has.
    UserVariable,
    /// `@@`, in front of the name of a system variable.
    SystemMark,
    /// `?`
    Parameter,
    /// An operator or a sign.
    Symbol,
}

/// One token of a text of less than four gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// It stands in a comment that only some servers execute.
    pub(super) is_conditional: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A text cut into tokens.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    /// Where the plain comments are.
    pub(super) comments: Vec<(u32, u32)>,
    /// There is an executable comment, empty or not.
    pub(super) has_conditional: bool,
    /// An optimizer hint sets a variable for the statement (`SET_VAR`).
    pub(super) has_set_var: bool,
}

/// The text cannot be cut into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Cuts a text into tokens.
pub(super) fn lex(sql: &str, modes: Modes) -> Result<Lexed, Unreadable> {
    let mut lexer = Lexer::new(sql, modes)?;
    // About what there will be, so that the list seldom grows.
    lexer.out.tokens.reserve(sql.len() / 4);
    lexer.run()?;
    Ok(lexer.out)
}

/// What is kept of a text that is too long to keep all its tokens.
#[derive(Debug)]
pub(super) struct Skimmed {
    /// The first tokens.
    pub(super) head: Vec<Token>,
    /// It is one statement, and no token in it can touch the state of a session.
    pub(super) is_plain: bool,
}

/// Reads a long text and keeps little of it.
pub(super) fn skim(sql: &str, modes: Modes) -> Result<Skimmed, Unreadable> {
    let mut lexer = Lexer::new(sql, modes)?;
    lexer.skimmed = Some(true);
    lexer.run()?;
    let is_plain = lexer.skimmed == Some(true) && !lexer.out.has_conditional;
    lexer.out.tokens.truncate(HEAD);
    Ok(Skimmed { head: lexer.out.tokens, is_plain })
}

struct Lexer<'t> {
    bytes: &'t [u8],
    at: usize,
    modes: Modes,
    /// Within `/*! … */`.
    in_conditional: bool,
    /// Of a text that is only skimmed: whether it is plain so far.
    skimmed: Option<bool>,
    out: Lexed,
}

impl<'t> Lexer<'t> {
    fn new(sql: &'t str, modes: Modes) -> Result<Self, Unreadable> {
        // Offsets are kept in four bytes.
        match u32::try_from(sql.len()) {
            Ok(_) => Ok(Self {
                bytes: sql.as_bytes(),
                at: 0,
                modes,
                in_conditional: false,
                skimmed: None,
                out: Lexed::default(),
            }),
            Err(_too_long) => Err(Unreadable),
        }
    }

    fn run(&mut self) -> Result<(), Unreadable> {
        while let Some(byte) = self.peek(0) {
            let start = self.at;
            match byte {
                b' ' | b'\t'..=b'\r' => self.at += 1,
                b'#' => self.line_comment(),
                b'-' if self.is_line_comment() => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.comment()?,
                b'*' if self.in_conditional && self.peek(1) == Some(b'/') => {
                    self.in_conditional = false;
                    self.at += 2;
                }
                0 => return Err(Unreadable),
                _ => {
                    let kind = self.token(byte)?;
                    self.push(kind, start);
                }
            }
        }
        if self.in_conditional { Err(Unreadable) } else { Ok(()) }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        // `lex` has seen that the length fits.
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let is_conditional = self.in_conditional;
        let token = Token { kind, is_conditional, start: offset(start), end: offset(self.at) };
        self.out.tokens.push(token);
        if let Some(is_plain) = self.skimmed {
            self.skimmed = Some(is_plain && self.is_harmless(kind, start));
            // Two are needed to read the next.
            if self.out.tokens.len() > HEAD + 2 {
                self.out.tokens.remove(HEAD);
            }
        }
    }

    /// Whether a token at `start` can touch no state: of words, only the functions of locks can.
    fn is_harmless(&self, kind: TokenKind, start: usize) -> bool {
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        match kind {
            TokenKind::UserVariable | TokenKind::SystemMark => false,
            TokenKind::Symbol => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                text != b";" || rest.iter().all(u8::is_ascii_whitespace)
            }
            TokenKind::Word | TokenKind::Name => {
                let lower = text.to_ascii_lowercase();
                find(&lower, b"lock").is_none() && find(&lower, b"last_insert_id").is_none()
            }
            TokenKind::Text
            | TokenKind::National
            | TokenKind::Bits
            | TokenKind::Number
            | TokenKind::Parameter => true,
        }
    }

    /// Reads the token that begins with `byte` and says what it is.
    fn token(&mut self, byte: u8) -> Result<TokenKind, Unreadable> {
        match byte {
            b'\'' => self.quoted(byte, self.has_escapes()).map(|()| TokenKind::Text),
            b'"' if !self.modes.ansi_quotes => {
                self.quoted(byte, self.has_escapes()).map(|()| TokenKind::Text)
            }
            b'"' | b'`' => self.quoted(byte, false).map(|()| TokenKind::Name),
            b'@' => self.at_sign(),
            b'0'..=b'9' if !self.is_after_dot() => Ok(self.number()),
            b'.' if self.is_digit(1) && !self.is_after_name() => Ok(self.real()),
            b'n' | b'N' if self.peek(1) == Some(b'\'') => {
                self.at += 1;
                self.quoted(b'\'', self.has_escapes()).map(|()| TokenKind::National)
            }
            b'x' | b'X' | b'b' | b'B' if self.peek(1) == Some(b'\'') => {
                self.at += 1;
                self.quoted(b'\'', false).map(|()| TokenKind::Bits)
            }
            byte if is_name_byte(byte) => self.word(),
            b'?' => {
                self.at += 1;
                Ok(TokenKind::Parameter)
            }
            _ => {
                self.at += self.symbol_len();
                Ok(TokenKind::Symbol)
            }
        }
    }

    const fn has_escapes(&self) -> bool {
        !self.modes.no_backslash_escapes
    }

    /// `--` begins a comment only before white space, a control character or the end
    /// (`MY_LEX_MINUS_OR_COMMENT`).
    fn is_line_comment(&self) -> bool {
        self.peek(1) == Some(b'-')
            && self.peek(2).is_none_or(|byte| byte == b' ' || byte.is_ascii_control())
    }

    fn line_comment(&mut self) {
        let start = self.at;
        // The server also stops at a NUL; that byte is refused when it is read next.
        while self.peek(0).is_some_and(|byte| byte != b'\n' && byte != 0) {
            self.at += 1;
        }
        self.note_comment(start);
    }

    fn comment(&mut self) -> Result<(), Unreadable> {
        let marked = match self.peek(2) {
            Some(b'!') => Some(3),
            Some(b'M') if self.peek(3) == Some(b'!') => Some(4),
            Some(_) | None => None,
        };
        if let Some(mark) = marked {
            // One inside another is read differently by the two servers.
            if self.in_conditional {
                return Err(Unreadable);
            }
            self.in_conditional = true;
            self.out.has_conditional = true;
            self.at += mark;
            let digits = (0..6).take_while(|&ahead| self.is_digit(ahead)).count();
            self.at += if digits >= 5 { digits } else { 0 };
            return Ok(());
        }
        let start = self.at;
        let body = self.bytes.get(start + 2..).unwrap_or_default();
        let len = find(body, b"*/").ok_or(Unreadable)?;
        self.at = start + 2 + len + 2;
        if body.first() == Some(&b'+') {
            let hint = body.get(..len).unwrap_or_default().to_ascii_lowercase();
            self.out.has_set_var |= find(&hint, b"set_var").is_some();
        } else {
            self.note_comment(start);
        }
        Ok(())
    }

    fn note_comment(&mut self, start: usize) {
        let range = u32::try_from(start).ok().zip(u32::try_from(self.at).ok());
        if !self.in_conditional {
            self.out.comments.extend(range);
        }
    }

    /// Reads to the closing quote; a doubled one stands for itself.
    fn quoted(&mut self, quote: u8, has_escapes: bool) -> Result<(), Unreadable> {
        self.at += 1;
        loop {
            let byte = self.peek(0).ok_or(Unreadable)?;
            self.at += 1;
            if byte == b'\\' && has_escapes {
                self.at += 1;
            } else if byte == quote {
                if self.peek(0) != Some(quote) {
                    return Ok(());
                }
                self.at += 1;
            }
        }
    }

    /// `@@`, or a user variable with its name (`MY_LEX_USER_END`, `MY_LEX_HOSTNAME`).
    fn at_sign(&mut self) -> Result<TokenKind, Unreadable> {
        self.at += 1;
        match self.peek(0) {
            Some(b'@') => {
                self.at += 1;
                return Ok(TokenKind::SystemMark);
            }
            Some(quote @ (b'\'' | b'"' | b'`')) => {
                let is_name = quote == b'`' || quote == b'"' && self.modes.ansi_quotes;
                self.quoted(quote, !is_name && self.has_escapes())?;
            }
            Some(_) | None => {
                while self.peek(0).is_some_and(|byte| is_name_byte(byte) || byte == b'.') {
                    self.at += 1;
                }
            }
        }
        Ok(TokenKind::UserVariable)
    }

    /// A word; one that begins with a digit where a name is expected as well.
    fn word(&mut self) -> Result<TokenKind, Unreadable> {
        let start = self.at;
        while self.peek(0).is_some_and(is_name_byte) {
            self.at += 1;
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        // MySQL 8.1 and later read `$$ … $$` and `$tag$ … $tag$` as a text, others as names.
        if word.first() == Some(&b'$') && word.iter().filter(|byte| **byte == b'$').count() > 1 {
            return Err(Unreadable);
        }
        Ok(TokenKind::Word)
    }

    fn is_digit(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|byte| byte.is_ascii_digit())
    }

    /// Whether a name ends right here, so that a dot goes on with it (`MY_LEX_IDENT_SEP`).
    fn is_after_name(&self) -> bool {
        self.out.tokens.last().is_some_and(|last| {
            matches!(last.kind, TokenKind::Word | TokenKind::Name)
                && usize::try_from(last.end) == Ok(self.at)
        })
    }

    /// Whether a dot that goes on with a name stands right before: then a name follows, also one
    /// of digits.
    fn is_after_dot(&self) -> bool {
        let [.., before, dot] = self.out.tokens.as_slice() else { return false };
        dot.kind == TokenKind::Symbol
            && usize::try_from(dot.end) == Ok(self.at)
            && self.at.checked_sub(1).and_then(|at| self.bytes.get(at)) == Some(&b'.')
            && matches!(before.kind, TokenKind::Word | TokenKind::Name)
            && before.end == dot.start
    }

    fn symbol_len(&self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        SYMBOLS.iter().find(|symbol| rest.starts_with(symbol)).map_or(1, |symbol| symbol.len())
    }
}

/// Whether a byte may be part of a name; every byte of a character beyond ASCII may.
pub(super) const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// How many tokens are kept of a text that is skimmed.
const HEAD: usize = 64;

/// The signs of more than one character, longest first.
const SYMBOLS: [&[u8]; 13] =
    [b"<=>", b"->>", b"->", b":=", b"<=", b">=", b"<>", b"!=", b"<<", b">>", b"&&", b"||", b"=="];
