//! Texts: read, answered by the cache or by a backend, and what is sent.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cache::sql::mysql::{Analysis, AnalysisMemo, Classified, Kind, Modes, Rights};
use protocol::mysql::{
    capabilities::CapabilityFlags,
    command::{CommandTag, Query},
    exchange::CommandKind,
};
use serving::{
    error::{ClientError, SessionError},
    heavy::LONG_TEXT,
    hold::Hold,
    observe::CacheStatus,
};

use super::{
    adopt::Refusal,
    astray::Astray,
    backend::{Backend, Note},
    columns_end::Foresight,
    facts::Open,
    outcome::{Along, Outcome},
    parts::Answer,
    plan::{Cacheable, Standing, Text},
    refresh::Again,
    relay::Relay,
    replay::Form,
    session::Session,
    settings::Reading,
    wait::Event,
};

/// The text by which a client asks how its last statement was answered.
const STATUS_QUESTION: &[u8] = b"show jumpgate status";

/// What is sent to a backend for the client.
#[derive(Debug)]
pub(crate) struct Command<'a> {
    pub(crate) kind: CommandKind,
    /// What its text means, where it has one.
    pub(crate) text: Option<&'a Text>,
    pub(crate) relay: Relay,
}

impl Session {
    /// COM_QUERY.
    pub(crate) async fn query(&mut self, body: &Bytes) -> Result<(), SessionError> {
        let attributes = self.client.has(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
        let Ok(query) = Query::decode(body, attributes) else {
            self.client.refuse_text(1835, "HY000", "Malformed communication packet.");
            return Ok(());
        };
        if is_status_question(query.sql) {
            self.show_status(Form::Text);
            return Ok(());
        }
        self.database.catalog.begun().await;
        let text = self.read_text(body.slice_ref(query.sql)).await;
        let may_kill = |kind: &Kind| matches!(kind, Kind::Kill { .. } | Kind::Execute(_));
        let is_astray = self.facts.astray != Astray::No;
        if (text.has(may_kill) || (text.asks_for_last() || is_astray) && text.may_be_several())
            && Box::pin(self.done_otherwise(&query, &text)).await?
        {
            return Ok(());
        }
        self.runs_text(&text);
        let status = match self.verdict(&text) {
            Cacheable::Yes(terms) if query.attributes.is_empty() => {
                let key = self.text_key(&text);
                let again = || Again::Text(text.clone());
                let Some(mut fill) = self.look_up_key(key, &text, &terms, again).await? else {
                    return Ok(());
                };
                if let Some(reply) = self.foretold(&text)
                    && let Some(own) = fill.take()
                {
                    own.commit(reply);
                    match self.look_up_key(key, &text, &terms, again).await? {
                        None => return Ok(()),
                        Some(again) => fill = again,
                    }
                }
                return self.forward_query(&query, &text, fill).await;
            }
            Cacheable::Yes(_) => CacheStatus::Uncacheable,
            Cacheable::No(status) => status,
        };
        self.counts_unasked(&text, status);
        self.last_status = status;
        if query.attributes.is_empty()
            && (self.answer_accepted(&text).await? || self.answer_boundary(&text).await?)
        {
            return Ok(());
        }
        self.forward_query(&query, &text, None).await
    }

    /// Sends a text to a backend and passes its reply on.
    pub(crate) async fn forward_query(
        &mut self,
        query: &Query<'_>,
        text: &Text,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        let relay = Relay::new(fill, text.may_tell_counters(), self.is_in_block());
        self.forward_text(query, text, relay).await.map(drop)
    }

    /// Sends a text, with what it asks about the last statement written into it. True when it succeeded.
    pub(crate) async fn forward_text(
        &mut self,
        query: &Query<'_>,
        text: &Text,
        mut relay: Relay,
    ) -> Result<bool, SessionError> {
        let mut sql = Bytes::new();
        if text.asks_for_last() || text.mentions(|what| self.asks_for_session(what)) {
            let wanted = self.wanted(Some(text));
            match Box::pin(self.answer_for(text, &wanted)).await? {
                Answer::None => {}
                Answer::Text(text) => sql = text,
                Answer::Rows(rows) => relay.inject = Some(rows),
                Answer::Condition => {
                    self.put_no_such_condition(relay.place.flags());
                    return Ok(true);
                }
            }
        }
        let sent = Query {
            attributes: query.attributes.clone(),
            sql: if sql.is_empty() { query.sql } else { &sql },
        };
        let command = Command { kind: CommandKind::Query, text: Some(text), relay };
        self.forward(command, |backend| {
            let attributes =
                backend.capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
            let mut payload = BytesMut::with_capacity(sent.sql.len() + 16);
            sent.encode(attributes, &mut payload);
            payload
        })
        .await
    }

    /// Sends a command that has no text, as it is.
    pub(crate) async fn pass(
        &mut self,
        tag: CommandTag,
        payload: &Bytes,
    ) -> Result<(), SessionError> {
        let kind = match tag {
            CommandTag::FieldList => CommandKind::FieldList,
            CommandTag::Statistics => CommandKind::Statistics,
            CommandTag::ProcessInfo => CommandKind::Query,
            _ => CommandKind::Simple,
        };
        let command = Command { kind, text: None, relay: Relay::default() };
        self.forward(command, |_backend| BytesMut::from(&payload[..])).await?;
        Ok(())
    }

    /// Gets a backend, makes it look like the client's own, sends one command and passes the reply on. True when
    /// it succeeded.
    pub(crate) async fn forward(
        &mut self,
        mut command: Command<'_>,
        payload: impl FnOnce(&mut Backend) -> BytesMut,
    ) -> Result<bool, SessionError> {
        self.forward_kept(&mut command, payload).await
    }

    /// The same, after which the command tells more.
    pub(crate) async fn forward_kept(
        &mut self,
        command: &mut Command<'_>,
        payload: impl FnOnce(&mut Backend) -> BytesMut,
    ) -> Result<bool, SessionError> {
        if let Err(refusal) = self.lend_for(command.text).await? {
            self.is_refused(command.text);
            self.client.refuse(&refusal);
            return Ok(false);
        }
        let wanted = self.wanted(command.text);
        if let Err(refusal) = self.adopt(&wanted).await? {
            self.is_refused(command.text);
            self.client.refuse(&refusal);
            return Ok(false);
        }
        self.begin_there(command.text)?;
        self.clock.is_untimed = command.text.is_some_and(Text::takes_its_time);
        let work = self.hold.held("send a command")?;
        if !work.loan.on.is_in_use() {
            // What a host says that is not in use any more is not kept.
            command.relay.collect = None;
        }
        let payload = payload(&mut work.loan);
        if let (Along::Sent { .. }, Some(statement)) =
            (command.relay.along, &command.relay.described)
        {
            work.loan.send_prepare(&statement.sql, Note::Prepare);
        }
        let scope = self.database.catalog.scope();
        work.send(command, &payload, (&self.context.common.cache, scope));
        let done = self.finish(command).await?;
        // Only now: whatever ends otherwise is for `leave` to end, as is what a backend that was lost meanwhile may do yet.
        if let Hold::Held(work) = &mut self.hold {
            work.writing = None;
        }
        Ok(done)
    }

    /// Passes the reply on, then learns what became of the session. True when the command succeeded.
    async fn finish(&mut self, command: &mut Command<'_>) -> Result<bool, SessionError> {
        let is_free = matches!(self.standing(), Standing::Free | Standing::InTransaction)
            && !self.in_transaction();
        command.relay.kind = Some(command.kind);
        command.relay.sort = command.text.map(Text::sort).unwrap_or_default();
        command.relay.sort.begins &= !self.in_transaction();
        if !self.client.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            command.relay.foresight = Foresight::of(command.text);
        }
        if let Err(error) = self.relay(&mut command.relay).await {
            return Box::pin(self.unfinished(command.text, is_free, error)).await;
        }
        if command.relay.along.has_failed() && command.relay.failure.is_none() {
            let work = self.hold.held("prepare along")?;
            work.never_ran();
            work.has_begun();
            return Ok(false);
        }
        self.note_fate(command)?;
        if let Some(error) = command.relay.instead {
            self.client.refuse(&Refusal::Proxy(error));
        }
        if let Some(failure) = command.relay.failure.take() {
            let refusal = self.not_led(failure).await?;
            self.is_refused(command.text);
            self.client.refuse(&refusal);
            return Ok(false);
        }
        self.hold.held("begin a block")?.has_begun();
        if self.seen.is_client() {
            self.database.metrics.result_bytes.inc_by(command.relay.bytes as u64);
        }
        if command.relay.outcome.was_too_long {
            self.last_status = CacheStatus::OversizedResult;
        }
        if command.text.is_some() {
            self.count(command.relay.outcome.error.is_some());
        }
        self.learn(command.text, &command.relay.outcome)?;
        if let Some(code) = command.relay.outcome.error {
            self.remember_in_place(code)?;
        }
        Ok(command.relay.outcome.error.is_none())
    }

    /// A command was not answered to its end, and nobody knows what became of it.
    async fn unfinished(
        &mut self,
        text: Option<&Text>,
        is_free: bool,
        error: SessionError,
    ) -> Result<bool, SessionError> {
        let kept = |text| self.beginnings(text, &Outcome::default()) == Rights::Kept;
        let changes = !text.is_none_or(kept);
        let ended = match error {
            SessionError::BackendLost(error) if is_free && self.client.has_heard_nothing() => {
                // Nothing of the client's was on it but this command.
                tracing::warn!(error = &error as &dyn std::error::Error, "backend lost");
                self.database.doubt.raise();
                self.is_refused(text);
                let told = SessionError::BackendLost(error).told();
                self.client.refuse(&told.unwrap_or(ClientError::BackendLost).into());
                // Told before the statement is killed, which may take its time.
                let told = self.client.flush().await;
                self.leave().await;
                told.map(|()| false)
            }
            error => Err(error),
        };
        if changes {
            self.leave().await;
            self.outdate_connections();
        }
        ended
    }

    /// Passes packets on until the client's command is answered.
    pub(crate) async fn relay(&mut self, relay: &mut Relay) -> Result<(), SessionError> {
        while !self.pass_on(relay)? {
            if let Some(sequence) = relay.file {
                self.pass_file(sequence, relay).await?;
                continue;
            }
            match self.turn().await? {
                Event::Read => {}
                Event::BackendLeft(error) => return Err(SessionError::BackendLost(error)),
                Event::StatementTimeout => self.cancel_statement(),
            }
        }
        Ok(())
    }

    /// Reads a text as the session's modes say.
    pub(crate) async fn read_text(&mut self, sql: Bytes) -> Text {
        let Reading { modes: Some(modes), is_readable: true, is_utf8 } = self.reading() else {
            return Text { sql, analysis: None, judged: None };
        };
        let analysis = self.analyse(&sql, modes).await;
        let judged = match (&analysis, std::str::from_utf8(&sql)) {
            (Some(analysis), Ok(utf8)) => {
                self.judge(utf8, is_utf8, self.facts.schema.as_ref(), analysis)
            }
            _ => None,
        };
        Text { sql, analysis, judged }
    }

    /// What a text says. A long one is read on another thread, and counts as not read if that takes too long.
    async fn analyse(&self, sql: &Bytes, modes: Modes) -> Option<Arc<Analysis>> {
        let memo = &self.context.analyses;
        if sql.len() <= LONG_TEXT {
            return Some(analyse(memo, sql, modes));
        }
        let known = std::str::from_utf8(sql).ok().and_then(|sql| memo.known(sql, modes));
        if known.is_some() {
            return known;
        }
        self.database.metrics.heavy_texts.inc();
        let (memo, sql) = (memo.clone(), sql.clone());
        Box::pin(self.context.common.heavy.run(move || analyse(&memo, &sql, modes))).await
    }

    /// What the text of a prepared statement means by the present catalog, which may be another than it was.
    pub(crate) fn judge_anew(&self, open: &Open) -> Text {
        let Open { text, statement, .. } = open;
        let judged = match (&text.analysis, std::str::from_utf8(&text.sql)) {
            (Some(analysis), Ok(utf8)) => {
                // Its names are those of the schema it was prepared in.
                let is_utf8 = statement.settings.is_utf8();
                self.judge(utf8, is_utf8, statement.schema.as_ref(), analysis)
            }
            _ => None,
        };
        Text { judged, ..text.clone() }
    }

    /// What a text means by the catalog, if that is known.
    fn judge(
        &self,
        sql: &str,
        is_utf8: bool,
        schema: Option<&Arc<str>>,
        analysis: &Arc<Analysis>,
    ) -> Option<Arc<Classified>> {
        let catalog = self.database.catalog.known()?;
        let is_certain = is_utf8 || sql.is_ascii();
        let schema = schema.filter(|_| is_certain)?;
        let judged = catalog.classify(sql, schema, analysis);
        if self.database.config.round_trips.catalog || !judged.verdict.looks_up() {
            return Some(judged);
        }
        let mut judged = Classified::clone(&judged);
        judged.verdict = judged.verdict.without_look_ups();
        Some(Arc::new(judged))
    }
}

fn analyse(memo: &AnalysisMemo, sql: &[u8], modes: Modes) -> Arc<Analysis> {
    if let Ok(utf8) = std::str::from_utf8(sql) {
        return memo.analyse(utf8, modes);
    }
    // In a character set of one byte per character the rest can be read, and what is not ASCII only
    // stands in texts and names. Its places in the text would be others, so nothing is written into it.
    let mut analysis = Analysis::clone(&memo.analyse(&String::from_utf8_lossy(sql), modes));
    analysis.mentions.clear();
    Arc::new(analysis)
}

/// Whether a text asks what became of the statement before.
pub(crate) fn is_status_question(sql: &[u8]) -> bool {
    let sql = sql.trim_ascii();
    let sql = sql.strip_suffix(b";").unwrap_or(sql).trim_ascii_end();
    sql.eq_ignore_ascii_case(STATUS_QUESTION)
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        Self::Proxy(error)
    }
}
