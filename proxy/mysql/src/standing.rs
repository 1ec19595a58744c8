//! Where a session stands for its next statement, and whether the cache may answer that there.

use std::sync::Arc;

use cache::sql::{Verdict, mysql::Kind};
use serving::{clock::since_midnight, observe::CacheStatus, verdict::Terms};

use super::{
    astray::Astray,
    last::Conditions,
    learnt::Isolation,
    plan::{Cacheable, Standing, Text, one_kind},
    session::Session,
};

impl Session {
    /// Whether the cache may answer a text.
    pub(crate) fn verdict(&self, text: &Text) -> Cacheable {
        let config = &self.database.config;
        if !config.round_trips.settings && text.asks_for_settings() {
            return Cacheable::No(CacheStatus::Uncacheable);
        }
        let midnight = || since_midnight(&self.time_zone()?);
        match text.verdict(|| self.standing(), &config.caching, midnight) {
            Cacheable::No(CacheStatus::Disabled) => Cacheable::No(CacheStatus::Disabled),
            Cacheable::No(_) if self.has_nothing_to_show(text) => Cacheable::Yes(Terms::default()),
            Cacheable::No(CacheStatus::Transaction) => self.verdict_in_no_transaction(text),
            verdict => verdict,
        }
    }

    /// The time zone that the session is in, if that is known.
    fn time_zone(&self) -> Option<Arc<str>> {
        let (user, own) = (&self.database.config.origin.user, self.facts.settings.time_zone());
        self.database.learnt.time_zone(user, self.database.generations.number(), own)
    }

    /// Whether a text asks for conditions where there are none: then its answer is the same each time.
    fn has_nothing_to_show(&self, text: &Text) -> bool {
        let shows = |kind: &Kind| matches!(kind, Kind::ShowDiagnostics { .. });
        one_kind(text).is_some_and(shows)
            && self.database.config.round_trips.settings
            && self.facts.last.conditions == Conditions::None
            && self.facts.astray == Astray::No
            && self.has_nothing_anywhere()
    }

    /// What is cached for a text where the transaction that is said to be open has not reached a backend: what reads no table
    /// is no part of it, and what does may be as old as outside of one where that is wanted.
    fn verdict_in_no_transaction(&self, text: &Text) -> Cacheable {
        match text.judged.as_deref().map(|judged| &judged.verdict) {
            Some(Verdict::Cacheable { tables })
                if self.has_nothing_anywhere()
                    && (tables.is_empty() || self.reads_cache_in_block()) =>
            {
                Cacheable::Yes(Terms::of(Arc::clone(tables)))
            }
            _ => Cacheable::No(CacheStatus::Transaction),
        }
    }

    /// Whether the session has nothing that a backend would have to know, but for a block that it has begun.
    fn has_nothing_anywhere(&self) -> bool {
        self.hold.is_free()
            && self.facts.pins.is_empty()
            && self.facts.schema.is_some()
            && !self.facts.settings.has_auto_is_null()
    }

    /// Whether the cache may answer reads in the block that it has begun: each statement of it sees what is committed then.
    fn reads_cache_in_block(&self) -> bool {
        self.database.config.caching.in_transactions
            && self.facts.begun.is_some()
            && self.isolation() == Some(Isolation::Committed)
    }

    /// Where the session stands for the next statement.
    pub(crate) fn standing(&self) -> Standing {
        if self.in_transaction() || !self.facts.settings.is_autocommit() {
            Standing::InTransaction
        } else if !self.facts.pins.is_empty() {
            Standing::Pinned
        } else if self.facts.schema.is_some() && !self.facts.settings.has_auto_is_null() {
            Standing::Free
        } else {
            Standing::Bound
        }
    }
}
