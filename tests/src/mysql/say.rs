//! Commands of a client, as payloads without a packet header; also malformed ones, where a scenario builds them so.

use super::flags::{command, kind};

/// A length-encoded integer.
pub fn lenenc(value: u64) -> Vec<u8> {
    let bytes = value.to_le_bytes();
    match value {
        0..=250 => vec![bytes[0]],
        251..=0xffff => [&[0xfc], &bytes[..2]].concat(),
        0x1_0000..=0xff_ffff => [&[0xfd], &bytes[..3]].concat(),
        _ => [&[0xfe], &bytes[..]].concat(),
    }
}

/// A length-encoded text.
pub fn text(bytes: &[u8]) -> Vec<u8> {
    [&lenenc(bytes.len().try_into().expect("a length fits"))[..], bytes].concat()
}

/// COM_QUERY without attributes, for a connection that did not agree on them.
pub fn query(sql: &str) -> Vec<u8> {
    [&[command::QUERY], sql.as_bytes()].concat()
}

/// COM_QUERY of a connection with QUERY_ATTRIBUTES: the attributes, then the text.
pub fn query_with(attributes: &[(&str, &str)], sql: &str) -> Vec<u8> {
    let count = lenenc(attributes.len().try_into().expect("a length fits"));
    let mut body = [&[command::QUERY], &count[..], &[1]].concat();
    if !attributes.is_empty() {
        body.extend(vec![0_u8; attributes.len().div_ceil(8)]);
        body.push(1);
        for (name, _) in attributes {
            body.extend([kind::STRING, 0]);
            body.extend(text(name.as_bytes()));
        }
        for (_, value) in attributes {
            body.extend(text(value.as_bytes()));
        }
    }
    body.extend(sql.as_bytes());
    body
}

/// COM_INIT_DB.
pub fn init_db(name: &str) -> Vec<u8> {
    [&[command::INIT_DB], name.as_bytes()].concat()
}

/// COM_FIELD_LIST.
pub fn field_list(table: &str, wildcard: &str) -> Vec<u8> {
    [&[command::FIELD_LIST], table.as_bytes(), &[0], wildcard.as_bytes()].concat()
}

/// COM_STMT_PREPARE.
pub fn prepare(sql: &str) -> Vec<u8> {
    [&[command::STMT_PREPARE], sql.as_bytes()].concat()
}

/// A command with a number: COM_STMT_CLOSE, COM_STMT_RESET, COM_PROCESS_KILL.
pub fn numbered(command: u8, number: u32) -> Vec<u8> {
    [&[command][..], &number.to_le_bytes()].concat()
}

/// COM_STMT_SEND_LONG_DATA.
pub fn long_data(statement: u32, parameter: u16, data: &[u8]) -> Vec<u8> {
    [&[command::STMT_SEND_LONG_DATA][..], &statement.to_le_bytes(), &parameter.to_le_bytes(), data]
        .concat()
}

/// COM_STMT_FETCH.
pub fn fetch(statement: u32, rows: u32) -> Vec<u8> {
    [&[command::STMT_FETCH][..], &statement.to_le_bytes(), &rows.to_le_bytes()].concat()
}

/// COM_SET_OPTION: 0 turns multi-statements on, 1 off.
pub fn set_option(option: u16) -> Vec<u8> {
    [&[command::SET_OPTION][..], &option.to_le_bytes()].concat()
}

/// A parameter of COM_STMT_EXECUTE.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// BIGINT UNSIGNED.
    Unsigned(u64),
    /// DOUBLE.
    Double(f64),
    /// VAR_STRING.
    Text(Vec<u8>),
    /// Any type, as it goes over the wire.
    Raw(u8, Vec<u8>),
    /// Sent before with COM_STMT_SEND_LONG_DATA: a type without a value.
    Long,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl Value {
    /// Its type, and whether it is unsigned.
    pub fn kind(&self) -> [u8; 2] {
        match self {
            Self::Null => [kind::NULL, 0],
            Self::Int(_) => [kind::LONGLONG, 0],
            Self::Unsigned(_) => [kind::LONGLONG, 0x80],
            Self::Double(_) => [kind::DOUBLE, 0],
            Self::Text(_) => [kind::VAR_STRING, 0],
            Self::Raw(kind, _) => [*kind, 0],
            Self::Long => [kind::BLOB, 0],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Null | Self::Long => Vec::new(),
            Self::Int(number) => number.to_le_bytes().into(),
            Self::Unsigned(number) => number.to_le_bytes().into(),
            Self::Double(number) => number.to_le_bytes().into(),
            Self::Text(bytes) => text(bytes),
            Self::Raw(_, bytes) => bytes.clone(),
        }
    }
}

/// What differs from a plain COM_STMT_EXECUTE.
#[derive(Clone, Copy, Debug)]
pub struct Execute {
    /// Asks for a read-only cursor.
    pub cursor: bool,
    /// `new_params_bound`: whether the types are sent.
    pub types: bool,
}

impl Default for Execute {
    fn default() -> Self {
        Self { cursor: false, types: true }
    }
}

/// COM_STMT_EXECUTE of a connection without QUERY_ATTRIBUTES.
pub fn execute(statement: u32, how: Execute, values: &[Value]) -> Vec<u8> {
    execute_with(statement, how, values, false)
}

/// COM_STMT_EXECUTE; with QUERY_ATTRIBUTES the number of values is sent, and a name for each.
pub fn execute_with(statement: u32, how: Execute, values: &[Value], attributes: bool) -> Vec<u8> {
    // CURSOR_TYPE_READ_ONLY is 1, PARAMETER_COUNT_AVAILABLE is 8.
    let flags = u8::from(how.cursor) | (u8::from(attributes) << 3);
    let mut body =
        [&[command::STMT_EXECUTE][..], &statement.to_le_bytes(), &[flags, 1, 0, 0, 0]].concat();
    if attributes {
        body.extend(lenenc(values.len().try_into().expect("a length fits")));
    }
    if values.is_empty() {
        return body;
    }
    let mut nulls = vec![0_u8; values.len().div_ceil(8)];
    for (number, value) in values.iter().enumerate() {
        if *value == Value::Null {
            nulls[number / 8] |= 1 << (number % 8);
        }
    }
    body.extend(nulls);
    body.push(u8::from(how.types));
    if how.types {
        for value in values {
            body.extend(value.kind());
            if attributes {
                body.push(0);
            }
        }
    }
    body.extend(values.iter().flat_map(Value::bytes));
    body
}
