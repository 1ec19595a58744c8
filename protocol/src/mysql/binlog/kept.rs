//! The beginning of something that may be longer than anybody wants to keep.

use bytes::{Bytes, BytesMut};

/// What is kept of one event. Only a text, or a transaction in one event, can be longer and matter; then it may have changed
/// anything.
pub const KEPT_LEN: usize = 1 << 20;

/// Gathers the first `limit` bytes of what is `left` to come, and counts the rest.
#[derive(Debug)]
pub(super) struct Kept {
    head: BytesMut,
    limit: usize,
    len: usize,
    left: usize,
}

impl Kept {
    /// Of so many bytes, which may become more.
    pub(super) fn new(left: usize, limit: usize) -> Self {
        Self { head: BytesMut::new(), limit, len: 0, left }
    }

    /// How many are still to come.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// So many more are to come.
    pub(super) fn extend(&mut self, more: usize) {
        self.left = self.left.saturating_add(more);
    }

    /// Takes what is its own from the front of `bytes`, and returns how many that were.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.left);
        let room = self.limit.saturating_sub(self.head.len()).min(taken);
        self.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.left = self.left.saturating_sub(taken);
        self.len = self.len.saturating_add(taken);
        taken
    }

    /// What has come so far and was kept.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The beginning, and how long all of it was.
    pub(super) fn finish(self) -> (Bytes, usize) {
        (self.head.freeze(), self.len)
    }
}
