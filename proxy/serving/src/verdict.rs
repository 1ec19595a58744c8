//! What the sessions of both engines say of a statement and the cache. Plain values: how a verdict is reached is
//! each engine's own.

use std::sync::Arc;

use cache::{
    Freshness,
    sql::{Hint, Reason, TableName, Verdict},
};

use crate::{config::CachingConfig, observe::CacheStatus};

/// Whether the cache may answer, and for which tables.
#[derive(Debug, PartialEq, Eq)]
pub enum Cacheable {
    /// It may.
    Yes(Arc<[TableName]>),
    /// It may not; the word for metrics.
    No(CacheStatus),
}

/// Where the session stands when a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has no state that a backend would have to know.
    Free,
    /// A transaction is open, or the next statement opens one.
    InTransaction,
    /// It is pinned to its backend.
    Pinned,
    /// Replies to earlier requests are still owed, or its settings make another thing of texts.
    Bound,
}

/// The metrics' word for a reason.
pub fn status_of(reason: &Reason) -> CacheStatus {
    let word = reason.status();
    CacheStatus::ALL.into_iter().find(|s| s.word() == word).unwrap_or(CacheStatus::Uncacheable)
}

/// Why a statement is never cached, in the words of `jumpgate why`; nothing where it may be. No value of its text is in it.
pub fn why_not(verdict: Option<&Verdict>, hint: &Hint, caching: &CachingConfig) -> Option<String> {
    match verdict {
        Some(Verdict::Refused(reason)) => Some(reason.to_string()),
        _ if caching.disabled => Some("caching.disabled is set for this database".to_owned()),
        _ if hint.no_cache => Some("the statement's own hint says no-cache".to_owned()),
        _ => None,
    }
}

/// What a statement that the origin answers is counted as, where it might have been answered from the cache.
pub const fn not_found(hint: &Hint) -> CacheStatus {
    if hint.no_cache { CacheStatus::Hint } else { CacheStatus::Miss }
}

/// How old an answer may be: by the comment in the statement, else by the config.
pub fn freshness(hint: &Hint, caching: &CachingConfig) -> Freshness {
    Freshness {
        max_age: hint.max_age.unwrap_or(caching.max_age),
        stale_while_revalidate: hint
            .stale_while_revalidate
            .unwrap_or(caching.stale_while_revalidate),
    }
}
