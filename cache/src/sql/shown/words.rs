//! What the reading and the writing of a text have in common.

/// No text is shown longer, in bytes.
pub const MAX_SHOWN: usize = 1024;
/// So much of a text is read, in bytes.
pub(super) const MAX_READ: usize = 16 * 1024;
/// Where something was left out.
pub(super) const MORE: &str = "…";

/// How a text is cut into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB, where a backslash escapes a quote.
    MySql,
    /// The same under NO_BACKSLASH_ESCAPES.
    MySqlWithoutEscapes,
}
