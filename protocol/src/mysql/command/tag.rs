//! Commands by their bytes.

/// The first byte of a command packet: `enum_server_command` in my_command.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandTag {
    /// `COM_QUIT`
    Quit,
    /// `COM_INIT_DB`
    InitDb,
    /// `COM_QUERY`
    Query,
    /// `COM_FIELD_LIST`
    FieldList,
    /// `COM_CREATE_DB`
    CreateDb,
    /// `COM_DROP_DB`
    DropDb,
    /// `COM_REFRESH`
    Refresh,
    /// `COM_SHUTDOWN`
    Shutdown,
    /// `COM_STATISTICS`
    Statistics,
    /// `COM_PROCESS_INFO`
    ProcessInfo,
    /// `COM_PROCESS_KILL`
    ProcessKill,
    /// `COM_DEBUG`
    Debug,
    /// `COM_PING`
    Ping,
    /// `COM_CHANGE_USER`
    ChangeUser,
    /// `COM_BINLOG_DUMP`
    BinlogDump,
    /// `COM_TABLE_DUMP`
    TableDump,
    /// `COM_REGISTER_SLAVE`
    RegisterSlave,
    /// `COM_STMT_PREPARE`
    StmtPrepare,
    /// `COM_STMT_EXECUTE`
    StmtExecute,
    /// `COM_STMT_SEND_LONG_DATA`
    StmtSendLongData,
    /// `COM_STMT_CLOSE`
    StmtClose,
    /// `COM_STMT_RESET`
    StmtReset,
    /// `COM_SET_OPTION`
    SetOption,
    /// `COM_STMT_FETCH`
    StmtFetch,
    /// `COM_BINLOG_DUMP_GTID`
    BinlogDumpGtid,
    /// `COM_RESET_CONNECTION`
    ResetConnection,
    /// `COM_STMT_BULK_EXECUTE`, of MariaDB
    StmtBulkExecute,
    /// Not a command that clients send, or one of MariaDB's own.
    Other(u8),
}

impl CommandTag {
    /// The byte on the wire.
    pub fn byte(self) -> u8 {
        match self {
            Self::Quit => 0x01,
            Self::InitDb => 0x02,
            Self::Query => 0x03,
            Self::FieldList => 0x04,
            Self::CreateDb => 0x05,
            Self::DropDb => 0x06,
            Self::Refresh => 0x07,
            Self::Shutdown => 0x08,
            Self::Statistics => 0x09,
            Self::ProcessInfo => 0x0a,
            Self::ProcessKill => 0x0c,
            Self::Debug => 0x0d,
            Self::Ping => 0x0e,
            Self::ChangeUser => 0x11,
            Self::BinlogDump => 0x12,
            Self::TableDump => 0x13,
            Self::RegisterSlave => 0x15,
            Self::StmtPrepare => 0x16,
            Self::StmtExecute => 0x17,
            Self::StmtSendLongData => 0x18,
            Self::StmtClose => 0x19,
            Self::StmtReset => 0x1a,
            Self::SetOption => 0x1b,
            Self::StmtFetch => 0x1c,
            Self::BinlogDumpGtid => 0x1e,
            Self::ResetConnection => 0x1f,
            Self::StmtBulkExecute => 0xfa,
            Self::Other(byte) => byte,
        }
    }
}

impl From<u8> for CommandTag {
    fn from(byte: u8) -> Self {
        match byte {
            0x01 => Self::Quit,
            0x02 => Self::InitDb,
            0x03 => Self::Query,
            0x04 => Self::FieldList,
            0x05 => Self::CreateDb,
            0x06 => Self::DropDb,
            0x07 => Self::Refresh,
            0x08 => Self::Shutdown,
            0x09 => Self::Statistics,
            0x0a => Self::ProcessInfo,
            0x0c => Self::ProcessKill,
            0x0d => Self::Debug,
            0x0e => Self::Ping,
            0x11 => Self::ChangeUser,
            0x12 => Self::BinlogDump,
            0x13 => Self::TableDump,
            0x15 => Self::RegisterSlave,
            0x16 => Self::StmtPrepare,
            0x17 => Self::StmtExecute,
            0x18 => Self::StmtSendLongData,
            0x19 => Self::StmtClose,
            0x1a => Self::StmtReset,
            0x1b => Self::SetOption,
            0x1c => Self::StmtFetch,
            0x1e => Self::BinlogDumpGtid,
            0x1f => Self::ResetConnection,
            0xfa => Self::StmtBulkExecute,
            other => Self::Other(other),
        }
    }
}
