//! The messages of the plugin `pgoutput`.

use super::position::Position;
use crate::reader::{DecodeError, Reader};

/// A message of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// `B`: a transaction that has committed begins.
    Begin {
        /// Its number, without the epoch.
        transaction: u32,
    },
    /// `C`: it ends.
    Commit {
        /// Where its commit ends in the log.
        end: Position,
    },
    /// `R`: what a table is of which changes follow.
    Relation(Relation<'a>),
    /// `I`, `U` or `D`: a row of a table was written.
    Change {
        /// The table's number.
        relation: u32,
    },
    /// `T`: tables were emptied.
    Truncate(Relations<'a>),
    /// `M`: somebody called `pg_logical_emit_message`.
    Emitted {
        /// Whom it is for.
        prefix: &'a [u8],
    },
    /// `O` or `Y`: where a transaction came from, what a type is.
    Aside,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation<'a> {
    /// Its number.
    pub id: u32,
    /// Its schema; empty for `pg_catalog`.
    pub schema: &'a [u8],
    /// Its name.
    pub name: &'a [u8],
    /// Its replica identity and its columns, as on the wire: with another one the table is another.
    pub described: &'a [u8],
}

/// Numbers of tables, as many as the message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relations<'a>(&'a [u8]);

impl Relations<'_> {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.as_chunks::<4>().0.iter().map(|bytes| u32::from_be_bytes(*bytes))
    }
}

impl<'a> Message<'a> {
    /// Reads one. What was written into a table, and what was emitted, need not be all there.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for what the plugin does not say in version 1.
    pub fn decode(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        match reader.u8()? {
            b'B' => {
                let (_commit, _committed_at) = (reader.u64()?, reader.u64()?);
                let transaction = reader.u32()?;
                reader.end()?;
                Ok(Self::Begin { transaction })
            }
            b'C' => {
                let (_flags, _commit) = (reader.u8()?, reader.u64()?);
                let end = Position(reader.u64()?);
                let _committed_at = reader.u64()?;
                reader.end()?;
                Ok(Self::Commit { end })
            }
            b'R' => Relation::decode(reader).map(Self::Relation),
            b'I' | b'U' | b'D' => Ok(Self::Change { relation: reader.u32()? }),
            b'T' => {
                let count = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
                let _options = reader.u8()?;
                let relations = reader.bytes(count.saturating_mul(4))?;
                reader.end()?;
                Ok(Self::Truncate(Relations(relations)))
            }
            b'M' => {
                let (_flags, _at) = (reader.u8()?, reader.u64()?);
                Ok(Self::Emitted { prefix: reader.cstr()? })
            }
            b'O' | b'Y' => Ok(Self::Aside),
            _ => Err(DecodeError::Value("message of pgoutput")),
        }
    }
}

impl<'a> Relation<'a> {
    fn decode(mut reader: Reader<'a>) -> Result<Self, DecodeError> {
        let (id, schema, name) = (reader.u32()?, reader.cstr()?, reader.cstr()?);
        let described = reader.rest();
        let _identity = reader.u8()?;
        for _column in 0..reader.u16()? {
            let (_flags, _name) = (reader.u8()?, reader.cstr()?);
            let (_type, _modifier) = (reader.u32()?, reader.i32()?);
        }
        reader.end()?;
        Ok(Self { id, schema, name, described })
    }
}
