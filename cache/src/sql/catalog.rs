//! What the origin says of its functions, operators, types and relations.

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
    /// Columns.
    Columns,
}

impl CatalogQuery {
    /// Every query that a catalog is built from.
    pub const ALL: [Self; 6] =
        [Self::Functions, Self::Operators, Self::Relations, Self::Links, Self::Types, Self::Columns];

    /// The text to run at the origin. Every column is text.
    pub const fn sql(self) -> &'static str {
        ""
    }
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
pub struct Catalog {}

impl CatalogBuilder {
    /// An empty catalog, by which nothing may be cached.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one row.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] when the row does not have the columns that the query asks for.
    pub fn row(&mut self, query: CatalogQuery, _row: &[Option<&str>]) -> Result<(), CatalogError> {
        Err(CatalogError { query, column: 0 })
    }

    /// The catalog.
    pub fn build(self) -> Catalog {
        self.0
    }
}
