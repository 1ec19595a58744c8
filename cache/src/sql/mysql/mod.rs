//! What a MySQL or MariaDB statement is, from its text alone and from the origin's catalog.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `facts` | [`Analysis`], [`StatementFacts`], [`Kind`], [`Mention`]: what one reading finds |
//! | `effects` | [`Effect`], [`Pin`]: the session state that a statement leaves behind |
//! | `analyse` | [`analyse`]: text to facts |
//! | `catalog` | [`Catalog`]: what the origin says of its tables, views, triggers and functions |
//! | `classify` | [`classify()`]: facts and catalog to a verdict, default-deny |
//! | `memo` | [`AnalysisMemo`], [`Classifier`]: the same for texts seen before |

mod analyse;
mod catalog;
mod classify;
mod effects;
mod facts;
mod memo;

pub use analyse::analyse;
pub use catalog::{Catalog, CatalogBuilder, CatalogError, CatalogQuery};
pub use classify::{classify, writes};
pub use effects::{Effect, Pin};
pub use facts::{Analysis, FunctionCall, Kind, Mention, Mentioned, Modes, Reads, StatementFacts};
pub use memo::{AnalysisMemo, Classified, Classifier};
