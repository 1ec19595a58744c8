//! The client's end of a session: its side of the wire, and what it has said that is not dealt with.

use std::time::Duration;

use bytes::BytesMut;
use origin::net::Framed;
use protocol::postgres::{encode, frame::FrontendTag, pipeline::TransactionStatus};
use serving::error::SessionError;
use tokio::time::timeout;

use super::{batch::Batch, cancel::IssuedKey, wire_error};

/// A peer that owes us a read is not given more than this.
pub(crate) const HIGH_WATER: usize = 64 * 1024;
/// Longest time for a client to take its last error.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(2);

/// A client's connection.
#[derive(Debug)]
pub(crate) struct ClientEnd {
    pub(crate) framed: Framed,
    /// What it cancels its statements with.
    pub(crate) key: IssuedKey,
    /// What it has said and no backend has heard.
    pub(crate) batch: Batch,
    pub(crate) passing: Passing,
    pub(crate) unanswered: Unanswered,
    write_timeout: Duration,
}

/// The rest of a message that is passed on piece by piece, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// Of one of the client's.
    pub(crate) to_backend: usize,
    /// Of one that the client is being given.
    pub(crate) to_client: usize,
}

/// What of the client's messages goes unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    Nothing,
    /// No backend could be had for an extended request: what follows is skipped up to `Sync`.
    UpToSync,
    /// It was told why its session ends.
    Everything,
}

impl ClientEnd {
    /// That of a client that has just logged in.
    pub(crate) fn new(framed: Framed, key: IssuedKey, write_timeout: Duration) -> Self {
        Self {
            framed,
            key,
            batch: Batch::default(),
            passing: Passing::default(),
            unanswered: Unanswered::Nothing,
            write_timeout,
        }
    }

    /// What it is to be told, to put into.
    pub(crate) fn queue(&mut self) -> &mut BytesMut {
        self.framed.queue()
    }

    /// How much it has not read yet.
    pub(crate) fn queued(&self) -> usize {
        self.framed.queued()
    }

    /// Whether it must read before it is given more.
    pub(crate) fn is_full(&self) -> bool {
        self.queued() >= HIGH_WATER
    }

    /// What it has said, as far as that was not taken.
    pub(crate) fn input(&self) -> &[u8] {
        self.framed.input()
    }

    /// The same, to take from.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        self.framed.buffer()
    }

    /// How long it may leave what it is told unread.
    pub(crate) fn write_timeout(&self) -> Duration {
        self.write_timeout
    }

    /// Whether a message of either side is passed on by half.
    pub(crate) fn is_torn(&self) -> bool {
        self.passing.to_backend > 0 || self.passing.to_client > 0
    }

    /// Waits until it has read all that it is told.
    pub(crate) async fn flush(&mut self) -> Result<(), SessionError> {
        timeout(self.write_timeout, self.framed.flush())
            .await
            .map_err(|_elapsed| SessionError::ClientStuck)?
            .map_err(SessionError::ClientLost)
    }

    /// After a refusal in the extended protocol: everything up to `Sync` goes unanswered.
    pub(crate) fn skip(&mut self, tag: FrontendTag, status: TransactionStatus) {
        if tag == FrontendTag::Sync {
            self.unanswered = Unanswered::Nothing;
            encode::ready_for_query(status, self.queue());
        }
    }

    /// Waits while a cancel request is on its way. The client has its answer meanwhile.
    pub(crate) async fn settle_cancel(&mut self) {
        let Self { framed, key, write_timeout, .. } = self;
        // A client that does not read is noticed when it is waited for.
        let told = async { timeout(*write_timeout, framed.flush()).await };
        drop(Box::pin(async { tokio::join!(told, key.slot.settled()) }).await);
    }

    /// Tells the client why its session ends, if it can still be told: not in the middle of a message, and not
    /// after the origin has told it.
    pub(crate) async fn last_words(&mut self, error: &SessionError) {
        let Some(told) = error.told() else { return };
        if self.passing.to_client == 0 && self.unanswered != Unanswered::Everything {
            wire_error::put_fatal(told, self.queue());
        }
        let said = timeout(LAST_WORDS_TIMEOUT, self.framed.shutdown()).await;
        if !matches!(said, Ok(Ok(()))) {
            tracing::debug!("the client did not take its last error");
        }
    }
}
