//! What the origin says of its functions, operators, types and relations.
//!
//! A catalog is built from the rows of [`CatalogQuery::ALL`] and does not change; when DDL is seen
//! the proxy reads a new one. It only answers questions: the rules are in `classify`.
//!
//! What using an object does besides answering is found when the catalog is built: `uses` says what the texts
//! of functions use, `graph` of the common part follows who uses whom.

use std::collections::{BTreeSet, HashMap};

use super::effects::Does;
use super::facts::Analysis;
use super::reads::{FunctionCall, OperatorUse};
use super::stable::DependsOn;
use crate::sql::common::{Problem, TableName, reachable};

mod body;
pub(super) mod builder;
mod node;
mod queries;
mod uses;

/// One of the catalog queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CatalogQuery {
    /// Functions, aggregates, window functions and procedures.
    Functions,
    /// Operators.
    Operators,
    /// Tables, views and the like.
    Relations,
    /// Which relations change with which others.
    Links,
    /// Types and casts.
    Types,
    /// Names of columns and the types that columns of these names have.
    Columns,
    /// Which types become which others without being asked to.
    Casts,
    /// Texts of functions.
    Bodies,
    /// Which objects run which functions.
    Uses,
}

/// A row that is not what its query asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a catalog row of {query:?} has an unexpected column {column}")]
pub struct CatalogError {
    /// The query.
    pub query: CatalogQuery,
    /// The column, from 0.
    pub column: usize,
}

/// What the origin's catalog says, ready to classify with.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    functions: HashMap<String, Vec<Overload>>,
    operators: HashMap<String, Vec<Operator>>,
    relations: HashMap<String, Vec<Relation>>,
    /// Reading the key, one also sees what is written to the values.
    links: HashMap<String, Vec<String>>,
    types: HashMap<String, Vec<Type>>,
    /// The types that columns have, by their names.
    columns: HashMap<String, Vec<u32>>,
    /// The types that are told apart, each with its `typtype`.
    plain: HashMap<u32, char>,
    /// What types become without being asked to.
    casts: HashMap<u32, Vec<u32>>,
    volatile_cast: Option<String>,
    unnamed: Unnamed,
    has_asking: bool,
    fingerprint: u64,
}

/// What may be done although no name in a statement says so.
#[derive(Clone, Debug, Default)]
pub(super) struct Unnamed {
    /// By a cast.
    pub(super) casting: Does,
    /// By whatever a query may use besides functions and relations.
    pub(super) reading: Does,
    /// By making, changing, dropping an object or keeping it in order.
    pub(super) keeping: Does,
}

/// How constant a function's results are. The order is from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Volatility {
    Immutable,
    Stable(DependsOn),
    Volatile,
}

/// The schema of a thing in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schema {
    BuiltIn,
    Named(Box<str>),
}

/// One function among those of a name.
#[derive(Clone, Debug)]
pub(super) struct Overload {
    schema: Schema,
    pub(super) volatility: Volatility,
    /// What a call does.
    pub(super) does: Does,
    pub(super) object: u32,
    /// What is asked for arguments that a call does not give.
    pub(super) defaults: Option<Box<Analysis>>,
    /// What a call asks, of a function in SQL that only asks.
    pub(super) asks: Option<Box<Analysis>>,
    /// Fewest and most arguments; without a most, it is variadic.
    fewest: usize,
    most: Option<usize>,
    takes_row: bool,
    /// The types of its arguments; the last may be repeated.
    pub(super) takes: Box<[u32]>,
    /// The type of its result.
    pub(super) gives: u32,
    /// The columns of its rows that have names.
    columns: Box<[Box<str>]>,
}

/// One operator among those of a name.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    pub(super) schema: Schema,
    pub(super) volatility: Volatility,
    pub(super) does: Does,
    object: u32,
    /// The types that it stands between; of a prefix operator the left is 0.
    pub(super) left: u32,
    pub(super) right: u32,
    /// The type of its result.
    pub(super) gives: u32,
}

/// One type among those of a name.
#[derive(Clone, Debug)]
pub(super) struct Type {
    pub(super) schema: Schema,
    /// `typtype`.
    pub(super) kind: char,
    /// What is asked of each value; none where a text may be another value each time.
    pub(super) checks: Option<Box<Analysis>>,
    /// What making or telling a value does.
    pub(super) does: Does,
    pub(super) object: u32,
}

/// One relation among those of a name.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) kind: RelationKind,
    /// Why its rows may not be cached.
    pub(super) problem: Option<Problem>,
    /// It has times of day with a time zone, of which the offset may be that of today.
    pub(super) has_offsets: bool,
    /// What row security asks of each row.
    pub(super) policy: Option<Box<Analysis>>,
    /// What reading it does.
    pub(super) read: Does,
    /// What writing it does besides: of a view this is the writing of what is behind it.
    pub(super) written: Does,
    object: u32,
}

/// What sort of relation it is.
#[derive(Clone, Debug)]
pub(super) enum RelationKind {
    /// A table, partitioned or not, or a materialised view.
    Table,
    /// A view and what its definition says.
    View(Box<Analysis>),
    /// Nothing that is cached, and why.
    Other(Problem),
}

impl Catalog {
    /// How many functions, operators and relations it knows, for logs.
    pub fn len(&self) -> usize {
        self.functions.len() + self.operators.len() + self.relations.len()
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same for two readings of the same catalog, in whatever order the rows came.
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Every function that a call may mean.
    pub(super) fn called<'c>(
        &'c self,
        call: &'c FunctionCall,
    ) -> impl Iterator<Item = &'c Overload> {
        let known = self.functions.get(&call.name).into_iter().flatten();
        known
            .filter(|overload| overload.schema.is_named(call.schema.as_deref()))
            .filter(|overload| overload.takes(call.arguments))
    }

    /// Every function that `row.name` may call.
    pub(super) fn called_on_row(&self, name: &str) -> impl Iterator<Item = &Overload> {
        let known = self.functions.get(name).into_iter().flatten();
        known.filter(|overload| overload.takes_row)
    }

    /// Every operator that a use may mean.
    pub(super) fn operators<'c>(
        &'c self,
        wanted: &'c OperatorUse,
    ) -> impl Iterator<Item = &'c Operator> {
        let known = self.operators.get(&wanted.name).into_iter().flatten();
        known.filter(|operator| operator.schema.is_named(wanted.schema.as_deref()))
    }

    /// Every relation that a name may mean.
    pub(super) fn relations<'c>(
        &'c self,
        wanted: &'c TableName,
    ) -> impl Iterator<Item = &'c Relation> {
        let known = self.relations.get(&wanted.name).into_iter().flatten();
        known.filter(|relation| {
            wanted.schema.as_deref().is_none_or(|schema| schema == relation.schema)
        })
    }

    /// Every type that a name may mean.
    pub(super) fn types<'c>(
        &'c self,
        schema: Option<&'c str>,
        name: &str,
    ) -> impl Iterator<Item = &'c Type> {
        let known = self.types.get(name).into_iter().flatten();
        known.filter(move |known| known.schema.is_named(schema))
    }

    /// The types of all columns of this name.
    pub(super) fn columns(&self, name: &str) -> &[u32] {
        self.columns.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a type is one that is told from others: no array, domain, row or pseudo-type.
    pub(super) fn is_plain(&self, of_type: u32) -> bool {
        self.plain.contains_key(&of_type)
    }

    /// Whether a value of a plain type may be given where another type is taken, without a cast in the text.
    pub(super) fn becomes(&self, own: u32, taken: u32) -> bool {
        let is_base = self.plain.get(&own) == Some(&'b');
        own == taken
            || self.casts.get(&own).is_some_and(|casts| casts.contains(&taken))
            || !(self.is_plain(taken) || is_base && OF_NO_BASE.contains(&taken))
    }

    /// A cast that calls a function which is not immutable, made by a user of the database.
    pub(super) fn volatile_cast(&self) -> Option<&str> {
        self.volatile_cast.as_deref()
    }

    /// Whether any of the database's own objects asks what its session drew from sequences.
    pub const fn has_asking(&self) -> bool {
        self.has_asking
    }

    /// What may be done although no name in a statement says so.
    pub(super) const fn unnamed(&self) -> &Unnamed {
        &self.unnamed
    }

    /// Adds the names of all tables whose writes also change what the named tables show.
    pub(super) fn add_linked(&self, tables: &mut BTreeSet<TableName>) {
        let names = tables.iter().map(|table| table.name.clone()).collect();
        tables.extend(reachable(&self.links, names).iter().map(|name| TableName::bare(name)));
    }
}

/// `record`, `anyarray`, `anyenum`, `anyrange`, `anymultirange`, and `anycompatible…` of an array, a multirange and a range:
/// nothing becomes these that is no array, enum, range or row.
const OF_NO_BASE: [u32; 8] = [2249, 2277, 3500, 3831, 4537, 5078, 4538, 5080];

impl Overload {
    /// Whether it gives rows with a column of this name.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| **column == *name)
    }

    /// Whether it is one of PostgreSQL's own.
    pub(super) fn is_built_in(&self) -> bool {
        self.schema == Schema::BuiltIn
    }

    /// What is asked for the arguments that a call of so many does not give.
    pub(super) fn asked_instead(&self, arguments: Option<usize>) -> Option<&Analysis> {
        let has_all = arguments.zip(self.most).is_some_and(|(given, most)| given >= most);
        self.defaults.as_deref().filter(|_| !has_all)
    }

    /// Whether it can be called with so many arguments; without a number, any may be meant.
    fn takes(&self, arguments: Option<usize>) -> bool {
        let Some(arguments) = arguments else { return true };
        match self.most {
            Some(most) => (self.fewest..=most).contains(&arguments),
            // A variadic parameter may be given nothing.
            None => arguments >= self.fewest.saturating_sub(1),
        }
    }
}

impl Schema {
    fn of(name: &str) -> Self {
        if name == BUILT_IN { Self::BuiltIn } else { Self::Named(name.into()) }
    }

    /// Whether a statement that spells the schema so, or not at all, may mean this one.
    fn is_named(&self, spelled: Option<&str>) -> bool {
        match (self, spelled) {
            (_, None) => true,
            (Self::BuiltIn, Some(spelled)) => spelled == BUILT_IN,
            (Self::Named(name), Some(spelled)) => **name == *spelled,
        }
    }
}

const BUILT_IN: &str = "pg_catalog";
