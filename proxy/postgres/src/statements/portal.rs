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
use tokio::time::Instant;

use super::super::{
    backend::{Backend, Note, Settling},
    batch::Judged,
    client::Client,
    forward::send,
    lacking::describe_in_failed,
    plan::{self, Cacheable, Standing, Text},
    prepared::Statement,
    work::Work,
};
use super::{close::forget_unnamed, refused::refuse_plan, settling::is_settled_by_parse};

impl Client {
    pub(crate) fn forward_bind(
        &mut self,
        work: &mut Work,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let bind = Bind::decode(body)?;
        let Some(statement) = self.facts.statements.get(bind.statement).cloned() else {
            forget_unnamed(&mut work.loan, bind.statement);
            send(&mut work.loan, b'B', body, Sent::Bind, None);
            return Ok(());
        };
        if self.refuse_miscounted(&mut work.loan, &bind, &statement) {
            return Ok(());
        }
        if work.stale == Some(statement.number()) || would_misread(&work.loan, &statement) {
            refuse_plan(&mut work.loan);
            return Ok(());
        }
        let name = body.slice_ref(bind.statement);
        let resolved = self.resolve(work, &statement, &name, Some(&bind));
        let bound = resolved.as_ref().unwrap_or(&statement);
        self.ensure(work, bound, &name);
        let Backend { prepared, framed, pipeline, .. } = &mut *work.loan;
        let ours = prepared.held(bound).map(|held| Arc::clone(&held.name)).unwrap_or_default();
        let parts = [bind.portal, b"\0", ours.as_bytes(), b"\0", bind.rest];
        encode::frame(b'B', &parts, framed.queue());
        pipeline.sent(Sent::Bind, Asker::Client, Some(Note::Named(name, ours)));
        if let Some(resolved) = resolved {
            close(&mut work.loan, &resolved);
        }
        let analysis = plan::with_values(&statement.analysis, &bind, statement.source.types());
        let group = self.facts.statements.group();
        work.portals.bind(bind.portal, (statement, analysis), group);
        Ok(())
    }

    pub(crate) fn forward_describe(
        &mut self,
        work: &mut Work,
        body: &Bytes,
    ) -> Result<(), DecodeError> {
        let Target::Statement(name) = Target::decode(body)? else {
            send(&mut work.loan, b'D', body, Sent::DescribePortal, None);
            return Ok(());
        };
        let Some(statement) = self.facts.statements.get(name).cloned() else {
            forget_unnamed(&mut work.loan, name);
            send(&mut work.loan, b'D', body, Sent::DescribeStatement, None);
            return Ok(());
        };
        if let Some(target) = self.lacks_target(&statement)
            && !work.loan.is_failed()
        {
            // The server looks for it once it has described the parameters, and says so.
            work.loan.pipeline.answer_locally(encode::NO_PARAMETERS, None);
            encode::frame(b'D', &[b"S", target.as_bytes(), b"\0"], work.loan.framed.queue());
            work.loan.pipeline.sent(Sent::DescribeStatement, Asker::Client, None);
            return Ok(());
        }
        if describe_in_failed(&mut work.loan, &statement) {
            return Ok(());
        }
        if would_misread(&work.loan, &statement) {
            refuse_plan(&mut work.loan);
            return Ok(());
        }
        let name = body.slice_ref(name);
        let resolved = self.resolve(work, &statement, &name, None);
        let described = resolved.as_ref().unwrap_or(&statement);
        self.ensure(work, described, &name);
        let Backend { prepared, framed, pipeline, .. } = &mut *work.loan;
        let ours = prepared.find(described).unwrap_or_default().as_bytes();
        encode::frame(b'D', &[b"S", ours, b"\0"], framed.queue());
        let settles = is_settled_by_parse(described) && described.settled().is_none();
        let place = work.describes.take().filter(|_| resolved.is_none());
        let note = (settles || place.is_some())
            .then(|| Note::Settle(Box::new(Settling { place, ..Settling::of(described, name) })));
        pipeline.sent(Sent::DescribeStatement, Asker::Client, note);
        if let Some(resolved) = resolved {
            close(&mut work.loan, &resolved);
        }
        Ok(())
    }

    pub(crate) fn forward_execute(
        &mut self,
        work: &mut Work,
        body: &Bytes,
        judged: &mut Option<Judged>,
    ) -> Result<(), DecodeError> {
        let execute = Execute::decode(body)?;
        work.executes = work.executes.saturating_add(1);
        let note = match work.portals.statement(execute.portal).cloned() {
            Some(statement) => {
                let (mut text, asked) = self.judged(&statement, judged.take());
                if let Some(analysis) = work.portals.analysis(execute.portal) {
                    text.analysis = Arc::clone(analysis);
                }
                self.before_sequences(work, &text, false);
                let query = statement.source.query();
                self.received(query.len());
                let asked = asked.unwrap_or_else(|| (self.status_at(work, &text), Instant::now()));
                let asked = self.asks(query, &text, asked);
                let footprint = self.starts(work, &text);
                if work.executes == 1 && text.opens_block() {
                    self.opens_itself(work, query);
                }
                let ahead = self.goes_ahead(&mut work.loan, &text.analysis);
                Note::Execute(text.analysis, footprint, ahead, asked)
            }
            // A cursor of SQL, or one too many to be followed.
            None => {
                self.runs_unseen(work);
                Note::Unseen
            }
        };
        send(&mut work.loan, b'E', body, Sent::Execute, Some(note));
        Ok(())
    }

    /// What a statement means that is about to run, and if the cache was asked its status and when it came: as it was
    /// judged then, but for one that is read otherwise since.
    fn judged(
        &self,
        statement: &Statement,
        judged: Option<Judged>,
    ) -> (Text, Option<(CacheStatus, Instant)>) {
        match judged {
            Some(Judged { text, status, came })
                if Arc::ptr_eq(&text.analysis, &statement.analysis) =>
            {
                (text, Some((status, came)))
            }
            other => {
                (self.judge_statement(statement), other.map(|other| (other.status, other.came)))
            }
        }
    }

    /// Why the cache does not answer a statement that it was not asked for.
    fn status_at(&self, work: &Work, text: &Text) -> CacheStatus {
        let standing = || match work.is_in_block() {
            true => Standing::InTransaction,
            false if work.is_pinned() => Standing::Pinned,
            false => Standing::Bound,
        };
        let status = match self.verdict(text, standing) {
            Cacheable::No(status) => status,
            Cacheable::Yes(_) => CacheStatus::Uncacheable,
        };
        let ledger = &work.ledger;
        self.counts_unasked(text, status, || ledger.sees_commits() && ledger.has_only_read());
        status
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
