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
use super::catalog::Catalog;
use super::facts::{FunctionCall, OperatorUse, Reads, Value};
use super::look_ups::is_system;

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
            !reads.mixes_columns && !reads.is_partial && !reads.relations.iter().any(is_of_server);
        let (steps, depth) = (Cell::new(MAX_STEPS), Cell::new(0));
        Self { catalog, reads, knows_columns, steps, depth }
    }

    /// Whether a value, told as a text, may hold a word such as `now`.
    pub(super) fn may_hold_words(&self, value: &Value) -> bool {
        self.of(value).is_none_or(|types| !types.iter().all(|it| WORDLESS.contains(it)))
    }

    /// Whether a call may run a function that takes these types.
    pub(super) fn may_call(&self, call: &FunctionCall, taken: &[u32]) -> bool {
        call.values.iter().zip(taken).all(|(value, taken)| self.may_become(value, *taken))
    }

    /// Whether a use of an operator may run one between these types.
    pub(super) fn may_operate(&self, used: &OperatorUse, left: u32, right: u32) -> bool {
        self.may_become(&used.left, left) && self.may_become(&used.right, right)
    }

    fn may_become(&self, value: &Value, taken: u32) -> bool {
        let becomes = |own| self.catalog.becomes(own, taken);
        *value == Value::Literal
            || self.of(value).is_none_or(|types| types.into_iter().any(becomes))
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
            Value::Unknown => None,
            Value::Literal => Some(BTreeSet::from([built_in::TEXT])),
            Value::Constant(of_type) => Some(BTreeSet::from([*of_type])),
            Value::Column(name) => self.of_column(name),
            Value::Cast(used) => {
                let known = self.catalog.types(used.schema.as_deref(), &used.name);
                self.plain(known.map(|known| known.object))
            }
            Value::Call(call) => {
                let known = self.catalog.called(call);
                self.plain(known.filter(|it| self.may_call(call, &it.takes)).map(|it| it.gives))
            }
            Value::Operation(used) => {
                let known = self.catalog.operators(used);
                let known = known.filter(|it| self.may_operate(used, it.left, it.right));
                self.plain(known.map(|it| it.gives))
            }
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
        if !self.knows_columns || may_call || self.reads.functions.iter().any(is_returned) {
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

/// How many values of one statement are looked at for their types.
const MAX_STEPS: usize = 2000;

/// How deep it is looked, by names of columns too, which may go in a circle.
const MAX_DEPTH: usize = 16;
