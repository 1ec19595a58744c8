//! Facts and catalog to a verdict, default-deny.
//!
//! The rules, where they are not obvious:
//!
//! * A name without a schema may mean every function, operator, type or relation of that name, in
//!   any schema: all must pass. A spelled schema is believed. Overloads are told apart by the number
//!   of arguments and, as far as they are known, their types (`types`).
//! * **Functions** must be immutable, or such of PostgreSQL's own as depend on settings or look something up in its
//!   catalogs besides (`stable`), or in SQL and not volatile: what these ask is judged like a view (`behind`). What they make of
//!   a value of any type (`concat`, `json_agg`) is what the type's output and casts make of it, which are looked at with the types.
//! * **Operators** of pg_catalog may be stable: what they depend on besides their arguments is
//!   session settings (TimeZone, DateStyle, default_text_search_config…), and those are in the key.
//!   Otherwise `=` and `<` would be refused, since they have overloads that compare a date with a
//!   timestamptz. The database's own operators must be immutable.
//! * **Casts** between built-in types depend on settings at most, but for texts such as `now`: a
//!   constant is checked here, a parameter by the session, and a cast to a date of what may be a text depends on
//!   the date. Casts to `reg*` types look names up in the catalogs.
//!   The checks of a domain are judged too; enums are plain lists.
//! * `t.f` may call a function `f` on the row of `t`; it is refused where such an `f` is not immutable.
//! * **Views** are looked through. **System catalogs** are one table, which DDL writes (`look_ups`).
//! * Nothing that is read may do more than answer, whatever it says of itself: a function whose text writes, or
//!   cannot be read, is refused, wherever it stands; one that reads tables is not immutable.
//! * Operator classes (behind ORDER BY, GROUP BY, DISTINCT, UNION) can only be made by superusers and
//!   are believed to be immutable, as PostgreSQL itself believes.

use std::collections::BTreeSet;

use super::built_in;
use super::catalog::{Catalog, Overload, Schema, Volatility};
use super::code::RUNS_A_TEXT;
use super::facts::{Analysis, Kind, StatementFacts};
use super::look_ups;
use super::reads::{FunctionCall, OperatorUse, Reads, TypeUse, Value};
use super::stable::DependsOn;
use super::types::Types;
use crate::sql::common::{
    ByClock, Clock, Nature, Obstacle, Parse, Reason, TableName, Verdict, Volatile, worse,
};

/// Decides whether the reply of a text may be cached.
pub fn classify(analysis: &Analysis, catalog: &Catalog) -> Verdict {
    let mut tables = BTreeSet::new();
    let judged = only_query(analysis).and_then(|query| {
        let mut judge = Judge::new(catalog, &mut tables, true);
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
    let mut tables = BTreeSet::new();
    analysis.effects().next().is_none()
        && only_query(analysis)
            .is_ok_and(|query| Judge::new(catalog, &mut tables, false).reads(&query.reads).is_ok())
}

/// Checks, policies and functions within one another, at most.
pub(super) const MAX_DEPTH: usize = 8;

pub(super) fn only_query(analysis: &Analysis) -> Result<&StatementFacts, Reason> {
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
pub(super) struct Judge<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) tables: &'a mut BTreeSet<TableName>,
    /// The views being looked through, outermost first.
    pub(super) open_views: Vec<TableName>,
    /// Its reply is to be kept, so that it must be the same until a table is written.
    pub(super) is_kept: bool,
    /// It reads the database's own catalogs, itself or by a function.
    pub(super) looks_up: bool,
    /// The functions that were looked into, or are being.
    pub(super) seen: BTreeSet<u32>,
    /// How many functions it is in.
    pub(super) calls: usize,
    /// How many checks, policies and functions it is in.
    pub(super) depth: usize,
    /// What it takes of the clock that ages worst, and where.
    pub(super) clock: Option<ByClock>,
}

impl<'a> Judge<'a> {
    fn new(catalog: &'a Catalog, tables: &'a mut BTreeSet<TableName>, is_kept: bool) -> Self {
        Judge {
            catalog,
            tables,
            open_views: Vec::new(),
            is_kept,
            looks_up: false,
            seen: BTreeSet::new(),
            calls: 0,
            depth: 0,
            clock: None,
        }
    }

    pub(super) fn reads(&mut self, reads: &Reads) -> Result<(), Reason> {
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
        let types = Types::new(self.catalog, reads);
        if types.may_make_offsets() {
            self.by_clock(Clock::Date, Volatile::TimeOfDay);
        }
        reads.functions.iter().try_for_each(|call| self.function(call, reads, &types))?;
        reads.columns.iter().try_for_each(|name| self.column(name))?;
        reads.operators.iter().try_for_each(|operator| self.operator(operator, &types))?;
        reads.types.iter().try_for_each(|used| self.type_use(used))?;
        reads.date_casts.iter().for_each(|cast| self.date_cast(cast, &types));
        reads.relations.iter().try_for_each(|name| self.relation(name, reads))
    }

    fn function(
        &mut self,
        call: &FunctionCall,
        reads: &Reads,
        types: &Types<'_>,
    ) -> Result<(), Reason> {
        let name = spelled(call.schema.as_deref(), &call.name);
        let asks_settings = call.name == "current_setting" && !reads.restless.settings;
        let volatility = |known: &Overload| match asks_settings && known.is_built_in() {
            // Which follow the session, and are in the key.
            true => Volatility::Stable(DependsOn::Settings),
            false => known.volatility,
        };
        let called = types.called(call);
        let meant = || called.iter().copied().map(volatility);
        let Some(worst) = meant().max() else {
            return Err(unknown("function", call.schema.as_deref(), &call.name));
        };
        self.looks_up |= meant().any(|one| one == Volatility::Stable(DependsOn::Catalogs));
        let of = |nature| {
            let is_own = !called.iter().all(|known| known.is_built_in());
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
            Volatility::Stable(DependsOn::More) => {
                let asks = |known: &&Overload| volatility(known) == MORE && known.asks.is_none();
                called.iter().any(asks).then_some(Nature::Stable)
            }
            Volatility::Volatile => Some(Nature::Volatile),
        };
        if let Some(nature) = problem {
            return Err(Reason::Volatile(of(nature)));
        }
        if called.iter().any(|known| known.does.is_some()) {
            return Err(Reason::Volatile(of(Nature::DoesMore)));
        }
        let makes_offset = |known: &&Overload| {
            let takes_one = known.takes.contains(&built_in::TIMETZ);
            !known.is_built_in() && known.gives == built_in::TIMETZ && !takes_one
        };
        if called.iter().any(makes_offset) {
            self.by_clock(Clock::Date, Volatile::TimeOfDay);
        }
        let looked_into = |known: &&Overload| worst == MORE && volatility(known) == MORE;
        let mut looked_into = called.iter().copied().filter(looked_into);
        looked_into.try_for_each(|known| self.asks(&name, known))?;
        let defaults = called.iter().filter_map(|known| known.asked_instead(call.arguments));
        defaults.into_iter().try_for_each(|defaults| self.within(defaults))
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

    fn operator(&self, operator: &OperatorUse, types: &Types<'_>) -> Result<(), Reason> {
        let mut known = types.operators(operator).peekable();
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

    fn column(&mut self, name: &str) -> Result<(), Reason> {
        let catalog = self.catalog;
        catalog.called_on_row(name).try_for_each(|called| {
            let is_constant = called.volatility < NOT_OF_SETTINGS && called.defaults.is_none();
            let may_ask = called.volatility <= MORE && called.asks.is_some();
            if called.does.is_none() && is_constant {
                Ok(())
            } else if called.does.is_none() && called.defaults.is_none() && may_ask {
                self.asks(name, called)
            } else {
                Err(Reason::Volatile(Volatile::FunctionOfRow(name.to_owned())))
            }
        })
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

    fn is_built_in_type(&self, used: &TypeUse) -> bool {
        let mut known = self.catalog.types(used.schema.as_deref(), &used.name);
        known.any(|known| known.schema == Schema::BuiltIn)
    }

    fn date_cast(&mut self, cast: &Value, types: &Types<'_>) {
        // Of a statement's parameter the session sees the value, of a function's nobody.
        let is_seen = *cast == Value::Parameter && self.calls == 0;
        if !is_seen && types.may_hold_words(cast) {
            self.by_clock(Clock::Date, Volatile::TextAsDate);
        }
    }

    /// Notes what is taken of the clock.
    fn by_clock(&mut self, clock: Clock, volatile: Volatile) {
        self.clock = worse(self.clock.take(), Some((clock, Reason::Volatile(volatile))));
    }
}

/// Of what nobody has reviewed, but for the text that it may have.
const MORE: Volatility = Volatility::Stable(DependsOn::More);

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
        Volatility::Immutable | Volatility::Stable(DependsOn::Settings) => true,
        Volatility::Stable(_) => *schema == Schema::BuiltIn,
        Volatility::Volatile => false,
    }
}

pub(super) fn unknown(what: &'static str, schema: Option<&str>, name: &str) -> Reason {
    Reason::Unknown { what, name: spelled(schema, name) }
}

fn spelled(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"))
}
