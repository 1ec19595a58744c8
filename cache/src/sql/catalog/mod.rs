//! What the origin says of its functions, operators, types and relations.
//!
//! A catalog is built from the rows of [`CatalogQuery::ALL`] and does not change; when DDL is seen
//! the proxy reads a new one. It only answers questions: the rules are in `classify`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::facts::{Analysis, FunctionCall, OperatorUse};
use super::postgres::analyse;
use super::tables::TableName;

mod queries;

/// One of the catalog queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogQuery {
    /// Functions, aggregates and window functions.
    Functions,
    /// Operators.
    Operators,
    /// Tables, views and the like.
    Relations,
    /// Which relations change with which others.
    Links,
    /// Types and casts.
    Types,
    /// Columns that only hold dates and times.
    Columns,
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

/// Collects the rows of the catalog queries.
#[derive(Clone, Debug, Default)]
pub struct CatalogBuilder(Catalog);

/// What the origin's catalog says, ready to classify with.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    functions: HashMap<String, Vec<Overload>>,
    operators: HashMap<String, Vec<(Schema, Volatility)>>,
    relations: HashMap<String, Vec<Relation>>,
    /// Reading the key, one also sees what is written to the values.
    links: HashMap<String, Vec<String>>,
    /// The same the other way: writing to the key may change the values.
    changes: HashMap<String, Vec<String>>,
    types: HashMap<String, Vec<(Schema, char)>>,
    date_columns: HashSet<String>,
    volatile_cast: Option<String>,
}

/// How constant a function's results are. The order is from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Volatility {
    Immutable,
    Stable,
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
struct Overload {
    schema: Schema,
    volatility: Volatility,
    /// Whether it is known to write nothing, however volatile.
    is_quiet: bool,
    /// Fewest and most arguments; without a most, it is variadic.
    fewest: usize,
    most: Option<usize>,
    takes_row: bool,
}

/// One relation among those of a name.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) kind: RelationKind,
    /// Why its rows may not be cached.
    pub(super) problem: Option<&'static str>,
    /// A rule or a trigger may write what the statement does not name.
    pub(super) writes_more: bool,
}

/// What sort of relation it is.
#[derive(Clone, Debug)]
pub(super) enum RelationKind {
    /// A table, partitioned or not, or a materialised view.
    Table,
    /// A view and what its definition says.
    View(Box<Analysis>),
    /// Nothing that is cached, and why.
    Other(&'static str),
}

/// What the catalog says of a function call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Called {
    pub(super) volatility: Volatility,
    /// One of the candidates that are volatile is not built in: it may write anything.
    pub(super) may_write: bool,
}

impl CatalogBuilder {
    /// An empty catalog, by which nothing may be cached but what reads nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one row.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] when the row does not have the columns that the query asks for.
    pub fn row(&mut self, query: CatalogQuery, row: &[Option<&str>]) -> Result<(), CatalogError> {
        let row = Row { query, columns: row };
        if row.columns.len() != query.width() {
            return Err(CatalogError { query, column: row.columns.len() });
        }
        match query {
            CatalogQuery::Functions => self.function(row),
            CatalogQuery::Operators => self.operator(row),
            CatalogQuery::Relations => self.relation(row),
            CatalogQuery::Links => {
                let (from, to) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
                self.0.changes.entry(to.clone()).or_default().push(from.clone());
                self.0.links.entry(from).or_default().push(to);
                Ok(())
            }
            CatalogQuery::Types => self.type_or_cast(row),
            CatalogQuery::Columns => {
                self.0.date_columns.insert(row.text(0)?.to_owned());
                Ok(())
            }
        }
    }

    /// The catalog.
    pub fn build(self) -> Catalog {
        self.0
    }

    fn function(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let is_variadic = row.boolean(5)?;
        let overload = Overload {
            schema: Schema::of(row.text(0)?),
            volatility: row.volatility(2)?,
            is_quiet: row.text(2)? == QUIET,
            fewest: row.number(3)?,
            most: Some(row.number(4)?).filter(|_| !is_variadic),
            takes_row: row.boolean(6)?,
        };
        self.0.functions.entry(row.text(1)?.to_owned()).or_default().push(overload);
        Ok(())
    }

    fn operator(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let known = (Schema::of(row.text(0)?), row.volatility(2)?);
        self.0.operators.entry(row.text(1)?.to_owned()).or_default().push(known);
        Ok(())
    }

    fn relation(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let kind = match row.text(2)? {
            "r" | "p" | "m" => RelationKind::Table,
            "v" => match row.optional(5) {
                Some(definition) => RelationKind::View(Box::new(analyse(definition))),
                None => RelationKind::Other("is a view whose definition is not known"),
            },
            "f" => RelationKind::Other("is a foreign table"),
            "S" => RelationKind::Other("is a sequence"),
            _ => RelationKind::Other("is not a table"),
        };
        let problem = row.optional(3).map(|problem| match problem {
            "has row-level security" => "has row-level security",
            "has a foreign partition" => "has a foreign partition",
            _ => "has a column whose type has volatile output",
        });
        let writes_more = row.boolean(4)?;
        let relation = Relation { schema: row.text(0)?.to_owned(), kind, problem, writes_more };
        self.0.relations.entry(row.text(1)?.to_owned()).or_default().push(relation);
        Ok(())
    }

    fn type_or_cast(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let name = row.text(1)?.to_owned();
        let kind = row.text(2)?.chars().next().unwrap_or('?');
        if kind == 'C' {
            self.0.volatile_cast = Some(name);
        } else {
            self.0.types.entry(name).or_default().push((Schema::of(row.text(0)?), kind));
        }
        Ok(())
    }
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

    /// The worst of the functions that a call may mean; none when there is no such function.
    pub(super) fn called(&self, call: &FunctionCall) -> Option<Called> {
        let candidates = self.functions.get(&call.name)?.iter();
        let fitting = candidates
            .filter(|overload| overload.schema.is_named(call.schema.as_deref()))
            .filter(|overload| overload.takes(call.arguments));
        fitting.map(Overload::called).reduce(|one, other| Called {
            volatility: one.volatility.max(other.volatility),
            may_write: one.may_write || other.may_write,
        })
    }

    /// The worst of the functions that `row.name` may call.
    pub(super) fn called_on_row(&self, name: &str) -> Option<Called> {
        let candidates = self.functions.get(name)?.iter().filter(|overload| overload.takes_row);
        candidates.map(Overload::called).max_by_key(|called| (called.volatility, called.may_write))
    }

    /// Every operator that a use may mean, as schema and volatility.
    pub(super) fn operators<'c>(
        &'c self,
        wanted: &'c OperatorUse,
    ) -> impl Iterator<Item = &'c (Schema, Volatility)> {
        let known = self.operators.get(&wanted.name).into_iter().flatten();
        known.filter(|(schema, _)| schema.is_named(wanted.schema.as_deref()))
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

    /// Every type that a name may mean, as schema and kind (`typtype`).
    pub(super) fn types<'c>(
        &'c self,
        schema: Option<&'c str>,
        name: &str,
    ) -> impl Iterator<Item = &'c (Schema, char)> {
        let known = self.types.get(name).into_iter().flatten();
        known.filter(move |(known, _)| known.is_named(schema))
    }

    /// Whether columns of this name only ever hold dates and times.
    pub(super) fn is_date_column(&self, name: &str) -> bool {
        self.date_columns.contains(name)
    }

    /// A cast that calls a function which is not immutable, made by a user of the database.
    pub(super) fn volatile_cast(&self) -> Option<&str> {
        self.volatile_cast.as_deref()
    }

    /// Adds the names of all tables whose writes also change what the named tables show.
    pub(super) fn add_linked(&self, tables: &mut BTreeSet<TableName>) {
        let names = tables.iter().map(|table| table.name.clone()).collect();
        tables.extend(reachable(&self.links, names).iter().map(|name| TableName::bare(name)));
    }

    /// Every relation that a write to the named one may change with it: partitions, children and
    /// tables that cascade.
    pub(super) fn changed_with<'c>(
        &'c self,
        name: &str,
    ) -> impl Iterator<Item = &'c Relation> + use<'c> {
        let names = reachable(&self.changes, vec![name.to_owned()]);
        names.into_iter().filter_map(|name| self.relations.get(&name)).flatten()
    }
}

/// The names that the given ones lead to, without these.
pub(super) fn reachable(map: &HashMap<String, Vec<String>>, mut open: Vec<String>) -> Vec<String> {
    let mut seen: HashSet<String> = open.iter().cloned().collect();
    let mut found = Vec::new();
    while let Some(name) = open.pop() {
        for next in map.get(&name).into_iter().flatten() {
            if seen.insert(next.clone()) {
                found.push(next.clone());
                open.push(next.clone());
            }
        }
    }
    found
}

impl Overload {
    /// Whether it can be called with so many arguments; without a number, any may be meant.
    fn takes(&self, arguments: Option<usize>) -> bool {
        let Some(arguments) = arguments else { return true };
        match self.most {
            Some(most) => (self.fewest..=most).contains(&arguments),
            // A variadic parameter may be given nothing.
            None => arguments >= self.fewest.saturating_sub(1),
        }
    }

    fn called(&self) -> Called {
        let is_trusted = self.is_quiet || self.schema == Schema::BuiltIn;
        let may_write = self.volatility == Volatility::Volatile && !is_trusted;
        Called { volatility: self.volatility, may_write }
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

/// One row, with the query to name in an error.
#[derive(Clone, Copy)]
struct Row<'r> {
    query: CatalogQuery,
    columns: &'r [Option<&'r str>],
}

impl<'r> Row<'r> {
    fn optional(self, column: usize) -> Option<&'r str> {
        self.columns.get(column).copied().flatten()
    }

    fn text(self, column: usize) -> Result<&'r str, CatalogError> {
        self.optional(column).ok_or(CatalogError { query: self.query, column })
    }

    fn number(self, column: usize) -> Result<usize, CatalogError> {
        let number = self.text(column)?.parse::<usize>().ok();
        number.ok_or(CatalogError { query: self.query, column })
    }

    fn boolean(self, column: usize) -> Result<bool, CatalogError> {
        match self.text(column)? {
            "true" | "t" => Ok(true),
            "false" | "f" => Ok(false),
            _ => Err(CatalogError { query: self.query, column }),
        }
    }

    fn volatility(self, column: usize) -> Result<Volatility, CatalogError> {
        match self.text(column)? {
            "i" => Ok(Volatility::Immutable),
            "s" => Ok(Volatility::Stable),
            "v" | QUIET => Ok(Volatility::Volatile),
            _ => Err(CatalogError { query: self.query, column }),
        }
    }
}

const BUILT_IN: &str = "pg_catalog";

/// The volatility of functions that are volatile but write nothing.
const QUIET: &str = "q";
