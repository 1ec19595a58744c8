//! Where a session stands for its next statement, and whether the cache may answer that there.

use std::sync::Arc;

use cache::{
    Freshness,
    sql::{Hint, Verdict, mysql::Kind},
};
use serving::{
    clock::since_midnight,
    config::InTransactions,
    observe::CacheStatus,
    verdict::{Terms, freshness},
};

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
        let caching = &self.caching;
        match text.verdict(|| self.standing(), caching, midnight) {
            Cacheable::No(CacheStatus::Disabled) => Cacheable::No(CacheStatus::Disabled),
            Cacheable::No(_) if self.has_nothing_to_show(text) => {
                let fresh = freshness(&Hint::default(), caching.usual());
                Cacheable::Yes(Terms { tables: Arc::default(), fresh, may_last: false })
            }
            Cacheable::No(CacheStatus::Transaction) if self.may_read_cache_in_block(text) => {
                text.verdict(|| Standing::Free, caching, midnight)
            }
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
            && self.hold.is_free()
            && self.has_nothing_anywhere()
    }

    /// Whether the cache may answer a text within a transaction: what reads no table is no part of one that has not reached a
    /// backend, and what does may be as old as outside of one where that is wanted.
    fn may_read_cache_in_block(&self, text: &Text) -> bool {
        match text.judged.as_deref().map(|judged| &judged.verdict) {
            Some(Verdict::Cacheable { tables }) if tables.is_empty() => {
                self.hold.is_free() && self.has_nothing_anywhere()
            }
            Some(Verdict::Cacheable { .. } | Verdict::Timed { .. }) => {
                self.is_in_reading_block(self.caching.in_transactions)
            }
            Some(Verdict::Refused(_)) | None => false,
        }
    }

    /// Whether the session has nothing that a backend would have to know, but for a block that it has begun.
    fn has_nothing_anywhere(&self) -> bool {
        self.facts.pins.is_empty()
            && self.facts.schema.is_some()
            && !self.facts.settings.has_auto_is_null()
    }

    /// Whether it is in a transaction that has only read, in which so much of the cache may be read: at READ COMMITTED each
    /// statement sees what is committed then, at REPEATABLE READ all of them what the first does, which no backend has run.
    fn is_in_reading_block(&self, allowed: InTransactions) -> bool {
        if allowed == InTransactions::Off || !self.has_nothing_anywhere() {
            return false;
        }
        let is_free = self.hold.is_free();
        match self.isolation() {
            Some(Isolation::Committed) => is_free || self.has_only_read(),
            Some(Isolation::Repeatable) => is_free && allowed == InTransactions::Repeatable,
            Some(Isolation::Other) | None => false,
        }
    }

    /// Counts a read that the cache would have been asked, were that allowed in transactions.
    pub(crate) fn counts_unasked(&self, text: &Text, status: CacheStatus) {
        if status == CacheStatus::Transaction
            && self.caching.in_transactions == InTransactions::Off
            && self.is_in_reading_block(InTransactions::Repeatable)
            && let Cacheable::Yes(_) = text.verdict(|| Standing::Free, &self.caching, || None)
        {
            self.database.metrics.transaction_reads.inc();
        }
    }

    /// How the cache is asked: in a transaction at REPEATABLE READ all is of the moment when it was asked first.
    pub(crate) fn in_one_moment(&self, fresh: Freshness) -> Freshness {
        let is_one = |_: &_| self.is_to_begin() && self.isolation() != Some(Isolation::Committed);
        Freshness { born_by: self.facts.answered.filter(is_one), ..fresh }
    }

    /// Whether a transaction begins with the next statement that reaches a backend.
    pub(crate) fn is_to_begin(&self) -> bool {
        self.hold.is_free() && self.is_in_block()
    }

    /// Whether the next statement runs in a transaction that does not end with it.
    pub(crate) fn is_in_block(&self) -> bool {
        self.in_transaction() || !self.facts.settings.is_autocommit()
    }

    /// Where the session stands for the next statement.
    pub(crate) fn standing(&self) -> Standing {
        if self.is_in_block() {
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
