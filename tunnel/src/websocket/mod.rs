//! WebSocket framing (RFC 6455) as values fed with bytes, for both roles.
//!
//! A message is never collected: the bytes of a data frame are handed on as they come, because here
//! they are a piece of a byte stream and message boundaries mean nothing.
//!
//! * `codec`: frames to bytes and back, without I/O.
//! * `passing`: where a frame ends that is not ours to read.
//! * `stream`: the codec on a socket.

mod codec;
mod passing;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    codec::{Decoder, Event, FrameError, Kind, LEAVING, Role, encode},
    passing::Passing,
    stream::WebSocket,
};
