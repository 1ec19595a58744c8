//! Text to facts.
//!
//! Session state is found by the tokens alone. A single SELECT is then parsed, for only what is
//! understood completely may be cached.

use super::blocks::{self, Piece};
use super::effects::Effect;
use super::facts::{Analysis, Kind, Modes, StatementFacts};
use super::hints;
use super::lexer::{self, Lexed, Token};
use super::rights::{self, rights_by_words};
use super::statement::{Stated, everything, plain, stated};
use super::target;
use super::tokens::Tokens;
use super::walk;
use crate::sql::common::{MAX_TEXT_BYTES, Parse, Writes};

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
    let Some(read) = read(tokens, 0) else { return unreadable(sql, Parse::Error) };
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

/// The statements of a text that another statement runs; none of one that cannot be read.
pub(super) fn analyse_inner(sql: &str, modes: Modes, depth: usize) -> Vec<Stated> {
    let lexed = lexer::lex(sql, modes).unwrap_or_default();
    let read = read(Tokens { sql, list: &lexed.tokens, modes }, depth).unwrap_or_default();
    read.into_iter().map(|(stated, _)| stated).collect()
}

/// The statements of a text with their tokens; none when it cannot be told where they end.
fn read(tokens: Tokens<'_>, depth: usize) -> Option<Vec<(Stated, Tokens<'_>)>> {
    let conditional = |at: usize| tokens.list.get(at).is_some_and(|token| token.is_conditional);
    if (0..tokens.len()).any(|at| conditional(at) && tokens.is_symbol(at, ";")) {
        return None;
    }
    let pieces = blocks::split(tokens).into_iter().map(|Piece { tokens: range, is_open }| {
        let inside = tokens.until(range.end).from(range.start);
        let mut stated = if inside.list.iter().any(|token| token.is_conditional) {
            either(inside, depth)
        } else {
            stated(inside, depth)
        };
        if is_open {
            stated.facts.effects.push(Effect::UnknownSetting);
        }
        (stated, inside)
    });
    Some(pieces.collect())
}

/// A statement of which a part is in a comment that some servers execute: what it may be with that
/// part and without.
fn either(tokens: Tokens<'_>, depth: usize) -> Stated {
    let mut with = stated(tokens, depth);
    let plain: Vec<Token> =
        tokens.list.iter().filter(|token| !token.is_conditional).copied().collect();
    if !plain.is_empty() {
        let without = stated(Tokens { list: &plain, ..tokens }, depth).facts;
        with.facts.rights = with.facts.rights.max(without.rights);
        if without.kind != with.facts.kind {
            with.facts.kind = Kind::Unknown;
            with.facts.rights = with.facts.rights.max(rights::changes(tokens, &with.facts));
        }
        with.facts.writes.merge(without.writes);
        with.facts.effects.extend(without.effects);
    }
    if with.facts.writes != Writes::None {
        with.facts.writes = Writes::Everything;
    }
    with.facts.effects.retain(|effect| !effect.is_release());
    with
}

/// Parses a SELECT that stands alone.
fn select(tokens: Tokens<'_>, lexed: &Lexed, is_query: bool, facts: &mut StatementFacts) -> Parse {
    let obstacle = if lexed.has_conditional {
        Some("has an executable comment")
    } else if lexed.has_set_var {
        Some("sets a variable in a hint")
    } else if !is_query {
        Some("sets variables for the statement")
    } else {
        None
    };
    match obstacle {
        Some(obstacle) => {
            facts.reads.obstacles.insert(obstacle.to_owned());
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
