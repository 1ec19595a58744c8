//! Who answers a request: the proxy itself, the cache, or a backend.

use std::sync::Arc;

use cache::sql::{
    Hint,
    postgres::{Analysis, Kind},
};
use protocol::postgres::message;
use serving::{
    clock::since_midnight,
    error::SessionError,
    lookup::{Answer, Question},
    observe::{CacheStatus, Saved},
    verdict::Terms,
};
use tokio::time::Instant;

use super::{
    batch::{self, Frame, Judged, Outgoing, Request, Subject},
    client::Client,
    plan::{self, Cacheable, Standing, Text},
    say_again::Saying,
    session::Session,
    statements::is_settled_by_parse,
    status::STATUS_SETTING,
};

impl Session {
    /// A simple query: answered by ourselves, by the cache, or by a backend.
    pub(crate) async fn simple_query(&mut self, frame: Frame) -> Result<(), SessionError> {
        let came = Instant::now();
        // A body that is no text is the database's to refuse.
        let query = message::query_text(&frame.body).unwrap_or_default();
        let client = &self.client;
        client.database.catalog.begun().await;
        let text = client.judge(query, client.analysis(frame.analysis.as_ref(), query));
        client.received(query.len());
        let is_open = self.hold.work().is_some_and(|work| work.loan.pipeline.is_open());
        if let [one] = text.analysis.statements.as_slice()
            && matches!(&one.kind, Kind::Show(name) if name == STATUS_SETTING)
            && !is_open
        {
            // A question of our own may be under way.
            Box::pin(self.hear_all()).await?;
            self.show_status();
            return Ok(());
        }
        if self.answers_block(query, &text, came) {
            return Ok(());
        }
        let terms = match self.client.verdict(&text, || self.standing_for_cache(&text)) {
            Cacheable::Yes(terms) => terms,
            Cacheable::No(status) => {
                self.counts_unasked(&text, status);
                let asking = match self.say_again(query, &text) {
                    Saying::Answered => {
                        self.client.has_answer(query, &text, (status, came));
                        return Ok(());
                    }
                    Saying::Asked(asking) => asking,
                };
                let asked = self.client.asks(query, &text, (status, came));
                self.forward_query(&frame.body, (text, asked), None).await?;
                self.gather(asking);
                return Ok(());
            }
        };
        let key = plan::simple_key(self.client.key(), query);
        let frames = || vec![frame.clone()];
        match self.look_up(key, &text.analysis.hint, &terms, frames).await {
            Answer::Cache(reply, status) => {
                let transaction = self.transaction();
                self.client.replay_simple(&reply, transaction).await?;
                self.client.has_answer(query, &text, (status, came));
                self.still_in_block();
                Ok(())
            }
            Answer::Origin(fill) => {
                let status = plan::not_found(&text.analysis.hint);
                let asked = self.client.asks(query, &text, (status, came));
                self.forward_query(&frame.body, (text, asked), fill).await
            }
        }
    }

    /// What is held is complete up to a `Sync` or `Flush`: answered by ourselves, by the cache, or by a backend.
    pub(crate) async fn extended_request(&mut self) -> Result<(), SessionError> {
        let came = Instant::now();
        let frames = self.client.end.batch.take();
        let transaction = self.transaction();
        let needs_none = self.hold.is_free() || self.only_closes(&frames);
        if needs_none && self.client.answer_alone(&frames, transaction) {
            self.client.database.metrics.saves(Saved::Describe);
            return Ok(());
        }
        let has_room = |request: &Request<'_>| match &request.subject {
            Subject::New(parse) => self.client.has_room_for(self.hold.work(), parse.rest.len()),
            Subject::Known(_) => true,
        };
        let request = batch::request(&frames, &self.client.facts.statements).filter(has_room);
        if let Some(request) = &request
            && let Some(reply) =
                self.status_reply(request).or_else(|| self.block_reply(request, came))
        {
            return self.replay_extended(&reply, &frames).await;
        }
        if let Some(request) = request.as_ref().filter(|request| request.bind.is_none()) {
            let Err(describes) = self.recall(&frames, request) else { return Ok(()) };
            return self.forward_frames(Outgoing { describes, ..Outgoing::of(frames) }).await;
        }
        let is_for_backend = self.is_for_backend();
        // What wants no more than some rows is not answered with all; of what sets something there are none.
        let is_plain = |request: &Request<'_>| {
            !is_for_backend && (!request.is_limited || self.client.only_sets(request))
        };
        let Some(request) = request.filter(is_plain) else {
            return self.forward_frames(Outgoing::of(frames)).await;
        };
        self.client.database.catalog.begun().await;
        if let Subject::Known(statement) = &request.subject
            && is_settled_by_parse(statement)
            && (statement.settled().is_none() || statement.stays)
        {
            // What its client may expect no backend has said yet; or as what its constants were read is not known.
            return self.forward_frames(Outgoing::of(frames)).await;
        }
        let text = self.client.request_text(&request);
        self.client.shape_of(request.query(), &text);
        let judged = |text, status| Some(Judged { text, status, came });
        let terms = match self.client.verdict(&text, || self.standing_for_cache(&text)) {
            Cacheable::Yes(terms) => terms,
            Cacheable::No(status) => {
                self.counts_unasked(&text, status);
                let asking = match self.say_request_again(&frames, &request, &text).await? {
                    Saying::Answered => {
                        self.client.has_answer(request.query(), &text, (status, came));
                        return Ok(());
                    }
                    Saying::Asked(asking) => asking,
                };
                let judged = judged(text, status);
                self.forward_frames(Outgoing { judged, ..Outgoing::of(frames) }).await?;
                self.gather(asking);
                return Ok(());
            }
        };
        let Some(key) = self.client.request_key(&request) else {
            let judged = judged(text, CacheStatus::Volatile);
            return self.forward_frames(Outgoing { judged, ..Outgoing::of(frames) }).await;
        };
        match self.look_up(key, &text.analysis.hint, &terms, || frames.clone()).await {
            Answer::Cache(reply, status) => {
                self.replay_extended(&reply, &frames).await?;
                self.client.received(request.query().len());
                self.client.has_answer(request.query(), &text, (status, came));
                self.still_in_block();
                Ok(())
            }
            Answer::Origin(fill) => {
                let status = plan::not_found(&text.analysis.hint);
                let judged = judged(text, status);
                self.forward_frames(Outgoing { judged, fill, ..Outgoing::of(frames) }).await
            }
        }
    }

    /// Asks the cache. What is due for a refresh is asked of the origin once more, with these messages.
    async fn look_up(
        &self,
        key: cache::Key,
        hint: &Hint,
        terms: &Terms,
        frames: impl Fn() -> Vec<Frame>,
    ) -> Answer {
        let Client { context, database, .. } = &self.client;
        let question = Question {
            cache: &context.common.cache,
            scope: database.catalog.scope(),
            key,
            tables: &terms.tables,
            fresh: database.catalog.fresh(terms),
            hint,
            follows: self.hold.is_free().then_some(database.config.pool.checkout_timeout),
        };
        question.ask(|fill, fresh| self.client.refresh(frames(), fill, fresh)).await
    }
}

impl Client {
    /// The key of all that shapes its replies.
    pub(crate) fn key(&mut self) -> &cache::Key {
        self.facts.key(self.database.catalog.view())
    }

    /// What the text of a request means. It is judged once: what is sent to a backend is sent with it.
    pub(crate) fn request_text(&self, request: &Request<'_>) -> Text {
        let mut text = self.judge(request.query(), self.request_analysis(request));
        let values = |bind| plan::with_values(&text.analysis, bind, request.types());
        if let Some(analysis) = request.bind.as_ref().and_then(values) {
            text.analysis = analysis;
        }
        text
    }

    /// What the text of a request says.
    pub(crate) fn request_analysis(&self, request: &Request<'_>) -> Arc<Analysis> {
        match &request.subject {
            Subject::New(parse) => match self.prepared_before(parse) {
                Some(last) => Arc::clone(&last.analysis),
                None => self.analysis(request.analysis, parse.query),
            },
            Subject::Known(statement) => Arc::clone(&statement.analysis),
        }
    }

    /// Whether its text does nothing but set, which has no rows.
    fn only_sets(&self, request: &Request<'_>) -> bool {
        let analysis = self.request_analysis(request);
        analysis.statements.iter().all(|one| one.kind == Kind::Set)
    }

    pub(crate) fn request_key(&mut self, request: &Request<'_>) -> Option<cache::Key> {
        let meaning = Arc::clone(self.facts.meaning(&self.database.meanings));
        let statement = (request.query(), request.types());
        plan::extended_key(self.key(), &meaning, statement, request)
    }

    /// Whether the cache may answer a text, of a session that stands so.
    pub(crate) fn verdict(&self, text: &Text, standing: impl FnOnce() -> Standing) -> Cacheable {
        let midnight = || self.facts.parameters.get("TimeZone").and_then(since_midnight);
        text.verdict(standing, &self.caching, midnight)
    }
}
