//! Parameters of statements and attributes of queries: a bitmap of NULLs, types, names and values.

use bytes::{BufMut as _, BytesMut};

use crate::{
    mysql::{
        capabilities::ColumnType,
        values::{binary_value, put_lenenc_bytes},
    },
    reader::{DecodeError, Reader},
};

/// The value of a parameter or an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// NULL, by its bit in the bitmap.
    Null,
    /// Came in `COM_STMT_SEND_LONG_DATA` before, and is not in the packet.
    LongData,
    /// As on the wire, with the length bytes that belong to it.
    Bytes(&'a [u8]),
}

/// Values are the application's data and do not go into logs.
impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::LongData => f.write_str("LongData"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}

/// In [`Parameter::kind`]: the number has no sign.
pub const UNSIGNED: u16 = 0x8000;

/// A parameter of a statement, or an attribute of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The type as on the wire: a [`ColumnType`] in the low byte, and `0x8000` for unsigned.
    pub kind: u16,
    /// The name; parameters mostly have none.
    pub name: &'a [u8],
    /// The value.
    pub value: Value<'a>,
}

impl Parameter<'_> {
    /// The type without the flag for unsigned.
    pub fn column_type(&self) -> ColumnType {
        column_type(self.kind)
    }
}

/// Which types go along with values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Types {
    /// None: those of the last time hold.
    AsBefore,
    /// Types alone.
    Nameless,
    /// Types and names, as `CLIENT_QUERY_ATTRIBUTES` has it.
    Named,
}

/// One bit per value.
#[derive(Clone, Copy)]
pub(super) struct Nulls<'a>(&'a [u8]);

impl<'a> Nulls<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, count: usize) -> Result<Self, DecodeError> {
        reader.bytes(count.div_ceil(8)).map(Self)
    }

    fn has(self, index: usize) -> bool {
        let mask = 1_u8.wrapping_shl(u32::try_from(index % 8).unwrap_or(0));
        self.0.get(index / 8).is_some_and(|byte| byte & mask != 0)
    }
}

/// A statement has at most 65535 parameters ("ER_PS_MANY_PARAM"), and as many attributes are more than enough.
pub(super) fn count(number: u64) -> Result<usize, DecodeError> {
    let count = u16::try_from(number).map_err(|_too_many| DecodeError::Value("parameter count"))?;
    Ok(usize::from(count))
}

fn column_type(kind: u16) -> ColumnType {
    let [low, _flags] = kind.to_le_bytes();
    ColumnType(low)
}

/// Types and names; what is not in the packet costs no memory.
pub(super) fn types<'a>(
    reader: &mut Reader<'a>,
    count: usize,
    named: bool,
) -> Result<Vec<(u16, &'a [u8])>, DecodeError> {
    let mut types = Vec::with_capacity(count.min(reader.rest().len() / 2));
    for _ in 0..count {
        let kind = reader.u16_le()?;
        let name = if named { reader.lenenc_bytes()? } else { &[] };
        types.push((kind, name));
    }
    Ok(types)
}

pub(super) fn remembered(
    types: Option<&[u16]>,
    count: usize,
) -> Result<Vec<(u16, &'static [u8])>, DecodeError> {
    let types = types.filter(|types| types.len() == count);
    let types = types.ok_or(DecodeError::Value("types of parameters"))?;
    Ok(types.iter().map(|kind| (*kind, &[][..])).collect())
}

pub(super) fn values<'a>(
    reader: &mut Reader<'a>,
    types: Vec<(u16, &'a [u8])>,
    nulls: Nulls<'_>,
    is_long: impl Fn(usize) -> bool,
) -> Result<Vec<Parameter<'a>>, DecodeError> {
    let mut parameters = Vec::with_capacity(types.len());
    for (index, (kind, name)) in types.into_iter().enumerate() {
        // Long data first: it wins over the NULL bit, "insert_params" in sql_prepare.cc.
        let value = if is_long(index) {
            Value::LongData
        } else if nulls.has(index) {
            Value::Null
        } else {
            Value::Bytes(binary_value(reader, column_type(kind))?)
        };
        parameters.push(Parameter { kind, name, value });
    }
    Ok(parameters)
}

/// Appends bitmap, types and values.
pub(super) fn put_parameters<'a>(
    out: &mut BytesMut,
    parameters: impl Iterator<Item = &'a Parameter<'a>> + Clone,
    types: Types,
) {
    let mut bits = parameters.clone().map(|parameter| parameter.value == Value::Null).peekable();
    while bits.peek().is_some() {
        let byte = bits.by_ref().take(8).enumerate().fold(0_u8, |byte, (index, null)| {
            byte | u8::from(null).wrapping_shl(u32::try_from(index).unwrap_or(0))
        });
        out.put_u8(byte);
    }
    out.put_u8(u8::from(types != Types::AsBefore));
    if types != Types::AsBefore {
        for parameter in parameters.clone() {
            out.put_u16_le(parameter.kind);
            if types == Types::Named {
                put_lenenc_bytes(out, parameter.name);
            }
        }
    }
    for parameter in parameters {
        if let Value::Bytes(bytes) = parameter.value {
            out.put_slice(bytes);
        }
    }
}
