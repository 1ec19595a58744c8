//! What a statement is, from its text alone and from the origin's catalog.
//!
//! This module is PostgreSQL's; [`mysql`] is the same for MySQL and MariaDB and shares what is the
//! same: [`Hint`], [`Parse`], [`Verdict`], [`Reason`], [`TableName`], [`Writes`].
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `facts` | [`Analysis`], [`StatementFacts`], [`Kind`]: what one parse finds |
//! | `asked` | [`Asked`]: where a SELECT asks about its own session, or signals another |
//! | `effects` | [`Effect`], [`Pin`]: the session state that a statement leaves behind |
//! | `tables` | [`TableName`], [`Writes`] |
//! | `deeds` | [`Deeds`]: what running something may do besides answering |
//! | `hints` | [`Hint`]: the comment that sets max_age or says no-cache |
//! | `bounds` | what may be given to that grammar: texts that it reads in linear time |
//! | `postgres` | [`analyse`]: text to facts, with PostgreSQL's own grammar |
//! | `statement` | one top-level statement to its kind, effects and writes |
//! | `settings` | SET, RESET and set_config |
//! | `walk` | the walk over queries and expressions that collects [`Reads`] |
//! | `summary` | what can still be said of a statement nested too deeply to walk |
//! | `catalog` | [`Catalog`]: what the origin says of its functions, operators and relations |
//! | `classify` | [`classify()`]: facts and catalog to a [`Verdict`], default-deny |
//! | `graph` | which code runs which, and so what each does |
//! | `writers` | [`deeds()`]: facts and catalog to what a text does besides answering |
//! | `reason` | [`Reason`]: why not |
//! | `time_words` | [`is_time_word`]: texts such as `now` that make a constant depend on the clock |
//! | `shape` | the text without its constants and repeated rows, by which it is remembered |
//! | `memo` | [`AnalysisMemo`], [`Classifier`], [`Verdicts`]: the same for texts seen before |

mod asked;
mod bounds;
mod catalog;
mod classify;
mod deeds;
mod effects;
mod facts;
mod graph;
mod hints;
mod memo;
pub mod mysql;
mod names;
mod postgres;
mod reason;
mod settings;
mod shape;
mod statement;
mod summary;
mod tables;
mod time_words;
mod walk;
mod writers;

pub use asked::{Argument, Asked, Mention};
pub use catalog::{Catalog, CatalogBuilder, CatalogError, CatalogQuery};
pub use classify::{Verdict, classify};
pub use deeds::Deeds;
pub use effects::{Effect, Pin};
pub use facts::{
    Analysis, DateCast, Discarded, FunctionCall, Kind, NamedBy, OperatorUse, Parse, Reads,
    StatementFacts, StatementName, TypeUse,
};
pub use hints::{Hint, behind_hint, without_hint};
pub use memo::{AnalysisMemo, Classified, Classifier, Verdicts, is_memoisable};
pub use names::prepared_text;
pub use postgres::{MAX_TEXT_BYTES, analyse};
pub use reason::Reason;
pub use settings::{UNREPORTED, assignment, quote};
pub use tables::{TableName, Writes};
pub use time_words::is_time_word;
pub use writers::{deeds, writes};

#[cfg(test)]
mod tests;
