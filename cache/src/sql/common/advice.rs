//! What would make a statement cacheable that is not, for a person. The only table of it: each reason says something here, or
//! that nothing helps.

use super::obstacle::Obstacle;
use super::problem::Problem;
use super::reason::Reason;
use super::volatile::{Nature, Volatile};

impl Reason {
    /// What would make the statement cacheable; where nothing does, that.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Oversized => "bind long values as parameters, which are no part of the text",
            Self::ParseError => {
                "the origin is asked all the same; a text that it runs and that is not understood here is a gap of ours"
            }
            Self::MultipleStatements => "send each statement by itself",
            Self::NotAQuery(_) => NOTHING,
            Self::TooDeep => "nest less deeply, or make a view of a part",
            Self::Obstacle(obstacle) => of_obstacle(obstacle),
            Self::Volatile(volatile) => of_volatile(volatile),
            Self::Relation { problem, .. } => of_relation(*problem),
            Self::Unknown { .. } => {
                "the catalog was read just now: look at its spelling and schema (what is temporary is never cached), and \
                 whether the account may see it"
            }
            Self::Policy { reason, .. }
            | Self::View { reason, .. }
            | Self::Function { reason, .. } => reason.advice(),
        }
    }
}

const fn of_obstacle(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::LocksRows => "leave off the locking clause where nothing is written afterwards",
        Obstacle::CreatesTable
        | Obstacle::Writes
        | Obstacle::Sequence
        | Obstacle::ChangesSession
        | Obstacle::CursorPosition => NOTHING,
        Obstacle::RowsElsewhere => "read the rows as a reply, without INTO",
        Obstacle::SetsVariables | Obstacle::SetsVariableInHint => {
            "SET them for the session, which the proxy follows"
        }
        Obstacle::UserVariable => "pass its value as a parameter",
        Obstacle::SystemVariable => {
            "ask for it in a statement of its own; it is state of the server, and the origin is asked"
        }
        Obstacle::CountsFoundRows => "ask for the number with a SELECT count(*) of its own",
        Obstacle::SaysNoCache => {
            "leave off SQL_NO_CACHE; a hint /* jumpgate: no-cache */ says it of one request"
        }
        Obstacle::NumbersRows => "number them with row_number() OVER (ORDER BY …)",
        Obstacle::ReadsPast | Obstacle::Procedure | Obstacle::SqlXml | Obstacle::SearchOrCycle => {
            "there is no way to cache it; what does not need it can be a statement of its own"
        }
        Obstacle::ExecutableComment => "write what is in it without /*! */",
        Obstacle::SetOfOrTypeOf => "name the type itself",
        Obstacle::ManyWithQueries => "make a view of a part",
        Obstacle::SystemColumn(_) => "name a column of the table's own, such as its key",
        Obstacle::NameLookedUp(_) => {
            "cast to regclass, regtype or another whose names stay, or pass the number as a parameter"
        }
        Obstacle::TextOfType(_) => "cast to the built-in type that it is made of",
        Obstacle::Opaque | Obstacle::NotUnderstood => {
            "write it in another form; that this one is not understood is a gap of ours"
        }
        Obstacle::LookUpsAreOff => "round_trips.catalog = true in the [[database]]",
    }
}

const fn of_volatile(volatile: &Volatile) -> &'static str {
    match volatile {
        Volatile::Function { nature, is_own, .. } => of_function(*nature, *is_own),
        Volatile::Operator(_) | Volatile::Cast(_) => {
            "declare the function behind it IMMUTABLE, if it gives the same for the same arguments"
        }
        Volatile::FunctionOfRow(_) => {
            "leave off what stands before the column's name, or declare that function IMMUTABLE if it is"
        }
        Volatile::OperatorDoesMore(_) | Volatile::CastDoesMore => OF_CODE,
        Volatile::Sample => NOTHING,
        Volatile::TemporarySchema => "current_schemas(false), without the implicit ones",
        Volatile::TimeWord
        | Volatile::CurrentDate
        | Volatile::CurrentTimestamp
        | Volatile::OfNow
        | Volatile::ClockWord(_) => OF_CLOCK,
        Volatile::TextAsDate => {
            "say `date '2026-01-01'` of a constant, or bind a parameter of the type date; else clock_max_age = 1 in \
             [database.caching] or a hint /* jumpgate: max_age=1 */"
        }
        Volatile::TimeOfDay => {
            "take time or timestamptz for timetz; else clock_max_age = 1 in [database.caching] or a hint \
             /* jumpgate: max_age=1 */"
        }
        Volatile::TimeAsDate => "cast the TIME to a text, or compare it with TIME values only",
        Volatile::Word(_) => OF_SESSION,
    }
}

const fn of_function(nature: Nature, is_own: bool) -> &'static str {
    match (nature, is_own) {
        (Nature::Clock, _) => OF_CLOCK,
        (Nature::Stable | Nature::Volatile, true) => {
            "declare it IMMUTABLE, if it gives the same for the same arguments and reads no table; else call it in a \
             statement of its own"
        }
        (Nature::NotConstant, true) => {
            "declare it DETERMINISTIC and NO SQL, if it is, and let the account see its body (SHOW_ROUTINE, or SELECT on \
             mysql.proc)"
        }
        (Nature::DoesMore, _) => OF_CODE,
        (Nature::Stable | Nature::Volatile | Nature::NotConstant, false) => OF_SESSION,
    }
}

const fn of_relation(problem: Problem) -> &'static str {
    match problem {
        Problem::ForeignPartition | Problem::ForeignTable => {
            "keep a copy as a materialized view, whose REFRESH is seen"
        }
        Problem::VolatileOutput => "name the columns that are read, in a view without that one",
        Problem::ComputedColumn => "read it through a view without that column",
        Problem::Engine => "ALTER TABLE … ENGINE=InnoDB",
        Problem::HiddenView => {
            "let the account see the view's definition (SHOW VIEW), or read its tables"
        }
        Problem::Sequence
        | Problem::NotATable
        | Problem::OfTheServer
        | Problem::NestedPolicies
        | Problem::SystemSchema => NOTHING,
        Problem::DoesMore => OF_CODE,
        Problem::RestlessColumns | Problem::Statistics => {
            "name the columns that are needed; those with counts and statistics change by themselves"
        }
        Problem::NoSchema => "name the schema, or USE one",
    }
}

const NOTHING: &str = "nothing does: the origin has to be asked";
const OF_CODE: &str = "let the code behind it be SQL or PL/pgSQL that only reads, and the account see it; what writes has to run";
const OF_SESSION: &str = "nothing does: its value is another each time; pass it as a parameter, or ask for it in a statement of its own";
const OF_CLOCK: &str = "clock_max_age = 1 in [database.caching] or a hint /* jumpgate: max_age=1 */ lets the reply be a second \
    old; or pass the moment as a parameter, rounded so that many requests share it";
