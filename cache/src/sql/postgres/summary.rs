//! What can still be said of a statement nested too deeply to walk.
//!
//! A chain of fifty `||` is deeper than the decoder of the tree allows. Such a statement is not
//! cached, but it must not pin its session either if it is a plain read or write; libpg_query's own
//! flat summary names its tables and functions.

use pg_query::SummaryResult;

use super::effects::{Effect, Pin};
use super::facts::{Kind, StatementFacts};
use super::reads::{FunctionCall, Reads};
use crate::sql::common::{MAX_TABLES, TableName, Writes};

/// The facts of a text as one statement, if it holds nothing but plain reads and writes.
pub(super) fn facts(sql: &str) -> Option<Vec<StatementFacts>> {
    let summary = pg_query::summary(sql, 0, -1).ok()?;
    let types: Vec<&str> = summary.statement_types.iter().map(String::as_str).collect();
    let reads_only = types.iter().all(|kind| *kind == "SelectStmt");
    let plain = ["SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"];
    if types.is_empty() || !types.iter().all(|kind| plain.contains(kind)) {
        return None;
    }
    let lower = sql.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    // SELECT INTO and session state are seen by their words: the summary does not tell them apart.
    if (reads_only && says(&["into"])) || says(&["set_config", "setseed", "pg_settings", "pg_temp"])
    {
        return None;
    }
    let pins = [
        (&["advisory_lock"][..], Pin::AdvisoryLock),
        (&["pg_backup_start", "pg_start_backup"], Pin::Backup),
    ];
    let mut facts = StatementFacts {
        kind: if reads_only { Kind::Select } else { Kind::Write },
        effects: pins
            .into_iter()
            .filter(|(words, _)| says(words))
            .map(|(_, pin)| Effect::Pin(pin))
            .collect(),
        may_release_pin: says(&["advisory_unlock"]),
        ..StatementFacts::default()
    };
    let written: Vec<TableName> = summary.dml_tables().iter().map(|name| table(name)).collect();
    facts.writes = if written.len() > MAX_TABLES {
        Writes::Everything
    } else if !written.is_empty() {
        Writes::Tables(written)
    } else if reads_only && !says(&["insert", "update", "delete", "merge"]) {
        Writes::None
    } else {
        Writes::Everything
    };
    add_named(&mut facts.reads, &summary);
    Some(vec![facts])
}

/// Adds the functions and tables that a text names, wherever. `None` when they cannot be told.
pub(super) fn add_all_named(reads: &mut Reads, sql: &str) -> Option<()> {
    let summary = pg_query::summary(sql, 0, -1).ok()?;
    add_named(reads, &summary);
    Some(())
}

fn add_named(reads: &mut Reads, summary: &SummaryResult) {
    reads.is_partial = true;
    reads.relations.extend(summary.tables().iter().map(|name| table(name)));
    let call = |name: &str| {
        let (schema, name) = match name.rsplit_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (None, name.to_owned()),
        };
        FunctionCall { schema, name, arguments: None, values: Vec::new() }
    };
    reads.functions.extend(summary.functions.iter().map(|function| call(&function.name)));
}

fn table(name: &str) -> TableName {
    match name.rsplit_once('.') {
        Some((schema, name)) => TableName::qualified(schema, name),
        None => TableName::bare(name),
    }
}
