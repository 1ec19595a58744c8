//! What in a statement may give another result each time.

/// What in a statement may give another result each time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Volatile {
    /// A call of a function.
    #[error("function {name}() {}", .nature.words())]
    Function {
        /// Its name, with the schema if that was spelled.
        name: String,
        /// What is known of it.
        nature: Nature,
        /// It may be one of the database's own, and not of the server's.
        is_own: bool,
    },
    /// A use of an operator.
    #[error("operator {0} is not immutable")]
    Operator(String),
    /// A cast that the database defines itself.
    #[error("the cast {0} is not immutable")]
    Cast(String),
    /// A column that may be a function of its row.
    #[error("the column {0} may also call the function of that name, which is not immutable")]
    FunctionOfRow(String),
    /// An operator whose code writes, or that nobody can see.
    #[error("operator {0} may do more than answer")]
    OperatorDoesMore(String),
    /// The same of a cast.
    #[error("a cast may do more than answer")]
    CastDoesMore,
    /// TABLESAMPLE.
    #[error("TABLESAMPLE picks other rows each time")]
    Sample,
    /// `current_schemas(true)`.
    #[error("current_schemas(true) names the temporary schema of its backend")]
    TemporarySchema,
    /// `'now'` and its like.
    #[error("a text such as 'now' or 'today' depends on the clock as a date")]
    TimeWord,
    /// A text that is not in the statement and may be such a word.
    #[error("a text cast to a date may hold a word such as 'now'")]
    TextAsDate,
    /// CURRENT_DATE.
    #[error("CURRENT_DATE depends on the clock")]
    CurrentDate,
    /// CURRENT_TIMESTAMP, LOCALTIME and the like.
    #[error("CURRENT_TIMESTAMP and its like depend on the clock")]
    CurrentTimestamp,
    /// `timetz`.
    #[error("a time of day has the offset of today")]
    TimeOfDay,
    /// A TIME of MySQL where there are dates.
    #[error("a TIME may be turned into a date, which takes the current one")]
    TimeAsDate,
    /// What makes a date of what is none with the moment's own.
    #[error("takes the date of the present moment")]
    OfNow,
    /// A word that MySQL reads as a function of the clock.
    #[error("{0} depends on the clock")]
    ClockWord(String),
    /// A word that MySQL reads as a function.
    #[error("{0} is not constant")]
    Word(String),
}

/// What is known of a function that may give another result each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nature {
    /// It tells the time, or counts from it.
    Clock,
    /// PostgreSQL says that it is the same within one statement.
    Stable,
    /// PostgreSQL says that it may be another each time.
    Volatile,
    /// Its code writes, or nobody can see it.
    DoesMore,
    /// MySQL's own is not known to be constant, or a stored one is not.
    NotConstant,
}

impl Nature {
    const fn words(self) -> &'static str {
        match self {
            Self::Clock => "depends on the clock",
            Self::Stable => "is stable",
            Self::Volatile => "is volatile",
            Self::DoesMore => "may do more than answer",
            Self::NotConstant => "is not constant",
        }
    }
}

/// PostgreSQL's types whose texts may hold a word such as `now`.
pub(in crate::sql) const DATE_TYPES: [&str; 11] = [
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "daterange",
    "tsrange",
    "tstzrange",
    "datemultirange",
    "tsmultirange",
    "tstzmultirange",
];
