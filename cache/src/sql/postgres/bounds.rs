//! What PostgreSQL's grammar may be given: texts that it reads in time proportional to their length.
//!
//! Its lexer matches the longest run of operator characters and then puts most of it back: for each operator in
//! the run (`+++…` is as many operators as signs), and for each `/*` that begins a comment or nests one, the
//! whole rest of the run is read again (`operator` and `xcstart` in scan.l). So 200 KB of `+` take half a minute.
//! Nothing else in it is worse than linear: strings, names, numbers, dollars and the grammar's own lists are not,
//! and its recursion is limited by the stack. A table in the tests of this crate tries what else there is.

/// Whether the lexer reads the text in linear time: no run of operator characters has many beginnings.
///
/// It follows scan.l with `standard_conforming_strings` on, as the grammar does. Where it is wrong about what is a
/// string, a text is refused that need not be, or costs the time that it costs.
pub(super) fn is_linear(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let (mut at, mut starts, mut depth) = (0, 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        if !is_operator_byte(byte) {
            starts = 0;
            at += if depth > 0 { 1 } else { token_len(rest) };
        } else if rest.starts_with(b"/*") {
            starts += 1;
            depth += 1;
            at += 2;
        } else if depth > 0 {
            let closes = rest.starts_with(b"*/");
            depth -= usize::from(closes);
            at += if closes { 2 } else { 1 };
        } else if rest.starts_with(b"--") {
            at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        } else {
            starts += 1;
            at += 1;
        }
        if starts > MAX_STARTS {
            return false;
        }
    }
    true
}

/// The length of what begins with a byte that is no operator's: of a string, a name or a word all of it.
fn token_len(text: &[u8]) -> usize {
    match text.first() {
        Some(b'\'') => string_len(text, false),
        Some(b'"') => closed_len(text, b"\"", 1),
        Some(b'$') => dollar_len(text),
        Some(&byte) if is_word_byte(byte) => {
            let len = text.iter().position(|byte| !is_word_byte(*byte)).unwrap_or(text.len());
            let after = text.get(len..).unwrap_or_default();
            let has_escapes = matches!(text.get(..len), Some(b"e" | b"E"));
            if has_escapes && after.first() == Some(&b'\'') {
                len + string_len(after, true)
            } else {
                len
            }
        }
        _ => 1,
    }
}

/// The length of a string up to the next quote: what two quotes are apart in reads as two strings.
fn string_len(text: &[u8], has_escapes: bool) -> usize {
    if !has_escapes {
        return closed_len(text, b"'", 1);
    }
    let mut at = 1;
    while let Some(offset) = memchr::memchr2(b'\'', b'\\', text.get(at..).unwrap_or_default()) {
        at += offset;
        if text.get(at) == Some(&b'\'') {
            // Two quotes are one, and what follows is still part of a string with escapes.
            if text.get(at + 1) != Some(&b'\'') {
                return at + 1;
            }
        }
        at += 2;
    }
    text.len()
}

/// The length of `$tag$ … $tag$`, or of a `$` that is nothing of the kind.
fn dollar_len(text: &[u8]) -> usize {
    let tag = text.get(1..).unwrap_or_default();
    let len = tag.iter().position(|byte| !is_word_byte(*byte) || *byte == b'$');
    let is_tag = tag.first().is_none_or(|first| !first.is_ascii_digit());
    match len.filter(|len| is_tag && tag.get(*len) == Some(&b'$')) {
        Some(len) => closed_len(text, text.get(..len + 2).unwrap_or_default(), len + 2),
        None => 1,
    }
}

/// The length of a text up to and with what closes it, looked for behind its first `from` bytes.
fn closed_len(text: &[u8], close: &[u8], from: usize) -> usize {
    let body = text.get(from..).unwrap_or_default();
    let found = memchr::memmem::find(body, close);
    found.map_or(text.len(), |at| from + at + close.len())
}

/// What operators are made of (`op_chars`).
const fn is_operator_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}

/// What goes on a name, a keyword or a number (`ident_cont`).
const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// How many operators and comments may begin in one run of operator characters. A run without spaces of so many
/// is nobody's SQL.
const MAX_STARTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// FAULTS row 50: texts that the grammar's lexer is quadratic in.
    #[test]
    fn runs_with_many_beginnings_are_not_linear() {
        let many = |part: &str| part.repeat(100);
        for sql in [
            format!("{}{}select 1", many("/*"), many("*/")),
            many("/*"),
            format!("select {}1", many("+")),
            format!("select {}1", many("+-")),
            format!("select 1 {} 1", many("<=>")),
            format!("select {}1", many("/**/")),
            format!("select {}1", many("/**/+")),
            format!("select {}1", many("*/")),
            format!("select '' || E'\\'' {}", many("~")),
            format!("select $a$ {} $a$ {}", many("$b$"), many("@")),
            format!("/* {} */ */ {} */ select 1", many("x /*"), many("/*")),
            format!("select \"--\" {}", many("*")),
        ] {
            assert!(!is_linear(&sql), "{sql}");
        }
    }

    #[test]
    fn what_stands_in_strings_names_and_comments_is_no_operator() {
        let many = |part: &str| part.repeat(100);
        for sql in [
            format!("select '{}', \"{}\"", many("+-"), many("/*")),
            format!("select E'\\'{}', E'a''{}'", many("+"), many("*")),
            format!("select $$ {} $$, $a$ $b$ {} $a$", many("+"), many("/*")),
            format!("--{}\nselect 1 --{}", many("-"), many("/*")),
            format!("/*{} {} */ select 1", many("*"), many("=")),
            format!("select 1 /{}/ + 1", many("*")),
            format!("select {} 1", many("+ ")),
            format!("select {} 1", many("/* */ ")),
            format!("{} {} select 1", many("/* "), many(" */")),
            format!("select a1$b{} 1", many("+ ")),
            format!("select 1{}", many(" <= 1 and 2 ->> 'a' @> '{}' || x#>>y")),
            "select '".to_owned(),
            "select $a$ ".to_owned(),
            "select E'\\".to_owned(),
            "$".to_owned(),
        ] {
            assert!(is_linear(&sql), "{sql}");
        }
    }
}
