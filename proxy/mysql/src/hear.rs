//! The packets of a reply that are read: what they say of the session, and what the client is told of it.

use bytes::{Bytes, BytesMut};
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, StatusFlags},
        exchange::Seen,
        reply::{self, Change, ErrPacket, OkPacket},
    },
    reader::DecodeError,
};
use serving::error::{ClientError, SessionError};

use super::{
    astray::Astray,
    columns_end::ColumnsEnd,
    coupled,
    outcome::{Along, Delivery, StateChange},
    relay::Relay,
    session::Session,
    settings::{self, Reported},
    wire_error,
    work::Work,
};

/// MySQL, MariaDB: ER_UNKNOWN_STMT_HANDLER.
const UNKNOWN_STATEMENT: u16 = 1243;

/// Whether an error is about the highest id of a statement, which not every server takes for the last.
fn names_last(message: &[u8]) -> bool {
    const LAST: &[u8] = b"4294967295";
    message.windows(LAST.len()).any(|words| words == LAST)
}

/// What stands for the schema among the settings that changed; no variable has this name.
const SCHEMA: &str = "schema";

/// The number in `Rows matched: 2  Changed: 1  Warnings: 0`.
fn matched(info: &[u8]) -> Option<u64> {
    let digits =
        info.strip_prefix(b"Rows matched: ")?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Session {
    /// Deals with a packet of the client's reply that is more than a column or a row.
    pub(crate) fn hear(&mut self, payload: &[u8], relay: &mut Relay) -> Result<(), SessionError> {
        let work = self.hold.held("hear a reply")?;
        let seen = work.loan.exchange.received(payload.len(), payload)?;
        match seen {
            Seen::ColumnCount(count) => {
                if let Some(statement) = relay.described.take() {
                    statement.compare(count);
                }
                relay.columns_left = u64::from(count);
                relay.outcome.rows = Some(0);
                self.client.pass_described(payload, relay);
            }
            Seen::ColumnsEnd(_) => {
                if !self.client.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
                    self.client.pass(payload, relay);
                }
            }
            Seen::Ok(ok) => self.hear_end(0x00, ok, relay)?,
            Seen::RowsEnd(ok) => {
                if let Some(rows) = relay.inject.take() {
                    self.inject(&rows, ok.status | relay.place.flags(), relay);
                }
                self.hear_end(0xfe, ok, relay)?;
            }
            Seen::Err(error) => match self.facts.astray.in_place_of(error.code, &work.loan) {
                Some(own) => {
                    let error = ErrPacket::decode(&own).map_err(SessionError::BackendProtocol)?;
                    self.hear_error(&error, &own, relay);
                }
                None => self.hear_error(&error, payload, relay),
            },
            Seen::LocalInfile(_) => {
                relay.file = Some(relay.next_sequence);
                if self.client.has(CapabilityFlags::CLIENT_LOCAL_FILES) {
                    self.client.pass(payload, relay);
                } else {
                    relay.instead = Some(ClientError::Unsupported(
                        "LOCAL INFILE of a client that does not allow it",
                    ));
                }
            }
            Seen::Row if relay.inject.is_some() => {}
            Seen::Text => self.client.pass(payload, relay),
            _ => return Err(SessionError::BackendProtocol(DecodeError::Value("reply packet"))),
        }
        self.hold.held("hear a reply")?.loan.answered();
        Ok(())
    }

    /// The end of a result: what changed is learnt before the client hears of it.
    fn hear_end(
        &mut self,
        header: u8,
        ok: OkPacket<'_>,
        relay: &mut Relay,
    ) -> Result<(), SessionError> {
        self.hold.held("hear the end of a result")?.ran();
        let outcome = &mut relay.outcome;
        outcome.results += 1;
        outcome.warnings = ok.warnings;
        if ok.status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS) {
            outcome.delivery = Delivery::ByCursor;
        }
        if header == 0x00 {
            outcome.rows = None;
            outcome.affected = ok.affected;
            outcome.matched = matched(ok.info);
            if ok.last_insert_id != 0 {
                outcome.insert_id = ok.last_insert_id;
            }
        }
        if relay.sort.begins {
            let is_told = |change| matches!(change, Ok(Change::TransactionState(_)));
            self.database.learnt.of_block(reply::changes(ok.changes).any(is_told));
        }
        let changes = self.hear_changes(ok.changes, relay)?;
        let known = (&self.context.common.cache, &self.database.catalog);
        let work = self.hold.held("note what was written")?;
        if relay.sort.commits {
            // COMMIT AND CHAIN, BEGIN within a transaction, DDL: what was written is there, and the next is open.
            work.note_writes(StatusFlags::empty(), known);
        }
        work.note_writes(ok.status, known);
        let is_last = !ok.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS);
        let leaves_state =
            !relay.outcome.told.is_empty() || relay.outcome.state == StateChange::Changed;
        if let Some(collect) = relay.collect.take()
            && header == 0xfe
            && is_last
            && !leaves_state
        {
            collect.commit(&ok);
        }
        if let Some(learning) = &mut self.learning {
            learning.hear(&ok, &changes);
        }
        let mut ok = OkPacket { changes: &changes, ..ok };
        ok.status.set(StatusFlags::SERVER_SESSION_STATE_CHANGED, !changes.is_empty());
        ok.status |= relay.place.flags();
        let mut payload = BytesMut::new();
        if header == 0xfe && !self.client.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            let has_cursor = ok.status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS);
            reply::encode_eof(ok.warnings, ok.status, &mut payload);
            // An open cursor has no rows here: what ends the columns ends the reply. A cursor of a procedure's own
            // is another matter.
            if relay.opens_cursor() && has_cursor && is_last {
                relay.columns_end = ColumnsEnd::Settled;
            }
            self.client.settle_columns_end(ok.status, relay);
        } else {
            ok.encode(header, self.client.capabilities, &mut payload);
        }
        self.client.pass(&payload, relay);
        relay.foresight.result_ended(header == 0x00);
        Ok(())
    }

    fn hear_error(&mut self, error: &ErrPacket<'_>, payload: &[u8], relay: &mut Relay) {
        relay.collect = None;
        let found_nothing = || error.code == UNKNOWN_STATEMENT && names_last(error.message);
        if let Along::Prepared(described) = relay.along
            && found_nothing()
        {
            relay.along = Along::NotFound(described);
        }
        if relay.along.has_failed() {
            return;
        }
        relay.outcome.error = Some(error.code);
        self.database.metrics.failures.sql(error.sqlstate);
        relay.outcome.sqlstate = error.sqlstate.try_into().ok();
        relay.outcome.message = Bytes::copy_from_slice(error.message);
        relay.outcome.rows = None;
        self.settle_columns_end_early(relay);
        // 1317 is the answer to our own KILL QUERY (MySQL: ER_QUERY_INTERRUPTED).
        if self.clock.timed_out && matches!(error.code, 1317 | 1028) {
            let mut out = BytesMut::new();
            wire_error::encode(ClientError::StatementTimeout, self.client.capabilities, &mut out);
            self.client.pass(&out, relay);
        } else if !self.moves(error, relay) {
            self.client.pass(payload, relay);
        }
    }

    /// Takes in what the server says of the session, and returns what of it the client asked to be told.
    pub(crate) fn hear_changes(
        &mut self,
        raw: &[u8],
        relay: &mut Relay,
    ) -> Result<BytesMut, SessionError> {
        let mut told = BytesMut::new();
        if raw.is_empty() {
            return Ok(told);
        }
        let Work { loan, asks, .. } = self.hold.held("hear what changed")?;
        let outcome = &mut relay.outcome;
        let (mut charset, mut collation) = (false, None);
        let (before, mut is_schema_told, mut state_changed) =
            (self.facts.schema.clone(), false, false);
        for change in reply::changes(raw) {
            let change = change.map_err(SessionError::BackendProtocol)?;
            match &change {
                Change::Variable { name, value } => {
                    charset |= settings::CHARACTER_SETS.iter().any(|set| set.as_bytes() == *name);
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
                    let coupled = coupled::coupled_with(name);
                    asks.variables.extend(coupled.map(String::from));
                    if self.facts.reports.wants(name) {
                        reply::encode_change(&change, &mut told);
                    }
                }
                Change::Schema(name) => {
                    is_schema_told = true;
                    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
                    loan.schema = name.map(Into::into);
                    self.facts.schema = name.map(Into::into);
                    self.facts.astray = Astray::No;
                    if self.facts.reports.schema {
                        reply::encode_change(&change, &mut told);
                    }
                }
                Change::State(changed) => {
                    state_changed |= *changed;
                    if self.facts.reports.state {
                        reply::encode_change(&change, &mut told);
                    }
                }
                _ => reply::encode_change(&change, &mut told),
            }
        }
        let is_same_schema = self.facts.schema == before;
        if !is_same_schema {
            outcome.told.push(SCHEMA.to_owned());
        }
        if state_changed {
            let came_back = is_schema_told && is_same_schema;
            let state = if came_back { StateChange::CameBack } else { StateChange::Changed };
            outcome.state = outcome.state.max(state);
        }
        // They come in any order, and the character set takes the collation with it.
        if let Some(collation) = collation {
            self.facts.report(b"collation_connection", collation);
        }
        // Servers tell of the one that was set: of the character set alone, whatever SET NAMES says of the collation. And of
        // that of the results nothing tells.
        asks.collation |= charset;
        self.facts.intern(&self.database.settings);
        loan.applied = self.facts.settings.clone();
        Ok(told)
    }

    /// Puts the remembered conditions in the place of the backend's, which are another client's.
    fn inject(&mut self, rows: &[Bytes], status: StatusFlags, relay: &mut Relay) {
        self.client.settle_columns_end(status, relay);
        for row in rows {
            self.client.pass(row, relay);
        }
    }
}
