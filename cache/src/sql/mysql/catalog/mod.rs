//! What the origin says of its tables, views, triggers and stored functions.
//!
//! A catalog is built from the rows of [`CatalogQuery::ALL`] and does not change; when DDL is seen
//! the proxy reads a new one. It only answers questions: the rules are in `classify`.

mod queries;

/// One of the catalog queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogQuery {
    /// Tables and views with their engines.
    Tables,
    /// Definitions of views.
    Views,
    /// Triggers with what they do.
    Triggers,
    /// Foreign keys that change rows of the table that refers.
    Cascades,
    /// Stored functions.
    Functions,
    /// Columns that hold dates or times, or are computed when they are read.
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
    tables: usize,
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
        if row.len() != query.width() {
            return Err(CatalogError { query, column: row.len() });
        }
        self.0.tables += 1;
        Ok(())
    }

    /// The catalog.
    pub fn build(self) -> Catalog {
        self.0
    }
}

impl Catalog {
    /// How many tables and functions it knows, for logs.
    pub fn len(&self) -> usize {
        self.tables
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
