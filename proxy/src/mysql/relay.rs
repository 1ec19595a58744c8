//! Passing replies on: from the backend's packets to what this client agreed to.
//!
//! Rows go through in runs, with no more than their sequence ids changed. The other packets are read, since
//! the two sides may have agreed to different things (`CLIENT_DEPRECATE_EOF`, `CLIENT_SESSION_TRACK`), and
//! since they say what became of the session.

use bytes::{Buf as _, Bytes, BytesMut};
use cache::sql::Writes;
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, StatusFlags},
        exchange::{CommandKind, Needs, Seen},
        packet::{self, HEADER_LEN, Header, MAX_PAYLOAD},
        reply::{self, Change, ErrPacket, OkPacket},
    },
    reader::DecodeError,
};

use super::{
    backend::{Backend, Note, OwnFailure},
    fill::Collect,
    session::{HIGH_WATER, Session},
    settings::Reported,
    wire_error,
};
use crate::error::{ClientError, SessionError};

/// The longest packet of a reply that is read as a whole: all but rows.
const MAX_READ: usize = 64 << 20;
/// A row longer than this is passed on piece by piece.
const LONG_ROW: usize = 64 * 1024;

/// What became of one command of the client's.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The code of the error that ended it.
    pub(super) error: Option<u16>,
    /// The ERR packet's payload.
    pub(super) error_packet: Bytes,
    /// Rows of the last result set; `None` if there was none.
    pub(super) rows: Option<u64>,
    /// Rows that were changed, of the last OK packet.
    pub(super) affected: u64,
    /// The last insert id that an OK packet told of; 0 for none.
    pub(super) insert_id: u64,
    /// Warnings of the last statement.
    pub(super) warnings: u16,
    /// The session's state changed in some way that the server does not name.
    pub(super) state_changed: bool,
    /// The settings that changed, and the schema under the name of [`SCHEMA`].
    pub(super) told: Vec<String>,
    /// The result was too long for the cache.
    pub(super) was_too_long: bool,
}

/// One reply on its way to the client.
#[derive(Debug, Default)]
pub(super) struct Relay {
    pub(super) outcome: Outcome,
    pub(super) collect: Option<Collect>,
    /// Rows that stand in for the backend's, in the answer to SHOW WARNINGS.
    pub(super) inject: Option<Vec<Bytes>>,
    /// What the command is.
    pub(super) kind: Option<CommandKind>,
    /// What its text does.
    pub(super) sort: Sort,
    /// The server waits for a file of the client's.
    pub(super) wants_file: bool,
    /// The sequence id of that file's first packet.
    pub(super) file_sequence: u8,
    /// The client gets this instead of the reply.
    pub(super) instead: Option<ClientError>,
    /// A command of our own in front of it failed: the reply is thrown away.
    pub(super) failure: Option<OwnFailure>,
    /// Bytes that went to the client.
    pub(super) bytes: usize,
    /// The rest of a long row.
    pub(super) passing: usize,
    /// The next packet continues a row of 16 MiB and more.
    continues: bool,
    columns_left: u64,
    /// The client expects an EOF packet between the columns and the rows.
    owes_eof: bool,
}

/// What the text of a command does that its reply does not show.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sort {
    /// It may commit what was written, whatever the status says afterwards.
    pub(super) commits: bool,
    /// Settings that it reports are for itself only (MariaDB: SET STATEMENT).
    pub(super) is_for_once: bool,
}

/// A packet that is passed on without being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Column,
    Row,
}

impl Relay {
    /// A reply that may be kept.
    pub(super) fn new(fill: Option<cache::Fill>) -> Self {
        Self { collect: fill.map(Collect::new), ..Self::default() }
    }

    fn opens_cursor(&self) -> bool {
        matches!(self.kind, Some(CommandKind::Execute { cursor: true, .. }))
    }

    const fn is_mute(&self) -> bool {
        self.failure.is_some() || self.instead.is_some()
    }
}

impl Session {
    /// Passes on what the backend has said. True when the client's command is answered.
    pub(super) fn pass_on(&mut self, relay: &mut Relay) -> Result<bool, SessionError> {
        loop {
            let Some(loan) = &mut self.loan else { return Ok(true) };
            let Some(note) = loan.owed.front() else { return Ok(true) };
            if relay.wants_file || self.client.queued() >= HIGH_WATER {
                return Ok(false);
            }
            if relay.passing > 0 {
                self.pass_rest(relay);
                if relay.passing > 0 {
                    return Ok(false);
                }
                continue;
            }
            let is_client = *note == Note::Client;
            let input = loan.framed.input();
            let Some(header) = Header::peek(input) else { return Ok(false) };
            let first = input.get(HEADER_LEN).copied();
            if first.is_none() && header.len > 0 && !relay.continues {
                return Ok(false);
            }
            let needs = loan.exchange.needs(header.len, first.unwrap_or_default());
            let is_replaced = relay.inject.is_some() && relay.columns_left == 0;
            if is_client && (relay.continues || (needs == Needs::FirstByte && !is_replaced)) {
                if !self.pass_run(relay)? {
                    return Ok(false);
                }
                continue;
            }
            let taken = packet::take(loan.framed.buffer(), MAX_READ);
            let Some(packet) = taken.map_err(SessionError::BackendProtocol)? else { return Ok(false) };
            if is_client {
                relay.file_sequence = packet.last_sequence.wrapping_add(1);
                self.hear(&packet.payload, relay)?;
            } else {
                hear_own(loan, &packet.payload, relay)?;
            }
        }
    }

    /// Passes on whole columns or rows that stand at the front of the backend's input, and the beginning of a
    /// long one. False when more must come first.
    fn pass_run(&mut self, relay: &mut Relay) -> Result<bool, SessionError> {
        let Some(loan) = &mut self.loan else { return Ok(false) };
        let mut kind = None;
        let mut end = 0;
        loop {
            let rest = loan.framed.input().get(end..).unwrap_or_default();
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
                if *kind.get_or_insert(piece) != piece || (piece == Piece::Row && relay.owes_eof && end > 0) {
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
                relay.owes_eof |= is_last_column
                    && loan.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
                    && !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
            }
            let piece = *kind.get_or_insert(Piece::Row);
            if piece == Piece::Row && relay.owes_eof {
                relay.owes_eof = false;
                if !relay.is_mute() {
                    let mut eof = BytesMut::new();
                    reply::encode_eof(0, loan.status() & SESSION_FLAGS, &mut eof);
                    packet::put(self.client.queue(), &mut self.sequence, &eof);
                }
            }
            relay.continues = header.len == MAX_PAYLOAD;
            if let Some(id) = loan.framed.buffer().get_mut(end + HEADER_LEN - 1) {
                *id = self.sequence;
            }
            self.sequence = self.sequence.wrapping_add(u8::from(!relay.is_mute()));
            if !is_whole {
                self.begin_long(end, header, relay);
                return Ok(true);
            }
            end += header.packet_len();
        }
        self.put_run(end, kind, relay);
        Ok(end > 0)
    }

    fn put_run(&mut self, end: usize, kind: Option<Piece>, relay: &mut Relay) {
        let Some(loan) = &mut self.loan else { return };
        let run = loan.framed.input().get(..end).unwrap_or_default();
        if let Some(collect) = &mut relay.collect {
            if !collect.fits(end) {
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
            self.client.queue().extend_from_slice(run);
        }
        loan.framed.buffer().advance(end);
    }

    /// Passes on what is there of a long row, and all in front of it.
    fn begin_long(&mut self, end: usize, header: Header, relay: &mut Relay) {
        relay.outcome.was_too_long |= relay.collect.take().is_some();
        let Some(loan) = &mut self.loan else { return };
        let have = loan.framed.input().len();
        relay.passing = (end + header.packet_len()).saturating_sub(have);
        self.put_run(have, Some(Piece::Row), relay);
    }

    fn pass_rest(&mut self, relay: &mut Relay) {
        let Some(loan) = &mut self.loan else { return };
        let have = loan.framed.input().len().min(relay.passing);
        relay.passing -= have;
        self.put_run(have, Some(Piece::Row), relay);
    }

    /// Deals with a packet of the client's reply that is more than a column or a row.
    fn hear(&mut self, payload: &Bytes, relay: &mut Relay) -> Result<(), SessionError> {
        let Some(loan) = &mut self.loan else { return Ok(()) };
        let seen = loan.exchange.received(payload.len(), payload)?;
        match seen {
            Seen::ColumnCount(count) => {
                relay.columns_left = u64::from(count);
                relay.outcome.rows = Some(0);
                self.put_described(payload, relay);
            }
            Seen::ColumnsEnd(_) => {
                relay.owes_eof = false;
                if !self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
                    self.put(payload, relay);
                }
            }
            Seen::Ok(ok) => self.hear_end(0x00, ok, relay)?,
            Seen::RowsEnd(ok) => {
                if let Some(rows) = relay.inject.take() {
                    self.inject(&rows, relay);
                }
                self.hear_end(0xfe, ok, relay)?;
            }
            Seen::Err(error) => self.hear_error(&error, payload, relay),
            Seen::LocalInfile(_) => {
                relay.wants_file = true;
                if self.has(CapabilityFlags::CLIENT_LOCAL_FILES) {
                    self.put(payload, relay);
                } else {
                    relay.instead = Some(ClientError::Unsupported("LOCAL INFILE of a client that does not allow it"));
                }
            }
            Seen::Row if relay.inject.is_some() => {}
            Seen::Text => self.put(payload, relay),
            _ => return Err(SessionError::BackendProtocol(DecodeError::Value("reply packet"))),
        }
        self.note_answered();
        Ok(())
    }

    fn note_answered(&mut self) {
        if let Some(loan) = &mut self.loan {
            loan.answered();
        }
    }

    /// The end of a result: what changed is learnt before the client hears of it.
    fn hear_end(&mut self, header: u8, ok: OkPacket<'_>, relay: &mut Relay) -> Result<(), SessionError> {
        let outcome = &mut relay.outcome;
        outcome.warnings = ok.warnings;
        if header == 0x00 {
            outcome.rows = None;
            outcome.affected = ok.affected;
            if ok.last_insert_id != 0 {
                outcome.insert_id = ok.last_insert_id;
            }
        }
        let changes = self.hear_changes(ok.changes, relay)?;
        if relay.sort.commits {
            // COMMIT AND CHAIN, BEGIN within a transaction, DDL: what was written is there, and the next is open.
            self.note_writes(StatusFlags::empty());
        }
        self.note_writes(ok.status);
        let is_last = !ok.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS);
        let leaves_state = !relay.outcome.told.is_empty() || relay.outcome.state_changed;
        if let Some(collect) = relay.collect.take()
            && header == 0xfe
            && is_last
            && !leaves_state
        {
            collect.commit(&ok);
        }
        let mut ok = OkPacket { changes: &changes, ..ok };
        ok.status.set(StatusFlags::SERVER_SESSION_STATE_CHANGED, !changes.is_empty());
        let (capabilities, owes_eof) = (self.capabilities, std::mem::take(&mut relay.owes_eof));
        let mut payload = BytesMut::new();
        if header == 0xfe && !self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            let has_cursor = ok.status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS);
            reply::encode_eof(ok.warnings, ok.status, &mut payload);
            // An open cursor has no rows here: what ends the columns ends the reply. A cursor of a procedure's own
            // is another matter.
            if owes_eof && !(relay.opens_cursor() && has_cursor && is_last) {
                self.put_columns_end(ok.status, relay);
            }
        } else {
            ok.encode(header, capabilities, &mut payload);
        }
        self.put(&payload, relay);
        Ok(())
    }

    fn hear_error(&mut self, error: &ErrPacket<'_>, payload: &Bytes, relay: &mut Relay) {
        relay.collect = None;
        relay.outcome.error = Some(error.code);
        relay.outcome.error_packet = payload.clone();
        relay.outcome.rows = None;
        if std::mem::take(&mut relay.owes_eof) {
            self.put_columns_end(self.status(), relay);
        }
        let status = self.loan.as_ref().map_or(StatusFlags::empty(), |loan| loan.status());
        self.note_writes(status);
        // 1317 is the answer to our own KILL QUERY (MySQL: ER_QUERY_INTERRUPTED).
        if self.timed_out && matches!(error.code, 1317 | 1028) {
            let mut out = BytesMut::new();
            wire_error::encode(ClientError::StatementTimeout, self.capabilities, &mut out);
            self.put(&out, relay);
        } else {
            self.put(payload, relay);
        }
    }

    /// Takes in what the server says of the session, and returns what of it the client asked to be told.
    pub(super) fn hear_changes(&mut self, raw: &[u8], relay: &mut Relay) -> Result<BytesMut, SessionError> {
        let mut told = BytesMut::new();
        let Some(loan) = &mut self.loan else { return Ok(told) };
        let outcome = &mut relay.outcome;
        let (mut charset, mut collation) = (false, None);
        for change in reply::changes(raw) {
            let change = change.map_err(SessionError::BackendProtocol)?;
            match &change {
                Change::Variable { name, value } => {
                    charset |= *name == b"character_set_connection";
                    if *name == b"collation_connection" {
                        collation = Some(*value);
                    }
                    if relay.sort.is_for_once {
                        continue;
                    }
                    match self.facts.report(name, value) {
                        Reported::Followed => {}
                        Reported::Tracking => loan.lose_tracking(),
                        Reported::Ignored => continue,
                    }
                    outcome.told.push(String::from_utf8_lossy(name).into_owned());
                    if self.facts.reports.wants(name) {
                        reply::encode_change(&change, &mut told);
                    }
                }
                Change::Schema(name) => {
                    outcome.told.push(SCHEMA.to_owned());
                    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
                    loan.schema = name.map(Into::into);
                    self.facts.schema = name.map(Into::into);
                    if self.facts.reports.schema {
                        reply::encode_change(&change, &mut told);
                    }
                }
                Change::State(changed) => {
                    outcome.state_changed |= *changed;
                    if self.facts.reports.state {
                        reply::encode_change(&change, &mut told);
                    }
                }
                _ => reply::encode_change(&change, &mut told),
            }
        }
        // They come in any order, and the character set takes the collation with it.
        if let Some(collation) = collation {
            self.facts.report(b"collation_connection", collation);
        }
        // Servers tell of the character set alone, whatever SET NAMES says of the collation.
        self.asks.collation |= charset && collation.is_none();
        loan.applied = self.facts.settings.clone();
        Ok(told)
    }

    /// What was written can be seen by others as soon as no transaction is open.
    pub(super) fn note_writes(&self, status: StatusFlags) {
        if !status.contains(StatusFlags::SERVER_STATUS_IN_TRANS) && self.writes != Writes::None {
            self.context.common.cache.invalidate(&self.database.scope, &self.writes);
        }
    }

    /// Puts the remembered conditions in the place of the backend's, which are another client's.
    fn inject(&mut self, rows: &[Bytes], relay: &mut Relay) {
        for row in rows {
            if std::mem::take(&mut relay.owes_eof) {
                self.put_columns_end(self.status(), relay);
            }
            self.put(row, relay);
        }
    }

    /// Whether the client agreed to this.
    pub(super) fn has(&self, capability: CapabilityFlags) -> bool {
        self.capabilities.contains(capability)
    }

    /// The EOF between columns and rows, which the backend does not send.
    fn put_columns_end(&mut self, status: StatusFlags, relay: &mut Relay) {
        let mut eof = BytesMut::new();
        reply::encode_eof(0, status & SESSION_FLAGS, &mut eof);
        self.put(&eof, relay);
    }

    fn put_described(&mut self, payload: &[u8], relay: &mut Relay) {
        if let Some(collect) = &mut relay.collect {
            let mut whole = BytesMut::with_capacity(payload.len() + HEADER_LEN);
            packet::put(&mut whole, &mut 1, payload);
            collect.describe(&whole);
        }
        self.put(payload, relay);
    }

    fn put(&mut self, payload: &[u8], relay: &mut Relay) {
        if !relay.is_mute() {
            relay.bytes += payload.len();
            packet::put(self.client.queue(), &mut self.sequence, payload);
        }
    }
}

/// What stands for the schema among the settings that changed; no variable has this name.
const SCHEMA: &str = "schema";

/// Flags of the session, which belong to the end of columns; the others belong to the end of a reply.
const SESSION_FLAGS: StatusFlags = StatusFlags::SERVER_STATUS_IN_TRANS
    .union(StatusFlags::SERVER_STATUS_IN_TRANS_READONLY)
    .union(StatusFlags::SERVER_STATUS_AUTOCOMMIT)
    .union(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES);

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
pub(super) fn hear_own(backend: &mut Backend, payload: &Bytes, relay: &mut Relay) -> Result<(), SessionError> {
    let failed = matches!(backend.exchange.received(payload.len(), payload)?, Seen::Err(_));
    if let Some(note) = backend.answered()
        && failed
    {
        backend.unfit = true;
        // What follows runs all the same, in the wrong schema or with the wrong settings.
        relay.collect = None;
        relay.failure.get_or_insert(OwnFailure { note, error: payload.clone() });
    }
    Ok(())
}
