//! What one payload does to an [`Exchange`].
//!
//! `None` stands for a payload that does not fit; the caller makes a `Desync` of it.

use super::super::{
    capabilities::{CapabilityFlags, StatusFlags},
    packet::MAX_PAYLOAD,
    reply::{
        EOF_HEADER, ERR_HEADER, ErrPacket, LOCAL_INFILE_HEADER, OK_HEADER, OkPacket, PrepareOk,
        column_count, ends_rows,
    },
};
use super::{
    kind::CommandKind,
    seen::Seen,
    state::{Exchange, State},
};

/// The last result of a procedure that was called by a prepared statement; its OK follows.
const OUT_PARAMETERS: StatusFlags =
    StatusFlags::SERVER_PS_OUT_PARAMS.union(StatusFlags::SERVER_MORE_RESULTS_EXISTS);

impl Exchange {
    pub(super) fn step<'a>(&mut self, payload_len: usize, payload: &'a [u8]) -> Option<Seen<'a>> {
        let first = *payload.first()?;
        if first == ERR_HEADER && self.state != State::Lost {
            return self.failed(payload);
        }
        match self.state {
            State::FirstReply => self.first_reply(first, payload),
            State::Columns { left } => Some(self.column(left)),
            State::ColumnsEnd => self.columns_end(payload_len, payload),
            State::Rows | State::OutParameters => self.row(first, payload_len, payload),
            State::FieldList => self.field(first, payload_len, payload),
            State::AfterFile => self.ok(payload),
            State::Parameters { left, columns } => Some(self.parameter(left, columns)),
            State::ParametersEnd { columns } => {
                let end = self.eof(payload_len, payload)?;
                self.heard(&end);
                self.prepared_columns(columns);
                Some(Seen::ParametersEnd(end))
            }
            State::PreparedColumns { left } => Some(self.prepared_column(left)),
            State::PreparedColumnsEnd => {
                let end = self.eof(payload_len, payload)?;
                self.heard(&end);
                self.done();
                Some(Seen::PreparedColumnsEnd(end))
            }
            State::Ready | State::LocalInfile | State::Lost => None,
        }
    }

    fn has(&self, capability: CapabilityFlags) -> bool {
        self.capabilities.contains(capability)
    }

    /// An ERR ends its command wherever it comes.
    fn failed<'a>(&mut self, payload: &'a [u8]) -> Option<Seen<'a>> {
        let error = ErrPacket::decode(payload).ok()?;
        match self.state {
            // Nobody asked ("ER_SERVER_SHUTDOWN", "ER_CLIENT_INTERACTION_TIMEOUT"), or the file is not at its end,
            // and what is left of it would be taken for commands: the end of the connection follows.
            State::Ready | State::LocalInfile => self.lose(),
            _ => {
                let current = self.current();
                self.in_doubt |=
                    matches!(current, Some(CommandKind::Query | CommandKind::Execute { .. }));
                self.done();
            }
        }
        Some(Seen::Err(error))
    }

    fn first_reply<'a>(&mut self, first: u8, payload: &'a [u8]) -> Option<Seen<'a>> {
        match (self.current()?, first) {
            (CommandKind::Query | CommandKind::Execute { .. }, LOCAL_INFILE_HEADER) => {
                self.local_infile(payload)
            }
            (CommandKind::Query | CommandKind::Execute { .. }, OK_HEADER) => self.ok(payload),
            (CommandKind::Query | CommandKind::Execute { .. }, _) => {
                let count = column_count(payload).ok()?;
                self.state = State::Columns { left: count };
                Some(Seen::ColumnCount(count))
            }
            (CommandKind::Prepare, OK_HEADER) => {
                let prepared = PrepareOk::decode(payload).ok()?;
                if prepared.params > 0 {
                    self.state =
                        State::Parameters { left: prepared.params, columns: prepared.columns };
                } else {
                    self.prepared_columns(prepared.columns);
                }
                Some(Seen::Prepared(prepared))
            }
            (CommandKind::Statistics, _) => {
                self.done();
                Some(Seen::Text)
            }
            (
                CommandKind::Simple
                | CommandKind::ResetConnection
                | CommandKind::StatementReset { .. },
                OK_HEADER | EOF_HEADER,
            ) => self.simple(payload),
            _ => None,
        }
    }

    /// Also in reply to `COM_STMT_EXECUTE`: MariaDB prepares LOAD DATA since 10.6. What was sent behind the command
    /// would be read as the file.
    fn local_infile<'a>(&mut self, payload: &'a [u8]) -> Option<Seen<'a>> {
        if !self.has(CapabilityFlags::CLIENT_LOCAL_FILES) || self.owed.len() > 1 {
            return None;
        }
        self.state = State::LocalInfile;
        payload.get(1..).map(Seen::LocalInfile)
    }

    fn ok<'a>(&mut self, payload: &'a [u8]) -> Option<Seen<'a>> {
        if payload.first() != Some(&OK_HEADER) {
            return None;
        }
        let ok = OkPacket::decode(payload, self.capabilities).ok()?;
        // At the end of a procedure that had a cursor of its own, MySQL leaves CURSOR_EXISTS set.
        self.cursor_done(StatusFlags::empty());
        self.result_done(&ok);
        Some(Seen::Ok(ok))
    }

    fn simple<'a>(&mut self, payload: &'a [u8]) -> Option<Seen<'a>> {
        let ok = OkPacket::decode(payload, self.capabilities).ok()?;
        if ok.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS) {
            return None;
        }
        match self.current() {
            Some(CommandKind::ResetConnection) => self.cursors.clear(),
            Some(CommandKind::StatementReset { statement }) => {
                self.cursors.remove(&statement);
            }
            _ => {}
        }
        self.heard(&ok);
        self.done();
        Some(Seen::Ok(ok))
    }

    fn column<'a>(&mut self, left: u32) -> Seen<'a> {
        let left = left.saturating_sub(1);
        self.state = match left {
            0 if self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) => State::Rows,
            0 => State::ColumnsEnd,
            left => State::Columns { left },
        };
        Seen::Column { last: left == 0 }
    }

    /// Where a cursor was opened this EOF is the end of the result too: `Materialized_cursor::open` in
    /// sql_cursor.cc sends columns without their EOF, and then the one that ends a result. A cursor inside a
    /// procedure sets the same flag, but there MORE_RESULTS is set as well.
    fn columns_end<'a>(&mut self, payload_len: usize, payload: &'a [u8]) -> Option<Seen<'a>> {
        let end = self.eof(payload_len, payload)?;
        let asked = matches!(self.current(), Some(CommandKind::Execute { cursor: true, .. }));
        if asked && opens_cursor(end.status) {
            self.rows_done(&end);
            return Some(Seen::RowsEnd(end));
        }
        self.heard(&end);
        let out = end.status.contains(OUT_PARAMETERS);
        self.state = if out { State::OutParameters } else { State::Rows };
        Some(Seen::ColumnsEnd(end))
    }

    fn row<'a>(&mut self, first: u8, payload_len: usize, payload: &'a [u8]) -> Option<Seen<'a>> {
        if first == EOF_HEADER && ends_rows(payload_len, self.capabilities) {
            let mut end = self.eof(payload_len, payload)?;
            if self.state == State::OutParameters {
                // MySQL says it in the first EOF only, "cli_read_binary_rows" in libmysql/libmysql.cc carries it on;
                // seen of MySQL 9.7.
                end.status |= OUT_PARAMETERS;
            }
            self.rows_done(&end);
            return Some(Seen::RowsEnd(end));
        }
        // A row of the binary protocol begins with 0.
        let is_text = self.current() == Some(CommandKind::Query);
        (is_text || first == OK_HEADER).then_some(Seen::Row)
    }

    fn field<'a>(&mut self, first: u8, payload_len: usize, payload: &'a [u8]) -> Option<Seen<'a>> {
        if first != EOF_HEADER {
            return Some(Seen::Column { last: false });
        }
        let end = self.eof(payload_len, payload)?;
        self.heard(&end);
        self.done();
        Some(Seen::RowsEnd(end))
    }

    /// An EOF, or with `CLIENT_DEPRECATE_EOF` the OK in its place.
    fn eof<'a>(&self, payload_len: usize, payload: &'a [u8]) -> Option<OkPacket<'a>> {
        let deprecated = self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        let fits = if deprecated { payload_len < MAX_PAYLOAD } else { payload_len == 5 };
        if payload.first() != Some(&EOF_HEADER) || !fits {
            return None;
        }
        OkPacket::decode(payload, self.capabilities).ok()
    }

    fn rows_done(&mut self, end: &OkPacket<'_>) {
        self.cursor_done(end.status);
        self.result_done(end);
    }

    /// Keeps the books on cursors. Executing a statement again closes its old one.
    fn cursor_done(&mut self, status: StatusFlags) {
        let opened = opens_cursor(status);
        let ended = status.contains(StatusFlags::SERVER_STATUS_LAST_ROW_SENT);
        match self.current() {
            Some(CommandKind::Execute { statement, cursor: true }) if opened => {
                self.cursors.insert(statement);
            }
            Some(CommandKind::Execute { statement, .. }) => {
                self.cursors.remove(&statement);
            }
            Some(CommandKind::Fetch { statement }) if ended => {
                self.cursors.remove(&statement);
            }
            _ => {}
        }
    }

    fn prepared_columns(&mut self, columns: u16) {
        if columns == 0 {
            self.done();
        } else {
            self.state = State::PreparedColumns { left: columns };
        }
    }

    fn parameter<'a>(&mut self, left: u16, columns: u16) -> Seen<'a> {
        let left = left.saturating_sub(1);
        if left > 0 {
            self.state = State::Parameters { left, columns };
        } else if self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            self.prepared_columns(columns);
        } else {
            self.state = State::ParametersEnd { columns };
        }
        Seen::Parameter { last: left == 0 }
    }

    fn prepared_column<'a>(&mut self, left: u16) -> Seen<'a> {
        let left = left.saturating_sub(1);
        if left > 0 {
            self.state = State::PreparedColumns { left };
        } else if self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            self.done();
        } else {
            self.state = State::PreparedColumnsEnd;
        }
        Seen::PreparedColumn { last: left == 0 }
    }
}

fn opens_cursor(status: StatusFlags) -> bool {
    status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS)
        && !status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS)
}
