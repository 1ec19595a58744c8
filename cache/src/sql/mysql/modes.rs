//! How a session reads a text.

/// The parts of `sql_mode` that decide where a token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modes {
    /// `ANSI_QUOTES`: `"x"` is a name and not a text.
    pub ansi_quotes: bool,
    /// `NO_BACKSLASH_ESCAPES`: a backslash is a character like any other.
    pub no_backslash_escapes: bool,
}

impl Modes {
    /// Those in which code was stored under this `sql_mode`; none where it is in another language.
    pub(super) fn of_code(sql_mode: &str) -> Option<Self> {
        let has = |mode: &str| sql_mode.split(',').any(|one| one.eq_ignore_ascii_case(mode));
        let modes = Self {
            ansi_quotes: has("ANSI_QUOTES"),
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        };
        (!has("ORACLE")).then_some(modes)
    }
}
