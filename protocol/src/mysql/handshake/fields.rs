//! What several packets of a login have in common.

use bytes::{BufMut as _, BytesMut};

use crate::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags},
        values::put_cstr,
    },
    reader::{DecodeError, Reader},
};

/// Bytes of the nonce that all methods since MySQL 4.1 use.
pub const SCRAMBLE_LEN: usize = 20;

/// What is beyond 32 bits, if whoever says it knows of that.
pub(super) fn extended(capabilities: CapabilityFlags, bits: u32) -> MariaDbFlags {
    if capabilities.contains(CapabilityFlags::CLIENT_LONG_PASSWORD) {
        MariaDbFlags::empty()
    } else {
        MariaDbFlags::from_bits_retain(bits)
    }
}

pub(super) fn auth_data<'a>(
    reader: &mut Reader<'a>,
    capabilities: CapabilityFlags,
) -> Result<&'a [u8], DecodeError> {
    if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        let length = reader.u8()?;
        reader.bytes(usize::from(length))
    } else {
        reader.cstr()
    }
}

/// The reverse; what does not fit the one byte of length is cut, and then proves nothing.
pub(super) fn put_auth_data(out: &mut BytesMut, auth: &[u8], capabilities: CapabilityFlags) {
    if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        let length = u8::try_from(auth.len()).unwrap_or(u8::MAX);
        out.put_u8(length);
        out.put_slice(auth.get(..usize::from(length)).unwrap_or(auth));
    } else {
        put_cstr(out, auth);
    }
}

/// The last two fields. Servers forgive clients that announce them and then leave them out.
pub(super) fn plugin_and_attributes<'a>(
    reader: &mut Reader<'a>,
    capabilities: CapabilityFlags,
) -> Result<(Option<&'a [u8]>, &'a [u8]), DecodeError> {
    let named = capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH);
    let plugin = if named { reader.cstr().ok().filter(|name| !name.is_empty()) } else { None };
    let listed = capabilities.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS);
    let attributes = if listed && !reader.rest().is_empty() { reader.lenenc_bytes()? } else { &[] };
    Ok((plugin, attributes))
}
