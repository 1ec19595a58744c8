//! What reading SQL has in common, whichever engine the text is for.
//!
//! Nothing here knows an engine: what differs between them is a type parameter ([`Deeds`]) or a function that
//! is handed in. What the proxy also needs is exported by the parent; the rest is for the engines' modules.

mod advice;
mod culprit;
mod deeds;
mod graph;
mod hints;
mod judge;
mod memory;
mod obstacle;
mod parse;
mod problem;
mod reason;
mod tables;
mod verdict;
mod volatile;

pub(super) use culprit::Culprit;
pub use deeds::Deeds;
pub(super) use graph::{Does, Graph, all, reachable};
pub(super) use hints::{HINT_MARK, read_hint};
pub use hints::{Hint, behind_hint, without_hint};
pub use judge::Judge;
#[cfg(test)]
pub(super) use memory::MAX_MEMO_BYTES;
pub use memory::is_memoisable;
pub(super) use memory::{Memory, NAME_WEIGHT, OVERHEAD, judged_memory, recall};
pub use obstacle::Obstacle;
pub use parse::{MAX_TEXT_BYTES, Parse};
pub use problem::Problem;
pub use reason::Reason;
pub(super) use tables::MAX_TABLES;
pub use tables::{TableName, Writes};
pub(super) use verdict::{ByClock, worse};
pub use verdict::{Clock, Verdict};
pub(super) use volatile::DATE_TYPES;
pub use volatile::{Nature, Volatile};
