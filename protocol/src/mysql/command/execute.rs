//! `COM_STMT_EXECUTE`, and MariaDB's `COM_STMT_BULK_EXECUTE`.

use bytes::{BufMut as _, BytesMut};

use super::{
    parameter::{Nulls, Parameter, Types, count, put_parameters, remembered, types, values},
    tag::CommandTag,
};
use crate::{
    mysql::values::put_lenenc,
    reader::{DecodeError, Reader},
};

/// No cursor: all rows at once.
pub const CURSOR_TYPE_NO_CURSOR: u8 = 0;

/// A cursor, to be read with `COM_STMT_FETCH`.
pub const CURSOR_TYPE_READ_ONLY: u8 = 1;

/// The packet says how many parameters follow, even if the statement has none: `enum_cursor_type` in mysql.h.
pub const PARAMETER_COUNT_AVAILABLE: u8 = 8;

/// The types are in the packet (`STMT_BULK_FLAG_CLIENT_SEND_TYPES`).
pub const BULK_SEND_TYPES: u16 = 128;

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
