//! What a client asks for: the command byte, `COM_QUERY` and `COM_STMT_EXECUTE` with query attributes.
//!
//! The rest of the commands is a number or a text, and is read where it is used. Bodies are without the command
//! byte.

mod tag;

use bytes::{BufMut, BytesMut};

pub use self::tag::CommandTag;
use super::{
    capabilities::ColumnType,
    values::{binary_value, put_lenenc, put_lenenc_bytes},
};
use crate::reader::{DecodeError, Reader};

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

/// `COM_QUERY`: a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// Query attributes; none without `CLIENT_QUERY_ATTRIBUTES`.
    pub attributes: Vec<Parameter<'a>>,
    /// The text, in the client's character set.
    pub sql: &'a [u8],
}

impl<'a> Query<'a> {
    /// Reads what follows the command byte; `query_attributes` when that capability is in force.
    ///
    /// # Errors
    ///
    /// When the attributes do not fit the body. The text may be anything.
    pub fn decode(body: &'a [u8], query_attributes: bool) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if !query_attributes {
            return Ok(Self { attributes: Vec::new(), sql: body });
        }
        let count = count(reader.lenenc()?)?;
        if reader.lenenc()? != 1 {
            return Err(DecodeError::Value("number of parameter sets"));
        }
        let attributes = if count == 0 {
            Vec::new()
        } else {
            let nulls = Nulls::read(&mut reader, count)?;
            if reader.u8()? != 1 {
                return Err(DecodeError::Value("types of query attributes"));
            }
            let types = types(&mut reader, count, true)?;
            values(&mut reader, types, nulls, |_index| false)?
        };
        Ok(Self { attributes, sql: reader.rest() })
    }

    /// Appends the whole payload, command byte included. Without `query_attributes` the attributes are left out.
    pub fn encode(&self, query_attributes: bool, out: &mut BytesMut) {
        out.put_u8(CommandTag::Query.byte());
        if query_attributes {
            put_lenenc(out, self.attributes.len().try_into().unwrap_or(u64::MAX));
            put_lenenc(out, 1);
            if !self.attributes.is_empty() {
                put_parameters(out, self.attributes.iter(), Types::Named);
            }
        }
        out.put_slice(self.sql);
    }
}

/// `COM_STMT_EXECUTE`: run a prepared statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The statement's id, as the sender of the packet knows it.
    pub statement: u32,
    /// Which cursor to open ([`CURSOR_TYPE_NO_CURSOR`] and so on), without [`PARAMETER_COUNT_AVAILABLE`].
    pub flags: u8,
    /// Always 1.
    pub iterations: u32,
    /// Whether the types were in the packet (`new_params_bound`), and so are to be remembered.
    pub new_types: bool,
    /// The statement's own parameters, in order.
    pub parameters: Vec<Parameter<'a>>,
    /// Query attributes; none without `CLIENT_QUERY_ATTRIBUTES`.
    pub attributes: Vec<Parameter<'a>>,
}

/// What is known of a statement before its [`Execute`] can be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// How many parameters it has, from the reply to `COM_STMT_PREPARE`.
    pub params: u16,
    /// Their types at the last execution, for a packet that says "as before".
    pub types: Option<&'a [u16]>,
    /// Which of them had `COM_STMT_SEND_LONG_DATA` since the last execution or reset.
    pub long_data: &'a [u16],
}

impl<'a> Execute<'a> {
    /// The statement's id, which must be known before the rest can be read.
    ///
    /// # Errors
    ///
    /// When the body is shorter than that.
    pub fn statement(body: &[u8]) -> Result<u32, DecodeError> {
        Reader::new(body).u32_le()
    }

    /// Reads what follows the command byte; `query_attributes` when that capability is in force.
    ///
    /// # Errors
    ///
    /// When the body is not exactly such a command for such a statement; also when it says "types as before"
    /// and there were none.
    pub fn decode(
        body: &'a [u8],
        known: Known<'_>,
        query_attributes: bool,
    ) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let (statement, all_flags, iterations) = (reader.u32_le()?, reader.u8()?, reader.u32_le()?);
        let flags = all_flags & !PARAMETER_COUNT_AVAILABLE;
        let own = usize::from(known.params);
        let counted = query_attributes && (own > 0 || flags != all_flags);
        let all = if counted { count(reader.lenenc()?)? } else { own };
        if all < own {
            return Err(DecodeError::Value("number of parameters"));
        }
        let mut this = Self {
            statement,
            flags,
            iterations,
            new_types: false,
            parameters: Vec::new(),
            attributes: Vec::new(),
        };
        if all > 0 {
            let nulls = Nulls::read(&mut reader, all)?;
            this.new_types = reader.u8()? == 1;
            let types = if this.new_types {
                types(&mut reader, all, counted)?
            } else {
                remembered(known.types, all)?
            };
            let is_long = |index| {
                index < own && known.long_data.iter().any(|long| usize::from(*long) == index)
            };
            this.parameters = values(&mut reader, types, nulls, is_long)?;
            this.attributes = this.parameters.split_off(own.min(this.parameters.len()));
        }
        reader.end()?;
        Ok(this)
    }

    /// Appends the whole payload, command byte included, for the statement that the reader knows as `statement`.
    ///
    /// With `with_types` the types go along, so that it is right for a backend that never saw them. Without
    /// `query_attributes` the attributes are left out.
    pub fn encode(
        &self,
        statement: u32,
        with_types: bool,
        query_attributes: bool,
        out: &mut BytesMut,
    ) {
        let attributes = if query_attributes { self.attributes.as_slice() } else { &[] };
        let counted = query_attributes && !(self.parameters.is_empty() && attributes.is_empty());
        out.put_u8(CommandTag::StmtExecute.byte());
        out.put_u32_le(statement);
        out.put_u8(if counted { self.flags | PARAMETER_COUNT_AVAILABLE } else { self.flags });
        out.put_u32_le(self.iterations);
        let all = self.parameters.iter().chain(attributes);
        let count = all.clone().count();
        if counted {
            put_lenenc(out, count.try_into().unwrap_or(u64::MAX));
        }
        if count > 0 {
            // Attributes have no types that could be remembered.
            let with_types = with_types || !attributes.is_empty();
            let types = match (with_types, counted) {
                (false, _) => Types::AsBefore,
                (true, false) => Types::Nameless,
                (true, true) => Types::Named,
            };
            put_parameters(out, all, types);
        }
    }

    /// Whether a cursor is to be opened.
    pub fn opens_cursor(&self) -> bool {
        self.flags != CURSOR_TYPE_NO_CURSOR
    }
}

/// No cursor: all rows at once.
pub const CURSOR_TYPE_NO_CURSOR: u8 = 0;

/// A cursor, to be read with `COM_STMT_FETCH`.
pub const CURSOR_TYPE_READ_ONLY: u8 = 1;

/// The packet says how many parameters follow, even if the statement has none: `enum_cursor_type` in mysql.h.
pub const PARAMETER_COUNT_AVAILABLE: u8 = 8;

/// In [`Parameter::kind`]: the number has no sign.
pub const UNSIGNED: u16 = 0x8000;

/// `COM_STMT_BULK_EXECUTE`: run a prepared statement once for each row of parameters, which is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkExecute<'a> {
    /// The statement's id, as the sender of the packet knows it.
    pub statement: u32,
    /// Without [`BULK_SEND_TYPES`].
    pub flags: u16,
    /// The types, where they are in the packet.
    pub types: Option<Vec<u16>>,
    /// An indicator and a value for each parameter, row by row.
    pub rows: &'a [u8],
}

impl<'a> BulkExecute<'a> {
    /// Reads what follows the command byte, for a statement with `params` parameters.
    ///
    /// # Errors
    ///
    /// When the body is cut in front of the rows.
    pub fn decode(body: &'a [u8], params: u16) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let (statement, all_flags) = (reader.u32_le()?, reader.u16_le()?);
        let flags = all_flags & !BULK_SEND_TYPES;
        let types = if flags == all_flags {
            None
        } else {
            let types = types(&mut reader, usize::from(params), false)?;
            Some(types.into_iter().map(|(kind, _name)| kind).collect())
        };
        Ok(Self { statement, flags, types, rows: reader.rest() })
    }

    /// Appends the whole payload, command byte included, for the statement that the reader knows as `statement`.
    /// `types` go along, so that it is right for a backend that never saw them.
    pub fn encode(&self, statement: u32, types: &[u16], out: &mut BytesMut) {
        out.put_u8(CommandTag::StmtBulkExecute.byte());
        out.put_u32_le(statement);
        out.put_u16_le(self.flags | BULK_SEND_TYPES);
        types.iter().for_each(|kind| out.put_u16_le(*kind));
        out.put_slice(self.rows);
    }
}

/// The types are in the packet (`STMT_BULK_FLAG_CLIENT_SEND_TYPES`).
pub const BULK_SEND_TYPES: u16 = 128;

/// Which types go along with values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Types {
    /// None: those of the last time hold.
    AsBefore,
    /// Types alone.
    Nameless,
    /// Types and names, as `CLIENT_QUERY_ATTRIBUTES` has it.
    Named,
}

/// One bit per value.
#[derive(Clone, Copy)]
struct Nulls<'a>(&'a [u8]);

impl<'a> Nulls<'a> {
    fn read(reader: &mut Reader<'a>, count: usize) -> Result<Self, DecodeError> {
        reader.bytes(count.div_ceil(8)).map(Self)
    }

    fn has(self, index: usize) -> bool {
        let mask = 1_u8.wrapping_shl(u32::try_from(index % 8).unwrap_or(0));
        self.0.get(index / 8).is_some_and(|byte| byte & mask != 0)
    }
}

/// A statement has at most 65535 parameters ("ER_PS_MANY_PARAM"), and as many attributes are more than enough.
fn count(number: u64) -> Result<usize, DecodeError> {
    let count = u16::try_from(number).map_err(|_too_many| DecodeError::Value("parameter count"))?;
    Ok(usize::from(count))
}

fn column_type(kind: u16) -> ColumnType {
    let [low, _flags] = kind.to_le_bytes();
    ColumnType(low)
}

/// Types and names; what is not in the packet costs no memory.
fn types<'a>(
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

fn remembered(
    types: Option<&[u16]>,
    count: usize,
) -> Result<Vec<(u16, &'static [u8])>, DecodeError> {
    let types = types.filter(|types| types.len() == count);
    let types = types.ok_or(DecodeError::Value("types of parameters"))?;
    Ok(types.iter().map(|kind| (*kind, &[][..])).collect())
}

fn values<'a>(
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
fn put_parameters<'a>(
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

#[cfg(test)]
mod tests;
