//! What the proxy says in its own voice, as MySQL's ERR packet.

use bytes::BytesMut;
use protocol::mysql::{capabilities::CapabilityFlags, packet, reply::ErrPacket};
use serving::error::ClientError;

/// For what has no number of its own.
pub(crate) const ER_UNKNOWN_ERROR: u16 = 1105;

/// Appends the ERR packet of `error` and counts `sequence` up.
///
/// `capabilities` are those agreed with the client; there are none before it has answered the greeting.
pub(crate) fn put(
    error: ClientError,
    capabilities: CapabilityFlags,
    sequence: &mut u8,
    out: &mut BytesMut,
) {
    let mut payload = BytesMut::new();
    encode(error, capabilities, &mut payload);
    packet::put(out, sequence, &payload);
}

/// Appends an ERR packet with the words that MySQL itself has for the case.
pub(crate) fn put_text(
    code: u16,
    sqlstate: &str,
    message: &str,
    (capabilities, sequence): (CapabilityFlags, &mut u8),
    out: &mut BytesMut,
) {
    let mut payload = BytesMut::new();
    encode_text(code, sqlstate, message, capabilities, &mut payload);
    packet::put(out, sequence, &payload);
}

/// Appends the payload of the ERR packet of `error`.
pub(crate) fn encode(error: ClientError, capabilities: CapabilityFlags, out: &mut BytesMut) {
    let (code, sqlstate) = code(error);
    encode_text(code, sqlstate, &error.to_string(), capabilities, out);
}

/// Appends the payload of an ERR packet with words that are not ours.
pub(crate) fn encode_text(
    code: u16,
    sqlstate: &str,
    message: &str,
    capabilities: CapabilityFlags,
    out: &mut BytesMut,
) {
    // MySQL: ERR_Packet. Whoever has not said yet that it speaks 4.1 gets no SQLSTATE.
    let is_41 = capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41);
    let sqlstate = if is_41 { sqlstate.as_bytes() } else { b"" };
    ErrPacket { code, sqlstate, message: message.as_bytes() }.encode(out);
}

/// Error number and SQLSTATE (MySQL: "Server Error Message Reference"); 1105 HY000 where none fits.
pub(crate) fn code(error: ClientError) -> (u16, &'static str) {
    match error {
        ClientError::AccessDenied => (1045, "28000"),
        // CR_SERVER_LOST: the number by which drivers and their pools know that a connection is gone.
        ClientError::BackendLost => (2013, "HY000"),
        ClientError::CheckoutTimeout
        | ClientError::TooManyConnections
        | ClientError::TooManyOfDatabase => (1040, "08004"),
        ClientError::Connect(_)
        | ClientError::Internal
        | ClientError::PlanChanged
        | ClientError::SettingLost
        | ClientError::WriteUntold => (ER_UNKNOWN_ERROR, "HY000"),
        // ER_CLIENT_INTERACTION_TIMEOUT
        ClientError::IdleInTransaction | ClientError::IdleSession => (4031, "HY000"),
        ClientError::Killed | ClientError::Terminated => (1927, "70100"),
        ClientError::Malformed => (1835, "HY000"),
        ClientError::ShuttingDown => (1053, "08S01"),
        ClientError::StatementTimeout => (3024, "HY000"),
        ClientError::OutOfMemory => (1041, "HY000"),
        ClientError::StatementTooLong => (1153, "08S01"),
        // ER_SECURE_TRANSPORT_REQUIRED.
        ClientError::TlsRequired => (3159, "HY000"),
        // ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK.
        ClientError::TooManyFailures => (3955, "HY000"),
        ClientError::UnknownDatabase => (1049, "42000"),
        // ER_USER_LIMIT_REACHED
        ClientError::TooManyOfUser => (1226, "42000"),
        ClientError::Unsupported(_) => (1235, "42000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_number_and_no_text_of_ours_leaks() {
        let table = [
            (ClientError::AccessDenied, 1045, "28000"),
            (ClientError::BackendLost, 2013, "HY000"),
            (ClientError::CheckoutTimeout, 1040, "08004"),
            (ClientError::Connect("tls_required"), 1105, "HY000"),
            (ClientError::Malformed, 1835, "HY000"),
            (ClientError::ShuttingDown, 1053, "08S01"),
            (ClientError::StatementTimeout, 3024, "HY000"),
            (ClientError::TooManyConnections, 1040, "08004"),
            (ClientError::TooManyOfDatabase, 1040, "08004"),
            (ClientError::TooManyOfUser, 1226, "42000"),
            (ClientError::UnknownDatabase, 1049, "42000"),
            (ClientError::Unsupported("COM_BINLOG_DUMP"), 1235, "42000"),
        ];
        for (error, code, sqlstate) in table {
            let (mut out, mut sequence) = (BytesMut::new(), 3);
            put(error, CapabilityFlags::CLIENT_PROTOCOL_41, &mut sequence, &mut out);
            let packet = packet::take(&mut out, 1000).unwrap().unwrap();
            assert_eq!((packet.sequence, sequence), (3, 4));
            let heard = ErrPacket::decode(&packet.payload).unwrap();
            assert_eq!(heard.code, code, "{error:?}");
            assert_eq!(heard.sqlstate, sqlstate.as_bytes(), "{error:?}");
            assert_eq!(heard.message, error.to_string().as_bytes());
        }
    }

    #[test]
    fn before_the_client_has_spoken_there_is_no_sqlstate() {
        let mut out = BytesMut::new();
        put(ClientError::TooManyConnections, CapabilityFlags::empty(), &mut 0, &mut out);
        assert!(out.starts_with(&[34, 0, 0, 0, 0xff, 0x10, 0x04, b's', b'o']), "{out:?}");
    }
}
