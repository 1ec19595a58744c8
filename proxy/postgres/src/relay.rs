//! From the backend to the client: what is only passed on goes in runs, what changes the session is read.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use cache::sql::postgres::Pin;
use protocol::{
    postgres::{
        encode,
        frame::{BackendTag, HEADER_LEN, Header},
        message,
        pipeline::Asker,
    },
    reader::DecodeError,
};
use serving::error::SessionError;

use super::{
    backend::{Backend, Note},
    client::Client,
    client_end::Unanswered,
    fill::Collected,
    places,
    session::Session,
    wire_error,
    work::{Trouble, Work},
};

/// The longest message that must be read whole.
const MAX_READ: usize = 16 << 20;

impl Session {
    /// Passes on what the backend has said so far.
    pub(crate) fn relay(&mut self) -> Result<(), SessionError> {
        self.client.relay(self.hold.held("listen to")?)
    }
}

impl Client {
    /// Passes on what the backend has said so far.
    pub(crate) fn relay(&mut self, work: &mut Work) -> Result<(), SessionError> {
        let before = self.end.queued();
        let result = self.relay_from(work);
        let relayed = self.end.queued().saturating_sub(before);
        if self.seen.is_client() {
            self.database.metrics.result_bytes.inc_by(relayed as u64);
        }
        result
    }

    fn relay_from(&mut self, work: &mut Work) -> Result<(), SessionError> {
        // Out of the backend for so long: messages are read where they lie.
        let mut input = std::mem::take(work.loan.framed.buffer());
        let result = self.relay_input(work, &mut input);
        *work.loan.framed.buffer() = input;
        result
    }

    fn relay_input(&mut self, work: &mut Work, input: &mut BytesMut) -> Result<(), SessionError> {
        loop {
            if self.end.passing.to_client > 0 {
                let length = input.len().min(self.end.passing.to_client);
                self.end.passing.to_client -= length;
                self.pass_on(work, input, length);
                if self.end.passing.to_client > 0 {
                    return Ok(());
                }
            }
            let header = Header::peek(input);
            let Some(header) = header.map_err(SessionError::BackendProtocol)? else {
                return Ok(());
            };
            let tag = BackendTag::from(header.tag);
            if matches!(tag, BackendTag::DataRow | BackendTag::CopyData)
                && work.loan.pipeline.current_asker() == Asker::Client
                && work.trouble != Trouble::Refused
            {
                if self.pass_rows(work, input, tag, header)? {
                    continue;
                }
                return Ok(());
            }
            if header.body_len > MAX_READ {
                return Err(SessionError::BackendProtocol(DecodeError::Value("message length")));
            }
            let Some(frame) = input.get(..header.frame_len()) else { return Ok(()) };
            self.receive(work, tag, frame)?;
            if work.loan.unfit && self.is_free_of(work) {
                // Nothing that follows is for anybody.
                input.clear();
                return Ok(());
            }
            input.advance(header.frame_len());
            self.send_due(work);
        }
    }

    /// Hands the client the first bytes of the backend's input.
    fn pass_on(&mut self, work: &mut Work, input: &mut BytesMut, length: usize) {
        work.unheard = None;
        self.end.queue().extend_from_slice(input.get(..length).unwrap_or_default());
        input.advance(length);
    }

    /// Passes on rows: all that are here in one piece, and the beginning of one that is not all here, unless the
    /// reply is being collected and may still be kept. False when the rest must come first.
    fn pass_rows(
        &mut self,
        work: &mut Work,
        input: &mut BytesMut,
        tag: BackendTag,
        first: Header,
    ) -> Result<bool, SessionError> {
        // The tracker stands where it stood after the first row of a run.
        work.loan.pipeline.received(tag, None)?;
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
            if work.collect.as_ref().is_some_and(|collect| collect.fits(first.frame_len())) {
                return Ok(false);
            }
            if work.collect.take().is_some() {
                self.is_too_long(work);
            }
            work.gathers = None;
            self.end.passing.to_client = first.frame_len();
            return Ok(true);
        }
        self.gathered(work, tag, input.get(..length).unwrap_or_default());
        match work.collect.take() {
            Some(collect) if tag == BackendTag::DataRow => {
                self.collected(work, collect.row(input.get(..length).unwrap_or_default()));
            }
            _ => {}
        }
        self.pass_on(work, input, length);
        Ok(true)
    }

    /// Deals with one whole message.
    fn receive(
        &mut self,
        work: &mut Work,
        tag: BackendTag,
        frame: &[u8],
    ) -> Result<(), SessionError> {
        let body = frame.get(HEADER_LEN..).unwrap_or_default();
        if tag == BackendTag::ErrorResponse {
            self.forgets_no_more(work);
        }
        match tag {
            BackendTag::ParameterStatus => return self.parameter(work, frame, body),
            BackendTag::NotificationResponse => {
                // Nobody else's: only a session that listens keeps a backend that was told to.
                if work.pins.contains(&Pin::Listen) {
                    self.notify(&work.loan, body);
                }
                return Ok(());
            }
            BackendTag::DataRow | BackendTag::ParameterDescription => {
                note(&mut work.loan, tag, body);
            }
            BackendTag::CommandComplete if !self.completed(work, body) => {
                work.loan.pipeline.received(tag, None)?;
                return Ok(());
            }
            BackendTag::ErrorResponse if self.is_kept_back(work, body) => {
                let received = work.loan.pipeline.received(tag, None)?;
                self.take_back(work, body, (received.failed, received.dropped));
                return Ok(());
            }
            BackendTag::ErrorResponse => {
                if let Some(replaced) = self.replacement(work, body) {
                    let mut received = work.loan.pipeline.received(tag, None)?;
                    self.fails(work, &mut received);
                    work.ledger.failed();
                    self.take_back(work, body, (received.failed, received.dropped));
                    self.end.queue().extend_from_slice(&replaced);
                    return Ok(());
                }
                let sqlstate = message::error_field(body, b'C').unwrap_or_default();
                self.database.metrics.failures.sql(sqlstate);
                if wire_error::is_fatal(body) {
                    return self.last_word(work, frame);
                }
            }
            _ => {}
        }
        let mut moved = places::moved(&mut work.loan, tag, body);
        if tag == BackendTag::ErrorResponse {
            moved =
                self.in_clients_words(&mut work.loan, moved.as_deref().unwrap_or(body)).or(moved);
        }
        let mut received = work.loan.pipeline.received(tag, body.first().copied())?;
        if let Some(Note::Settle(settling)) = received.done {
            let rows = (tag == BackendTag::RowDescription).then_some(body);
            self.settled(work, &settling, rows)?;
            received.done = None;
        }
        if received.to == Asker::Proxy && !is_of_text(&mut work.loan, tag) {
            return self.received_ours(work, tag, received.done);
        }
        if matches!((tag, &received.done), (BackendTag::NoData, Some(Note::Rows))) {
            return Ok(());
        }
        received.done.iter_mut().for_each(|note| self.completes(work, note));
        if tag == BackendTag::ErrorResponse {
            self.fails(work, &mut received);
            work.query_failed(body);
            work.ledger.failed();
            work.signals.clear();
            self.outdate_if_replanned(body);
            self.judge_statements(&mut work.loan, body);
            self.take_back(work, body, (received.failed, received.dropped));
        }
        if tag == BackendTag::ReadyForQuery {
            work.failed_ahead = None;
            self.heard(work, received.done);
            self.ready(work);
        }
        match work.trouble {
            Trouble::Refused => return self.refused(work, tag),
            Trouble::Again | Trouble::Moves => return Ok(()),
            _ => work.unheard = None,
        }
        self.hand_on(work, tag, frame, moved.as_deref());
        Ok(())
    }

    /// A backend says why it ends.
    fn last_word(&mut self, work: &mut Work, frame: &[u8]) -> Result<(), SessionError> {
        if self.is_free_of(work) {
            // Said between two statements, it would be taken for the answer to the next.
            tracing::debug!("an idle backend has said its last word");
            work.loan.unfit = true;
            return Ok(());
        }
        self.end.queue().extend_from_slice(frame);
        self.end.unanswered = Unanswered::Everything;
        Err(SessionError::BackendLost(io::ErrorKind::UnexpectedEof.into()))
    }

    /// Hands the client a message, `moved` where it is an error that is another for the client's own text and names.
    fn hand_on(&mut self, work: &mut Work, tag: BackendTag, frame: &[u8], moved: Option<&[u8]>) {
        match (moved, frame.first()) {
            (Some(body), Some(tag)) => encode::frame(*tag, &[body], self.end.queue()),
            _ => self.end.queue().extend_from_slice(frame),
        }
        self.gathered(work, tag, frame);
        self.collect_frame(work, tag, frame);
        if tag == BackendTag::ReadyForQuery {
            self.after_ready(work);
        }
    }

    fn collect_frame(&mut self, work: &mut Work, tag: BackendTag, frame: &[u8]) {
        let Some(collect) = work.collect.take() else { return };
        self.collected(work, collect.frame(tag, frame));
    }

    fn collected(&mut self, work: &mut Work, collected: Collected) {
        match collected {
            Collected::More(collect) => work.collect = Some(collect),
            Collected::Done | Collected::Spoilt => {}
            Collected::TooLong => self.is_too_long(work),
        }
    }
}

/// Whether it is said of a client's text that we have sent as messages of our own.
fn is_of_text(backend: &mut Backend, tag: BackendTag) -> bool {
    tag == BackendTag::NoticeResponse
        && matches!(backend.pipeline.current(), Some(Note::Text(_) | Note::Bound))
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
