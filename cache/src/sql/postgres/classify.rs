//! Facts and catalog to a verdict, default-deny.
//!
//! The rules, where they are not obvious:
//!
//! * A name without a schema may mean every function, operator, type or relation of that name, in
//!   any schema: all must pass. A spelled schema is believed. Overloads are told apart by the number
//!   of arguments only, since the types of arguments are not known.
//! * **Functions** must be immutable, or such of PostgreSQL's own as depend on settings or look something up in its
//!   catalogs besides (`stable`). What they make of a value of any type (`concat`, `json_agg`) is what the type's output
//!   and casts make of it, which are looked at with the types.
//! * **Operators** of pg_catalog may be stable: what they depend on besides their arguments is
//!   session settings (TimeZone, DateStyle, default_text_search_config…), and those are in the key.
//!   Otherwise `=` and `<` would be refused, since they have overloads that compare a date with a
//!   timestamptz. The database's own operators must be immutable.
//! * **Casts** between built-in types depend on settings at most, but for texts such as `now`: a
//!   constant is checked here, a parameter by the session, and a cast to a date of anything else than
//!   a column that only ever holds dates is refused. Casts to `reg*` types look names up in the catalogs.
//!   Domains are refused, whose checks may call anything; enums are plain lists.
//! * `t.f` may call a function `f` on the row of `t`; it is refused where such an `f` is not immutable.
//! * **Views** are looked through. **System catalogs** are one table, which DDL writes (`look_ups`).
//! * Nothing that is read may do more than answer, whatever it says of itself: a function whose text writes, or
//!   cannot be read, is refused, wherever it stands; one that reads tables is not immutable.
//! * Operator classes (behind ORDER BY, GROUP BY, DISTINCT, UNION) can only be made by superusers and
//!   are believed to be immutable, as PostgreSQL itself believes.

use std::collections::BTreeSet;

use super::catalog::{Catalog, Overload, RUNS_A_TEXT, Relation, RelationKind, Schema, Volatility};
use super::effects::Does;
use super::facts::{
    Analysis, DateCast, FunctionCall, Kind, OperatorUse, Reads, StatementFacts, TypeUse,
};
use super::look_ups;
use super::stable::DependsOn;
use crate::sql::common::{
    Clock, Nature, Obstacle, Parse, Problem, Reason, TableName, Verdict, Volatile,
};

/// Decides whether the reply of a text may be cached.
pub fn classify(analysis: &Analysis, catalog: &Catalog) -> Verdict {
    let mut tables = BTreeSet::new();
    let judged = only_query(analysis).and_then(|query| {
        let mut judge = Judge {
            catalog,
            tables: &mut tables,
            open_views: Vec::new(),
            is_kept: true,
            looks_up: false,
            depth: 0,
            clock: None,
        };
        judge.reads(&query.reads)?;
        let Judge { looks_up, clock, .. } = judge;
        if looks_up {
            tables.insert(TableName::catalogs());
        }
        Ok(clock)
    });
    match judged {
        Ok(clock) => {
            catalog.add_linked(&mut tables);
            let tables = tables.into_iter().collect();
            match clock {
                Some((clock, reason)) => Verdict::Timed { tables, clock, reason },
                None => Verdict::Cacheable { tables },
            }
        }
        Err(reason) => Verdict::Refused(reason),
    }
}

/// Whether a text does nothing but read, so that nobody can tell whether its transaction was committed. Its reply need not be
/// the same each time: it may read the clock, settings, the server's own catalog.
pub(super) fn only_reads(analysis: &Analysis, catalog: &Catalog) -> bool {
    let (mut tables, open_views) = (BTreeSet::new(), Vec::new());
    analysis.effects().next().is_none()
        && only_query(analysis).is_ok_and(|query| {
            let tables = &mut tables;
            let (is_kept, looks_up, depth, clock) = (false, false, 0, None);
            let mut judge = Judge { catalog, tables, open_views, is_kept, looks_up, depth, clock };
            judge.reads(&query.reads).is_ok()
        })
}

/// Checks and policies within one another, at most.
const MAX_DEPTH: usize = 8;

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
    } else if query.kind == Kind::Select {
        Ok(query)
    } else if query.kind == Kind::Write {
        Err(Reason::NotAQuery("the statement writes"))
    } else {
        Err(Reason::NotAQuery("the statement is not a SELECT"))
    }
}

/// Judges what a query reads and collects its tables.
struct Judge<'a> {
    catalog: &'a Catalog,
    tables: &'a mut BTreeSet<TableName>,
    /// The views being looked through, outermost first.
    open_views: Vec<TableName>,
    /// Its reply is to be kept, so that it must be the same until a table is written.
    is_kept: bool,
    /// It reads the database's own catalogs, itself or by a function.
    looks_up: bool,
    /// How many checks and policies it is in.
    depth: usize,
    /// What it takes of the clock that ages worst, and where.
    clock: Option<(Clock, Reason)>,
}

impl Judge<'_> {
    fn reads(&mut self, reads: &Reads) -> Result<(), Reason> {
        if let Some(obstacle) = reads.obstacles.first() {
            return Err(Reason::Obstacle(obstacle.clone()));
        }
        if let Some(volatile) = reads.volatile.first().filter(|_| self.is_kept) {
            return Err(Reason::Volatile(volatile.clone()));
        }
        for (clock, volatile) in &reads.clock {
            self.by_clock(*clock, volatile.clone());
        }
        if let Some(cast) = self.catalog.volatile_cast() {
            return Err(Reason::Volatile(Volatile::Cast(cast.to_owned())));
        }
        if self.catalog.unnamed().casting.is_some() {
            return Err(Reason::Volatile(Volatile::CastDoesMore));
        }
        reads.functions.iter().try_for_each(|call| self.function(call, reads))?;
        reads.columns.iter().try_for_each(|name| self.column(name))?;
        reads.operators.iter().try_for_each(|operator| self.operator(operator))?;
        reads.types.iter().try_for_each(|used| self.type_use(used))?;
        reads.date_casts.iter().for_each(|cast| self.date_cast(cast, reads));
        reads.relations.iter().try_for_each(|name| self.relation(name, reads))
    }

    fn function(&mut self, call: &FunctionCall, reads: &Reads) -> Result<(), Reason> {
        let name = spelled(call.schema.as_deref(), &call.name);
        let catalog = self.catalog;
        let asks_settings = call.name == "current_setting" && !reads.asks_restless_settings;
        let volatility = |known: &Overload| match asks_settings && known.is_built_in() {
            // Which follow the session, and are in the key.
            true => Volatility::Stable(DependsOn::Settings),
            false => known.volatility,
        };
        let meant = || catalog.called(call).map(volatility);
        let Some(worst) = meant().max() else {
            return Err(unknown("function", call.schema.as_deref(), &call.name));
        };
        self.looks_up |= meant().any(|one| one == Volatility::Stable(DependsOn::Catalogs));
        let of = |nature| {
            let is_own = !catalog.called(call).all(Overload::is_built_in);
            Volatile::Function { name: name.clone(), nature, is_own }
        };
        let problem = match worst {
            Volatility::Immutable
            | Volatility::Stable(DependsOn::Settings | DependsOn::Catalogs) => None,
            Volatility::Stable(_) if !self.is_kept && self.only_answers(call) => None,
            Volatility::Stable(DependsOn::Clock) => {
                self.by_clock(clock_of(&call.name), of(Nature::Clock));
                None
            }
            Volatility::Stable(DependsOn::More) => Some(Nature::Stable),
            Volatility::Volatile => Some(Nature::Volatile),
        };
        if let Some(nature) = problem {
            return Err(Reason::Volatile(of(nature)));
        }
        if catalog.called(call).any(|known| known.does.is_some()) {
            return Err(Reason::Volatile(of(Nature::DoesMore)));
        }
        Ok(())
    }

    /// Whether a call of a stable function is one of the server's own, which does what it says, and gives the transaction no
    /// id. What the body of another calls of the server's nobody has looked at.
    fn only_answers(&self, call: &FunctionCall) -> bool {
        !matches!(&*call.name, "txid_current" | "pg_current_xact_id")
            && !RUNS_A_TEXT.contains(&&*call.name)
            && self
                .catalog
                .called(call)
                .all(|known| known.volatility == Volatility::Immutable || known.is_built_in())
    }

    fn operator(&self, operator: &OperatorUse) -> Result<(), Reason> {
        let mut known = self.catalog.operators(operator).peekable();
        if known.peek().is_none() {
            return Err(unknown("operator", operator.schema.as_deref(), &operator.name));
        }
        for known in known {
            if !is_constant(&known.schema, known.volatility) {
                return Err(Reason::Volatile(Volatile::Operator(operator.name.clone())));
            }
            if known.does.is_some() {
                return Err(Reason::Volatile(Volatile::OperatorDoesMore(operator.name.clone())));
            }
        }
        Ok(())
    }

    fn column(&self, name: &str) -> Result<(), Reason> {
        let is_constant = self
            .catalog
            .called_on_row(name)
            .all(|called| called.volatility < NOT_OF_SETTINGS && called.does.is_none());
        if is_constant {
            return Ok(());
        }
        Err(Reason::Volatile(Volatile::FunctionOfRow(name.to_owned())))
    }

    fn type_use(&mut self, used: &TypeUse) -> Result<(), Reason> {
        let name = spelled(used.schema.as_deref(), &used.name);
        if self.is_kept && used.name.starts_with("reg") && self.is_built_in_type(used) {
            if !look_ups::is_name_of_object(&used.name) {
                return Err(Reason::Obstacle(Obstacle::NameLookedUp(name)));
            }
            self.looks_up = true;
        }
        let catalog = self.catalog;
        let mut known = catalog.types(used.schema.as_deref(), &used.name).peekable();
        if known.peek().is_none() {
            return Err(unknown("type", used.schema.as_deref(), &used.name));
        }
        if used.name == "timetz" {
            self.by_clock(Clock::Date, Volatile::TimeOfDay);
        }
        for known in known.filter(|known| known.schema != Schema::BuiltIn && known.kind != 'e') {
            let checks = known.checks.as_deref().filter(|_| self.depth < MAX_DEPTH);
            let Some(checks) = checks else {
                return Err(Reason::Obstacle(Obstacle::TextOfType(name)));
            };
            self.within(checks)?;
        }
        Ok(())
    }

    /// Judges what is run for each value or row.
    fn within(&mut self, statement: &Analysis) -> Result<(), Reason> {
        self.depth += 1;
        let judged = only_query(statement).and_then(|query| self.reads(&query.reads));
        self.depth -= 1;
        judged
    }

    fn is_built_in_type(&self, used: &TypeUse) -> bool {
        let mut known = self.catalog.types(used.schema.as_deref(), &used.name);
        known.any(|known| known.schema == Schema::BuiltIn)
    }

    fn date_cast(&mut self, cast: &DateCast, reads: &Reads) {
        let renamed = |name: &String| {
            reads.aliases.contains(name) || reads.functions.iter().any(|call| call.name == *name)
        };
        match cast {
            DateCast::Column(name) if self.catalog.is_date_column(name) && !renamed(name) => {}
            DateCast::Column(_) | DateCast::Expression => {
                self.by_clock(Clock::Date, Volatile::TextAsDate);
            }
        }
    }

    /// Notes what is taken of the clock.
    fn by_clock(&mut self, clock: Clock, volatile: Volatile) {
        if self.clock.as_ref().is_none_or(|(known, _)| *known < clock) {
            let within = |inner, view: &TableName| Reason::View {
                view: view.clone(),
                reason: Box::new(inner),
            };
            let reason = self.open_views.iter().rev().fold(Reason::Volatile(volatile), within);
            self.clock = Some((clock, reason));
        }
    }

    fn relation(&mut self, name: &TableName, reads: &Reads) -> Result<(), Reason> {
        let problem = |problem| Reason::Relation { relation: name.clone(), problem };
        if name.schema.as_deref().is_some_and(is_system) && !self.is_kept {
            return Ok(());
        }
        let catalog = self.catalog;
        let known: Vec<&Relation> = catalog.relations(name).collect();
        if known.is_empty() {
            return Err(unknown("table", name.schema.as_deref(), &name.name));
        }
        let (system, others): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|relation| is_system(&relation.schema));
        let is_kept = self.is_kept;
        for relation in system.iter().filter(|_| is_kept) {
            self.system(relation, name, reads).map_err(problem)?;
        }
        if others.is_empty() {
            return Ok(());
        }
        for relation in others {
            if let Some(found) = relation.problem {
                return Err(problem(found));
            }
            does_no_more(&relation.read).map_err(|()| problem(Problem::DoesMore))?;
            if let Some(policy) = relation.policy.as_deref() {
                if self.depth == MAX_DEPTH {
                    return Err(problem(Problem::NestedPolicies));
                }
                let of_table = |reason| {
                    let (table, reason) = (name.clone(), Box::new(reason));
                    Reason::Policy { table, reason }
                };
                self.within(policy).map_err(of_table)?;
            }
            match &relation.kind {
                RelationKind::Table => {}
                // One that was judged before, by another way here, has passed.
                RelationKind::View(_) if self.tables.contains(name) => {}
                RelationKind::View(definition) => self.view(name, &relation.schema, definition)?,
                RelationKind::Other(found) => return Err(problem(*found)),
            }
        }
        self.tables.insert(name.clone());
        Ok(())
    }

    /// Judges one of the server's own relations; what is wrong with it.
    fn system(
        &mut self,
        relation: &Relation,
        name: &TableName,
        reads: &Reads,
    ) -> Result<(), Problem> {
        if !look_ups::is_steady(&relation.schema, &name.name) {
            return Err(Problem::OfTheServer);
        }
        // A function of its row sees all columns.
        let calls = |column: &String| self.catalog.called_on_row(column).next().is_some();
        if look_ups::is_restless(name) && (reads.is_restless || reads.columns.iter().any(calls)) {
            return Err(Problem::RestlessColumns);
        }
        self.looks_up = true;
        Ok(())
    }

    /// Judges a view's definition. The view itself also counts as read: replacing it is a write.
    fn view(
        &mut self,
        name: &TableName,
        schema: &str,
        definition: &Analysis,
    ) -> Result<(), Reason> {
        let view = TableName::qualified(schema, &name.name);
        // A bare name inside may mean the view itself by our rule; PostgreSQL forbids real circles.
        if self.open_views.contains(&view) {
            return Ok(());
        }
        self.open_views.push(view.clone());
        let judged = only_query(definition).and_then(|query| self.reads(&query.reads));
        self.open_views.pop();
        judged.map_err(|reason| Reason::View { view, reason: Box::new(reason) })
    }
}

/// The best of what is not steady while settings, the user and the catalogs are.
const NOT_OF_SETTINGS: Volatility = Volatility::Stable(DependsOn::Catalogs);

/// What a function that depends on the clock takes of it.
fn clock_of(name: &str) -> Clock {
    match name {
        "now" | "statement_timestamp" | "transaction_timestamp" => Clock::Moment,
        // Counted from midnight, or with the offset that a time zone has today.
        _ => Clock::Date,
    }
}

/// A stable operator of PostgreSQL's own depends on settings besides its arguments, not on more.
fn is_constant(schema: &Schema, volatility: Volatility) -> bool {
    match volatility {
        Volatility::Immutable => true,
        Volatility::Stable(_) => *schema == Schema::BuiltIn,
        Volatility::Volatile => false,
    }
}

pub(super) fn is_system(schema: &str) -> bool {
    ["pg_catalog", "information_schema", "pg_toast"].contains(&schema)
}

fn does_no_more(does: &Does) -> Result<(), ()> {
    if does.is_none() { Ok(()) } else { Err(()) }
}

fn unknown(what: &'static str, schema: Option<&str>, name: &str) -> Reason {
    Reason::Unknown { what, name: spelled(schema, name) }
}

fn spelled(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"))
}
