//! Why changes are not captured.

use std::io;

use origin::net::ConnectError;
use protocol::reader::DecodeError;

use crate::asker::AskError;

/// Why changes are not captured any more, or not at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// The config says nothing of it.
    #[error("the config does not ask for it")]
    Off,
    /// No replication connection.
    #[error("no replication connection")]
    Connect(#[source] ConnectError),
    /// A question of our own has no answer.
    #[error("the database cannot be asked about its log")]
    Ask(#[from] AskError),
    /// The answer to one is none.
    #[error("the database says of its log what nobody can read")]
    Answer,
    /// There is no such publication.
    #[error(
        "the database has no publication {0:?}: `jumpgate check` tells the commands that make it"
    )]
    NoPublication(String),
    /// The slot is somebody else's.
    #[error("the slot {0:?} is no slot of pgoutput in this database")]
    ForeignSlot(String),
    /// The database refused, or ended it.
    #[error("the database ended it: {message} ({sqlstate})")]
    Refused {
        /// The SQLSTATE.
        sqlstate: String,
        /// The primary message.
        message: String,
    },
    /// The database ended it without a word.
    #[error("the database ended it")]
    Ended,
    /// Nothing came for long.
    #[error("the database has been silent for too long")]
    Silent,
    /// More was committed than can be waited for.
    #[error("too many commits that not everybody sees")]
    Unseen,
    /// The connection broke.
    #[error("the replication connection broke")]
    Lost(#[from] io::Error),
    /// What came is not the protocol.
    #[error("the database does not speak its protocol correctly")]
    Protocol(#[from] DecodeError),
}
