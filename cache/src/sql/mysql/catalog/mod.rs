//! What the origin says of its tables, views, triggers and stored functions.
//!
//! A catalog is built from the rows of [`CatalogQuery::ALL`] and does not change; when DDL is seen
//! the proxy reads a new one. It only answers questions: the rules are in `classify`.
//!
//! All names are in lower case. Where the server tells `T` from `t`, both answer to `t`, and both must
//! be fit for what is asked.

use std::collections::{BTreeSet, HashMap};

use super::effects::Does;
use super::facts::{Analysis, FunctionCall};
use super::left::Codes;
use super::times::Kinds;
use crate::sql::common::{Problem, TableName, reachable};

mod behind;
pub(super) mod builder;
mod code;
mod queries;

/// One of the catalog queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CatalogQuery {
    /// Tables and views with their engines.
    Tables,
    /// Definitions of views.
    Views,
    /// Foreign keys that change rows of the table that refers.
    Cascades,
    /// Stored functions.
    Functions,
    /// Columns that hold dates or times, or are computed when they are read; parameters that are times.
    Columns,
    /// Bodies of functions, procedures and triggers.
    Code,
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

/// Schema and name.
type Place = (String, String);

/// What the origin's catalog says, ready to classify with.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    relations: HashMap<String, Vec<Relation>>,
    functions: HashMap<String, Vec<Stored>>,
    /// What a call of a procedure does.
    procedures: HashMap<Place, Does>,
    /// Reading the key, one also sees what is written to the values.
    links: HashMap<String, Vec<String>>,
    /// The same the other way: writing to the key may change the values.
    changes: HashMap<String, Vec<String>>,
    /// What reading some view does besides.
    reading: Does,
    fingerprint: u64,
    /// What stored code leaves in a session.
    codes: Codes,
}

/// One relation among those of a name.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) kind: RelationKind,
    /// Why its rows may not be cached.
    pub(super) problem: Option<Problem>,
    /// What reading it does besides.
    pub(super) read: Does,
    /// What its triggers do.
    pub(super) written: Does,
    /// What its columns hold.
    pub(super) columns: Columns,
}

/// What the columns of a table hold, of those that matter where there are dates and times.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// By their names in lower case.
    held: HashMap<String, Kinds>,
    /// What any of them holds.
    pub(super) any: Kinds,
    /// There is one beyond ASCII: the server compares names without accents.
    is_odd: bool,
}

/// What sort of relation it is.
#[derive(Clone, Debug)]
pub(super) enum RelationKind {
    /// A table.
    Table,
    /// A view and what its definition says, if that is known.
    View(Option<Box<Analysis>>),
    /// Nothing that is cached, and why.
    Other(Problem),
}

/// A stored function.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    schema: String,
    pub(super) is_constant: bool,
    /// What a call does besides answering.
    pub(super) does: Does,
}

impl Catalog {
    /// How many tables and functions it knows, for logs.
    pub fn len(&self) -> usize {
        self.relations.len() + self.functions.len()
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same for two readings of the same catalog, in whatever order the rows came.
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Every stored function that a call may mean in a session of this schema; of an empty schema,
    /// any.
    pub(super) fn stored<'c>(
        &'c self,
        call: &'c FunctionCall,
        schema: &'c str,
    ) -> impl Iterator<Item = &'c Stored> {
        let schema = call.schema.as_deref().unwrap_or(schema);
        let known = self.functions.get(&call.name).into_iter().flatten();
        known.filter(move |function| schema.is_empty() || function.schema == schema)
    }

    /// What a call of a procedure does in a session of this schema; `None` of one that is not known.
    pub(super) fn procedure(&self, name: &TableName, schema: &str) -> Option<&Does> {
        let schema = name.schema.as_deref().unwrap_or(schema);
        self.procedures.get(&(schema.to_owned(), name.name.clone()))
    }

    /// Every relation that a name may mean in a session of this schema; of an empty schema, any.
    pub(super) fn relations<'c, 'n>(
        &'c self,
        wanted: &'n TableName,
        schema: &'n str,
    ) -> impl Iterator<Item = &'c Relation> + use<'c, 'n> {
        let schema = wanted.schema.as_deref().unwrap_or(schema);
        let known = self.relations.get(&wanted.name).into_iter().flatten();
        known.filter(move |relation| schema.is_empty() || relation.schema == schema)
    }

    /// What stored code leaves in a session.
    pub(super) const fn codes(&self) -> &Codes {
        &self.codes
    }

    /// What reading some view does besides.
    pub(super) const fn reading(&self) -> &Does {
        &self.reading
    }

    /// Adds the names of all tables whose writes also change what the named tables show.
    pub(super) fn add_linked(&self, tables: &mut BTreeSet<TableName>) {
        let names = tables.iter().map(|table| table.name.clone()).collect();
        tables.extend(reachable(&self.links, names).iter().map(|name| TableName::bare(name)));
    }

    /// Every relation that a write to the named one may change with it.
    pub(super) fn changed_with<'c>(
        &'c self,
        name: &str,
    ) -> impl Iterator<Item = &'c Relation> + use<'c> {
        let names = reachable(&self.changes, vec![name.to_owned()]);
        names.into_iter().filter_map(|name| self.relations.get(&name)).flatten()
    }

    /// The names of the tables that are written when this is: itself, and what a cascade changes. `None` of a view,
    /// which stands for others.
    pub(super) fn written_with(&self, name: &str) -> Option<Vec<String>> {
        let is_view = |relation: &Relation| matches!(relation.kind, RelationKind::View(_));
        if self.relations.get(name).is_some_and(|known| known.iter().any(is_view)) {
            return None;
        }
        let mut names = reachable(&self.changes, vec![name.to_owned()]);
        names.push(name.to_owned());
        Some(names)
    }
}

impl Columns {
    fn add(&mut self, name: String, kinds: Kinds) {
        self.is_odd |= !name.is_ascii();
        self.any = self.any.or(kinds);
        let held = self.held.entry(name).or_default();
        *held = held.or(kinds);
    }

    /// What a column of this name may hold.
    pub(super) fn held(&self, name: &str) -> Kinds {
        if self.is_odd || !name.is_ascii() {
            return self.any;
        }
        self.held.get(name).copied().unwrap_or_default()
    }
}
