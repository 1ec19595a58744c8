//! Column definitions and rows of the text protocol.

use bytes::{BufMut, BytesMut};

use super::super::{
    capabilities::{ColumnFlags, ColumnType},
    values::{put_lenenc, put_lenenc_bytes},
};
use crate::reader::{DecodeError, Reader};

/// "Protocol::ColumnDefinition41".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnDef<'a> {
    /// The schema of the table.
    pub schema: &'a [u8],
    /// The table, by the name the statement gave it.
    pub table: &'a [u8],
    /// The table, by its own name.
    pub org_table: &'a [u8],
    /// The column, by the name the statement gave it.
    pub name: &'a [u8],
    /// The column, by its own name.
    pub org_name: &'a [u8],
    /// The collation of its values; 63 is `binary`.
    pub collation: u16,
    /// The most bytes or digits that a value takes.
    pub length: u32,
    /// Its type.
    pub kind: ColumnType,
    /// What else is known of it.
    pub flags: ColumnFlags,
    /// Digits behind the point; 31 for a number without fixed point.
    pub decimals: u8,
}

impl<'a> ColumnDef<'a> {
    /// A column that belongs to no table.
    pub fn computed(name: &'a [u8], kind: ColumnType, collation: u16, length: u32) -> Self {
        Self {
            schema: &[],
            table: &[],
            org_table: &[],
            name,
            org_name: &[],
            collation,
            length,
            kind,
            flags: ColumnFlags::empty(),
            decimals: 0,
        }
    }

    /// Reads a definition. What may follow in the reply to `COM_FIELD_LIST`, the default value, is not read.
    ///
    /// # Errors
    ///
    /// When it is cut inside a field.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        if reader.lenenc_bytes()? != CATALOG {
            return Err(DecodeError::Value("catalog of a column"));
        }
        let (schema, table) = (reader.lenenc_bytes()?, reader.lenenc_bytes()?);
        let (org_table, name) = (reader.lenenc_bytes()?, reader.lenenc_bytes()?);
        let org_name = reader.lenenc_bytes()?;
        if reader.lenenc()? != FIXED_LEN {
            return Err(DecodeError::Value("length of a column's fixed fields"));
        }
        let (collation, length) = (reader.u16_le()?, reader.u32_le()?);
        let kind = ColumnType(reader.u8()?);
        let flags = ColumnFlags::from_bits_retain(reader.u16_le()?);
        let decimals = reader.u8()?;
        reader.bytes(2)?;
        Ok(Self {
            schema,
            table,
            org_table,
            name,
            org_name,
            collation,
            length,
            kind,
            flags,
            decimals,
        })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut BytesMut) {
        put_lenenc_bytes(out, CATALOG);
        for text in [self.schema, self.table, self.org_table, self.name, self.org_name] {
            put_lenenc_bytes(out, text);
        }
        put_lenenc(out, FIXED_LEN);
        out.put_u16_le(self.collation);
        out.put_u32_le(self.length);
        out.put_u8(self.kind.0);
        out.put_u16_le(self.flags.bits());
        out.put_u8(self.decimals);
        out.put_u16_le(0);
    }
}

/// Where a definition's fixed fields begin, behind its names and what `MARIADB_CLIENT_EXTENDED_METADATA` puts there;
/// and where its names end.
fn fixed_fields(definition: &[u8], extended: bool) -> Result<(usize, usize), DecodeError> {
    let mut reader = Reader::new(definition);
    for _ in 0..NAMES {
        reader.lenenc_bytes()?;
    }
    let names = definition.len().saturating_sub(reader.rest().len());
    if extended {
        reader.lenenc_bytes()?;
    }
    Ok((names, definition.len().saturating_sub(reader.rest().len())))
}

/// Whether a definition has what `MARIADB_CLIENT_EXTENDED_METADATA` adds. Not for the reply to `COM_FIELD_LIST`, where
/// a default value may stand behind it.
///
/// # Errors
///
/// When it is cut inside a name.
pub fn is_extended(definition: &[u8]) -> Result<bool, DecodeError> {
    let (names, _) = fixed_fields(definition, false)?;
    Ok(definition.len().saturating_sub(names) != FIXED_BYTES)
}

/// Appends a definition for a reader that has agreed on `MARIADB_CLIENT_EXTENDED_METADATA`, or has not; `from` says the
/// same of its writer.
///
/// # Errors
///
/// When it is cut inside a name.
pub fn put_definition(
    definition: &[u8],
    from: bool,
    to: bool,
    out: &mut BytesMut,
) -> Result<(), DecodeError> {
    if from == to {
        out.put_slice(definition);
        return Ok(());
    }
    let (names, fixed) = fixed_fields(definition, from)?;
    out.put_slice(definition.get(..names).unwrap_or_default());
    if to {
        // Nothing more is known of it.
        out.put_u8(0);
    }
    out.put_slice(definition.get(fixed..).unwrap_or_default());
    Ok(())
}

/// Reads the packet in front of column definitions.
///
/// # Errors
///
/// When it is not a number alone, or none. A table has 4096 columns at the most, a SELECT as many as fit its text.
pub fn column_count(payload: &[u8]) -> Result<u32, DecodeError> {
    let mut reader = Reader::new(payload);
    let count = reader.lenenc()?;
    reader.end()?;
    match u32::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(DecodeError::Value("number of columns")),
    }
}

/// Appends the packet in front of column definitions.
pub fn encode_column_count(count: u32, out: &mut BytesMut) {
    put_lenenc(out, u64::from(count));
}

/// The values of a row of the text protocol; `None` is NULL. The first error is the last item.
pub fn text_row(payload: &[u8]) -> impl Iterator<Item = Result<Option<&[u8]>, DecodeError>> {
    let mut reader = Reader::new(payload);
    std::iter::from_fn(move || {
        let value = match reader.rest().first()? {
            &NULL => reader.bytes(1).map(|_null| None),
            _ => reader.lenenc_bytes().map(Some),
        };
        if value.is_err() {
            reader = Reader::new(&[]);
        }
        Some(value)
    })
}

/// Appends a row of the text protocol; `None` is NULL.
pub fn encode_text_row<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>, out: &mut BytesMut) {
    for value in values {
        match value {
            Some(value) => put_lenenc_bytes(out, value),
            None => out.put_u8(NULL),
        }
    }
}

/// Stands for a value that is NULL.
const NULL: u8 = 0xfb;
const CATALOG: &[u8] = b"def";
const FIXED_LEN: u64 = 12;
/// The same with the byte that says so.
const FIXED_BYTES: usize = 13;
/// Catalog, schema, two for the table, two for the column.
const NAMES: usize = 6;
