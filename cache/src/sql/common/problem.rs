//! What keeps a table from being cached.

/// What keeps a table from being cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A partition of it lies in another database.
    #[error("has a foreign partition")]
    ForeignPartition,
    /// The text of a column may be another each time.
    #[error("has a column whose type has volatile output")]
    VolatileOutput,
    /// A column is computed when it is read.
    #[error("has a computed column that is not constant")]
    ComputedColumn,
    /// Its rows may change without a statement.
    #[error("has an engine that is not cached")]
    Engine,
    /// The account may not see what the view reads.
    #[error("is a view whose definition is not known")]
    HiddenView,
    /// It lies in another database.
    #[error("is a foreign table")]
    ForeignTable,
    /// It gives another value each time.
    #[error("is a sequence")]
    Sequence,
    /// An index, a composite type and the like.
    #[error("is not a table")]
    NotATable,
    /// Code that runs for its rows writes, or nobody can see it.
    #[error("may do more than show rows")]
    DoesMore,
    /// Row security of row security.
    #[error("is read by policies within policies")]
    NestedPolicies,
    /// One of the server's own that tells its state.
    #[error("is of the server, and changes without DDL of this database")]
    OfTheServer,
    /// Statistics in the server's catalogs.
    #[error("is read with columns that change by themselves, such as reltuples")]
    RestlessColumns,
    /// The same of MySQL.
    #[error("may show statistics, which change by themselves")]
    Statistics,
    /// The session has none, and the statement names none.
    #[error("is in no schema")]
    NoSchema,
    /// One of MySQL's own that is not looked up.
    #[error("is in a system schema")]
    SystemSchema,
}
