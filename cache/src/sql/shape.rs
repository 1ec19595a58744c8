//! The shape of a text: what stays the same when an application asks for another row.
//!
//! Applications that write values into their texts never send the same text twice, and parsing costs more
//! than all else that a proxy does. So plain constants are replaced by one of their kind, and what is
//! left is looked up: `SELECT name FROM people WHERE id = 4711` is `… WHERE id = 1`.
//!
//! It must hold that the shape has the same [`Analysis`](super::Analysis) as the text, unless the
//! analysis has effects: those repeat values, and whoever uses a shape must look for them. Where the lexer
//! here is not sure, there is no shape.

use super::time_words::is_time_word;

/// The shape of one SELECT, INSERT, UPDATE, DELETE, VALUES or WITH. `None` for all others, for what has
/// comments or quotes of an unusual kind, and where nothing would be replaced.
///
/// Follows `scan.l` of a server with `standard_conforming_strings` on.
pub(super) fn shape(sql: &str) -> Option<String> {
    if memchr::memchr(0, sql.as_bytes()).is_some() {
        // No server takes it, wherever it is.
        return None;
    }
    let mut text = Text { sql: sql.as_bytes(), at: 0, copied: 0, shape: Vec::new() };
    text.skip_while(|byte| byte.is_ascii_whitespace());
    let verb = text.word();
    if !VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known)) {
        return None;
    }
    while let Some(byte) = text.next() {
        match byte {
            b'0'..=b'9' => text.number(),
            b'\'' => text.string()?,
            b'"' => text.quoted_name()?,
            b'$' => text.parameter()?,
            // Of `U&'…'` a backslash is part.
            b'&' if text.rest().starts_with(b"&'") => return None,
            b'-' if text.rest().starts_with(b"--") => return None,
            b'/' if text.rest().starts_with(b"/*") => return None,
            b';' if text.rest().trim_ascii_end() != b";" => return None,
            _ if is_word_byte(byte) => {
                let word = text.word();
                // `float(24)` and `float(25)` are two types.
                if text.next() == Some(b'\'') || word.eq_ignore_ascii_case(b"float") {
                    return None;
                }
            }
            _ => text.at += 1,
        }
    }
    text.finish()
}

const VERBS: [&[u8]; 6] = [b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"VALUES", b"WITH"];

/// A constant of so many digits is an `int4`; a longer one may be of another type.
const MAX_DIGITS: usize = 9;

/// A text that is being read.
struct Text<'t> {
    sql: &'t [u8],
    at: usize,
    /// So much of the text is in the shape, or was replaced there.
    copied: usize,
    shape: Vec<u8>,
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

    /// Puts a constant in the place of the next `length` bytes.
    fn replace(&mut self, length: usize, constant: &[u8]) {
        if self.copied == 0 {
            self.shape.reserve(self.sql.len());
        }
        self.shape.extend_from_slice(self.sql.get(self.copied..self.at).unwrap_or_default());
        self.shape.extend_from_slice(constant);
        self.at += length;
        self.copied = self.at;
    }

    /// A name, or a keyword.
    fn word(&mut self) -> &'t [u8] {
        self.skip_while(is_word_byte)
    }

    /// Replaces a plain integer; passes over whatever else begins with a digit.
    fn number(&mut self) {
        let before = self.at.checked_sub(1).and_then(|at| self.sql.get(at));
        let start = self.at;
        let number = self.skip_while(|byte| is_word_byte(byte) || byte == b'.');
        let is_plain = number.len() <= MAX_DIGITS && number.iter().all(u8::is_ascii_digit);
        if is_plain && before != Some(&b'.') {
            self.at = start;
            self.replace(number.len(), b"1");
        }
    }

    /// Replaces a string, unless it means another time each day. `None` where it does not end.
    fn string(&mut self) -> Option<()> {
        let rest = self.rest();
        let mut end = 1;
        loop {
            end += memchr::memchr(b'\'', rest.get(end..)?)? + 1;
            // Two quotes are one in the string.
            if rest.get(end) != Some(&b'\'') {
                break;
            }
            end += 1;
        }
        if rest.get(end..)?.trim_ascii_start().starts_with(b"'") {
            // Two strings with a line break between them are one (`quotecontinue`).
            return None;
        }
        if is_time_word(rest.get(..end)?) {
            self.at += end;
        } else {
            self.replace(end, b"''");
        }
        Some(())
    }

    /// Passes over a name in double quotes.
    fn quoted_name(&mut self) -> Option<()> {
        self.at += memchr::memchr(b'"', self.rest().get(1..)?)? + 2;
        Some(())
    }

    /// Passes over `$1`. `None` for the beginning of a text in dollars.
    fn parameter(&mut self) -> Option<()> {
        self.at += 1;
        let digits = self.skip_while(|byte| byte.is_ascii_digit());
        (!digits.is_empty() && !self.next().is_some_and(is_word_byte)).then_some(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::analyse;
    use super::*;

    /// A shape says the same as its text.
    fn check(sql: &str) {
        let Some(shape) = shape(sql) else { return };
        let (of_shape, of_text) = (analyse(&shape), analyse(sql));
        if of_shape.effects().next().is_none() {
            assert_eq!(of_shape, of_text, "{sql}\n{shape}");
        }
    }

    #[test]
    fn plain_constants_are_replaced() {
        for (sql, expected) in [
            ("SELECT abalance FROM a WHERE aid = 42;", "SELECT abalance FROM a WHERE aid = 1;"),
            ("select * from t where n = 'it''s' and k=-7", "select * from t where n = '' and k=-1"),
            ("\n INSERT INTO t1 VALUES (1,2), (33,'x')", "\n INSERT INTO t1 VALUES (1,1), (1,'')"),
            (
                "UPDATE \"t 1\" SET a = $2 WHERE b IN (10)",
                "UPDATE \"t 1\" SET a = $2 WHERE b IN (1)",
            ),
            ("SELECT 10 WHERE d > 'now'", "SELECT 1 WHERE d > 'now'"),
            (
                "SELECT 1.5, 1e5, 0x1f, 12345678901, a.b2, 7",
                "SELECT 1.5, 1e5, 0x1f, 12345678901, a.b2, 1",
            ),
        ] {
            assert_eq!(shape(sql).as_deref(), Some(expected));
            check(sql);
        }
    }

    #[test]
    fn what_is_not_sure_has_no_shape() {
        for sql in [
            "SELECT a FROM t",
            "SET work_mem = 64",
            "EXPLAIN (ANALYZE 0) SELECT 5",
            "SELECT 5; SET a.b = 5",
            "SELECT 5 -- max_age=5",
            "SELECT 5 /* 5 */",
            "SELECT E'\\'', 5",
            "SELECT U&'\\0041', 5",
            "SELECT $x$5$x$",
            "SELECT 'abc, 5",
            "SELECT 5::float(30)",
            "SELECT \"a, 5",
            "SELECT '\0', 5",
            "SELECT d > 'to'\n'day'::date",
            "",
        ] {
            assert_eq!(shape(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_text_with_effects_is_seen_by_its_shape() {
        let shape = shape("SELECT set_config('a.b', '5', false)").expect("a plain constant");
        assert!(analyse(&shape).effects().next().is_some());
    }

    proptest! {
        #[test]
        fn shapes_mean_what_their_texts_mean(parts in prop::collection::vec(part(), 0..12)) {
            check(&format!("SELECT {}", parts.join(" ")));
        }

        #[test]
        fn no_text_makes_it_panic(sql in ".*") {
            check(&format!("SELECT {sql}"));
        }
    }

    fn part() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "a",
                "+",
                ",",
                "(",
                ")",
                "FROM",
                "t",
                "WHERE",
                "=",
                "now()",
                "'now'",
                "::date",
                "LIMIT",
                "$1",
                "f(",
                "::regclass",
                "interval",
                "nextval('s')",
                "IN",
                "ORDER BY",
                "float4",
                ".",
                "-",
                "'to'",
                "'day'",
                "'no'",
                "'w'",
                "set_config('a.b',",
                "pg_advisory_lock(",
                ";",
                "\"x\"",
                "E'a'",
                "\n",
                "::varchar(",
                "date",
            ])
            .prop_map(ToOwned::to_owned),
            "[0-9]{1,12}",
            "[0-9]{0,3}[.]?[0-9]{1,3}(e[0-9])?",
            "'([a-z0-9 ]|''){0,8}'",
        ]
    }
}
