//! What a stream of events says has been changed, transaction by transaction.
//!
//! It does no I/O. A block of row events names its tables before it changes any row of them; a statement that was logged as
//! text is read as clients' are. What cannot be told apart counts as everything.
//!
//! ```text
//!   MySQL:    GTID  BEGIN        TABLE ROWS …  XID or COMMIT        GTID  a statement outside of a block
//!   MariaDB:  GTID (it begins)   TABLE ROWS …  XID or COMMIT        GTID (standalone)  a statement
//! ```

use std::time::Duration;

use bytes::Bytes;
use cache::sql::{
    TableName, Writes,
    mysql::{Catalog, Kind, Modes, analyse, writes},
};
use protocol::{
    mysql::binlog::{Event, Format, Gtid, Header, Query},
    reader::DecodeError,
};

/// `MODE_ANSI_QUOTES`, `MODE_NO_BACKSLASH_ESCAPES`, and those in which MariaDB reads another language.
const ANSI_QUOTES: u64 = 1 << 2;
const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;
const OTHER_LANGUAGES: u64 = 0b1_1111 << 8;

const DROP_TEMPORARY: &[u8] = b"DROP /*!40005 TEMPORARY */ TABLE ";

/// Follows a stream.
#[derive(Debug)]
pub(super) struct Tracker {
    format: Format,
    place: Place,
    /// Of a stream that goes on: when the file was begun in which it must do so.
    expected: Option<u32>,
    /// What the transaction has done so far.
    gathered: Change,
    stand: Stand,
}

/// Where in a transaction the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Between two.
    Between,
    /// One was announced.
    Announced,
    /// In a block. Has a table been named?
    Within { named: bool },
}

/// A place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The name of the file.
    pub(super) file: Bytes,
    /// Where in it; `None` where no replica can ask for it, beyond 4 GiB.
    pub(super) at: Option<u32>,
    /// When the file was begun; 0 where that is not known.
    pub(super) began: u32,
}

/// What a transaction, or a statement outside of one, has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Which tables.
    pub(super) writes: Writes,
    /// And which there are, or what belongs to them.
    pub(super) defines: bool,
    /// When it was committed, since 1970 by the server's clock; with statements that took long that may be when they began.
    pub(super) at: Duration,
}

/// What an event comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing yet.
    Nothing,
    /// This.
    Changed(Change),
    /// There is nothing more at the moment.
    Idle,
}

/// Why a stream cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// It is not what a server sends.
    #[error("what the origin sends is no binary log")]
    Protocol(#[from] DecodeError),
    /// A file has the name of the one in which the stream was left, and is another.
    #[error("the binary log has been begun anew")]
    Another,
}

impl Tracker {
    /// At a place from which a stream has been asked for.
    pub(super) fn new(place: Place) -> Self {
        let expected = (place.began != 0).then_some(place.began);
        let (format, gathered) = (Format::default(), Change::default());
        Self { format, place, expected, gathered, stand: Stand::Between }
    }

    /// The place behind the last transaction that ended.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Takes an event of `len` bytes that begins with `head`. `catalog` is the origin's, if that is known.
    ///
    /// # Errors
    ///
    /// [`Lost`].
    pub(super) fn take(
        &mut self,
        (head, len): (&[u8], usize),
        catalog: Option<&Catalog>,
    ) -> Result<Told, Lost> {
        let (header, event) = self.format.read(head, len)?;
        let told = match event {
            Event::Format(format) => {
                if self.expected.take().is_some_and(|began| began != format.began) {
                    return Err(Lost::Another);
                }
                (self.format, self.place.began) = (format, format.began);
                Told::Nothing
            }
            Event::Rotate { file, position } => {
                if file != self.place.file {
                    self.place = Place { file: Bytes::copy_from_slice(file), at: None, began: 0 };
                }
                self.place.at = u32::try_from(position).ok();
                return Ok(Told::Nothing);
            }
            Event::Heartbeat => return Ok(Told::Idle),
            Event::Payload(payload) => {
                let format = self.format;
                let read = format.events(&payload, |_header, event| {
                    self.gather(&event, catalog);
                });
                // Its end is in it, and what there was before it must not be forgotten.
                if read.is_err() {
                    self.gathered.unseen();
                }
                self.end(&header)
            }
            event => match self.gather(&event, catalog) {
                true => self.end(&header),
                false => Told::Nothing,
            },
        };
        if self.stand == Stand::Between && header.next != 0 {
            // In a file of more than 4 GiB places begin anew.
            self.place.at = self.place.at.filter(|at| *at <= header.next).map(|_at| header.next);
        }
        Ok(told)
    }

    /// The transaction has ended.
    fn end(&mut self, header: &Header) -> Told {
        self.stand = Stand::Between;
        let mut change = std::mem::take(&mut self.gathered);
        if change.at.is_zero() {
            change.at = Duration::from_secs(header.timestamp.into());
        }
        Told::Changed(change)
    }

    /// Takes in what an event adds. Whether it ends the transaction.
    fn gather(&mut self, event: &Event<'_>, catalog: Option<&Catalog>) -> bool {
        match event {
            Event::Gtid(Gtid { begins, committed_at }) => {
                self.gathered.at = committed_at.map(Duration::from_micros).unwrap_or_default();
                self.stand =
                    if *begins { Stand::Within { named: false } } else { Stand::Announced };
            }
            Event::Query(query) => return self.query(query, catalog),
            Event::Table { schema, name } => {
                self.stand = Stand::Within { named: true };
                match (str::from_utf8(schema), str::from_utf8(name)) {
                    (Ok(schema), Ok(name)) => self.gathered.table(schema, name),
                    _ => self.gathered.unseen(),
                }
            }
            Event::Rows => {
                if self.stand != (Stand::Within { named: true }) {
                    self.gathered.unseen();
                    self.stand = Stand::Within { named: true };
                }
            }
            Event::Commit => return true,
            Event::Unseen => {
                self.gathered.unseen();
                return !self.is_within();
            }
            // Of a transaction in one event within another nobody has heard.
            Event::Payload(_) => self.gathered.unseen(),
            Event::Harmless | Event::Heartbeat | Event::Format(_) | Event::Rotate { .. } => {}
        }
        false
    }

    const fn is_within(&self) -> bool {
        matches!(self.stand, Stand::Within { .. })
    }

    /// Takes in a statement. Whether it ends the transaction, or is one.
    fn query(&mut self, query: &Query<'_>, catalog: Option<&Catalog>) -> bool {
        match &*query.text {
            b"BEGIN" => {
                self.stand = Stand::Within { named: false };
                return false;
            }
            b"COMMIT" => return true,
            text if begins_with(text, b"XA START") || begins_with(text, b"XA BEGIN") => {
                self.stand = Stand::Within { named: false };
                return false;
            }
            text if begins_with(text, b"XA END") => return false,
            // The server's own words for what a session leaves.
            text if begins_with(text, DROP_TEMPORARY) => return !self.is_within(),
            text if begins_with(text, b"XA ROLLBACK") => return true,
            // What was prepared before becomes visible, whatever that was.
            text if begins_with(text, b"XA COMMIT") => {
                self.gathered.writes = Writes::Everything;
                return true;
            }
            _ => {}
        }
        let Some((text, modes)) = readable(query) else {
            self.gathered.unseen();
            return !self.is_within();
        };
        let analysis = analyse(text, modes);
        let kinds = || analysis.statements.iter().map(|statement| &statement.kind);
        match kinds().next() {
            Some(Kind::Begin) => {
                self.stand = Stand::Within { named: false };
                return false;
            }
            Some(Kind::Savepoint) => return false,
            // What tables without transactions were changed remains so.
            Some(Kind::Commit | Kind::Rollback) => return true,
            _ => {}
        }
        self.gathered.defines |= kinds().any(|kind| matches!(kind, Kind::Ddl | Kind::Unknown));
        let calls = || analysis.statements.iter().any(|one| !one.reads.calls.is_empty());
        self.gathered.writes.merge(match catalog {
            Some(catalog) => {
                let schema = String::from_utf8_lossy(query.schema);
                writes(&analysis, catalog, &schema)
            }
            None if analysis.writes() == Writes::None && !calls() => Writes::None,
            // Triggers, cascades and views are not known.
            None => Writes::Everything,
        });
        !self.is_within()
    }
}

impl Change {
    fn unseen(&mut self) {
        (self.writes, self.defines) = (Writes::Everything, true);
    }

    fn table(&mut self, schema: &str, name: &str) {
        // As readers spell it: in lower case.
        let table = TableName::qualified(&schema.to_lowercase(), &name.to_lowercase());
        self.writes.merge(Writes::Tables(vec![table]));
    }
}

/// A text that can be read, and how.
fn readable<'a>(query: &'a Query<'_>) -> Option<(&'a str, Modes)> {
    let mode = query.sql_mode.filter(|mode| mode & OTHER_LANGUAGES == 0)?;
    let modes = Modes {
        ansi_quotes: mode & ANSI_QUOTES != 0,
        no_backslash_escapes: mode & NO_BACKSLASH_ESCAPES != 0,
    };
    Some((str::from_utf8(&query.text).ok()?, modes))
}

fn begins_with(text: &[u8], words: &[u8]) -> bool {
    text.get(..words.len()).is_some_and(|head| head.eq_ignore_ascii_case(words))
}
