//! Answers without a backend: from the cache, and of our own.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cache::{
    Fill, Flight, Lookup, Reply,
    sql::{
        Hint, TableName,
        postgres::{Analysis, Kind},
    },
};
use memchr::memmem;
use origin::net::{Framed, Stream};
use protocol::postgres::{
    encode,
    frame::{FrontendTag, HEADER_LEN, Header},
    message::{Bind, Parse, Target},
    pipeline::TransactionStatus,
};
use serving::{
    error::SessionError,
    observe::{CacheStatus, told},
};
use tokio::time::timeout;

use super::{
    batch::{self, Frame, Request, Subject},
    forward::STATUS_SETTING,
    handshake::Client,
    plan::{self, Cacheable, Text},
    prepared::Statement,
    session::{HIGH_WATER, Session},
    settled::Settled,
};

/// Longest time for a refresh: by then its entry cannot be served any more in most configs.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(120);
/// How much a refresh may have under way between the session that runs it and the task that throws it away.
const REFRESH_PIPE: usize = 256 * 1024;
/// A longer text is no SHOW of ours.
const LONGEST_SHOW: usize = 256;

/// Who answers a request that may be cached.
pub(crate) enum Answer {
    /// The cache has it.
    Cache(Arc<Reply>, CacheStatus),
    /// The origin does. The reply is to be kept if it comes with a place to keep it.
    Origin(Option<Fill>),
}

impl Session {
    /// What is held is complete up to a `Sync` or `Flush`: answered by ourselves, by the cache, or by a backend.
    pub(crate) async fn extended_request(&mut self) -> Result<(), SessionError> {
        let frames = self.batch.take();
        if self.loan.is_none() && self.answer_alone(&frames) {
            return Ok(());
        }
        let has_room = |request: &Request<'_>| match &request.subject {
            Subject::New(parse) => self.has_room_for(parse.rest.len()),
            Subject::Known(_) => true,
        };
        let request = batch::request(&frames, &self.facts.statements).filter(has_room);
        if let Some(request) = &request
            && let Some(reply) = self.status_reply(request)
        {
            return self.replay_extended(&reply, &frames).await;
        }
        let may_be_kept = !self.database.config.caching.disabled && !self.is_busy();
        // Nothing is kept of a Parse alone.
        let request = request.filter(|request| may_be_kept && request.asks());
        let Some(request) = request else {
            return self.forward_frames(frames, None).await;
        };
        self.database.catalog.begun().await;
        if let Subject::Known(statement) = &request.subject
            && (statement.settled().is_none() || statement.stays)
        {
            // What its client may expect no backend has said yet; or as what its constants were read is not known.
            return self.forward_frames(frames, None).await;
        }
        let is_run = request.bind.is_some();
        let text = self.request_text(&request);
        let tables = match text.verdict(|| self.standing(), &self.database.config.caching) {
            Cacheable::Yes(tables) => tables,
            Cacheable::No(status) => {
                self.next_status = is_run.then_some(status);
                return self.forward_frames(frames, None).await;
            }
        };
        let statement = match &request.subject {
            Subject::New(parse) => (parse.query, parse.types),
            Subject::Known(statement) => (statement.source.query(), statement.source.types()),
        };
        let meaning = Arc::clone(self.facts.meaning(&self.database.meanings));
        let session = self.facts.key(self.database.catalog.view());
        let Some(key) = plan::extended_key(session, &meaning, statement, &request) else {
            self.next_status = Some(CacheStatus::Volatile);
            return self.forward_frames(frames, None).await;
        };
        let query_len = statement.0.len() as u64;
        match self.look_up(key, &text.analysis.hint, &tables, || frames.clone()).await {
            Answer::Cache(reply, status) => {
                if is_run {
                    self.database.metrics.query_bytes.inc_by(query_len);
                    self.count(status);
                }
                self.replay_extended(&reply, &frames).await
            }
            Answer::Origin(fill) => {
                self.next_status = is_run.then(|| plan::not_found(&text.analysis.hint));
                self.forward_frames(frames, fill).await
            }
        }
    }

    /// What the client is told of its last statement.
    fn told_status(&self) -> Cow<'static, str> {
        told(self.last_status, self.facts.pins.first().map(|pin| pin.as_str()))
    }

    /// Answers a simple query that asks what the cache made of the statement before.
    pub(crate) fn show_status(&mut self) {
        let status = match &self.loan {
            Some(loan) => loan.pipeline.status(),
            None => TransactionStatus::Idle,
        };
        let told = self.told_status();
        let out = self.client.queue();
        encode::text_row(&[(STATUS_SETTING, &told)], "SHOW", out);
        encode::ready_for_query(status, out);
    }

    /// The answer to a request that asks what the cache made of the statement before.
    fn status_reply(&self, request: &Request<'_>) -> Option<Reply> {
        let is_ours = match &request.subject {
            Subject::New(parse) => self.is_status_text(parse.query, request.analysis),
            Subject::Known(statement) => {
                self.is_status_text(statement.source.query(), Some(&statement.analysis))
            }
        };
        if !is_ours {
            return None;
        }
        let mut frames = BytesMut::new();
        encode::text_row(&[(STATUS_SETTING, &self.told_status())], "SHOW", &mut frames);
        let mut frames = frames.freeze();
        let columns = split_frame(&mut frames);
        let described = [
            (request.describes_statement, &b"t\0\0\0\x06\0\0"[..]),
            (request.describes_statement, &columns),
            (request.describes_portal, &columns),
        ];
        let description = described.iter().filter(|(is_asked, _)| *is_asked);
        let description: Vec<u8> = description.flat_map(|(_, frame)| frame.to_vec()).collect();
        let rows = vec![split_frame(&mut frames)];
        Some(Reply { description: description.into(), rows, complete: frames })
    }

    fn is_status_text(&self, query: &[u8], known: Option<&Arc<Analysis>>) -> bool {
        // Most texts are told apart without being read.
        query.len() <= LONGEST_SHOW && memmem::find(query, b"cache_status").is_some() && {
            let analysis = self.analysis(known, query);
            let [one] = analysis.statements.as_slice() else { return false };
            matches!(&one.kind, Kind::Show(name) if name == STATUS_SETTING)
        }
    }

    /// Whether a message belongs to a question of ours within a transaction, where all else is sent on as it comes.
    pub(crate) fn asks_status(&self, frame: &Frame) -> bool {
        if !self.loan.as_ref().is_some_and(|loan| loan.pipeline.is_quiet()) || !self.is_busy() {
            return false;
        }
        let is_known = |name: &[u8]| {
            let statement = self.facts.statements.get(name);
            statement.is_some_and(|statement| {
                self.is_status_text(statement.source.query(), Some(&statement.analysis))
            })
        };
        match frame.tag {
            _ if !self.batch.is_empty() => true,
            FrontendTag::Parse => Parse::decode(&frame.body)
                .is_ok_and(|parse| self.is_status_text(parse.query, frame.analysis.as_ref())),
            FrontendTag::Bind => {
                Bind::decode(&frame.body).is_ok_and(|bind| is_known(bind.statement))
            }
            FrontendTag::Describe => match Target::decode(&frame.body) {
                Ok(Target::Statement(name)) => is_known(name),
                _ => false,
            },
            _ => false,
        }
    }

    /// Asks the cache. What is due for a refresh is asked of the origin once more, with these messages.
    pub(crate) async fn look_up(
        &self,
        key: cache::Key,
        hint: &Hint,
        tables: &[TableName],
        frames: impl FnOnce() -> Vec<Frame>,
    ) -> Answer {
        let fresh = plan::freshness(hint, &self.database.config.caching);
        let (cache, scope) = (&self.context.common.cache, self.database.catalog.scope());
        if hint.no_cache {
            return Answer::Origin(cache.renew(key, scope, tables));
        }
        let mut has_followed = false;
        loop {
            match cache.lookup(key, scope, tables, fresh) {
                Lookup::Hit(reply) => return Answer::Cache(reply, CacheStatus::Hit),
                Lookup::Stale(reply, fill) => {
                    if let Some(fill) = fill {
                        self.refresh(frames(), fill);
                    }
                    return Answer::Cache(reply, CacheStatus::Stale);
                }
                Lookup::Lead(fill) => return Answer::Origin(Some(fill)),
                Lookup::Follow(flight) => {
                    // Boxed: few wait for another's answer.
                    if let Some(reply) = Box::pin(self.landed(flight)).await {
                        return Answer::Cache(reply, CacheStatus::Hit);
                    }
                    // The leader failed. One of those who followed leads once more, or else all would ask at once;
                    // what fails twice would keep them in line.
                    if std::mem::replace(&mut has_followed, true) || self.loan.is_some() {
                        return Answer::Origin(None);
                    }
                }
                Lookup::Written => return Answer::Origin(None),
            }
        }
    }

    /// Answers what needs no backend: a `Sync` with nothing before it, and the closing of statements.
    fn answer_alone(&mut self, frames: &[Frame]) -> bool {
        let is_alone = frames.iter().all(|frame| match frame.tag {
            FrontendTag::Sync | FrontendTag::Flush => true,
            FrontendTag::Close => matches!(Target::decode(&frame.body), Ok(Target::Statement(_))),
            _ => false,
        });
        if is_alone {
            for frame in frames {
                match frame.tag {
                    FrontendTag::Close => self.close_locally(&frame.body),
                    FrontendTag::Sync => {
                        encode::ready_for_query(TransactionStatus::Idle, self.client.queue());
                    }
                    _ => {}
                }
            }
        }
        is_alone
    }

    fn close_locally(&mut self, body: &[u8]) {
        if let Ok(Target::Statement(name)) = Target::decode(body) {
            self.facts.statements.remove(name);
        }
        self.client.queue().extend_from_slice(encode::CLOSE_COMPLETE);
    }

    fn request_text(&self, request: &Request<'_>) -> Text {
        match &request.subject {
            Subject::New(parse) => match self.prepared_before(parse) {
                Some(last) => self.judge(parse.query, Arc::clone(&last.analysis)),
                None => self.judge(parse.query, self.analysis(request.analysis, parse.query)),
            },
            Subject::Known(statement) => self.judge_statement(statement),
        }
    }

    /// Waits for the session that asks the origin for the same reply, for as long as a checkout may take.
    pub(crate) async fn landed(&self, flight: Flight) -> Option<Arc<Reply>> {
        if self.loan.is_some() {
            // Whoever asks may be waiting for this very connection.
            return None;
        }
        let limit = self.database.config.pool.checkout_timeout;
        timeout(limit, flight.landed()).await.ok().flatten()
    }

    /// Answers a simple query from the cache.
    pub(crate) async fn replay_simple(
        &mut self,
        reply: &Reply,
        status: CacheStatus,
    ) -> Result<(), SessionError> {
        self.count(status);
        // As `exec_simple_query` does, wherever the reply came from.
        self.facts.statements.remove(b"");
        self.client.queue().extend_from_slice(&reply.description);
        self.put_rows(reply).await?;
        encode::ready_for_query(TransactionStatus::Idle, self.client.queue());
        Ok(())
    }

    /// Answers each message of an extended request from the cache.
    async fn replay_extended(
        &mut self,
        reply: &Reply,
        frames: &[Frame],
    ) -> Result<(), SessionError> {
        let status = self.loan.as_ref().map_or(TransactionStatus::Idle, |l| l.pipeline.status());
        let mut description = reply.description.clone();
        let mut subject = None;
        for frame in frames {
            match frame.tag {
                FrontendTag::Parse => {
                    let parse = Parse::decode(&frame.body).map_err(SessionError::ClientProtocol)?;
                    subject = Some(self.register(&parse, frame.analysis.as_ref()).0);
                    self.client.queue().extend_from_slice(encode::PARSE_COMPLETE);
                }
                FrontendTag::Bind => self.client.queue().extend_from_slice(encode::BIND_COMPLETE),
                FrontendTag::Describe => {
                    // A statement has two messages, its parameters and its columns; a portal one.
                    let types = match Target::decode(&frame.body) {
                        Ok(Target::Statement(name)) => Some((name, split_frame(&mut description))),
                        _ => None,
                    };
                    let rows = split_frame(&mut description);
                    if let Some((name, types)) = types {
                        self.client.queue().extend_from_slice(&types);
                        self.settle_by_reply(subject.as_ref(), name, &types, &rows);
                    }
                    self.client.queue().extend_from_slice(&rows);
                }
                FrontendTag::Execute => self.put_rows(reply).await?,
                FrontendTag::Close => self.close_locally(&frame.body),
                FrontendTag::Sync => {
                    encode::ready_for_query(status, self.client.queue());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A statement whose description the cache has is what the backend was, which described it.
    fn settle_by_reply(
        &mut self,
        statement: Option<&Arc<Statement>>,
        name: &[u8],
        types: &[u8],
        rows: &[u8],
    ) {
        let Some(statement) = statement else { return };
        let types = types.get(HEADER_LEN..).unwrap_or_default();
        let rows = rows.strip_prefix(b"T").and_then(|rows| rows.get(HEADER_LEN - 1..));
        let shared = self.database.registry.settle(statement, Settled::new(types, rows));
        self.facts.statements.share(name, statement, shared);
    }

    /// Queues rows and tag, waiting for the client whenever it has enough to read.
    async fn put_rows(&mut self, reply: &Reply) -> Result<(), SessionError> {
        let mut bytes = reply.complete.len();
        for rows in &reply.rows {
            bytes += rows.len();
            self.client.queue().extend_from_slice(rows);
            if self.client.queued() >= HIGH_WATER {
                timeout(self.write_timeout, self.client.flush())
                    .await
                    .map_err(|_elapsed| SessionError::ClientStuck)?
                    .map_err(SessionError::ClientLost)?;
            }
        }
        self.client.queue().extend_from_slice(&reply.complete);
        self.database.metrics.result_bytes.inc_by(bytes as u64);
        Ok(())
    }

    /// Asks the origin once more in the background, as a session of its own that nobody listens to.
    ///
    /// Where clients are in line for the connections it is not asked: the next one who finds it stale tries again.
    pub(crate) fn refresh(&self, mut frames: Vec<Frame>, fill: Fill) {
        let Some(turn) = self.database.pool.turn_aside() else { return };
        if frames.last().is_some_and(|frame| frame.tag == FrontendTag::Flush) {
            // Nobody will come back to send it.
            frames.push(Frame::new(FrontendTag::Sync, Bytes::new()));
        }
        let (near, mut far) = tokio::io::duplex(REFRESH_PIPE);
        let client = Client {
            framed: Framed::new(Stream::Duplex(near)),
            database: Arc::clone(&self.database),
            key: self.context.cancel.issue(&self.database, false),
            base: Arc::clone(&self.facts.base),
            parameters: self.facts.parameters.clone(),
            statement_timeout: self.statement_timeout,
        };
        let context = Arc::clone(&self.context);
        let mut ghost = Self::new(client, context, self.write_timeout);
        ghost.facts = self.facts.for_refresh();
        self.context.common.tasks.spawn(async move {
            let _turn = turn;
            let run = async {
                match timeout(REFRESH_TIMEOUT, ghost.run_once(frames, fill)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::debug!(error, "refresh failed");
                    }
                    Err(_elapsed) => tracing::debug!("refresh took too long"),
                }
                drop(ghost);
            };
            let mut nowhere = tokio::io::sink();
            let (_, drained) = tokio::join!(run, tokio::io::copy(&mut far, &mut nowhere));
            drop(drained);
        });
    }
}

/// Takes one frame from the front of `frames`.
fn split_frame(frames: &mut Bytes) -> Bytes {
    match Header::peek(frames) {
        Ok(Some(header)) if header.frame_len() <= frames.len() => {
            frames.split_to(header.frame_len())
        }
        _ => std::mem::take(frames),
    }
}
