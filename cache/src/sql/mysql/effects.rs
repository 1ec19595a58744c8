//! The session state that a statement leaves behind, as far as its text says.
//!
//! System variables are not here: the origin reports them (`session_track_system_variables`), and the
//! session follows what is reported. This is what no report tells. Nothing here decides when an effect
//! holds; the session applies it when the origin has said yes.

use std::fmt;

use crate::sql::common;

/// One change of session state. Names are without quotes. Those of user variables, statements and handlers are in lower
/// case, as far as they are ASCII; those of tables and locks are as spelled, for not every server folds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A user variable is assigned.
    UserVariable(String),
    /// A user variable is set to NULL, which is what it is before it is first assigned.
    UserVariableCleared(String),
    /// A temporary table is made. As spelled, so `schema.table` where the schema was spelled out.
    TempTable(String),
    /// A table is dropped that may be a temporary one. As spelled.
    TempTableDropped(String),
    /// A table that may be a temporary one has another name now. As spelled.
    TempTableRenamed {
        /// The name it had.
        from: String,
        /// The name it has.
        to: String,
    },
    /// LOCK TABLES and its kin: locks that outlive the transaction.
    TableLock,
    /// UNLOCK TABLES and what implies it.
    TablesUnlocked,
    /// `GET_LOCK`; the name where it is a literal of ASCII.
    NamedLock(Option<String>),
    /// `RELEASE_LOCK`, or RELEASE_ALL_LOCKS within an expression; the name where it is a literal. Whether
    /// the lock is gone only the backend knows: it may have been taken twice, or the call not be reached.
    NamedLockReleased(Option<String>),
    /// `SELECT RELEASE_ALL_LOCKS()` and nothing else.
    NamedLocksReleased,
    /// HANDLER … OPEN: the table's alias where it has one, else its name as spelled.
    HandlerOpened(String),
    /// HANDLER … CLOSE.
    HandlerClosed(String),
    /// PREPARE of this name.
    Prepared(String),
    /// DEALLOCATE PREPARE of this name.
    Deallocated(String),
    /// A property of the next transaction only: SET TRANSACTION without a scope.
    NextTransaction,
    /// A variable that acts once or is not reported, such as `insert_id` or `gtid_next`.
    OneShot,
    /// State that the text does not show, or that cannot be made again elsewhere.
    UnknownSetting,
    /// `LASTVAL(sequence)` and `PREVIOUS VALUE FOR sequence` ask for what this connection drew last (MariaDB).
    LastDraw,
    /// `LAST_INSERT_ID(expr)` sets what `LAST_INSERT_ID()` says.
    LastInsertId,
    /// `SQL_CALC_FOUND_ROWS` sets what `FOUND_ROWS()` says.
    FoundRows,
    /// SET of a `session_track_*` variable, by which the session itself is followed.
    SessionTracking,
    /// USE.
    Schema(String),
}

impl Effect {
    /// Why a session must keep its backend behind it, and by which name that ends.
    pub fn pin(&self) -> Option<(Pin, Option<&str>)> {
        Some(match self {
            Self::UserVariable(name) => (Pin::UserVariable, Some(name)),
            Self::TempTable(name) => (Pin::TempTable, Some(name)),
            Self::HandlerOpened(name) => (Pin::Handler, Some(name)),
            Self::Prepared(name) => (Pin::SqlPrepare, Some(name)),
            Self::NamedLock(name) => (Pin::NamedLock, name.as_deref()),
            Self::TableLock => (Pin::TableLock, None),
            Self::UnknownSetting => (Pin::UnknownSetting, None),
            Self::OneShot | Self::LastDraw => (Pin::OneShot, None),
            Self::NextTransaction => (Pin::NextTransaction, None),
            _ => return None,
        })
    }

    /// Whether it can only end what pins a session.
    pub(super) const fn is_release(&self) -> bool {
        matches!(
            self,
            Self::UserVariableCleared(_)
                | Self::TempTableDropped(_)
                | Self::TablesUnlocked
                | Self::NamedLockReleased(_)
                | Self::NamedLocksReleased
                | Self::HandlerClosed(_)
                | Self::Deallocated(_)
        )
    }
}

/// Why a session must keep its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pin {
    /// A user variable has a value.
    UserVariable,
    /// A temporary table.
    TempTable,
    /// LOCK TABLES, FLUSH TABLES WITH READ LOCK.
    TableLock,
    /// `GET_LOCK`.
    NamedLock,
    /// HANDLER … OPEN.
    Handler,
    /// A statement prepared with SQL.
    SqlPrepare,
    /// A setting was changed in a way that cannot be repeated elsewhere.
    UnknownSetting,
    /// A setting that acts once, or that is this backend's own.
    OneShot,
    /// The statement could not be understood.
    Unparsed,
    /// A cursor of a prepared statement is open.
    Cursor,
    /// `COM_STMT_SEND_LONG_DATA` has put a parameter's value into this backend.
    LongData,
    /// Warnings that the client may still ask for.
    Warnings,
    /// SET TRANSACTION for the transaction that comes next.
    NextTransaction,
    /// While autocommit is off, a transaction that the server does not tell of: with a savepoint or the lock of a table only.
    UntoldTransaction,
}

impl Pin {
    /// Every reason, for metrics made ahead.
    pub const ALL: [Self; 14] = [
        Self::UserVariable,
        Self::TempTable,
        Self::TableLock,
        Self::NamedLock,
        Self::Handler,
        Self::SqlPrepare,
        Self::UnknownSetting,
        Self::OneShot,
        Self::Unparsed,
        Self::Cursor,
        Self::LongData,
        Self::Warnings,
        Self::NextTransaction,
        Self::UntoldTransaction,
    ];

    /// The word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserVariable => "user_variable",
            Self::TempTable => "temp_table",
            Self::TableLock => "table_lock",
            Self::NamedLock => "named_lock",
            Self::Handler => "handler",
            Self::SqlPrepare => "sql_prepare",
            Self::UnknownSetting => "unknown_setting",
            Self::OneShot => "one_shot",
            Self::Unparsed => "unparsed",
            Self::Cursor => "cursor",
            Self::LongData => "long_data",
            Self::Warnings => "warnings",
            Self::NextTransaction => "next_transaction",
            Self::UntoldTransaction => "untold_transaction",
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What running something may do besides answering.
pub(super) type Deeds = common::Deeds<Pin>;

/// The same of an object of the catalog; none for nothing.
pub(super) type Does = common::Does<Pin>;
