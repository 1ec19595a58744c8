//! The comment that controls one statement: `/* jumpgate: max_age=5, swr=10 */`.
//!
//! It counts at the start or the end of the text, where people and tools put it, and only as a real
//! comment: the same letters in a string are data. What is malformed is ignored and reported.

use std::time::Duration;

use memchr::memmem;

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

/// Reads one comment, with its signs.
pub(crate) fn read_hint(comment: &str, hint: &mut Hint) {
    let body = match comment.strip_prefix("--").or_else(|| comment.strip_prefix('#')) {
        Some(line) => line,
        None => comment.trim_start_matches("/*").trim_end_matches("*/"),
    };
    let Some(wishes) = body.trim().strip_prefix(HINT_MARK) else { return };
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
    body.trim_ascii_start().starts_with(HINT_MARK.as_bytes())
        && memmem::find(body, b"/*").is_none()
        && memmem::find(body, b"*/").is_none()
}

/// What a comment with a hint begins with.
pub(crate) const HINT_MARK: &str = "jumpgate:";

const LONGEST_SECONDS: u64 = 3600;

/// How much of a malformed wish is worth reporting.
const MALFORMED_CHARS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

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
}
