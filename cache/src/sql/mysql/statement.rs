//! One statement to its kind, its effects and its writes, by its words.
//!
//! Words suffice for that, and they are seen also where no parser knows the rest. What begins with a
//! word that is not known here is [`Kind::Unknown`].

use std::ops::Range;

use super::analyse::analyse_inner;
use super::counted;
use super::definition;
use super::effects::Effect;
use super::facts::{Counted, Diagnosed, Kind, Mention, Mentioned, StatementFacts, Victim};
use super::lexer::TokenKind;
use super::rights;
use super::scan::{self, Evaluated, Scan};
use super::settings;
use super::target;
use super::tokens::Tokens;
use crate::sql::common::Writes;

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

/// The facts of the statement that the tokens are. `depth` counts the PREPAREs around it.
pub(super) fn stated(tokens: Tokens<'_>, depth: usize) -> Stated {
    let Scan { effects: anywhere, mentions, unnamed, calls, .. } =
        scan::scan(tokens, evaluated(tokens));
    let mut stated = Stated { facts: StatementFacts::default(), mentions, unnamed, query: None };
    stated.facts = query(tokens, &mut stated.query)
        .or_else(|| control(tokens, depth))
        .or_else(|| locks(tokens))
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
    if asks_for_cost(tokens, &stated.facts.kind) {
        stated.facts.effects.push(Effect::UnknownSetting);
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
    for inner in analyse_inner(inner, tokens.modes, depth.saturating_add(1)) {
        let own = inner.mentions.into_iter().filter(|one| one.what == Mentioned::ConnectionId);
        stated.mentions.extend(own.map(|one| Mention { span: moved(one.span), ..one }));
        stated.unnamed.extend(inner.unnamed.into_iter().map(moved));
    }
}

/// Reads and writes of rows.
fn query(tokens: Tokens<'_>, query: &mut Option<usize>) -> Option<StatementFacts> {
    // `(SELECT …) UNION …`
    let first = (0..tokens.len()).find(|&at| !tokens.is_symbol(at, "("))?;
    let verb = if tokens.is(first, "WITH") { main_verb(tokens, first)? } else { first };
    if tokens.is_one_of(verb, &["SELECT", "VALUES", "TABLE"]) {
        *query = Some(0);
        return Some(plain(Kind::Select));
    }
    let kind = match tokens.keyword(verb)?.to_ascii_uppercase().as_str() {
        "INSERT" | "REPLACE" => Kind::Insert,
        "UPDATE" | "DELETE" => Kind::Write,
        "TRUNCATE" if verb == 0 => Kind::Write,
        "LOAD" if verb == 0 && tokens.is_one_of(1, &["DATA", "XML"]) => {
            return Some(StatementFacts {
                effects: scan::every_user_variable(tokens),
                writes: target::written(tokens, 0),
                ..plain(Kind::Insert)
            });
        }
        _ => return None,
    };
    Some(StatementFacts { writes: target::written(tokens, verb), ..plain(kind) })
}

/// The verb after the CTEs of a WITH.
fn main_verb(tokens: Tokens<'_>, with: usize) -> Option<usize> {
    // Parentheses before the WITH are those of a query.
    if with > 0 {
        return (with..tokens.len()).find(|&at| tokens.is(at, "SELECT"));
    }
    let verbs = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "VALUES", "TABLE"];
    let outer = tokens.outer().find(|&at| tokens.is_one_of(at, &verbs));
    // `WITH c AS (…) (SELECT …)`
    outer.or_else(|| (0..tokens.len()).find(|&at| tokens.is(at, "SELECT")))
}

/// Transactions, settings, questions.
fn control(tokens: Tokens<'_>, depth: usize) -> Option<StatementFacts> {
    let facts = match tokens.keyword(0)?.to_ascii_uppercase().as_str() {
        "BEGIN" if tokens.len() == 1 || tokens.len() == 2 && tokens.is(1, "WORK") => {
            plain(Kind::Begin)
        }
        "START" if tokens.is(1, "TRANSACTION") => plain(Kind::Begin),
        "COMMIT" => plain(Kind::Commit),
        "ROLLBACK" if (1..tokens.len()).any(|at| tokens.is(at, "TO")) => plain(Kind::Savepoint),
        "ROLLBACK" => plain(Kind::Rollback),
        "SAVEPOINT" => plain(Kind::Savepoint),
        "RELEASE" if tokens.is(1, "SAVEPOINT") => plain(Kind::Savepoint),
        // Nothing tells when the transaction ends that others may finish; and then its writes appear.
        "XA" if tokens.is(1, "RECOVER") => plain(Kind::Show),
        "XA" => StatementFacts { effects: vec![Effect::UnknownSetting], ..everything(Kind::Other) },
        "SET" if tokens.is(1, "STATEMENT") && !tokens.is_symbol(2, "=") => {
            set_statement(tokens, depth)
        }
        "SET" => StatementFacts {
            effects: settings::effects(tokens),
            writes: settings::writes(tokens),
            ..plain(Kind::Set)
        },
        "USE" => {
            let schema = tokens.name_part(1)?;
            let effects = vec![Effect::Schema(schema.clone())];
            StatementFacts { effects, ..plain(Kind::Use(schema)) }
        }
        "SHOW" => plain(diagnostics(tokens).unwrap_or(Kind::Show)),
        "HELP" => plain(Kind::Show),
        "GET" => StatementFacts {
            effects: scan::every_user_variable(tokens),
            ..plain(Kind::GetDiagnostics(diagnosed(tokens)))
        },
        "DESC" | "DESCRIBE" | "EXPLAIN" => explain(tokens),
        "ANALYZE" if !is_analyze_table(tokens) => explained(tokens, 1),
        "DO" => plain(Kind::Other),
        "SIGNAL" | "RESIGNAL" => plain(Kind::Other),
        "KILL" => kill(tokens),
        _ => return None,
    };
    Some(facts)
}

/// `SET STATEMENT x = 1 FOR …` of MariaDB: the variables hold for the statement behind it.
fn set_statement(tokens: Tokens<'_>, depth: usize) -> StatementFacts {
    let inner = tokens.outer().find(|&at| tokens.is(at, "FOR")).filter(|_| depth < DEEPEST);
    match inner {
        Some(at) => stated(tokens.from(at + 1), depth + 1).facts,
        None => everything(Kind::Unknown),
    }
}

/// SHOW WARNINGS, SHOW ERRORS, `SHOW COUNT(*) …`, with their LIMIT.
fn diagnostics(tokens: Tokens<'_>) -> Option<Kind> {
    let count = tokens.is(1, "COUNT");
    let is_star = tokens.is_symbol(2, "(") && tokens.is_symbol(3, "*") && tokens.is_symbol(4, ")");
    let at = match (count, is_star) {
        (true, true) => 5,
        (true, false) => return None,
        (false, _) => 1,
    };
    if !tokens.is_one_of(at, &["WARNINGS", "ERRORS"]) {
        return None;
    }
    let errors_only = tokens.is(at, "ERRORS");
    let number = |at: usize| tokens.text(at).parse::<u64>().ok();
    let (offset, limit) = if tokens.len() == at + 1 {
        (0, None)
    } else if !tokens.is(at + 1, "LIMIT") || count {
        return None;
    } else if tokens.len() == at + 3 {
        (0, Some(number(at + 2)?))
    } else if tokens.len() == at + 5 && tokens.is_symbol(at + 3, ",") {
        (number(at + 2)?, Some(number(at + 4)?))
    } else if tokens.len() == at + 5 && tokens.is(at + 3, "OFFSET") {
        (number(at + 4)?, Some(number(at + 2)?))
    } else {
        return None;
    };
    Some(Kind::ShowDiagnostics { errors_only, count, offset, limit })
}

/// `GET [CURRENT] DIAGNOSTICS [CONDITION n] @a = NAME, …`
fn diagnosed(tokens: Tokens<'_>) -> Option<Diagnosed> {
    let at = tokens.skip(1, &["CURRENT"]);
    let at = if tokens.is(at, "DIAGNOSTICS") { at + 1 } else { return None };
    let (condition, start) = match tokens.is(at, "CONDITION") {
        true => (Some(tokens.text(at + 1).parse().ok()?), at + 2),
        false => (None, at),
    };
    let mut items = Vec::new();
    for at in (start..tokens.len()).step_by(4) {
        let is_item = tokens.user_variable(at).is_some() && tokens.is_symbol(at + 1, "=");
        let is_last = at + 3 == tokens.len();
        if !is_item || !(is_last || tokens.is_symbol(at + 3, ",")) {
            return None;
        }
        let name = tokens.keyword(at + 2)?.to_ascii_uppercase();
        items.push((tokens.text(at).to_owned(), name));
    }
    (!items.is_empty()).then_some(Diagnosed { condition, items })
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
        None => plain(Kind::Show),
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

/// `KILL [HARD | SOFT] [CONNECTION | QUERY [ID]] n`
fn kill(tokens: Tokens<'_>) -> StatementFacts {
    let at = tokens.skip(1, &["HARD", "SOFT"]);
    let query = tokens.is(at, "QUERY");
    let (mut at, mut end) = (tokens.skip(at, &["CONNECTION", "QUERY"]), tokens.len());
    while tokens.is_symbol(at, "(") && end > at + 2 && tokens.is_symbol(end - 1, ")") {
        (at, end) = (at + 1, end - 1);
    }
    let words = tokens.until(end).from(at);
    let is_own = words.is(0, "CONNECTION_ID") && words.is_symbol(1, "(") && words.len() == 3;
    let target = match (words.len(), words.text(0).parse()) {
        (1, Ok(id)) => Victim::Thread(id),
        (1, Err(_)) if words.kind(0) == Some(TokenKind::Parameter) => Victim::Parameter,
        _ if is_own => Victim::Own,
        (0, _) => Victim::Other,
        _ if words.is_one_of(0, &["USER", "ID"]) => Victim::Other,
        (len, _) => Victim::Expression(words.span(0).start..words.span(len.saturating_sub(1)).end),
    };
    plain(Kind::Kill { query, target })
}

/// Locks and handlers.
fn locks(tokens: Tokens<'_>) -> Option<StatementFacts> {
    let tables = ["TABLE", "TABLES"];
    let facts = match tokens.keyword(0)?.to_ascii_uppercase().as_str() {
        "LOCK" if tokens.is_one_of(1, &tables) => {
            StatementFacts { effects: vec![Effect::TableLock], ..plain(Kind::LockTables) }
        }
        // LOCK INSTANCE FOR BACKUP, LOCK BINLOG, BACKUP STAGE: UNLOCK TABLES does not end them.
        "LOCK" | "BACKUP" => {
            StatementFacts { effects: vec![Effect::UnknownSetting], ..plain(Kind::LockTables) }
        }
        "UNLOCK" if tokens.is_one_of(1, &tables) => {
            StatementFacts { effects: vec![Effect::TablesUnlocked], ..plain(Kind::UnlockTables) }
        }
        "UNLOCK" => plain(Kind::UnlockTables),
        "FLUSH" => {
            let is_lock = (1..tokens.len())
                .any(|at| tokens.are(at, &["READ", "LOCK"]) || tokens.are(at, &["FOR", "EXPORT"]));
            if is_lock {
                StatementFacts { effects: vec![Effect::TableLock], ..plain(Kind::LockTables) }
            } else if (1..tokens.len()).any(|at| tokens.is(at, "STATUS")) {
                // The counters of the session begin anew, and are read next.
                StatementFacts { effects: vec![Effect::UnknownSetting], ..plain(Kind::Other) }
            } else {
                plain(Kind::Other)
            }
        }
        "HANDLER" => handler(tokens)?,
        _ => return None,
    };
    Some(facts)
}

fn handler(tokens: Tokens<'_>) -> Option<StatementFacts> {
    let (table, at) = tokens.name(1)?;
    // Servers that tell tables `T` and `t` apart take both for the same handler.
    let name = table.name.to_ascii_lowercase();
    let effect = if tokens.is(at, "OPEN") {
        let alias = tokens.name_part(tokens.skip(at + 1, &["AS"]));
        Some(Effect::HandlerOpened(alias.map_or(name, |alias| alias.to_ascii_lowercase())))
    } else if tokens.is(at, "CLOSE") {
        Some(Effect::HandlerClosed(name))
    } else {
        None
    };
    Some(StatementFacts { effects: effect.into_iter().collect(), ..plain(Kind::Handler) })
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
    let [only] = <[Stated; 1]>::try_from(analyse_inner(text, tokens.modes, depth + 1)).ok()?;
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

pub(super) fn plain(kind: Kind) -> StatementFacts {
    StatementFacts { kind, ..StatementFacts::default() }
}

pub(super) fn everything(kind: Kind) -> StatementFacts {
    StatementFacts { writes: Writes::Everything, ..plain(kind) }
}

/// What the text does not show.
fn unseen(kind: Kind) -> StatementFacts {
    StatementFacts { effects: vec![Effect::UnknownSetting], ..everything(kind) }
}

/// A statement may be run by one that is run by another; further down nobody looks.
const DEEPEST: usize = 2;

const EXPLAINED: [&str; 8] =
    ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE", "VALUES"];
