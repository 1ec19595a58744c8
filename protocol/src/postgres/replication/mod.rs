//! Logical replication: what a walsender puts into CopyData, what the plugin `pgoutput` (protocol version 1) puts into that,
//! and what is answered (manual, "Streaming Replication Protocol" and "Logical Replication Message Formats").
//!
//! Of a change only the table is read: what was written into it is skipped, so that a row of any length costs nothing.

mod message;
mod position;
#[cfg(test)]
mod tests;

use bytes::BytesMut;

pub use self::{
    message::{Message, Relation, Relations},
    position::Position,
};
use super::encode;
use crate::reader::{DecodeError, Reader};

/// What stands in front of a message of the plugin: the byte `w`, two positions and a time.
pub const WAL_HEADER_LEN: usize = 25;

/// What one CopyData of a walsender holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied<'a> {
    /// `w`: a piece of the log, as the plugin tells it.
    Wal {
        /// Where it begins, if the log has such a place.
        start: Position,
        /// A message of the plugin.
        data: &'a [u8],
    },
    /// `k`: everything up to here was sent.
    Keepalive {
        /// Up to here.
        end: Position,
        /// Without a [`status`] the connection ends soon.
        wants_status: bool,
    },
}

impl<'a> Copied<'a> {
    /// Reads the body of a CopyData, or the beginning of one of which the rest is not wanted.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for what no walsender says.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        match reader.u8()? {
            b'w' => {
                let start = Position(reader.u64()?);
                let (_end, _sent_at) = (reader.u64()?, reader.u64()?);
                Ok(Self::Wal { start, data: reader.rest() })
            }
            b'k' => {
                let end = Position(reader.u64()?);
                let _sent_at = reader.u64()?;
                let wants_status = reader.u8()? != 0;
                reader.end()?;
                Ok(Self::Keepalive { end, wants_status })
            }
            _ => Err(DecodeError::Value("message of a walsender")),
        }
    }
}

/// `r`: everything up to here was received and is done with. `now` are microseconds since the year 2000 began.
pub fn status(done: Position, now: u64, wants_answer: bool, out: &mut BytesMut) {
    let (done, now) = (done.0.to_be_bytes(), now.to_be_bytes());
    // Received, written, and put to use.
    encode::frame(b'd', &[b"r", &done, &done, &done, &now, &[wants_answer.into()]], out);
}
