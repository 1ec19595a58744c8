//! The login at an origin: greeting, TLS, and the dialogue of its authentication plugin.
//!
//! ```text
//!   greeting ──► (SSLRequest, TLS) ──► HandshakeResponse ──► OK
//!      │                                   │   ▲  │
//!     ERR                       AuthSwitch ┘───┘  └► AuthMoreData: 3 (fast), 4 (full): password in TLS,
//!                                                    or the public key, then the password under RSA
//! ```
//!
//! What stands right of the HandshakeResponse is the [`dialogue`](super::dialogue). Compression, where the config asks for
//! it, begins behind the OK.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use origin::net::{self, ConnectError, Framed, Stream};
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags},
        compress::{Algorithm, Side},
        handshake::{self, Greeting},
        packet,
        reply::OkPacket,
    },
    reader::DecodeError,
};
use serving::config::{DatabaseConfig, OriginConfig, OriginTls};

use super::{
    asking::{Login, next_packet},
    dialogue::{COLLATION, Dialogue, Expects, MAX_LOGIN_PACKET, MAX_PACKET},
    refusal::refusal,
};

/// What we can use of what MariaDB has beyond 32 bits: what changes its replies is taken out again for clients without it.
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

/// Dials the host in use, puts the database's TLS around it unless the config says plaintext in as many words, and logs in.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
pub async fn login(
    config: &DatabaseConfig,
    program_name: &str,
    found_rows: bool,
) -> Result<Login, ConnectError> {
    login_on(config, config.origin.host_in_use(), program_name, found_rows).await
}

/// The same on this one of the hosts.
pub(crate) async fn login_on(
    config: &DatabaseConfig,
    host: usize,
    program_name: &str,
    found_rows: bool,
) -> Result<Login, ConnectError> {
    let how = (program_name, found_rows, config.origin.database.as_str());
    login_to(config, (host, config.pool.connect_timeout), how).await
}

/// The same, where the dial may take so long.
pub(super) async fn login_to(
    config: &DatabaseConfig,
    (host, timeout): (usize, Duration),
    how: (&str, bool, &str),
) -> Result<Login, ConnectError> {
    login_as(&config.origin, (host, timeout), how).await
}

/// The same with another login, which may have no right to any schema.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection is closed.
pub(crate) async fn login_as(
    origin: &OriginConfig,
    (host, timeout): (usize, Duration),
    how: (&str, bool, &str),
) -> Result<Login, ConnectError> {
    let (dial, tls) = origin.way(host);
    let stream = net::dial::dial(dial, timeout)
        .await
        .map_err(|error| ConnectError::Dial(Arc::new(error)))?;
    over(stream, (origin, tls), how, || {}).await
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
    let how = (program_name, false, origin.database.as_str());
    over(stream, (origin, &origin.tls), how, encrypted).await
}

/// Logs in over a stream that was just opened. `program` is what we call ourselves, and whether UPDATE counts
/// the rows that it found, and the schema to be in; `encrypted` is called when TLS is complete.
async fn over(
    stream: Stream,
    (origin, tls): (&OriginConfig, &OriginTls),
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
    if let OriginTls::Required { client, server_name, .. } = tls {
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
