//! Which round trips to an origin clients are spared.

/// Why a client did not wait for its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The cache answered.
    Hit,
    /// What a statement is was known.
    Describe,
    /// A transaction began with its first statement, or never reached the origin.
    Begin,
    /// The end of a transaction that had only read was not waited for.
    Commit,
    /// A setting was accepted before.
    Set,
    /// A value of a setting was known.
    Show,
    /// There was nothing to tidy.
    Reset,
}

impl Saved {
    /// Each of them, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Hit, Self::Describe, Self::Begin, Self::Commit, Self::Set, Self::Show, Self::Reset];

    /// As metrics call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Describe => "describe",
            Self::Begin => "begin",
            Self::Commit => "commit",
            Self::Set => "set",
            Self::Show => "show",
            Self::Reset => "reset",
        }
    }
}
