//! Whether an answer is right: the rules, and what one client remembers for them.
//!
//! Nothing is asked of the database for this. A client knows what it wrote and what it saw; a row's text follows
//! from key and version.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::{
    table::{Row, text_of},
    workload::Operation,
};

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of a read.
    Rows(Vec<Row>),
    /// Of a write: how many rows it changed.
    Changed(u64),
    /// Something else, in words.
    Unreadable(String),
}

/// What became of one operation, and when.
pub type Done = (anyhow::Result<Answer>, Instant);

/// An answer that is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// In full.
    Surely,
    /// A write changed nothing, which the next read of this key must explain with a newer version.
    IfNewer(i32),
}

/// An answer that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Not exactly one row.
    #[error("key {key}: {rows} rows instead of one")]
    Rows {
        /// What was asked for.
        key: i32,
        /// How many came.
        rows: usize,
    },
    /// Another key's row.
    #[error("key {key}: the row of key {found}")]
    Key {
        /// What was asked for.
        key: i32,
        /// What came.
        found: i32,
    },
    /// A text that no write wrote.
    #[error("key {key}, version {version}: the text is {found:?}")]
    Text {
        /// What was asked for.
        key: i32,
        /// What the row says.
        version: i64,
        /// What does not belong to it.
        found: String,
    },
    /// Older than what this client wrote itself.
    #[error("key {key}: version {version}, after this client wrote {wrote}")]
    Lost {
        /// What was asked for.
        key: i32,
        /// What came.
        version: i64,
        /// What must be there, or a newer one.
        wrote: i64,
    },
    /// Older than what this client has seen.
    #[error("key {key}: version {version}, after this client saw {seen}")]
    WentBack {
        /// What was asked for.
        key: i32,
        /// What came.
        version: i64,
        /// What was there before.
        seen: i64,
    },
    /// A write that changed many rows.
    #[error("key {key}: a write changed {rows} rows")]
    Changed {
        /// What was to be written.
        key: i32,
        /// How many rows changed.
        rows: u64,
    },
    /// The answer to something else.
    #[error("{operation:?}: {answer}")]
    Unreadable {
        /// What was asked.
        operation: Operation,
        /// What came.
        answer: String,
    },
}

/// What one client knows of the versions.
#[derive(Debug)]
pub struct Memory {
    floors: HashMap<i32, Floor>,
    allow_stale: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Floor {
    wrote: i64,
    seen: i64,
}

impl Memory {
    /// Knows nothing yet. `allow_stale` forgives others' versions that go back.
    #[must_use]
    pub fn new(allow_stale: bool) -> Self {
        Self { floors: HashMap::new(), allow_stale }
    }

    /// Checks an answer, and remembers it. Answers must come in the order of their operations.
    ///
    /// # Errors
    ///
    /// It is wrong.
    pub fn check(&mut self, operation: Operation, answer: &Answer) -> Result<Right, Wrong> {
        match (operation, answer) {
            (Operation::Read(key), Answer::Rows(rows)) => self.read(key, rows),
            (Operation::Write { key, version }, Answer::Changed(rows)) => {
                self.wrote(key, version, *rows)
            }
            (_, answer) => {
                let answer = match answer {
                    Answer::Unreadable(words) => words.clone(),
                    other => format!("{other:?}"),
                };
                Err(Wrong::Unreadable { operation, answer })
            }
        }
    }

    fn read(&mut self, key: i32, rows: &[Row]) -> Result<Right, Wrong> {
        let [row] = rows else { return Err(Wrong::Rows { key, rows: rows.len() }) };
        if row.id != key {
            return Err(Wrong::Key { key, found: row.id });
        }
        let version = row.version;
        if row.text != text_of(key, version) {
            return Err(Wrong::Text { key, version, found: row.text.clone() });
        }
        let floor = self.floors.entry(key).or_default();
        if version < floor.wrote {
            return Err(Wrong::Lost { key, version, wrote: floor.wrote });
        }
        if version < floor.seen && !self.allow_stale {
            return Err(Wrong::WentBack { key, version, seen: floor.seen });
        }
        floor.seen = floor.seen.max(version);
        Ok(Right::Surely)
    }

    fn wrote(&mut self, key: i32, version: i64, rows: u64) -> Result<Right, Wrong> {
        let floor = self.floors.entry(key).or_default();
        // Also if nothing changed: then a version that is newer still must be there.
        floor.wrote = floor.wrote.max(version);
        match rows {
            1 => Ok(Right::Surely),
            0 => Ok(Right::IfNewer(key)),
            rows => Err(Wrong::Changed { key, rows }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i32, version: i64) -> Answer {
        Answer::Rows(vec![Row { id, version, text: text_of(id, version) }])
    }

    fn write(key: i32, version: i64) -> Operation {
        Operation::Write { key, version }
    }

    #[test]
    fn a_read_is_one_row_of_its_key_with_its_text() {
        let mut memory = Memory::new(false);
        let mut read = |answer: Answer| memory.check(Operation::Read(5), &answer);
        assert_eq!(read(row(5, 0)), Ok(Right::Surely));
        assert_eq!(read(Answer::Rows(vec![])), Err(Wrong::Rows { key: 5, rows: 0 }));
        assert_eq!(read(row(6, 0)), Err(Wrong::Key { key: 5, found: 6 }));
        let torn = Row { id: 5, version: 2, text: text_of(5, 1) };
        let found = torn.text.clone();
        assert_eq!(read(Answer::Rows(vec![torn])), Err(Wrong::Text { key: 5, version: 2, found }));
        assert!(matches!(read(Answer::Changed(1)), Err(Wrong::Unreadable { .. })));
        assert!(matches!(read(Answer::Unreadable("x".into())), Err(Wrong::Unreadable { .. })));
    }

    #[test]
    fn a_version_that_was_seen_does_not_go_back_unless_stale_is_allowed() {
        let back = Wrong::WentBack { key: 1, version: 3, seen: 4 };
        for (allow_stale, expected) in [(false, Err(back)), (true, Ok(Right::Surely))] {
            let mut memory = Memory::new(allow_stale);
            memory.check(Operation::Read(1), &row(1, 4)).unwrap();
            assert_eq!(memory.check(Operation::Read(1), &row(1, 3)), expected);
            assert_eq!(memory.check(Operation::Read(2), &row(2, 3)), Ok(Right::Surely));
        }
    }

    #[test]
    fn what_a_client_wrote_it_sees_even_if_stale_is_allowed() {
        let mut memory = Memory::new(true);
        memory.check(write(1, 8), &Answer::Changed(1)).unwrap();
        let lost = Wrong::Lost { key: 1, version: 7, wrote: 8 };
        assert_eq!(memory.check(Operation::Read(1), &row(1, 7)), Err(lost));
        assert_eq!(memory.check(Operation::Read(1), &row(1, 8)), Ok(Right::Surely));
        assert_eq!(memory.check(Operation::Read(1), &row(1, 9)), Ok(Right::Surely));
    }

    #[test]
    fn a_write_that_changed_nothing_must_be_explained_by_a_newer_version() {
        let mut memory = Memory::new(false);
        assert_eq!(memory.check(write(1, 8), &Answer::Changed(0)), Ok(Right::IfNewer(1)));
        let lost = Wrong::Lost { key: 1, version: 7, wrote: 8 };
        assert_eq!(memory.check(Operation::Read(1), &row(1, 7)), Err(lost));
        let many = Wrong::Changed { key: 1, rows: 2 };
        assert_eq!(memory.check(write(1, 9), &Answer::Changed(2)), Err(many));
    }
}
