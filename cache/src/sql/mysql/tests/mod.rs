//! Tables of SQL, and texts made to break the reader.

mod hostile;
mod state;

use super::{Analysis, Effect, Kind, Modes, StatementFacts, analyse};

const PLAIN: Modes = Modes { ansi_quotes: false, no_backslash_escapes: false };

fn analysed(sql: &str) -> Analysis {
    analyse(sql, PLAIN)
}

/// What one statement is.
fn only(sql: &str) -> StatementFacts {
    let Analysis { statements, .. } = analysed(sql);
    let [facts] = statements.try_into().unwrap_or_else(|all| panic!("{sql}: {all:?}"));
    facts
}

fn kind(sql: &str) -> Kind {
    only(sql).kind
}

fn effects(sql: &str) -> Vec<Effect> {
    analysed(sql).effects().cloned().collect()
}
