//! Why changes are not captured.

use ::origin::net::ConnectError;
use protocol::reader::DecodeError;

use super::tracker::Lost;
use crate::origin::AskError;

/// Why changes are not captured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// No connection.
    #[error("no connection for the binary log")]
    Connect(#[from] ConnectError),
    /// A question was not answered.
    #[error("asking for the binary log")]
    Ask(#[from] AskError),
    /// It was answered otherwise than it should be.
    #[error("the origin answers otherwise than a source of replicas does")]
    Answer,
    /// A right is missing.
    #[error("the origin does not allow its user to {0}")]
    NotAllowed(&'static str),
    /// There is no log.
    #[error("the origin writes no binary log (log_bin)")]
    NoLog,
    /// There is a part of one.
    #[error("the origin leaves schemas out of its binary log (binlog_do_db, binlog_ignore_db)")]
    Filtered,
    /// What follows cannot be asked for.
    #[error("the place in the binary log is beyond 4 GiB")]
    Unreachable,
    /// What follows is gone.
    #[error("the origin cannot read on in its binary log: {0}")]
    Purged(String),
    /// It is another server, or runs anew.
    #[error("the origin has restarted, or another server answers at its address")]
    Another,
    /// The stream is wrong.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The origin has closed the stream.
    #[error("the origin has ended the stream of its binary log")]
    Ended,
    /// It says nothing.
    #[error("the origin says nothing, not even that there is nothing to say")]
    Silent,
    /// It could not be continued.
    #[error("the binary log could not be continued in time")]
    GivenUp(#[source] Box<Self>),
}

impl From<DecodeError> for CaptureError {
    fn from(error: DecodeError) -> Self {
        Self::Lost(error.into())
    }
}

impl CaptureError {
    /// Whether another connection may go on where this one ended.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Ask(_) | Self::Ended | Self::Silent => true,
            Self::Answer
            | Self::NotAllowed(_)
            | Self::NoLog
            | Self::Filtered
            | Self::Unreachable
            | Self::Purged(_)
            | Self::Another
            | Self::Lost(_)
            | Self::GivenUp(_) => false,
        }
    }
}
