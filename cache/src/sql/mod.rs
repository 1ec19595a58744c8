//! What a statement is, from its text alone and from the origin's catalog.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | [`postgres`] | texts for PostgreSQL, read with its own grammar |
//! | [`mysql`] | texts for MySQL and MariaDB, read by a lexer of our own and sqlparser |
//! | [`shown`] | texts as people may see them, without constants |
//! | `common` | what both say and use; knows neither |
//!
//! The engines lie side by side and never know each other; what serves the same purpose in both has the same
//! name in both. What is truly common is exported here and not from `common`: to its users a table's name or a
//! verdict is a word of SQL whichever engine it came from, and so `sql::Writes` says more than a third place
//! to look in would. An engine's module exports only what is its own.

mod common;
pub mod mysql;
pub mod postgres;
pub mod shown;

pub use common::{
    Clock, Deeds, Hint, Judge, MAX_TEXT_BYTES, Nature, Obstacle, Parse, Problem, Reason, TableName,
    Verdict, Volatile, Writes, behind_hint, is_memoisable, without_hint,
};
