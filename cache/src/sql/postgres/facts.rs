//! What one parse finds in a text: plain values, independent of any catalog.

use std::ops::Range;

use super::code::Code;
use super::effects::{Effect, Pin};
use super::reads::Reads;
use crate::sql::common::{Hint, Parse, Writes};

/// Everything the text of a query says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// The statements, in order. Of a text that could not be parsed: one of [`Kind::Unknown`].
    pub statements: Vec<StatementFacts>,
    /// The comment hint of the text.
    pub hint: Hint,
    /// How far the text was understood.
    pub parse: Parse,
    /// Where it names prepared statements, in order.
    pub names: Box<[StatementName]>,
}

/// A prepared statement's name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementName {
    /// What it is named for.
    pub by: NamedBy,
    /// The name as the server has it: folded to lower case unless it is quoted, and cut to 63 bytes.
    pub name: String,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
}

/// What a prepared statement is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// EXECUTE, also within EXPLAIN and CREATE TABLE … AS.
    Execute,
    /// DEALLOCATE.
    Deallocate,
    /// PREPARE.
    Prepare,
}

/// One statement of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementFacts {
    /// What sort of statement it is.
    pub kind: Kind,
    /// The session state it leaves behind when it succeeds, in order.
    pub effects: Vec<Effect>,
    /// What it changes, as far as the text says; [`super::writes`] adds what the catalog knows.
    pub writes: Writes,
    /// Whether it may end what pins the session, so that asking the backend is worthwhile.
    pub may_release_pin: bool,
    /// Of a statement that resets settings: where it ends in the text, in bytes.
    pub resets_until: Option<usize>,
    /// What it reads and uses.
    pub reads: Reads,
    /// Where it asks about its own session, in order.
    pub asked: Vec<Mention>,
    /// Where all that it does is to give one setting a parameter's value. Its effects are those where that is not known ([`super::with_value`]).
    pub given: Option<Given>,
    /// Of a DO: what its block may do, where that can be told.
    pub code: Option<Box<Code>>,
    /// Of a PREPARE: the statement that EXECUTE will run. The EXECUTE itself says that it writes
    /// everything, for its text does not show what it runs; who remembers this may know better.
    pub prepared: Option<Box<Self>>,
}

/// A setting that a parameter gives its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The setting's name in lower case.
    pub name: String,
    /// The number of the parameter, from 0.
    pub parameter: usize,
}

/// A place in a text, and what is asked there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What is asked.
    pub what: Asked,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
}

impl Mention {
    /// At this place of the parse tree; its end is not known yet.
    pub(super) fn at(location: i32, what: Asked) -> Option<Self> {
        let start = usize::try_from(location).ok()?;
        Some(Self { what, span: start..start })
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `pg_backend_pid()`.
    ProcessId,
    /// `pg_terminate_backend(…)`, or `pg_cancel_backend(…)`.
    Signal {
        /// It ends the session.
        terminates: bool,
        /// Whose.
        argument: Argument,
        /// Where the argument stands in the text, in bytes.
        span: Range<usize>,
    },
    /// The relation `pg_prepared_statements`.
    PreparedStatements {
        /// It has another name in the statement.
        has_alias: bool,
    },
}

/// A process id in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A number.
    Constant(i32),
    /// The parameter of this number, from 0.
    Parameter(usize),
}

impl Analysis {
    /// What all statements change together, as far as the text says.
    pub fn writes(&self) -> Writes {
        let mut writes = Writes::None;
        self.statements.iter().for_each(|statement| writes.merge(statement.writes.clone()));
        writes
    }

    /// The effects of all statements, in order.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.statements.iter().flat_map(|statement| &statement.effects)
    }

    /// Where the statements ask about their own session, in order.
    pub fn asked(&self) -> impl Iterator<Item = &Mention> {
        self.statements.iter().flat_map(|statement| &statement.asked)
    }

    /// Whether one of the statements may end what pins the session.
    pub fn may_release_pin(&self) -> bool {
        self.statements.iter().any(|statement| statement.may_release_pin)
    }

    /// Whether PostgreSQL's grammar refuses the text.
    pub fn is_parse_error(&self) -> bool {
        self.parse == Parse::Error
    }

    /// What it costs to remember, in bytes, about.
    pub(crate) fn weight(&self) -> usize {
        let statements = self.statements.iter().map(StatementFacts::weight).sum::<usize>();
        size_of::<Self>() + statements + self.names.len() * NAME_WEIGHT
    }
}

impl StatementFacts {
    fn weight(&self) -> usize {
        let reads = &self.reads;
        let names = reads.relations.len() + reads.functions.len() + reads.operators.len();
        let more = reads.types.len() + reads.columns.len() + 2 * reads.aliases.len();
        let prepared = self.prepared.as_deref().map_or(0, Self::weight);
        let code = self.code.as_deref().map_or(0, Code::name_count);
        size_of::<Self>()
            + (names + more + self.effects.len() + self.asked.len() + code) * NAME_WEIGHT
            + prepared
    }
}

/// What sort of statement it is, as far as a proxy cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES or TABLE.
    Select,
    /// INSERT, UPDATE, DELETE, MERGE, TRUNCATE, or a SELECT with a writing CTE or INTO.
    Write,
    /// COPY.
    Copy {
        /// The client will send data.
        from_stdin: bool,
        /// The backend will send data.
        to_stdout: bool,
    },
    /// BEGIN or START TRANSACTION.
    Begin,
    /// COMMIT or END.
    Commit,
    /// ROLLBACK or ABORT.
    Rollback,
    /// PREPARE TRANSACTION: ends the transaction, and its writes are not yet visible.
    PrepareTransaction,
    /// COMMIT PREPARED or ROLLBACK PREPARED.
    FinishPrepared,
    /// SAVEPOINT of this name.
    Savepoint(String),
    /// RELEASE of the savepoint of this name.
    Release(String),
    /// ROLLBACK TO the savepoint of this name.
    RollbackTo(String),
    /// PREPARE of this name.
    Prepare(String),
    /// EXECUTE of this name.
    Execute(String),
    /// DEALLOCATE of this name; without a name DEALLOCATE ALL.
    Deallocate(Option<String>),
    /// DISCARD.
    Discard(Discarded),
    /// SET or RESET, of the session or of the transaction.
    Set,
    /// SHOW of this setting, in lower case.
    Show(String),
    /// EXPLAIN.
    Explain {
        /// It also runs the statement.
        analyze: bool,
    },
    /// LISTEN.
    Listen,
    /// UNLISTEN.
    Unlisten,
    /// NOTIFY.
    Notify,
    /// DECLARE, FETCH, MOVE or CLOSE.
    Cursor,
    /// Changes the schema, and so the catalog.
    Ddl,
    /// CALL or DO: code that the text does not show.
    Code,
    /// LOCK, CHECKPOINT, ANALYZE, LOAD and what else there is.
    #[default]
    Other,
    /// Could not be understood.
    Unknown,
}

impl Kind {
    /// Whether it begins or ends a transaction block, or is about a savepoint in one.
    pub const fn is_about_block(&self) -> bool {
        matches!(
            self,
            Self::Begin
                | Self::Commit
                | Self::Rollback
                | Self::Savepoint(_)
                | Self::Release(_)
                | Self::RollbackTo(_)
        )
    }
}

/// What DISCARD throws away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// Everything.
    All,
    /// Cached plans.
    Plans,
    /// Temporary tables.
    Temp,
    /// Sequence state.
    Sequences,
}

/// A statement of which nothing else is known.
pub(super) fn plain(kind: Kind) -> StatementFacts {
    StatementFacts { kind, ..StatementFacts::default() }
}

/// One that pins its session.
pub(super) fn pinning(kind: Kind, reason: Pin) -> StatementFacts {
    StatementFacts { effects: vec![Effect::Pin(reason)], ..plain(kind) }
}

/// One that may end what pins its session.
pub(super) fn releasing(kind: Kind) -> StatementFacts {
    StatementFacts { may_release_pin: true, ..plain(kind) }
}

/// One that may change anything.
pub(super) fn everything(kind: Kind) -> StatementFacts {
    StatementFacts { writes: Writes::Everything, ..plain(kind) }
}

/// Adds a reason to pin.
pub(super) fn pin(facts: &mut StatementFacts, reason: Pin) {
    let effect = Effect::Pin(reason);
    if !facts.effects.contains(&effect) {
        facts.effects.push(effect);
    }
}

/// What one name costs to remember, about, with the values beside it.
const NAME_WEIGHT: usize = 192;
