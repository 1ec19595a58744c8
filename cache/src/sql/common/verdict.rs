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
    /// How many table names it holds, about, for its weight in a memory.
    pub(crate) fn table_count(&self) -> usize {
        match self {
            Self::Cacheable { tables } => tables.len(),
            Self::Refused(_) => 1,
        }
    }
}
