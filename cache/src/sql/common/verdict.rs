//! Whether a reply may be cached.

use std::sync::Arc;

use super::obstacle::Obstacle;
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
    /// It may for as long as the time that it tells, or counts from, may be old.
    Timed {
        /// As above.
        tables: Arc<[TableName]>,
        /// What of the time.
        clock: Clock,
        /// Why it may not where that may not be old at all.
        reason: Reason,
    },
    /// It may not.
    Refused(Reason),
}

/// What a reply tells of the time, or counts from. The order is that of what ages worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clock {
    /// The moment: a little later it is only a little wrong.
    Moment,
    /// The date, which is another one at midnight in the session's time zone.
    Date,
    /// The date in UTC, and maybe that of the session's time zone too.
    UtcDate,
}

/// What a reply takes of the clock, and where.
pub(in crate::sql) type ByClock = (Clock, Reason);

/// The one of two that ages worse; the first of equals.
pub(in crate::sql) fn worse(one: Option<ByClock>, other: Option<ByClock>) -> Option<ByClock> {
    match (one, other) {
        (Some(one), Some(other)) if one.0 < other.0 => Some(other),
        (one, other) => one.or(other),
    }
}

impl Verdict {
    /// Whether it is a reply from the database's own catalogs, which DDL changes.
    pub fn looks_up(&self) -> bool {
        self.tables().iter().any(TableName::are_catalogs)
    }

    /// Whether it is a reply from nothing but those.
    pub fn only_looks_up(&self) -> bool {
        match self {
            Self::Cacheable { tables } => {
                !tables.is_empty() && tables.iter().all(TableName::are_catalogs)
            }
            Self::Timed { .. } | Self::Refused(_) => false,
        }
    }

    /// The verdict where nothing is cached that is read of the database's own catalogs.
    #[must_use]
    pub fn without_look_ups(self) -> Self {
        if self.looks_up() {
            Self::Refused(Reason::Obstacle(Obstacle::LookUpsAreOff))
        } else {
            self
        }
    }

    /// What it reads, of a reply that may be cached; of another nothing.
    pub fn tables(&self) -> &[TableName] {
        match self {
            Self::Cacheable { tables } | Self::Timed { tables, .. } => tables,
            Self::Refused(_) => &[],
        }
    }

    /// How many table names it holds, about, for its weight in a memory.
    pub(crate) fn table_count(&self) -> usize {
        self.tables().len() + 1
    }
}
