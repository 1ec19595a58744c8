//! The shape of a text: what stays the same when an application asks for another row.
//!
//! Applications that write values into their texts never send the same text twice, and parsing costs more
//! than all else that a proxy does. So plain constants are replaced by one of their kind, and what is
//! left is looked up: `SELECT name FROM people WHERE id = 4711` is `… WHERE id = 1`. Lists of them, and the rows of
//! VALUES, are as long as the application likes: of those that are equal one is left (`lists`), so that an INSERT of
//! a megabyte has a shape of a line.
//!
//! It must hold that the shape has the same [`Analysis`](super::Analysis) as the text, unless the
//! analysis has effects, which repeat values, or says what the text asks at which place: whoever uses a shape must look for
//! these. Where the lexer here is not sure, there is no shape.

use self::lists::Lists;
use super::time_words::is_time_word;

mod lists;

/// The shape of one SELECT, INSERT, UPDATE, DELETE, VALUES or WITH. `None` for all others, for what has
/// comments or quotes of an unusual kind, and where nothing would be replaced.
///
/// Follows `scan.l` of a server with `standard_conforming_strings` on.
pub(super) fn shape(sql: &str) -> Option<String> {
    if memchr::memchr(0, sql.as_bytes()).is_some() {
        // No server takes it, wherever it is.
        return None;
    }
    let mut text =
        Text { sql: sql.as_bytes(), at: 0, copied: 0, shape: Vec::new(), lists: Lists::default() };
    text.skip_while(|byte| byte.is_ascii_whitespace());
    let verb = text.word();
    if !VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known)) {
        return None;
    }
    text.lists.word(verb);
    while let Some(byte) = text.next() {
        match byte {
            b'0'..=b'9' => text.number(),
            b'\'' => text.string(text.rest())?,
            b'"' => text.quoted_name()?,
            b'$' => text.parameter()?,
            b'(' | b')' | b',' => text.sign(byte),
            // Of `U&'…'` a backslash is part.
            b'&' if text.rest().starts_with(b"&'") => return None,
            b'-' if text.rest().starts_with(b"--") => return None,
            b'-' => {
                text.lists.minus(text.at);
                text.at += 1;
            }
            b'/' if text.rest().starts_with(b"/*") => return None,
            b';' if text.rest().trim_ascii_end() != b";" => return None,
            _ if is_word_byte(byte) => text.name()?,
            _ if byte.is_ascii_whitespace() => text.at += 1,
            _ => {
                text.lists.other();
                text.at += 1;
            }
        }
    }
    text.finish()
}

const VERBS: [&[u8]; 6] = [b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"VALUES", b"WITH"];

/// A constant of so many digits is an `int4`; a longer one may be of another type.
const MAX_DIGITS: usize = 9;

/// Words that are constants.
const CONSTANTS: [&[u8]; 4] = [b"NULL", b"TRUE", b"FALSE", b"DEFAULT"];

/// What sort of constant it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Constant {
    /// A plain integer that no type is too small for.
    Integer,
    /// Another number.
    Number,
    Text,
    /// A keyword or a parameter.
    Other,
}

impl Constant {
    /// What takes its place wherever it stands.
    const fn replacement(self) -> Option<&'static [u8]> {
        match self {
            Self::Integer => Some(b"1"),
            Self::Text => Some(b"''"),
            Self::Number | Self::Other => None,
        }
    }
}

/// A text that is being read.
struct Text<'t> {
    sql: &'t [u8],
    at: usize,
    /// So much of the text is in the shape, or was replaced there.
    copied: usize,
    shape: Vec<u8>,
    lists: Lists,
}

impl<'t> Text<'t> {
    fn rest(&self) -> &'t [u8] {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn next(&self) -> Option<u8> {
        self.sql.get(self.at).copied()
    }

    /// Passes over what `is_part`.
    fn skip_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'t [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !is_part(*byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Brings the shape up to a place in the text.
    fn copy_to(&mut self, at: usize) {
        if self.copied == 0 {
            self.shape.reserve(self.sql.len().min(USUAL_LEN));
        }
        self.shape.extend_from_slice(self.sql.get(self.copied..at).unwrap_or_default());
        self.copied = at;
    }

    /// A constant of `length` bytes stands here: as an item of a list it joins the constants before it, elsewhere
    /// its place may be taken by another of its kind.
    fn constant(&mut self, length: usize, kind: Constant) {
        let after = self.sql.get(self.at + length..).unwrap_or_default().trim_ascii_start();
        let ends = matches!(after.first(), Some(b',' | b')'));
        let place = self.at;
        let item = self.lists.item(place).filter(|item| {
            // The grammar makes one constant of a sign and a number (`doNegate`), and of nothing else.
            ends && (item.start == place || matches!(kind, Constant::Integer | Constant::Number))
        });
        match (item, kind.replacement()) {
            (Some(item), _) => {
                self.copy_to(item.start);
                match item.joins {
                    Some(end) => self.shape.truncate(end),
                    None => self.shape.push(b'1'),
                }
                self.lists.put_item(self.shape.len());
            }
            (None, Some(replacement)) => {
                self.lists.other();
                self.copy_to(place);
                self.shape.extend_from_slice(replacement);
            }
            (None, None) => {
                self.lists.other();
                self.at += length;
                return;
            }
        }
        self.at += length;
        self.copied = self.at;
    }

    /// A parenthesis or a comma, which begin and end what lists are made of.
    fn sign(&mut self, sign: u8) {
        match sign {
            b'(' if self.lists.opens_row() => {
                self.copy_to(self.at);
                self.lists.open(Some(self.shape.len()));
            }
            b'(' => self.lists.open(None),
            b')' => {
                if let Some(row) = self.lists.close() {
                    self.copy_to(self.at + 1);
                    let end = self.lists.put_row(row, &self.shape);
                    self.shape.truncate(end);
                }
            }
            _ => self.lists.comma(),
        }
        self.at += 1;
    }

    /// A name, or a keyword.
    fn word(&mut self) -> &'t [u8] {
        self.skip_while(is_word_byte)
    }

    /// Passes over a name or a keyword, and replaces a string behind an E. `None` for the other kinds of quotes.
    fn name(&mut self) -> Option<()> {
        let start = self.at;
        let word = self.word();
        if self.next() == Some(b'\'') {
            return match word {
                b"e" | b"E" => {
                    let string = self.rest();
                    self.at = start;
                    self.string(string)
                }
                _ => None,
            };
        }
        // `float(24)` and `float(25)` are two types, and which setting is asked for decides.
        if [&b"float"[..], b"current_setting"].iter().any(|known| word.eq_ignore_ascii_case(known))
        {
            return None;
        }
        if CONSTANTS.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            self.at = start;
            self.constant(word.len(), Constant::Other);
        } else {
            self.lists.word(word);
        }
        Some(())
    }

    /// Replaces a plain integer; passes over whatever else begins with a digit.
    fn number(&mut self) {
        let before = self.at.checked_sub(1).and_then(|at| self.sql.get(at));
        let start = self.at;
        let mut number = self.skip_while(|byte| is_word_byte(byte) || byte == b'.');
        if matches!(number.last(), Some(b'e' | b'E')) && matches!(self.next(), Some(b'+' | b'-')) {
            self.at += 1;
            self.skip_while(|byte| is_word_byte(byte) || byte == b'.');
            number = self.sql.get(start..self.at).unwrap_or_default();
        }
        let is_plain = number.len() <= MAX_DIGITS && number.iter().all(u8::is_ascii_digit);
        if before == Some(&b'.') {
            self.lists.other();
        } else if is_plain {
            self.at = start;
            self.constant(number.len(), Constant::Integer);
        } else if is_number(number) {
            self.at = start;
            self.constant(number.len(), Constant::Number);
        } else {
            self.lists.other();
        }
    }

    /// Replaces a string that begins with the quote of `rest`, unless it means another time each day. `None` where it
    /// does not end.
    fn string(&mut self, rest: &'t [u8]) -> Option<()> {
        let has_escapes = self.next() != Some(b'\'');
        let (mut end, mut is_timely) = (1, false);
        loop {
            let part = rest.get(end..)?;
            let length = if has_escapes {
                memchr::memchr2(b'\'', b'\\', part)?
            } else {
                memchr::memchr(b'\'', part)?
            };
            is_timely |= is_time_word(part.get(..length)?);
            end += length + 1;
            let (last, next) = (rest.get(end - 1)?, rest.get(end));
            if *last == b'\\' && !is_plain_escape(*next?) {
                return None;
            }
            // Two quotes are one in the string.
            if *last == b'\'' && next != Some(&b'\'') {
                break;
            }
            end += 1;
        }
        if rest.get(end..)?.trim_ascii_start().starts_with(b"'") {
            // Two strings with a line break between them are one (`quotecontinue`).
            return None;
        }
        let length = end + usize::from(has_escapes);
        if is_timely {
            self.lists.other();
            self.at += length;
        } else {
            self.constant(length, Constant::Text);
        }
        Some(())
    }

    /// Passes over a name in double quotes.
    fn quoted_name(&mut self) -> Option<()> {
        self.lists.other();
        self.at += memchr::memchr(b'"', self.rest().get(1..)?)? + 2;
        Some(())
    }

    /// Passes over `$1`. `None` for the beginning of a text in dollars.
    fn parameter(&mut self) -> Option<()> {
        let start = self.at;
        self.at += 1;
        let digits = self.skip_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() || self.next().is_some_and(is_word_byte) {
            return None;
        }
        if digits.len() <= MAX_DIGITS {
            self.at = start;
            self.constant(digits.len() + 1, Constant::Other);
        } else {
            self.lists.other();
        }
        Some(())
    }

    /// The shape, if anything was replaced.
    fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.shape.extend_from_slice(self.sql.get(self.copied..)?);
        // It was cut at ASCII bytes only, so that it is UTF-8 still.
        String::from_utf8(self.shape).ok()
    }
}

/// Whether it is a number of digits, with or without a point and an exponent.
fn is_number(text: &[u8]) -> bool {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (text.get(..at), text.get(at + 1..)),
        None => (Some(text), None),
    };
    let exponent = exponent.map(|digits| digits.strip_prefix(b"-").unwrap_or(digits));
    let exponent = exponent.map(|digits| digits.strip_prefix(b"+").unwrap_or(digits));
    let is_digits = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let mut parts = mantissa.unwrap_or_default().splitn(2, |byte| *byte == b'.');
    parts.all(is_digits) && exponent.is_none_or(is_digits)
}

/// Whether a backslash and this byte are one character of an `E'…'`, and not a letter: the words of the string end
/// there.
const fn is_plain_escape(byte: u8) -> bool {
    matches!(byte, b'b' | b'f' | b'n' | b'r' | b't')
        || !byte.is_ascii_alphanumeric() && byte.is_ascii()
}

/// Whether it goes on a name, a keyword or a number that has begun (`ident_cont`).
fn is_word_byte(byte: u8) -> bool {
    WORD_BYTES.get(usize::from(byte)).is_some_and(|is_one| *is_one)
}

const WORD_BYTES: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut byte = 0_u8;
    loop {
        let is_one = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 128;
        bytes[byte as usize] = is_one;
        if byte == u8::MAX {
            break bytes;
        }
        byte += 1;
    }
};

/// Most shapes are not longer.
const USUAL_LEN: usize = 4096;

#[cfg(test)]
mod tests;
