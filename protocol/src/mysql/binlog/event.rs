//! Events, as far as they say what is changed.

use super::{
    header::{HEADER_LEN, Header, Kind},
    payload::Payload,
    query::Query,
};
use crate::reader::{DecodeError, Reader};

/// The only version of the format that is read.
const VERSION: u16 = 4;
/// The server's version in a description of the format.
const SERVER_VERSION_LEN: usize = 50;
const CHECKSUM_LEN: usize = 4;
/// `BINLOG_CHECKSUM_ALG_CRC32`
const CRC32: u8 = 1;
/// `BINLOG_CHECKSUM_ALG_OFF`
const OFF: u8 = 0;

/// The number of each event whose fixed part is read, and how long that is, unless the format says otherwise.
const QUERY: (u8, u8) = (2, 13);
const LOAD_QUERY: (u8, u8) = (18, 26);
const TABLE: (u8, u8) = (19, 8);
const COMPRESSED_QUERY: (u8, u8) = (165, 13);

/// `LOGICAL_TIMESTAMP_TYPECODE`: behind it are two numbers by which replicas run transactions beside each other.
const LOGICAL_TIMESTAMPS: u8 = 2;
/// Another number follows.
const HAS_ORIGINAL: u64 = 1 << 55;
/// `FL_STANDALONE`: what follows is one event and no transaction.
const STANDALONE: u8 = 0x01;

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// What follows is written so.
    Format(Format),
    /// What follows stands in this file, from this place on.
    Rotate {
        /// The file's name.
        file: &'a [u8],
        /// Where its events go on.
        position: u64,
    },
    /// A statement.
    Query(Query<'a>),
    /// Rows behind it are of this table.
    Table {
        /// The schema.
        schema: &'a [u8],
        /// The name in it.
        name: &'a [u8],
    },
    /// Rows of tables named before were changed.
    Rows,
    /// A transaction follows.
    Gtid(Gtid),
    /// The transaction has been committed, or prepared.
    Commit,
    /// A whole transaction.
    Payload(Payload<'a>),
    /// There was nothing to send.
    Heartbeat,
    /// Nothing that changes a table.
    Harmless,
    /// It may have changed anything: it is not known, or too long, or says itself that something is missing.
    Unseen,
}

/// What is told in front of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gtid {
    /// A block has begun, whose end will be told. MySQL says BEGIN for that.
    pub begins: bool,
    /// When it was committed, in microseconds since 1970 by the server's clock, where that is told.
    pub committed_at: Option<u64>,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// When the file was begun, in seconds since 1970; 0 before any description was read.
    pub began: u32,
    /// A CRC-32 ends each event.
    has_checksum: bool,
    query_len: usize,
    load_query_len: usize,
    table_len: usize,
    compressed_query_len: usize,
}

impl Default for Format {
    /// Of events in front of the first description: to who asked for no checksums.
    fn default() -> Self {
        let len = |(_number, len): (u8, u8)| usize::from(len);
        Self {
            began: 0,
            has_checksum: false,
            query_len: len(QUERY),
            load_query_len: len(LOAD_QUERY),
            table_len: len(TABLE),
            compressed_query_len: len(COMPRESSED_QUERY),
        }
    }
}

impl Format {
    /// Reads an event of `len` bytes that begins with `head`.
    ///
    /// # Errors
    ///
    /// When its header is not one, it is not as long as that says, its checksum is wrong, or a part of it that matters is not
    /// what it must be.
    pub fn read<'a>(&self, head: &'a [u8], len: usize) -> Result<(Header, Event<'a>), DecodeError> {
        let mut reader = Reader::new(head);
        let header = Header::read(&mut reader)?;
        if header.len != len || head.len() > len {
            return Err(DecodeError::Length(u32::try_from(header.len).unwrap_or(u32::MAX)));
        }
        if header.kind == Kind::Format {
            return Ok((header, Event::Format(Self::described(&header, reader)?)));
        }
        let is_whole = head.len() == len;
        let body = if is_whole { self.checked(head, reader.rest())? } else { &[][..] };
        let event = match header.kind {
            Kind::Rows => Event::Rows,
            Kind::Heartbeat => Event::Heartbeat,
            Kind::Harmless => Event::Harmless,
            Kind::Commit => Event::Commit,
            Kind::Other if header.is_ignorable() => Event::Harmless,
            Kind::Incident | Kind::Other => Event::Unseen,
            _ if !is_whole => Event::Unseen,
            kind => self.body(kind, body)?,
        };
        Ok((header, event))
    }

    /// Gives each event of a payload to `take`. They have no checksums of their own, and their places are not those of the file.
    ///
    /// # Errors
    ///
    /// When it cannot be unpacked, or holds what is no event; `take` may have been given some by then.
    pub fn events(
        &self,
        payload: &Payload<'_>,
        mut take: impl FnMut(Header, Event<'_>),
    ) -> Result<(), DecodeError> {
        let format = Self { has_checksum: false, ..*self };
        payload.cut(|head, len| format.read(head, len).map(|(header, event)| take(header, event)))
    }

    fn body<'a>(&self, kind: Kind, body: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        let event = match kind {
            Kind::Query => Event::Query(Query::read(body, self.query_len)?),
            Kind::LoadQuery => Event::Query(Query::read(body, self.load_query_len)?),
            Kind::CompressedQuery => {
                match Query::read_compressed(body, self.compressed_query_len) {
                    Ok(query) => Event::Query(query),
                    Err(DecodeError::Length(_)) => Event::Unseen,
                    Err(error) => return Err(error),
                }
            }
            Kind::Rotate => {
                let mut reader = Reader::new(body);
                Event::Rotate { position: reader.u64_le()?, file: reader.rest() }
            }
            Kind::Table => table(body, self.table_len)?,
            Kind::Gtid => Event::Gtid(Gtid { begins: false, committed_at: committed_at(body) }),
            Kind::MariaDbGtid => {
                let mut reader = Reader::new(body);
                // Its number and its domain.
                reader.bytes(12)?;
                let begins = reader.u8()? & STANDALONE == 0;
                Event::Gtid(Gtid { begins, committed_at: None })
            }
            Kind::Payload => Event::Payload(Payload::read(body)?),
            Kind::Format
            | Kind::Rows
            | Kind::Heartbeat
            | Kind::Harmless
            | Kind::Commit
            | Kind::Incident
            | Kind::Other => Event::Unseen,
        };
        Ok(event)
    }

    /// The body without the checksum, which is right.
    fn checked<'a>(&self, event: &[u8], body: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        if !self.has_checksum {
            return Ok(body);
        }
        let (body, checksum) = body.split_last_chunk().ok_or(DecodeError::Truncated)?;
        let covered = event.len().saturating_sub(CHECKSUM_LEN);
        let computed = crc32fast::hash(event.get(..covered).unwrap_or_default());
        if computed.to_le_bytes() == *checksum {
            Ok(body)
        } else {
            Err(DecodeError::Value("checksum of an event"))
        }
    }

    /// What a description of the format says. It ends with how checksums are made, and with a checksum of its own whether or
    /// not others have one.
    fn described(header: &Header, mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        if reader.u16_le()? != VERSION {
            return Err(DecodeError::Value("version of the binary log"));
        }
        reader.bytes(SERVER_VERSION_LEN)?;
        // When the server began, if it has begun this file when it did.
        reader.u32_le()?;
        if usize::from(reader.u8()?) != HEADER_LEN {
            return Err(DecodeError::Value("length of the headers of events"));
        }
        let rest = reader.rest();
        let (lens, end) =
            rest.split_last_chunk::<{ CHECKSUM_LEN + 1 }>().ok_or(DecodeError::Truncated)?;
        let has_checksum = match end.first() {
            Some(&OFF) => false,
            Some(&CRC32) => true,
            _ => return Err(DecodeError::Value("kind of checksums")),
        };
        let len = |(number, usual): (u8, u8)| {
            let told = lens.get(usize::from(number).saturating_sub(1));
            usize::from(told.copied().unwrap_or(usual))
        };
        Ok(Self {
            began: header.timestamp,
            has_checksum,
            query_len: len(QUERY),
            load_query_len: len(LOAD_QUERY),
            table_len: len(TABLE),
            compressed_query_len: len(COMPRESSED_QUERY),
        })
    }
}

/// The names of a table. What follows describes its columns.
fn table(body: &[u8], fixed: usize) -> Result<Event<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    reader.bytes(fixed)?;
    let schema = reader.lenenc_bytes()?;
    reader.bytes(1)?;
    let name = reader.lenenc_bytes()?;
    reader.bytes(1)?;
    Ok(Event::Table { schema, name })
}

/// When a transaction of MySQL's was committed: `immediate_commit_timestamp`, which servers before 8.0 do not tell, nor
/// those whose identity has a tag, in this form.
fn committed_at(body: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(body);
    // Flags, the server's UUID, and the number.
    reader.bytes(25).ok()?;
    if reader.u8().ok()? != LOGICAL_TIMESTAMPS {
        return None;
    }
    reader.bytes(16).ok()?;
    let (low, high) = (reader.u32_le().ok()?, reader.u24_le().ok()?);
    Some((u64::from(high) << 32 | u64::from(low)) & !HAS_ORIGINAL)
}
