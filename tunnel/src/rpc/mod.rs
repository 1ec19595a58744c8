//! What edge and connector say to each other on the control stream.
//!
//! It is Cap'n Proto RPC as an unmodified `cloudflared` speaks it: the connector asks for the
//! edge's registration interface, calls it, and goes on asking as long as the connection lives.
//! Both ends are values fed with bytes, without I/O and without a general RPC system: of the
//! protocol there is what these peers use, and a refusal for the rest.
//!
//! * [`server`]: the edge's end.
//! * [`client`]: the connector's end.
//! * [`register`]: what is told in a registration, and how it lies in a message.
//! * [`frame`]: where a message begins and ends.
//! * `tunnelrpc_capnp`: generated from `tunnelrpc.capnp`, which says with which command.

mod client;
mod frame;
#[cfg(test)]
mod hostile;
mod register;
mod server;
#[cfg(test)]
mod tests;
#[allow(warnings, clippy::all, reason = "generated")]
mod tunnelrpc_capnp;

pub(crate) use self::{
    client::{Answered, Client},
    register::{Details, Register},
    server::{Asked, Question, Server},
};

/// The longest configuration that a connector may tell of, in bytes of JSON.
pub(crate) const MAX_CONFIGURATION_LEN: usize = 48 * 1024;

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

/// A peer's free text for a log: what is not UTF-8 or a control character replaced, cut to [`MAX_SHOWN_LEN`].
fn shown(text: capnp::text::Reader<'_>) -> String {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..MAX_SHOWN_LEN).unwrap_or(bytes);
    let visible = |c: char| if c.is_control() { '.' } else { c };
    String::from_utf8_lossy(bytes).chars().map(visible).collect()
}

/// What the edge offers and the connector calls.
const REGISTRATION_INTERFACE: u64 = tunnelrpc_capnp::REGISTRATION_INTERFACE;

const MAX_SHOWN_LEN: usize = 1024;
