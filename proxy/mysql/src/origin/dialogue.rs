//! The dialogue of an origin's authentication plugin, from our HandshakeResponse to the verdict.
//!
//! A password never leaves in clear text without TLS, nor within TLS to somebody whose certificate is not verified,
//! whatever the origin asks for.

use bytes::{Bytes, BytesMut};
use origin::net::{ConnectError, Framed};
use protocol::{
    mysql::{
        auth,
        capabilities::{CapabilityFlags, MariaDbFlags},
        compress::Algorithm,
        handshake::{self, AuthSwitch, Greeting, HandshakeResponse},
        packet,
    },
    reader::DecodeError,
};
use serving::config::{OriginConfig, OriginTls};
use zeroize::Zeroizing;

use super::{
    super::rsa,
    asking::next_packet,
    refusal::{refusal, shown},
};

/// The longest packet of a login that is collected.
pub(super) const MAX_LOGIN_PACKET: usize = 64 * 1024;

/// The most packets that an origin may make us read before it has decided: one AuthSwitch or two, the fast and
/// the full dialogue, and the verdict.
const MAX_STEPS: usize = 8;

/// The longest packet that we announce to send. A server reads it and goes by its own limit.
pub(super) const MAX_PACKET: u32 = 1 << 30;

/// `utf8mb4_general_ci`, which MySQL and MariaDB of every version have.
pub(crate) const COLLATION: u16 = 45;

/// Sends the password itself, as PAM and LDAP need it.
const CLEAR: &str = "mysql_clear_password";

/// A dialogue under way.
pub(super) struct Dialogue<'a> {
    pub(super) framed: Framed,
    pub(super) origin: &'a OriginConfig,
    pub(super) sequence: u8,
    pub(super) expects: Expects,
}

/// What an AuthMoreData would mean.
pub(super) enum Expects {
    /// Nothing: OK or ERR is due.
    Verdict,
    /// The answer to our proof for `caching_sha2_password`.
    Sha2(auth::Nonce),
    /// The origin's public key.
    Key(auth::Nonce),
}

impl Dialogue<'_> {
    /// Queues the HandshakeResponse, with a proof for the plugin that the greeting names.
    pub(super) fn respond(
        &mut self,
        greeting: &Greeting,
        (capabilities, extended): (CapabilityFlags, MariaDbFlags),
        (program, schema): (&str, &str),
    ) -> Result<(), ConnectError> {
        let mut attributes = BytesMut::new();
        for (name, value) in [
            ("_client_name", "jumpgate"),
            ("_client_version", env!("CARGO_PKG_VERSION")),
            ("program_name", program),
        ] {
            handshake::encode_attribute(name.as_bytes(), value.as_bytes(), &mut attributes);
        }
        // A plugin that we do not have may be the server's default and yet not our user's: it will say so.
        let plugin: &[u8] = match &greeting.plugin[..] {
            plugin if plugin == auth::CACHING_SHA2.as_bytes() => plugin,
            _ => auth::NATIVE.as_bytes(),
        };
        let proof = self.prove(plugin, greeting.scramble)?;
        let origin = self.origin;
        let response = HandshakeResponse {
            capabilities,
            extended,
            max_packet: MAX_PACKET,
            collation: COLLATION,
            user: origin.user.as_bytes(),
            auth: &proof,
            database: Some(schema.as_bytes()),
            plugin: Some(plugin),
            attributes: &attributes,
            zstd_level: match origin.compression {
                Some(Algorithm::Zstd(level)) => level,
                _ => 0,
            },
        };
        let mut payload = BytesMut::new();
        response.encode(&mut payload);
        self.put(&payload);
        Ok(())
    }

    /// Reads until the origin has decided, and returns its OK.
    pub(super) async fn verdict(&mut self) -> Result<Bytes, ConnectError> {
        for _ in 0..MAX_STEPS {
            let packet = next_packet(&mut self.framed, MAX_LOGIN_PACKET).await?;
            self.sequence = packet.last_sequence.wrapping_add(1);
            let payload = packet.payload;
            match payload.first() {
                Some(0x00) => return Ok(payload),
                Some(0x01) => self.more_data(payload.get(1..).unwrap_or_default())?,
                // A server that knows nothing of plugins asks for the hash of MySQL 3.23 this way.
                Some(0xfe) if payload.len() == 1 => {
                    return Err(unknown_plugin(b"mysql_old_password"));
                }
                Some(0xfe) => {
                    let switch = AuthSwitch::decode(&payload)?;
                    let nonce = match switch.plugin {
                        plugin if is_known(plugin) => switch.scramble()?,
                        // Others have none, or another kind.
                        _ => auth::Nonce::default(),
                    };
                    let proof = self.prove(switch.plugin, nonce)?;
                    self.put(&proof);
                }
                Some(0xff) => return Err(refusal(&payload)),
                _ => return Err(DecodeError::Value("packet during login").into()),
            }
        }
        Err(DecodeError::Value("number of packets during login").into())
    }

    /// What shows a plugin that we know the password.
    fn prove(
        &mut self,
        plugin: &[u8],
        nonce: auth::Nonce,
    ) -> Result<Zeroizing<Vec<u8>>, ConnectError> {
        let password = self.origin.password.now();
        let password = password.expose().as_bytes();
        self.expects = Expects::Verdict;
        let proof = if plugin == auth::NATIVE.as_bytes() {
            auth::native_response(password, &nonce)
        } else if plugin == auth::CACHING_SHA2.as_bytes() && password.is_empty() {
            // One zero byte says that there is none (`sql-common/client_authentication.cc`).
            vec![0]
        } else if plugin == auth::CACHING_SHA2.as_bytes() {
            self.expects = Expects::Sha2(nonce);
            auth::sha2_response(password, &nonce)
        } else if plugin == auth::SHA256.as_bytes() && password.is_empty() {
            vec![0]
        } else if plugin == auth::SHA256.as_bytes() && !self.framed.stream().is_encrypted() {
            self.expects = Expects::Key(nonce);
            vec![auth::SHA256_REQUEST_PUBLIC_KEY]
        } else if plugin == auth::SHA256.as_bytes() {
            self.has_shown_who_it_is()?;
            [password, b"\0"].concat()
        } else if plugin == CLEAR.as_bytes() {
            if !self.framed.stream().is_encrypted() {
                return Err(ConnectError::Authentication(String::from(
                    "it asks for the password in clear text on a connection without TLS",
                )));
            }
            self.has_shown_who_it_is()?;
            [password, b"\0"].concat()
        } else {
            return Err(unknown_plugin(plugin));
        };
        Ok(Zeroizing::new(proof))
    }

    /// A step of `caching_sha2_password` (`sql/auth/sha2_password.cc`).
    fn more_data(&mut self, data: &[u8]) -> Result<(), ConnectError> {
        match (std::mem::replace(&mut self.expects, Expects::Verdict), data) {
            (Expects::Sha2(_), [auth::FAST_AUTH_SUCCESS]) => {}
            (Expects::Sha2(nonce), [auth::PERFORM_FULL_AUTHENTICATION]) => {
                if self.framed.stream().is_encrypted() {
                    self.has_shown_who_it_is()?;
                    let password = self.password();
                    self.put(&password);
                } else {
                    self.put(&[auth::REQUEST_PUBLIC_KEY]);
                    self.expects = Expects::Key(nonce);
                }
            }
            (Expects::Key(nonce), pem) => {
                let hidden = Zeroizing::new(auth::obscure(&self.password(), &nonce));
                let secret = rsa::encrypt(pem, &hidden).map_err(|_failed| {
                    let why = "the password could not be encrypted with the key that it sent";
                    ConnectError::Authentication(String::from(why))
                })?;
                self.put(&secret);
            }
            _ => return Err(DecodeError::Value("step of the authentication").into()),
        }
        Ok(())
    }

    /// Whether the origin may have the password itself.
    const fn has_shown_who_it_is(&self) -> Result<(), ConnectError> {
        match self.origin.tls {
            OriginTls::Required { is_verified: false, .. } => {
                Err(ConnectError::Unverified("in clear text"))
            }
            _ => Ok(()),
        }
    }

    /// The password with its NUL.
    fn password(&self) -> Zeroizing<Vec<u8>> {
        let password = self.origin.password.now();
        Zeroizing::new([password.expose().as_bytes(), b"\0"].concat())
    }

    fn put(&mut self, payload: &[u8]) {
        packet::put(self.framed.queue(), &mut self.sequence, payload);
    }
}

fn is_known(plugin: &[u8]) -> bool {
    [auth::NATIVE, auth::CACHING_SHA2, auth::SHA256].iter().any(|known| known.as_bytes() == plugin)
}

fn unknown_plugin(plugin: &[u8]) -> ConnectError {
    ConnectError::Authentication(format!(
        "it asks for the authentication plugin {}, which the proxy does not do",
        shown(plugin)
    ))
}
