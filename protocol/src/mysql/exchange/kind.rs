//! What goes to a backend, by the reply that it has.

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
