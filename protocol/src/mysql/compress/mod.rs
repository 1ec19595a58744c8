//! The compressed protocol: a run of ordinary packets, cut anywhere, inside packets of another kind.
//!
//! ```text
//!   length on the wire (3) │ sequence id (1) │ length before compression (3), 0: as it is │ bytes
//! ```
//!
//! It begins behind the OK of a login ("Compression" in "MySQL Internals: Client/Server Protocol"). What a peer sends
//! is unpacked piece by piece into room that the caller has, so that no length in a header costs memory. No compressor
//! is kept between packets: they are large, and most connections are idle.

mod algorithm;
mod decoder;
mod encoder;
mod header;
mod pack;
#[cfg(test)]
mod tests;

pub(in crate::mysql) use self::pack::Unpack;
pub use self::{
    algorithm::Algorithm,
    decoder::Decoder,
    encoder::{Encoder, Side},
};
