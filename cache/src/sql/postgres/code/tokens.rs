//! The tokens of a function's text, in one pass.
//!
//! Follows `scan.l`. What a backslash in a plain string means depends on a setting of whoever calls the
//! function, so where that decides the end of the string there are no tokens, nor where an unusual kind of
//! quote comes.

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a plain name, folded.
    Word(String),
    /// A name in double quotes.
    Name(String),
    /// An operator.
    Operator(String),
    /// A character that stands for itself.
    Symbol(u8),
    /// A number, a string or a parameter.
    Constant,
}

/// The tokens of a text; none where an end is not certain.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut scan = Scan { text, bytes: text.as_bytes(), at: 0, tokens: Vec::new() };
    while let Some(byte) = scan.next() {
        match byte {
            _ if byte.is_ascii_whitespace() || byte == VERTICAL_TAB => scan.at += 1,
            b'-' if scan.rest().starts_with(b"--") => scan.line(),
            b'/' if scan.rest().starts_with(b"/*") => scan.comment()?,
            b'\'' => scan.string(false)?,
            b'"' => scan.name()?,
            b'$' => scan.dollar()?,
            b'0'..=b'9' => scan.number(),
            _ if is_word_byte(byte) => scan.word()?,
            _ if OPERATOR_BYTES.contains(&byte) => scan.operator()?,
            _ => {
                scan.at += 1;
                scan.tokens.push(Token::Symbol(byte));
            }
        }
    }
    Some(scan.tokens)
}

struct Scan<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    tokens: Vec<Token>,
}

impl<'t> Scan<'t> {
    fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'t [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn skip_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'t str {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.iter().position(|byte| !is_part(*byte)).unwrap_or(rest.len());
        // Cut beside ASCII only.
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn line(&mut self) {
        self.skip_while(|byte| byte != b'\n' && byte != b'\r');
    }

    /// Comments nest.
    fn comment(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.rest() {
                [b'/', b'*', ..] => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Some(());
                    }
                }
                [_, ..] => self.at += 1,
                [] => return None,
            }
        }
    }

    /// A string from its first quote on.
    fn string(&mut self, has_escapes: bool) -> Option<()> {
        self.at += 1;
        loop {
            match self.rest() {
                [b'\'', b'\'', ..] => self.at += 2,
                [b'\'', ..] => break,
                [b'\\', _, ..] if has_escapes => self.at += 2,
                // It depends on `standard_conforming_strings` whether the quote ends it.
                [b'\\', b'\'', ..] => return None,
                [_, ..] => self.at += 1,
                [] => return None,
            }
        }
        self.at += 1;
        // What goes on in another line, also behind a comment, is of the same kind as its beginning.
        let rest = self.rest().trim_ascii_start();
        if has_escapes && (rest.starts_with(b"'") || rest.starts_with(b"--")) {
            return None;
        }
        self.tokens.push(Token::Constant);
        Some(())
    }

    fn name(&mut self) -> Option<()> {
        let start = self.at + 1;
        self.at = start;
        loop {
            match self.rest() {
                [b'"', b'"', ..] => self.at += 2,
                [b'"', ..] => break,
                [_, ..] => self.at += 1,
                [] => return None,
            }
        }
        let name = self.text.get(start..self.at)?.replace("\"\"", "\"");
        self.at += 1;
        self.tokens.push(Token::Name(cut(name)));
        Some(())
    }

    /// `$1`, or a text between two equal marks in dollars.
    fn dollar(&mut self) -> Option<()> {
        self.at += 1;
        if self.next().is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_while(|byte| byte.is_ascii_digit());
        } else {
            let start = self.at - 1;
            self.skip_while(|byte| is_word_byte(byte) && byte != b'$');
            if self.next() != Some(b'$') {
                return None;
            }
            self.at += 1;
            let mark = self.bytes.get(start..self.at)?;
            self.at += memchr::memmem::find(self.rest(), mark)? + mark.len();
        }
        self.tokens.push(Token::Constant);
        Some(())
    }

    /// A number; `1..2` of a loop are two.
    fn number(&mut self) {
        self.skip_while(|byte| is_word_byte(byte) && byte != b'$');
        self.tokens.push(Token::Constant);
    }

    fn word(&mut self) -> Option<()> {
        let word = self.skip_while(is_word_byte);
        match self.rest() {
            [b'\'', ..] => match word {
                "e" | "E" => return self.string(true),
                "b" | "B" | "x" | "X" | "n" | "N" => return self.string(false),
                _ => {}
            },
            [b'&', b'\'' | b'"', ..] if word.eq_ignore_ascii_case("u") => return None,
            _ => {}
        }
        self.tokens.push(Token::Word(cut(word.to_ascii_lowercase())));
        Some(())
    }

    /// A run of operator characters; a comment ends it, and so may a sign.
    fn operator(&mut self) -> Option<()> {
        let run = self.rest().iter().take_while(|byte| OPERATOR_BYTES.contains(byte)).count();
        let run = self.text.get(self.at..self.at + run)?;
        let comment = ["--", "/*"].iter().filter_map(|mark| run.find(mark)).min();
        let mut operator = comment.and_then(|end| run.get(..end)).unwrap_or(run);
        if operator.len() > MAX_OPERATOR {
            return None;
        }
        if !operator.contains(['~', '!', '@', '#', '^', '&', '|', '`', '?', '%']) {
            while let Some(shorter) = operator.strip_suffix(['+', '-']).filter(|it| !it.is_empty())
            {
                operator = shorter;
            }
        }
        self.at += operator.len();
        self.tokens.push(Token::Operator(operator.to_owned()));
        Some(())
    }
}

/// A name as the server keeps it.
fn cut(mut name: String) -> String {
    if name.len() > MAX_NAME {
        let end = (0..=MAX_NAME).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or_default());
    }
    name
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 128
}

const VERTICAL_TAB: u8 = 0x0B;

const OPERATOR_BYTES: &[u8] = b"~!@#^&|`?+-*/%<>=";

/// `NAMEDATALEN` - 1.
const MAX_NAME: usize = 63;

/// No operator has a longer name.
const MAX_OPERATOR: usize = 63;
