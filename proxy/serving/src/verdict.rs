//! What the sessions of both engines say of a statement and the cache. Plain values: how a verdict is reached is
//! each engine's own.

use std::{sync::Arc, time::Duration};

use cache::{
    Freshness,
    sql::{Clock, Hint, Reason, TableName, Verdict},
};

use crate::{
    config::{Ages, CachingConfig},
    observe::CacheStatus,
};

/// Whether the cache may answer, and for which tables.
#[derive(Debug, PartialEq, Eq)]
pub enum Cacheable {
    /// It may, on these terms.
    Yes(Terms),
    /// It may not; the word for metrics.
    No(CacheStatus),
}

/// On what terms the cache may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What the answer is read from.
    pub tables: Arc<[TableName]>,
    /// How old it may be.
    pub fresh: Freshness,
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
    let (tables, told) = match verdict {
        Verdict::Cacheable { tables } => (tables, None),
        Verdict::Timed { tables, clock, reason } => (tables, Some((clock, reason))),
        Verdict::Refused(reason) => return Cacheable::No(status_of(reason)),
    };
    let Some(ages) = caching.ages(tables) else { return Cacheable::No(CacheStatus::Disabled) };
    let fresh = match told {
        None => freshness(hint, ages),
        Some((clock, reason)) => {
            let asked = hint.max_age.unwrap_or(ages.clock_max_age);
            let age = match clock {
                Clock::Moment => asked,
                Clock::Date if asked.is_zero() => asked,
                Clock::Date => asked.min(midnight().unwrap_or_default()),
            };
            if age.is_zero() {
                return Cacheable::No(status_of(reason));
            }
            let max_age = freshness(hint, ages).max_age.min(age);
            Freshness { max_age, stale_while_revalidate: Duration::ZERO, born_by: None }
        }
    };
    Cacheable::Yes(Terms { tables: Arc::clone(tables), fresh })
}

/// The metrics' word for a reason.
pub fn status_of(reason: &Reason) -> CacheStatus {
    let word = reason.status();
    CacheStatus::ALL.into_iter().find(|s| s.word() == word).unwrap_or(CacheStatus::Uncacheable)
}

/// Why a statement is never cached, in the words of `jumpgate why`; nothing where it may be. No value of its text is in it.
pub fn why_not(verdict: Option<&Verdict>, hint: &Hint, caching: &CachingConfig) -> Option<String> {
    let is_timeless = |verdict: &Verdict| {
        let clock = |ages: Ages| hint.max_age.unwrap_or(ages.clock_max_age);
        caching.ages(verdict.tables()).map(clock).is_some_and(|age| age.is_zero())
    };
    match verdict {
        Some(Verdict::Refused(reason)) => Some(reason.to_string()),
        Some(it @ Verdict::Timed { reason, .. }) if is_timeless(it) => Some(reason.to_string()),
        _ if caching.disabled => Some("caching.disabled is set for this database".to_owned()),
        _ if hint.no_cache => Some("the statement's own hint says no-cache".to_owned()),
        _ => {
            let mut rules = caching.rules_for(verdict?.tables());
            rules.find(|rule| rule.ages.is_none()).map(ToString::to_string)
        }
    }
}

/// What a statement that the origin answers is counted as, where it might have been answered from the cache.
pub const fn not_found(hint: &Hint) -> CacheStatus {
    if hint.no_cache { CacheStatus::Hint } else { CacheStatus::Miss }
}

/// How old an answer may be: by the comment in the statement, else by what the config says of it.
pub fn freshness(hint: &Hint, ages: Ages) -> Freshness {
    Freshness {
        max_age: hint.max_age.unwrap_or(ages.max_age),
        stale_while_revalidate: hint.stale_while_revalidate.unwrap_or(ages.stale_while_revalidate),
        born_by: None,
    }
}
