//! What a frame from a backend turned out to be.

use super::request::Asker;
use crate::postgres::frame::BackendTag;

/// What ReadyForQuery says of the session's transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionStatus {
    /// `I`: not in a transaction block.
    #[default]
    Idle,
    /// `T`: in a transaction block.
    InTransaction,
    /// `E`: in a failed transaction block.
    Failed,
}

impl TransactionStatus {
    /// Reads the byte of a ReadyForQuery.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'I' => Some(Self::Idle),
            b'T' => Some(Self::InTransaction),
            b'E' => Some(Self::Failed),
            _ => None,
        }
    }
}

/// The backend said something that it did not owe: the connection cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("backend sent {tag:?}, which it did not owe")]
pub struct Desync {
    /// What it sent.
    pub tag: BackendTag,
}

/// What a frame from the backend meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<N> {
    /// Whose it is.
    pub to: Asker,
    /// The note of the request that this frame completed successfully, if it completed one.
    pub done: Option<N>,
    /// The note of the request that this error ended, in the extended protocol.
    pub failed: Option<N>,
    /// The notes of the requests behind it, which the backend skips.
    pub dropped: Vec<N>,
}

impl<N> Received<N> {
    pub(super) fn more(to: Asker) -> Self {
        Self::done(to, None)
    }

    pub(super) fn done(to: Asker, done: Option<N>) -> Self {
        Self { to, done, failed: None, dropped: Vec::new() }
    }
}
