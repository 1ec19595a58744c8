//! Text to facts.
//!
//! Session state is found by the tokens alone. A single SELECT is then parsed, for only what is
//! understood completely may be cached.

use super::facts::{Analysis, Kind, StatementFacts, everything, plain};
use super::hints;
use super::lexer::{self, Lexed};
use super::modes::Modes;
use super::rights::rights_by_words;
use super::statement;
use super::target;
use super::tokens::Tokens;
use super::walk;
use crate::sql::common::{MAX_TEXT_BYTES, Obstacle, Parse};

/// What the text means. A pure function.
///
/// The stack is safe from nested texts: tokens are read in loops, and the parser that comes after has
/// a limit on its recursion and on the length of what it is given.
pub fn analyse(sql: &str, modes: Modes) -> Analysis {
    if sql.len() > MAX_TEXT_BYTES {
        return oversized(sql, modes);
    }
    let Ok(lexed) = lexer::lex(sql, modes) else {
        return unreadable(sql, Parse::Error);
    };
    let tokens = Tokens { sql, list: &lexed.tokens, modes };
    let mut analysis = Analysis { hint: hints::find(sql, &lexed), ..Analysis::default() };
    let Some(read) = statement::read(tokens, 0) else { return unreadable(sql, Parse::Error) };
    let is_alone = read.len() == 1;
    for (index, (mut stated, inside)) in read.into_iter().enumerate() {
        stated.mentions.iter_mut().for_each(|mention| mention.statement = index);
        analysis.unnamed.extend(stated.unnamed);
        let mut facts = stated.facts;
        if facts.kind == Kind::Unknown {
            analysis.parse = Parse::Error;
        }
        if facts.kind == Kind::Select && is_alone {
            let parse = select(inside, &lexed, stated.query.is_some(), &mut facts);
            analysis.parse = parse;
        }
        analysis.mentions.extend(stated.mentions);
        analysis.statements.push(facts);
    }
    analysis
}

/// Parses a SELECT that stands alone.
fn select(tokens: Tokens<'_>, lexed: &Lexed, is_query: bool, facts: &mut StatementFacts) -> Parse {
    let obstacle = if lexed.has_conditional {
        Some(Obstacle::ExecutableComment)
    } else if lexed.has_set_var {
        Some(Obstacle::SetsVariableInHint)
    } else if !is_query {
        Some(Obstacle::SetsVariables)
    } else {
        None
    };
    match obstacle {
        Some(obstacle) => {
            facts.reads.obstacles.insert(obstacle);
            Parse::Full
        }
        None => walk::read(tokens, &mut facts.reads),
    }
}

/// A text that is too long to be read completely: what it is must be plain from its beginning, and
/// that nothing in it leaves state behind, from its tokens.
fn oversized(sql: &str, modes: Modes) -> Analysis {
    let mut analysis = unreadable(sql, Parse::Oversized);
    let Ok(skimmed) = lexer::skim(sql, modes) else { return analysis };
    let head = Tokens { sql, list: &skimmed.head, modes };
    if skimmed.is_plain && head.is_one_of(0, &["INSERT", "REPLACE"]) {
        let writes = target::written(head, 0);
        analysis.statements =
            vec![StatementFacts { writes, text: 0..sql.len(), ..plain(Kind::Insert) }];
    }
    analysis
}

/// A text that cannot be read may do anything.
fn unreadable(sql: &str, parse: Parse) -> Analysis {
    let statement = StatementFacts {
        text: 0..sql.len(),
        rights: rights_by_words(sql.as_bytes()),
        ..everything(Kind::Unknown)
    };
    Analysis { statements: vec![statement], parse, ..Analysis::default() }
}
