//! A statement that was logged as text.

use std::borrow::Cow;

use super::kept::KEPT_LEN;
use crate::{
    mysql::compress::{Algorithm, Unpack},
    reader::{DecodeError, Reader},
};

/// `Q_FLAGS2_CODE` and `Q_SQL_MODE_CODE`, which come first of what is told of a statement's session.
const FLAGS: u8 = 0;
const SQL_MODE: u8 = 1;

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// The schema that it ran in; empty for none.
    pub schema: &'a [u8],
    /// The `sql_mode` that it was read with, where that is told.
    pub sql_mode: Option<u64>,
    /// Its text, in the character set of its session.
    pub text: Cow<'a, [u8]>,
}

impl<'a> Query<'a> {
    /// Reads the body of an event whose fixed part is so long.
    pub(super) fn read(body: &'a [u8], fixed: usize) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let mut head = Reader::new(reader.bytes(fixed)?);
        // The thread, and how long it took.
        head.bytes(8)?;
        let schema_len = usize::from(head.u8()?);
        // The error that it ended with.
        head.bytes(2)?;
        let status = reader.bytes(usize::from(head.u16_le()?))?;
        let schema = reader.bytes(schema_len)?;
        reader.bytes(1)?;
        Ok(Self { schema, sql_mode: sql_mode(status), text: Cow::Borrowed(reader.rest()) })
    }

    /// The same, where the text is compressed.
    pub(super) fn read_compressed(body: &'a [u8], fixed: usize) -> Result<Self, DecodeError> {
        let query = Self::read(body, fixed)?;
        let text = unpacked(&query.text)?;
        Ok(Self { text: Cow::Owned(text), ..query })
    }
}

fn sql_mode(status: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(status);
    loop {
        match reader.u8().ok()? {
            FLAGS => reader.bytes(4).ok()?,
            SQL_MODE => return reader.u64_le().ok(),
            _ => return None,
        };
    }
}

/// What MariaDB compressed (`binlog_buf_uncompress` in log_event.cc): a byte of flags with the algorithm, of which there is
/// one, and with how many bytes the length has.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
    const WRONG: DecodeError = DecodeError::Value("compressed statement");
    let mut reader = Reader::new(packed);
    let head = reader.u8()?;
    if head & 0xf0 != 0x80 {
        return Err(WRONG);
    }
    let length = reader.bytes(usize::from(head & 0x07))?;
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if length > KEPT_LEN {
        return Err(DecodeError::Length(u32::try_from(length).unwrap_or(u32::MAX)));
    }
    let mut text = vec![0; length];
    let mut unpack = Unpack::new(Algorithm::Zlib)?;
    let (mut packed, mut made) = (reader.rest(), 0);
    while made < length {
        let room = text.get_mut(made..).unwrap_or_default();
        let (taken, given) = unpack.run(packed, length.saturating_sub(made), room)?;
        if taken == 0 && given == 0 {
            return Err(WRONG);
        }
        packed = packed.get(taken..).unwrap_or_default();
        made = made.saturating_add(given);
    }
    Ok(text)
}
