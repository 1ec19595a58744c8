//! A transaction in one event (`binlog_transaction_compression` of MySQL).

use super::{
    header::{HEADER_LEN, Header},
    kept::{KEPT_LEN, Kept},
};
use crate::{
    mysql::compress::{Algorithm, Unpack},
    reader::{DecodeError, Reader},
};

/// `Transaction_payload_event::fields`
const END: u64 = 0;
const COMPRESSION: u64 = 2;
/// `binary_log::transaction::compression::type`
const ZSTD: u64 = 0;
const NONE: u64 = 255;

/// What is unpacked at a time.
const CHUNK_LEN: usize = 64 * 1024;
/// What a payload may unpack to. A longer one may have changed anything.
const MAX_UNPACKED: usize = 256 << 20;

const WRONG: DecodeError = DecodeError::Value("payload of a transaction");

/// The events of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    packed: &'a [u8],
    is_compressed: bool,
}

impl<'a> Payload<'a> {
    /// Reads the body of an event.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let mut compression = NONE;
        loop {
            let field = reader.lenenc()?;
            if field == END {
                break;
            }
            let value = reader.lenenc_bytes()?;
            if field == COMPRESSION {
                compression = Reader::new(value).lenenc()?;
            }
        }
        match compression {
            ZSTD => Ok(Self { packed: reader.rest(), is_compressed: true }),
            NONE => Ok(Self { packed: reader.rest(), is_compressed: false }),
            _ => Err(DecodeError::Value("compression of a transaction")),
        }
    }

    /// Gives the beginning and the length of each of its events to `take`.
    pub(super) fn cut(
        &self,
        mut take: impl FnMut(&[u8], usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut cutter = Cutter::default();
        if !self.is_compressed {
            cutter.cut(self.packed, &mut take)?;
            return cutter.finish();
        }
        let mut unpack = Unpack::new(Algorithm::Zstd(0))?;
        let (mut packed, mut room, mut total) = (self.packed, vec![0; CHUNK_LEN], 0_usize);
        loop {
            let (taken, given) = unpack.run(packed, CHUNK_LEN, &mut room)?;
            if taken == 0 && given == 0 {
                break;
            }
            total = total.saturating_add(given);
            if total > MAX_UNPACKED {
                return Err(DecodeError::Length(u32::try_from(total).unwrap_or(u32::MAX)));
            }
            packed = packed.get(taken..).unwrap_or_default();
            cutter.cut(room.get(..given).unwrap_or_default(), &mut take)?;
        }
        if unpack.is_at_its_end()? && packed.is_empty() { cutter.finish() } else { Err(WRONG) }
    }
}

/// Cuts bytes into events.
#[derive(Debug)]
struct Cutter {
    event: Kept,
    /// Its header is there, and said how long it is.
    is_measured: bool,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { event: Kept::new(HEADER_LEN, KEPT_LEN), is_measured: false }
    }
}

impl Cutter {
    fn cut(
        &mut self,
        mut bytes: &[u8],
        take: &mut impl FnMut(&[u8], usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        loop {
            let taken = self.event.take(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.event.left() > 0 {
                return Ok(());
            }
            if !self.is_measured {
                let header = Header::read(&mut Reader::new(self.event.head()))?;
                self.event.extend(header.len.saturating_sub(HEADER_LEN));
                self.is_measured = true;
                continue;
            }
            let (head, len) = std::mem::take(self).event.finish();
            take(&head, len)?;
        }
    }

    /// Nothing more comes.
    fn finish(self) -> Result<(), DecodeError> {
        let is_between = !self.is_measured && self.event.head().is_empty();
        if is_between { Ok(()) } else { Err(DecodeError::Truncated) }
    }
}
