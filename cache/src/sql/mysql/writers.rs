//! What a text does besides answering, with what only the catalog knows: what it writes, and what it leaves in its
//! session.
//!
//! A statement names tables, views and routines; what runs behind them (triggers, cascades, stored code) the catalog
//! has found out beforehand. What the catalog does not know may change anything.

use std::collections::BTreeSet;

use super::catalog::{Catalog, RelationKind};
use super::classify::is_system;
use super::effects::{Deeds, Does, Effect, Pin};
use super::facts::{Analysis, FunctionCall, Kind, StatementFacts};
use super::functions::built_in;
use super::left::{self, Left};
use crate::sql::common::{TableName, Writes};

/// What a text writes, with what only the catalog knows: triggers, cascades, the tables behind a
/// view, and stored functions.
pub fn writes(analysis: &Analysis, catalog: &Catalog, schema: &str) -> Writes {
    let mut schema = schema.to_lowercase();
    let mut all = Writes::None;
    for statement in &analysis.statements {
        all.merge(statement_writes(statement, catalog, &schema));
        if let Kind::Use(used) = &statement.kind {
            schema = used.to_lowercase();
        }
    }
    all
}

/// Whether a text names a function or a table that the catalog does not know.
pub(super) fn lacks(analysis: &Analysis, catalog: &Catalog, schema: &str) -> bool {
    let schema = schema.to_lowercase();
    analysis.statements.iter().any(|statement| {
        let written = match &statement.writes {
            Writes::Tables(tables) => tables.as_slice(),
            Writes::None | Writes::Everything => &[],
        };
        let mut tables = statement.reads.relations.iter().chain(written);
        let mut functions = statement.reads.functions.iter();
        tables.any(|table| {
            let place = table.schema.as_deref().unwrap_or(&schema);
            !is_system(place) && catalog.relations(table, &schema).next().is_none()
        }) || functions.any(|call| {
            let is_native = call.schema.is_none() && built_in(&call.name).is_some();
            !is_native && catalog.stored(call, &schema).next().is_none()
        }) || lacks_procedure(&statement.kind, catalog, &schema)
    })
}

/// Whether a procedure is called that the catalog does not know.
fn lacks_procedure(kind: &Kind, catalog: &Catalog, schema: &str) -> bool {
    let Kind::Call(Some(name)) = kind else { return false };
    !is_system(name.schema.as_deref().unwrap_or(schema))
        && catalog.procedure(name, schema).is_none()
}

/// What the stored code that a text runs leaves in its session: routines that it calls, triggers of what it writes,
/// and functions behind its views. A name means whatever has it in any schema.
pub fn left(analysis: &Analysis, catalog: &Catalog) -> Left {
    let mut all = Left::default();
    for statement in &analysis.statements {
        all.merge(&statement_left(statement, catalog));
    }
    all
}

/// Why a session that runs a text must keep its backend behind it, as far as the text and the code behind it say.
pub fn pins(analysis: &Analysis, left: &Left) -> BTreeSet<Pin> {
    let effects = analysis.effects().chain(&left.effects);
    let mut pins: BTreeSet<Pin> = effects.filter_map(Effect::pin).map(|(pin, _)| pin).collect();
    if analysis.statements.iter().any(|statement| statement.kind == Kind::Unknown) {
        pins.insert(Pin::Unparsed);
    }
    pins
}

/// The same of one statement.
pub(super) fn statement_left(statement: &StatementFacts, catalog: &Catalog) -> Left {
    let codes = catalog.codes();
    let mut all = match (&statement.kind, &statement.prepared) {
        (Kind::Call(Some(name)), _) if codes.procedures.contains(&name.name) => {
            left::of(&codes.routines, &name.name).cloned().unwrap_or_default()
        }
        (Kind::Call(_), _) => Left::unknown(),
        (Kind::Code, Some(run)) => statement_left(run, catalog),
        _ => Left::default(),
    };
    let mut add = |left: Option<&Left>| {
        if let Some(left) = left {
            all.merge(left);
        }
    };
    statement.reads.calls.iter().for_each(|call| add(left::of(&codes.routines, &call.name)));
    if matches!(statement.kind, Kind::Insert | Kind::Write) && !codes.triggers.is_empty() {
        let written: Option<Vec<_>> = match &statement.writes {
            Writes::None => Some(Vec::new()),
            Writes::Everything => None,
            Writes::Tables(tables) => {
                tables.iter().map(|table| catalog.written_with(&table.name)).collect()
            }
        };
        match written {
            Some(tables) => {
                let tables = tables.iter().flatten();
                tables.for_each(|name| add(left::of(&codes.triggers, name)));
            }
            None => codes.triggers.keys().for_each(|name| add(left::of(&codes.triggers, name))),
        }
    }
    let names_views = matches!(statement.kind, Kind::Select) && statement.reads.is_complete;
    for name in codes.views.keys().filter(|_| reads_rows(&statement.kind)) {
        if !names_views || statement.reads.relations.iter().any(|read| read.name == *name) {
            add(left::of(&codes.views, name));
        }
    }
    all
}

/// Whether a statement of this kind may read a view.
const fn reads_rows(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Select
            | Kind::Write
            | Kind::Insert
            | Kind::Explain
            | Kind::Other
            | Kind::Set
            | Kind::Ddl
    )
}

fn statement_writes(statement: &StatementFacts, catalog: &Catalog, schema: &str) -> Writes {
    let mut deeds = Deeds::default();
    for call in &statement.reads.calls {
        let mut known = catalog.stored(call, schema).peekable();
        // A function of a package (MariaDB), of which the catalog shows nothing.
        let is_plain = call.schema.is_none() || names_table(call, catalog);
        if known.peek().is_none() && !is_plain && !calls(&statement.kind, call) {
            return Writes::Everything;
        }
        known.for_each(|function| add(&mut deeds, &function.does));
    }
    match statement.kind {
        Kind::Select if statement.reads.is_complete => {
            for name in &statement.reads.relations {
                let known = catalog.relations(name, schema);
                known.for_each(|relation| add(&mut deeds, &relation.read));
            }
        }
        Kind::Select | Kind::Write | Kind::Insert | Kind::Explain | Kind::Call(_) | Kind::Other => {
            add(&mut deeds, catalog.reading());
        }
        _ => {}
    }
    if let Kind::Call(Some(name)) = &statement.kind
        && let Some(does) = catalog.procedure(name, schema)
    {
        add(&mut deeds, does);
        return deeds.writes;
    }
    let Writes::Tables(tables) = &statement.writes else {
        deeds.absorb(&Deeds::of(statement.writes.clone()));
        return deeds.writes;
    };
    let mut seen = BTreeSet::new();
    let added = tables
        .iter()
        .try_for_each(|table| add_written(table, schema, catalog, (&mut seen, &mut deeds)));
    match added {
        Ok(()) => deeds.writes,
        Err(SeesNoFurther) => Writes::Everything,
    }
}

fn add(deeds: &mut Deeds, does: &Does) {
    if let Some(does) = does {
        deeds.absorb(does);
    }
}

/// Whether what looks like the call of a function is the procedure behind CALL.
fn calls(kind: &Kind, call: &FunctionCall) -> bool {
    matches!(kind, Kind::Call(Some(name)) if name.schema == call.schema && name.name == call.name)
}

/// Whether what looks like a call is a table with a list of columns.
fn names_table(call: &FunctionCall, catalog: &Catalog) -> bool {
    let name = TableName { schema: call.schema.clone(), name: call.name.clone() };
    catalog.relations(&name, "").next().is_some()
}

/// The writes of a statement cannot be told.
struct SeesNoFurther;

/// Adds a written table with what its triggers and those of tables that change with it do, and the tables
/// behind it when it is a view.
fn add_written(
    table: &TableName,
    schema: &str,
    catalog: &Catalog,
    (seen, deeds): (&mut BTreeSet<TableName>, &mut Deeds),
) -> Result<(), SeesNoFurther> {
    if !seen.insert(table.clone()) {
        return Ok(());
    }
    deeds.absorb(&Deeds::of(Writes::table(table.clone())));
    let mut known = catalog.relations(table, schema).peekable();
    let is_hidden = is_system(table.schema.as_deref().unwrap_or(schema));
    if is_hidden || known.peek().is_none() {
        return Err(SeesNoFurther);
    }
    catalog.changed_with(&table.name).for_each(|relation| add(deeds, &relation.written));
    known.try_for_each(|relation| {
        add(deeds, &relation.written);
        match &relation.kind {
            RelationKind::View(None) => Err(SeesNoFurther),
            RelationKind::View(Some(definition)) => {
                let queries = definition.statements.iter();
                if queries.clone().any(|query| !query.reads.is_complete) {
                    return Err(SeesNoFurther);
                }
                let mut behind = queries.flat_map(|query| &query.reads.relations);
                behind.try_for_each(|inner| {
                    add_written(inner, &relation.schema, catalog, (&mut *seen, &mut *deeds))
                })
            }
            RelationKind::Table => Ok(()),
            // Such as a MERGE table, whose rows are those of others.
            RelationKind::Other(_) => Err(SeesNoFurther),
        }
    })
}
