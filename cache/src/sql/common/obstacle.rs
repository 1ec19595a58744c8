//! What in a statement forbids caching, whatever it is used on.

/// What in a statement forbids caching, whatever it is used on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Obstacle {
    /// Rows are locked.
    #[error("locks rows (FOR UPDATE or FOR SHARE)")]
    LocksRows,
    /// SELECT INTO of PostgreSQL.
    #[error("creates a table (SELECT INTO)")]
    CreatesTable,
    /// SELECT … INTO of MySQL.
    #[error("writes its rows elsewhere (INTO)")]
    RowsElsewhere,
    /// Part of it writes.
    #[error("writes")]
    Writes,
    /// A sequence is drawn from.
    #[error("uses a sequence")]
    Sequence,
    /// It sets something of its session.
    #[error("changes the state of the session")]
    ChangesSession,
    /// SET STATEMENT … FOR.
    #[error("sets variables for the statement")]
    SetsVariables,
    /// An optimizer hint with `SET_VAR`.
    #[error("sets a variable in a hint")]
    SetsVariableInHint,
    /// `@x`.
    #[error("uses a user variable")]
    UserVariable,
    /// `@@x` that is not known to be constant.
    #[error("reads a system variable")]
    SystemVariable,
    /// SQL_CALC_FOUND_ROWS.
    #[error("counts rows for FOUND_ROWS()")]
    CountsFoundRows,
    /// SQL_NO_CACHE.
    #[error("says SQL_NO_CACHE")]
    SaysNoCache,
    /// ROWNUM.
    #[error("numbers rows as they come (ROWNUM)")]
    NumbersRows,
    /// FOR SYSTEM_TIME.
    #[error("reads the past (FOR SYSTEM_TIME)")]
    ReadsPast,
    /// PROCEDURE in a SELECT.
    #[error("uses PROCEDURE")]
    Procedure,
    /// `/*! … */`
    #[error("has an executable comment")]
    ExecutableComment,
    /// SQL/XML.
    #[error("uses SQL/XML")]
    SqlXml,
    /// SEARCH or CYCLE of a recursive query.
    #[error("uses SEARCH or CYCLE")]
    SearchOrCycle,
    /// SETOF or %TYPE.
    #[error("uses SETOF or %TYPE")]
    SetOfOrTypeOf,
    /// More WITH queries than are followed.
    #[error("has too many WITH queries")]
    ManyWithQueries,
    /// WHERE CURRENT OF.
    #[error("depends on where a cursor stands")]
    CursorPosition,
    /// A column such as `ctid`.
    #[error("reads the system column {0}")]
    SystemColumn(String),
    /// A cast to `regprocedure` and the like.
    #[error("a cast to {0} looks up a name")]
    NameLookedUp(String),
    /// A type whose texts are read by code of the database.
    #[error("a text of the type {0} may be another value each time")]
    TextOfType(String),
    /// A node that the walk does not know.
    #[error("uses a construct that the cache does not see through")]
    Opaque,
    /// Part of it was not read.
    #[error("was not understood")]
    NotUnderstood,
    /// `round_trips.catalog` is off.
    #[error("reads the database's own catalogs, and round_trips.catalog is off")]
    LookUpsAreOff,
}
