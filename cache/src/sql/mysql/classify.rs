//! Facts and catalog to a verdict, default-deny.
//!
//! The rules, where they are not obvious:
//!
//! * **Functions** must be in the reviewed table, or be stored ones that are declared DETERMINISTIC
//!   and without SQL, and whose body the account can see and says the same.
//! * **Tables** must have an engine whose rows change by statements only, and no computed column that
//!   is not constant. **Views** are looked through. System schemas change without writes that
//!   anyone sees, but for `information_schema`, which is one table that DDL writes (`look_ups`).
//! * **TIME** compared with or turned into a date takes the current date. A query that does anything
//!   with a TIME, and anything with a date or a parameter, is refused; showing columns is nothing.
//!   Columns are told by their names alone, whichever table they are of.

use std::collections::BTreeSet;

use super::catalog::{Catalog, Relation, RelationKind, Times};
use super::facts::{Analysis, FunctionCall, Kind, Reads, StatementFacts, Use};
use super::functions::{BuiltIn, built_in};
use super::look_ups;
use crate::sql::common::{Nature, Obstacle, Parse, Problem, Reason, TableName, Verdict, Volatile};

/// Decides whether the reply of a text may be cached, in a session whose schema is `schema`, which
/// may be empty.
pub fn classify(analysis: &Analysis, catalog: &Catalog, schema: &str) -> Verdict {
    let schema = schema.to_lowercase();
    let mut tables = BTreeSet::new();
    let judged = only_query(analysis).and_then(|query| {
        let mut judge = Judge { catalog, tables: &mut tables, open_views: Vec::new() };
        judge.reads(&query.reads, &schema)
    });
    match judged {
        Ok(()) => {
            catalog.add_linked(&mut tables);
            Verdict::Cacheable { tables: tables.into_iter().collect() }
        }
        Err(reason) => Verdict::Refused(reason),
    }
}

/// Whether a text is one query that surely does nothing but read, whatever it is told by the clock or by chance: it takes no
/// lock that outlives it, and runs no code that may do more.
pub(super) fn is_plain_read(
    analysis: &Analysis,
    catalog: &Catalog,
    schema: &str,
    verdict: &Verdict,
) -> bool {
    match verdict {
        Verdict::Cacheable { .. } | Verdict::Timed { .. } => true,
        Verdict::Refused(_) => only_query(analysis).is_ok_and(|query| {
            let mut reads = query.reads.clone();
            reads.volatile.clear();
            let is_harmless = |call: &FunctionCall| {
                call.schema.is_none() && HARMLESS.contains(&call.name.as_str())
            };
            reads.functions.retain(|call| !is_harmless(call));
            let tables = &mut BTreeSet::new();
            let mut judge = Judge { catalog, tables, open_views: Vec::new() };
            judge.reads(&reads, &schema.to_lowercase()).is_ok()
        }),
    }
}

/// Functions that are not constant, and do nothing.
const HARMLESS: [&str; 23] = [
    "connection_id",
    "curdate",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "curtime",
    "database",
    "found_rows",
    "localtime",
    "localtimestamp",
    "now",
    "rand",
    "row_count",
    "schema",
    "session_user",
    "sysdate",
    "system_user",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "version",
];

fn only_query(analysis: &Analysis) -> Result<&StatementFacts, Reason> {
    match analysis.parse {
        Parse::Oversized => return Err(Reason::Oversized),
        Parse::Error => return Err(Reason::ParseError),
        Parse::Full | Parse::Shallow => {}
    }
    let query = match analysis.statements.as_slice() {
        [] => return Err(Reason::NotAQuery("there is no statement")),
        [query] => query,
        [_, _, ..] => return Err(Reason::MultipleStatements),
    };
    if analysis.parse == Parse::Shallow {
        Err(Reason::TooDeep)
    } else if query.kind != Kind::Select && !(query.kind == Kind::Show && query.reads.is_complete) {
        Err(Reason::NotAQuery(match query.kind {
            Kind::Write | Kind::Insert => "the statement writes",
            _ => "the statement is not a SELECT",
        }))
    } else if !query.effects.is_empty() {
        Err(Reason::Obstacle(Obstacle::ChangesSession))
    } else {
        Ok(query)
    }
}

/// Judges what a query reads and collects its tables.
struct Judge<'a> {
    catalog: &'a Catalog,
    tables: &'a mut BTreeSet<TableName>,
    /// The views being looked through, outermost first.
    open_views: Vec<TableName>,
}

impl Judge<'_> {
    fn reads(&mut self, reads: &Reads, schema: &str) -> Result<(), Reason> {
        if let Some(obstacle) = reads.obstacles.first() {
            return Err(Reason::Obstacle(obstacle.clone()));
        }
        if let Some(volatile) = reads.volatile.first() {
            return Err(Reason::Volatile(volatile.clone()));
        }
        if !reads.is_complete {
            return Err(Reason::Obstacle(Obstacle::NotUnderstood));
        }
        let mut times =
            Times { time: reads.uses.contains(&Use::Time), date: reads.uses.contains(&Use::Date) };
        for call in &reads.functions {
            self.function(call, schema, &mut times)?;
        }
        // What is taken out of JSON is no TIME for a column it is compared with, but is for a cast.
        times.time |= reads.uses.contains(&Use::Json) && times.date;
        let has_star = reads.uses.contains(&Use::Star);
        for name in &reads.relations {
            if self.looks_up(name, schema, reads)? {
                // What was made when is not followed.
                times.date = true;
                continue;
            }
            let shown = self.relation(name, schema)?;
            times.time |= has_star && shown.time;
            times.date |= has_star && shown.date;
        }
        times.time |= reads.columns.iter().any(|column| self.catalog.is_time(column));
        times.date |= reads.uses.contains(&Use::Parameter)
            || reads.columns.iter().any(|column| self.catalog.is_date(column));
        if times.time && times.date {
            return Err(Reason::Volatile(Volatile::TimeAsDate));
        }
        Ok(())
    }

    fn function(&self, call: &FunctionCall, schema: &str, times: &mut Times) -> Result<(), Reason> {
        let native = built_in(&call.name).filter(|_| call.schema.is_none());
        let volatile = || {
            let is_own = native != Some(BuiltIn::Volatile);
            let (name, nature) = (spelled(call), Nature::NotConstant);
            Err(Reason::Volatile(Volatile::Function { name, nature, is_own }))
        };
        match native {
            Some(BuiltIn::Volatile) => return volatile(),
            Some(BuiltIn::Date) => times.date = true,
            Some(BuiltIn::Time) => times.time = true,
            Some(BuiltIn::DateOrTime) => *times = Times { time: true, date: true },
            Some(BuiltIn::Constant) | None => {}
        }
        // One of the same name is meant if there is white space before the parenthesis.
        let mut stored = self.catalog.stored(call, schema).peekable();
        if native.is_none() && stored.peek().is_none() {
            return Err(Reason::Unknown { what: "function", name: spelled(call) });
        }
        if stored.all(|function| function.is_constant && function.does.is_none()) {
            Ok(())
        } else {
            volatile()
        }
    }

    /// Whether a relation is one of the server's own schema that only DDL changes. One that may tell what changes by itself is
    /// refused.
    fn looks_up(&mut self, name: &TableName, schema: &str, reads: &Reads) -> Result<bool, Reason> {
        let schema = name.schema.as_deref().unwrap_or(schema);
        if schema != look_ups::SCHEMA || !look_ups::is_steady(&name.name) {
            return Ok(false);
        }
        let is_restless = [Use::Restless, Use::AllColumns, Use::Star];
        if look_ups::has_restless(&name.name)
            && is_restless.iter().any(|used| reads.uses.contains(used))
        {
            let problem = Problem::Statistics;
            return Err(Reason::Relation { relation: name.clone(), problem });
        }
        self.tables.insert(TableName::catalogs());
        Ok(true)
    }

    /// Judges a relation and says what it may show.
    fn relation(&mut self, name: &TableName, schema: &str) -> Result<Times, Reason> {
        let problem = |problem| Reason::Relation { relation: name.clone(), problem };
        let schema = name.schema.as_deref().unwrap_or(schema);
        if schema.is_empty() {
            return Err(problem(Problem::NoSchema));
        }
        if is_system(schema) {
            return Err(problem(Problem::SystemSchema));
        }
        let catalog = self.catalog;
        let known: Vec<&Relation> = catalog.relations(name, schema).collect();
        if known.is_empty() {
            return Err(Reason::Unknown { what: "table", name: name.to_string() });
        }
        let place = TableName::qualified(schema, &name.name);
        let mut shown = Times::default();
        for relation in known {
            if let Some(found) = relation.problem {
                return Err(problem(found));
            }
            match &relation.kind {
                RelationKind::Table => {}
                // One that was judged before, by another way here, has passed.
                RelationKind::View(Some(_)) if self.tables.contains(&place) => {}
                RelationKind::View(Some(definition)) => self.view(&place, definition)?,
                RelationKind::View(None) => {
                    return Err(problem(Problem::HiddenView));
                }
                RelationKind::Other(found) => return Err(problem(*found)),
            }
            if relation.read.is_some() {
                return Err(problem(Problem::DoesMore));
            }
            shown.time |= relation.times.time;
            shown.date |= relation.times.date;
        }
        self.tables.insert(place);
        Ok(shown)
    }

    /// Judges a view's definition. The view itself also counts as read: replacing it is a write.
    fn view(&mut self, view: &TableName, definition: &Analysis) -> Result<(), Reason> {
        if self.open_views.contains(view) {
            return Ok(());
        }
        self.open_views.push(view.clone());
        let schema = view.schema.as_deref().unwrap_or_default();
        let judged = only_query(definition).and_then(|query| self.reads(&query.reads, schema));
        self.open_views.pop();
        judged.map_err(|reason| Reason::View { view: view.clone(), reason: Box::new(reason) })
    }
}

/// Whether a schema is the server's own.
pub(super) fn is_system(schema: &str) -> bool {
    ["information_schema", "mysql", "performance_schema", "sys"].contains(&schema)
}

fn spelled(call: &FunctionCall) -> String {
    match &call.schema {
        Some(schema) => format!("{schema}.{}", call.name),
        None => call.name.clone(),
    }
}
