//! The statements of a text, each to its kind, its effects and its writes, by its words.
//!
//! Words suffice for that, and they are seen also where no parser knows the rest. What begins with a
//! word that is not known here is [`Kind::Unknown`].

use std::ops::Range;

use super::counted;
use super::effects::Effect;
use super::facts::{Counted, Kind, Mention, Mentioned, Rights, StatementFacts, everything, plain};
use super::lexer::{self, Token, TokenKind};
use super::look_ups;
use super::modes::Modes;
use super::rights;
use super::scan::{self, Evaluated, Scan};
use super::target;
use super::tokens::Tokens;
use crate::sql::common::Writes;

mod blocks;
mod control;
mod definition;
mod locks;
mod query;

use blocks::Piece;

/// What one statement is, but for what its SELECT reads.
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) facts: StatementFacts,
    pub(super) mentions: Vec<Mention>,
    /// Items of select lists with a mention and without an alias.
    pub(super) unnamed: Vec<Range<usize>>,
    /// Where the query begins that runs, if it is one.
    pub(super) query: Option<usize>,
}

/// The statements of a text with their tokens; none when it cannot be told where they end.
pub(super) fn read(tokens: Tokens<'_>, depth: usize) -> Option<Vec<(Stated, Tokens<'_>)>> {
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
    with.facts.reads.is_complete = false;
    with.facts.effects.retain(|effect| !effect.is_release());
    with
}

/// The facts of the statement that the tokens are. `depth` counts the PREPAREs around it.
fn stated(tokens: Tokens<'_>, depth: usize) -> Stated {
    let Scan { effects: anywhere, mentions, unnamed, calls, .. } =
        scan::scan(tokens, evaluated(tokens));
    let mut stated = Stated { facts: StatementFacts::default(), mentions, unnamed, query: None };
    stated.facts = query::facts(tokens, &mut stated.query)
        .or_else(|| around(tokens, depth))
        .or_else(|| control::facts(tokens))
        .or_else(|| locks::facts(tokens))
        .or_else(|| code(tokens, depth))
        .or_else(|| definition::facts(tokens))
        .or_else(|| upkeep(tokens))
        .unwrap_or_else(|| everything(Kind::Unknown));
    if matches!(stated.facts.kind, Kind::Prepare(_)) {
        mentioned_in_literal(tokens, depth, &mut stated);
    }
    // Routines are not run by being made, and what they hold must be left as it is.
    if definition::is_stored_code(tokens) {
        stated.mentions.clear();
    } else {
        // What is defined is not run.
        let runs = stated.facts.kind != Kind::Ddl;
        let anywhere = anywhere.into_iter().filter(|effect| runs || !effect.is_release());
        stated.facts.effects.extend(anywhere);
        stated.facts.reads.calls = calls;
    }
    if stated.facts.counted == Counted::Server {
        let facts = &stated.facts;
        stated.facts.counted = counted::counted(tokens, &facts.kind, &facts.writes);
        stated.facts.is_tableless =
            counted::is_tableless(tokens, &stated.facts.kind, &stated.facts.reads);
    }
    // What SET STATEMENT … FOR runs has said so already.
    stated.facts.rights = stated.facts.rights.max(rights::changes(tokens, &stated.facts));
    if stated.facts.rights == Rights::Changed {
        // And so what the server's own schema shows.
        stated.facts.writes = Writes::Everything;
    }
    if asks_for_cost(tokens, &stated.facts.kind) {
        stated.facts.effects.push(Effect::OneShot);
    }
    if stated.facts.kind == Kind::Explain {
        stated.facts.effects.retain(|effect| !effect.is_release());
    }
    // In which order the parts of a statement act is not always that of the text.
    stated.facts.effects.sort_by_key(|effect| !effect.is_release());
    let end = tokens.len().saturating_sub(1);
    stated.facts.text = tokens.span(0).start..tokens.span(end).end;
    stated
}

/// Whether it asks for what the server remembers of the session's last query (`Last_query_cost`): whoever does will do so
/// again, and what stands there is the backend's.
fn asks_for_cost(tokens: Tokens<'_>, kind: &Kind) -> bool {
    let names = |at: usize| {
        let text = tokens.text(at);
        tokens.kind(at) == Some(TokenKind::Text)
            && text
                .as_bytes()
                .windows(ASKED_FOR.len())
                .any(|part| part.eq_ignore_ascii_case(ASKED_FOR))
    };
    matches!(kind, Kind::Show | Kind::Select) && (0..tokens.len()).any(names)
}

/// What the names of those counters begin with.
const ASKED_FOR: &[u8] = b"last_query_";

/// Which part of a statement is evaluated when it runs.
fn evaluated(tokens: Tokens<'_>) -> Evaluated {
    if tokens.is_one_of(0, &["CREATE", "ALTER", "DROP", "RENAME", "GRANT", "REVOKE"]) {
        return Evaluated { from: definition::evaluated(tokens), name: None };
    }
    let name = if tokens.is(0, "CALL") {
        Some(1)
    } else {
        let verb = (0..tokens.len()).find(|&at| tokens.is_one_of(at, &["INSERT", "REPLACE"]));
        verb.map(|verb| target::target(tokens, verb))
    };
    Evaluated { from: 0, name }
}

/// Where the text that a PREPARE gives as one plain literal asks for the number of its connection, which is the same
/// whenever that runs.
fn mentioned_in_literal(tokens: Tokens<'_>, depth: usize, stated: &mut Stated) {
    let text = tokens.text(3);
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    if tokens.len() != 4 || tokens.kind(3) != Some(TokenKind::Text) || tokens.value(3) != inner {
        return;
    }
    let begin = tokens.span(3).start + 1;
    let moved = |range: Range<usize>| range.start + begin..range.end + begin;
    for inner in inner_statements(inner, tokens.modes, depth.saturating_add(1)) {
        let own = inner.mentions.into_iter().filter(|one| one.what == Mentioned::ConnectionId);
        stated.mentions.extend(own.map(|one| Mention { span: moved(one.span), ..one }));
        stated.unnamed.extend(inner.unnamed.into_iter().map(moved));
    }
}

/// Statements around another one: SET STATEMENT, EXPLAIN.
fn around(tokens: Tokens<'_>, depth: usize) -> Option<StatementFacts> {
    let facts = match tokens.keyword(0)?.to_ascii_uppercase().as_str() {
        "SET" if tokens.is(1, "STATEMENT") && !tokens.is_symbol(2, "=") => {
            set_statement(tokens, depth)
        }
        "DESC" | "DESCRIBE" | "EXPLAIN" => explain(tokens),
        "ANALYZE" if !is_analyze_table(tokens) => explained(tokens, 1),
        _ => return None,
    };
    Some(facts)
}

/// `SET STATEMENT x = 1 FOR …` of MariaDB: the variables hold for the statement behind it.
fn set_statement(tokens: Tokens<'_>, depth: usize) -> StatementFacts {
    let inner = tokens.outer().find(|&at| tokens.is(at, "FOR")).filter(|_| depth < DEEPEST);
    match inner {
        Some(at) => {
            let mut facts = stated(tokens.from(at + 1), depth + 1).facts;
            facts.reads.is_complete = false;
            facts
        }
        None => everything(Kind::Unknown),
    }
}

/// EXPLAIN of a statement; or DESCRIBE of a table, which is a SHOW.
fn explain(tokens: Tokens<'_>) -> StatementFacts {
    let verb = (1..tokens.len()).find(|&at| tokens.is_one_of(at, &EXPLAINED));
    match verb {
        // With ANALYZE it runs. It may also run functions of derived tables without.
        Some(verb) => {
            let mut facts = explained(tokens, verb);
            if !(1..verb).any(|at| tokens.is(at, "ANALYZE")) {
                facts.writes = Writes::None;
            }
            facts
        }
        None if (1..tokens.len()).any(|at| tokens.is(at, "CONNECTION")) => plain(Kind::Explain),
        None => {
            let reads = look_ups::shown(tokens).unwrap_or_default();
            StatementFacts { reads, ..plain(Kind::Show) }
        }
    }
}

fn explained(tokens: Tokens<'_>, verb: usize) -> StatementFacts {
    let verb = (verb..tokens.len()).find(|&at| tokens.is_one_of(at, &EXPLAINED));
    let inner = verb.map(|verb| stated(tokens.from(verb), DEEPEST).facts);
    let facts = inner.unwrap_or_else(|| everything(Kind::Explain));
    StatementFacts { kind: Kind::Explain, counted: Counted::Server, ..facts }
}

fn is_analyze_table(tokens: Tokens<'_>) -> bool {
    let at = tokens.skip(1, &["NO_WRITE_TO_BINLOG", "LOCAL"]);
    tokens.is_one_of(at, &["TABLE", "TABLES"])
}

/// The statements of a text that another statement runs; none of one that cannot be read.
fn inner_statements(sql: &str, modes: Modes, depth: usize) -> Vec<Stated> {
    let lexed = lexer::lex(sql, modes).unwrap_or_default();
    let read = read(Tokens { sql, list: &lexed.tokens, modes }, depth).unwrap_or_default();
    read.into_iter().map(|(stated, _)| stated).collect()
}

/// Statements that run others.
fn code(tokens: Tokens<'_>, depth: usize) -> Option<StatementFacts> {
    let facts = match tokens.keyword(0)?.to_ascii_uppercase().as_str() {
        // Any user variable may be the place of an OUT parameter.
        "CALL" => {
            let procedure = tokens.name(1).map(|(name, _)| target::table(&name));
            let effects = scan::every_user_variable(tokens);
            StatementFacts { effects, ..everything(Kind::Call(procedure)) }
        }
        "PREPARE" => prepare(tokens, depth)?,
        "EXECUTE" if tokens.is(1, "IMMEDIATE") => immediate(tokens, depth),
        "EXECUTE" => {
            let mut effects = scan::every_user_variable(tokens);
            effects.push(Effect::UnknownSetting);
            let name = tokens.name_part(1)?.to_ascii_lowercase();
            StatementFacts { effects, ..everything(Kind::Execute(name)) }
        }
        "DEALLOCATE" | "DROP" if tokens.is(1, "PREPARE") => {
            let name = tokens.name_part(2)?.to_ascii_lowercase();
            let effects = vec![Effect::Deallocated(name.clone())];
            StatementFacts { effects, ..plain(Kind::Deallocate(name)) }
        }
        "BEGIN" | "DECLARE" | "IF" | "CASE" | "LOOP" | "REPEAT" | "WHILE" | "FOR" => {
            unseen(Kind::Code)
        }
        _ if tokens.is_symbol(1, ":") => unseen(Kind::Code),
        _ => return None,
    };
    Some(facts)
}

fn prepare(tokens: Tokens<'_>, depth: usize) -> Option<StatementFacts> {
    let name = tokens.name_part(1)?.to_ascii_lowercase();
    let text = if tokens.is(2, "FROM") { tokens.literal(3) } else { None };
    let prepared = text.and_then(|text| run(&text, tokens, depth)).map(Box::new);
    let effects = vec![Effect::Prepared(name.clone())];
    Some(StatementFacts { effects, prepared, ..plain(Kind::Prepare(name)) })
}

/// `EXECUTE IMMEDIATE '…' [USING …]` of MariaDB.
fn immediate(tokens: Tokens<'_>, depth: usize) -> StatementFacts {
    let using = tokens.outer().find(|&at| tokens.is(at, "USING")).unwrap_or(tokens.len());
    let text = tokens.until(using).literal(2);
    let Some(inner) = text.and_then(|text| run(&text, tokens, depth)) else {
        return unseen(Kind::Code);
    };
    let mut effects = scan::every_user_variable(tokens.from(using));
    effects.extend(inner.effects.iter().cloned());
    let writes = inner.writes.clone();
    StatementFacts { effects, writes, prepared: Some(Box::new(inner)), ..plain(Kind::Code) }
}

/// The one statement of a text that is run by another.
fn run(text: &str, tokens: Tokens<'_>, depth: usize) -> Option<StatementFacts> {
    if depth >= DEEPEST {
        return None;
    }
    let [only] = <[Stated; 1]>::try_from(inner_statements(text, tokens.modes, depth + 1)).ok()?;
    (only.facts.kind != Kind::Unknown).then_some(only.facts)
}

/// What looks after the server.
fn upkeep(tokens: Tokens<'_>) -> Option<StatementFacts> {
    let facts = match tokens.keyword(0)?.to_ascii_uppercase().as_str() {
        "ANALYZE" | "OPTIMIZE" | "CHECK" | "CHECKSUM" | "CACHE" | "LOAD" | "RESET" | "PURGE"
        | "CHANGE" | "START" | "STOP" | "SHUTDOWN" | "RESTART" => plain(Kind::Other),
        "REPAIR" | "CLONE" => everything(Kind::Other),
        // Runs events as a replica does, with whatever settings they carry.
        "BINLOG" => unseen(Kind::Other),
        _ => return None,
    };
    Some(facts)
}

/// What the text does not show.
fn unseen(kind: Kind) -> StatementFacts {
    StatementFacts { effects: vec![Effect::UnknownSetting], ..everything(kind) }
}

/// A statement may be run by one that is run by another; further down nobody looks.
const DEEPEST: usize = 2;

const EXPLAINED: [&str; 8] =
    ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE", "VALUES"];
