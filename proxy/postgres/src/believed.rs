//! What was believed when messages were sent, once their replies come: statements are settled, names are certain, and what
//! an error skipped is taken back.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::postgres::{Discarded, Kind};
use protocol::postgres::{
    encode,
    frame::{BackendTag, FrontendTag},
    message,
    pipeline::{Asker, Request as Sent, TransactionStatus},
};
use serving::error::{ClientError, SessionError};

use super::{
    backend::{Ahead, Backend, Note, Settling},
    batch::Frame,
    places,
    prepared::Before,
    session::{Hearing, Session, Trouble},
    settled::Settled,
    statements::fail,
    wire_error,
};

impl Session {
    /// A backend has said what a statement is: what it settles, or the same as what was settled.
    pub(crate) fn settled(
        &mut self,
        backend: &mut Backend,
        settling: &Settling,
        rows: Option<&[u8]>,
    ) -> Result<(), SessionError> {
        let Settling { statement, name, types, .. } = settling;
        let settled = Settled::new(types, rows);
        if statement.settled().is_some_and(|known| *known != settled) {
            return self.plan_changed(backend, statement.number());
        }
        let shared = self.database.registry.settle(statement, settled);
        if !Arc::ptr_eq(&shared, statement) {
            backend.prepared.rename(statement, &shared);
            self.facts.statements.share(name, statement, shared);
        }
        Ok(())
    }

    /// A statement has other rows at this backend than its client was told: the client gets the error that it would have
    /// got, and what was sent behind it is not for it.
    fn plan_changed(&mut self, backend: &mut Backend, number: u64) -> Result<(), SessionError> {
        tracing::debug!("a prepared statement returns other rows than before");
        backend.prepared.retire(number);
        if self.hearing == Some(Hearing::Statement) {
            self.stale = Some(number);
            return Ok(());
        }
        // Outside a block other statements of the group may be committed: whether they are the client must find out.
        if self.executes > 1 && backend.pipeline.status() == TransactionStatus::Idle {
            return Err(ClientError::PlanChanged.into());
        }
        self.collect = None;
        self.ledger.failed();
        self.client.queue().extend_from_slice(wire_error::PLAN_CHANGED);
        self.trouble = Trouble::Refused;
        Ok(())
    }

    /// A message for a client that was refused in the middle of a group: nothing of it is passed on but the group's end.
    pub(crate) fn refused(
        &mut self,
        backend: &mut Backend,
        tag: BackendTag,
    ) -> Result<(), SessionError> {
        if tag == BackendTag::CopyInResponse {
            return Err(ClientError::PlanChanged.into());
        }
        if tag != BackendTag::ReadyForQuery {
            return Ok(());
        }
        self.trouble = Trouble::None;
        let status = match backend.pipeline.status() {
            // The block must have failed there too, before anything else runs in it.
            TransactionStatus::InTransaction if backend.pipeline.owes() => {
                return Err(ClientError::PlanChanged.into());
            }
            TransactionStatus::InTransaction => {
                fail(backend, Asker::Proxy, Note::Fail);
                backend.framed.queue().extend_from_slice(encode::SYNC);
                backend.pipeline.sent(Sent::Sync, Asker::Proxy, None);
                TransactionStatus::Failed
            }
            status => status,
        };
        encode::ready_for_query(status, self.client.queue());
        if status == TransactionStatus::Idle {
            self.after_ready(backend);
        }
        Ok(())
    }

    /// Whether an error is not for the client: of a request that is made to fail or comes behind a PREPARE, of a statement
    /// that is being verified, and behind an error that it was given already. What fails ahead of a simple query is told
    /// when the query fails for it.
    pub(crate) fn is_unheard(&self, backend: &mut Backend) -> bool {
        self.is_for_nobody(backend) || backend.pipeline.is_ahead()
    }

    /// Whether nobody is told of an error, at no time.
    fn is_for_nobody(&self, backend: &mut Backend) -> bool {
        let is_aside = match backend.pipeline.current() {
            Some(Note::Settle(settling)) => settling.is_aside,
            Some(Note::Fail) => true,
            _ => false,
        };
        is_aside || self.hearing == Some(Hearing::Statement) || self.trouble == Trouble::Refused
    }

    /// Keeps the error of what failed ahead of a simple query until that fails for it.
    pub(crate) fn keep_error(&mut self, backend: &mut Backend, body: &[u8]) {
        let is_kept = self.failed_ahead.is_none() && backend.pipeline.is_ahead();
        if is_kept && !self.is_for_nobody(backend) {
            let moved = places::moved(backend, BackendTag::ErrorResponse, body);
            let body = moved.as_deref().unwrap_or(body);
            let told = self.in_clients_words(backend, body);
            self.failed_ahead = Some(told.as_deref().unwrap_or(body).into());
        }
    }

    /// Whether a backend lacks a statement that it should have, as after a DEALLOCATE ALL in a function, and all that was
    /// sent can be sent to another, because the client has heard nothing of it. The backend is not lent again.
    pub(crate) fn begins_again(&mut self, backend: &mut Backend, body: &[u8]) -> bool {
        let text = message::error_field(body, b'M').unwrap_or_default();
        let is_it = message::error_field(body, b'C') == Some(b"26000")
            && self.database.registry.find_name(text).is_some()
            && backend.pipeline.status() == TransactionStatus::Idle
            && self.unheard.as_ref().is_some_and(|sent| is_one_group(sent));
        if is_it {
            tracing::debug!("a backend lacks statements that it had");
            backend.unfit = true;
            self.collect = None;
            self.ledger.failed();
            self.signals.clear();
            self.trouble = Trouble::Again;
        }
        is_it
    }

    /// Sends a group of messages to another backend, once the last one has skipped it to its end.
    pub(crate) async fn send_again(&mut self) -> Result<(), SessionError> {
        if self.loan.as_ref().is_some_and(|loan| !loan.pipeline.is_idle()) {
            return Ok(());
        }
        self.trouble = Trouble::None;
        // It is unfit, so that this closes it.
        self.checkin().await;
        let frames = self.unheard.take().unwrap_or_default();
        self.forward_frames(frames, None).await
    }

    /// A group of the client's messages has ended.
    pub(crate) fn heard(&mut self, backend: &Backend, done: Option<Note>) {
        let names = &mut self.facts.statements;
        if backend.pipeline.is_quiet() {
            names.heard_all();
        } else if let Some(Note::Sync(group) | Note::Call(group) | Note::Query { group, .. }) = done
        {
            names.heard(group);
        }
        self.send_signals();
    }

    /// An error that speaks of one of our names for statements, with the client's own in its place. It is that of the request
    /// which is being answered.
    pub(crate) fn in_clients_words(&self, backend: &mut Backend, body: &[u8]) -> Option<Bytes> {
        // The client may have given the statement several names, and given this one to another since.
        let named = match backend.pipeline.current() {
            Some(Note::Named(theirs, ours)) => vec![(theirs.clone(), Arc::clone(ours))],
            Some(Note::Query { names, .. }) => names.clone(),
            _ => Vec::new(),
        };
        let names = &self.facts.statements;
        let mut new = Vec::new();
        let mut rest = body;
        while let Some(span) = self.database.registry.find_name(rest) {
            let (before, from) = rest.split_at(span.start);
            let (ours, behind) = from.split_at(span.len());
            let statement = backend.prepared.named(ours);
            let named = named.iter().find(|(_, name)| name.as_bytes() == ours);
            let theirs = named
                .map(|(theirs, _)| theirs)
                .or_else(|| names.alias(ours))
                .or_else(|| names.name_of(statement?.number()));
            new.extend_from_slice(before);
            new.extend_from_slice(theirs.map_or(ours, |name| name));
            rest = behind;
        }
        if new.is_empty() {
            return None;
        }
        new.extend_from_slice(rest);
        Some(new.into())
    }

    /// A statement of a simple query has taken names of statements away.
    pub(crate) fn deallocated(&mut self, backend: &mut Backend, kind: &Kind) {
        match kind {
            Kind::Deallocate(None) | Kind::Discard(Discarded::All) => {
                self.facts.statements.clear();
                backend.prepared.clear();
            }
            Kind::Deallocate(Some(name)) => {
                if let Some(statement) = self.facts.statements.remove(name.as_bytes()) {
                    backend.prepared.remove(&statement);
                }
            }
            _ => {}
        }
    }

    /// An error has ended one request, and the backend skips those behind it: what was said of them ahead is taken back.
    pub(crate) fn take_back(
        &mut self,
        backend: &mut Backend,
        error: &[u8],
        (failed, skipped): (Option<Note>, Vec<Note>),
    ) {
        self.end_skipped(error, failed.as_ref(), &skipped);
        // What was bound behind the error is not there.
        let facts = &mut self.facts;
        facts.portals.retain(|_name, (_, at)| !facts.statements.is_first_unheard(*at));
        // The last one first: each puts back what it found.
        for note in skipped.into_iter().rev() {
            self.take_one_back(backend, note);
        }
        match failed {
            // The backend has dropped the last one before it read the next (`exec_parse_message`).
            Some(Note::Parse { statement, name, .. }) if name.is_empty() => {
                backend.prepared.remove(&statement);
                statement.take_back(None);
                self.facts.statements.put_back(&name, None);
            }
            Some(note) => self.take_one_back(backend, note),
            None => {}
        }
    }

    fn take_one_back(&mut self, backend: &mut Backend, mut note: Note) {
        if let Note::Parse { statement, before, .. } = &mut note {
            *before = Before::standing(before.take());
            statement.take_back(before.clone());
        }
        backend.take_back(&mut note);
        let names = &mut self.facts.statements;
        match note {
            Note::Parse { name, before, .. } => {
                names.put_back(&name, before.map(|before| before.statement));
            }
            Note::Unnamed(name, statement) | Note::Given { name, statement } => {
                names.put_back(&name, Some(statement));
            }
            Note::Execute(_, _, Some(ahead)) => match *ahead {
                Ahead::Closed(name, statement, _) => names.put_back(&name, Some(statement)),
                Ahead::Cleared(known, _) => names.put_all_back(known),
            },
            _ => {}
        }
    }
}

/// Whether messages are one group, to its end and no further.
fn is_one_group(frames: &[Frame]) -> bool {
    let ends = |frame: &Frame| frame.tag == FrontendTag::Sync;
    frames.iter().position(ends).is_some_and(|at| at + 1 == frames.len())
}
