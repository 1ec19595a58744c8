//! What follows a response until the server has decided: AuthSwitchRequest, AuthMoreData.

use bytes::{BufMut as _, BytesMut};

use super::fields::SCRAMBLE_LEN;
use crate::{
    mysql::values::put_cstr,
    reader::{DecodeError, Reader},
};

/// The server wants another method: "Protocol::AuthSwitchRequest".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthSwitch<'a> {
    /// The method.
    pub plugin: &'a [u8],
    /// What the method begins with, mostly a nonce, without the NUL at its end.
    pub data: &'a [u8],
}

impl<'a> AuthSwitch<'a> {
    /// Reads a request, which begins with `0xFE`.
    ///
    /// # Errors
    ///
    /// When it is not one, or names no method: that means the one from before MySQL 4.1.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != 0xfe {
            return Err(DecodeError::Value("request of another method"));
        }
        let plugin = reader.cstr()?;
        let data = reader.rest();
        Ok(Self { plugin, data: data.strip_suffix(&[0]).unwrap_or(data) })
    }

    /// The data as a nonce.
    ///
    /// # Errors
    ///
    /// When it is not 20 bytes long.
    pub fn scramble(&self) -> Result<[u8; SCRAMBLE_LEN], DecodeError> {
        self.data.try_into().map_err(|_other_length| DecodeError::Value("nonce"))
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(0xfe);
        put_cstr(out, self.plugin);
        out.put_slice(self.data);
        out.put_u8(0);
    }
}

/// What a method says further: "Protocol::AuthMoreData"; `None` when it is another packet.
pub fn auth_more_data(payload: &[u8]) -> Option<&[u8]> {
    payload.strip_prefix(&[1])
}

/// Appends an AuthMoreData.
pub fn encode_auth_more_data(data: &[u8], out: &mut BytesMut) {
    out.put_u8(1);
    out.put_slice(data);
}
