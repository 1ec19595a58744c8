//! Text to facts.

use super::super::facts::Parse;
use super::super::tables::Writes;
use super::facts::{Analysis, Kind, Modes, StatementFacts};

/// What the text means. A pure function.
pub fn analyse(sql: &str, modes: Modes) -> Analysis {
    let _ = modes;
    let statement = StatementFacts {
        kind: Kind::Unknown,
        writes: Writes::Everything,
        text: 0..sql.len(),
        ..StatementFacts::default()
    };
    Analysis { statements: vec![statement], parse: Parse::Error, ..Analysis::default() }
}
