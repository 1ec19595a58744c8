//! Errors of a backend: whether the client hears of one, and in which words.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::postgres::{
    encode,
    frame::{BackendTag, FrontendTag},
    message,
    pipeline::{Asker, TransactionStatus},
};
use serving::error::ClientError;

use super::{
    backend::{Backend, Note},
    batch::Frame,
    client::Client,
    places, wire_error,
    work::{Hearing, Trouble, Work},
};

impl Work {
    /// Whether an error is not for the client: of a request that is made to fail or comes behind a PREPARE, of a statement
    /// that is being verified, and behind an error that it was given already. What fails ahead of a simple query is told
    /// when the query fails for it.
    fn is_unheard(&mut self) -> bool {
        self.is_for_nobody() || self.loan.pipeline.is_ahead()
    }

    /// Whether nobody is told of an error, at no time.
    fn is_for_nobody(&mut self) -> bool {
        let is_aside = match self.loan.pipeline.current() {
            Some(Note::Settle(settling)) => settling.is_aside,
            Some(Note::Fail) => true,
            _ => false,
        };
        is_aside || self.hearing == Some(Hearing::Statement) || self.trouble == Trouble::Refused
    }
}

impl Client {
    /// Whether an error is not for the client, or not yet.
    pub(crate) fn is_kept_back(&self, work: &mut Work, body: &[u8]) -> bool {
        if self.misses_block(work, body) {
            return true;
        }
        let is_kept =
            work.is_unheard() || self.begins_again(work, body) || self.may_move(work, body);
        if is_kept {
            self.keep_error(work, body);
        }
        is_kept
    }

    /// Keeps the error of what failed ahead of a simple query until that fails for it.
    fn keep_error(&self, work: &mut Work, body: &[u8]) {
        let is_kept = work.failed_ahead.is_none() && work.loan.pipeline.is_ahead();
        if is_kept && !work.is_for_nobody() {
            let moved = places::moved(&mut work.loan, BackendTag::ErrorResponse, body);
            let body = moved.as_deref().unwrap_or(body);
            let told = self.in_clients_words(&mut work.loan, body);
            work.failed_ahead = Some(told.as_deref().unwrap_or(body).into());
        }
    }

    /// Whether a backend lacks a statement that it should have, as after a DEALLOCATE ALL in a function, and all that was
    /// sent can be sent to another, because the client has heard nothing of it. The backend is not lent again.
    fn begins_again(&self, work: &mut Work, body: &[u8]) -> bool {
        let text = message::error_field(body, b'M').unwrap_or_default();
        let is_it = message::error_field(body, b'C') == Some(b"26000")
            && self.database.registry.find_name(text).is_some()
            && work.loan.pipeline.status() == TransactionStatus::Idle
            && work.unheard.as_ref().is_some_and(|sent| is_one_group(sent));
        if is_it {
            tracing::debug!("a backend lacks statements that it had");
            work.is_to_go_again(Trouble::Again);
        }
        is_it
    }

    /// Whether a backend refuses to write that was chosen for writing, and all that was sent can be sent to another, because
    /// nothing of it was done and the client has heard nothing of it. What the session has asked for itself, and what was
    /// looked into a moment ago, is passed on.
    fn may_move(&self, work: &mut Work, body: &[u8]) -> bool {
        let hosts = &self.database.config.origin.hosts;
        // ERRCODE_READ_ONLY_SQL_TRANSACTION: in a read-only transaction, and on a standby.
        let is_it = message::error_field(body, b'C') == Some(b"25006")
            && work.loan.may_move()
            && hosts.wanted.is_for_writing()
            && self.begun.is_none()
            && work.unheard.as_ref().is_some_and(|sent| is_one_group(sent) || is_query(sent))
            && self.facts.settings.get(READ_ONLY).is_none()
            && (!work.loan.on.is_in_use() || hosts.may_look());
        if is_it {
            tracing::debug!("a backend does not write");
            work.is_to_go_again(Trouble::Moves);
        }
        is_it
    }

    /// The error that the client gets instead of the backend's: for a request we made to fail, and for a
    /// statement that we cancelled.
    pub(crate) fn replacement(&self, work: &mut Work, body: &[u8]) -> Option<Bytes> {
        if let Some(Note::Refuse(error)) = work.loan.pipeline.current() {
            return Some(error.clone());
        }
        if let (Some(error), Some(Note::Query { .. })) =
            (&work.failed_ahead, work.loan.pipeline.current())
        {
            let mut frame = BytesMut::new();
            encode::frame(b'E', &[error], &mut frame);
            return Some(frame.freeze());
        }
        let is_cancelled = message::error_field(body, b'C') == Some(b"57014")
            && work.loan.pipeline.current_asker() == Asker::Client;
        if work.trouble == Trouble::TimedOut && is_cancelled {
            let mut frame = BytesMut::new();
            wire_error::put(ClientError::StatementTimeout, &mut frame);
            return Some(frame.freeze());
        }
        None
    }

    /// A shared statement whose result has another shape since the schema changed: from now on clients that
    /// prepare it get a new one.
    pub(crate) fn outdate_if_replanned(&self, body: &[u8]) {
        // `RevalidateCachedQuery` in plancache.c; the SQLSTATE alone says only "feature not supported".
        let is_it = message::error_field(body, b'C') == Some(b"0A000")
            && message::error_field(body, b'R') == Some(b"RevalidateCachedQuery");
        if is_it {
            self.database.catalog.outdate();
        }
    }

    /// The database and we disagree about what is prepared there, as after a DEALLOCATE inside a function.
    pub(crate) fn judge_statements(&self, backend: &mut Backend, body: &[u8]) {
        let is_missing = message::error_field(body, b'C') == Some(b"26000");
        let text = message::error_field(body, b'M').unwrap_or_default();
        backend.unfit |= is_missing && self.database.registry.find_name(text).is_some();
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
}

impl Work {
    /// Once all has ended, what was sent is sent to another backend, and this one is not lent again.
    fn is_to_go_again(&mut self, trouble: Trouble) {
        self.loan.unfit = true;
        self.collect = None;
        self.ledger.failed();
        self.signals.clear();
        self.trouble = trouble;
    }
}

/// The setting by which a session says that it does not write.
const READ_ONLY: &str = "default_transaction_read_only";

/// Whether it is one simple query.
fn is_query(frames: &[Frame]) -> bool {
    matches!(frames, [frame] if frame.tag == FrontendTag::Query)
}

/// Whether messages are one group, to its end and no further.
pub(crate) fn is_one_group(frames: &[Frame]) -> bool {
    let ends = |frame: &Frame| frame.tag == FrontendTag::Sync;
    frames.iter().position(ends).is_some_and(|at| at + 1 == frames.len())
}
