//! Facts and catalog to a verdict, default-deny.

use super::catalog::Catalog;
use super::facts::Analysis;
use super::reason::Reason;
use super::tables::{TableName, Writes};

/// Whether a reply may be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may, outside a transaction, if no text parameter [is a time word](super::is_time_word).
    Cacheable {
        /// What it reads, views looked through.
        tables: Vec<TableName>,
    },
    /// It may not.
    Refused(Reason),
}

/// Decides whether the reply of a text may be cached.
pub fn classify(analysis: &Analysis, _catalog: &Catalog) -> Verdict {
    let _ = analysis;
    Verdict::Refused(Reason::ParseError)
}

/// What a text writes, with what only the catalog knows.
pub fn writes(analysis: &Analysis, _catalog: &Catalog) -> Writes {
    analysis.writes()
}
