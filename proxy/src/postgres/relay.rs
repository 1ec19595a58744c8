//! From the backend to the client: what is only passed on goes in runs, what changes the session is read.

use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use cache::sql::{Effect, Pin, Writes};
use protocol::{
    postgres::{
        frame::{BackendTag, HEADER_LEN, Header},
        message,
        pipeline::{Asker, TransactionStatus},
    },
    reader::DecodeError,
};
use tokio::time::Instant;

use super::{
    adopt::note_parameter,
    backend::{Backend, Note},
    fill::Collected,
    ledger::Committed,
    questions::{PIN_PROBE, ask, is_probed},
    session::{Session, Trouble},
    wire_error,
};
use crate::{
    error::{ClientError, SessionError},
    observe::CacheStatus,
};

/// The longest message that must be read whole.
const MAX_READ: usize = 16 << 20;

impl Session {
    /// Passes on what the backend has said so far.
    pub(super) fn relay(&mut self) -> Result<(), SessionError> {
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
            input.advance(header.frame_len());
            self.send_due(backend);
        }
    }

    /// Hands the client the first bytes of the backend's input.
    fn pass_on(&mut self, input: &mut BytesMut, length: usize) {
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
        match tag {
            BackendTag::ParameterStatus => return self.parameter(backend, frame, body),
            BackendTag::NotificationResponse => {
                // Nobody else's: only a session that listens keeps a backend that was told to.
                if self.facts.pins.contains(&Pin::Listen) {
                    self.client.queue().extend_from_slice(frame);
                }
                return Ok(());
            }
            BackendTag::DataRow => {
                if let Some(Note::PinProbe { still: it } | Note::ChangeProbe { of_session: it }) =
                    backend.pipeline.current()
                {
                    *it = !body.ends_with(b"f");
                }
            }
            BackendTag::ParameterDescription => {
                if let Some(Note::Settle(settling)) = backend.pipeline.current() {
                    settling.types = Bytes::copy_from_slice(body);
                }
            }
            BackendTag::CommandComplete => self.completed(backend, body),
            BackendTag::ErrorResponse if self.is_unheard(backend) => {
                let received = backend.pipeline.received(tag, None)?;
                self.take_back(backend, received.failed, received.dropped);
                return Ok(());
            }
            BackendTag::ErrorResponse => {
                if let Some(replaced) = self.replacement(backend, body) {
                    let received = backend.pipeline.received(tag, None)?;
                    self.ledger.failed();
                    self.take_back(backend, received.failed, received.dropped);
                    self.client.queue().extend_from_slice(&replaced);
                    return Ok(());
                }
                let sqlstate = message::error_field(body, b'C').unwrap_or_default();
                self.database.metrics.failures.sql(sqlstate);
                self.note_fatal(body);
            }
            _ => {}
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
        if tag == BackendTag::ErrorResponse {
            self.ledger.failed();
            self.outdate_if_replanned(body);
            self.judge_statements(backend, body);
            self.take_back(backend, received.failed, received.dropped);
        }
        if tag == BackendTag::ReadyForQuery {
            self.heard(backend, received.done);
            self.ready(backend);
        }
        if self.trouble == Trouble::Refused {
            return self.refused(backend, tag);
        }
        if tag != BackendTag::ErrorResponse || !self.put_in_clients_words(backend, body) {
            self.client.queue().extend_from_slice(frame);
        }
        self.collect_frame(backend, tag, frame);
        if tag == BackendTag::ReadyForQuery {
            self.after_ready(backend);
        }
        Ok(())
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
                    Some(Note::PinProbe { .. } | Note::ChangeProbe { .. })
                ) =>
            {
                Ok(())
            }
            (BackendTag::ErrorResponse, _) => Err(ClientError::SettingLost.into()),
            (BackendTag::ReadyForQuery, Some(Note::Adopt)) => {
                self.lent(backend);
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

    /// A setting that the backend reports. What a RESET reports is told once the client's own startup settings
    /// are back in force.
    fn parameter(
        &mut self,
        backend: &mut Backend,
        frame: &[u8],
        body: &[u8],
    ) -> Result<(), SessionError> {
        note_parameter(backend, body)?;
        self.collect = None;
        let is_ours = backend.pipeline.owes() && backend.pipeline.current_asker() == Asker::Proxy;
        let is_reset = match backend.pipeline.current() {
            Some(Note::Query { analysis, .. } | Note::Execute(analysis, _)) => analysis
                .effects()
                .any(|e| matches!(e, Effect::ResetAll | Effect::DiscardAll | Effect::Reset { .. })),
            _ => false,
        };
        if is_ours || (is_reset && !self.facts.base.is_empty()) {
            return Ok(());
        }
        if let Ok((name, value)) = message::parameter_status(body) {
            self.facts.tell(name, value);
        }
        self.client.queue().extend_from_slice(frame);
        Ok(())
    }

    /// One statement of the client's has completed.
    fn completed(&mut self, backend: &mut Backend, body: &[u8]) {
        let (analysis, index) = match backend.pipeline.current() {
            Some(Note::Query { analysis, completed, .. }) => {
                let index = *completed;
                *completed += 1;
                (Arc::clone(analysis), Some(index))
            }
            Some(Note::Execute(analysis, _)) => (Arc::clone(analysis), None),
            _ => return,
        };
        let at = index.unwrap_or_default();
        // Of a text that we could not parse only the whole is known.
        let Some(facts) = analysis.statements.get(at).or(analysis.statements.last()) else {
            return;
        };
        // Of an Execute it was believed when it was sent.
        if index.is_some() {
            self.deallocated(backend, &facts.kind);
        }
        self.facts.statements.done_by_sql(&facts.kind);
        let effects = self.ledger.completed(facts, body);
        self.apply(backend, &effects);
    }

    /// Brings committed changes of the session's state into force, here and in what we know of the backend.
    fn apply(&mut self, backend: &mut Backend, effects: &[Effect]) {
        if effects.is_empty() {
            return;
        }
        let mut settings = (*self.facts.settings).clone();
        let mut applied = (*backend.applied).clone();
        let none = super::settings::Settings::default();
        for effect in effects {
            settings.apply(effect, &self.facts.base);
            applied.apply(effect, &none);
            match effect {
                Effect::Pin(pin) => self.pin(*pin),
                Effect::DiscardAll => self.facts.pins.retain(|pin| *pin == Pin::Load),
                _ => {}
            }
        }
        let is_same = settings == applied;
        let settings = self.database.settings.intern(Arc::new(settings));
        backend.applied = if is_same { Arc::clone(&settings) } else { Arc::new(applied) };
        self.facts.change_settings(settings);
    }

    /// Before the client hears that its transaction has ended: what it wrote is out of the cache.
    fn ready(&mut self, backend: &mut Backend) {
        match backend.pipeline.status() {
            TransactionStatus::Idle => {
                let more_is_owed = backend.pipeline.owes();
                let Committed { effects, writes, ddl, may_release } =
                    self.ledger.idle(more_is_owed);
                self.apply(backend, &effects);
                if writes != Writes::None {
                    self.context.common.cache.invalidate(&self.database.scope, &writes);
                }
                if ddl {
                    self.database.catalog.outdate();
                }
                if backend.pipeline.is_quiet() {
                    self.facts.portals.clear();
                }
                self.may_release |= may_release;
            }
            TransactionStatus::InTransaction => self.ledger.in_transaction(),
            TransactionStatus::Failed => {}
        }
        self.barrier &= !backend.pipeline.is_quiet();
        if backend.pipeline.is_quiet() {
            self.writing = None;
        }
        if let Some(asked_at) = self.asked_at.take() {
            self.database.metrics.query_seconds.observe(asked_at.elapsed().as_secs_f64());
        }
        if backend.pipeline.owes() {
            self.asked_at = Some(Instant::now());
        }
        if self.trouble == Trouble::TimedOut {
            self.trouble = Trouble::None;
        }
    }

    /// After a RESET or DISCARD the client's startup settings go back into force without waiting for its next
    /// statement, so that what it is told of them is right.
    pub(super) fn after_ready(&mut self, backend: &mut Backend) {
        if !backend.pipeline.is_idle() {
            return;
        }
        let is_told = self.facts.parameters.is_same(&backend.parameters);
        match self.facts.settings.difference(&backend.applied) {
            Some(sql) if !is_told || !self.facts.pins.is_empty() => {
                ask(backend, &sql, Note::Adopt);
                backend.applied = Arc::clone(&self.facts.settings);
            }
            _ => self.tell_parameters(backend),
        }
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
        let is_about_names = matches!(message::error_field(body, b'C'), Some(b"26000" | b"42P05"));
        let text = message::error_field(body, b'M').unwrap_or_default();
        backend.unfit |= is_about_names && self.database.registry.find_name(text).is_some();
    }

    fn note_fatal(&mut self, body: &[u8]) {
        let severity = message::error_field(body, b'V').or(message::error_field(body, b'S'));
        if matches!(severity, Some(b"FATAL" | b"PANIC")) {
            self.trouble = Trouble::HeardFatal;
        }
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
