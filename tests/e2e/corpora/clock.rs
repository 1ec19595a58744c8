//! A text with the clock stopped: what remains refused has another reason.

/// The calls and words of both engines that ask for the time of the statement or of its transaction, in lower case.
const CLOCK: [&str; 14] = [
    "current_timestamp",
    "current_date",
    "localtimestamp",
    "statement_timestamp()",
    "transaction_timestamp()",
    "now()",
    "curdate()",
    "current_time",
    "localtime",
    "utc_timestamp",
    "utc_date",
    "curtime()",
    "now(6)",
    "unix_timestamp()",
];

/// The text with a constant function in place of each.
///
/// Only for measuring: it does not know strings and comments.
pub(super) fn stopped(sql: &str) -> String {
    let lower = sql.to_ascii_lowercase();
    let (mut stopped, mut at) = (String::with_capacity(sql.len()), 0);
    while at < sql.len() {
        let is_inside = lower[..at].ends_with(|c: char| c.is_alphanumeric() || "_\"`.".contains(c));
        let word = CLOCK.iter().find(|word| !is_inside && lower[at..].starts_with(*word));
        let ends = |word: &&&str| {
            let behind = lower[at + word.len()..].chars().next();
            word.ends_with(')') || !behind.is_some_and(|c| c.is_alphanumeric() || c == '_')
        };
        if let Some(word) = word.filter(ends) {
            at += word.len();
            stopped.push_str(THE_TIME);
            let rest = &lower[at..];
            if rest.starts_with("()") {
                at += 2;
            } else if rest.starts_with("(6)") || rest.starts_with("(3)") || rest.starts_with("(0)")
            {
                at += 3;
            }
        } else {
            let step = sql[at..].chars().next().map_or(1, char::len_utf8);
            stopped.push_str(&sql[at..at + step]);
            at += step;
        }
    }
    stopped
}

/// What stands for the time; the databases of the test have such a function, which always says the same.
const THE_TIME: &str = "corpora_time()";

#[test]
fn the_clock_is_stopped_where_it_is_asked() {
    for (sql, still) in [
        ("SELECT now() - x", "SELECT corpora_time() - x"),
        ("a < CURRENT_TIMESTAMP(6)", "a < corpora_time()"),
        ("a < CURRENT_DATE", "a < corpora_time()"),
        ("a < STATEMENT_TIMESTAMP()", "a < corpora_time()"),
        ("UTC_TIMESTAMP() > NOW(6)", "corpora_time() > corpora_time()"),
        ("\"now()\", unknown()", "\"now()\", unknown()"),
        ("current_dated, unix_timestamp(a)", "current_dated, unix_timestamp(a)"),
    ] {
        assert_eq!(stopped(sql), still);
    }
}
