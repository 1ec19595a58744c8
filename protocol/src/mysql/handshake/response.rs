//! The client's answer to the greeting, and the request for TLS that may come in front of it.

use bytes::{BufMut as _, BytesMut};

use super::fields::{auth_data, extended, plugin_and_attributes, put_auth_data};
use crate::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags},
        values::{put_cstr, put_lenenc_bytes},
    },
    reader::{DecodeError, Reader},
};

/// What a client that wishes for nothing gets (`default_zstd_compression_level`).
pub const ZSTD_LEVEL: u8 = 3;

/// Bytes of an SSLRequest, which are also the first of a response.
const SSL_REQUEST_LEN: usize = 32;

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
    /// Connection attributes, for [`attributes`](super::attributes()).
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
