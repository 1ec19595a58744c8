//! What an origin says that does not let us in.

use origin::net::ConnectError;
use protocol::mysql::reply::ErrPacket;

/// What a server that talks of itself may fill our log with.
const MAX_MESSAGE_CHARS: usize = 512;

/// Access denied, with and without a password; the password has expired; the account is locked (MySQL,
/// MariaDB); too many wrong passwords; no common plugin (MySQL: "Server Error Message Reference").
const LOGIN_ERRORS: [u16; 7] = [1045, 1698, 1862, 3118, 4151, 3955, 1251];

/// An ERR packet of the login. Before it knows what we speak, a server leaves the SQLSTATE out.
pub(super) fn refusal(payload: &[u8]) -> ConnectError {
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

/// Words of the origin, as far as they can be shown.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|character| !character.is_control()).take(MAX_MESSAGE_CHARS).collect()
}
