//! The commands by which statements begin.

use super::{
    lexer::{Lexer, Token},
    words::{Dialect, MORE},
};

/// Statements in which a value is a constant and nothing else.
const WHOLE: [&str; 9] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "VALUES", "WITH", "MERGE", "CALL"];

/// Other words that a statement of either engine begins with. A word that is none of them is no command, and may be anything.
const COMMANDS: [&str; 73] = [
    "ABORT",
    "ALTER",
    "ANALYSE",
    "ANALYZE",
    "BEGIN",
    "BINLOG",
    "CHANGE",
    "CHECK",
    "CHECKPOINT",
    "CHECKSUM",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DESC",
    "DESCRIBE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "FLUSH",
    "GET",
    "GRANT",
    "HANDLER",
    "HELP",
    "IMPORT",
    "INSTALL",
    "KILL",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MOVE",
    "NOTIFY",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "RESET",
    "RESIGNAL",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SET",
    "SHOW",
    "SHUTDOWN",
    "SIGNAL",
    "START",
    "STOP",
    "TABLE",
    "TRUNCATE",
    "UNINSTALL",
    "UNLISTEN",
    "UNLOCK",
    "USE",
    "VACUUM",
    "XA",
    "BACKUP",
    "CACHE",
    "CONNECT",
    "PARSE",
];

/// What is made, changed and dropped.
const OBJECTS: [&str; 25] = [
    "DATABASE",
    "DOMAIN",
    "EVENT",
    "EXTENSION",
    "FUNCTION",
    "INDEX",
    "MATERIALIZED",
    "OR",
    "POLICY",
    "PROCEDURE",
    "PUBLICATION",
    "ROLE",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "SUBSCRIPTION",
    "SYSTEM",
    "TABLE",
    "TEMP",
    "TEMPORARY",
    "TRIGGER",
    "TYPE",
    "UNIQUE",
    "USER",
    "VIEW",
];

/// Whether a statement that begins so is shown whole, but for its constants.
pub(super) fn is_shown_whole(word: &str, dialect: Dialect) -> bool {
    known(&WHOLE, word).is_some_and(|word| word != "REPLACE" || dialect != Dialect::Postgres)
}

/// What a text begins with, if that is a command, and nothing else of it.
pub(super) fn command(text: &str, dialect: Dialect) -> String {
    // Its first words are short, and what is behind them does not matter.
    let mut lexer = Lexer::new(text, true, dialect);
    let mut word = |from: [&[&'static str]; 2]| match lexer.next() {
        Some(Some(Token::Word(word))) => from.iter().find_map(|words| known(words, word)),
        _ => None,
    };
    let Some(first) = word([&COMMANDS, &WHOLE]) else { return MORE.to_owned() };
    if text.trim_end_matches([';', ' ', '\n']).trim_start().eq_ignore_ascii_case(first) {
        return first.to_owned();
    }
    let second = match first {
        "CREATE" | "ALTER" | "DROP" => word([&OBJECTS, &[]]),
        _ => None,
    };
    match second {
        Some(second) => format!("{first} {second} {MORE}"),
        None => format!("{first} {MORE}"),
    }
}

fn known(words: &[&'static str], word: &str) -> Option<&'static str> {
    words.iter().find(|known| word.eq_ignore_ascii_case(known)).copied()
}
