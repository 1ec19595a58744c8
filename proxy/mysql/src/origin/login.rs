//! The login at an origin: greeting, TLS, and the dialogue of its authentication plugin.
//!
//! ```text
//!   greeting ──► (SSLRequest, TLS) ──► HandshakeResponse ──► OK
//!      │                                   │   ▲  │
//!     ERR                       AuthSwitch ┘───┘  └► AuthMoreData: 3 (fast), 4 (full): password in TLS,
//!                                                    or the public key, then the password under RSA
//! ```
//!
//! Compression, where the config asks for it, begins behind the OK.
//!
//! A password never leaves in clear text without TLS, nor within TLS to somebody whose certificate is not verified,
//! whatever the origin asks for.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use origin::net::{self, ConnectError, Framed, Stream};
use protocol::{
    mysql::{
        auth,
        capabilities::{CapabilityFlags, MariaDbFlags},
        compress::{Algorithm, Side},
        handshake::{self, AuthSwitch, Greeting, HandshakeResponse},
        packet,
        reply::{ErrPacket, OkPacket},
    },
    reader::DecodeError,
};
use serving::config::{DatabaseConfig, OriginConfig, OriginTls};
use zeroize::Zeroizing;

use super::{
    super::rsa,
    asking::{Login, next_packet},
};

/// The longest packet of a login that is collected.
const MAX_LOGIN_PACKET: usize = 64 * 1024;
/// The most packets that an origin may make us read before it has decided: one AuthSwitch or two, the fast and
/// the full dialogue, and the verdict.
const MAX_STEPS: usize = 8;
/// What a server that talks of itself may fill our log with.
const MAX_MESSAGE_CHARS: usize = 512;
/// The longest packet that we announce to send. A server reads it and goes by its own limit.
const MAX_PACKET: u32 = 1 << 30;
/// `utf8mb4_general_ci`, which MySQL and MariaDB of every version have.
const COLLATION: u16 = 45;
/// Sends the password itself, as PAM and LDAP need it.
const CLEAR: &str = "mysql_clear_password";
/// Access denied, with and without a password; the password has expired; the account is locked (MySQL,
/// MariaDB); too many wrong passwords; no common plugin (MySQL: "Server Error Message Reference").
const LOGIN_ERRORS: [u16; 7] = [1045, 1698, 1862, 3118, 4151, 3955, 1251];

/// The same of what MariaDB has beyond 32 bits: what changes its replies is taken out again for clients without it.
pub(crate) const EXTENDED: MariaDbFlags = MariaDbFlags::MARIADB_CLIENT_EXTENDED_METADATA
    .union(MariaDbFlags::MARIADB_CLIENT_STMT_BULK_OPERATIONS)
    .union(MariaDbFlags::MARIADB_CLIENT_BULK_UNIT_RESULTS);

/// What we can use, where the origin has it.
fn wanted(found_rows: bool, compression: CapabilityFlags) -> CapabilityFlags {
    let wanted = compression
        | CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_LONG_FLAG
        | CapabilityFlags::CLIENT_CONNECT_WITH_DB
        | CapabilityFlags::CLIENT_LOCAL_FILES
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PS_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | CapabilityFlags::CLIENT_SESSION_TRACK
        | CapabilityFlags::CLIENT_DEPRECATE_EOF
        | CapabilityFlags::CLIENT_QUERY_ATTRIBUTES;
    if found_rows { wanted | CapabilityFlags::CLIENT_FOUND_ROWS } else { wanted }
}

/// Dials, puts the database's TLS around it unless the config says plaintext in as many words, and logs in.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
pub async fn login(
    config: &DatabaseConfig,
    program_name: &str,
    found_rows: bool,
) -> Result<Login, ConnectError> {
    login_to(config, (program_name, found_rows, &config.origin.database)).await
}

pub(super) async fn login_to(
    config: &DatabaseConfig,
    how: (&str, bool, &str),
) -> Result<Login, ConnectError> {
    let timeout = config.pool.connect_timeout;
    let stream = net::dial::dial(&config.origin.dial, timeout)
        .await
        .map_err(|error| ConnectError::Dial(Arc::new(error)))?;
    over(stream, &config.origin, how, || {}).await
}

/// Logs in over a stream that is open, for tools that look at each step: `encrypted` is called when TLS is complete.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection is closed.
pub async fn login_over(
    stream: Stream,
    origin: &OriginConfig,
    program_name: &str,
    encrypted: impl FnOnce(),
) -> Result<Login, ConnectError> {
    over(stream, origin, (program_name, false, &origin.database), encrypted).await
}

/// Logs in over a stream that was just opened. `program` is what we call ourselves, and whether UPDATE counts
/// the rows that it found, and the schema to be in; `encrypted` is called when TLS is complete.
async fn over(
    stream: Stream,
    origin: &OriginConfig,
    (program, found_rows, schema): (&str, bool, &str),
    encrypted: impl FnOnce(),
) -> Result<Login, ConnectError> {
    let mut framed = Framed::new(stream);
    let first = next_packet(&mut framed, MAX_LOGIN_PACKET).await?;
    let greeting = greeting(&first.payload)?;
    let compression = compression(origin.compression, greeting.capabilities)?;
    let mut capabilities = greeting.capabilities & wanted(found_rows, compression);
    let extended = greeting.extended & EXTENDED;
    let needed = CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_PLUGIN_AUTH;
    if !capabilities.contains(needed) {
        return Err(DecodeError::Value("capabilities of the origin").into());
    }
    let mut sequence = first.last_sequence.wrapping_add(1);
    if let OriginTls::Required { client, server_name, .. } = &origin.tls {
        if !greeting.capabilities.contains(CapabilityFlags::CLIENT_SSL) {
            return Err(ConnectError::TlsRequired);
        }
        capabilities |= CapabilityFlags::CLIENT_SSL;
        let stream = request_tls(framed, (capabilities, extended), &mut sequence).await?;
        let secured = net::tls::connect(stream, Arc::clone(client), server_name.clone());
        framed = Framed::new(secured.await.map_err(tls_failed)?);
        encrypted();
    }
    let mut dialogue = Dialogue { framed, origin, sequence, expects: Expects::Verdict };
    dialogue.respond(&greeting, (capabilities, extended), (program, schema))?;
    let verdict = dialogue.verdict().await?;
    let ok = OkPacket::decode(&verdict, capabilities)?;
    let framed = match origin.compression {
        Some(algorithm) => dialogue.framed.compressed(algorithm, Side::Client),
        None => dialogue.framed,
    };
    Ok(Login {
        status: ok.status,
        framed,
        capabilities,
        extended,
        thread_id: greeting.thread_id,
        version: greeting.version,
        collation: greeting.collation,
    })
}

/// The capability of what the config asks for, which an origin must have.
fn compression(
    wanted: Option<Algorithm>,
    offered: CapabilityFlags,
) -> Result<CapabilityFlags, ConnectError> {
    let (name, flag) = match wanted {
        None => return Ok(CapabilityFlags::empty()),
        Some(Algorithm::Zlib) => ("zlib", CapabilityFlags::CLIENT_COMPRESS),
        Some(Algorithm::Zstd(_)) => ("zstd", CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM),
    };
    if offered.contains(flag) { Ok(flag) } else { Err(ConnectError::CompressionNotOffered(name)) }
}

/// The greeting, or what the origin says in place of it: too many connections (1040), a host that may not
/// connect (1130) or that is barred (1129).
fn greeting(payload: &[u8]) -> Result<Greeting, ConnectError> {
    if payload.first() == Some(&0xff) {
        Err(refusal(payload))
    } else {
        Ok(Greeting::decode(payload)?)
    }
}

/// Sends SSLRequest. Bytes behind the greeting were not sent under TLS and end the attempt, as they would be
/// taken for what comes first under it.
async fn request_tls(
    mut framed: Framed,
    capabilities: (CapabilityFlags, MariaDbFlags),
    sequence: &mut u8,
) -> Result<Stream, ConnectError> {
    let mut payload = BytesMut::new();
    handshake::encode_ssl_request(capabilities, MAX_PACKET, COLLATION, &mut payload);
    packet::put(framed.queue(), sequence, &payload);
    framed.flush().await?;
    let parts = framed.into_parts();
    if !parts.input.is_empty() {
        return Err(DecodeError::Value("packet behind the greeting").into());
    }
    Ok(parts.stream)
}

fn tls_failed(error: io::Error) -> ConnectError {
    if net::tls::is_certificate_error(&error) {
        ConnectError::Certificate(Arc::new(error))
    } else {
        error.into()
    }
}

/// A dialogue under way.
struct Dialogue<'a> {
    framed: Framed,
    origin: &'a OriginConfig,
    sequence: u8,
    expects: Expects,
}

/// What an AuthMoreData would mean.
enum Expects {
    /// Nothing: OK or ERR is due.
    Verdict,
    /// The answer to our proof for `caching_sha2_password`.
    Sha2(auth::Nonce),
    /// The origin's public key.
    Key(auth::Nonce),
}

impl Dialogue<'_> {
    /// Queues the HandshakeResponse, with a proof for the plugin that the greeting names.
    fn respond(
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
    async fn verdict(&mut self) -> Result<Bytes, ConnectError> {
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
        let password = self.origin.password.expose().as_bytes();
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
        let password = self.origin.password.expose().as_bytes();
        Zeroizing::new([password, b"\0"].concat())
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

/// Words of the origin, as far as they can be shown.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|character| !character.is_control()).take(MAX_MESSAGE_CHARS).collect()
}

/// An ERR packet of the login. Before it knows what we speak, a server leaves the SQLSTATE out.
fn refusal(payload: &[u8]) -> ConnectError {
    let error = match ErrPacket::decode(payload) {
        Ok(error) => error,
        Err(error) => return error.into(),
    };
    let message = shown(error.message);
    // 28000: invalid authorization specification.
    if error.sqlstate == b"28000" || LOGIN_ERRORS.contains(&error.code) {
        return ConnectError::Authentication(message);
    }
    let sqlstate = match (error.sqlstate, error.code) {
        (b"", 1040) => String::from("08004"),
        (b"", _) => String::from("HY000"),
        (sqlstate, _) => shown(sqlstate),
    };
    ConnectError::Refused { errno: Some(error.code), sqlstate, message }
}
