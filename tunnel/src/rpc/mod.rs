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
//! * [`text`]: a peer's words for a log.
//! * [`error`]: how a peer can break the protocol.
//! * `tunnelrpc_capnp`: generated from `tunnelrpc.capnp`, which says with which command.

mod client;
mod error;
mod frame;
#[cfg(test)]
mod hostile;
mod register;
mod server;
#[cfg(test)]
mod tests;
mod text;
#[allow(warnings, clippy::all, reason = "generated")]
mod tunnelrpc_capnp;

pub(crate) use self::{
    client::{Answered, Client},
    error::RpcError,
    register::{Details, Register},
    server::{Asked, Question, Server},
};
