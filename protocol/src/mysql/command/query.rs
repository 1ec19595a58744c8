//! `COM_QUERY`.

use bytes::{BufMut as _, BytesMut};

use super::{
    parameter::{Nulls, Parameter, Types, count, put_parameters, types, values},
    tag::CommandTag,
};
use crate::{
    mysql::values::put_lenenc,
    reader::{DecodeError, Reader},
};

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
