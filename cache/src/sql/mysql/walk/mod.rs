//! A SELECT to what it reads, for the cache.
//!
//! The tokens are ours, the grammar is sqlparser's; whatever either does not know becomes an obstacle.
//! The walk names every part of the tree that it takes, so a new construct is refused and not
//! overlooked. It recurses, which is safe because the parser limits its own depth, and because [`MAX_LINKS`]
//! limits the chains that a parser builds without recursion.

use sqlparser::ast::{Ident, ObjectNamePart, Query};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::{Parser, ParserError};

use super::facts::{Reads, Use};
use super::functions::{clock_word, is_volatile_word};
use super::lexer::TokenKind;
use super::look_ups;
use super::times::Operand;
use super::tokens::Tokens;
use crate::sql::common::{Obstacle, Parse, Volatile};

mod columns;
mod convert;
mod expression;
mod function;
mod source;
pub(super) mod variable;

pub(super) use convert::FORMATTED;

/// Reads a statement that is a query, and says how far it was understood.
pub(super) fn read(tokens: Tokens<'_>, reads: &mut Reads) -> Parse {
    words(tokens, reads);
    if links(tokens) > MAX_LINKS || joins(tokens) > MAX_JOINS {
        return Parse::Shallow;
    }
    match parse(tokens) {
        Ok(query) => {
            reads.is_complete = true;
            let mut walk = Walk::new(reads);
            drop(walk.query(&query, Place::Outermost));
            Parse::Full
        }
        Err(ParserError::RecursionLimitExceeded) => Parse::Shallow,
        Err(ParserError::ParserError(_) | ParserError::TokenizerError(_)) => {
            obstacle(reads, Obstacle::Opaque);
            Parse::Full
        }
    }
}

fn parse(tokens: Tokens<'_>) -> Result<Box<Query>, ParserError> {
    let converted = convert::tokens(tokens)
        .ok_or_else(|| ParserError::TokenizerError("unknown sign".to_owned()))?;
    let dialect = MySqlDialect {};
    let mut parser = Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).with_tokens(converted);
    let query = parser.parse_query()?;
    match parser.next_token().token {
        sqlparser::tokenizer::Token::EOF => Ok(query),
        _ => Err(ParserError::ParserError("more follows".to_owned())),
    }
}

/// Where a query stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is the statement: nothing is done with its columns but showing them.
    Outermost,
    /// Its columns are used by something.
    Inner,
}

/// What has been collected so far.
struct Walk<'r> {
    reads: &'r mut Reads,
    /// The names of the CTEs in scope, as they are spelled: whether their case matters depends on the
    /// server, and a name that is taken for a table is only refused.
    scope: Vec<String>,
}

impl<'r> Walk<'r> {
    const fn new(reads: &'r mut Reads) -> Self {
        Self { reads, scope: Vec::new() }
    }

    fn obstacle(&mut self, what: Obstacle) {
        obstacle(self.reads, what);
    }

    /// What is not known by name.
    fn unknown(&mut self) {
        self.reads.is_complete = false;
        self.obstacle(Obstacle::Opaque);
    }

    fn uses(&mut self, used: Use) {
        self.reads.uses.insert(used);
    }

    fn column(&mut self, name: Option<&Ident>) -> Operand {
        name.map_or_else(Operand::default, |name| Operand::column(self.number(name)))
    }

    fn number(&mut self, name: &Ident) -> u32 {
        self.reads.times.number(&name.value)
    }
}

/// What the words alone say, whatever the parser makes of them.
fn words(tokens: Tokens<'_>, reads: &mut Reads) {
    for at in 0..tokens.len() {
        match tokens.kind(at) {
            Some(TokenKind::Name)
                if tokens.name_part(at).is_some_and(|it| look_ups::is_restless(&it)) =>
            {
                reads.uses.insert(Use::Restless);
            }
            Some(TokenKind::UserVariable) => obstacle(reads, Obstacle::UserVariable),
            Some(TokenKind::SystemMark) => match variable::constant_len(tokens, at) {
                Some(_) => drop(reads.uses.insert(Use::Setting)),
                None => obstacle(reads, Obstacle::SystemVariable),
            },
            Some(TokenKind::Word) => {
                if look_ups::is_restless(tokens.text(at)) {
                    reads.uses.insert(Use::Restless);
                }
                word(tokens, at, reads);
            }
            Some(_) | None => {}
        }
    }
}

fn word(tokens: Tokens<'_>, at: usize, reads: &mut Reads) {
    let Some(word) = tokens.keyword(at) else { return };
    let word = word.to_ascii_lowercase();
    if is_volatile_word(&word) {
        reads.volatile.insert(Volatile::Word(word.clone()));
    }
    if let Some((word, clock, _)) = clock_word(&word) {
        reads.times.clock.insert((clock, word));
    }
    let is_locking = tokens.is(at, "FOR") && tokens.is_one_of(at + 1, &["UPDATE", "SHARE"])
        || tokens.are(at, &["LOCK", "IN"]);
    if is_locking {
        obstacle(reads, Obstacle::LocksRows);
    }
    let known = match word.as_str() {
        "into" => Obstacle::RowsElsewhere,
        "sql_calc_found_rows" => Obstacle::CountsFoundRows,
        "sql_no_cache" => Obstacle::SaysNoCache,
        "procedure" => Obstacle::Procedure,
        "for" if tokens.is(at + 1, "SYSTEM_TIME") => Obstacle::ReadsPast,
        "next" | "previous" if tokens.is(at + 1, "VALUE") => Obstacle::Sequence,
        "rownum" => Obstacle::NumbersRows,
        _ => return,
    };
    obstacle(reads, known);
}

/// How many tokens there are that the parser may hang one below the other: all but those of lists.
fn links(tokens: Tokens<'_>) -> usize {
    let in_list = |at: usize| match tokens.kind(at) {
        Some(
            TokenKind::Text
            | TokenKind::National
            | TokenKind::Bits
            | TokenKind::Number
            | TokenKind::Parameter,
        ) => true,
        _ => tokens.is_symbol(at, ","),
    };
    (0..tokens.len()).filter(|&at| !in_list(at)).count()
}

/// How many joins there are: the parser recurses for each of `a JOIN b JOIN c …`, and does not count them.
fn joins(tokens: Tokens<'_>) -> usize {
    (0..tokens.len()).filter(|&at| tokens.is_one_of(at, &["JOIN", "STRAIGHT_JOIN"])).count()
}

fn obstacle(reads: &mut Reads, what: Obstacle) {
    reads.obstacles.insert(what);
}

fn ident(part: &ObjectNamePart) -> Option<&Ident> {
    match part {
        ObjectNamePart::Identifier(ident) => Some(ident),
        ObjectNamePart::Function(_) => None,
    }
}

/// How deep the parser may recurse.
const MAX_DEPTH: usize = 40;

/// How many tokens may hang one below the other.
const MAX_LINKS: usize = 3000;

/// More tables than that no server joins (MySQL: `MAX_TABLES`).
const MAX_JOINS: usize = 61;
