//! The packets of a login: greeting, response, TLS request, AuthSwitch, `COM_CHANGE_USER`.
//!
//! All are payloads without their headers, and each is read and written here, because the proxy is a server to its
//! clients and a client to its backends. Optional fields are there when the capabilities say so; those
//! that the peer was not offered do not count ("parse_client_handshake_packet" in sql_authentication.cc).

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
    values::{put_cstr, put_lenenc_bytes},
};
use crate::reader::{DecodeError, Reader};

/// Bytes of the nonce that all methods since MySQL 4.1 use.
pub const SCRAMBLE_LEN: usize = 20;

/// What a client that wishes for nothing gets (`default_zstd_compression_level`).
pub const ZSTD_LEVEL: u8 = 3;

/// Bytes of an SSLRequest, which are also the first of a response.
const SSL_REQUEST_LEN: usize = 32;

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

/// The client's answer to the greeting: "Protocol::HandshakeResponse41".
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HandshakeResponse<'a> {
    /// What is in force: what the client asks for of what it was offered.
    pub capabilities: CapabilityFlags,
    /// What it asks for beyond that, offered or not; none with `CLIENT_LONG_PASSWORD`.
    pub extended: MariaDbFlags,
    /// The longest packet that the client says it takes.
    pub max_packet: u32,
    /// The client's collation; only its low byte is on the wire.
    pub collation: u16,
    /// Who logs in.
    pub user: &'a [u8],
    /// The proof for `plugin`.
    pub auth: &'a [u8],
    /// The schema to begin with.
    pub database: Option<&'a [u8]>,
    /// The method that `auth` is of.
    pub plugin: Option<&'a [u8]>,
    /// Connection attributes, for [`attributes`].
    pub attributes: &'a [u8],
    /// The level that the client wishes for zstd.
    pub zstd_level: u8,
}

impl<'a> HandshakeResponse<'a> {
    /// Reads a response to a greeting that offered `offered`.
    ///
    /// # Errors
    ///
    /// When it is cut inside a field, or is not of the 4.1 protocol.
    pub fn decode(payload: &'a [u8], offered: CapabilityFlags) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let asked = CapabilityFlags::from_bits_retain(reader.u32_le()?);
        let capabilities = asked & offered;
        if !capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
            return Err(DecodeError::Value("client capabilities"));
        }
        let max_packet = reader.u32_le()?;
        let collation = u16::from(reader.u8()?);
        reader.bytes(19)?;
        let extended = extended(asked, reader.u32_le()?);
        let user = reader.cstr()?;
        let auth = if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
        {
            reader.lenenc_bytes()?
        } else {
            auth_data(&mut reader, capabilities)?
        };
        let database = if capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
            Some(reader.cstr()?).filter(|name| !name.is_empty())
        } else {
            None
        };
        let (plugin, attributes) = plugin_and_attributes(&mut reader, capabilities)?;
        let zstd = CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM;
        let level = if capabilities.contains(zstd) { reader.u8().ok() } else { None };
        Ok(Self {
            capabilities,
            extended,
            max_packet,
            collation,
            user,
            auth,
            database,
            plugin,
            attributes,
            zstd_level: level.unwrap_or(ZSTD_LEVEL),
        })
    }

    /// Appends the payload; fields go by `capabilities`.
    pub fn encode(&self, out: &mut BytesMut) {
        let has = |flag| self.capabilities.contains(flag);
        encode_fixed((self.capabilities, self.extended), self.max_packet, self.collation, out);
        put_cstr(out, self.user);
        if has(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
            put_lenenc_bytes(out, self.auth);
        } else {
            put_auth_data(out, self.auth, self.capabilities);
        }
        if has(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
            put_cstr(out, self.database.unwrap_or_default());
        }
        if has(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            put_cstr(out, self.plugin.unwrap_or_default());
        }
        if has(CapabilityFlags::CLIENT_CONNECT_ATTRS) {
            put_lenenc_bytes(out, self.attributes);
        }
        if has(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM) {
            out.put_u8(self.zstd_level);
        }
    }
}

/// The proof is left out: with MySQL's `mysql_clear_password` it is the password.
impl std::fmt::Debug for HandshakeResponse<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandshakeResponse")
            .field("capabilities", &self.capabilities)
            .field("collation", &self.collation)
            .field("plugin", &self.plugin.map(String::from_utf8_lossy))
            .finish_non_exhaustive()
    }
}

/// All that a response asks for, also what was not offered.
pub fn wants(payload: &[u8]) -> CapabilityFlags {
    CapabilityFlags::from_bits_retain(Reader::new(payload).u32_le().unwrap_or_default())
}

/// Whether a client's first packet asks for TLS, and with which capabilities: exactly the fixed part of a response.
pub fn ssl_request(payload: &[u8]) -> Option<CapabilityFlags> {
    let capabilities = CapabilityFlags::from_bits_retain(Reader::new(payload).u32_le().ok()?);
    let asks =
        payload.len() == SSL_REQUEST_LEN && capabilities.contains(CapabilityFlags::CLIENT_SSL);
    asks.then_some(capabilities)
}

/// Appends an SSLRequest. The response that follows within TLS says the same again.
pub fn encode_ssl_request(
    (capabilities, extended): (CapabilityFlags, MariaDbFlags),
    max_packet: u32,
    collation: u16,
    out: &mut BytesMut,
) {
    let capabilities = capabilities | CapabilityFlags::CLIENT_SSL;
    encode_fixed((capabilities, extended), max_packet, collation, out);
}

/// The names and values of connection attributes. The first error is the last item.
pub fn attributes(raw: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), DecodeError>> {
    let mut reader = Reader::new(raw);
    std::iter::from_fn(move || {
        if reader.rest().is_empty() {
            return None;
        }
        let pair = reader.lenenc_bytes().and_then(|name| Ok((name, reader.lenenc_bytes()?)));
        if pair.is_err() {
            reader = Reader::new(&[]);
        }
        Some(pair)
    })
}

/// Appends one connection attribute.
pub fn encode_attribute(name: &[u8], value: &[u8], out: &mut BytesMut) {
    put_lenenc_bytes(out, name);
    put_lenenc_bytes(out, value);
}

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

/// `COM_CHANGE_USER`: log in again, and begin afresh.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChangeUser<'a> {
    /// Who logs in.
    pub user: &'a [u8],
    /// The proof, for the nonce of the greeting or the last AuthSwitch.
    pub auth: &'a [u8],
    /// The schema to begin with; `None` for none.
    pub database: Option<&'a [u8]>,
    /// The client's collation, all of it; `None` when an old client says none.
    pub collation: Option<u16>,
    /// The method that `auth` is of.
    pub plugin: Option<&'a [u8]>,
    /// Connection attributes, for [`attributes`].
    pub attributes: &'a [u8],
}

impl<'a> ChangeUser<'a> {
    /// Reads what follows the command byte; `capabilities` are those in force.
    ///
    /// # Errors
    ///
    /// When it is cut inside a field.
    pub fn decode(body: &'a [u8], capabilities: CapabilityFlags) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let user = reader.cstr()?;
        let auth = auth_data(&mut reader, capabilities)?;
        let database = Some(reader.cstr()?).filter(|name| !name.is_empty());
        // "parse_com_change_user_packet" in sql_authentication.cc: the rest may be missing.
        let collation = if reader.rest().is_empty() { None } else { Some(reader.u16_le()?) };
        let (plugin, attributes) = plugin_and_attributes(&mut reader, capabilities)?;
        Ok(Self { user, auth, database, collation, plugin, attributes })
    }

    /// Appends the whole payload, command byte included.
    pub fn encode(&self, capabilities: CapabilityFlags, out: &mut BytesMut) {
        out.put_u8(0x11);
        put_cstr(out, self.user);
        put_auth_data(out, self.auth, capabilities);
        put_cstr(out, self.database.unwrap_or_default());
        let Some(collation) = self.collation else { return };
        out.put_u16_le(collation);
        if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            put_cstr(out, self.plugin.unwrap_or_default());
        }
        if capabilities.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS) {
            put_lenenc_bytes(out, self.attributes);
        }
    }
}

/// As for [`HandshakeResponse`].
impl std::fmt::Debug for ChangeUser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeUser")
            .field("collation", &self.collation)
            .field("plugin", &self.plugin.map(String::from_utf8_lossy))
            .finish_non_exhaustive()
    }
}

/// What is beyond 32 bits, if whoever says it knows of that.
fn extended(capabilities: CapabilityFlags, bits: u32) -> MariaDbFlags {
    if capabilities.contains(CapabilityFlags::CLIENT_LONG_PASSWORD) {
        MariaDbFlags::empty()
    } else {
        MariaDbFlags::from_bits_retain(bits)
    }
}

fn encode_fixed(
    (capabilities, more): (CapabilityFlags, MariaDbFlags),
    max_packet: u32,
    collation: u16,
    out: &mut BytesMut,
) {
    let [low, _high] = collation.to_le_bytes();
    out.put_u32_le(capabilities.bits());
    out.put_u32_le(max_packet);
    out.put_u8(low);
    out.put_bytes(0, 19);
    out.put_u32_le(extended(capabilities, more.bits()).bits());
}

fn auth_data<'a>(
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
fn put_auth_data(out: &mut BytesMut, auth: &[u8], capabilities: CapabilityFlags) {
    if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        let length = u8::try_from(auth.len()).unwrap_or(u8::MAX);
        out.put_u8(length);
        out.put_slice(auth.get(..usize::from(length)).unwrap_or(auth));
    } else {
        put_cstr(out, auth);
    }
}

/// The last two fields. Servers forgive clients that announce them and then leave them out.
fn plugin_and_attributes<'a>(
    reader: &mut Reader<'a>,
    capabilities: CapabilityFlags,
) -> Result<(Option<&'a [u8]>, &'a [u8]), DecodeError> {
    let named = capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH);
    let plugin = if named { reader.cstr().ok().filter(|name| !name.is_empty()) } else { None };
    let listed = capabilities.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS);
    let attributes = if listed && !reader.rest().is_empty() { reader.lenenc_bytes()? } else { &[] };
    Ok((plugin, attributes))
}

fn nonce(bytes: impl Iterator<Item = u8>) -> Result<[u8; SCRAMBLE_LEN], DecodeError> {
    let bytes: Vec<u8> = bytes.take(SCRAMBLE_LEN).collect();
    bytes.try_into().map_err(|_other_length| DecodeError::Value("nonce"))
}

#[cfg(test)]
mod tests;
