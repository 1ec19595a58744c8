//! From the backend to the client: what is only passed on goes in runs, what changes the session is read.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use cache::sql::postgres::Pin;
use protocol::{
    postgres::{
        encode,
        frame::{BackendTag, HEADER_LEN, Header},
        message,
        pipeline::{Asker, TransactionStatus},
    },
    reader::DecodeError,
};
use serving::{
    error::{ClientError, SessionError},
    observe::CacheStatus,
};
use tokio::time::Instant;

use super::{
    adopt::note_parameter,
    backend::{Backend, Note},
    fill::Collected,
    ledger::Committed,
    places,
    questions::{PIN_PROBE, ask, is_probed},
    session::{Session, Trouble},
    wire_error,
};

/// The longest message that must be read whole.
const MAX_READ: usize = 16 << 20;

impl Session {
    /// Passes on what the backend has said so far.
    pub(crate) fn relay(&mut self) -> Result<(), SessionError> {
        let Some(mut loan) = self.loan.take() else { return Ok(()) };
        let before = self.client.queued();
        let result = self.relay_from(&mut loan);
        let relayed = self.client.queued().saturating_sub(before);
        self.database.metrics.result_bytes.inc_by(relayed as u64);
        self.loan = Some(loan);
        result
    }

    fn relay_from(&mut self, backend: &mut Backend) -> Result<(), SessionError> {
        // Out of the backend for so long: messages are read where they lie.
        let mut input = std::mem::take(backend.framed.buffer());
        let result = self.relay_input(backend, &mut input);
        *backend.framed.buffer() = input;
        result
    }

    fn relay_input(
        &mut self,
        backend: &mut Backend,
        input: &mut BytesMut,
    ) -> Result<(), SessionError> {
        loop {
            if self.passing.to_client > 0 {
                let length = input.len().min(self.passing.to_client);
                self.passing.to_client -= length;
                self.pass_on(input, length);
                if self.passing.to_client > 0 {
                    return Ok(());
                }
            }
            let header = Header::peek(input);
            let Some(header) = header.map_err(SessionError::BackendProtocol)? else {
                return Ok(());
            };
            let tag = BackendTag::from(header.tag);
            if matches!(tag, BackendTag::DataRow | BackendTag::CopyData)
                && backend.pipeline.current_asker() == Asker::Client
                && self.trouble != Trouble::Refused
            {
                if self.pass_rows(backend, input, tag, header)? {
                    continue;
                }
                return Ok(());
            }
            if header.body_len > MAX_READ {
                return Err(SessionError::BackendProtocol(DecodeError::Value("message length")));
            }
            let Some(frame) = input.get(..header.frame_len()) else { return Ok(()) };
            self.receive(backend, tag, frame)?;
            if backend.unfit && self.is_free_of(backend) {
                // Nothing that follows is for anybody.
                input.clear();
                return Ok(());
            }
            input.advance(header.frame_len());
            self.send_due(backend);
        }
    }

    /// Hands the client the first bytes of the backend's input.
    fn pass_on(&mut self, input: &mut BytesMut, length: usize) {
        self.unheard = None;
        self.client.queue().extend_from_slice(input.get(..length).unwrap_or_default());
        input.advance(length);
    }

    /// Passes on rows: all that are here in one piece, and the beginning of one that is not all here, unless the
    /// reply is being collected and may still be kept. False when the rest must come first.
    fn pass_rows(
        &mut self,
        backend: &mut Backend,
        input: &mut BytesMut,
        tag: BackendTag,
        first: Header,
    ) -> Result<bool, SessionError> {
        // The tracker stands where it stood after the first row of a run.
        backend.pipeline.received(tag, None)?;
        let mut length = 0;
        let mut next = Some(first);
        while let Some(header) = next.filter(|header| header.tag == first.tag) {
            let end = length + header.frame_len();
            if end > input.len() {
                break;
            }
            length = end;
            let rest = input.get(length..).unwrap_or_default();
            next = Header::peek(rest).map_err(SessionError::BackendProtocol)?;
        }
        if length == 0 {
            // Longer than what has come of it: a collected reply ends here.
            if self.collect.as_ref().is_some_and(|collect| collect.fits(first.frame_len())) {
                return Ok(false);
            }
            if self.collect.take().is_some() {
                self.count(CacheStatus::OversizedResult);
            }
            self.passing.to_client = first.frame_len();
            return Ok(true);
        }
        match self.collect.take() {
            Some(collect) if tag == BackendTag::DataRow => {
                self.collected(collect.row(input.get(..length).unwrap_or_default()));
            }
            _ => {}
        }
        self.pass_on(input, length);
        Ok(true)
    }

    /// Deals with one whole message.
    fn receive(
        &mut self,
        backend: &mut Backend,
        tag: BackendTag,
        frame: &[u8],
    ) -> Result<(), SessionError> {
        let body = frame.get(HEADER_LEN..).unwrap_or_default();
        if tag == BackendTag::ErrorResponse {
            self.forgets_no_more(backend);
        }
        match tag {
            BackendTag::ParameterStatus => return self.parameter(backend, frame, body),
            BackendTag::NotificationResponse => {
                // Nobody else's: only a session that listens keeps a backend that was told to.
                if self.facts.pins.contains(&Pin::Listen) {
                    self.notify(backend, body);
                }
                return Ok(());
            }
            BackendTag::DataRow | BackendTag::ParameterDescription => note(backend, tag, body),
            BackendTag::CommandComplete if !self.completed(backend, body) => {
                backend.pipeline.received(tag, None)?;
                return Ok(());
            }
            BackendTag::ErrorResponse
                if self.is_unheard(backend) || self.begins_again(backend, body) =>
            {
                self.keep_error(backend, body);
                let received = backend.pipeline.received(tag, None)?;
                self.take_back(backend, body, (received.failed, received.dropped));
                return Ok(());
            }
            BackendTag::ErrorResponse => {
                if let Some(replaced) = self.replacement(backend, body) {
                    let received = backend.pipeline.received(tag, None)?;
                    self.ledger.failed();
                    self.take_back(backend, body, (received.failed, received.dropped));
                    self.client.queue().extend_from_slice(&replaced);
                    return Ok(());
                }
                let sqlstate = message::error_field(body, b'C').unwrap_or_default();
                self.database.metrics.failures.sql(sqlstate);
                if wire_error::is_fatal(body) {
                    return self.last_word(backend, frame);
                }
            }
            _ => {}
        }
        let mut moved = places::moved(backend, tag, body);
        if tag == BackendTag::ErrorResponse {
            moved = self.in_clients_words(backend, moved.as_deref().unwrap_or(body)).or(moved);
        }
        let mut received = backend.pipeline.received(tag, body.first().copied())?;
        if let Some(Note::Settle(settling)) = received.done {
            let rows = (tag == BackendTag::RowDescription).then_some(body);
            self.settled(backend, &settling, rows)?;
            received.done = None;
        }
        if received.to == Asker::Proxy {
            return self.received_ours(backend, tag, received.done);
        }
        if let Some(note) = &received.done {
            self.ran(note);
        }
        if tag == BackendTag::ErrorResponse {
            self.query_failed(backend, body);
            self.ledger.failed();
            self.signals.clear();
            self.outdate_if_replanned(body);
            self.judge_statements(backend, body);
            self.take_back(backend, body, (received.failed, received.dropped));
        }
        if tag == BackendTag::ReadyForQuery {
            self.failed_ahead = None;
            self.heard(backend, received.done);
            self.ready(backend);
        }
        match self.trouble {
            Trouble::Refused => return self.refused(backend, tag),
            Trouble::Again => return Ok(()),
            _ => self.unheard = None,
        }
        self.hand_on(backend, tag, frame, moved.as_deref());
        Ok(())
    }

    /// A backend says why it ends.
    fn last_word(&mut self, backend: &mut Backend, frame: &[u8]) -> Result<(), SessionError> {
        if self.is_free_of(backend) {
            // Said between two statements, it would be taken for the answer to the next.
            tracing::debug!("an idle backend has said its last word");
            backend.unfit = true;
            return Ok(());
        }
        self.client.queue().extend_from_slice(frame);
        self.trouble = Trouble::HeardFatal;
        Err(SessionError::BackendLost(io::ErrorKind::UnexpectedEof.into()))
    }

    /// Hands the client a message, `moved` where it is an error that is another for the client's own text and names.
    fn hand_on(
        &mut self,
        backend: &mut Backend,
        tag: BackendTag,
        frame: &[u8],
        moved: Option<&[u8]>,
    ) {
        match (moved, frame.first()) {
            (Some(body), Some(tag)) => encode::frame(*tag, &[body], self.client.queue()),
            _ => self.client.queue().extend_from_slice(frame),
        }
        self.collect_frame(backend, tag, frame);
        if tag == BackendTag::ReadyForQuery {
            self.after_ready(backend);
        }
    }

    /// The end of a request of our own.
    fn received_ours(
        &mut self,
        backend: &mut Backend,
        tag: BackendTag,
        done: Option<Note>,
    ) -> Result<(), SessionError> {
        match (tag, done) {
            // A setting could not be given to this backend: the statement behind it must not look as if
            // nothing had happened.
            (BackendTag::ErrorResponse, _)
                if matches!(
                    backend.pipeline.current(),
                    Some(Note::PinProbe { .. } | Note::ChangeProbe { .. } | Note::Aside)
                ) =>
            {
                Ok(())
            }
            (BackendTag::ErrorResponse, _) => Err(ClientError::SettingLost.into()),
            (BackendTag::ReadyForQuery, Some(Note::Adopt)) => {
                self.lent(backend);
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::Aside)) => {
                self.drawn.has_forgotten();
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::Behind)) => {
                self.ended(backend);
                self.after_ready(backend);
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::Lift)) => {
                self.barrier = false;
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::ChangeProbe { of_session })) => {
                self.answered(backend, of_session);
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::PinProbe { still: false })) => {
                if backend.pipeline.owes() {
                    // A statement behind the question may have pinned the session anew.
                    self.may_release = true;
                } else {
                    self.facts.pins.retain(|pin| !is_probed(*pin));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A setting that the backend reports. What one of our own queries changes is told at its end.
    fn parameter(
        &mut self,
        backend: &mut Backend,
        frame: &[u8],
        body: &[u8],
    ) -> Result<(), SessionError> {
        note_parameter(backend, body)?;
        let is_ours = backend.pipeline.owes() && backend.pipeline.current_asker() == Asker::Proxy;
        if is_ours {
            return Ok(());
        }
        self.collect = None;
        if let Ok((name, value)) = message::parameter_status(body) {
            self.facts.tell(name, value);
        }
        self.client.queue().extend_from_slice(frame);
        Ok(())
    }

    /// Before the client hears that its transaction has ended: what it wrote is out of the cache.
    fn ready(&mut self, backend: &mut Backend) {
        match backend.pipeline.status() {
            TransactionStatus::Idle => {
                let more_is_owed = backend.pipeline.owes();
                self.ledger.recheck(self.database.catalog.changes());
                let Committed { effects, footprint, may_release } = self.ledger.idle(more_is_owed);
                self.apply(backend, &effects);
                self.complete(backend);
                self.invalidate(&footprint.writes);
                if footprint.changed.schema {
                    self.database.catalog.outdate();
                }
                if footprint.changed.defaults {
                    self.database.generations.outdate();
                }
                if backend.pipeline.is_quiet() {
                    self.facts.portals.clear();
                }
                self.may_release |= may_release;
            }
            TransactionStatus::InTransaction => self.ledger.in_transaction(),
            TransactionStatus::Failed => {}
        }
        if backend.pipeline.is_quiet() {
            backend.ends_block = false;
        }
        self.ended(backend);
        if let Some(asked_at) = self.asked_at.take() {
            self.database.metrics.answered(self.last_status, asked_at.elapsed());
        }
        if backend.pipeline.owes() {
            self.asked_at = Some(Instant::now());
        }
        if self.trouble == Trouble::TimedOut && backend.pipeline.owes() {
            // It was sent already, and has a time of its own. Else the next one waits for the request: see `serve`.
            self.trouble = Trouble::None;
        }
    }

    /// Between two requests: what the client has not been told, and questions of our own.
    pub(crate) fn after_ready(&mut self, backend: &mut Backend) {
        if !backend.pipeline.is_idle() {
            return;
        }
        self.tell_parameters(backend);
        if std::mem::take(&mut self.may_release) && self.facts.pins.iter().any(|p| is_probed(*p)) {
            ask(backend, PIN_PROBE, Note::PinProbe { still: true });
        }
    }

    /// The error that the client gets instead of the backend's: for a request we made to fail, and for a
    /// statement that we cancelled.
    fn replacement(&self, backend: &mut Backend, body: &[u8]) -> Option<Bytes> {
        if let Some(Note::Refuse(error)) = backend.pipeline.current() {
            return Some(error.clone());
        }
        if let (Some(error), Some(Note::Query { .. })) =
            (&self.failed_ahead, backend.pipeline.current())
        {
            let mut frame = BytesMut::new();
            encode::frame(b'E', &[error], &mut frame);
            return Some(frame.freeze());
        }
        let is_cancelled = message::error_field(body, b'C') == Some(b"57014")
            && backend.pipeline.current_asker() == Asker::Client;
        if self.trouble == Trouble::TimedOut && is_cancelled {
            let mut frame = BytesMut::new();
            wire_error::put(ClientError::StatementTimeout, &mut frame);
            return Some(frame.freeze());
        }
        None
    }

    /// A shared statement whose result has another shape since the schema changed: from now on clients that
    /// prepare it get a new one.
    fn outdate_if_replanned(&self, body: &[u8]) {
        // `RevalidateCachedQuery` in plancache.c; the SQLSTATE alone says only "feature not supported".
        let is_it = message::error_field(body, b'C') == Some(b"0A000")
            && message::error_field(body, b'R') == Some(b"RevalidateCachedQuery");
        if is_it {
            self.database.catalog.outdate();
        }
    }

    /// The database and we disagree about what is prepared there, as after a DEALLOCATE inside a function.
    fn judge_statements(&self, backend: &mut Backend, body: &[u8]) {
        let is_missing = message::error_field(body, b'C') == Some(b"26000");
        let text = message::error_field(body, b'M').unwrap_or_default();
        backend.unfit |= is_missing && self.database.registry.find_name(text).is_some();
    }

    fn collect_frame(&mut self, backend: &Backend, tag: BackendTag, frame: &[u8]) {
        let Some(collect) = self.collect.take() else { return };
        let is_end = matches!(tag, BackendTag::RowDescription | BackendTag::NoData)
            && !backend.pipeline.owes();
        self.collected(match collect.frame(tag, frame) {
            // A description that the client asked for with `Flush` has no ReadyForQuery.
            Collected::More(collect) if is_end => collect.described(),
            other => other,
        });
    }

    fn collected(&mut self, collected: Collected) {
        match collected {
            Collected::More(collect) => self.collect = Some(collect),
            Collected::Done | Collected::Spoilt => {}
            Collected::TooLong => self.count(CacheStatus::OversizedResult),
        }
    }
}

/// Keeps what a row or a description says in answer to a question of ours.
fn note(backend: &mut Backend, tag: BackendTag, body: &[u8]) {
    match backend.pipeline.current() {
        Some(Note::PinProbe { still: it } | Note::ChangeProbe { of_session: it })
            if tag == BackendTag::DataRow =>
        {
            *it = !body.ends_with(b"f");
        }
        Some(Note::Settle(settling)) if tag == BackendTag::ParameterDescription => {
            settling.types = Bytes::copy_from_slice(body);
        }
        _ => {}
    }
}
