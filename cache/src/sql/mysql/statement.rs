//! One statement to its kind, its effects and its writes, by its words.
//!
//! Words suffice for that, and they are seen also where no parser knows the rest. What begins with a
//! word that is not known here is [`Kind::Unknown`].

use super::super::tables::Writes;
use super::analyse::analyse_inner;
use super::definition;
use super::effects::Effect;
use super::facts::{Kind, Mention, StatementFacts};
use super::scan::{self, Scan};
use super::set;
use super::target;
use super::tokens::Tokens;

/// What one statement is, but for what its SELECT reads.
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) facts: StatementFacts,
    pub(super) mentions: Vec<Mention>,
    /// Where the query begins that runs, if it is one.
    pub(super) query: Option<usize>,
}

/// The facts of the statement that the tokens are. `depth` counts the PREPAREs around it.
pub(super) fn stated(tokens: Tokens<'_>, depth: usize) -> Stated {
    let Scan { effects: anywhere, mentions, calls, .. } = scan::scan(tokens);
    let mut stated = Stated { facts: StatementFacts::default(), mentions, query: None };
    stated.facts = query(tokens, &mut stated.query)
        .or_else(|| control(tokens, depth))
        .or_else(|| locks(tokens))
        .or_else(|| code(tokens, depth))
        .or_else(|| definition::facts(tokens))
        .or_else(|| upkeep(tokens))
        .unwrap_or_else(|| everything(Kind::Unknown));
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
    if stated.facts.kind == Kind::Explain {
        stated.facts.effects.retain(|effect| !effect.is_release());
    }
    // In which order the parts of a statement act is not always that of the text.
    stated.facts.effects.sort_by_key(|effect| !effect.is_release());
    let end = tokens.len().saturating_sub(1);
    stated.facts.text = tokens.span(0).start..tokens.span(end).end;
    stated
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
            effects: set::effects(tokens),
            writes: set::writes(tokens),
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
            ..plain(Kind::GetDiagnostics)
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
    StatementFacts { kind: Kind::Explain, ..facts }
}

fn is_analyze_table(tokens: Tokens<'_>) -> bool {
    let at = tokens.skip(1, &["NO_WRITE_TO_BINLOG", "LOCAL"]);
    tokens.is_one_of(at, &["TABLE", "TABLES"])
}

/// `KILL [HARD | SOFT] [CONNECTION | QUERY [ID]] n`
fn kill(tokens: Tokens<'_>) -> StatementFacts {
    let at = tokens.skip(1, &["HARD", "SOFT"]);
    let query = tokens.is(at, "QUERY");
    let at = tokens.skip(at, &["CONNECTION", "QUERY"]);
    let id = (tokens.len() == at + 1).then(|| tokens.text(at).parse().ok()).flatten();
    plain(Kind::Kill { query, id })
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
    let name = table.name.to_lowercase();
    let effect = if tokens.is(at, "OPEN") {
        let alias = tokens.name_part(tokens.skip(at + 1, &["AS"]));
        Some(Effect::HandlerOpened(alias.map_or(name, |alias| alias.to_lowercase())))
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
            StatementFacts { effects: scan::every_user_variable(tokens), ..everything(Kind::Call) }
        }
        "PREPARE" => prepare(tokens, depth)?,
        "EXECUTE" if tokens.is(1, "IMMEDIATE") => immediate(tokens, depth),
        "EXECUTE" => {
            let mut effects = scan::every_user_variable(tokens);
            effects.push(Effect::UnknownSetting);
            let name = tokens.name_part(1)?.to_lowercase();
            StatementFacts { effects, ..everything(Kind::Execute(name)) }
        }
        "DEALLOCATE" | "DROP" if tokens.is(1, "PREPARE") => {
            let name = tokens.name_part(2)?.to_lowercase();
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
    let name = tokens.name_part(1)?.to_lowercase();
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
    effects.extend(inner.effects);
    StatementFacts { effects, writes: inner.writes, ..plain(Kind::Code) }
}

/// The one statement of a text that is run by another.
fn run(text: &str, tokens: Tokens<'_>, depth: usize) -> Option<StatementFacts> {
    if depth >= DEEPEST {
        return None;
    }
    let [only] =
        <[StatementFacts; 1]>::try_from(analyse_inner(text, tokens.modes, depth + 1)).ok()?;
    (only.kind != Kind::Unknown).then_some(only)
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
