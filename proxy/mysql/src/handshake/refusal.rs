//! What a client is told whose login comes to nothing.

use bytes::{Bytes, BytesMut};
use origin::net::Framed;
use protocol::{
    mysql::{auth::Nonce, capabilities::CapabilityFlags},
    reader::DecodeError,
};
use serving::{
    config::DatabaseConfig,
    error::{ClientError, SessionError},
};

use super::{super::wire_error, account::Choice, dance::Verdict};

/// What may show of a user's name in an error, as in MySQL (`USERNAME_CHAR_LENGTH`, and room for ours).
const MAX_NAME_CHARS: usize = 64;

/// A login that was refused, of which the client was told.
pub(super) struct Refusal {
    pub(super) error: ClientError,
    /// What it was told: the payload of the ERR packet.
    pub(super) packet: Bytes,
    pub(super) nonce: Nonce,
}

/// Why a login is refused in MySQL's own words, which drivers and people look for (`login_failed_error` in
/// sql_authentication.cc), and the payload of the ERR packet. The names are the client's.
pub(super) fn refusal(
    verdict: Verdict,
    choice: &Choice,
    (user, host): (&str, &str),
    capabilities: CapabilityFlags,
) -> (ClientError, Bytes) {
    let user = shown(user);
    let (error, code, sqlstate, text) = match (verdict, choice) {
        (Verdict::Proven, Choice::Several(_)) => {
            let text = format!(
                "No database selected: the proxy has several configurations with the user '{user}'; \
                 connect with the name of one of them as the database"
            );
            (ClientError::UnknownDatabase, 1049, "42000", text)
        }
        (Verdict::NoMethod, _) => {
            let text = "Client does not support authentication protocol requested by server; \
                        consider upgrading MySQL client";
            (ClientError::AccessDenied, 1251, "08004", text.to_owned())
        }
        (verdict, _) => {
            let none = Verdict::Refused { with_password: false };
            let with = if verdict == none { "NO" } else { "YES" };
            let text = format!("Access denied for user '{user}'@'{host}' (using password: {with})");
            (ClientError::AccessDenied, 1045, "28000", text)
        }
    };
    let mut packet = BytesMut::new();
    wire_error::encode_text(code, sqlstate, &text, capabilities, &mut packet);
    (error, packet.freeze())
}

/// What a client too many is told: of its user in MySQL's own words (`check_for_max_user_connections` in sql_connect.cc).
pub(super) fn no_place(
    error: ClientError,
    (user, config): (&str, &DatabaseConfig),
    capabilities: CapabilityFlags,
) -> Bytes {
    let mut packet = BytesMut::new();
    match config.max_connections(user).filter(|_| error == ClientError::TooManyOfUser) {
        Some(most) => {
            let user = shown(user);
            let text = format!(
                "User '{user}' has exceeded the 'max_user_connections' resource (current value: {most})"
            );
            let (code, sqlstate) = wire_error::code(error);
            wire_error::encode_text(code, sqlstate, &text, capabilities, &mut packet);
        }
        None => wire_error::encode(error, capabilities, &mut packet),
    }
    packet.freeze()
}

/// A user's name as far as an error can hold it.
fn shown(user: &str) -> String {
    user.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect()
}

/// A packet that is no HandshakeResponse, or one of a client from before MySQL 4.1 (MySQL: ER_HANDSHAKE_ERROR).
pub(super) async fn bad_handshake(
    framed: &mut Framed,
    mut sequence: u8,
    error: DecodeError,
) -> SessionError {
    let agreed = (CapabilityFlags::CLIENT_PROTOCOL_41, &mut sequence);
    wire_error::put_text(1043, "08S01", "Bad handshake", agreed, framed.queue());
    hang_up(framed).await;
    SessionError::ClientProtocol(error)
}

/// A client that would compress although it was not offered: neither would understand the other's next word.
pub(super) async fn wants_compression(framed: &mut Framed, mut sequence: u8) -> SessionError {
    let error = ClientError::Unsupported("compression (listen.mysql_compression is off)");
    tracing::info!(reason = %error, "login refused");
    wire_error::put(error, CapabilityFlags::CLIENT_PROTOCOL_41, &mut sequence, framed.queue());
    hang_up(framed).await;
    error.into()
}

/// Tells a client why its login broke off, where it can still hear it.
pub(super) async fn explain(
    framed: &mut Framed,
    error: &SessionError,
    (capabilities, mut sequence): (CapabilityFlags, u8),
) {
    let error = match error {
        SessionError::Refused(error) => *error,
        SessionError::ClientProtocol(_) => ClientError::Malformed,
        _ => return,
    };
    wire_error::put(error, capabilities, &mut sequence, framed.queue());
    hang_up(framed).await;
}

/// Hangs up. A client that does not listen any more is no error of its own.
pub(super) async fn hang_up(framed: &mut Framed) {
    if let Err(error) = framed.shutdown().await {
        tracing::debug!(%error, "refused client had gone");
    }
}
