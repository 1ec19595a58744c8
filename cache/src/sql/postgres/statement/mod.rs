//! One top-level statement to its kind, its effects and its writes.
//!
//! What is not known by name counts as DDL: it writes everything. Nothing here asks the catalog.

use pg_query::NodeEnum;
use pg_query::protobuf::{ExplainStmt, Node, RawStmt};

use super::asked;
use super::effects::{Effect, Pin};
use super::facts::{Kind, StatementFacts, pin, pinning};
use super::summary;
use super::walk::{Walk, walked};
use crate::sql::common::Writes;

mod control;
mod definition;
mod query;
mod utility;

/// The facts of one statement of `text`.
pub(super) fn facts_of(raw: &RawStmt, text: &str) -> StatementFacts {
    let node = raw.stmt.as_ref().and_then(|stmt| stmt.node.as_ref());
    let mut facts = node.map_or_else(StatementFacts::default, facts_of_node);
    if facts.reads.is_partial {
        match summary::add_all_named(&mut facts.reads, text) {
            Some(()) => {}
            None => facts.writes = Writes::Everything,
        }
    }
    // Any object may be named into the temporary schema; where is not worth knowing.
    if matches!(facts.kind, Kind::Ddl) && slice(raw, text).contains("pg_temp") {
        pin(&mut facts, Pin::TempTable);
    }
    // What becomes an object, or is only explained, is the server's.
    let asked = std::mem::take(&mut facts.asked);
    if facts.kind == Kind::Select && !asked.is_empty() {
        facts.asked = asked::located(asked, text);
    }
    if facts.effects.iter().any(Effect::is_reset) {
        let start = usize::try_from(raw.stmt_location).unwrap_or_default();
        facts.resets_until = Some(start.saturating_add(slice(raw, text).len()));
    }
    facts
}

/// The facts of the statements in the body of the function that a statement defines.
pub(super) fn body_facts(raw: &RawStmt) -> Vec<StatementFacts> {
    let body = match raw.stmt.as_ref().and_then(|stmt| stmt.node.as_ref()) {
        Some(NodeEnum::CreateFunctionStmt(function)) => function.sql_body.as_deref(),
        _ => None,
    };
    body.map_or_else(|| vec![StatementFacts::default()], statements)
}

/// The statements of lists within lists; RETURN is the query of its expression.
fn statements(node: &Node) -> Vec<StatementFacts> {
    match &node.node {
        Some(NodeEnum::List(list)) => list.items.iter().flat_map(statements).collect(),
        Some(NodeEnum::ReturnStmt(result)) => {
            let mut walk = Walk::default();
            walk.boxed(result.returnval.as_deref());
            vec![walked(Kind::Select, walk)]
        }
        Some(statement) => vec![facts_of_node(statement)],
        None => Vec::new(),
    }
}

fn facts_of_node(node: &NodeEnum) -> StatementFacts {
    query::facts(node)
        .or_else(|| around(node))
        .or_else(|| control::facts(node))
        .or_else(|| utility::facts(node))
        .unwrap_or_else(|| definition::facts(node))
}

/// Statements around another one: PREPARE, EXPLAIN.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
fn around(node: &NodeEnum) -> Option<StatementFacts> {
    let facts = match node {
        NodeEnum::PrepareStmt(prepare) => {
            let inner = prepare.query.as_deref().and_then(|query| query.node.as_ref());
            let prepared = inner.map(|inner| Box::new(facts_of_node(inner)));
            let kind = Kind::Prepare(prepare.name.clone());
            StatementFacts { prepared, ..pinning(kind, Pin::SqlPrepare) }
        }
        NodeEnum::ExplainStmt(explain) => explain_facts(explain),
        _ => return None,
    };
    Some(facts)
}

fn explain_facts(explain: &ExplainStmt) -> StatementFacts {
    let analyze = explain.options.iter().any(is_analyze);
    let inner = explain.query.as_deref().and_then(|query| query.node.as_ref());
    let facts = match inner.filter(|_| analyze) {
        Some(inner) => facts_of_node(inner),
        // Planning may call functions that say that they are immutable.
        None => StatementFacts {
            reads: inner.map(|inner| facts_of_node(inner).reads).unwrap_or_default(),
            ..StatementFacts::default()
        },
    };
    StatementFacts { kind: Kind::Explain { analyze }, ..facts }
}

/// Whether an option of EXPLAIN runs the statement. What is not plainly "no" is "yes".
fn is_analyze(option: &Node) -> bool {
    let Some(NodeEnum::DefElem(option)) = &option.node else { return true };
    let refused = match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
        Some(NodeEnum::String(word)) => {
            ["false", "off"].iter().any(|no| word.sval.eq_ignore_ascii_case(no))
        }
        Some(NodeEnum::Integer(number)) => number.ival == 0,
        Some(NodeEnum::Boolean(word)) => !word.boolval,
        Some(_) | None => false,
    };
    option.defname == "analyze" && !refused
}

/// The statement's own part of the text; a length of 0 means up to the end.
fn slice<'t>(raw: &RawStmt, text: &'t str) -> &'t str {
    let start = usize::try_from(raw.stmt_location).unwrap_or_default();
    let tail = text.get(start..).unwrap_or(text);
    let len = usize::try_from(raw.stmt_len).ok().filter(|&len| len > 0);
    len.and_then(|len| tail.get(..len)).unwrap_or(tail)
}
