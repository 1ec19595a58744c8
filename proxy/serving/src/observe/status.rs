//! What the cache made of a statement, in one word.

use std::{borrow::Cow, fmt};

/// What the cache made of a statement, in the words that `SHOW jumpgate.cache_status` and the metrics have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheStatus {
    /// Caching is off for this database, or by a rule for what it reads.
    Disabled,
    /// Answered from the cache.
    Hit,
    /// Answered from the cache past `max_age`, while one refresh runs.
    Stale,
    /// Could have been answered from the cache, and now is there.
    Miss,
    /// Could have been, but its hint wants what the origin says now. That is there now.
    Hint,
    /// Could have been, but its session is pinned to a backend and may see what others do not.
    Pinned,
    /// Not a statement that may be cached.
    Uncacheable,
    /// Several statements in one message.
    MultipleStatements,
    /// A message that carries no statement.
    NotAQuery,
    /// Too long to be looked at.
    OversizedQuery,
    /// Its result was larger than the limit.
    OversizedResult,
    /// The grammar does not know it.
    ParseError,
    /// Inside a transaction block.
    Transaction,
    /// It uses a function that is not immutable.
    Volatile,
}

impl CacheStatus {
    /// Every status, in the order of its handles.
    pub const ALL: [Self; 14] = [
        Self::Disabled,
        Self::Hit,
        Self::Stale,
        Self::Miss,
        Self::Hint,
        Self::Pinned,
        Self::Uncacheable,
        Self::MultipleStatements,
        Self::NotAQuery,
        Self::OversizedQuery,
        Self::OversizedResult,
        Self::ParseError,
        Self::Transaction,
        Self::Volatile,
    ];

    /// Whether the cache answered.
    pub const fn is_cached(self) -> bool {
        matches!(self, Self::Hit | Self::Stale)
    }

    /// The word in metrics, logs and `SHOW jumpgate.cache_status`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Hint => "hint",
            Self::Pinned => "pinned",
            Self::Uncacheable => "uncacheable",
            Self::MultipleStatements => "multiplestatements",
            Self::NotAQuery => "notaquery",
            Self::OversizedQuery => "oversizedquery",
            Self::OversizedResult => "oversizedresult",
            Self::ParseError => "parseerror",
            Self::Transaction => "transaction",
            Self::Volatile => "volatile",
        }
    }
}

/// The answer to a client that asks what became of its last statement: the word, and for a pinned session why it is so.
pub fn told(status: CacheStatus, pin: Option<&'static str>) -> Cow<'static, str> {
    match (status, pin) {
        (CacheStatus::Pinned, Some(pin)) => format!("{} ({pin})", status.word()).into(),
        _ => status.word().into(),
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
