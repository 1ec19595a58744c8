//! How a peer can break the protocol.

/// How a peer broke the protocol; the connection must be closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RpcError {
    #[error("a registration message is longer than 64 KiB or has more than 16 segments")]
    TooLong,
    #[error("a registration message is malformed")]
    Malformed(#[from] capnp::Error),
    #[error("the {0} in a registration message has a wrong length")]
    Length(&'static str),
    #[error("an unknown kind of answer in a registration message")]
    UnknownAnswer,
    #[error("a registration message is out of order")]
    Order,
    #[error("too many questions without a reading of their answers")]
    TooManyQuestions,
}

impl From<capnp::NotInSchema> for RpcError {
    fn from(_unknown: capnp::NotInSchema) -> Self {
        Self::UnknownAnswer
    }
}
