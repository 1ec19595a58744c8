//! What the sessions of both engines say of a statement and the cache. Plain values: how a verdict is reached is
//! each engine's own.

use std::{sync::Arc, time::Duration};

use cache::{
    Freshness,
    sql::{Clock, Hint, Reason, TableName, Verdict},
};

use crate::{clock::since_midnight, config::CachingConfig, observe::CacheStatus};

/// Whether the cache may answer, and for which tables.
#[derive(Debug, PartialEq, Eq)]
pub enum Cacheable {
    /// It may, on these terms.
    Yes(Terms),
    /// It may not; the word for metrics.
    No(CacheStatus),
}

/// On what terms the cache may answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What the answer is read from.
    pub tables: Arc<[TableName]>,
    /// How old it may be at most, where it tells the time.
    pub longest: Option<Duration>,
}

impl Terms {
    /// Those of an answer that does not tell the time.
    pub const fn of(tables: Arc<[TableName]>) -> Self {
        Self { tables, longest: None }
    }
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

/// Whether the cache may answer a statement of this verdict, where its session has nothing against it. `midnight` says how
/// long ago it was where the session is, if that is known.
pub fn cacheable(
    verdict: &Verdict,
    hint: &Hint,
    caching: &CachingConfig,
    midnight: impl FnOnce() -> Option<Duration>,
) -> Cacheable {
    match verdict {
        Verdict::Cacheable { tables } => Cacheable::Yes(Terms::of(Arc::clone(tables))),
        Verdict::Timed { tables, clock, reason } => {
            let asked = hint.max_age.unwrap_or(caching.clock_max_age);
            let age = match clock {
                Clock::Moment => asked,
                Clock::Date | Clock::UtcDate if asked.is_zero() => asked,
                Clock::Date => asked.min(midnight().unwrap_or_default()),
                Clock::UtcDate => {
                    let both = midnight().zip(since_midnight("UTC"));
                    asked.min(both.map_or(Duration::ZERO, |(here, there)| here.min(there)))
                }
            };
            match age.is_zero() {
                true => Cacheable::No(status_of(reason)),
                false => Cacheable::Yes(Terms { tables: Arc::clone(tables), longest: Some(age) }),
            }
        }
        Verdict::Refused(reason) => Cacheable::No(status_of(reason)),
    }
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
        Some(Verdict::Timed { reason, .. })
            if hint.max_age.unwrap_or(caching.clock_max_age).is_zero() =>
        {
            Some(reason.to_string())
        }
        _ if caching.disabled => Some("caching.disabled is set for this database".to_owned()),
        _ if hint.no_cache => Some("the statement's own hint says no-cache".to_owned()),
        _ => None,
    }
}

/// What a statement that the origin answers is counted as, where it might have been answered from the cache.
pub const fn not_found(hint: &Hint) -> CacheStatus {
    if hint.no_cache { CacheStatus::Hint } else { CacheStatus::Miss }
}

/// How old an answer may be: by the comment in the statement, else by the config; and at most so old where it tells the time.
pub fn freshness(hint: &Hint, caching: &CachingConfig, longest: Option<Duration>) -> Freshness {
    let max_age = hint.max_age.unwrap_or(caching.max_age);
    let stale = hint.stale_while_revalidate.unwrap_or(caching.stale_while_revalidate);
    match longest {
        None => Freshness { max_age, stale_while_revalidate: stale },
        Some(longest) => {
            Freshness { max_age: max_age.min(longest), stale_while_revalidate: Duration::ZERO }
        }
    }
}
