//! What the proxy says in its own voice, as PostgreSQL's ErrorResponse.

use bytes::{Bytes, BytesMut};
use protocol::postgres::{
    encode::{self, Severity},
    message,
};
use serving::error::ClientError;

/// Appends the ErrorResponse of `error`, with the severity it deserves.
pub(crate) fn put(error: ClientError, out: &mut BytesMut) {
    let (severity, sqlstate) = code(error);
    encode::error(severity, sqlstate, &error.to_string(), out);
}

/// Appends the ErrorResponse of `error` as the end of the connection, as everything is before login.
pub(crate) fn put_fatal(error: ClientError, out: &mut BytesMut) {
    let (_, sqlstate) = code(error);
    encode::error(Severity::Fatal, sqlstate, &error.to_string(), out);
}

/// The whole ErrorResponse of a statement whose rows are not those that its client was told: what `RevalidateCachedQuery`
/// in plancache.c says, whose name some drivers look for before they prepare it anew.
pub(crate) const PLAN_CHANGED: &[u8] = b"E\0\0\0\x6aSERROR\0VERROR\0C0A000\0\
    Mcached plan must not change result type\0Fplancache.c\0L1\0RRevalidateCachedQuery\0\0";

/// The ErrorResponse to a Parse whose name another statement has, as `StorePreparedStatement` in prepare.c says it.
pub(crate) fn name_is_taken(name: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    let text = format!("prepared statement \"{}\" already exists", String::from_utf8_lossy(name));
    encode::error(Severity::Error, "42P05", &text, &mut frame);
    frame.freeze()
}

/// The ErrorResponse to a Bind with another number of values than the statement has parameters, as `exec_bind_message` in
/// postgres.c says it.
pub(crate) fn miscounted(name: &[u8], given: usize, expected: usize) -> Bytes {
    let mut frame = BytesMut::new();
    let name = String::from_utf8_lossy(name);
    let text = format!(
        "bind message supplies {given} parameters, but prepared statement \"{name}\" requires {expected}"
    );
    encode::error(Severity::Error, "08P01", &text, &mut frame);
    frame.freeze()
}

/// Severity and SQLSTATE (manual, appendix "PostgreSQL Error Codes"); 58000 where none fits.
fn code(error: ClientError) -> (Severity, &'static str) {
    match error {
        ClientError::AccessDenied => (Severity::Fatal, "28P01"),
        ClientError::Connect(_) | ClientError::CheckoutTimeout => (Severity::Error, "58000"),
        ClientError::BackendLost => (Severity::Fatal, "08006"),
        ClientError::IdleInTransaction => (Severity::Fatal, "25P03"),
        ClientError::IdleSession => (Severity::Fatal, "57P05"),
        ClientError::Internal => (Severity::Fatal, "58000"),
        ClientError::Killed | ClientError::Terminated => (Severity::Fatal, "57P01"),
        ClientError::Malformed => (Severity::Fatal, "08P01"),
        ClientError::PlanChanged => (Severity::Fatal, "0A000"),
        ClientError::SettingLost | ClientError::WriteUntold => (Severity::Fatal, "58000"),
        ClientError::ShuttingDown => (Severity::Fatal, "57P01"),
        ClientError::StatementTimeout => (Severity::Error, "57014"),
        ClientError::TooManyConnections
        | ClientError::TooManyOfDatabase
        | ClientError::TooManyOfUser => (Severity::Fatal, "53300"),
        ClientError::TlsRequired | ClientError::TooManyFailures => (Severity::Fatal, "28000"),
        ClientError::UnknownDatabase => (Severity::Fatal, "3D000"),
        ClientError::Unsupported(_) => (Severity::Error, "0A000"),
        ClientError::OutOfMemory => (Severity::Error, "53200"),
        ClientError::StatementTooLong => (Severity::Fatal, "54000"),
    }
}

/// Whether an error is the end of its connection.
pub(crate) fn is_fatal(body: &[u8]) -> bool {
    let severity = message::error_field(body, b'V').or(message::error_field(body, b'S'));
    matches!(severity, Some(b"FATAL" | b"PANIC"))
}

#[cfg(test)]
mod tests {
    use protocol::postgres::{frame::Header, message::error_field};

    use super::*;

    #[test]
    fn each_error_has_its_code_and_no_text_of_ours_leaks() {
        let table = [
            (ClientError::Connect("tls_required"), "ERROR", "58000"),
            (ClientError::CheckoutTimeout, "ERROR", "58000"),
            (ClientError::AccessDenied, "FATAL", "28P01"),
            (ClientError::BackendLost, "FATAL", "08006"),
            (ClientError::UnknownDatabase, "FATAL", "3D000"),
            (ClientError::TooManyConnections, "FATAL", "53300"),
            (ClientError::TooManyOfDatabase, "FATAL", "53300"),
            (ClientError::TooManyOfUser, "FATAL", "53300"),
            (ClientError::Unsupported("replication"), "ERROR", "0A000"),
        ];
        for (error, severity, sqlstate) in table {
            let mut out = BytesMut::new();
            put(error, &mut out);
            assert_eq!(error_field(&out[5..], b'S'), Some(severity.as_bytes()), "{error:?}");
            assert_eq!(error_field(&out[5..], b'C'), Some(sqlstate.as_bytes()), "{error:?}");
            assert_eq!(error_field(&out[5..], b'M'), Some(error.to_string().as_bytes()));
        }
    }

    #[test]
    fn a_changed_plan_is_said_as_the_database_says_it() {
        let header = Header::peek(PLAN_CHANGED).expect("a header").expect("whole");
        assert_eq!(header.frame_len(), PLAN_CHANGED.len());
        assert_eq!(error_field(&PLAN_CHANGED[5..], b'C'), Some(&b"0A000"[..]));
        assert_eq!(error_field(&PLAN_CHANGED[5..], b'R'), Some(&b"RevalidateCachedQuery"[..]));
    }

    #[test]
    fn before_login_everything_is_fatal() {
        let mut out = BytesMut::new();
        put_fatal(ClientError::CheckoutTimeout, &mut out);
        assert_eq!(error_field(&out[5..], b'S'), Some(&b"FATAL"[..]));
    }
}
