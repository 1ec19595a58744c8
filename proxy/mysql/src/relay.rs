//! Passing replies on: from the backend's packets to what this client agreed to.
//!
//! Rows go through in runs, with no more than their sequence ids changed. The other packets are read, since
//! the two sides may have agreed to different things (`CLIENT_DEPRECATE_EOF`, `CLIENT_SESSION_TRACK`), and
//! since they say what became of the session: `hear` does that.

use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, StatusFlags},
        exchange::{CommandKind, Needs, Seen},
        packet::{self, HEADER_LEN, Header, MAX_PAYLOAD},
    },
    reader::DecodeError,
};
use serving::error::{ClientError, SessionError};

use super::{
    backend::{Backend, Note, OwnFailure},
    client_end::ClientEnd,
    columns_end::{ColumnsEnd, Foresight},
    fill::Collect,
    outcome::{Along, Outcome},
    prepared::Statement,
    session::{HIGH_WATER, Session},
};

/// The longest packet of a reply that is read as a whole: all but rows.
const MAX_READ: usize = 64 << 20;
/// A row longer than this is passed on piece by piece.
const LONG_ROW: usize = 64 * 1024;

/// Where the reply to a command stands in the reply that the client waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is all of it, or the end of it.
    #[default]
    Last,
    /// More of the client's text is run behind it.
    Before,
}

impl Place {
    /// What the ends of its results say besides what the backend says.
    pub(crate) const fn flags(self) -> StatusFlags {
        match self {
            Self::Last => StatusFlags::empty(),
            Self::Before => StatusFlags::SERVER_MORE_RESULTS_EXISTS,
        }
    }
}

/// One reply on its way to the client.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    pub(crate) outcome: Outcome,
    pub(crate) collect: Option<Collect>,
    /// Rows that stand in for the backend's, in the answer to SHOW WARNINGS.
    pub(crate) inject: Option<Vec<Bytes>>,
    /// What the command is.
    pub(crate) kind: Option<CommandKind>,
    /// Whether it ends the client's reply.
    pub(crate) place: Place,
    /// What its text does.
    pub(crate) sort: Sort,
    /// The statement that it executes, up to its first result.
    pub(crate) described: Option<Arc<Statement>>,
    /// Whether that is prepared in front of it, in the same write.
    pub(crate) along: Along,
    /// The server waits for a file of the client's; the sequence id of that file's first packet.
    pub(crate) file: Option<u8>,
    /// The sequence id behind the packet that was read last.
    pub(crate) next_sequence: u8,
    /// The client gets this instead of the reply.
    pub(crate) instead: Option<ClientError>,
    /// A command of our own in front of it failed: the reply is thrown away.
    pub(crate) failure: Option<OwnFailure>,
    /// It answers nothing that the client said.
    pub(crate) is_unheard: bool,
    /// Bytes that went to the client.
    pub(crate) bytes: usize,
    /// The rest of a long row.
    pub(crate) passing: usize,
    /// The next packet continues a row of 16 MiB and more.
    continues: bool,
    pub(crate) columns_left: u64,
    /// What the client expects between the columns and the rows.
    pub(crate) columns_end: ColumnsEnd,
    /// What its text says of what is to come.
    pub(crate) foresight: Foresight,
}

/// What the text of a command does that its reply does not show.
#[expect(clippy::struct_excessive_bools, reason = "each is another thing that it may do")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sort {
    /// It may commit what was written, whatever the status says afterwards.
    pub(crate) commits: bool,
    /// It begins a block where none was, and nothing else.
    pub(crate) begins: bool,
    /// Settings that it reports are for itself only (MariaDB: SET STATEMENT).
    pub(crate) is_for_once: bool,
}

/// A packet that is passed on without being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Column,
    Row,
}

impl Relay {
    /// A reply that may be kept; one that may tell of counters only if it does not.
    pub(crate) fn new(fill: Option<cache::Fill>, may_tell_counters: bool, in_block: bool) -> Self {
        let collect = fill.map(|fill| Collect::new(fill, may_tell_counters, in_block));
        Self { collect, ..Self::default() }
    }

    /// The reply to a part of a text.
    pub(crate) fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    pub(crate) fn opens_cursor(&self) -> bool {
        matches!(self.kind, Some(CommandKind::Execute { cursor: true, .. }))
    }

    /// Keeps a packet of the description.
    pub(crate) fn collect_description(&mut self, payload: &[u8]) {
        if let Some(collect) = &mut self.collect {
            let mut whole = BytesMut::with_capacity(payload.len() + HEADER_LEN);
            packet::put(&mut whole, &mut 1, payload);
            if collect.grow(whole.len()) {
                collect.describe(&whole);
            } else {
                self.collect = None;
                self.outcome.was_too_long = true;
            }
        }
    }

    pub(crate) fn is_mute(&self) -> bool {
        let is_replaced = self.failure.is_some() || self.instead.is_some();
        self.is_unheard || is_replaced || self.along.has_failed()
    }
}

impl Session {
    /// Passes on what the backend has said. True when the client's command is answered.
    pub(crate) fn pass_on(&mut self, relay: &mut Relay) -> Result<bool, SessionError> {
        self.client.take_back(relay);
        // What is read is read where it lies.
        let mut input = std::mem::take(self.hold.held("read a reply")?.loan.framed.buffer());
        let is_answered = self.pass_input(&mut input, relay);
        *self.hold.held("read a reply")?.loan.framed.buffer() = input;
        self.hold_back(relay);
        is_answered
    }

    fn pass_input(
        &mut self,
        input: &mut BytesMut,
        relay: &mut Relay,
    ) -> Result<bool, SessionError> {
        loop {
            let loan = &mut self.hold.held("pass a reply on")?.loan;
            let Some(note) = loan.owed.front() else { return Ok(true) };
            if relay.file.is_some() || self.client.framed.queued() >= HIGH_WATER {
                return Ok(false);
            }
            if relay.passing > 0 {
                self.client.pass_rest(input, relay);
                if relay.passing > 0 {
                    return Ok(false);
                }
                continue;
            }
            let is_client = *note == Note::Client;
            let Some(header) = Header::peek(input) else { return Ok(false) };
            let first = input.get(HEADER_LEN).copied();
            if first.is_none() && header.len > 0 && !relay.continues {
                return Ok(false);
            }
            let needs = loan.exchange.needs(header.len, first.unwrap_or_default());
            let is_replaced = relay.inject.is_some() && relay.columns_left == 0;
            if is_client && needs == Needs::FirstByte && self.client.remakes_columns(relay, loan) {
                if !self.pass_definition(input, relay)? {
                    return Ok(false);
                }
                continue;
            }
            if is_client && (relay.continues || (needs == Needs::FirstByte && !is_replaced)) {
                if !self.pass_run(input, relay)? {
                    return Ok(false);
                }
                continue;
            }
            if header.continues() {
                let taken = packet::take(input, MAX_READ).map_err(SessionError::BackendProtocol)?;
                let Some(packet) = taken else { return Ok(false) };
                self.hear_any(&packet.payload, packet.last_sequence, relay)?;
            } else {
                let Some(payload) = input.get(HEADER_LEN..header.packet_len()) else {
                    return Ok(false);
                };
                self.hear_any(payload, header.sequence, relay)?;
                input.advance(header.packet_len());
            }
        }
    }

    /// Deals with a packet that answers the client's command, or one of ours in front of it.
    fn hear_any(
        &mut self,
        payload: &[u8],
        sequence: u8,
        relay: &mut Relay,
    ) -> Result<(), SessionError> {
        let loan = &mut self.hold.held("hear a packet")?.loan;
        if loan.owed.front() != Some(&Note::Client) {
            return hear_own(loan, payload, relay);
        }
        relay.next_sequence = sequence.wrapping_add(1);
        self.hear(payload, relay)
    }

    /// Passes on whole columns or rows that stand at the front of the backend's input, and the beginning of a
    /// long one. False when more must come first.
    fn pass_run(&mut self, input: &mut BytesMut, relay: &mut Relay) -> Result<bool, SessionError> {
        let mut kind = None;
        let mut end = 0;
        let loan = &mut self.hold.held("pass rows on")?.loan;
        loop {
            let rest = input.get(end..).unwrap_or_default();
            let Some(header) = Header::peek(rest) else { break };
            let body = rest.get(HEADER_LEN..).unwrap_or_default();
            let first = body.first().copied();
            let is_whole = rest.len() >= header.packet_len();
            if !relay.continues {
                if first.is_none() && header.len > 0
                    || loan.exchange.needs(header.len, first.unwrap_or_default()) == Needs::Whole
                {
                    break;
                }
                let piece = if relay.columns_left > 0 { Piece::Column } else { Piece::Row };
                if piece == Piece::Row && relay.inject.is_some() {
                    // Read as a whole, and thrown away.
                    break;
                }
                if *kind.get_or_insert(piece) != piece {
                    break;
                }
                let collects = relay.collect.as_ref().is_some_and(|c| c.fits(header.packet_len()));
                if !is_whole && (header.packet_len() <= LONG_ROW || collects) {
                    break;
                }
                let begins = [first.unwrap_or_default()];
                let begins = if header.len == 0 { &begins[..0] } else { &begins[..] };
                let seen = loan.exchange.received(header.len, begins);
                let is_last_column = note_piece(&seen?, relay)?;
                if is_last_column
                    && loan.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
                    && !self.client.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
                {
                    relay.columns_end = ColumnsEnd::Owed;
                }
            }
            if *kind.get_or_insert(Piece::Row) == Piece::Row && end == 0 {
                self.client.put_blank_end(relay);
            }
            relay.continues = header.len == MAX_PAYLOAD;
            if let Some(id) = input.get_mut(end + HEADER_LEN - 1) {
                *id = self.client.sequence;
            }
            self.client.sequence = self.client.sequence.wrapping_add(u8::from(!relay.is_mute()));
            if !is_whole {
                self.client.begin_long(input, end, header, relay);
                return Ok(true);
            }
            end += header.packet_len();
        }
        self.client.put_run(input, end, kind, relay);
        Ok(end > 0)
    }
}

impl ClientEnd {
    /// Passes on whole packets of columns or rows.
    fn put_run(
        &mut self,
        input: &mut BytesMut,
        end: usize,
        kind: Option<Piece>,
        relay: &mut Relay,
    ) {
        let run = input.get(..end).unwrap_or_default();
        if let Some(collect) = &mut relay.collect {
            if !collect.grow(end) {
                relay.collect = None;
                relay.outcome.was_too_long = true;
            } else if kind == Some(Piece::Column) {
                collect.describe(run);
            } else {
                collect.row(run);
            }
        }
        if !relay.is_mute() {
            relay.bytes += run.len();
            self.framed.queue().extend_from_slice(run);
        }
        input.advance(end);
    }

    /// Passes on what is there of a long row, and all in front of it.
    fn begin_long(&mut self, input: &mut BytesMut, end: usize, header: Header, relay: &mut Relay) {
        relay.outcome.was_too_long |= relay.collect.take().is_some();
        let have = input.len();
        relay.passing = (end + header.packet_len()).saturating_sub(have);
        self.put_run(input, have, Some(Piece::Row), relay);
    }

    fn pass_rest(&mut self, input: &mut BytesMut, relay: &mut Relay) {
        let have = input.len().min(relay.passing);
        relay.passing -= have;
        self.put_run(input, have, Some(Piece::Row), relay);
    }

    /// Passes on a packet of the description, which may be kept.
    pub(crate) fn pass_described(&mut self, payload: &[u8], relay: &mut Relay) {
        relay.collect_description(payload);
        self.pass(payload, relay);
    }

    /// Passes on a packet, unless nobody is to hear of this reply.
    pub(crate) fn pass(&mut self, payload: &[u8], relay: &mut Relay) {
        if !relay.is_mute() {
            relay.bytes += payload.len();
            self.put(payload);
        }
    }
}

/// Flags of the session, which every packet with a status says; the others are those of one result.
pub(crate) const SESSION_FLAGS: StatusFlags = StatusFlags::SERVER_STATUS_IN_TRANS
    .union(StatusFlags::SERVER_STATUS_IN_TRANS_READONLY)
    .union(StatusFlags::SERVER_STATUS_AUTOCOMMIT)
    .union(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES)
    .union(StatusFlags::SERVER_STATUS_ANSI_QUOTES);

/// Counts a column or a row. True for the last column of a result set.
fn note_piece(seen: &Seen<'_>, relay: &mut Relay) -> Result<bool, SessionError> {
    match seen {
        Seen::Column { last } => {
            relay.columns_left = relay.columns_left.saturating_sub(1);
            Ok(*last)
        }
        Seen::Row => {
            if let Some(rows) = &mut relay.outcome.rows {
                *rows += 1;
            }
            Ok(false)
        }
        _ => Err(SessionError::BackendProtocol(DecodeError::Value("reply packet"))),
    }
}

/// Deals with the answer to a command of our own in front of the client's.
pub(crate) fn hear_own(
    backend: &mut Backend,
    payload: &[u8],
    relay: &mut Relay,
) -> Result<(), SessionError> {
    let seen = backend.exchange.received(payload.len(), payload)?;
    let failed = matches!(seen, Seen::Err(_));
    if let (Seen::Prepared(ok), Along::Sent { is_read }) = (&seen, relay.along) {
        relay.along = Along::Prepared(*ok);
        backend.has_prepared(ok.statement, is_read);
    }
    if let Some(note) = backend.answered()
        && failed
        && !(note == Note::Begin && backend.may_have_begun())
    {
        if note == Note::Prepare {
            relay.collect = None;
            relay.along = Along::Failed;
            return Ok(());
        }
        match note {
            // It is where it was, and what has gone ahead only reads.
            Note::Schema => backend.schema = None,
            _ => backend.unfit = true,
        }
        // What follows runs all the same, in the wrong schema or with the wrong settings.
        relay.collect = None;
        relay.failure.get_or_insert(OwnFailure { note, error: Bytes::copy_from_slice(payload) });
    }
    Ok(())
}
