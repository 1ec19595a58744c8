//! What a PostgreSQL statement is, from its text alone and from the origin's catalog.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `facts` | [`Analysis`], [`StatementFacts`], [`Kind`], [`Mention`]: what one parse finds |
//! | `effects` | [`Effect`], [`Pin`]: the session state that a statement leaves behind; [`Deeds`] |
//! | `analyse` | [`analyse`]: text to facts, with PostgreSQL's own grammar |
//! | `bounds` | what may be given to that grammar: texts that it reads in linear time |
//! | `hints` | where in a text its hint stands |
//! | `statement` | one top-level statement to its kind, effects and writes |
//! | `settings` | SET, RESET and set_config |
//! | `names` | where a text names prepared statements |
//! | `asked` | where a SELECT asks about its own session, or signals another |
//! | `nodes` | names in the nodes of a parse tree |
//! | `walk` | the walk over queries and expressions that collects [`Reads`] |
//! | `summary` | what can still be said of a statement nested too deeply to walk |
//! | `time_words` | [`is_time_word`]: texts such as `now` that make a constant depend on the clock |
//! | `look_ups` | what of the server's own catalogs is cached |
//! | `stable` | what PostgreSQL's own stable functions depend on, as reviewed |
//! | `code` | [`Code`]: what the text of a function or of a DO may do, by its words |
//! | `catalog` | [`Catalog`]: what the origin says of its functions, operators and relations |
//! | `classify` | [`classify()`]: facts and catalog to a verdict, default-deny |
//! | `behind` | the same of what stands behind the names of a text: policies, views, functions |
//! | `writers` | [`deeds()`], [`writes`]: facts and catalog to what a text does besides answering |
//! | `shape` | the text without its constants and repeated rows, by which it is remembered |
//! | `memo` | [`AnalysisMemo`], [`Classifier`], [`Verdicts`]: the same for texts seen before |

mod analyse;
mod asked;
mod behind;
mod bounds;
mod built_in;
mod catalog;
mod classify;
mod code;
mod effects;
mod facts;
mod hints;
mod look_ups;
mod memo;
mod names;
mod nodes;
mod reads;
mod settings;
mod shape;
mod stable;
mod statement;
mod summary;
mod time_words;
mod types;
mod walk;
mod writers;

pub use analyse::analyse;
pub use catalog::{Catalog, CatalogError, CatalogQuery, builder::CatalogBuilder};
pub use classify::classify;
pub use code::Code;
pub use effects::{Deeds, Effect, Pin};
pub use facts::{
    Analysis, Argument, Asked, Discarded, Given, Kind, Mention, NamedBy, StatementFacts,
    StatementName,
};
pub use memo::{AnalysisMemo, Classified, Classifier, Verdicts};
pub use names::prepared_text;
pub use reads::{FunctionCall, Mixes, OperatorUse, Reads, Restless, TypeUse, Value};
pub use settings::{UNREPORTED, assignment, quote, with_value};
pub use time_words::is_time_word;
pub use writers::{deeds, is_lone_prepare, pins, writes};

#[cfg(test)]
mod tests;
