//! Which type a value has, and with that which of several functions or operators of a name may run.
//!
//! Nothing is resolved as the server does it: what is found is a set that the server's choice is in. A column is what any
//! column of its name is in the database, unless the statement gives the name to something else as well. An overload is
//! ruled out where one of its arguments has a known type that no implicit cast makes of it what the overload takes
//! (`func_match_argtypes` in parse_func.c). Whatever else there may be (parameters, arrays, domains, rows, pseudo-types) is not known,
//! and rules nothing out.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::built_in;
use super::catalog::{Catalog, Operator, Overload};
use super::look_ups::is_system;
use super::reads::{FunctionCall, OperatorUse, Reads, Value};

/// Types whose values, told as a text, hold no word such as `now`: booleans, numbers, dates and times.
const WORDLESS: [u32; 13] = [
    built_in::BOOL,
    built_in::INT8,
    built_in::INT2,
    built_in::INT4,
    built_in::FLOAT4,
    built_in::FLOAT8,
    built_in::DATE,
    built_in::TIME,
    built_in::TIMESTAMP,
    built_in::TIMESTAMPTZ,
    built_in::INTERVAL,
    built_in::TIMETZ,
    built_in::NUMERIC,
];

/// The types of what one statement reads.
pub(super) struct Types<'a> {
    catalog: &'a Catalog,
    reads: &'a Reads,
    /// Columns are known by their names.
    knows_columns: bool,
    /// How many more values are looked at.
    steps: Cell<usize>,
    /// Within how many others the value is that is looked at.
    depth: Cell<usize>,
}

/// The types that a value may have; none where nobody knows.
type Known = Option<BTreeSet<u32>>;

impl<'a> Types<'a> {
    /// Those of a statement that reads this.
    pub(super) fn new(catalog: &'a Catalog, reads: &'a Reads) -> Self {
        let is_of_server = |name| catalog.relations(name).any(|known| is_system(&known.schema));
        let knows_columns =
            !reads.mixes.columns && !reads.is_partial && !reads.relations.iter().any(is_of_server);
        let (steps, depth) = (Cell::new(MAX_STEPS), Cell::new(0));
        Self { catalog, reads, knows_columns, steps, depth }
    }

    /// Whether a value, told as a text, may hold a word such as `now`.
    pub(super) fn may_hold_words(&self, value: &Value) -> bool {
        self.of(value).is_none_or(|types| !types.iter().all(|it| WORDLESS.contains(it)))
    }

    /// The functions of which a call may run one.
    pub(super) fn called<'c>(&self, call: &'c FunctionCall) -> Vec<&'c Overload>
    where
        'a: 'c,
    {
        let given: Vec<Known> = call.values.iter().map(|value| self.given(value)).collect();
        let is_taken = |(given, taken): (&Known, &u32)| self.may_become(given, *taken);
        let may_run = |known: &&Overload| given.iter().zip(&known.takes).all(is_taken);
        let called: Vec<&Overload> = self.catalog.called(call).filter(may_run).collect();
        // One of the server's own that takes just these types is always seen, and runs before any that needs a cast.
        let exact: Option<Vec<u32>> = given.iter().map(only).collect();
        let is_exact = |known: &&Overload| {
            call.arguments == Some(given.len()) && exact.as_deref() == Some(&known.takes)
        };
        if called.iter().any(|known| known.is_built_in() && is_exact(known)) {
            let may_run = |known: &&Overload| !known.is_built_in() || is_exact(known);
            return called.into_iter().filter(may_run).collect();
        }
        called
    }

    /// The operators of which a use may run one.
    pub(super) fn operators<'c>(
        &'c self,
        used: &'c OperatorUse,
    ) -> impl Iterator<Item = &'c Operator> {
        let (left, right) = (self.given(&used.left), self.given(&used.right));
        self.catalog.operators(used).filter(move |known| {
            self.may_become(&left, known.left) && self.may_become(&right, known.right)
        })
    }

    /// Whether a time of day may become one with a time zone, and so get the offset that the zone has today, without a cast
    /// in the text.
    pub(super) fn may_make_offsets(&self) -> bool {
        let is_made = |value: &Value, taken: u32| {
            taken == built_in::TIMETZ && only(&self.given(value)) != Some(built_in::TIMETZ)
        };
        let between = |used: &OperatorUse| {
            let is_between = |known: &Operator| {
                is_made(&used.left, known.left) || is_made(&used.right, known.right)
            };
            self.operators(used).any(is_between)
        };
        let by_call = |call: &FunctionCall| {
            let values = || call.values.iter().chain(std::iter::repeat(&Value::Unknown));
            let takes = |known: &Overload| {
                known.takes.iter().zip(values()).any(|(taken, value)| is_made(value, *taken))
            };
            self.called(call).into_iter().any(takes)
        };
        let reads = self.reads;
        let of_name = |name| self.catalog.relations(name).any(|known| known.has_offsets);
        reads.relations.iter().any(of_name)
            && (reads.mixes.columns
                || reads.mixes.values
                || reads.operators.iter().any(between)
                || reads.functions.iter().any(by_call))
    }

    /// The types of what is given to a function or an operator. A literal has none before it is known what it is used as.
    fn given(&self, value: &Value) -> Known {
        match value {
            Value::Literal => None,
            value => self.of(value),
        }
    }

    fn may_become(&self, given: &Known, taken: u32) -> bool {
        let becomes = |own: &u32| self.catalog.becomes(*own, taken);
        given.as_ref().is_none_or(|types| types.iter().any(becomes))
    }

    fn of(&self, value: &Value) -> Known {
        let depth = self.depth.get();
        if depth == MAX_DEPTH {
            return None;
        }
        self.steps.set(self.steps.get().checked_sub(1)?);
        self.depth.set(depth + 1);
        let known = self.within(value);
        self.depth.set(depth);
        known
    }

    fn within(&self, value: &Value) -> Known {
        match value {
            Value::Unknown | Value::Parameter => None,
            Value::Literal => Some(BTreeSet::from([built_in::TEXT])),
            Value::Constant(of_type) => Some(BTreeSet::from([*of_type])),
            Value::Column(name) => self.of_column(name),
            Value::Cast(used) => {
                let known = self.catalog.types(used.schema.as_deref(), &used.name);
                self.plain(known.map(|known| known.object))
            }
            Value::Call(call) => self.plain(self.called(call).into_iter().map(|known| known.gives)),
            Value::Operation(used) => self.plain(self.operators(used).map(|known| known.gives)),
            Value::OneOf(values) => {
                let known = values.iter().filter(|value| **value != Value::Literal);
                let known = known.map(|value| self.of(value)).collect::<Option<Vec<_>>>()?;
                let of_literals = || BTreeSet::from([built_in::TEXT]);
                Some(known.into_iter().reduce(|a, b| &a | &b).unwrap_or_else(of_literals))
            }
        }
    }

    fn of_column(&self, name: &str) -> Known {
        let may_call = self.catalog.called_on_row(name).next().is_some();
        let is_returned = |call| self.catalog.called(call).any(|it| it.has_column(name));
        if !self.knows_columns
            || may_call
            || is_given(name)
            || self.reads.functions.iter().any(is_returned)
        {
            return None;
        }
        let columns = self.catalog.columns(name);
        let mut types =
            if columns.is_empty() { BTreeSet::new() } else { self.plain(columns.iter().copied())? };
        // A name for a column of its own name is that column.
        let named = self.reads.aliases.get(name).into_iter().flatten();
        for value in named.filter(|value| !matches!(value, Value::Column(own) if own == name)) {
            types.extend(self.of(value)?);
        }
        Some(types).filter(|types| !types.is_empty())
    }

    /// These types, if all of them are such as are told apart here.
    fn plain(&self, types: impl Iterator<Item = u32>) -> Known {
        let known = |of_type| Some(of_type).filter(|it| self.catalog.is_plain(*it));
        let types = types.map(known).collect::<Option<BTreeSet<u32>>>()?;
        Some(types).filter(|types| !types.is_empty())
    }
}

/// The type that something has for certain.
fn only(known: &Known) -> Option<u32> {
    let types = known.as_ref()?;
    types.first().copied().filter(|_first| types.len() == 1)
}

/// Whether the server gives such a name to the columns of VALUES, and to those of a row.
fn is_given(name: &str) -> bool {
    let number = ["column", "f"].iter().find_map(|letters| name.strip_prefix(letters));
    number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// How many values of one statement are looked at for their types.
const MAX_STEPS: usize = 2000;

/// How deep it is looked, by names of columns too, which may go in a circle.
const MAX_DEPTH: usize = 16;
