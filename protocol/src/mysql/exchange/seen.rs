//! What comes from a backend.

use super::super::reply::{ErrPacket, OkPacket, PrepareOk};

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
