//! Capability flags, status flags and column types, named as in MySQL's `mysql_com.h` and `field_types.h`.
//!
//! Bits that are not known here stay as they came.

use bitflags::bitflags;

bitflags! {
    /// What one side offers or asks for; what both have is in force.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CapabilityFlags: u32 {
        /// Set by all of MySQL; a MariaDB server leaves it out to say that it has capabilities beyond 32 bits.
        const CLIENT_LONG_PASSWORD = 1;
        /// Affected rows are those found and not those changed.
        const CLIENT_FOUND_ROWS = 1 << 1;
        /// Column flags have 16 bits.
        const CLIENT_LONG_FLAG = 1 << 2;
        /// The response names a schema.
        const CLIENT_CONNECT_WITH_DB = 1 << 3;
        /// `schema.table.column` is not allowed.
        const CLIENT_NO_SCHEMA = 1 << 4;
        /// The compressed protocol, with zlib.
        const CLIENT_COMPRESS = 1 << 5;
        /// No effect since MySQL 3.22.
        const CLIENT_ODBC = 1 << 6;
        /// The client answers LOCAL INFILE.
        const CLIENT_LOCAL_FILES = 1 << 7;
        /// Spaces are allowed before `(`.
        const CLIENT_IGNORE_SPACE = 1 << 8;
        /// The protocol of MySQL 4.1, the only one spoken here.
        const CLIENT_PROTOCOL_41 = 1 << 9;
        /// `interactive_timeout` counts instead of `wait_timeout`.
        const CLIENT_INTERACTIVE = 1 << 10;
        /// TLS follows.
        const CLIENT_SSL = 1 << 11;
        /// No effect on the wire.
        const CLIENT_IGNORE_SIGPIPE = 1 << 12;
        /// OK and EOF carry status flags.
        const CLIENT_TRANSACTIONS = 1 << 13;
        /// Was the 4.1 protocol once.
        const CLIENT_RESERVED = 1 << 14;
        /// The 4.1 authentication; `CLIENT_RESERVED2` in MySQL 8.
        const CLIENT_SECURE_CONNECTION = 1 << 15;
        /// `COM_QUERY` may hold several statements.
        const CLIENT_MULTI_STATEMENTS = 1 << 16;
        /// `COM_QUERY` may be answered by several results.
        const CLIENT_MULTI_RESULTS = 1 << 17;
        /// `COM_STMT_EXECUTE` may be answered by several results.
        const CLIENT_PS_MULTI_RESULTS = 1 << 18;
        /// Authentication methods have names.
        const CLIENT_PLUGIN_AUTH = 1 << 19;
        /// The response has connection attributes.
        const CLIENT_CONNECT_ATTRS = 1 << 20;
        /// The authentication data of the response has a length-encoded length.
        const CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA = 1 << 21;
        /// An expired password is heard of, and not refused.
        const CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS = 1 << 22;
        /// OK tells what changed in the session.
        const CLIENT_SESSION_TRACK = 1 << 23;
        /// Rows end with an OK instead of an EOF, and columns with nothing.
        const CLIENT_DEPRECATE_EOF = 1 << 24;
        /// Column definitions may be left out.
        const CLIENT_OPTIONAL_RESULTSET_METADATA = 1 << 25;
        /// The compressed protocol, with zstd.
        const CLIENT_ZSTD_COMPRESSION_ALGORITHM = 1 << 26;
        /// `COM_QUERY` and `COM_STMT_EXECUTE` carry attributes.
        const CLIENT_QUERY_ATTRIBUTES = 1 << 27;
        /// More than one authentication method in turn.
        const MULTI_FACTOR_AUTHENTICATION = 1 << 28;
        /// Progress reports of old MariaDB.
        const CLIENT_PROGRESS_OBSOLETE = 1 << 29;
        /// For clients' own use.
        const CLIENT_SSL_VERIFY_SERVER_CERT = 1 << 30;
        /// For clients' own use.
        const CLIENT_REMEMBER_OPTIONS = 1 << 31;
        const _ = !0;
    }
}

bitflags! {
    /// MariaDB's capabilities beyond 32 bits, named as in its `mysql_com.h`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MariaDbFlags: u32 {
        /// An ALTER TABLE tells how far it is.
        const MARIADB_CLIENT_PROGRESS = 1;
        /// `COM_STMT_BULK_EXECUTE`.
        const MARIADB_CLIENT_STMT_BULK_OPERATIONS = 1 << 2;
        /// Column definitions say more of their types: JSON, for one.
        const MARIADB_CLIENT_EXTENDED_METADATA = 1 << 3;
        /// Column definitions that a client has are left out.
        const MARIADB_CLIENT_CACHE_METADATA = 1 << 4;
        /// `COM_STMT_BULK_EXECUTE` answers with a row for each of its own.
        const MARIADB_CLIENT_BULK_UNIT_RESULTS = 1 << 5;
        const _ = !0;
    }
}

bitflags! {
    /// What OK and EOF say of the session.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct StatusFlags: u16 {
        /// A transaction is open.
        const SERVER_STATUS_IN_TRANS = 1;
        /// Autocommit is on.
        const SERVER_STATUS_AUTOCOMMIT = 1 << 1;
        /// Another result follows.
        const SERVER_MORE_RESULTS_EXISTS = 1 << 3;
        /// The optimizer found no good index.
        const SERVER_QUERY_NO_GOOD_INDEX_USED = 1 << 4;
        /// The optimizer used no index.
        const SERVER_QUERY_NO_INDEX_USED = 1 << 5;
        /// A cursor is open on the statement.
        const SERVER_STATUS_CURSOR_EXISTS = 1 << 6;
        /// `COM_STMT_FETCH` reached the end, and the cursor is closed.
        const SERVER_STATUS_LAST_ROW_SENT = 1 << 7;
        /// The current schema was dropped.
        const SERVER_STATUS_DB_DROPPED = 1 << 8;
        /// A backslash is a plain character in strings (`sql_mode`).
        const SERVER_STATUS_NO_BACKSLASH_ESCAPES = 1 << 9;
        /// The columns differ from what `COM_STMT_PREPARE` said.
        const SERVER_STATUS_METADATA_CHANGED = 1 << 10;
        /// The statement took longer than `long_query_time`.
        const SERVER_QUERY_WAS_SLOW = 1 << 11;
        /// The result holds the OUT parameters of a procedure.
        const SERVER_PS_OUT_PARAMS = 1 << 12;
        /// The open transaction is read-only.
        const SERVER_STATUS_IN_TRANS_READONLY = 1 << 13;
        /// The OK carries session state.
        const SERVER_SESSION_STATE_CHANGED = 1 << 14;
        /// MariaDB: `"` quotes identifiers (`sql_mode`).
        const SERVER_STATUS_ANSI_QUOTES = 1 << 15;
        const _ = !0;
    }
}

bitflags! {
    /// What a column definition says of its column, as far as it is needed here.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ColumnFlags: u16 {
        /// Never NULL.
        const NOT_NULL_FLAG = 1;
        /// No sign.
        const UNSIGNED_FLAG = 1 << 5;
        /// Bytes, not text.
        const BINARY_FLAG = 1 << 7;
        const _ = !0;
    }
}

/// The type of a column or a parameter; one byte on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ColumnType(pub u8);

#[expect(missing_docs, reason = "these are names of SQL types, spelled as MySQL spells them")]
impl ColumnType {
    pub const MYSQL_TYPE_DECIMAL: Self = Self(0);
    pub const MYSQL_TYPE_TINY: Self = Self(1);
    pub const MYSQL_TYPE_SHORT: Self = Self(2);
    pub const MYSQL_TYPE_LONG: Self = Self(3);
    pub const MYSQL_TYPE_FLOAT: Self = Self(4);
    pub const MYSQL_TYPE_DOUBLE: Self = Self(5);
    pub const MYSQL_TYPE_NULL: Self = Self(6);
    pub const MYSQL_TYPE_TIMESTAMP: Self = Self(7);
    pub const MYSQL_TYPE_LONGLONG: Self = Self(8);
    pub const MYSQL_TYPE_INT24: Self = Self(9);
    pub const MYSQL_TYPE_DATE: Self = Self(10);
    pub const MYSQL_TYPE_TIME: Self = Self(11);
    pub const MYSQL_TYPE_DATETIME: Self = Self(12);
    pub const MYSQL_TYPE_YEAR: Self = Self(13);
    pub const MYSQL_TYPE_VARCHAR: Self = Self(15);
    pub const MYSQL_TYPE_BIT: Self = Self(16);
    pub const MYSQL_TYPE_JSON: Self = Self(245);
    pub const MYSQL_TYPE_NEWDECIMAL: Self = Self(246);
    pub const MYSQL_TYPE_ENUM: Self = Self(247);
    pub const MYSQL_TYPE_SET: Self = Self(248);
    pub const MYSQL_TYPE_TINY_BLOB: Self = Self(249);
    pub const MYSQL_TYPE_MEDIUM_BLOB: Self = Self(250);
    pub const MYSQL_TYPE_LONG_BLOB: Self = Self(251);
    pub const MYSQL_TYPE_BLOB: Self = Self(252);
    pub const MYSQL_TYPE_VAR_STRING: Self = Self(253);
    pub const MYSQL_TYPE_STRING: Self = Self(254);
    pub const MYSQL_TYPE_GEOMETRY: Self = Self(255);
}
