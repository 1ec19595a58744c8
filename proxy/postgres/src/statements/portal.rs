//! Bind, Describe, Execute: what is done with a client's statement, at a backend that may have to be given it first.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    postgres::{
        encode,
        message::{Bind, Execute, Target},
        pipeline::{Asker, Request as Sent},
    },
    reader::DecodeError,
};
use serving::observe::CacheStatus;

use super::{
    super::{
        backend::{Backend, Note},
        forward::send,
        plan::{Cacheable, Standing},
        prepared::Statement,
        session::Session,
    },
    parse::MAX_PER_CLIENT,
    refused::refuse_plan,
    settling::{is_settled_by_parse, settling},
};

/// The ParameterDescription of a statement without parameters.
const NO_PARAMETERS: &[u8] = b"t\0\0\0\x06\0\0";

impl Session {
    pub(crate) fn forward_bind(
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
        if self.refuse_miscounted(backend, &bind, &statement) {
            return Ok(());
        }
        if self.stale == Some(statement.number()) || would_misread(backend, &statement) {
            refuse_plan(backend);
            return Ok(());
        }
        let name = body.slice_ref(bind.statement);
        let resolved = self.resolve(backend, &statement, &name, Some(&bind));
        let bound = resolved.as_ref().unwrap_or(&statement);
        self.ensure(backend, bound, &name);
        let Backend { prepared, framed, pipeline, .. } = backend;
        let ours = prepared.held(bound).map(|held| Arc::clone(&held.name)).unwrap_or_default();
        let parts = [bind.portal, b"\0", ours.as_bytes(), b"\0", bind.rest];
        encode::frame(b'B', &parts, framed.queue());
        let note = (!ours.is_empty()).then_some(Note::Named(name, ours));
        pipeline.sent(Sent::Bind, Asker::Client, note);
        if let Some(resolved) = resolved {
            close(backend, &resolved);
        }
        let bound = (statement, self.facts.statements.group());
        let portals = &mut self.facts.portals;
        if let Some(known) = portals.get_mut(bind.portal) {
            *known = bound;
        } else if portals.len() < MAX_PER_CLIENT {
            portals.insert(Bytes::copy_from_slice(bind.portal), bound);
        }
        Ok(())
    }

    pub(crate) fn forward_describe(
        &mut self,
        backend: &mut Backend,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let Target::Statement(name) = Target::decode(body)? else {
            send(backend, b'D', body, Sent::DescribePortal, None);
            return Ok(());
        };
        let Some(statement) = self.facts.statements.get(name).cloned() else {
            self.forget_unnamed(backend, name);
            send(backend, b'D', body, Sent::DescribeStatement, None);
            return Ok(());
        };
        if let Some(target) = self.lacks_target(&statement)
            && !backend.is_failed()
        {
            // The server looks for it once it has described the parameters, and says so.
            backend.pipeline.answer_locally(NO_PARAMETERS, None);
            encode::frame(b'D', &[b"S", target.as_bytes(), b"\0"], backend.framed.queue());
            backend.pipeline.sent(Sent::DescribeStatement, Asker::Client, None);
            return Ok(());
        }
        if self.describe_in_failed(backend, &statement) {
            return Ok(());
        }
        if would_misread(backend, &statement) {
            refuse_plan(backend);
            return Ok(());
        }
        let name = body.slice_ref(name);
        let resolved = self.resolve(backend, &statement, &name, None);
        let described = resolved.as_ref().unwrap_or(&statement);
        self.ensure(backend, described, &name);
        let Backend { prepared, framed, pipeline, .. } = backend;
        let ours = prepared.find(described).unwrap_or_default().as_bytes();
        encode::frame(b'D', &[b"S", ours, b"\0"], framed.queue());
        let settles = is_settled_by_parse(described) && described.settled().is_none();
        let note = settles.then(|| settling(described, name, false));
        pipeline.sent(Sent::DescribeStatement, Asker::Client, note);
        if let Some(resolved) = resolved {
            close(backend, &resolved);
        }
        Ok(())
    }

    pub(crate) fn forward_execute(
        &mut self,
        backend: &mut Backend,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let execute = Execute::decode(body)?;
        self.executes = self.executes.saturating_add(1);
        let note = match self.facts.portal(execute.portal).cloned() {
            Some(statement) => {
                let text = self.judge_statement(&statement);
                self.before_sequences(backend, &text, false);
                let length = statement.source.query().len();
                self.database.metrics.query_bytes.inc_by(length as u64);
                let is_pinned = !self.facts.pins.is_empty();
                let status = self.next_status.take().unwrap_or_else(|| {
                    let standing = || match backend.in_transaction() {
                        true => Standing::InTransaction,
                        false if is_pinned => Standing::Pinned,
                        false => Standing::Bound,
                    };
                    match text.verdict(standing, &self.database.config.caching) {
                        Cacheable::No(status) => status,
                        Cacheable::Yes(_) => CacheStatus::Uncacheable,
                    }
                });
                self.count(status);
                let work = self.starts(backend, &text);
                let ahead = self.goes_ahead(backend, &text.analysis);
                Note::Execute(text.analysis, work, ahead)
            }
            // A cursor of SQL, or one too many to be followed.
            None => {
                self.runs_unseen(backend);
                Note::Unseen
            }
        };
        send(backend, b'E', body, Sent::Execute, Some(note));
        Ok(())
    }
}

/// Whether a statement would have to be parsed again, and it is not known with which settings it was read.
fn would_misread(backend: &Backend, statement: &Statement) -> bool {
    statement.stays
        && is_settled_by_parse(statement)
        && !backend.is_failed()
        && !backend.prepared.has(statement)
}

/// Closes a statement that was made for one message.
fn close(backend: &mut Backend, statement: &Statement) {
    if let Some(held) = backend.prepared.remove(statement) {
        encode::frame(b'C', &[b"S", held.name.as_bytes(), b"\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::Close, Asker::Proxy, None);
    }
}
