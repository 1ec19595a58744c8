//! The client's statements and portals under our names: Parse, Bind, Describe, Execute, Close.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cache::sql::Writes;
use protocol::{
    postgres::{
        encode,
        message::{Bind, Execute, Parse, Target},
        pipeline::{Asker, Request as Sent, TransactionStatus},
    },
    reader::DecodeError,
};

use super::{
    backend::{Backend, Note},
    forward::send,
    plan::{self, Cacheable, Standing},
    prepared::{MAX_PER_CLIENT, Named, Source, Statement},
    session::Session,
    wire_error,
};
use crate::{error::ClientError, observe::CacheStatus};

impl Session {
    pub(super) fn forward_parse(
        &mut self,
        backend: &mut Backend,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
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
        let statement = self.register(&parse);
        let is_failed = backend.pipeline.status() == TransactionStatus::Failed;
        if !statement.is_unnamed() && is_failed && !plan::ends_transaction(&statement.analysis) {
            // The backend refuses it, whatever it has prepared.
            let parts = [b"\0", parse.rest];
            encode::frame(b'P', &parts, backend.framed.queue());
            backend.prepared.forget_unnamed();
            backend.pipeline.sent(Sent::Parse, Asker::Client, Some(Note::Named(name, statement)));
        } else if !statement.is_unnamed() && backend.prepared.has(&statement) {
            backend
                .pipeline
                .answer_locally(encode::PARSE_COMPLETE, Some(Note::Named(name, statement)));
            self.send_due(backend);
        } else {
            prepare(backend, &statement, Some(name));
        }
        Ok(())
    }

    /// Remembers a client's statement under the client's name.
    pub(super) fn register(&mut self, parse: &Parse<'_>) -> Arc<Statement> {
        let (mut source, analysis) = match self.prepared_before(parse) {
            Some(last) => (last.source.clone(), Arc::clone(&last.analysis)),
            None => (Source::of(parse), self.analyse(parse.query)),
        };
        if let Some(target) = self.named_by_sql(&analysis)
            && let Some(query) = plan::renamed(parse.query, &analysis, &target.name)
        {
            source = source.with_query(&query);
        }
        let registry = &self.database.registry;
        let statement = if parse.name.is_empty() {
            registry.unnamed(source, analysis)
        } else if self.ledger.has_set() {
            registry.private(source, analysis)
        } else {
            let changes = self.database.catalog.changes();
            registry.share(source, plan::meaning(&self.facts.settings, changes), analysis)
        };
        file(&mut self.facts.statements, parse.name, Arc::clone(&statement));
        statement
    }

    /// The client's unnamed statement, if this is the same once more: drivers without prepared statements parse
    /// one text again and again.
    pub(super) fn prepared_before(&self, parse: &Parse<'_>) -> Option<&Arc<Statement>> {
        let last = self.facts.statements.get(&b""[..])?;
        let is_same = parse.name.is_empty() && last.source.as_bytes() == parse.rest;
        // One that names a statement may have been renamed: its text is not what was analysed.
        (is_same && plan::name_in_sql(&last.analysis).is_none()).then_some(last)
    }

    pub(super) fn forward_bind(
        &mut self,
        backend: &mut Backend,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
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
        let is_new = !self.facts.portals.contains_key(bind.portal);
        if !is_new || self.facts.portals.len() < MAX_PER_CLIENT {
            file(&mut self.facts.portals, bind.portal, statement);
        }
        Ok(())
    }

    pub(super) fn forward_describe(
        &self,
        backend: &mut Backend,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
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
    pub(super) fn forward_close(
        &mut self,
        backend: &mut Backend,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
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

    pub(super) fn forward_execute(
        &mut self,
        backend: &mut Backend,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let execute = Execute::decode(body)?;
        let note = match self.facts.portals.get(execute.portal).cloned() {
            Some(statement) => {
                let query = statement.source.query();
                let text = self.judge(query, Arc::clone(&statement.analysis));
                self.database.metrics.query_bytes.inc_by(query.len() as u64);
                let status = self.next_status.take().unwrap_or_else(|| {
                    let standing = || match backend.in_transaction() {
                        true => Standing::InTransaction,
                        false => Standing::Bound,
                    };
                    match text.verdict(standing, &self.database.config.caching) {
                        Cacheable::No(status) => status,
                        Cacheable::Yes(_) => CacheStatus::Uncacheable,
                    }
                });
                self.count(status);
                self.starts(backend, &text);
                Some(Note::Execute(text.analysis))
            }
            // A cursor of SQL, or one too many to be followed.
            None => {
                self.will_write(backend, Writes::Everything, true);
                None
            }
        };
        send(backend, b'E', body, Sent::Execute, note);
        Ok(())
    }

    /// A client without an unnamed statement must not find another client's.
    fn forget_unnamed(&self, backend: &mut Backend, name: &[u8]) {
        if name.is_empty() {
            encode::frame(b'C', &[b"S\0"], backend.framed.queue());
            backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
            backend.prepared.forget_unnamed();
        }
    }

    /// Gives the client an error in the place where its request stands: the backend is sent something that
    /// must fail, so that it too aborts the transaction and skips to `Sync`.
    fn refuse_in_place(&self, backend: &mut Backend, error: ClientError) {
        let mut frame = BytesMut::new();
        wire_error::put(error, &mut frame);
        let note = Note::Refuse(frame.freeze());
        // It drops the unnamed statement before it fails.
        backend.prepared.forget_unnamed();
        send(
            backend,
            b'P',
            &Bytes::from_static(b"\0jumpgate refuses\0\0\0"),
            Sent::Parse,
            Some(note),
        );
    }
}

/// Lets the backend say that a name is taken: it is given the statement under the client's name first.
fn refuse_duplicate(backend: &mut Backend, body: &Bytes, parse: &Parse<'_>, known: &Statement) {
    let parts = [parse.name, b"\0", known.source.as_bytes()];
    encode::frame(b'P', &parts, backend.framed.queue());
    backend.pipeline.sent(Sent::Parse, Asker::Proxy, None);
    backend.strays.push(Bytes::copy_from_slice(parse.name));
    send(backend, b'P', body, Sent::Parse, None);
}

/// Files a statement under a client's name for it or for its portal; a name that is known is not copied again.
fn file(named: &mut Named, name: &[u8], statement: Arc<Statement>) {
    match named.get_mut(name) {
        Some(known) => *known = statement,
        None => drop(named.insert(Bytes::copy_from_slice(name), statement)),
    }
}

/// Sees to it that the backend has the statement by the time of the next message.
fn ensure(backend: &mut Backend, statement: &Arc<Statement>) {
    if !backend.prepared.has(statement) {
        prepare(backend, statement, None);
    }
}

/// Sends a Parse. Without a name it is our own, and its reply is kept from the client.
pub(super) fn prepare(backend: &mut Backend, statement: &Arc<Statement>, name: Option<Bytes>) {
    let parts = [statement.name.as_bytes(), b"\0", statement.source.as_bytes()];
    encode::frame(b'P', &parts, backend.framed.queue());
    let asker = if name.is_some() { Asker::Client } else { Asker::Proxy };
    let note = Note::Prepare { statement: Arc::clone(statement), name };
    backend.pipeline.sent(Sent::Parse, asker, Some(note));
    if let Some(oldest) = backend.prepared.insert(statement) {
        encode::frame(b'C', &[b"S", oldest.name.as_bytes(), b"\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, Some(Note::Evict(oldest)));
    }
}
