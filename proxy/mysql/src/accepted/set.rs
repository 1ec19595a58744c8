//! Which texts of SET come to the same each time, by their words.

/// Whether a SET assigns only what is known here, to what stands in its text or follows the session.
pub(super) fn is_repeatable(sql: &str) -> bool {
    let Some(tokens) = tokens(sql) else { return false };
    let (mut depth, mut at) = (0_usize, 0);
    let mut is_first = true;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1);
        match token {
            // Behind the word SET.
            Token::Word(word) if is_first => {
                if !word.eq_ignore_ascii_case("set") {
                    return false;
                }
                is_first = false;
            }
            Token::Word(word) if depth == 0 && next == Some(&Token::Assign) => {
                if !is_known(word) {
                    return false;
                }
            }
            Token::Variable(word) => {
                if !is_known(word) {
                    return false;
                }
            }
            Token::Word(word) if next == Some(&Token::Open) => {
                if !is_one_of(word, &CALLED) {
                    return false;
                }
            }
            Token::Word(word) => {
                if is_one_of(word, &UNSURE) {
                    return false;
                }
            }
            // Nothing but the arguments of what is called is in parentheses.
            Token::Open if at > 0 && matches!(tokens.get(at - 1), Some(Token::Word(_))) => {
                depth += 1;
            }
            Token::Open => return false,
            Token::Close => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            Token::Value | Token::Assign | Token::Comma => {}
        }
        at += 1;
    }
    !is_first && depth == 0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// Behind `@@`, with its scope.
    Variable(&'a str),
    /// A number, or a text without escapes.
    Value,
    Assign,
    Comma,
    Open,
    Close,
}

/// `None` of a text with anything else in it: comments, user variables, operators, another statement.
fn tokens(sql: &str) -> Option<Vec<Token<'_>>> {
    let sql = sql.trim();
    let mut rest = sql.strip_suffix(';').unwrap_or(sql);
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Some(tokens) };
        let word = |text: &str| text.find(|c: char| !is_of_word(c)).unwrap_or(text.len());
        let (token, length) = match first {
            '\'' | '"' => {
                let inner = rest.get(1..)?;
                let end = inner.find(first)?;
                let is_plain =
                    !inner.get(..end)?.contains('\\') && !inner.get(end + 1..)?.starts_with(first);
                if !is_plain {
                    return None;
                }
                (Token::Value, end + 2)
            }
            '=' => (Token::Assign, 1),
            ':' if rest.starts_with(":=") => (Token::Assign, 2),
            ',' => (Token::Comma, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '@' if rest.starts_with("@@") => {
                let length = word(rest.get(2..)?);
                (Token::Variable(rest.get(2..2 + length)?), 2 + length)
            }
            _ if first.is_ascii_digit() => (Token::Value, word(rest)),
            _ if is_of_word(first) => {
                let length = word(rest);
                (Token::Word(rest.get(..length)?), length)
            }
            _ => return None,
        };
        tokens.push(token);
        rest = rest.get(length..)?;
    }
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a variable is one of those that follow a session, with the session's scope or without one.
fn is_known(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let name = ["session.", "local."].iter().find_map(|scope| lower.strip_prefix(scope));
    KNOWN.contains(&name.unwrap_or(&lower))
}

/// What is the server's to say, or changes more than the session.
const UNSURE: [&str; 8] =
    ["default", "global", "persist", "persist_only", "password", "role", "statement", "resource"];

/// What a value may be made with.
const CALLED: [&str; 2] = ["concat", "replace"];

/// What drivers and ORMs set.
const KNOWN: [&str; 42] = [
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
    "completion_type",
    "cte_max_recursion_depth",
    "default_week_format",
    "div_precision_increment",
    "foreign_key_checks",
    "group_concat_max_len",
    "information_schema_stats_expiry",
    "innodb_lock_wait_timeout",
    "interactive_timeout",
    "join_buffer_size",
    "lc_time_names",
    "lock_wait_timeout",
    "max_execution_time",
    "max_heap_table_size",
    "max_join_size",
    "max_recursive_iterations",
    "max_statement_time",
    "net_read_timeout",
    "net_write_timeout",
    "optimizer_switch",
    "sort_buffer_size",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_mode",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "sql_select_limit",
    "sql_warnings",
    "time_zone",
    "tmp_table_size",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
    "unique_checks",
    "wait_timeout",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_repeatable_if_nothing_but_its_text_and_the_session_decides() {
        for sql in [
            "SET NAMES utf8mb4",
            "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'",
            "SET AUTOCOMMIT = 0",
            "SET @@session.autocommit = OFF;",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET  @@SESSION.sql_mode = CONCAT(CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), ',X'), \
             @@SESSION.wait_timeout = 2147483, NAMES utf8mb4",
            "set session sql_mode='ANSI', time_zone = \"+00:00\"",
        ] {
            assert!(is_repeatable(sql), "{sql}");
        }
        for sql in [
            "SET timestamp = 1",
            "SET autocommit = DEFAULT",
            "SET GLOBAL autocommit = 0",
            "SET @@global.autocommit = 0",
            "SET autocommit = @a",
            "SET @a = 1",
            "SET time_zone = @@global.time_zone",
            "SET sql_mode = REPLACE(f(), 'a', 'b')",
            "SET sql_mode = (SELECT 1)",
            "SET wait_timeout = 1 + 1",
            "SET sql_mode = 'it''s'",
            "SET sql_mode = 'a\\'b'",
            "SET autocommit = 0 -- off",
            "SET /* a */ autocommit = 0",
            "SET autocommit = 0; SELECT 1",
            "SET rand_seed1 = 1",
            "SET sql_log_bin = 0, autocommit = 0",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "SET PASSWORD = 'a'",
            "SET ROLE app",
            "SET autocommit = 0)",
        ] {
            assert!(!is_repeatable(sql), "{sql}");
        }
    }
}
