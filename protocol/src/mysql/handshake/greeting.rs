//! The first packet of a connection, which is the server's.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::fields::{SCRAMBLE_LEN, extended};
use crate::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
        values::put_cstr,
    },
    reader::{DecodeError, Reader},
};

/// The first packet of a connection: "Protocol::HandshakeV10".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// As the server calls itself; MariaDB puts `5.5.5-` in front.
    pub version: Bytes,
    /// What `CONNECTION_ID()` returns, and KILL takes.
    pub thread_id: u32,
    /// The nonce for `plugin`.
    pub scramble: [u8; SCRAMBLE_LEN],
    /// What the server can do.
    pub capabilities: CapabilityFlags,
    /// What it can do beyond that; of use only without `CLIENT_LONG_PASSWORD`, by which MariaDB tells.
    pub extended: MariaDbFlags,
    /// The server's collation; only its low byte fits.
    pub collation: u8,
    /// The session's first status.
    pub status: StatusFlags,
    /// The method that the server expects; empty where methods have no names.
    pub plugin: Bytes,
}

impl Greeting {
    /// Reads a greeting. An ERR may come in its place: look at the first byte before.
    ///
    /// # Errors
    ///
    /// When it is not one of protocol version 10 with the 4.1 protocol and authentication.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != 10 {
            return Err(DecodeError::Value("protocol version"));
        }
        let version = Bytes::copy_from_slice(reader.cstr()?);
        let thread_id = reader.u32_le()?;
        let first = reader.bytes(8)?;
        reader.bytes(1)?;
        let low = reader.u16_le()?;
        let collation = reader.u8()?;
        let status = StatusFlags::from_bits_retain(reader.u16_le()?);
        let capabilities = u32::from(reader.u16_le()?).wrapping_shl(16) | u32::from(low);
        let capabilities = CapabilityFlags::from_bits_retain(capabilities);
        let needed =
            CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_SECURE_CONNECTION;
        if !capabilities.contains(needed) {
            return Err(DecodeError::Value("server capabilities"));
        }
        let scramble_len = usize::from(reader.u8()?);
        reader.bytes(6)?;
        let extended = extended(capabilities, reader.u32_le()?);
        let second = reader.bytes(scramble_len.saturating_sub(8).max(13))?;
        let scramble = nonce(first.iter().chain(second).copied())?;
        let plugin = if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            // Before MySQL 5.5.10 the name had no NUL (bug 59453).
            let end = memchr::memchr(0, reader.rest()).unwrap_or(reader.rest().len());
            Bytes::copy_from_slice(reader.bytes(end)?)
        } else {
            Bytes::new()
        };
        Ok(Self { version, thread_id, scramble, capabilities, extended, collation, status, plugin })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut BytesMut) {
        let (first, second) = self.scramble.split_at(8);
        let [low, lower, high, higher] = self.capabilities.bits().to_le_bytes();
        out.put_u8(10);
        put_cstr(out, &self.version);
        out.put_u32_le(self.thread_id);
        out.put_slice(first);
        out.put_u8(0);
        out.put_slice(&[low, lower, self.collation]);
        out.put_u16_le(self.status.bits());
        let named = self.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH);
        out.put_slice(&[high, higher, if named { 21 } else { 0 }]);
        out.put_bytes(0, 6);
        out.put_u32_le(extended(self.capabilities, self.extended.bits()).bits());
        out.put_slice(second);
        out.put_u8(0);
        if named {
            put_cstr(out, &self.plugin);
        }
    }
}

fn nonce(bytes: impl Iterator<Item = u8>) -> Result<[u8; SCRAMBLE_LEN], DecodeError> {
    let bytes: Vec<u8> = bytes.take(SCRAMBLE_LEN).collect();
    bytes.try_into().map_err(|_other_length| DecodeError::Value("nonce"))
}
