//! The messages that the proxy itself says, made with pgwire.

use bytes::{BufMut as _, Bytes, BytesMut};
use pgwire::messages::{
    Message,
    data::{DataRow, FieldDescription, RowDescription},
    response::{CommandComplete, ErrorResponse, ReadyForQuery, TransactionStatus as WireStatus},
    startup::{
        Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey,
    },
};

use super::pipeline::TransactionStatus;

/// `ParseComplete`, whole.
pub const PARSE_COMPLETE: &[u8] = b"1\0\0\0\x04";
/// `BindComplete`, whole.
pub const BIND_COMPLETE: &[u8] = b"2\0\0\0\x04";
/// `CloseComplete`, whole.
pub const CLOSE_COMPLETE: &[u8] = b"3\0\0\0\x04";
/// `ParameterDescription` of a statement that has none, whole.
pub const NO_PARAMETERS: &[u8] = b"t\0\0\0\x06\0\0";
/// `NoData`, whole.
pub const NO_DATA: &[u8] = b"n\0\0\0\x04";
/// `Sync`, whole.
pub const SYNC: &[u8] = b"S\0\0\0\x04";

/// The severity word of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed, the session goes on.
    Error,
    /// The session ends.
    Fatal,
}

/// Appends `message`. What we make is far below every limit, so that encoding cannot fail.
fn put(message: &impl Message, out: &mut BytesMut) {
    let start = out.len();
    if message.encode(out).is_err() {
        out.truncate(start);
    }
}

/// Appends an ErrorResponse.
pub fn error(severity: Severity, sqlstate: &str, text: &str, out: &mut BytesMut) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    let field = |code: u8, value: &str| (code, value.to_owned());
    let fields = vec![
        field(b'S', severity),
        field(b'V', severity),
        field(b'C', sqlstate),
        field(b'M', text),
    ];
    put(&ErrorResponse::new(fields), out);
}

/// Appends a ReadyForQuery.
pub fn ready_for_query(status: TransactionStatus, out: &mut BytesMut) {
    let status = match status {
        TransactionStatus::Idle => WireStatus::Idle,
        TransactionStatus::InTransaction => WireStatus::Transaction,
        TransactionStatus::Failed => WireStatus::Error,
    };
    put(&ReadyForQuery::new(status), out);
}

/// Appends a ParameterStatus.
pub fn parameter_status(name: &str, value: &str, out: &mut BytesMut) {
    put(&ParameterStatus::new(name.to_owned(), value.to_owned()), out);
}

/// Appends AuthenticationOk.
pub fn authentication_ok(out: &mut BytesMut) {
    put(&Authentication::Ok, out);
}

/// Appends AuthenticationSASL with the mechanisms offered.
pub fn authentication_sasl(mechanisms: &[&str], out: &mut BytesMut) {
    put(&Authentication::SASL(mechanisms.iter().map(|&name| name.to_owned()).collect()), out);
}

/// Appends AuthenticationSASLContinue.
pub fn authentication_sasl_continue(data: &str, out: &mut BytesMut) {
    put(&Authentication::SASLContinue(Bytes::copy_from_slice(data.as_bytes())), out);
}

/// Appends AuthenticationSASLFinal.
pub fn authentication_sasl_final(data: &str, out: &mut BytesMut) {
    put(&Authentication::SASLFinal(Bytes::copy_from_slice(data.as_bytes())), out);
}

/// Appends NegotiateProtocolVersion. `version` is the whole number, as PostgreSQL sends it.
pub fn negotiate_protocol_version(version: u32, options: &[String], out: &mut BytesMut) {
    let version = i32::try_from(version).unwrap_or(i32::MAX);
    put(&NegotiateProtocolVersion::new(version, options.to_vec()), out);
}

/// Appends BackendKeyData.
pub fn backend_key_data(process: u32, secret: &[u8], out: &mut BytesMut) {
    let secret = SecretKey::Bytes(Bytes::copy_from_slice(secret));
    put(&BackendKeyData::new(process.cast_signed(), secret), out);
}

/// Appends a result of text columns with one row: RowDescription, DataRow, CommandComplete.
pub fn text_row(columns: &[(&str, &str)], tag: &str, out: &mut BytesMut) {
    const TEXT_OID: u32 = 25;
    let fields = columns
        .iter()
        .map(|(name, _)| FieldDescription::new((*name).to_owned(), 0, 0, TEXT_OID, -1, -1, 0))
        .collect();
    put(&RowDescription::new(fields), out);
    let mut row = BytesMut::new();
    for (_, value) in columns {
        row.put_u32(u32::try_from(value.len()).unwrap_or_default());
        row.put_slice(value.as_bytes());
    }
    let count = i16::try_from(columns.len()).unwrap_or_default();
    put(&DataRow::new(row, count), out);
    put(&CommandComplete::new(tag.to_owned()), out);
}

/// Appends a frame made of `tag` and `parts`.
pub fn frame(tag: u8, parts: &[&[u8]], out: &mut BytesMut) {
    let length = parts.iter().fold(4_usize, |sum, part| sum.saturating_add(part.len()));
    out.reserve(length.saturating_add(1));
    out.put_u8(tag);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    for part in parts {
        out.put_slice(part);
    }
}

/// Appends a simple Query.
pub fn query(sql: &str, out: &mut BytesMut) {
    frame(b'Q', &[sql.as_bytes(), b"\0"], out);
}

/// Appends a startup packet of protocol `version`.
pub fn startup(version: u32, parameters: &[(&str, &str)], out: &mut BytesMut) {
    let mut body = BytesMut::new();
    for (name, value) in parameters {
        for text in [name, value] {
            body.put_slice(text.as_bytes());
            body.put_u8(0);
        }
    }
    body.put_u8(0);
    let length = body.len().saturating_add(8);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_u32(version);
    out.put_slice(&body);
}

/// Appends a CancelRequest.
pub fn cancel_request(process: u32, secret: &[u8], out: &mut BytesMut) {
    let length = secret.len().saturating_add(12);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_u32(super::startup::CANCEL_REQUEST_CODE);
    out.put_u32(process);
    out.put_slice(secret);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_bytes_of_the_manual() {
        let mut out = BytesMut::new();
        ready_for_query(TransactionStatus::Failed, &mut out);
        parameter_status("a", "b", &mut out);
        query("x", &mut out);
        cancel_request(1, b"abcd", &mut out);
        assert_eq!(
            &out[..],
            b"Z\0\0\0\x05ES\0\0\0\x08a\0b\0Q\0\0\0\x06x\0\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01abcd"
        );
    }

    #[test]
    fn one_row_of_text_is_a_whole_result() {
        let mut out = BytesMut::new();
        text_row(&[("a", "xy")], "SHOW", &mut out);
        assert_eq!(&out[..1], b"T");
        assert!(out.ends_with(b"D\0\0\0\x0c\0\x01\0\0\0\x02xyC\0\0\0\x09SHOW\0"));
    }

    #[test]
    fn an_error_says_severity_code_and_text() {
        let mut out = BytesMut::new();
        error(Severity::Fatal, "58000", "Internal error.", &mut out);
        assert_eq!(&out[5..], b"SFATAL\0VFATAL\0C58000\0MInternal error.\0\0");
    }
}
