//! The books on what a backend owes: [`Exchange`] and its changes that need no payload.

use std::collections::{BTreeSet, VecDeque};

use super::super::{
    capabilities::{CapabilityFlags, StatusFlags},
    reply::OkPacket,
};
use super::kind::CommandKind;

/// Where the reply to the oldest command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is owed.
    Ready,
    /// The next payload decides the shape of the result.
    FirstReply,
    /// Definitions of columns.
    Columns { left: u32 },
    /// The EOF behind them; not with `CLIENT_DEPRECATE_EOF`.
    ColumnsEnd,
    /// Rows, or their end.
    Rows,
    /// The row that holds a procedure's OUT parameters, or its end.
    OutParameters,
    /// Columns without a number, or their end.
    FieldList,
    /// The client sends a file.
    LocalInfile,
    /// OK or ERR, for the file.
    AfterFile,
    /// Definitions of a statement's parameters.
    Parameters { left: u16, columns: u16 },
    /// The EOF behind them; not with `CLIENT_DEPRECATE_EOF`.
    ParametersEnd { columns: u16 },
    /// Definitions of a statement's columns.
    PreparedColumns { left: u16 },
    /// The EOF behind them; not with `CLIENT_DEPRECATE_EOF`.
    PreparedColumnsEnd,
    /// The connection is of no more use.
    Lost,
}

impl State {
    /// For [`super::Desync`].
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ready => "an idle backend",
            Self::FirstReply => "the first reply",
            Self::Columns { .. } => "columns",
            Self::ColumnsEnd => "the end of columns",
            Self::Rows => "rows",
            Self::OutParameters => "OUT parameters",
            Self::FieldList => "a list of fields",
            Self::LocalInfile => "LOCAL INFILE",
            Self::AfterFile => "the reply to a file",
            Self::Parameters { .. } => "parameters",
            Self::ParametersEnd { .. } => "the end of parameters",
            Self::PreparedColumns { .. } => "columns of a statement",
            Self::PreparedColumnsEnd => "the end of a statement's columns",
            Self::Lost => "a lost backend",
        }
    }
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
    pub(super) capabilities: CapabilityFlags,
    pub(super) state: State,
    /// Commands whose replies have not come to their end, oldest first; `state` is about the first.
    pub(super) owed: VecDeque<CommandKind>,
    pub(super) status: StatusFlags,
    /// A statement failed, and an ERR does not say what became of the transaction.
    pub(super) in_doubt: bool,
    /// Statements with an open cursor.
    pub(super) cursors: BTreeSet<u32>,
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

    /// The command whose reply is under way, or comes next.
    pub fn current(&self) -> Option<CommandKind> {
        self.owed.front().copied()
    }

    /// What any packet with a status tells.
    pub(super) fn heard(&mut self, ok: &OkPacket<'_>) {
        self.status = ok.status;
        self.in_doubt = false;
    }

    /// Begins with the command at the front; those without a reply are done at once.
    pub(super) fn begin(&mut self) {
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
    pub(super) fn done(&mut self) {
        self.owed.pop_front();
        self.begin();
    }

    /// One result has come to its end; with MORE_RESULTS the next begins, else the reply is done.
    pub(super) fn result_done(&mut self, ok: &OkPacket<'_>) {
        self.heard(ok);
        if ok.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS) {
            self.state = State::FirstReply;
        } else {
            self.done();
        }
    }

    pub(super) fn lose(&mut self) {
        self.state = State::Lost;
    }
}
