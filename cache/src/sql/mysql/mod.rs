//! What a MySQL or MariaDB statement is, from its text alone and from the origin's catalog.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `facts` | [`Analysis`], [`StatementFacts`], [`Kind`], [`Mention`]: what one reading finds |
//! | `effects` | [`Effect`], [`Pin`]: the session state that a statement leaves behind |
//! | `analyse` | [`analyse`]: text to facts |
//! | `lexer`, `tokens` | bytes to tokens as the servers cut them, and the questions asked of them |
//! | `hints` | where in a text its hint stands |
//! | `modes` | [`Modes`]: how a session reads a text |
//! | `statement`, `settings`, `target` | where each statement of a text ends, and its kind, effects and writes |
//! | `scan`, `items` | what can stand anywhere: assigned variables, lock functions, calls, mentions |
//! | `counted` | what a statement leaves of the one before it |
//! | `walk` | a SELECT to what it reads, with sqlparser's grammar |
//! | `left` | what stored code leaves in the session, by its words |
//! | `functions` | the reviewed table of built-in functions |
//! | `times` | [`Times`]: where a TIME is turned into a date, and takes the current one |
//! | `catalog` | [`Catalog`]: what the origin says of its tables, views, triggers and functions |
//! | `look_ups` | what of the server's own schema is cached |
//! | `classify` | [`classify()`]: facts and catalog to a verdict, default-deny |
//! | `writers` | [`writes`], [`left()`]: facts and catalog to what a text does besides answering |
//! | `rights` | what changes what users may do |
//! | `memo`, `shape` | [`AnalysisMemo`], [`Classifier`], [`Verdicts`]: the same for texts like those seen before |

mod analyse;
mod catalog;
mod classify;
mod counted;
mod effects;
mod facts;
mod functions;
mod hints;
mod items;
mod left;
mod lexer;
mod look_ups;
mod memo;
mod modes;
mod rights;
mod scan;
mod settings;
mod shape;
mod statement;
mod target;
mod times;
mod tokens;
mod walk;
mod writers;

pub use analyse::analyse;
pub use catalog::{Catalog, CatalogError, CatalogQuery, builder::CatalogBuilder};
pub use classify::classify;
pub use effects::{Effect, Pin};
pub use facts::{
    Analysis, Counted, Diagnosed, FunctionCall, Kind, Mention, Mentioned, Reads, Rights,
    StatementFacts, Use, Victim,
};
pub use left::Left;
pub use memo::{AnalysisMemo, Classified, Classifier, Verdicts};
pub use modes::Modes;
pub use rights::rights_by_words;
pub use times::Times;
pub use writers::{left, pins, writes};

#[cfg(test)]
mod tests;
