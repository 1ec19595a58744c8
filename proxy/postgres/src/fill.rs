//! Collecting a reply for the cache while it is relayed.

use bytes::{Bytes, BytesMut};
use protocol::postgres::{frame::BackendTag, pipeline::TransactionStatus};

/// Rows are kept in pieces of about this size.
const CHUNK: usize = 64 * 1024;

/// Reply bytes for one entry of the cache. Any frame that a clean reply does not have ends it.
#[derive(Debug)]
pub(crate) struct Collect {
    fill: cache::Fill,
    description: BytesMut,
    rows: Vec<Bytes>,
    chunk: BytesMut,
    complete: Bytes,
    stage: Stage,
    /// Where its session stands behind it.
    ends: TransactionStatus,
}

/// How far the reply has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing but descriptions yet.
    Head,
    /// Rows.
    Rows,
    /// The end of the result.
    Complete,
}

/// What became of collecting after a frame.
#[derive(Debug)]
pub(crate) enum Collected {
    /// Goes on.
    More(Box<Collect>),
    /// The reply is whole and was handed to the cache, or refused by it.
    Done,
    /// The reply is not one to keep.
    Spoilt,
    /// The reply is longer than an entry may be.
    TooLong,
}

impl Collect {
    /// Begins before the request is sent, behind which the session is where it was.
    pub(crate) fn new(fill: cache::Fill, ends: TransactionStatus) -> Self {
        Self {
            fill,
            description: BytesMut::new(),
            rows: Vec::new(),
            chunk: BytesMut::new(),
            complete: Bytes::new(),
            stage: Stage::Head,
            ends,
        }
    }

    /// Takes a whole frame of the reply.
    pub(crate) fn frame(mut self: Box<Self>, tag: BackendTag, frame: &[u8]) -> Collected {
        use BackendTag::*;
        match (tag, self.stage) {
            (ParseComplete | BindComplete | CloseComplete, _) => {}
            (ParameterDescription | RowDescription | NoData, Stage::Head) => {
                self.description.extend_from_slice(frame);
            }
            (DataRow, Stage::Head | Stage::Rows) => return self.row(frame),
            (CommandComplete, Stage::Head | Stage::Rows) => {
                self.stage = Stage::Complete;
                self.complete = Bytes::copy_from_slice(frame);
            }
            (ReadyForQuery, Stage::Complete) if status(frame) == Some(self.ends) => {
                self.commit();
                return Collected::Done;
            }
            _ => return Collected::Spoilt,
        }
        Collected::More(self)
    }

    /// Whether that many bytes more can still be kept.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.fill.fits(bytes)
    }

    /// Takes a run of whole DataRow frames.
    pub(crate) fn row(mut self: Box<Self>, frames: &[u8]) -> Collected {
        if self.stage == Stage::Complete {
            return Collected::Spoilt;
        }
        self.stage = Stage::Rows;
        if !self.fill.grow(frames.len()) {
            return Collected::TooLong;
        }
        self.chunk.extend_from_slice(frames);
        if self.chunk.len() >= CHUNK {
            self.rows.push(self.chunk.split().freeze());
        }
        Collected::More(self)
    }

    fn commit(mut self) {
        if !self.chunk.is_empty() {
            self.rows.push(Bytes::copy_from_slice(&self.chunk));
        }
        let description = Bytes::copy_from_slice(&self.description);
        self.fill.commit(cache::Reply { description, rows: self.rows, complete: self.complete });
    }
}

/// What a whole ReadyForQuery says.
pub(crate) fn status(frame: &[u8]) -> Option<TransactionStatus> {
    frame.last().copied().and_then(TransactionStatus::from_byte)
}
