//! From the client to a backend: checkout, settings, statements under our names.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::{
    Writes,
    postgres::{Analysis, Deeds, Effect, Kind, Pin},
};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{self, Bind, Parse},
    pipeline::{Asker, Request as Sent, TransactionStatus},
};
use serving::{
    error::{ClientError, SessionError},
    observe::CacheStatus,
};
use tokio::time::Instant;

use super::{
    adopt::{self, Refusal},
    backend::{Backend, Note},
    batch::Frame,
    fill::Collect,
    ledger::{Changed, Footprint},
    plan::{self, Cacheable, Text},
    prepared::Statement,
    questions::is_probed,
    replay::Answer,
    reset,
    reworded::Reworded,
    session::{Session, Trouble},
    sql_prepare,
};

/// A query of a client's own about its proxy.
pub(crate) const STATUS_SETTING: &str = "jumpgate.cache_status";

impl Session {
    /// A simple query: answered by ourselves, by the cache, or by a backend.
    pub(crate) async fn simple_query(&mut self, frame: Frame) -> Result<(), SessionError> {
        // A body that is no text is the database's to refuse.
        let query = message::query_text(&frame.body).unwrap_or_default();
        self.database.catalog.begun().await;
        let text = self.judge(query, self.analysis(frame.analysis.as_ref(), query));
        self.database.metrics.query_bytes.inc_by(query.len() as u64);
        let is_open = self.loan.as_ref().is_some_and(|loan| loan.pipeline.is_open());
        if let [one] = text.analysis.statements.as_slice()
            && matches!(&one.kind, Kind::Show(name) if name == STATUS_SETTING)
            && !is_open
        {
            // A question of our own may be under way.
            Box::pin(self.hear_all()).await?;
            self.show_status();
            return Ok(());
        }
        let tables = match text.verdict(|| self.standing(), &self.database.config.caching) {
            Cacheable::Yes(tables) => tables,
            Cacheable::No(status) => {
                self.count(status);
                return self.forward_query(&frame.body, text, None).await;
            }
        };
        let key = plan::simple_key(self.facts.key(self.database.catalog.view()), query);
        let frames = || vec![frame.clone()];
        match self.look_up(key, &text.analysis.hint, &tables, frames).await {
            Answer::Cache(reply, status) => self.replay_simple(&reply, status).await,
            Answer::Origin(fill) => {
                self.count(plan::not_found(&text.analysis.hint));
                self.forward_query(&frame.body, text, fill).await
            }
        }
    }

    /// What a statement's text means with the present catalog.
    pub(crate) fn judge_statement(&self, statement: &Statement) -> Text {
        self.judge(statement.source.query(), Arc::clone(&statement.analysis))
    }

    /// What an analysed text means with the present catalog.
    pub(crate) fn judge(&self, query: &[u8], analysis: Arc<Analysis>) -> Text {
        let changes = self.database.catalog.changes();
        Text::new(query, analysis, self.database.catalog.known().as_ref(), changes)
    }

    /// Sends a simple query to a backend.
    pub(crate) async fn forward_query(
        &mut self,
        body: &Bytes,
        mut text: Text,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        self.collect = fill.map(|fill| Box::new(Collect::new(fill)));
        if self.loan.is_none() && plan::heads_for_temp(&text.analysis, body) {
            Box::pin(self.take_without_temp()).await;
        }
        if let Err(refusal) = self.begin().await? {
            self.collect = None;
            if text.opens_block() {
                return Err(self.refuse_block(&refusal));
            }
            refusal.put(self.client.queue());
            encode::ready_for_query(TransactionStatus::Idle, self.client.queue());
            return Ok(());
        }
        if self.facts.statements.followed_in().is_some() && self.may_run_texts(&text) {
            Box::pin(self.give_own_names()).await?;
        }
        let Some(mut loan) = self.loan.take() else { return Ok(()) };
        if loan.pipeline.is_discarding() {
            // Between an error in the extended protocol and `Sync` a simple query is skipped too.
            self.loan = Some(loan);
            return Ok(());
        }
        // A simple query in an open pipeline confuses PostgreSQL 18.4 itself (`StartTransactionCommand: unexpected
        // state STARTED`): nobody else may have that backend.
        loan.unfit |= loan.pipeline.is_open();
        let was_open = loan.pipeline.is_open();
        let query = message::query_text(body).unwrap_or_default();
        if loan.pipeline.is_quiet() {
            self.limit = self.statement_timeout;
        }
        self.before_sequences(&mut loan, &text, true);
        let prepares = self.prepares(&loan, query, &mut text);
        let footprint = self.starts(&mut loan, &text);
        if reset::is_discard_all(&text.analysis) && !was_open {
            self.discard_all(&mut loan, query, (text.analysis, footprint));
            self.loan = Some(loan);
            return Ok(());
        }
        let in_block = loan.in_transaction() || loan.pipeline.owes();
        let added = reset::added(query, &text.analysis, &self.facts.base, in_block);
        let moved = added.as_ref().map(|(_, added)| added.shifted(&text.analysis));
        let with_added = added.as_ref().map_or(query, |(new, _)| new.as_slice());
        let analysis = moved.as_ref().unwrap_or(&text.analysis);
        let reworded = match &prepares {
            Some(prepares) => sql_prepare::under_its_name(with_added, analysis, prepares),
            None => self.reworded(&mut loan, with_added, analysis, None),
        };
        if loan.pipeline.is_open() && !was_open {
            // It was given statements, which it must have before it reads the text.
            loan.framed.queue().extend_from_slice(encode::SYNC);
            loan.pipeline.sent(Sent::Sync, Asker::Proxy, None);
        }
        let (reworded, places, names) = match reworded {
            Some(Reworded { text, places, names }) => (Some(text), places, names),
            None => <_>::default(),
        };
        match reworded.as_deref().or(added.as_ref().map(|_| with_added)) {
            Some(new) => encode::frame(b'Q', &[new, b"\0"], loan.framed.queue()),
            // As it came: a body that is no text is the database's to refuse.
            None => encode::frame(b'Q', &[body], loan.framed.queue()),
        }
        self.drops_unnamed(&mut loan);
        for name in &text.analysis.names {
            self.facts.statements.changes(name.name.as_bytes());
        }
        let group = self.facts.statements.end_group();
        let added = added.map(|(_, added)| added);
        let described = prepares.clone().map(|statement| (statement, Arc::clone(&text.analysis)));
        let analysis = text.analysis;
        let note = Note::Query {
            analysis,
            footprint,
            completed: 0,
            added,
            places,
            names,
            group,
            prepares,
        };
        loan.pipeline.sent(Sent::Query, Asker::Client, Some(note));
        if let Some((statement, analysis)) = described {
            sql_prepare::settle(&mut loan, &statement, &analysis);
        }
        self.loan = Some(loan);
        Ok(())
    }

    /// A simple query drops the unnamed statement on both sides (`exec_simple_query`).
    pub(crate) fn drops_unnamed(&mut self, backend: &mut Backend) {
        backend.prepared.forget_unnamed();
        self.facts.statements.remove(b"");
        if backend.pipeline.owes() {
            // An error that is under way must not put it back.
            self.facts.statements.changes(b"");
        }
    }

    /// Sends all that is held to a backend.
    pub(crate) async fn forward_batch(
        &mut self,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        let frames = self.batch.take();
        self.forward_frames(frames, fill).await
    }

    /// Sends messages of the extended protocol to a backend.
    pub(crate) async fn forward_frames(
        &mut self,
        frames: Vec<Frame>,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        self.collect = fill.map(|fill| Box::new(Collect::new(fill)));
        if self.loan.is_none() && self.head_for_temp(&frames) {
            Box::pin(self.take_without_temp()).await;
        }
        let began = if self.is_busy() { None } else { Some(self.begin().await?) };
        if let Some(Err(refusal)) = began {
            self.collect = None;
            self.next_status = None;
            if self.opens_block(&frames) {
                return Err(self.refuse_block(&refusal));
            }
            refusal.put(self.client.queue());
            self.trouble = Trouble::Skipping;
            let ends = |tag| matches!(tag, FrontendTag::Sync | FrontendTag::FunctionCall);
            if frames.last().is_some_and(|frame| ends(frame.tag)) {
                self.trouble = Trouble::None;
                encode::ready_for_query(TransactionStatus::Idle, self.client.queue());
            }
            return Ok(());
        }
        if began.is_some() {
            self.executes = 0;
            self.verify_ahead(&frames).await?;
            self.send_on(&frames);
            self.unheard = Some(frames);
        } else {
            self.unheard = None;
            self.send_on(&frames);
        }
        Ok(())
    }

    /// Whether one of these messages prepares a text that puts the temporary schema in front.
    fn head_for_temp(&self, frames: &[Frame]) -> bool {
        frames.iter().filter(|frame| frame.tag == FrontendTag::Parse).any(|frame| {
            plan::names_temp(&frame.body)
                && Parse::decode(&frame.body).is_ok_and(|parse| {
                    let analysis = self.analysis(frame.analysis.as_ref(), parse.query);
                    plan::heads_for_temp(&analysis, parse.query)
                })
        })
    }

    async fn take_without_temp(&mut self) {
        // Who gets none is told so when it is tried once more.
        if let Ok(loan) = adopt::checkout_without_temp(&self.database).await {
            self.key.slot.point_at(Some(Arc::clone(&loan.key))).await;
            self.lent_with = None;
            self.loan = Some(loan);
        }
    }

    /// Whether one of these messages opens a transaction block.
    fn opens_block(&self, frames: &[Frame]) -> bool {
        let opens = |analysis: &Analysis| plan::opens_block(analysis);
        frames.iter().any(|frame| match frame.tag {
            FrontendTag::Parse => Parse::decode(&frame.body)
                .is_ok_and(|parse| opens(&self.analysis(frame.analysis.as_ref(), parse.query))),
            FrontendTag::Bind => Bind::decode(&frame.body).is_ok_and(|bind| {
                let statement = self.facts.statements.get(bind.statement);
                statement.is_some_and(|statement| opens(&statement.analysis))
            }),
            _ => false,
        })
    }

    /// A client whose BEGIN is refused may believe in a block all the same, as some drivers do, and would send what
    /// belongs there. So its session ends, as it would with a lost connection.
    fn refuse_block(&mut self, refusal: &Refusal) -> SessionError {
        refusal.put_fatal(self.client.queue());
        // It has heard why.
        self.trouble = Trouble::HeardFatal;
        ClientError::Connect("origin_unreachable").into()
    }

    /// Sends messages of the extended protocol to the backend that the session holds.
    pub(crate) fn send_on(&mut self, frames: &[Frame]) {
        let Some(mut loan) = self.loan.take() else { return };
        for (at, frame) in frames.iter().enumerate() {
            self.forward(&mut loan, frame, frames.get(at + 1));
        }
        self.send_due(&mut loan);
        self.loan = Some(loan);
    }

    /// Sees to it that there is a backend, and that it has the session's settings.
    async fn begin(&mut self) -> Result<Result<(), Refusal>, SessionError> {
        let mut loan = loop {
            let mut loan = match self.loan.take() {
                Some(loan) if !loan.pipeline.is_idle() => {
                    self.loan = Some(loan);
                    return Ok(Ok(()));
                }
                Some(loan) if self.gives_home_up(&loan) => {
                    self.loan = Some(loan);
                    self.checkin().await;
                    continue;
                }
                Some(loan) => {
                    if !self.changed_unseen(&loan).is_empty() {
                        self.pin(Pin::UnknownSetting);
                    }
                    loan
                }
                None => match adopt::checkout(&self.database).await {
                    Ok(loan) => {
                        self.key.slot.point_at(Some(Arc::clone(&loan.key))).await;
                        loan
                    }
                    Err(refusal) => return Ok(Err(refusal)),
                },
            };
            if self.give_settings(&mut loan).await {
                break loan;
            }
            if loan.applied.is_empty() || !self.facts.pins.is_empty() {
                return Err(ClientError::SettingLost.into());
            }
            // What another client had set cannot be undone, as where its role is gone: that ends the backend.
            self.key.slot.point_at(None).await;
        };
        self.trouble = Trouble::None;
        if loan.pipeline.is_idle() {
            self.lent(&mut loan);
        }
        self.loan = Some(loan);
        Ok(Ok(()))
    }

    /// Sends one message, under our names. A body that does not decode is the database's to refuse, in its own
    /// words and with the session going on.
    fn forward(&mut self, backend: &mut Backend, frame: &Frame, next: Option<&Frame>) {
        if backend.pipeline.is_discarding() && frame.tag != FrontendTag::Sync {
            return;
        }
        if backend.pipeline.is_quiet() {
            self.limit = self.statement_timeout;
        }
        let body = &frame.body;
        let (tag, sent, understood) = match frame.tag {
            FrontendTag::Parse => (b'P', Sent::Parse, self.forward_parse(backend, frame, next)),
            FrontendTag::Bind => (b'B', Sent::Bind, self.forward_bind(backend, body)),
            FrontendTag::Describe => {
                (b'D', Sent::DescribePortal, self.forward_describe(backend, body))
            }
            FrontendTag::Close => (b'C', Sent::Close, self.forward_close(backend, body)),
            FrontendTag::Execute => {
                let understood = self.forward_execute(backend, body);
                self.put_back_behind(backend, body);
                (b'E', Sent::Execute, understood)
            }
            FrontendTag::Sync => {
                let note = Note::Sync(self.facts.statements.end_group());
                return send(backend, b'S', body, Sent::Sync, Some(note));
            }
            FrontendTag::Flush => return send(backend, b'H', body, Sent::Flush, None),
            FrontendTag::FunctionCall => {
                self.runs_unseen(backend);
                let note = Note::Call(self.facts.statements.end_group());
                return send(backend, b'F', body, Sent::FunctionCall, Some(note));
            }
            FrontendTag::CopyData => return send(backend, b'd', body, Sent::CopyData, None),
            FrontendTag::CopyDone => return send(backend, b'c', body, Sent::CopyEnd, None),
            FrontendTag::CopyFail => return send(backend, b'f', body, Sent::CopyEnd, None),
            FrontendTag::Query
            | FrontendTag::Password
            | FrontendTag::Terminate
            | FrontendTag::Unknown(_) => return,
        };
        if understood.is_err() {
            send(backend, tag, body, sent, None);
        }
    }

    /// What must be known before a statement runs: what it may write and leave behind, and the locks it may take,
    /// which no rollback gives back. Returns what it may do that others can see.
    pub(crate) fn starts(&mut self, backend: &mut Backend, text: &Text) -> Footprint {
        let deeds = self.deeds_of(text);
        self.facts.hides_list |= text.hides_list;
        self.ledger.judged(text.changes, text.lacks() && self.facts.pins.is_empty());
        self.may_leave(backend, &deeds);
        let changed = Changed { schema: text.is_ddl(), defaults: text.alters_defaults };
        let footprint = Footprint { writes: deeds.writes, changed };
        let may_end_block = text.may_end_block();
        self.will_work(backend, &footprint, may_end_block);
        backend.ends_block |= may_end_block || text.ends_failure();
        for effect in text.analysis.effects() {
            match effect {
                // No rollback takes these back, and notifications may come before the commit is heard of.
                Effect::Pin(
                    pin @ (Pin::AdvisoryLock | Pin::Load | Pin::SqlPrepare | Pin::Listen),
                ) => {
                    self.pin(*pin);
                }
                // What is behind it is read another way.
                Effect::DiscardAll | Effect::ResetAll => self.barrier = true,
                Effect::Reset { name } | Effect::ResetLocal { name } => {
                    self.barrier |= plan::decides_reading(name);
                }
                Effect::Set { name, .. } | Effect::SetLocal { name } => {
                    self.barrier |= plan::decides_reading(name);
                    if !plan::is_repeatable(effect, &self.facts.parameters) {
                        self.pin(Pin::UnknownSetting);
                    }
                }
                _ => {}
            }
        }
        for statement in &text.analysis.statements {
            match &statement.kind {
                Kind::Set => self.ledger.sets(),
                Kind::Deallocate(None) => self.barrier = true,
                Kind::Execute(name) => self.by_execute(name),
                _ => {}
            }
        }
        self.sets_ahead(&text.analysis);
        if text.takes_its_time() {
            self.limit = None;
        }
        self.asked_at = Some(Instant::now());
        footprint
    }

    /// What code that the statement runs may leave behind: what is known keeps the backend until the backend says
    /// that it is gone, what is not known is cleaned away before anybody else has the backend.
    fn may_leave(&mut self, backend: &mut Backend, deeds: &Deeds) {
        backend.is_touched |= deeds.is_opaque;
        for pin in &deeds.pins {
            self.pin(*pin);
            self.may_release |= is_probed(*pin);
        }
    }

    /// Something runs of which nothing is known.
    pub(crate) fn runs_unseen(&mut self, backend: &mut Backend) {
        self.may_leave(backend, &Deeds::opaque());
        self.will_work(backend, &Footprint::unseen(), true);
    }

    /// What must be known before something is written. Until the origin has answered others may see it or not,
    /// unless the transaction block that it runs in stays open.
    fn will_work(&mut self, backend: &Backend, footprint: &Footprint, may_end_block: bool) {
        self.ledger.sent(footprint);
        if !self.database.catalog.is_cached() {
            return;
        }
        let stays_open = backend.in_transaction() && self.writing.is_none() && !may_end_block;
        let writes = self.ledger.writes();
        if stays_open || (*writes == Writes::None && !may_end_block) {
            return;
        }
        match &mut self.writing {
            Some(writing) => writing.extend(writes),
            None => {
                let cache = &self.context.common.cache;
                self.writing = Some(cache.write(self.database.catalog.scope(), writes));
            }
        }
    }

    /// Keeps the session on its backend from now on.
    pub(crate) fn pin(&mut self, pin: Pin) {
        if self.facts.pins.insert(pin) {
            self.database.metrics.pin(pin.as_str());
            tracing::debug!(reason = pin.as_str(), "session is pinned to its backend");
        }
    }

    /// Counts a statement, and remembers its status for the client to ask.
    pub(crate) fn count(&mut self, status: CacheStatus) {
        self.last_status = status;
        self.database.metrics.query(status);
    }

    /// Hands the client those of our own replies whose turn has come.
    pub(crate) fn send_due(&mut self, backend: &mut Backend) {
        while let Some(reply) = backend.pipeline.due() {
            if self.trouble != Trouble::Refused {
                self.unheard = None;
                self.client.queue().extend_from_slice(reply);
            }
        }
    }
}

/// Sends a message of the client's as it is.
pub(crate) fn send(backend: &mut Backend, tag: u8, body: &Bytes, sent: Sent, note: Option<Note>) {
    encode::frame(tag, &[body], backend.framed.queue());
    backend.pipeline.sent(sent, Asker::Client, note);
}
