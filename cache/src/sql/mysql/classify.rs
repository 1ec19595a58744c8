//! Facts and catalog to a verdict, default-deny.
//!
//! The rules, where they are not obvious:
//!
//! * **Functions** must be in the reviewed table, or be stored ones that are declared DETERMINISTIC
//!   and without SQL, and whose body the account can see and says the same.
//! * **Tables** must have an engine whose rows change by statements only, and no computed column that
//!   is not constant. **Views** are looked through. System schemas change without writes that
//!   anyone sees, but for `information_schema`, which is one table that DDL writes (`look_ups`).
//! * **The clock** and a TIME that is turned into a date (`times`) give [`Verdict::Timed`], in views too.

use std::collections::BTreeSet;

use super::catalog::{Catalog, Relation, RelationKind};
use super::facts::{Analysis, FunctionCall, Kind, Reads, StatementFacts, Use};
use super::functions::{BuiltIn, built_in};
use super::look_ups;
use super::times::Kinds;
use crate::sql::common::{
    ByClock, Clock, Nature, Obstacle, Parse, Problem, Reason, TableName, Verdict, Volatile, worse,
};

/// Decides whether the reply of a text may be cached, in a session whose schema is `schema`, which
/// may be empty.
pub fn classify(analysis: &Analysis, catalog: &Catalog, schema: &str) -> Verdict {
    judge(analysis, catalog, schema).0
}

/// The verdict, and whether it is another where a parameter is a date: a TIME would be turned into one.
pub(super) fn judge(analysis: &Analysis, catalog: &Catalog, schema: &str) -> (Verdict, bool) {
    let mut judge = Judge::new(catalog);
    let schema = schema.to_lowercase();
    let judged = only_query(analysis).and_then(|query| judge.reads(&query.reads, &schema));
    let Judge { mut tables, clock, minds_dates, .. } = judge;
    catalog.add_linked(&mut tables);
    let tables = tables.into_iter().collect();
    let verdict = match (judged, clock) {
        (Ok(()), None) => Verdict::Cacheable { tables },
        (Ok(()), Some((clock, reason))) => Verdict::Timed { tables, clock, reason },
        (Err(reason), _) => Verdict::Refused(reason),
    };
    (verdict, minds_dates)
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
            Judge::new(catalog).reads(&reads, &schema.to_lowercase()).is_ok()
        }),
    }
}

/// Functions that are not constant, and do nothing.
const HARMLESS: [&str; 11] = [
    "connection_id",
    "current_user",
    "database",
    "found_rows",
    "rand",
    "row_count",
    "schema",
    "session_user",
    "system_user",
    "user",
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
    tables: BTreeSet<TableName>,
    /// The views being looked through, outermost first.
    open_views: Vec<TableName>,
    /// What is asked of the clock.
    clock: Option<ByClock>,
    /// A parameter that is a date would have a TIME turned into one.
    minds_dates: bool,
}

impl<'a> Judge<'a> {
    const fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            tables: BTreeSet::new(),
            open_views: Vec::new(),
            clock: None,
            minds_dates: false,
        }
    }

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
        for (clock, word) in &reads.times.clock {
            self.by_clock(*clock, Volatile::ClockWord(word.to_string()));
        }
        for call in &reads.functions {
            self.function(call, schema)?;
        }
        let mut found = Vec::new();
        // What was made when is not followed.
        let mut other = Kinds::NONE;
        for name in &reads.relations {
            if self.looks_up(name, schema, reads)? {
                other = Kinds::DATE;
            } else {
                self.relation(name, schema, &mut found)?;
            }
        }
        self.times(reads, &found, other);
        Ok(())
    }

    /// Notes what dates are taken of these relations, and of others whose columns hold such.
    fn times(&mut self, reads: &Reads, found: &[&Relation], other: Kinds) {
        let columns = || found.iter().map(|relation| &relation.columns);
        let any = columns().fold(other, |any, of| any.or(of.any));
        let held = |name: &str| columns().fold(other, |held, of| held.or(of.held(name)));
        let taken = reads.times.taken(any, held);
        if taken.by_text {
            self.by_clock(Clock::Date, Volatile::TimeAsDate);
        }
        if let Some(clock) = taken.of_now {
            self.by_clock(clock, Volatile::OfNow);
        }
        self.minds_dates |= taken.by_parameters;
    }

    /// Notes what is asked of the clock.
    fn by_clock(&mut self, clock: Clock, volatile: Volatile) {
        self.clock = worse(self.clock.take(), Some((clock, Reason::Volatile(volatile))));
    }

    fn function(&mut self, call: &FunctionCall, schema: &str) -> Result<(), Reason> {
        let native = built_in(&call.name).filter(|_| call.schema.is_none());
        let volatile = || {
            let is_own = native != Some(BuiltIn::Volatile);
            let (name, nature) = (spelled(call), Nature::NotConstant);
            Err(Reason::Volatile(Volatile::Function { name, nature, is_own }))
        };
        match native {
            Some(BuiltIn::Volatile) => return volatile(),
            Some(BuiltIn::Clock(clock, _)) => {
                let (name, nature, is_own) = (call.name.clone(), Nature::Clock, false);
                self.by_clock(clock, Volatile::Function { name, nature, is_own });
            }
            Some(_) | None => {}
        }
        // One of the same name is meant if there is white space before the parenthesis.
        let mut stored = self.catalog.stored(call, schema).peekable();
        if native.is_none() && stored.peek().is_none() {
            return Err(Reason::Unknown { what: "function", name: spelled(call) });
        }
        if native.is_some() && stored.peek().is_some() {
            // What it makes of its arguments is not known.
            return volatile();
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

    /// Judges a relation, which may be any of those that it adds to what was found.
    fn relation(
        &mut self,
        name: &TableName,
        schema: &str,
        found: &mut Vec<&'a Relation>,
    ) -> Result<(), Reason> {
        let problem = |problem| Reason::Relation { relation: name.clone(), problem };
        let schema = name.schema.as_deref().unwrap_or(schema);
        if schema.is_empty() {
            return Err(problem(Problem::NoSchema));
        }
        if is_system(schema) {
            return Err(problem(Problem::SystemSchema));
        }
        let catalog = self.catalog;
        let known: Vec<&'a Relation> = catalog.relations(name, schema).collect();
        if known.is_empty() {
            return Err(Reason::Unknown { what: "table", name: name.to_string() });
        }
        let place = TableName::qualified(schema, &name.name);
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
            found.push(relation);
        }
        self.tables.insert(place);
        Ok(())
    }

    /// Judges a view's definition. The view itself also counts as read: replacing it is a write.
    fn view(&mut self, view: &TableName, definition: &Analysis) -> Result<(), Reason> {
        if self.open_views.contains(view) {
            return Ok(());
        }
        self.open_views.push(view.clone());
        let of = |reason| Reason::View { view: view.clone(), reason: Box::new(reason) };
        let schema = view.schema.as_deref().unwrap_or_default();
        let outside = self.clock.take();
        let judged = only_query(definition).and_then(|query| self.reads(&query.reads, schema));
        let inside = self.clock.take().map(|(clock, reason)| (clock, of(reason)));
        self.clock = worse(outside, inside);
        self.open_views.pop();
        judged.map_err(of)
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
