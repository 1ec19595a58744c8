//! What one reading finds in a text: plain values, independent of any catalog.

use std::collections::BTreeSet;
use std::ops::Range;

use super::effects::Effect;
use super::times::Times;
use crate::sql::common::{Hint, Obstacle, Parse, TableName, Volatile, Writes};

/// Everything the text of a query says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// The statements, in order. Of a text that could not be read: one of [`Kind::Unknown`].
    pub statements: Vec<StatementFacts>,
    /// The comment hint of the text.
    pub hint: Hint,
    /// How far the text was understood, the worst of its statements.
    pub parse: Parse,
    /// Where the text asks about the statement before, in order.
    pub mentions: Vec<Mention>,
    /// The items of select lists that hold a mention and have no alias: their text is the column's name.
    pub unnamed: Vec<Range<usize>>,
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
    /// What it reads and uses.
    pub reads: Reads,
    /// What `FOUND_ROWS()` says behind it.
    pub counted: Counted,
    /// Certainly no table is involved, nor code that might involve one: MariaDB keeps what SHOW WARNINGS shows, unless
    /// there is something new to show.
    pub is_tableless: bool,
    /// What becomes of what users may do, by itself: not by a routine that it calls, nor by what was prepared before.
    pub rights: Rights,
    /// Of a PREPARE or an EXECUTE IMMEDIATE of a literal: the statement that runs. The EXECUTE itself says
    /// [`Effect::UnknownSetting`] and that it writes everything, for its text does not show what it
    /// runs; who remembers this knows better.
    pub prepared: Option<Box<Self>>,
    /// The bytes of the statement in the text, without the semicolon.
    pub text: Range<usize>,
}

/// What sort of statement it is, as far as a proxy cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, or WITH … SELECT.
    Select,
    /// UPDATE, DELETE, TRUNCATE.
    Write,
    /// INSERT, REPLACE, LOAD DATA: may set what `LAST_INSERT_ID()` says.
    Insert,
    /// BEGIN or START TRANSACTION.
    Begin,
    /// COMMIT.
    Commit,
    /// ROLLBACK, but not to a savepoint.
    Rollback,
    /// SAVEPOINT, RELEASE SAVEPOINT, ROLLBACK TO.
    Savepoint,
    /// SET of anything.
    Set,
    /// USE of this schema.
    Use(String),
    /// SHOW, DESCRIBE of a table, HELP.
    Show,
    /// SHOW WARNINGS, SHOW ERRORS and their COUNT(*) forms.
    ShowDiagnostics {
        /// SHOW ERRORS.
        errors_only: bool,
        /// SHOW COUNT(*) …
        count: bool,
        /// How many rows are skipped.
        offset: u64,
        /// How many rows are shown at most.
        limit: Option<u64>,
    },
    /// GET DIAGNOSTICS; what it asks for, where that is all user variables.
    GetDiagnostics(Option<Diagnosed>),
    /// Changes the schema or the accounts, and so the catalog.
    Ddl,
    /// CALL of this procedure, in lower case, where its name is plain.
    Call(Option<TableName>),
    /// PREPARE of this name.
    Prepare(String),
    /// EXECUTE of this name.
    Execute(String),
    /// DEALLOCATE PREPARE or DROP PREPARE of this name.
    Deallocate(String),
    /// LOCK TABLES, LOCK INSTANCE, FLUSH TABLES WITH READ LOCK.
    LockTables,
    /// UNLOCK TABLES, UNLOCK INSTANCE.
    UnlockTables,
    /// KILL.
    Kill {
        /// KILL QUERY: only the statement that runs.
        query: bool,
        /// Whom.
        target: Victim,
    },
    /// HANDLER.
    Handler,
    /// EXPLAIN of a statement.
    Explain,
    /// BEGIN NOT ATOMIC, EXECUTE IMMEDIATE: code that the text does not show plainly.
    Code,
    /// ANALYZE TABLE, FLUSH, RESET and what else there is.
    #[default]
    Other,
    /// Could not be understood.
    Unknown,
}

/// What a GET DIAGNOSTICS asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosed {
    /// The number of the condition; `None` of the statement itself.
    pub condition: Option<u64>,
    /// The user variables as they are written, and what they are to hold, in upper case.
    pub items: Vec<(String, String)>,
}

/// Whom a KILL means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The thread of this number.
    Thread(u64),
    /// The one that asks: `CONNECTION_ID()`.
    Own,
    /// The thread whose number is the value of a parameter.
    Parameter,
    /// The thread whose number is the value of this part of the text.
    Expression(Range<usize>),
    /// A user, or a query: these names are the server's own.
    Other,
}

/// What becomes of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// They stay.
    #[default]
    Kept,
    /// Something runs that nobody here sees; the server has counted whether that changed them.
    Unseen,
    /// They may be other ones now.
    Changed,
}

impl Rights {
    /// Changed, or kept.
    pub(super) const fn changed_if(is_so: bool) -> Self {
        if is_so { Self::Changed } else { Self::Kept }
    }
}

/// What `FOUND_ROWS()` says behind a statement that succeeded.
///
/// What servers count beyond the rows of a reply differs by server and by plan: what a LIMIT of a UNION left out, what
/// ROLLUP added. Only what was tried on both is not left to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// What it said before.
    Kept,
    /// The rows of the reply.
    Rows,
    /// The rows of the reply, if there are any, and as many as a number in the text says that are skipped before them.
    Skipping,
    /// The same, where the parameter of this number, from 0, says how many.
    SkippingParameter(usize),
    /// What an UPDATE of one table matched, and one for a DO (MySQL), or what it said before (MariaDB).
    Matched,
    /// Only the server knows.
    #[default]
    Server,
}

/// What a statement reads and uses, by name. The catalog says what the names mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Of a query: nothing in it was overlooked.
    pub is_complete: bool,
    /// Of a query: tables and views as they are spelled but in lower case; not the names of CTEs.
    pub relations: BTreeSet<TableName>,
    /// Of a query: functions, aggregates and window functions, in lower case.
    pub functions: BTreeSet<FunctionCall>,
    /// Of any statement: every name before a parenthesis that may call a stored function.
    pub calls: BTreeSet<FunctionCall>,
    /// What it does with dates and times.
    pub times: Times,
    /// What else matters of it.
    pub uses: BTreeSet<Use>,
    /// What forbids caching whatever the catalog says, in words.
    pub obstacles: BTreeSet<Obstacle>,
    /// What is volatile whatever the catalog says, in words.
    pub volatile: BTreeSet<Volatile>,
}

/// What a query does by which the reply may change without a write, or which must be known to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It does something with columns that are not named: a star inside, NATURAL JOIN, new names.
    Star,
    /// It reads a variable of the session's or the server's.
    Setting,
    /// It names what is called like a column of the server's own tables that changes by itself.
    Restless,
    /// It shows all columns of something.
    AllColumns,
    /// Its answer may tell how far a table's AUTO_INCREMENT has counted.
    Counter,
}

/// A call of a function by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionCall {
    /// The schema, where it was spelled out: then it is no built-in one.
    pub schema: Option<String>,
    /// The name in lower case.
    pub name: String,
}

/// A place where a text asks about the statement before, or about its own connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What it asks for.
    pub what: Mentioned,
    /// The bytes of the text, with the parentheses.
    pub span: Range<usize>,
    /// In which statement of the text.
    pub statement: usize,
}

/// What a text may ask for that is not the backend's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mentioned {
    /// `FOUND_ROWS()`
    FoundRows,
    /// `ROW_COUNT()`
    RowCount,
    /// `CONNECTION_ID()` or `@@pseudo_thread_id`
    ConnectionId,
    /// `@@warning_count`
    WarningCount,
    /// `@@error_count`
    ErrorCount,
    /// `LAST_INSERT_ID()`, `@@last_insert_id` or `@@identity`
    LastInsertId,
    /// `DATABASE()` or `SCHEMA()`
    Schema,
}

impl Analysis {
    /// What all statements change together, as far as the text says.
    pub fn writes(&self) -> Writes {
        let mut writes = Writes::None;
        self.statements.iter().for_each(|statement| writes.merge(statement.writes.clone()));
        writes
    }

    /// Whether it is one statement that asks for settings of its session or its server, its schema or version, and of no table.
    pub fn asks_for_settings(&self) -> bool {
        let [one] = self.statements.as_slice() else { return false };
        let reads = &one.reads;
        let tells = |call: &FunctionCall| call.schema.is_none() && TELLING.contains(&&*call.name);
        matches!(one.kind, Kind::Select | Kind::Show)
            && reads.is_complete
            && reads.relations.is_empty()
            && (reads.uses.contains(&Use::Setting) || reads.functions.iter().any(tells))
    }

    /// Whether its answer may tell how far a table's AUTO_INCREMENT has counted.
    pub fn may_tell_counters(&self) -> bool {
        self.statements.iter().any(|one| one.reads.uses.contains(&Use::Counter))
    }

    /// The effects of all statements, in order.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.statements.iter().flat_map(|statement| &statement.effects)
    }

    /// What it costs to remember, in bytes, about.
    pub(super) fn weight(&self) -> usize {
        let statements = self.statements.iter().map(StatementFacts::weight).sum::<usize>();
        size_of::<Self>()
            + statements
            + (self.mentions.len() + self.unnamed.len()) * size_of::<Mention>()
    }
}

impl StatementFacts {
    fn weight(&self) -> usize {
        let reads = &self.reads;
        let names = reads.relations.len() + reads.functions.len() + reads.times.len();
        let words = reads.obstacles.len() + reads.volatile.len() + reads.calls.len();
        let prepared = self.prepared.as_deref().map_or(0, Self::weight);
        size_of::<Self>() + (names + words + self.effects.len()) * NAME_WEIGHT + prepared
    }
}

/// A statement of which nothing else is known.
pub(super) fn plain(kind: Kind) -> StatementFacts {
    StatementFacts { kind, ..StatementFacts::default() }
}

/// One that may change anything.
pub(super) fn everything(kind: Kind) -> StatementFacts {
    StatementFacts { writes: Writes::Everything, ..plain(kind) }
}

/// Functions that tell of the session or the server.
const TELLING: [&str; 3] = ["database", "schema", "version"];

/// What one name costs to remember, about.
const NAME_WEIGHT: usize = 96;
