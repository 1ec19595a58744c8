//! What changed in a session, as an OK tells it: `enum_session_state_type` in mysql_com.h.

use bytes::{BufMut, BytesMut};

use super::super::values::put_lenenc_bytes;
use crate::reader::{DecodeError, Reader};

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// `SESSION_TRACK_SYSTEM_VARIABLES`: a system variable has a value now.
    Variable {
        /// Its name, in lower case.
        name: &'a [u8],
        /// Its value as text.
        value: &'a [u8],
    },
    /// `SESSION_TRACK_SCHEMA`: the current schema; empty for none.
    Schema(&'a [u8]),
    /// `SESSION_TRACK_STATE_CHANGE`: whether there is state that would be lost.
    State(bool),
    /// `SESSION_TRACK_GTIDS`: the transaction's, with the byte that says how it is written.
    Gtids(&'a [u8]),
    /// `SESSION_TRACK_TRANSACTION_CHARACTERISTICS`: the statements that would start such a transaction.
    TransactionCharacteristics(&'a [u8]),
    /// `SESSION_TRACK_TRANSACTION_STATE`: eight letters.
    TransactionState(&'a [u8]),
    /// A kind that is not known here, with what it holds.
    Other(u8, &'a [u8]),
}

/// The changes in [`super::OkPacket::changes`]. The first error is the last item.
pub fn changes(raw: &[u8]) -> impl Iterator<Item = Result<Change<'_>, DecodeError>> {
    let mut reader = Reader::new(raw);
    // MariaDB may put several variables into one entry.
    let mut variables = Reader::new(&[]);
    std::iter::from_fn(move || {
        let change = if !variables.rest().is_empty() {
            variable(&mut variables)
        } else if !reader.rest().is_empty() {
            entry(&mut reader, &mut variables)
        } else {
            return None;
        };
        if change.is_err() {
            (reader, variables) = (Reader::new(&[]), Reader::new(&[]));
        }
        Some(change)
    })
}

/// Appends one change.
pub fn encode_change(change: &Change<'_>, out: &mut BytesMut) {
    let mut data = BytesMut::new();
    let kind = match *change {
        Change::Variable { name, value } => {
            put_lenenc_bytes(&mut data, name);
            put_lenenc_bytes(&mut data, value);
            SYSTEM_VARIABLES
        }
        Change::Schema(name) => {
            put_lenenc_bytes(&mut data, name);
            SCHEMA
        }
        Change::State(changed) => {
            // One character without a length of its own (`Session_state_change_tracker::store`).
            data.put_u8(if changed { b'1' } else { b'0' });
            STATE_CHANGE
        }
        Change::TransactionCharacteristics(text) => {
            put_lenenc_bytes(&mut data, text);
            TRANSACTION_CHARACTERISTICS
        }
        Change::TransactionState(text) => {
            put_lenenc_bytes(&mut data, text);
            TRANSACTION_STATE
        }
        Change::Gtids(raw) => {
            data.put_slice(raw);
            GTIDS
        }
        Change::Other(kind, raw) => {
            data.put_slice(raw);
            kind
        }
    };
    out.put_u8(kind);
    put_lenenc_bytes(out, &data);
}

fn entry<'a>(
    reader: &mut Reader<'a>,
    variables: &mut Reader<'a>,
) -> Result<Change<'a>, DecodeError> {
    let kind = reader.u8()?;
    let raw = reader.lenenc_bytes()?;
    match kind {
        SYSTEM_VARIABLES => {
            *variables = Reader::new(raw);
            variable(variables)
        }
        SCHEMA => text(raw).map(Change::Schema),
        STATE_CHANGE => Ok(Change::State(raw == b"1")),
        GTIDS => Ok(Change::Gtids(raw)),
        TRANSACTION_CHARACTERISTICS => text(raw).map(Change::TransactionCharacteristics),
        TRANSACTION_STATE => text(raw).map(Change::TransactionState),
        other => Ok(Change::Other(other, raw)),
    }
}

fn variable<'a>(reader: &mut Reader<'a>) -> Result<Change<'a>, DecodeError> {
    let (name, value) = (reader.lenenc_bytes()?, reader.lenenc_bytes()?);
    Ok(Change::Variable { name, value })
}

fn text(raw: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(raw);
    let text = reader.lenenc_bytes()?;
    reader.end()?;
    Ok(text)
}

const SYSTEM_VARIABLES: u8 = 0;
const SCHEMA: u8 = 1;
const STATE_CHANGE: u8 = 2;
const GTIDS: u8 = 3;
const TRANSACTION_CHARACTERISTICS: u8 = 4;
const TRANSACTION_STATE: u8 = 5;
