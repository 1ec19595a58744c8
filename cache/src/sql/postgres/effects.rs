//! The session state that a statement leaves behind.
//!
//! Every piece of state is either *followed* (the proxy can set it again on another backend) or it
//! *pins* the session to its backend. Nothing here decides when an effect holds: an effect inside a
//! transaction that rolls back is gone, and the session knows that.

use std::fmt;

use crate::sql::common;

/// One change of session state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A setting now has a value that one statement can give it again.
    Set {
        /// The setting's name in lower case; SET ROLE is `role`.
        name: String,
        /// A complete statement that sets it again, without a semicolon. Empty where only what the server reports tells
        /// the value.
        sql: String,
    },
    /// A setting is back at its default.
    Reset {
        /// The setting's name in lower case.
        name: String,
    },
    /// A setting is at its default until the transaction ends.
    ResetLocal {
        /// The setting's name in lower case.
        name: String,
    },
    /// A setting that decides how texts are read, or what is allowed, has another value until the
    /// transaction ends. Other settings of the transaction leave no effect.
    SetLocal {
        /// The setting's name in lower case.
        name: String,
    },
    /// Every setting is back at its default, except role and session_authorization, which RESET ALL
    /// does not touch (`GUC_NO_RESET_ALL` in guc_tables.c).
    ResetAll,
    /// Everything the session had is gone: settings, statements, cursors, listens, locks, temp tables.
    DiscardAll,
    /// Cached plans are gone. No state a client can see.
    DiscardPlans,
    /// Temporary tables are gone.
    DiscardTemp,
    /// Sequence state (currval, lastval) is gone.
    DiscardSequences,
    /// State the proxy cannot carry to another backend.
    Pin(Pin),
}

impl Effect {
    /// Whether it takes settings back to what they were at the login.
    pub const fn is_reset(&self) -> bool {
        matches!(
            self,
            Self::Reset { .. } | Self::ResetLocal { .. } | Self::ResetAll | Self::DiscardAll
        )
    }
}

/// Why a session must keep its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pin {
    /// LISTEN: notifications come on this backend.
    Listen,
    /// A temporary table, view, sequence or other object in pg_temp.
    TempTable,
    /// A session-level advisory lock.
    AdvisoryLock,
    /// A cursor WITH HOLD.
    HoldCursor,
    /// A library loaded with LOAD.
    Load,
    /// `pg_backup_start`: the backup is the connection's, and broken off with it.
    Backup,
    /// A statement prepared with SQL.
    SqlPrepare,
    /// A setting was changed in a way that cannot be repeated elsewhere.
    UnknownSetting,
    /// The statement could not be understood.
    Unparsed,
}

impl Pin {
    /// Every reason, for metrics made ahead.
    pub const ALL: [Self; 9] = [
        Self::Listen,
        Self::TempTable,
        Self::AdvisoryLock,
        Self::HoldCursor,
        Self::Load,
        Self::Backup,
        Self::SqlPrepare,
        Self::UnknownSetting,
        Self::Unparsed,
    ];

    /// Whether nothing ends it but the end of the connection: DISCARD ALL leaves it.
    pub const fn is_for_life(self) -> bool {
        matches!(self, Self::Load | Self::Backup)
    }

    /// The word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::TempTable => "temp_table",
            Self::AdvisoryLock => "advisory_lock",
            Self::HoldCursor => "hold_cursor",
            Self::Load => "load",
            Self::Backup => "backup",
            Self::SqlPrepare => "sql_prepare",
            Self::UnknownSetting => "unknown_setting",
            Self::Unparsed => "unparsed",
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What running something may do besides answering.
pub type Deeds = common::Deeds<Pin>;

/// The same of an object of the catalog; none for nothing.
pub(super) type Does = common::Does<Pin>;
