//! What the sessions of both engines say of a statement and the cache. Plain values: how a verdict is reached is
//! each engine's own.

use std::{fmt, sync::Arc, time::Duration};

use cache::{
    Freshness,
    sql::{Clock, Hint, Reason, TableName, Verdict},
};

use crate::{
    clock::since_midnight,
    config::{Ages, CachingConfig, CachingRule},
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
    /// Nothing but the config's usual age says so, in case nobody tells of changes.
    pub may_last: bool,
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
    let is_ruled = || caching.rules_for(tables).next().is_some();
    let may_last = told.is_none() && hint.max_age.is_none() && !is_ruled();
    let fresh = match told {
        None => freshness(hint, ages),
        Some((clock, reason)) => {
            let asked = oldest_time(hint, ages);
            let age = match clock {
                Clock::Moment => asked,
                Clock::Date | Clock::UtcDate if asked.is_zero() => asked,
                Clock::Date => asked.min(midnight().unwrap_or_default()),
                Clock::UtcDate => {
                    let both = midnight().zip(since_midnight("UTC"));
                    asked.min(both.map_or(Duration::ZERO, |(here, there)| here.min(there)))
                }
            };
            if age.is_zero() {
                return Cacheable::No(status_of(reason));
            }
            let max_age = freshness(hint, ages).max_age.min(age);
            Freshness { max_age, stale_while_revalidate: Duration::ZERO, born_by: None }
        }
    };
    Cacheable::Yes(Terms { tables: Arc::clone(tables), fresh, may_last })
}

/// The metrics' word for a reason.
pub fn status_of(reason: &Reason) -> CacheStatus {
    let word = reason.status();
    CacheStatus::ALL.into_iter().find(|s| s.word() == word).unwrap_or(CacheStatus::Uncacheable)
}

/// Why a statement is never cached. As it is written it says so to people; no value of the statement's text is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never<'v> {
    /// `caching.disabled` is set.
    Disabled,
    /// What the text and the catalog say.
    Refused(&'v Reason),
    /// It tells the time, and that may not be old at all.
    Timed(&'v Reason),
    /// A rule of the config.
    Rule(&'v CachingRule),
    /// Its own hint.
    Hint,
}

impl Never<'_> {
    /// What such a statement is counted as, where its session has nothing against the cache.
    pub fn status(&self) -> CacheStatus {
        match self {
            Self::Disabled | Self::Rule(_) => CacheStatus::Disabled,
            Self::Refused(reason) | Self::Timed(reason) => status_of(reason),
            Self::Hint => CacheStatus::Hint,
        }
    }
}

impl fmt::Display for Never<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("caching.disabled is set for this database"),
            Self::Refused(reason) | Self::Timed(reason) => reason.fmt(f),
            Self::Rule(rule) => rule.fmt(f),
            Self::Hint => f.write_str("the statement's own hint says no-cache"),
        }
    }
}

/// Why a statement is never cached, for `jumpgate why`, `top` and the dashboard; nothing where it may be.
pub fn why_not<'v>(
    verdict: Option<&'v Verdict>,
    hint: &Hint,
    caching: &'v CachingConfig,
) -> Option<Never<'v>> {
    if caching.disabled {
        return Some(Never::Disabled);
    }
    if let Some(Verdict::Refused(reason)) = verdict {
        return Some(Never::Refused(reason));
    }
    let tables = verdict.map_or(&[][..], Verdict::tables);
    if let Some(rule) = caching.rules_for(tables).find(|rule| rule.ages.is_none()) {
        return Some(Never::Rule(rule));
    }
    match verdict {
        Some(Verdict::Timed { reason, .. })
            if caching.ages(tables).is_some_and(|ages| oldest_time(hint, ages).is_zero()) =>
        {
            Some(Never::Timed(reason))
        }
        _ if hint.no_cache => Some(Never::Hint),
        _ => None,
    }
}

/// How old an answer may be that tells the time.
pub fn oldest_time(hint: &Hint, ages: Ages) -> Duration {
    hint.max_age.unwrap_or(ages.clock_max_age)
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
