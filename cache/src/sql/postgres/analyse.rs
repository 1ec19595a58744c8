//! Text to facts, with PostgreSQL's own grammar.
//!
//! The grammar is that of a server with `standard_conforming_strings` on; a session that turns it off
//! must not be cached, which is for the session to see.

use super::bounds::is_linear;
use super::effects::{Effect, Pin};
use super::facts::{Analysis, Kind, StatementFacts};
use super::hints;
use super::names::names;
use super::statement::{body_facts, facts_of};
use super::summary;
use crate::sql::common::{MAX_TEXT_BYTES, Parse, Writes};

/// What the text means. A pure function.
///
/// The stack is safe from nested texts: libpg_query checks the depth of its own recursion against the
/// thread's stack, and the decoder of its tree refuses more than a hundred levels.
pub fn analyse(sql: &str) -> Analysis {
    if sql.len() > MAX_TEXT_BYTES || !is_linear(sql) {
        return Analysis::not_understood(Parse::Oversized);
    }
    match pg_query::parse(sql, 0) {
        Ok(parsed) => {
            let stmts = &parsed.protobuf.stmts;
            let statements = stmts.iter().map(|raw| facts_of(raw, sql)).collect();
            let (hint, names) = (hints::find(sql), names(stmts, sql));
            Analysis { statements, hint, parse: Parse::Full, names }
        }
        Err(pg_query::Error::Decode(_)) => match summary::facts(sql) {
            Some(statements) => {
                let (hint, names) = (hints::find(sql), Box::default());
                Analysis { statements, hint, parse: Parse::Shallow, names }
            }
            None => Analysis::not_understood(Parse::Shallow),
        },
        Err(_) => Analysis::not_understood(Parse::Error),
    }
}

/// What a function in SQL's own syntax runs, by its definition: that is its only statement.
pub(super) fn analyse_definition(sql: &str) -> Analysis {
    if sql.len() > MAX_TEXT_BYTES || !is_linear(sql) {
        return Analysis::not_understood(Parse::Oversized);
    }
    match pg_query::parse(sql, 0) {
        Ok(parsed) => {
            let statements = parsed.protobuf.stmts.iter().flat_map(body_facts).collect();
            Analysis { statements, ..Analysis::default() }
        }
        Err(_) => Analysis::not_understood(Parse::Error),
    }
}

impl Analysis {
    /// What is said of a text that could not be understood: it may do anything and leave anything behind.
    pub fn not_understood(parse: Parse) -> Self {
        let statement = StatementFacts {
            kind: Kind::Unknown,
            effects: vec![Effect::Pin(Pin::Unparsed)],
            writes: Writes::Everything,
            may_release_pin: true,
            ..StatementFacts::default()
        };
        Self { statements: vec![statement], parse, ..Self::default() }
    }
}
