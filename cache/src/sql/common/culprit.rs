//! Which word of a statement a reason is about.

use super::obstacle::Obstacle;
use super::reason::Reason;
use super::volatile::{DATE_TYPES, Volatile};

/// What stands in a text where a reason comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sql) enum Culprit<'r> {
    /// No word of it more than others.
    Nothing,
    /// One of these keywords, each perhaps of several words.
    Keyword(&'static [&'static str]),
    /// A name.
    Name(&'r str),
    /// A name before a parenthesis, or a keyword that is a function.
    Call(&'r str),
    /// What is written with signs.
    Signs(&'r str),
    /// A cast to one of these types.
    Cast(&'static [&'static str]),
    /// A text that means a moment.
    TimeWord,
}

impl Reason {
    /// Where to look for what this is about.
    pub(in crate::sql) fn culprit(&self) -> Culprit<'_> {
        match self {
            Self::Oversized | Self::ParseError | Self::TooDeep | Self::NotAQuery(_) => {
                Culprit::Nothing
            }
            Self::MultipleStatements => Culprit::Signs(";"),
            Self::Obstacle(obstacle) => of_obstacle(obstacle),
            Self::Volatile(volatile) => of_volatile(volatile),
            Self::Unknown { what: "operator", name } => Culprit::Signs(last(name)),
            Self::Unknown { what: "function", name } | Self::Function { function: name, .. } => {
                Culprit::Call(last(name))
            }
            Self::Unknown { name, .. } => Culprit::Name(last(name)),
            Self::Relation { relation: table, .. }
            | Self::Policy { table, .. }
            | Self::View { view: table, .. } => Culprit::Name(&table.name),
        }
    }
}

fn of_obstacle(obstacle: &Obstacle) -> Culprit<'_> {
    match obstacle {
        Obstacle::LocksRows => Culprit::Keyword(&[
            "for update",
            "for share",
            "for no key update",
            "for key share",
            "lock in share mode",
        ]),
        Obstacle::CreatesTable | Obstacle::RowsElsewhere => Culprit::Keyword(&["into"]),
        Obstacle::Writes => Culprit::Keyword(&["insert", "update", "delete", "merge"]),
        Obstacle::Sequence => {
            Culprit::Keyword(&["next value for", "previous value for", "nextval", "lastval"])
        }
        Obstacle::SetsVariables => Culprit::Keyword(&["set statement"]),
        Obstacle::UserVariable => Culprit::Signs("@"),
        Obstacle::SystemVariable => Culprit::Signs("@@"),
        Obstacle::CountsFoundRows => Culprit::Keyword(&["sql_calc_found_rows"]),
        Obstacle::SaysNoCache => Culprit::Keyword(&["sql_no_cache"]),
        Obstacle::NumbersRows => Culprit::Keyword(&["rownum"]),
        Obstacle::ReadsPast => Culprit::Keyword(&["for system_time"]),
        Obstacle::Procedure => Culprit::Keyword(&["procedure"]),
        Obstacle::SqlXml => Culprit::Keyword(&[
            "xmlelement",
            "xmlforest",
            "xmlconcat",
            "xmlparse",
            "xmlpi",
            "xmlroot",
            "xmlserialize",
            "is document",
        ]),
        Obstacle::SearchOrCycle => Culprit::Keyword(&["search depth", "search breadth", "cycle"]),
        Obstacle::CursorPosition => Culprit::Keyword(&["current of"]),
        Obstacle::SystemColumn(name) => Culprit::Name(name),
        Obstacle::NameLookedUp(name) | Obstacle::TextOfType(name) => Culprit::Name(last(name)),
        Obstacle::ChangesSession
        | Obstacle::SetsVariableInHint
        | Obstacle::ExecutableComment
        | Obstacle::SetOfOrTypeOf
        | Obstacle::ManyWithQueries
        | Obstacle::Opaque
        | Obstacle::NotUnderstood
        | Obstacle::LookUpsAreOff => Culprit::Nothing,
    }
}

fn of_volatile(volatile: &Volatile) -> Culprit<'_> {
    match volatile {
        Volatile::Function { name, .. } => Culprit::Call(last(name)),
        Volatile::Operator(name) | Volatile::OperatorDoesMore(name) => Culprit::Signs(name),
        Volatile::FunctionOfRow(name) => Culprit::Name(name),
        Volatile::Sample => Culprit::Keyword(&["tablesample"]),
        Volatile::TemporarySchema => Culprit::Call("current_schemas"),
        Volatile::TimeWord => Culprit::TimeWord,
        Volatile::TextAsDate => Culprit::Cast(&DATE_TYPES),
        Volatile::CurrentDate => Culprit::Keyword(&["current_date"]),
        Volatile::CurrentTimestamp => {
            Culprit::Keyword(&["current_timestamp", "current_time", "localtimestamp", "localtime"])
        }
        Volatile::TimeOfDay => Culprit::Cast(&["timetz", "time"]),
        Volatile::Word(name) | Volatile::ClockWord(name) => {
            Culprit::Call(name.trim_end_matches("()"))
        }
        Volatile::Cast(_) | Volatile::CastDoesMore | Volatile::TimeAsDate | Volatile::OfNow => {
            Culprit::Nothing
        }
    }
}

/// A name without its schema.
fn last(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((_, last)) if !last.is_empty() => last,
        _ => name,
    }
}
