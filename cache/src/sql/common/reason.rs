//! Why a statement is not cached, for a person and for the metrics.

use super::obstacle::Obstacle;
use super::parse::MAX_TEXT_BYTES;
use super::problem::Problem;
use super::tables::TableName;
use super::volatile::Volatile;

/// Why a statement is not cached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The text is longer than the proxy parses.
    #[error("the text is longer than {} bytes", MAX_TEXT_BYTES)]
    Oversized,
    /// The grammar refuses the text.
    #[error("the text is not valid SQL")]
    ParseError,
    /// The text holds several statements.
    #[error("the text holds several statements")]
    MultipleStatements,
    /// The statement does not only read, or there is none.
    #[error("{0}")]
    NotAQuery(&'static str),
    /// Nested too deeply to see through.
    #[error("the statement is nested too deeply")]
    TooDeep,
    /// Something that forbids caching whatever it is used on.
    #[error("{0}")]
    Obstacle(Obstacle),
    /// Something that may give another result each time.
    #[error("{0}")]
    Volatile(Volatile),
    /// A table that is not cached.
    #[error("{relation} {problem}")]
    Relation {
        /// The table as it is spelled.
        relation: TableName,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A function, operator or type the catalog does not know.
    #[error("{what} {name} is not in the catalog")]
    Unknown {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Something that row security runs for each row of a table.
    #[error("row security of {table}: {reason}")]
    Policy {
        /// The table as it is spelled.
        table: TableName,
        /// Why its policies are not cached.
        reason: Box<Self>,
    },
    /// Something that a function asks.
    #[error("function {function}(): {reason}")]
    Function {
        /// The function as it is spelled.
        function: String,
        /// Why what it asks is not cached.
        reason: Box<Self>,
    },
    /// Something inside a view.
    #[error("view {view}: {reason}")]
    View {
        /// The view.
        view: TableName,
        /// Why its definition is not cached.
        reason: Box<Self>,
    },
}

impl Reason {
    /// The status word of the metrics and logs.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Oversized => "oversizedquery",
            Self::ParseError => "parseerror",
            Self::MultipleStatements => "multiplestatements",
            Self::NotAQuery(_) => "notaquery",
            Self::Volatile(_) => "volatile",
            Self::View { reason, .. }
            | Self::Policy { reason, .. }
            | Self::Function { reason, .. } => reason.status(),
            Self::TooDeep | Self::Obstacle(_) | Self::Relation { .. } | Self::Unknown { .. } => {
                "uncacheable"
            }
        }
    }
}
