//! From the client to a backend: checkout, settings, statements under our names.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cache::{
    Lookup,
    sql::{Effect, Kind, Pin},
};
use protocol::{
    postgres::{
        encode,
        frame::FrontendTag,
        message::{self, Bind, Execute, Parse, Target},
        pipeline::{Asker, Request as Sent, TransactionStatus},
    },
    reader::DecodeError,
};
use tokio::time::Instant;

use super::{
    adopt::{self, Refusal},
    backend::{Backend, Note},
    batch::Frame,
    fill::Collect,
    plan::{self, Cacheable, Standing, Text},
    prepared::{MAX_PER_CLIENT, Statement},
    session::{Session, Trouble},
    wire_error,
};
use crate::{
    error::{ClientError, SessionError},
    observe::CacheStatus,
};

/// A query of a client's own about its proxy.
const STATUS_SETTING: &str = "jumpgate.cache_status";

impl Session {
    /// A simple query: answered by ourselves, by the cache, or by a backend.
    pub(super) async fn simple_query(&mut self, frame: Frame) -> Result<(), SessionError> {
        // A body that is no text is the database's to refuse.
        let query = message::query_text(&frame.body).unwrap_or_default();
        self.database.catalog_begun().await;
        let text = self.text(query);
        self.database.metrics.query_bytes.inc_by(query.len() as u64);
        let is_quiet = self.loan.as_ref().is_none_or(|loan| loan.pipeline.is_quiet());
        if let [one] = text.analysis.statements.as_slice()
            && matches!(&one.kind, Kind::Show(name) if name == STATUS_SETTING)
            && is_quiet
        {
            self.show_status();
            return Ok(());
        }
        let tables = match text.verdict(self.standing(), &self.database.config.caching) {
            Cacheable::Yes(tables) => tables,
            Cacheable::No(status) => {
                self.count(status);
                return self.forward_query(&frame.body, text, None).await;
            }
        };
        let fingerprint = self.fingerprint();
        let key = plan::simple_key(&self.database.scope, &fingerprint, query);
        let fresh = plan::freshness(&text.analysis.hint, &self.database.config.caching);
        match self.context.cache.lookup(key, &self.database.scope, &tables, fresh) {
            Lookup::Hit(reply) => self.replay_simple(&reply, CacheStatus::Hit).await,
            Lookup::Stale(reply, fill) => {
                if let Some(fill) = fill {
                    self.refresh(vec![frame.clone()], fill);
                }
                self.replay_simple(&reply, CacheStatus::Stale).await
            }
            Lookup::Lead(fill) => {
                self.count(CacheStatus::Miss);
                self.forward_query(&frame.body, text, Some(fill)).await
            }
            Lookup::Follow(flight) => match self.landed(flight).await {
                Some(reply) => self.replay_simple(&reply, CacheStatus::Hit).await,
                None => {
                    self.count(CacheStatus::Miss);
                    self.forward_query(&frame.body, text, None).await
                }
            },
        }
    }

    /// What a text means.
    pub(super) fn text(&self, query: &[u8]) -> Text {
        let analysis = self.context.analyses.analyse(&String::from_utf8_lossy(query));
        self.judge(query, analysis)
    }

    /// What an analysed text means with the present catalog.
    pub(super) fn judge(&self, query: &[u8], analysis: Arc<cache::sql::Analysis>) -> Text {
        let is_off = self.database.config.caching.disabled;
        let catalog = if is_off { None } else { self.database.catalog.known() };
        Text::new(query, analysis, catalog.as_deref())
    }

    /// Sends a simple query to a backend.
    pub(super) async fn forward_query(
        &mut self,
        body: &Bytes,
        text: Text,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        if let Err(refusal) = self.begin().await? {
            refusal.put(self.client.queue());
            encode::ready_for_query(TransactionStatus::Idle, self.client.queue());
            return Ok(());
        }
        self.collect = fill.map(|fill| Box::new(Collect::new(fill)));
        let Some(mut loan) = self.loan.take() else { return Ok(()) };
        if loan.pipeline.is_discarding() {
            // Between an error in the extended protocol and `Sync` a simple query is skipped too.
            self.loan = Some(loan);
            return Ok(());
        }
        self.starts(&text);
        let query = message::query_text(body).unwrap_or_default();
        match self.named_by_sql(&text.analysis) {
            Some(statement) => {
                let new = plan::renamed(query, &text.analysis, &statement.name);
                if !loan.prepared.has(&statement) {
                    prepare(&mut loan, &statement, None);
                    encode_sync(&mut loan);
                }
                let new = new.as_deref().unwrap_or(query);
                encode::frame(b'Q', &[new, b"\0"], loan.framed.queue());
            }
            None => encode::frame(b'Q', &[body], loan.framed.queue()),
        }
        // It drops the unnamed statement on both sides (`exec_simple_query`).
        loan.prepared.forget_unnamed();
        self.facts.statements.remove(&b""[..]);
        let note = Note::Query { analysis: text.analysis, completed: 0 };
        loan.pipeline.sent(Sent::Query, Asker::Client, Some(note));
        self.loan = Some(loan);
        Ok(())
    }

    /// Sends all that is held to a backend.
    pub(super) async fn forward_batch(
        &mut self,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        let frames = self.batch.take();
        self.forward_frames(frames, fill).await
    }

    /// Sends messages of the extended protocol to a backend.
    pub(super) async fn forward_frames(
        &mut self,
        frames: Vec<Frame>,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        if self.loan.as_ref().is_none_or(|loan| loan.pipeline.is_idle())
            && let Err(refusal) = self.begin().await?
        {
            refusal.put(self.client.queue());
            self.next_status = None;
            self.trouble = Trouble::Skipping;
            if frames.last().is_some_and(|frame| frame.tag == FrontendTag::Sync) {
                self.trouble = Trouble::None;
                encode::ready_for_query(TransactionStatus::Idle, self.client.queue());
            }
            return Ok(());
        }
        self.collect = fill.map(|fill| Box::new(Collect::new(fill)));
        let Some(mut loan) = self.loan.take() else { return Ok(()) };
        for frame in &frames {
            self.forward(&mut loan, frame);
        }
        self.send_due(&mut loan);
        self.loan = Some(loan);
        Ok(())
    }

    /// Sees to it that there is a backend, and that it has the session's settings.
    async fn begin(&mut self) -> Result<Result<(), Refusal>, SessionError> {
        let mut loan = match self.loan.take() {
            Some(loan) if !loan.pipeline.is_idle() => {
                self.loan = Some(loan);
                return Ok(Ok(()));
            }
            Some(loan) => loan,
            None => match adopt::checkout(&self.database).await {
                Ok(loan) => {
                    self.key.slot.point_at(Some(loan.key.clone())).await;
                    loan
                }
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        self.trouble = Trouble::None;
        if !Arc::ptr_eq(&loan.applied, &self.facts.settings)
            && let Some(sql) = self.facts.settings.difference(&loan.applied)
        {
            let settings = Arc::clone(&self.facts.settings);
            if settings.differs_in_rights(&loan.applied) {
                // Nothing may run with other rights than the client believes: this one is waited for.
                if adopt::own_query(&mut loan, &sql).await?.is_err() {
                    return Ok(Err(Refusal::Proxy(ClientError::SettingLost)));
                }
            } else {
                encode::query(&sql, loan.framed.queue());
                loan.prepared.forget_unnamed();
                loan.pipeline.sent(Sent::Query, Asker::Proxy, Some(Note::Adopt));
            }
            loan.applied = settings;
        }
        if loan.pipeline.is_idle() {
            self.tell_parameters(&loan);
        }
        self.loan = Some(loan);
        Ok(Ok(()))
    }

    /// Tells the client what its backend reports differently from the last one. A reply that is being collected
    /// was keyed by the old values and is not kept.
    pub(super) fn tell_parameters(&mut self, backend: &Backend) {
        if self.facts.parameters.is_same(&backend.parameters) {
            return;
        }
        let parameters = backend.parameters.clone();
        for (name, value) in parameters.iter() {
            if self.facts.parameters.get(name) != Some(value) {
                encode::parameter_status(name, value, self.client.queue());
                self.facts.tell(name, value);
                self.collect = None;
            }
        }
    }

    /// Sends one message, under our names. A body that does not decode is the database's to refuse, in its own
    /// words and with the session going on.
    fn forward(&mut self, backend: &mut Backend, frame: &Frame) {
        if backend.pipeline.is_discarding() && frame.tag != FrontendTag::Sync {
            return;
        }
        let body = &frame.body;
        let (tag, sent, understood) = match frame.tag {
            FrontendTag::Parse => (b'P', Sent::Parse, self.forward_parse(backend, body)),
            FrontendTag::Bind => (b'B', Sent::Bind, self.forward_bind(backend, body)),
            FrontendTag::Describe => {
                (b'D', Sent::DescribePortal, self.forward_describe(backend, body))
            }
            FrontendTag::Close => (b'C', Sent::Close, self.forward_close(backend, body)),
            FrontendTag::Execute => (b'E', Sent::Execute, self.forward_execute(backend, body)),
            FrontendTag::Sync => return send(backend, b'S', body, Sent::Sync, None),
            FrontendTag::Flush => return send(backend, b'H', body, Sent::Flush, None),
            FrontendTag::FunctionCall => {
                self.ledger.sent(cache::sql::Writes::Everything, false);
                return send(backend, b'F', body, Sent::FunctionCall, None);
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

    fn forward_parse(&mut self, backend: &mut Backend, body: &Bytes) -> Result<(), DecodeError> {
        let parse = Parse::decode(body)?;
        if !parse.name.is_empty()
            && let Some(known) = self.facts.statements.get(parse.name).cloned()
        {
            refuse_duplicate(backend, body, &parse, &known);
            return Ok(());
        }
        if self.facts.statements.len() >= MAX_PER_CLIENT {
            self.refuse_in_place(backend, ClientError::Unsupported("another prepared statement"));
            return Ok(());
        }
        let name = body.slice_ref(parse.name);
        let statement = self.register(body, &parse);
        let is_failed = backend.pipeline.status() == TransactionStatus::Failed;
        if !statement.is_unnamed() && is_failed && !plan::ends_transaction(&statement.analysis) {
            // The backend refuses it, whatever it has prepared.
            let parts = [b"\0", parse.query, b"\0", parse.types];
            encode::frame(b'P', &parts, backend.framed.queue());
            backend.prepared.forget_unnamed();
            backend.pipeline.sent(Sent::Parse, Asker::Client, Some(Note::Named(name)));
        } else if !statement.is_unnamed() && backend.prepared.has(&statement) {
            backend.pipeline.answer_locally(encode::PARSE_COMPLETE, Some(Note::Named(name)));
            self.send_due(backend);
        } else {
            prepare(backend, &statement, Some(name));
        }
        Ok(())
    }

    /// Remembers a client's statement under the client's name.
    pub(super) fn register(&mut self, body: &Bytes, parse: &Parse<'_>) -> Arc<Statement> {
        let analysis = self.context.analyses.analyse(&String::from_utf8_lossy(parse.query));
        let (mut query, types) = (Bytes::copy_from_slice(parse.query), Bytes::copy_from_slice(parse.types));
        if let Some(target) = self.named_by_sql(&analysis)
            && let Some(new) = plan::renamed(parse.query, &analysis, &target.name)
        {
            query = new;
        }
        let registry = &self.database.registry;
        let statement = if parse.name.is_empty() {
            registry.unnamed(query, types, analysis)
        } else {
            let changes = self.database.catalog.changes();
            registry.share(query, types, plan::meaning(&self.facts.settings, changes), analysis)
        };
        let name = Bytes::copy_from_slice(&body.slice_ref(parse.name));
        self.facts.statements.insert(name, Arc::clone(&statement));
        statement
    }

    fn forward_bind(&mut self, backend: &mut Backend, body: &Bytes) -> Result<(), DecodeError> {
        let bind = Bind::decode(body)?;
        let Some(statement) = self.facts.statements.get(bind.statement).cloned() else {
            self.forget_unnamed(backend, bind.statement);
            send(backend, b'B', body, Sent::Bind, None);
            return Ok(());
        };
        if let Some(target) = self.named_by_sql(&statement.analysis) {
            ensure(backend, &target);
        }
        ensure(backend, &statement);
        let parts = [bind.portal, b"\0", statement.name.as_bytes(), b"\0", bind.rest];
        encode::frame(b'B', &parts, backend.framed.queue());
        backend.pipeline.sent(Sent::Bind, Asker::Client, None);
        if self.facts.portals.len() < MAX_PER_CLIENT {
            self.facts.portals.insert(Bytes::copy_from_slice(bind.portal), statement);
        }
        Ok(())
    }

    fn forward_describe(&mut self, backend: &mut Backend, body: &Bytes) -> Result<(), DecodeError> {
        match Target::decode(body)? {
            Target::Statement(name) => match self.facts.statements.get(name).cloned() {
                Some(statement) => {
                    ensure(backend, &statement);
                    let parts = [&b"S"[..], statement.name.as_bytes(), b"\0"];
                    encode::frame(b'D', &parts, backend.framed.queue());
                    backend.pipeline.sent(Sent::DescribeStatement, Asker::Client, None);
                }
                None => {
                    self.forget_unnamed(backend, name);
                    send(backend, b'D', body, Sent::DescribeStatement, None);
                }
            },
            Target::Portal(_) => send(backend, b'D', body, Sent::DescribePortal, None),
        }
        Ok(())
    }

    /// A client's statement is forgotten here; the backend keeps it for others.
    fn forward_close(&mut self, backend: &mut Backend, body: &Bytes) -> Result<(), DecodeError> {
        let Target::Statement(name) = Target::decode(body)? else {
            send(backend, b'C', body, Sent::Close, None);
            return Ok(());
        };
        let name = Bytes::copy_from_slice(name);
        match self.facts.statements.remove(&name) {
            Some(statement) => {
                let note = Note::Unnamed(name, statement);
                backend.pipeline.answer_locally(encode::CLOSE_COMPLETE, Some(note));
                self.send_due(backend);
            }
            // It may be the name of an SQL-level PREPARE; our own names the client does not know.
            None => {
                self.forget_unnamed(backend, &name);
                send(backend, b'C', body, Sent::Close, None);
            }
        }
        Ok(())
    }

    fn forward_execute(&mut self, backend: &mut Backend, body: &Bytes) -> Result<(), DecodeError> {
        let execute = Execute::decode(body)?;
        let note = match self.facts.portals.get(execute.portal).cloned() {
            Some(statement) => {
                let text = self.judge(&statement.query, Arc::clone(&statement.analysis));
                self.database.metrics.query_bytes.inc_by(statement.query.len() as u64);
                let status = self.next_status.take().unwrap_or_else(|| {
                    let standing =
                        if backend.in_transaction() { Standing::InTransaction } else { Standing::Bound };
                    match text.verdict(standing, &self.database.config.caching) {
                        Cacheable::No(status) => status,
                        Cacheable::Yes(_) => CacheStatus::Uncacheable,
                    }
                });
                self.count(status);
                self.starts(&text);
                Some(Note::Execute(text.analysis))
            }
            None => None,
        };
        send(backend, b'E', body, Sent::Execute, note);
        Ok(())
    }

    /// What must be known before a statement runs: what it may write, and the locks it may take, which no
    /// rollback gives back.
    fn starts(&mut self, text: &Text) {
        self.ledger.sent(text.writes(), text.is_ddl());
        for effect in text.analysis.effects() {
            if let Effect::Pin(pin @ (Pin::AdvisoryLock | Pin::Load)) = effect {
                self.pin(*pin);
            }
        }
        self.asked_at = Some(Instant::now());
    }

    /// Keeps the session on its backend from now on.
    pub(super) fn pin(&mut self, pin: Pin) {
        if self.facts.pins.insert(pin) {
            self.database.metrics.pin(pin.as_str());
            tracing::debug!(reason = pin.as_str(), "session is pinned to its backend");
        }
    }

    /// Counts a statement, and remembers its status for the client to ask.
    pub(super) fn count(&mut self, status: CacheStatus) {
        self.last_status = status;
        self.database.metrics.query(status);
    }

    /// Gives the client an error in the place where its request stands: the backend is sent something that
    /// must fail, so that it too aborts the transaction and skips to `Sync`.
    fn refuse_in_place(&self, backend: &mut Backend, error: ClientError) {
        let mut frame = BytesMut::new();
        wire_error::put(error, &mut frame);
        let note = Note::Refuse(frame.freeze());
        send(backend, b'P', &Bytes::from_static(b"\0jumpgate refuses\0\0\0"), Sent::Parse, Some(note));
    }

    /// A client without an unnamed statement must not find another client's.
    fn forget_unnamed(&self, backend: &mut Backend, name: &[u8]) {
        if name.is_empty() {
            encode::frame(b'C', &[b"S\0"], backend.framed.queue());
            backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
            backend.prepared.forget_unnamed();
        }
    }

    /// Hands the client those of our own replies whose turn has come.
    pub(super) fn send_due(&mut self, backend: &mut Backend) {
        while let Some(reply) = backend.pipeline.due() {
            self.client.queue().extend_from_slice(reply);
        }
    }

    /// The statement that an SQL-level EXECUTE or DEALLOCATE means, if the client prepared it by the protocol.
    fn named_by_sql(&self, analysis: &cache::sql::Analysis) -> Option<Arc<Statement>> {
        plan::named_by_sql(analysis, |name| self.facts.statements.get(name.as_bytes()))
    }

    fn show_status(&mut self) {
        let status = match &self.loan {
            Some(loan) => loan.pipeline.status(),
            None => TransactionStatus::Idle,
        };
        let out = self.client.queue();
        encode::text_row(&[(STATUS_SETTING, self.last_status.word())], "SHOW", out);
        encode::ready_for_query(status, out);
    }
}

/// Lets the backend say that a name is taken: it is given the statement under the client's name first.
fn refuse_duplicate(backend: &mut Backend, body: &Bytes, parse: &Parse<'_>, known: &Statement) {
    let parts = [parse.name, b"\0", &known.query, b"\0", &known.types];
    encode::frame(b'P', &parts, backend.framed.queue());
    backend.pipeline.sent(Sent::Parse, Asker::Proxy, None);
    backend.strays.push(Bytes::copy_from_slice(parse.name));
    send(backend, b'P', body, Sent::Parse, None);
}

/// Sends a message of the client's as it is.
fn send(backend: &mut Backend, tag: u8, body: &Bytes, sent: Sent, note: Option<Note>) {
    encode::frame(tag, &[body], backend.framed.queue());
    backend.pipeline.sent(sent, Asker::Client, note);
}

/// Sees to it that the backend has the statement by the time of the next message.
fn ensure(backend: &mut Backend, statement: &Arc<Statement>) {
    if !backend.prepared.has(statement) {
        prepare(backend, statement, None);
    }
}

/// Sends a Parse. Without a name it is our own, and its reply is kept from the client.
fn prepare(backend: &mut Backend, statement: &Arc<Statement>, name: Option<Bytes>) {
    let parts = [statement.name.as_bytes(), b"\0", &statement.query, b"\0", &statement.types];
    encode::frame(b'P', &parts, backend.framed.queue());
    let asker = if name.is_some() { Asker::Client } else { Asker::Proxy };
    let note = Note::Prepare { statement: Arc::clone(statement), name };
    backend.pipeline.sent(Sent::Parse, asker, Some(note));
    if let Some(oldest) = backend.prepared.insert(statement) {
        encode::frame(b'C', &[b"S", oldest.name.as_bytes(), b"\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
    }
}

/// Ends an implicit transaction of our own.
fn encode_sync(backend: &mut Backend) {
    backend.framed.queue().extend_from_slice(encode::SYNC);
    backend.pipeline.sent(Sent::Sync, Asker::Proxy, None);
}
