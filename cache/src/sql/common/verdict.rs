//! Whether a reply may be cached.

use std::sync::Arc;

use super::reason::Reason;
use super::tables::TableName;

/// Whether a reply may be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may, outside a transaction. PostgreSQL: if no text parameter is a time word.
    Cacheable {
        /// What it reads, views looked through, with the tables whose writes also change it.
        tables: Arc<[TableName]>,
    },
    /// It may not.
    Refused(Reason),
}

impl Verdict {
    /// Whether it is a reply from the database's own catalogs, which DDL changes.
    pub fn looks_up(&self) -> bool {
        match self {
            Self::Cacheable { tables } => tables.iter().any(TableName::are_catalogs),
            Self::Refused(_) => false,
        }
    }

    /// Whether it is a reply from nothing but those.
    pub fn only_looks_up(&self) -> bool {
        match self {
            Self::Cacheable { tables } => {
                !tables.is_empty() && tables.iter().all(TableName::are_catalogs)
            }
            Self::Refused(_) => false,
        }
    }

    /// The verdict where nothing is cached that is read of the database's own catalogs.
    #[must_use]
    pub fn without_look_ups(self) -> Self {
        if self.looks_up() {
            Self::Refused(Reason::Obstacle(SWITCHED_OFF.to_owned()))
        } else {
            self
        }
    }

    /// How many table names it holds, about, for its weight in a memory.
    pub(crate) fn table_count(&self) -> usize {
        match self {
            Self::Cacheable { tables } => tables.len(),
            Self::Refused(_) => 1,
        }
    }
}

const SWITCHED_OFF: &str = "reads the database's own catalogs, and round_trips.catalog is off";
