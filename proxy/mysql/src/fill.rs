//! Collecting a reply for the cache while it is relayed.
//!
//! What is kept is neutral: the column count and definitions, the rows, and the end of the reply as it would
//! be told to a reader who knows `CLIENT_DEPRECATE_EOF`. `replay` makes of it what its reader agreed to.

use bytes::{Bytes, BytesMut};
use protocol::mysql::{
    capabilities::{CapabilityFlags, StatusFlags},
    reply::OkPacket,
};

/// Rows are kept in pieces of about this size.
const CHUNK: usize = 64 * 1024;

/// Reply packets for one entry of the cache.
#[derive(Debug)]
pub(crate) struct Collect {
    fill: cache::Fill,
    description: BytesMut,
    rows: Vec<Bytes>,
    chunk: BytesMut,
    /// It is not kept if it tells of a counter.
    may_tell_counters: bool,
    /// It may end in a transaction, which has only read.
    in_block: bool,
}

/// The capabilities that the end of a kept reply is written with.
pub(crate) fn neutral() -> CapabilityFlags {
    CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_DEPRECATE_EOF
}

impl Collect {
    /// Begins before the statement is sent.
    pub(crate) fn new(fill: cache::Fill, may_tell_counters: bool, in_block: bool) -> Self {
        let (description, rows, chunk) = (BytesMut::new(), Vec::new(), BytesMut::new());
        Self { fill, description, rows, chunk, may_tell_counters, in_block }
    }

    /// Whether that many bytes more can still be kept.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.fill.fits(bytes)
    }

    /// Counts what is about to be taken. False if it does not fit.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        self.fill.grow(bytes)
    }

    /// Takes whole packets of the column count and the definitions.
    pub(crate) fn describe(&mut self, packets: &[u8]) {
        self.description.extend_from_slice(packets);
    }

    /// Takes whole packets of rows.
    pub(crate) fn row(&mut self, packets: &[u8]) {
        self.chunk.extend_from_slice(packets);
        if self.chunk.len() >= CHUNK {
            self.rows.push(self.chunk.split().freeze());
        }
    }

    /// The reply is whole: it is handed to the cache if it is one to keep. It has left nothing in the session.
    pub(crate) fn commit(mut self, end: &OkPacket<'_>) {
        let Some(complete) = end_of(end, self.in_block) else { return };
        if !self.chunk.is_empty() {
            self.rows.push(Bytes::copy_from_slice(&self.chunk));
        }
        if self.may_tell_counters && self.rows.iter().any(|rows| names_counter(rows)) {
            return;
        }
        let description = Bytes::copy_from_slice(&self.description);
        self.fill.commit(cache::Reply { description, rows: self.rows, complete });
    }
}

/// The end of a reply as it is kept; nothing of a reply that is not. One of a transaction is kept where its block has only read.
pub(crate) fn end_of(end: &OkPacket<'_>, in_block: bool) -> Option<Bytes> {
    let of_block =
        StatusFlags::SERVER_STATUS_IN_TRANS | StatusFlags::SERVER_STATUS_IN_TRANS_READONLY;
    let mut refused = StatusFlags::SERVER_MORE_RESULTS_EXISTS
        | StatusFlags::SERVER_STATUS_CURSOR_EXISTS
        | StatusFlags::SERVER_PS_OUT_PARAMS;
    refused.set(of_block, !in_block);
    if end.status.intersects(refused) || end.warnings > 0 {
        return None;
    }
    let mut complete = BytesMut::new();
    let status = end.status - of_block;
    let end = OkPacket { info: b"", changes: b"", status, ..*end };
    end.encode(0xfe, neutral(), &mut complete);
    Some(complete.freeze())
}

/// Whether rows of SHOW CREATE TABLE have a column that counts: how far it has come is among the options of the table, or will be.
fn names_counter(rows: &[u8]) -> bool {
    rows.windows(COUNTER.len()).any(|words| words.eq_ignore_ascii_case(COUNTER))
}

const COUNTER: &[u8] = b"AUTO_INCREMENT";
