//! What stands in front of every event, and the kinds of events there are.

use crate::reader::{DecodeError, Reader};

/// Bytes of a header, in version 4 of the format: that of MySQL since 5.0, and of MariaDB.
pub const HEADER_LEN: usize = 19;

/// A replica that does not know this event may go on without it.
const IGNORABLE: u16 = 0x80;

/// The front of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// When its statement began, in seconds since 1970 by the server's clock; 0 where the server made the event up.
    pub timestamp: u32,
    /// What it is.
    pub kind: Kind,
    /// Who wrote it.
    pub server_id: u32,
    /// Its bytes, with this header and the checksum.
    pub len: usize,
    /// Where the one behind it begins in the file; 0 where it stands in none. Of a file of more than 4 GiB only the lower 32
    /// bits.
    pub next: u32,
    /// `LOG_EVENT_*_F`.
    pub flags: u16,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// When it is not all there, or the event is shorter than its header.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (timestamp, kind) = (reader.u32_le()?, Kind::of(reader.u8()?));
        let (server_id, size, next) = (reader.u32_le()?, reader.u32_le()?, reader.u32_le()?);
        let len = usize::try_from(size).map_err(|_small| DecodeError::Length(size))?;
        if len < HEADER_LEN {
            return Err(DecodeError::Length(size));
        }
        Ok(Self { timestamp, kind, server_id, len, next, flags: reader.u16_le()? })
    }

    /// Whether its writer says that it may be ignored by those who do not know it.
    pub const fn is_ignorable(&self) -> bool {
        self.flags & IGNORABLE != 0
    }
}

/// What an event is: `Log_event_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A statement, as text.
    Query,
    /// The same, compressed (MariaDB).
    CompressedQuery,
    /// The statement of a `LOAD DATA`, whose data came in events before it.
    LoadQuery,
    /// The next file begins.
    Rotate,
    /// How the events of a file are written.
    Format,
    /// A table that rows behind it are of.
    Table,
    /// Rows that were written, updated or deleted.
    Rows,
    /// A transaction has been committed, or prepared (XA).
    Commit,
    /// The identity of the transaction that follows, and when it was committed.
    Gtid,
    /// The same of MariaDB, which also begins it.
    MariaDbGtid,
    /// A transaction in one event.
    Payload,
    /// There was nothing to send.
    Heartbeat,
    /// The server knows that something is missing.
    Incident,
    /// What changes nothing: values that statements use, their text beside their rows, which identities there are.
    Harmless,
    /// Another.
    Other,
}

impl Kind {
    /// That of this number.
    const fn of(number: u8) -> Self {
        match number {
            2 => Self::Query,
            4 => Self::Rotate,
            15 => Self::Format,
            // XID_EVENT, XA_PREPARE_LOG_EVENT.
            16 | 38 => Self::Commit,
            18 => Self::LoadQuery,
            19 => Self::Table,
            // WRITE, UPDATE and DELETE_ROWS_EVENT of version 1 and 2, PARTIAL_UPDATE_ROWS_EVENT, and MariaDB's compressed ones.
            23..=25 | 30..=32 | 39 | 166..=171 => Self::Rows,
            26 => Self::Incident,
            // The second is sent to who asks for it.
            27 | 41 => Self::Heartbeat,
            // GTID, ANONYMOUS_GTID, GTID_TAGGED.
            33 | 34 | 42 => Self::Gtid,
            40 => Self::Payload,
            162 => Self::MariaDbGtid,
            165 => Self::CompressedQuery,
            // STOP, INTVAR, APPEND_BLOCK, DELETE_FILE, RAND, USER_VAR, BEGIN_LOAD_QUERY, IGNORABLE, ROWS_QUERY,
            // PREVIOUS_GTIDS, TRANSACTION_CONTEXT, VIEW_CHANGE; MariaDB's ANNOTATE_ROWS, BINLOG_CHECKPOINT, GTID_LIST,
            // START_ENCRYPTION.
            3 | 5 | 9 | 11 | 13 | 14 | 17 | 28 | 29 | 35..=37 | 160 | 161 | 163 | 164 => {
                Self::Harmless
            }
            _ => Self::Other,
        }
    }
}
