//! Transactions, settings, questions.

use super::super::effects::Effect;
use super::super::facts::{Diagnosed, Kind, StatementFacts, Use, Victim, everything, plain};
use super::super::lexer::TokenKind;
use super::super::look_ups;
use super::super::scan;
use super::super::settings;
use super::super::tokens::Tokens;
use super::super::walk::variable;

/// The facts of a statement that controls the session, or asks of it.
pub(super) fn facts(tokens: Tokens<'_>) -> Option<StatementFacts> {
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
        "SHOW" => show(tokens),
        "HELP" => plain(Kind::Show),
        "GET" => StatementFacts {
            effects: scan::every_user_variable(tokens),
            ..plain(Kind::GetDiagnostics(diagnosed(tokens)))
        },
        "DO" => plain(Kind::Other),
        "SIGNAL" | "RESIGNAL" => plain(Kind::Other),
        "KILL" => kill(tokens),
        _ => return None,
    };
    Some(facts)
}

/// A SHOW. One of a single variable whose value may be kept is a query that was understood, and so is one that reads the
/// server's own schema.
fn show(tokens: Tokens<'_>) -> StatementFacts {
    let at = tokens.skip(1, &["SESSION", "LOCAL"]);
    let is_of_one = tokens.is(at, "VARIABLES")
        && tokens.is(at + 1, "LIKE")
        && tokens.len() == at + 3
        && tokens.literal(at + 2).is_some_and(|name| variable::is_constant(&name));
    let mut facts = plain(diagnostics(tokens).unwrap_or(Kind::Show));
    if is_of_one {
        facts.reads.is_complete = true;
        facts.reads.uses.insert(Use::Setting);
    } else if let Some(reads) = look_ups::shown(tokens) {
        facts.reads = reads;
    }
    facts
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
