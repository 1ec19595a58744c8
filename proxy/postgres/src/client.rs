//! A client as its session knows it, whether that has a backend or not.
//!
//! What is done with a backend is given the [`Work`] that it is held for. So nothing here can ask whether there is one, or
//! take it away from under whoever is using it.

use std::{sync::Arc, time::Duration};

use cache::{
    Writing,
    sql::{
        Writes,
        postgres::{Analysis, Pin},
    },
};
use serving::{
    activity::Seen,
    config::{CachingConfig, Limit, PoolMode},
    observe::CacheStatus,
};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    client_end::ClientEnd,
    database::Database,
    facts::Facts,
    handshake::LoggedIn,
    plan::{self, Standing, Text},
    prepared::Statement,
    waiting::Waiting,
    work::Work,
};

/// All of a session but its backend.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) end: ClientEnd,
    pub(crate) database: Arc<Database>,
    pub(crate) context: Arc<Context>,
    pub(crate) facts: Facts,
    /// As others see it.
    pub(crate) seen: Seen,
    /// What the cache made of its last statement.
    pub(crate) last_status: CacheStatus,
    /// How long a statement of its may run.
    pub(crate) statement_timeout: Limit,
    /// How long its reads live.
    pub(crate) caching: Arc<CachingConfig>,
    /// The block that it has begun, until a backend has heard of it.
    pub(crate) begun: Option<Box<Waiting>>,
    /// Cancelled once the end of its last block was heard, where it did not wait for that.
    pub(crate) parting: Option<CancellationToken>,
}

impl Client {
    /// One that has just logged in.
    pub(crate) fn new(client: LoggedIn, context: Arc<Context>, write_timeout: Duration) -> Self {
        Self {
            end: ClientEnd::new(client.framed, client.key, write_timeout),
            database: client.database,
            context,
            facts: Facts::new(client.base, client.parameters),
            seen: client.seen,
            last_status: CacheStatus::NotAQuery,
            statement_timeout: client.statement_timeout,
            caching: client.caching,
            begun: None,
            parting: None,
        }
    }

    /// Where it stands with nothing under way.
    pub(crate) fn standing_free(&self) -> Standing {
        match plan::is_standard(&self.facts.parameters) {
            true => Standing::Free,
            false => Standing::Bound,
        }
    }

    /// What a statement's text means with the present catalog.
    pub(crate) fn judge_statement(&self, statement: &Statement) -> Text {
        self.judge(statement.source.query(), Arc::clone(&statement.analysis))
    }

    /// What an analysed text means with the present catalog.
    pub(crate) fn judge(&self, query: &[u8], analysis: Arc<Analysis>) -> Text {
        let changes = self.database.catalog.changes();
        let text = Text::new(query, analysis, self.database.catalog.known().as_ref(), changes);
        if self.database.config.round_trips.catalog { text } else { text.without_look_ups() }
    }

    /// Keeps the session on its backend from now on.
    pub(crate) fn pin(&self, work: &mut Work, pin: Pin) {
        if work.pins.insert(pin) {
            self.database.metrics.pin(pin.as_str());
            tracing::debug!(reason = pin.as_str(), "session is pinned to its backend");
        }
    }

    /// Whether nothing ties the client to its backend at this moment.
    pub(crate) fn is_free_of(&self, work: &Work) -> bool {
        let is_kept = work.is_pinned()
            || work.drawn.look().is_some()
            || self.end.is_torn()
            || self.database.config.pool.mode == PoolMode::Session;
        !work.is_busy() && !is_kept
    }

    /// Whether the backend may go back as soon as all is written.
    pub(crate) fn may_settle(&self, work: &Work) -> bool {
        work.is_settled() && self.is_free_of(work)
    }

    /// Takes what was written out of the cache.
    pub(crate) fn invalidate(&self, writes: &Writes, writing: Option<&Writing>) {
        if *writes != Writes::None && self.database.catalog.is_cached() {
            let scope = self.database.catalog.scope();
            self.context.common.cache.written(scope, writes, writing);
        }
    }
}
