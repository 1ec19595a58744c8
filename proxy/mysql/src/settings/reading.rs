//! How the texts of a session are read.

use cache::sql::mysql::Modes;

/// How the texts of a session are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Where their tokens end, if that is known.
    pub(crate) modes: Option<Modes>,
    /// Whether they can be read byte by byte, and are in the language that we know.
    pub(crate) is_readable: bool,
    /// Whether they are UTF-8.
    pub(crate) is_utf8: bool,
}

/// What `sql_mode` says about how texts are read.
pub fn modes_of(sql_mode: &str) -> Modes {
    let has = |word: &str| sql_mode.split(&[',', '\''][..]).any(|m| m.eq_ignore_ascii_case(word));
    Modes { ansi_quotes: has("ANSI_QUOTES"), no_backslash_escapes: has("NO_BACKSLASH_ESCAPES") }
}

/// Whether `sql_mode` makes another language of it (MariaDB: `ORACLE`, `MSSQL`, …).
pub(super) fn is_another_dialect(sql_mode: &str) -> bool {
    const DIALECTS: [&str; 5] = ["ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL"];
    let mut modes = sql_mode.split(&[',', '\''][..]);
    modes.any(|mode| DIALECTS.iter().any(|dialect| mode.eq_ignore_ascii_case(dialect)))
}
