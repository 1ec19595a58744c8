//! Where in a text its hint stands: the comments before the first token and after the last.

use pg_query::protobuf::{ScanToken, Token};

use crate::sql::common::{HINT_MARK, Hint, read_hint};

/// The hint of a text that parses.
pub(super) fn find(sql: &str) -> Hint {
    let mut hint = Hint::default();
    // The scanner is only worth its time where the word stands at all.
    if !sql.contains(HINT_MARK) {
        return hint;
    }
    let Ok(tokens) = pg_query::scan_tokens(sql) else { return hint };
    let comments = |token: &&ScanToken| is_comment(token);
    let ending = |token: &&ScanToken| is_comment(token) || token.token == Token::Ascii59 as i32;
    let leading = tokens.iter().take_while(comments).count();
    let after = tokens.get(leading..).unwrap_or_default();
    let trailing = after.iter().rev().take_while(ending).filter(comments);
    for token in tokens.iter().take(leading).chain(trailing) {
        read_hint(text_of(token, sql), &mut hint);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
