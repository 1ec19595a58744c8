//! Which replies a backend still owes, and so when it may serve somebody else.
//!
//! An [`Exchange`] is fed with the commands that go to a backend and with every packet that comes back, and performs
//! no I/O. It is deliberately strict: a packet that fits no state is a [`Desync`]. Commands may be sent before
//! older ones are answered (the proxy puts its own in front of a client's); a backend answers them in turn.
//!
//! It sees *payloads*. Of one that takes several packets it is given the first only, with that packet's length:
//! what decides is at the front, and a length of `0xFFFFFF` is enough to tell a row from an end of rows.

mod step;

use std::collections::{BTreeSet, VecDeque};

use self::step::State;
use super::{
    capabilities::{CapabilityFlags, StatusFlags},
    packet::MAX_PAYLOAD,
    reply::{EOF_HEADER, ERR_HEADER, ErrPacket, OkPacket, PrepareOk, ends_rows},
};

/// What a command is, as far as its reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// `COM_QUERY`, `COM_PROCESS_INFO`: results of the text protocol.
    Query,
    /// `COM_STMT_PREPARE`.
    Prepare,
    /// `COM_STMT_EXECUTE`: results of the binary protocol.
    Execute {
        /// The statement, as the backend knows it.
        statement: u32,
        /// Whether a cursor was asked for.
        cursor: bool,
    },
    /// `COM_STMT_FETCH`: rows without columns.
    Fetch {
        /// The statement, as the backend knows it.
        statement: u32,
    },
    /// `COM_STMT_RESET`: OK or ERR, and its cursor is closed.
    StatementReset {
        /// The statement, as the backend knows it.
        statement: u32,
    },
    /// `COM_STMT_CLOSE`: no reply, and its cursor is closed.
    StatementClose {
        /// The statement, as the backend knows it.
        statement: u32,
    },
    /// `COM_FIELD_LIST`: columns without their number.
    FieldList,
    /// `COM_RESET_CONNECTION`: OK or ERR, and all cursors are closed.
    ResetConnection,
    /// `COM_INIT_DB`, `COM_PING`, `COM_PROCESS_KILL`, `COM_SET_OPTION`, `COM_DEBUG`, `COM_REFRESH` and others that are
    /// answered by one OK, EOF or ERR.
    Simple,
    /// `COM_STATISTICS`: a text without a header, or ERR.
    Statistics,
    /// `COM_STMT_SEND_LONG_DATA`, `COM_QUIT`: no reply.
    Silent,
}

/// How much of a payload [`Exchange::received`] must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Its first byte; the rest may go through unseen.
    FirstByte,
    /// All of it.
    Whole,
}

/// What a payload turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A result without rows; another follows if its status says so. An EOF is shown as OK too.
    Ok(OkPacket<'a>),
    /// The command failed; nothing more comes of it.
    Err(ErrPacket<'a>),
    /// The backend wants the client to send the named file, and then an empty packet.
    LocalInfile(&'a [u8]),
    /// So many columns follow.
    ColumnCount(u32),
    /// A column definition.
    Column {
        /// With `CLIENT_DEPRECATE_EOF` rows follow, and otherwise [`Seen::ColumnsEnd`]. Never set in the reply to
        /// `COM_FIELD_LIST`.
        last: bool,
    },
    /// The EOF between columns and rows.
    ColumnsEnd(OkPacket<'a>),
    /// A row.
    Row,
    /// The end of rows, of the columns of `COM_FIELD_LIST`, or of a result whose rows are in a cursor.
    RowsEnd(OkPacket<'a>),
    /// A statement was prepared; its parameters and columns follow.
    Prepared(PrepareOk),
    /// The definition of a parameter.
    Parameter {
        /// None follows.
        last: bool,
    },
    /// The EOF behind the parameters.
    ParametersEnd(OkPacket<'a>),
    /// The definition of a column of a prepared statement.
    PreparedColumn {
        /// None follows.
        last: bool,
    },
    /// The EOF behind the columns of a prepared statement.
    PreparedColumnsEnd(OkPacket<'a>),
    /// What `COM_STATISTICS` returns.
    Text,
}

/// The backend sent what it did not owe; the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {len} bytes beginning with {first:02x?} does not fit {state}")]
pub struct Desync {
    /// The first byte, if there was one.
    pub first: Option<u8>,
    /// The payload's length.
    pub len: usize,
    /// What was expected.
    pub state: &'static str,
}

/// Where a backend's replies stand.
///
/// ```text
///            sent                                      LOCAL INFILE
///   Ready ──────────► FirstReply ───────────────────────────────────► LocalInfile
///     ▲                │ │ │ ▲                                            │ file_sent
///     │ OK, EOF, ERR   │ │ │ └── OK, EOF with MORE_RESULTS ── … ◄─────────┤
///     ├────────────────┘ │ └── number of columns ──► Columns ──► Rows ────┤
///     │                  └── PREPARE_OK ──► Parameters ──► PreparedColumns │
///     └───────────────────────── the last of it, or ERR anywhere ─────────┘
/// ```
#[derive(Clone, Debug)]
pub struct Exchange {
    capabilities: CapabilityFlags,
    state: State,
    /// Commands whose replies have not come to their end, oldest first; `state` is about the first.
    owed: VecDeque<CommandKind>,
    status: StatusFlags,
    /// A statement failed, and an ERR does not say what became of the transaction.
    in_doubt: bool,
    /// Statements with an open cursor.
    cursors: BTreeSet<u32>,
}

impl Exchange {
    /// Follows a backend that has just logged in, with the capabilities agreed with it.
    pub fn new(capabilities: CapabilityFlags) -> Self {
        Self {
            capabilities,
            state: State::Ready,
            owed: VecDeque::new(),
            status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
            in_doubt: false,
            cursors: BTreeSet::new(),
        }
    }

    /// Records a command on its way to the backend. While [`Self::wants_file`] none must be sent.
    pub fn sent(&mut self, command: CommandKind) {
        if self.state == State::Lost {
            return;
        }
        self.owed.push_back(command);
        if self.state == State::Ready {
            self.begin();
        }
    }

    /// How much [`Self::received`] must be given of the next payload; `payload_len` may be that of its first packet.
    pub fn needs(&self, payload_len: usize, first: u8) -> Needs {
        let many = match self.state {
            State::Columns { .. } | State::Parameters { .. } | State::PreparedColumns { .. } => {
                first != ERR_HEADER
            }
            State::Rows | State::OutParameters | State::FieldList => match first {
                ERR_HEADER => false,
                EOF_HEADER => !ends_rows(payload_len, self.capabilities),
                _ => true,
            },
            _ => false,
        };
        if many { Needs::FirstByte } else { Needs::Whole }
    }

    /// Records a payload from the backend, and says what it is.
    ///
    /// `payload` is all of it where [`Self::needs`] says so, and at least its first byte otherwise; it is empty only
    /// if the payload is. `payload_len` may be that of the first packet.
    ///
    /// # Errors
    ///
    /// [`Desync`] when it was not owed; from then on the backend is never ready again.
    pub fn received<'a>(
        &mut self,
        payload_len: usize,
        payload: &'a [u8],
    ) -> Result<Seen<'a>, Desync> {
        let (first, state) = (payload.first().copied(), self.state.name());
        self.step(payload_len, payload).ok_or_else(|| {
            self.lose();
            Desync { first, len: payload_len, state }
        })
    }

    /// Records that the empty packet that ends a LOCAL INFILE is on its way to the backend.
    pub fn file_sent(&mut self) {
        if self.state == State::LocalInfile {
            self.state = State::AfterFile;
        }
    }

    /// How many commands' replies have not come to their end.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// The command whose reply is under way, or comes next.
    pub fn current(&self) -> Option<CommandKind> {
        self.owed.front().copied()
    }

    /// Whether the next that goes to the backend is the file of a LOCAL INFILE, and no command.
    pub fn wants_file(&self) -> bool {
        self.state == State::LocalInfile
    }

    /// Whether nothing is owed, so that a command can be sent.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether the backend said good-bye, or what cannot be: it must be closed.
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// The status that was last heard; before that, autocommit.
    pub fn status(&self) -> StatusFlags {
        self.status
    }

    /// Takes over the status of the OK that ended the login.
    pub fn logged_in(&mut self, status: StatusFlags) {
        self.status = status;
    }

    /// Whether a transaction was open when the status was last heard.
    pub fn in_transaction(&self) -> bool {
        self.status.contains(StatusFlags::SERVER_STATUS_IN_TRANS)
    }

    /// Whether a statement failed since the status was last heard.
    ///
    /// An ERR has no status: a deadlock may have ended the transaction, and with autocommit off, or in a procedure,
    /// one may have begun. Any OK settles it; that of a `COM_PING` costs least.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Trusts the last status although a statement failed after it: its text could not have changed it.
    pub fn settle(&mut self) {
        self.in_doubt = false;
    }

    /// Whether a cursor is open.
    pub fn has_cursor(&self) -> bool {
        !self.cursors.is_empty()
    }

    /// Whether this statement has one, by the backend's id of it.
    pub fn has_cursor_of(&self, statement: u32) -> bool {
        self.cursors.contains(&statement)
    }

    /// Nothing owed, no transaction, no cursor and no doubt: the backend may serve somebody else.
    pub fn is_idle(&self) -> bool {
        self.is_ready() && !self.in_transaction() && !self.in_doubt && !self.has_cursor()
    }

    /// What any packet with a status tells.
    fn heard(&mut self, ok: &OkPacket<'_>) {
        self.status = ok.status;
        self.in_doubt = false;
    }

    /// Begins with the command at the front; those without a reply are done at once.
    fn begin(&mut self) {
        self.state = loop {
            match self.owed.front() {
                None => break State::Ready,
                Some(CommandKind::Silent) => {}
                Some(CommandKind::StatementClose { statement }) => {
                    self.cursors.remove(statement);
                }
                Some(CommandKind::Fetch { .. }) => break State::Rows,
                Some(CommandKind::FieldList) => break State::FieldList,
                Some(_) => break State::FirstReply,
            }
            self.owed.pop_front();
        };
    }

    /// The reply at the front has come to its end.
    fn done(&mut self) {
        self.owed.pop_front();
        self.begin();
    }

    /// One result has come to its end; with MORE_RESULTS the next begins, else the reply is done.
    fn result_done(&mut self, ok: &OkPacket<'_>) {
        self.heard(ok);
        if ok.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS) {
            self.state = State::FirstReply;
        } else {
            self.done();
        }
    }

    fn lose(&mut self) {
        self.state = State::Lost;
    }
}

#[cfg(test)]
mod tests;
