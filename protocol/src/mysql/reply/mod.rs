//! What a backend answers: OK, ERR, EOF, the reply to `COM_STMT_PREPARE`, session state, columns and rows.
//!
//! Views borrow; each has an encoder, because the same reply looks different to readers with other
//! capabilities. Which packet comes when is in [`super::exchange`].

mod change;
mod resultset;

use bytes::{BufMut, BytesMut};

pub use self::{
    change::{Change, changes, encode_change},
    resultset::{
        ColumnDef, column_count, encode_column_count, encode_text_row, is_extended, put_definition,
        text_row,
    },
};
use super::{
    capabilities::{CapabilityFlags, StatusFlags},
    packet::MAX_PAYLOAD,
    values::{put_lenenc, put_lenenc_bytes},
};
use crate::reader::{DecodeError, Reader};

/// The first byte of an OK.
pub const OK_HEADER: u8 = 0x00;

/// The first byte of an EOF, and of the OK that stands for one.
pub const EOF_HEADER: u8 = 0xfe;

/// The first byte of an ERR.
pub const ERR_HEADER: u8 = 0xff;

/// The first byte of a LOCAL INFILE request.
pub const LOCAL_INFILE_HEADER: u8 = 0xfb;

/// Bytes of an EOF.
const EOF_LEN: usize = 5;

/// The most zeros in front of the block of changes.
const MAX_PADDING: usize = 3;

/// Whether a payload that begins with `0xFE` ends rows, and is not a row with a first value of 16 MiB or more.
///
/// `payload_len` may be that of the first packet only. Without `CLIENT_DEPRECATE_EOF` an EOF is shorter than 9
/// bytes, the least that such a value takes.
pub fn ends_rows(payload_len: usize, capabilities: CapabilityFlags) -> bool {
    if capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
        payload_len < MAX_PAYLOAD
    } else {
        payload_len < 9
    }
}

/// Success, or the end of rows: "Protocol::OK_Packet", and what an EOF says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// Rows inserted, changed, deleted, or found.
    pub affected: u64,
    /// The first generated value of AUTO_INCREMENT, or 0.
    pub last_insert_id: u64,
    /// The session's status.
    pub status: StatusFlags,
    /// How many warnings `SHOW WARNINGS` would show.
    pub warnings: u16,
    /// A text for people, such as `Rows matched: 1`.
    pub info: &'a [u8],
    /// What changed in the session, for [`changes`]; empty without `CLIENT_SESSION_TRACK`.
    pub changes: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// Reads an OK with either header, or an EOF. `capabilities` are those agreed with the sender.
    ///
    /// # Errors
    ///
    /// When it is not exactly such a packet.
    pub fn decode(payload: &'a [u8], capabilities: CapabilityFlags) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        match reader.u8()? {
            // An OK takes 7 bytes at least.
            EOF_HEADER if payload.len() == EOF_LEN => {
                let (warnings, status) = decode_eof(payload)?;
                return Ok(Self { warnings, status, ..Self::default() });
            }
            OK_HEADER | EOF_HEADER => {}
            _ => return Err(DecodeError::Value("header of an OK packet")),
        }
        let (affected, last_insert_id) = (reader.lenenc()?, reader.lenenc()?);
        let status = StatusFlags::from_bits_retain(reader.u16_le()?);
        let warnings = reader.u16_le()?;
        let (info, changes) = if capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK) {
            info_and_changes(reader, status)?
        } else {
            (plain_info(reader), &[][..])
        };
        Ok(Self { affected, last_insert_id, status, warnings, info, changes })
    }

    /// Appends an OK for a reader with `capabilities`; `header` is [`OK_HEADER`] or [`EOF_HEADER`].
    ///
    /// Session state goes only to a reader that tracks it, and the status says whether there is any.
    pub fn encode(&self, header: u8, capabilities: CapabilityFlags, out: &mut BytesMut) {
        let tracks = capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK);
        let changed = tracks && !self.changes.is_empty();
        let mut status = self.status;
        status.set(StatusFlags::SERVER_SESSION_STATE_CHANGED, changed);
        out.put_u8(header);
        put_lenenc(out, self.affected);
        put_lenenc(out, self.last_insert_id);
        out.put_u16_le(status.bits());
        out.put_u16_le(self.warnings);
        // Also without session tracking the text has a length: net_send_ok in sql/protocol_classic.cc, and
        // "read_ok_ex" in sql-common/client.cc expects it, whatever the manual says.
        if changed || !self.info.is_empty() {
            put_lenenc_bytes(out, self.info);
        }
        if changed {
            put_lenenc_bytes(out, self.changes);
        }
    }

    /// Appends what ends rows for a reader with `capabilities`: an OK with [`EOF_HEADER`], or an EOF.
    pub fn encode_rows_end(&self, capabilities: CapabilityFlags, out: &mut BytesMut) {
        if capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            self.encode(EOF_HEADER, capabilities, out);
        } else {
            encode_eof(self.warnings, self.status, out);
        }
    }
}

/// With session tracking: a text with its length, and state only where the status says so.
fn info_and_changes<'a>(
    mut reader: Reader<'a>,
    status: StatusFlags,
) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let info = if reader.rest().is_empty() { &[] } else { reader.lenenc_bytes()? };
    let changed = status.contains(StatusFlags::SERVER_SESSION_STATE_CHANGED);
    let mut changes = if changed { reader.lenenc_bytes()? } else { &[] };
    // MariaDB writes the block into a string that has the character set of the schema, and where that has 2 or 4 bytes
    // for each character (ucs2, utf16, utf32) as many zeros less one come first (`String::append` in sql_string.cc).
    for _ in 0..MAX_PADDING {
        if !changed || !changes.is_empty() || reader.rest().is_empty() {
            break;
        }
        changes = reader.lenenc_bytes()?;
    }
    reader.end()?;
    Ok((info, changes))
}

/// Without: the rest, which servers write with its length, and the manual without.
fn plain_info(reader: Reader<'_>) -> &[u8] {
    let mut counted = reader;
    match counted.lenenc_bytes() {
        Ok(info) if counted.rest().is_empty() => info,
        _ => reader.rest(),
    }
}

/// Failure: "Protocol::ERR_Packet".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// MySQL's error number.
    pub code: u16,
    /// Five bytes; empty in errors before the handshake is over.
    pub sqlstate: &'a [u8],
    /// A text for people.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// Reads an ERR.
    ///
    /// # Errors
    ///
    /// When it is not one.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != ERR_HEADER {
            return Err(DecodeError::Value("header of an ERR packet"));
        }
        let code = reader.u16_le()?;
        let sqlstate = if reader.rest().first() == Some(&b'#') {
            reader.bytes(1)?;
            reader.bytes(5)?
        } else {
            &[]
        };
        Ok(Self { code, sqlstate, message: reader.rest() })
    }

    /// Appends the payload; without an SQLSTATE of five bytes there is none.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(ERR_HEADER);
        out.put_u16_le(self.code);
        if self.sqlstate.len() == 5 {
            out.put_u8(b'#');
            out.put_slice(self.sqlstate);
        }
        out.put_slice(self.message);
    }
}

/// Reads an EOF: the number of warnings, and the status.
///
/// # Errors
///
/// When it is not exactly one.
pub fn decode_eof(payload: &[u8]) -> Result<(u16, StatusFlags), DecodeError> {
    let mut reader = Reader::new(payload);
    if reader.u8()? != EOF_HEADER {
        return Err(DecodeError::Value("header of an EOF packet"));
    }
    let (warnings, status) = (reader.u16_le()?, reader.u16_le()?);
    reader.end()?;
    Ok((warnings, StatusFlags::from_bits_retain(status)))
}

/// Appends an EOF. It cannot carry session state, and does not say that it does.
pub fn encode_eof(warnings: u16, status: StatusFlags, out: &mut BytesMut) {
    out.put_u8(EOF_HEADER);
    out.put_u16_le(warnings);
    out.put_u16_le(status.difference(StatusFlags::SERVER_SESSION_STATE_CHANGED).bits());
}

/// The first packet of the reply to `COM_STMT_PREPARE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrepareOk {
    /// The statement's id.
    pub statement: u32,
    /// How many columns its result has; their definitions follow those of the parameters.
    pub columns: u16,
    /// How many parameters it has.
    pub params: u16,
    /// How many warnings there were.
    pub warnings: u16,
}

impl PrepareOk {
    /// Reads the packet.
    ///
    /// # Errors
    ///
    /// When it is not exactly one.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != OK_HEADER {
            return Err(DecodeError::Value("header of a prepared statement"));
        }
        let (statement, columns, params) = (reader.u32_le()?, reader.u16_le()?, reader.u16_le()?);
        reader.bytes(1)?;
        let warnings = reader.u16_le()?;
        reader.end()?;
        Ok(Self { statement, columns, params, warnings })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(OK_HEADER);
        out.put_u32_le(self.statement);
        out.put_u16_le(self.columns);
        out.put_u16_le(self.params);
        out.put_u8(0);
        out.put_u16_le(self.warnings);
    }
}

#[cfg(test)]
mod tests;
