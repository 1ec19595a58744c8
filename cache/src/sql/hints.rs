//! The comment that controls one statement: `/* jumpgate: max_age=5, swr=10 */`.
//!
//! It counts at the start or the end of the text, where people and tools put it, and only as a real
//! comment: the same letters in a string are data. What is malformed is ignored and reported.

use std::time::Duration;

use memchr::memmem;
use pg_query::protobuf::{ScanToken, Token};

/// What the comment of a statement asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// The client wants what the origin says now, and nothing that was kept before.
    pub no_cache: bool,
    /// Up to this age a reply is fresh; at most an hour.
    pub max_age: Option<Duration>,
    /// For this long after `max_age` a reply may be served stale; at most an hour.
    pub stale_while_revalidate: Option<Duration>,
    /// What could not be understood, and so was ignored.
    pub malformed: Option<String>,
}

/// The hint of a text that parses.
pub(super) fn find(sql: &str) -> Hint {
    let mut hint = Hint::default();
    // The scanner is only worth its time where the word stands at all.
    if !sql.contains(MARK) {
        return hint;
    }
    let Ok(tokens) = pg_query::scan_tokens(sql) else { return hint };
    let comments = |token: &&ScanToken| is_comment(token);
    let ending = |token: &&ScanToken| is_comment(token) || token.token == Token::Ascii59 as i32;
    let leading = tokens.iter().take_while(comments).count();
    let after = tokens.get(leading..).unwrap_or_default();
    let trailing = after.iter().rev().take_while(ending).filter(comments);
    for token in tokens.iter().take(leading).chain(trailing) {
        read_comment(text_of(token, sql), &mut hint);
    }
    hint
}

fn is_comment(token: &ScanToken) -> bool {
    token.token == Token::CComment as i32 || token.token == Token::SqlComment as i32
}

fn text_of<'t>(token: &ScanToken, sql: &'t str) -> &'t str {
    let range = usize::try_from(token.start).ok().zip(usize::try_from(token.end).ok());
    range.and_then(|(start, end)| sql.get(start..end)).unwrap_or_default()
}

/// Reads one comment, with its signs.
pub(super) fn read_comment(comment: &str, hint: &mut Hint) {
    let body = match comment.strip_prefix("--").or_else(|| comment.strip_prefix('#')) {
        Some(line) => line,
        None => comment.trim_start_matches("/*").trim_end_matches("*/"),
    };
    let Some(wishes) = body.trim().strip_prefix(MARK) else { return };
    for wish in wishes.split(',').map(str::trim) {
        if read_wish(wish, hint).is_none() {
            hint.malformed.get_or_insert_with(|| wish.chars().take(MALFORMED_CHARS).collect());
        }
    }
}

/// Reads one wish; none when it is malformed.
fn read_wish(wish: &str, hint: &mut Hint) -> Option<()> {
    if wish == "no-cache" {
        hint.no_cache = true;
        return Some(());
    }
    let (name, value) = wish.split_once('=')?;
    let value = value.trim();
    // `parse` would also take a sign.
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = value.parse::<u64>().ok().filter(|_| digits)?;
    let duration = Some(Duration::from_secs(seconds.min(LONGEST_SECONDS)));
    match name.trim() {
        "max_age" => hint.max_age = duration,
        "swr" | "stale_while_revalidate" => hint.stale_while_revalidate = duration,
        _ => return None,
    }
    Some(())
}

/// A text without the comments at its start that are hints: what it says but for those, and so what its reply is kept by.
pub fn behind_hint(sql: &[u8]) -> &[u8] {
    let mut rest = sql;
    while let Some(after) = rest.trim_ascii_start().strip_prefix(b"/*")
        && let Some(end) = memmem::find(after, b"*/")
        && is_hint(&after[..end])
    {
        rest = after[end + 2..].trim_ascii_start();
    }
    rest
}

/// The same, also without such comments at its end. For a text that parses: what ends so is a comment then.
pub fn without_hint(sql: &[u8]) -> &[u8] {
    let mut rest = behind_hint(sql);
    while let Some(before) = rest.trim_ascii_end().strip_suffix(b"*/")
        && let Some(start) = memmem::rfind(before, b"/*")
        && is_hint(&before[start + 2..])
    {
        rest = before[..start].trim_ascii_end();
    }
    rest
}

/// Whether what stands within a comment is a hint, and no comment stands within it.
fn is_hint(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(MARK.as_bytes())
        && memmem::find(body, b"/*").is_none()
        && memmem::find(body, b"*/").is_none()
}

/// What a comment with a hint begins with.
pub(super) const MARK: &str = "jumpgate:";

const LONGEST_SECONDS: u64 = 3600;

/// How much of a malformed wish is worth reporting.
const MALFORMED_CHARS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn a_hint_counts_at_the_start_and_at_the_end() {
        let expect =
            Hint { max_age: seconds(5), stale_while_revalidate: seconds(10), ..Hint::default() };
        for sql in [
            "/* jumpgate: max_age=5, swr=10 */ SELECT 1",
            "/* other */ /*jumpgate: max_age = 5,swr = 10*/ SELECT 1",
            "SELECT 1 /* jumpgate: max_age=5, swr=10 */",
            "SELECT 1; /* jumpgate: max_age=5, swr=10 */ ;",
            "SELECT 1 -- jumpgate: max_age=5, swr=10",
        ] {
            assert_eq!(find(sql), expect, "{sql}");
        }
    }

    #[test]
    fn a_hint_in_a_string_or_in_the_middle_does_not_count() {
        for sql in [
            "SELECT '/* jumpgate: no-cache */'",
            "SELECT /* jumpgate: no-cache */ 1",
            "SELECT $$ /* jumpgate: no-cache */ $$",
        ] {
            assert_eq!(find(sql), Hint::default(), "{sql}");
        }
    }

    /// FAULTS §4, a `no-cache` read does not replace the old entry: it was kept apart by its comment.
    #[test]
    fn what_is_kept_is_kept_by_the_text_without_its_hint() {
        for (sql, bare) in [
            ("/* jumpgate: no-cache */ SELECT 1", "SELECT 1"),
            ("/*jumpgate: max_age=1*/\n/* jumpgate: swr=2 */SELECT 1", "SELECT 1"),
            ("SELECT 1 /* jumpgate: no-cache */ ", "SELECT 1"),
            ("/* other */ SELECT 1 /* other */", "/* other */ SELECT 1 /* other */"),
            ("/* jumpgate: a /* b */ */ SELECT 1", "/* jumpgate: a /* b */ */ SELECT 1"),
            ("SELECT 1 /* a /* jumpgate: b */ */", "SELECT 1 /* a /* jumpgate: b */ */"),
            ("SELECT '/* jumpgate: no-cache */'", "SELECT '/* jumpgate: no-cache */'"),
            ("SELECT 1;", "SELECT 1;"),
        ] {
            assert_eq!(without_hint(sql.as_bytes()), bare.as_bytes(), "{sql}");
        }
        let trailing = b"SELECT 1 /* jumpgate: no-cache */";
        assert_eq!(behind_hint(trailing), trailing);
    }

    #[test]
    fn no_cache_is_said_in_one_word() {
        assert!(find("/* jumpgate: no-cache */ SELECT 1").no_cache);
    }

    #[test]
    fn max_age_is_capped_at_an_hour() {
        assert_eq!(find("/* jumpgate: max_age=86400 */ SELECT 1").max_age, seconds(3600));
    }

    #[test]
    fn what_is_malformed_is_reported_and_the_rest_still_counts() {
        for wrong in ["max_age=-1", "max_age=x", "max_age=+5", "ttl=5", "max_age", ""] {
            let hint = find(&format!("/* jumpgate: {wrong}, swr=7 */ SELECT 1"));
            assert_eq!(hint.malformed.as_deref(), Some(wrong));
            assert_eq!((hint.max_age, hint.stale_while_revalidate), (None, seconds(7)));
        }
    }
}
