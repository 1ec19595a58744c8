//! A transaction block that has begun and done nothing: its client was told so, and no backend is held for it.
//!
//! PostgreSQL takes no snapshot before the first statement, so that nobody can tell whether BEGIN came with that. `opening`
//! is how a backend hears of it, `parting` how the end of a block is not waited for.

use bytes::BytesMut;
use cache::{
    Reply,
    sql::postgres::{Analysis, Kind, StatementFacts},
};
use protocol::postgres::{encode, pipeline::TransactionStatus};
use serving::{
    activity::State,
    config::{InTransactions, PoolMode},
    hold::Hold,
    observe::{CacheStatus, Saved},
};
use tokio::time::Instant;

use super::{
    batch::Request,
    block::{self, Begun, Isolation},
    client::Client,
    origin::isolation_of,
    parameters::Parameters,
    plan::{Cacheable, Standing, Text},
    session::Session,
    waiting::Waiting,
    work::Work,
};

/// The setting that says how a transaction is isolated which does not say so itself.
const DEFAULT_ISOLATION: &str = "default_transaction_isolation";
/// The client's own limits for a block that does nothing, which the server keeps.
const LIMITS: [&str; 2] = ["idle_in_transaction_session_timeout", "transaction_timeout"];

impl Session {
    /// A simple query that begins or ends a block, or is about its savepoints, is answered here if that can be done. False
    /// where it cannot.
    pub(crate) fn answers_block(&mut self, query: &[u8], text: &Text, came: Instant) -> bool {
        let [StatementFacts { kind, .. }] = text.analysis.statements.as_slice() else {
            return false;
        };
        if !kind.is_about_block() {
            return false;
        }
        let status = self.status_of(text);
        let Some(tag) = self.answer_block(query, &text.analysis) else { return false };
        let transaction = self.transaction();
        let client = &mut self.client;
        // As `exec_simple_query` does.
        client.facts.statements.remove(b"");
        encode::frame(b'C', &[tag.as_bytes(), b"\0"], client.end.queue());
        encode::ready_for_query(transaction, client.end.queue());
        client.has_answer(query, text, (status, came));
        client.shows_block();
        true
    }

    /// The same of an extended request.
    pub(crate) fn block_reply(&mut self, request: &Request<'_>, came: Instant) -> Option<Reply> {
        let query = request.query();
        let bind = request.bind.as_ref()?;
        if !block::may_be_one(query) || !bind.portal.is_empty() {
            return None;
        }
        if !bind.parameters().ok()?.values.is_empty() {
            // To be refused.
            return None;
        }
        let text = self.client.request_text(request);
        let status = self.status_of(&text);
        let tag = self.answer_block(query, &text.analysis)?;
        let mut complete = BytesMut::new();
        encode::frame(b'C', &[tag.as_bytes(), b"\0"], &mut complete);
        self.client.received(query.len());
        self.client.has_answer(query, &text, (status, came));
        self.client.shows_block();
        Some(Reply {
            description: request.description(encode::NO_DATA),
            rows: Vec::new(),
            complete: complete.freeze(),
        })
    }

    /// Begins or ends a block that no backend need hear of before its client does, or makes and takes back a savepoint in it,
    /// and says what that is called.
    fn answer_block(&mut self, query: &[u8], analysis: &Analysis) -> Option<&'static str> {
        if let Some(begun) = block::begun(query) {
            if !self.hold.is_free() || !self.client.may_begin(&begun) {
                return None;
            }
            let tag = begun.tag;
            self.client.begun = Some(Box::new(Waiting::new(begun)));
            return Some(tag);
        }
        let Some(end) = block::end(query) else { return self.answer_point(analysis) };
        if !self.hold.is_free() {
            return self.parts(query, end).then_some(end.tag);
        }
        let begun = self.client.begun.take()?;
        if end.chains {
            self.client.begun = Some(Box::new(begun.chained()));
        }
        self.client.database.metrics.saves(Saved::Begin);
        self.client.database.metrics.saves(Saved::Commit);
        Some(end.tag)
    }

    /// What is about a savepoint of a block of which no backend has heard.
    fn answer_point(&mut self, analysis: &Analysis) -> Option<&'static str> {
        let [one] = analysis.statements.as_slice() else { return None };
        if !self.hold.is_free() {
            return None;
        }
        let tag = self.client.begun.as_mut()?.point(&one.kind)?;
        self.client.database.metrics.saves(Saved::Begin);
        Some(tag)
    }

    /// What the cache says of a statement that it is not asked for.
    fn status_of(&self, text: &Text) -> CacheStatus {
        match self.client.verdict(text, || self.standing()) {
            Cacheable::No(status) => status,
            Cacheable::Yes(_) => CacheStatus::Uncacheable,
        }
    }

    /// Where the session stands when the cache is asked: in a block at READ COMMITTED that has done nothing but read what the
    /// cache has may be what the database would say. That goes for what it has of the catalogs as long as no backend has heard
    /// of the block, and where it is allowed for all.
    pub(crate) fn standing_for_cache(&self, text: &Text) -> Standing {
        let is_allowed = self.client.caching.in_transactions != InTransactions::Off;
        let may_be_read = || is_allowed || (self.hold.is_free() && text.only_looks_up());
        match self.is_in_reading_block() && may_be_read() {
            true => self.client.standing_free(),
            false => self.standing(),
        }
    }

    /// Whether it is in a block that has done nothing but read, each statement of which sees what is committed when it begins.
    fn is_in_reading_block(&self) -> bool {
        match &self.hold {
            Hold::Free => self.client.waits_committed(),
            Hold::Held(work) => self.client.reads_committed(work),
        }
    }

    /// Whether a request is for the backend that is held, whatever it says: that is at work, or has a block open in which nobody
    /// else is asked.
    pub(crate) fn is_for_backend(&self) -> bool {
        self.hold.work().is_some_and(|work| work.is_busy() && !self.client.may_ask_cache(work))
    }

    /// Counts a read that the cache would have been asked, were that allowed in transactions.
    pub(crate) fn counts_unasked(&self, text: &Text, status: CacheStatus) {
        self.client.counts_unasked(text, status, || self.is_in_reading_block());
    }

    /// Others see that its block is open still.
    pub(crate) fn still_in_block(&self) {
        if self.transaction() != TransactionStatus::Idle {
            self.client.seen.is(State::InTransaction, Instant::now());
        }
    }
}

impl Client {
    /// Whether the cache is asked in the block that is open at the backend.
    pub(crate) fn may_ask_cache(&self, work: &Work) -> bool {
        self.caching.in_transactions != InTransactions::Off && self.reads_committed(work)
    }

    /// Counts a read that the cache would have been asked, were that allowed in blocks that have only read.
    pub(crate) fn counts_unasked(
        &self,
        text: &Text,
        status: CacheStatus,
        has_only_read: impl FnOnce() -> bool,
    ) {
        if status == CacheStatus::Transaction
            && self.caching.in_transactions == InTransactions::Off
            && has_only_read()
            && let Cacheable::Yes(_) = self.verdict(text, || self.standing_free())
        {
            self.database.metrics.transaction_reads.inc();
        }
    }

    /// The status that a client without a backend is told.
    pub(crate) fn transaction(&self) -> TransactionStatus {
        match &self.begun {
            Some(_) => TransactionStatus::InTransaction,
            None => TransactionStatus::Idle,
        }
    }

    /// Whether a BEGIN may be answered before a backend has heard it. Who has said more already does not wait for its answer:
    /// that goes on in the same write.
    fn may_begin(&self, begun: &Begun) -> bool {
        let config = &self.database.config;
        let is_refused = || begun.wants_primary && !is_primary(&self.facts.parameters);
        let has_limit = || LIMITS.iter().any(|name| self.facts.settings.get(name).is_some());
        config.round_trips.begin
            && config.pool.mode == PoolMode::Transaction
            && self.begun.is_none()
            && self.facts.is_readable
            && self.end.input().is_empty()
            && !is_refused()
            && !has_limit()
    }

    /// How a block is isolated that begins now, at a backend that isolates so where nobody says how.
    pub(crate) fn isolation(&self, begun: &Begun, usual: Option<Isolation>) -> Option<Isolation> {
        begun.isolation.or_else(|| match self.facts.settings.assignment(DEFAULT_ISOLATION) {
            Some(sql) => Isolation::named_in(sql),
            None => usual,
        })
    }

    /// Whether it has begun a block of which no backend has heard, in which each statement sees what is committed when that
    /// begins.
    pub(crate) fn waits_committed(&self) -> bool {
        self.begun.as_ref().is_some_and(|waiting| {
            let usual = || self.database.generations.known(isolation_of);
            let isolation = self.isolation(&waiting.begun, None).or_else(|| {
                self.facts.settings.get(DEFAULT_ISOLATION).is_none().then(usual).flatten()
            });
            isolation == Some(Isolation::Committed)
        })
    }

    /// It was told without a backend what a statement is or answers: where that takes a snapshot at the server, its block has
    /// one.
    pub(crate) fn has_read(&mut self, analysis: &Analysis) {
        if let Some(waiting) = &mut self.begun
            && analysis.statements.iter().any(|one| matches!(one.kind, Kind::Select | Kind::Write))
        {
            waiting.reads();
        }
    }

    /// Others see whether its block is open.
    fn shows_block(&self) {
        if self.begun.is_some() {
            self.seen.is(State::InTransaction, Instant::now());
        }
    }
}

/// Whether the origin is no standby, as far as is known.
fn is_primary(parameters: &Parameters) -> bool {
    parameters.get("in_hot_standby").is_none_or(|value| value == "off")
}
