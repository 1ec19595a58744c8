//! How a session reads a text.

/// The parts of `sql_mode` that decide where a token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modes {
    /// `ANSI_QUOTES`: `"x"` is a name and not a text.
    pub ansi_quotes: bool,
    /// `NO_BACKSLASH_ESCAPES`: a backslash is a character like any other.
    pub no_backslash_escapes: bool,
}
