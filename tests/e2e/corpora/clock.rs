//! A text with the clock stopped: what remains refused has another reason.

/// The words of both engines that are the time of the statement or of its transaction, with or without parentheses.
const WORDS: [&str; 7] = [
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "utc_timestamp",
    "utc_date",
];
/// The functions that are, when they are called with nothing but digits to show.
const CALLS: [&str; 6] =
    ["now", "statement_timestamp", "transaction_timestamp", "curdate", "curtime", "unix_timestamp"];
const PARENTHESES: [&str; 4] = ["()", "(0)", "(3)", "(6)"];
/// What stands for the time; the databases of the test have such a function, which always says the same.
const THE_TIME: &str = "corpora_time()";

/// The text with a constant function in place of each.
///
/// Only for measuring: it does not know strings and comments.
pub(super) fn stopped(sql: &str) -> String {
    let (mut stopped, mut rest, mut before) = (String::with_capacity(sql.len()), sql, ' ');
    loop {
        let is_inside = before.is_alphanumeric() || "_\"`.".contains(before);
        if let Some(behind) = behind_clock(rest).filter(|_behind| !is_inside) {
            stopped.push_str(THE_TIME);
            (rest, before) = (behind, ')');
            continue;
        }
        let mut chars = rest.chars();
        let Some(first) = chars.next() else { return stopped };
        stopped.push(first);
        (rest, before) = (chars.as_str(), first);
    }
}

/// What follows the question for the time that a text begins with.
fn behind_clock(text: &str) -> Option<&str> {
    let behind_word = |word: &&str| {
        let (head, rest) = text.split_at_checked(word.len())?;
        head.eq_ignore_ascii_case(word).then_some(rest)
    };
    let called = || CALLS.iter().find_map(behind_word).and_then(behind_parentheses);
    let named = || {
        let is_whole = |rest: &&str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = WORDS.iter().filter_map(behind_word).find(is_whole)?;
        Some(behind_parentheses(rest).unwrap_or(rest))
    };
    called().or_else(named)
}

fn behind_parentheses(rest: &str) -> Option<&str> {
    PARENTHESES.iter().find_map(|both| rest.strip_prefix(both))
}

#[test]
fn the_clock_is_stopped_where_it_is_asked() {
    for (sql, still) in [
        ("SELECT now() - x", "SELECT corpora_time() - x"),
        ("a < CURRENT_TIMESTAMP(6)", "a < corpora_time()"),
        ("a < CURRENT_DATE", "a < corpora_time()"),
        ("a < STATEMENT_TIMESTAMP()", "a < corpora_time()"),
        ("UTC_TIMESTAMP() > NOW(6)", "corpora_time() > corpora_time()"),
        ("localtime, localtimestamp", "corpora_time(), corpora_time()"),
        ("\"now()\", unknown()", "\"now()\", unknown()"),
        ("current_dated, unix_timestamp(a), über", "current_dated, unix_timestamp(a), über"),
    ] {
        assert_eq!(stopped(sql), still);
    }
}
