//! `COM_CHANGE_USER`: another login on the same connection.

use bytes::{BufMut as _, BytesMut};

use super::fields::{auth_data, plugin_and_attributes, put_auth_data};
use crate::{
    mysql::{
        capabilities::CapabilityFlags,
        values::{put_cstr, put_lenenc_bytes},
    },
    reader::{DecodeError, Reader},
};

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
    /// Connection attributes, for [`attributes`](super::attributes()).
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

/// As for [`HandshakeResponse`](super::HandshakeResponse).
impl std::fmt::Debug for ChangeUser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeUser")
            .field("collation", &self.collation)
            .field("plugin", &self.plugin.map(String::from_utf8_lossy))
            .finish_non_exhaustive()
    }
}
