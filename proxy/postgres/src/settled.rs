//! What the first Parse of a statement settled for good.

use bytes::Bytes;
use protocol::reader::{DecodeError, Reader};

/// The types of a statement's parameters, and the rows that it returns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Settled {
    /// As in ParameterDescription: a count, and the OIDs.
    types: Bytes,
    /// Name, type and modifier of each column, of a statement that returns rows.
    rows: Option<Bytes>,
}

impl Settled {
    /// What a Describe was answered with: the bodies of ParameterDescription and of RowDescription, if there was one.
    pub(crate) fn new(parameters: &[u8], row_description: Option<&[u8]>) -> Self {
        let rows = row_description.map(|body| match columns(body) {
            Ok(columns) => columns.into(),
            // As it came: it equals itself, and no other.
            Err(_malformed) => Bytes::copy_from_slice(body),
        });
        Self { types: Bytes::copy_from_slice(parameters), rows }
    }

    /// The types of the parameters as a Parse fixes them.
    pub(crate) fn types(&self) -> &[u8] {
        &self.types
    }

    /// Whether it returns rows.
    pub(crate) fn has_rows(&self) -> bool {
        self.rows.is_some()
    }

    /// The OIDs of its parameters' types.
    pub(crate) fn parameter_types(&self) -> Vec<u32> {
        let mut reader = Reader::new(&self.types);
        let count = reader.u16().unwrap_or_default();
        (0..count).map_while(|_| reader.u32().ok()).collect()
    }

    /// The OIDs of its columns' types, of a statement that returns rows.
    pub(crate) fn column_types(&self) -> Option<Vec<u32>> {
        let mut reader = Reader::new(self.rows.as_ref()?);
        let mut types = Vec::new();
        while reader.cstr().is_ok() {
            let (of_type, modifier) = (reader.u32().ok()?, reader.u32().ok());
            types.extend(modifier.map(|_| of_type));
        }
        Some(types)
    }

    /// All of it, for a cache key.
    pub(crate) fn as_bytes(&self) -> [&[u8]; 2] {
        [&self.types, self.rows.as_deref().unwrap_or_default()]
    }

    /// What it costs to remember, in bytes, about.
    pub(crate) fn weight(&self) -> usize {
        self.types.len().saturating_add(self.rows.as_ref().map_or(0, Bytes::len))
    }
}

/// What must stay the same of a RowDescription (`equalRowTypes` in tupdesc.c): not the table that a column is of, which may
/// be made anew, and not the format, which each Bind chooses.
fn columns(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut columns = Vec::with_capacity(body.len());
    for _ in 0..reader.u16()? {
        columns.extend_from_slice(reader.cstr()?);
        columns.push(0);
        // Table and attribute number.
        reader.bytes(6)?;
        columns.extend_from_slice(reader.bytes(4)?);
        // Length of the type.
        reader.bytes(2)?;
        columns.extend_from_slice(reader.bytes(4)?);
        // Format.
        reader.bytes(2)?;
    }
    reader.end()?;
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One column: its name, table, type, modifier and format.
    fn described(name: &str, table: u8, of_type: u8, modifier: u8, format: u8) -> Settled {
        let numbers = [0, 0, 0, table, 0, 1, 0, 0, 0, of_type, 0, 4, 0, 0, 0, modifier, 0, format];
        let body = [&[0, 1][..], name.as_bytes(), &[0], &numbers].concat();
        Settled::new(b"\0\0", Some(&body))
    }

    #[test]
    fn rows_are_the_same_if_names_types_and_modifiers_are() {
        let first = described("a", 1, 23, 5, 0);
        assert_eq!(first, described("a", 2, 23, 5, 1), "the table and the format may differ");
        for other in [
            described("b", 1, 23, 5, 0),
            described("a", 1, 25, 5, 0),
            described("a", 1, 23, 6, 0),
            Settled::new(b"\0\0", None),
            Settled::new(b"\0\0", Some(b"\0\0")),
            Settled::new(b"\0\0", Some(b"\0\x01nonsense")),
        ] {
            assert_ne!(first, other);
        }
    }
}
