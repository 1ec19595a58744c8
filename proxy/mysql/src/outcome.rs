//! What became of a command, and whether one that failed ran at all: only then does it count as a write.
//!
//! An ERR packet has a number and words, and both may come from within stored code that has written before: a table without
//! transactions keeps that, and a procedure may commit. So an error is believed only of the first statement of a text, and
//! only where no stored code can have raised it.

use bytes::Bytes;
use cache::sql::{
    Writes,
    mysql::{Classified, Kind, StatementFacts},
};
use protocol::mysql::{exchange::CommandKind, reply::PrepareOk};
use serving::error::SessionError;

use super::{forward::Command, plan::Text, session::Session};

/// MySQL: ER_PARSE_ERROR.
const PARSE_ERROR: u16 = 1064;
/// MySQL: ER_SP_DOES_NOT_EXIST.
const NO_SUCH_ROUTINE: u16 = 1305;
/// What the words of a parse error begin with, in English; in another language it counts as any other error.
const PARSE_ERROR_WORDS: &str = "You have an error in your SQL syntax";
/// What runs code that a text of unknown kind may begin with.
const RUNS_CODE: [&str; 10] =
    ["BEGIN", "CALL", "CASE", "DECLARE", "EXECUTE", "FOR", "IF", "LOOP", "REPEAT", "WHILE"];

/// What raises errors of any number.
pub(crate) const RAISES: [&str; 2] = ["SIGNAL", "RESIGNAL"];

/// What became of one command of the client's.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The code of the error that ended it.
    pub(crate) error: Option<u16>,
    /// Its SQLSTATE.
    pub(crate) sqlstate: Option<[u8; 5]>,
    /// Rows of the last result set; `None` if there was none.
    pub(crate) rows: Option<u64>,
    /// Rows that were changed, of the last OK packet.
    pub(crate) affected: u64,
    /// The last insert id that an OK packet told of; 0 for none.
    pub(crate) insert_id: u64,
    /// How many rows a parameter says that are skipped.
    pub(crate) skipped: Option<u64>,
    /// Rows that an UPDATE found, where the last OK packet says so.
    pub(crate) matched: Option<u64>,
    /// How the rows come.
    pub(crate) delivery: Delivery,
    /// Warnings of the last statement.
    pub(crate) warnings: u16,
    /// Whether the session's state changed in some way that the server does not name.
    pub(crate) state: StateChange,
    /// The settings that changed, and the schema under a name that no variable has (`hear`).
    pub(crate) told: Vec<String>,
    /// The result was too long for the cache.
    pub(crate) was_too_long: bool,
    /// The words of the error.
    pub(crate) message: Bytes,
    /// How many results have ended.
    pub(crate) results: u64,
    /// Whether it may have done anything.
    pub(crate) fate: Fate,
}

/// What a server says of a session's state besides what it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StateChange {
    /// It is the same.
    #[default]
    None,
    /// It was another for a while: MariaDB goes into the schema of a view and back.
    CameBack,
    /// It is another.
    Changed,
}

/// A statement that is prepared in front of its execution, in the same write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Along {
    /// It is not.
    #[default]
    No,
    /// It was not heard of yet; whether it does nothing but read.
    Sent { is_read: bool },
    /// As the backend describes it.
    Prepared(PrepareOk),
    /// It was not prepared: nothing has run.
    Failed,
    /// It was, and its execution did not find it: nothing has run either.
    NotFound(PrepareOk),
}

impl Along {
    /// Whether nothing has run.
    pub(crate) const fn has_failed(self) -> bool {
        matches!(self, Self::Failed | Self::NotFound(_))
    }
}

/// Whether a command may have done anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    #[default]
    Ran,
    /// The server refused it before it did.
    NeverRan,
}

/// How the rows of a reply come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// With it.
    #[default]
    Whole,
    /// A cursor was opened, and they are fetched.
    ByCursor,
}

impl Session {
    /// Takes in what became of a command that is answered.
    pub(crate) fn note_fate(&mut self, command: &mut Command<'_>) -> Result<(), SessionError> {
        let outcome = &command.relay.outcome;
        let work = self.hold.held("note what became of a command")?;
        if outcome.error.is_none() {
            work.ran();
            return Ok(());
        }
        let schema = self.facts.schema.as_deref().filter(|_| command.kind == CommandKind::Query);
        if command.text.is_some_and(|text| is_refused(text, outcome, schema)) {
            work.never_ran();
            command.relay.outcome.fate = Fate::NeverRan;
        }
        work.ran();
        work.note_writes(work.loan.status(), (&self.context.common.cache, &self.database.catalog));
        if command.relay.outcome.fate == Fate::NeverRan {
            // What was written before it is out of the cache, if it can be seen.
            work.writing.take().into_iter().for_each(cache::Writing::settle);
        }
        Ok(())
    }
}

/// Whether an error refuses a text before anything of it was executed. The `schema` is that of its names, where that is
/// certain.
fn is_refused(text: &Text, outcome: &Outcome, schema: Option<&str>) -> bool {
    let words = String::from_utf8_lossy(&outcome.message);
    let Some(first) = text.analysis.as_deref().and_then(|analysis| analysis.statements.first())
    else {
        return false;
    };
    outcome.results == 0
        && match outcome.error {
            Some(PARSE_ERROR) => {
                words.starts_with(PARSE_ERROR_WORDS) && parses_only_itself(text, first)
            }
            Some(NO_SUCH_ROUTINE) => schema.is_some_and(|schema| calls_only(first, schema, &words)),
            _ => false,
        }
}

/// Whether what the server parses for the statement is the statement alone: what it runs parses no text of its own, nor
/// raises what looks like such an error.
fn parses_only_itself(text: &Text, first: &StatementFacts) -> bool {
    let calls_nothing = first.reads.calls.is_empty();
    match &first.kind {
        Kind::Unknown => {
            // Servers execute what stands in some comments, and read on in their own ways behind a zero.
            let sql = String::from_utf8_lossy(&text.sql);
            let hides = ["/*", "\0"].iter().any(|sign| sql.contains(sign));
            let sql = sql.trim_start();
            // No statement begins with these, so that nothing stands in front of the error.
            if sql.starts_with('\'') || is_open_comment(sql) {
                return true;
            }
            let word = sql.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            let runs = RUNS_CODE.iter().any(|known| word.eq_ignore_ascii_case(known));
            !hides && !word.is_empty() && !runs
        }
        Kind::Ddl => !text.sql.to_ascii_lowercase().windows(6).any(|word| word == b"select"),
        // Of a table without triggers; a view may have been meant where it is not that very table that is written.
        Kind::Insert | Kind::Write => {
            let known = text.judged.as_deref();
            calls_nothing && known.is_some_and(|judged| runs_no_code(first, judged))
        }
        Kind::Call(_) => {
            !text.may_be_several() && begins_with(&text.sql, &["CALL"]) && !is_call(&text.sql)
        }
        Kind::Explain
        | Kind::Select
        | Kind::Set
        | Kind::Show
        | Kind::Prepare(_)
        | Kind::LockTables
        | Kind::UnlockTables
        | Kind::Begin
        | Kind::Commit
        | Kind::Rollback
        | Kind::Savepoint => calls_nothing,
        Kind::Other => calls_nothing && !begins_with(&text.sql, &RAISES),
        _ => false,
    }
}

/// Whether a text is one comment that nobody executes, and that does not end.
fn is_open_comment(sql: &str) -> bool {
    let executed = ["/*!", "/*M!", "/*m!"].iter().any(|begin| sql.starts_with(begin));
    sql.starts_with("/*") && !executed && !sql.contains("*/")
}

/// What of the catalog a statement may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    Nothing,
    /// Which tables there are, and what they are like.
    Tables,
    /// Which stored code there is, too: until that is known, whoever may run some waits.
    Code,
}

/// What of the catalog a statement may have changed that ended like this.
pub(crate) fn touched(text: &Text, outcome: &Outcome) -> Touched {
    let changes_schema = text.has(|kind| *kind == Kind::Ddl) || text.is_unread();
    if !changes_schema || outcome.fate == Fate::NeverRan || text.writes() == Writes::None {
        Touched::Nothing
    } else if text.is_unread() && outcome.error == Some(PARSE_ERROR) && outcome.results == 0 {
        // Anybody can send what nobody can read, and must not have everybody wait. If it came out of stored code that had made
        // other code, the reading that begins now finds that.
        Touched::Tables
    } else if text.is_unread() || may_change_code(&text.sql) {
        Touched::Code
    } else {
        Touched::Tables
    }
}

/// Whether a definition may change which stored code there is, what runs it, or who may see it.
fn may_change_code(sql: &[u8]) -> bool {
    const WORDS: [&str; 11] = [
        "trigger",
        "procedure",
        "function",
        "package",
        "view",
        "rename",
        "database",
        "schema",
        "grant",
        "revoke",
        "/*",
    ];
    let sql = String::from_utf8_lossy(sql).to_ascii_lowercase();
    WORDS.iter().any(|word| sql.contains(word))
}

/// Whether the tables that a statement writes are those of its text, so that nothing fires.
fn runs_no_code(first: &StatementFacts, judged: &Classified) -> bool {
    first.writes != Writes::Everything && judged.writes == first.writes && judged.left.is_nothing()
}

pub(crate) fn begins_with(sql: &[u8], words: &[&str]) -> bool {
    let sql = sql.trim_ascii_start();
    let word = sql.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a text may be a CALL as a server reads it: a name, and behind that nothing or a list in parentheses.
fn is_call(sql: &[u8]) -> bool {
    let sql = sql.trim_ascii_end();
    let sql = sql.strip_suffix(b";").unwrap_or(sql).trim_ascii_end();
    let (mut depth, mut closed_before_end) = (0_i64, false);
    for (at, byte) in sql.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            // What stands in quotes and comments is nothing to go by.
            b'\'' | b'"' | b'`' | b'/' | b'-' | b'#' | b'\\' => return true,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
        closed_before_end |= *byte == b')' && depth == 0 && at + 1 < sql.len();
    }
    depth == 0 && !closed_before_end
}

/// Whether the routine that is not there is the only one that the statement calls: by its full name, for one that is there
/// may call another of that name.
fn calls_only(first: &StatementFacts, schema: &str, words: &str) -> bool {
    let mut calls = first.reads.calls.iter();
    let (Some(call), None) = (calls.next(), calls.next()) else { return false };
    let name = [call.schema.as_deref().unwrap_or(schema), &call.name].join(".");
    let told = words.split_once(' ').and_then(|(_, rest)| rest.strip_suffix(" does not exist"));
    matches!(first.kind, Kind::Call(_) | Kind::Select)
        && told.is_some_and(|told| told.to_lowercase() == name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cache::sql::mysql::{Modes, analyse};

    use super::*;

    /// FAULTS §4: errors of texts that ran and of such as did not.
    #[test]
    fn only_what_cannot_have_run_is_refused() {
        let syntax = "You have an error in your SQL syntax; check the manual";
        for (sql, code, words, expected) in [
            ("selct 1", 1064, syntax, true),
            ("selct 1", 1064, "Es liegt ein Fehler vor", false),
            ("selct 1", 1146, "Table 'a.b' doesn't exist", false),
            ("select 'a", 1064, syntax, true),
            ("'a'", 1064, syntax, true),
            ("/* x", 1064, syntax, true),
            ("/* x */ call p()", 1064, syntax, false),
            ("/*M! call p()", 1064, syntax, false),
            ("\"a", 1064, syntax, false),
            ("explain select 1 +", 1064, syntax, true),
            ("insert into t valus (1)", 1064, syntax, false),
            ("create table t (", 1064, syntax, true),
            ("create table t select f() as", 1064, syntax, false),
            ("call p()", 1064, syntax, false),
            ("call p", 1064, syntax, false),
            ("call p(')')", 1064, syntax, false),
            ("call p(", 1064, syntax, true),
            ("call p() where a = 1;", 1064, syntax, true),
            ("call p(1))", 1064, syntax, true),
            ("do 1 +", 1064, syntax, true),
            ("do f() +", 1064, syntax, false),
            ("set global a = = 1", 1064, syntax, true),
            ("set @a = f() 1", 1064, syntax, false),
            ("optimize table t t", 1064, syntax, true),
            ("repair table t t", 1064, syntax, true),
            ("signal sqlstate '42000' set mysql_errno = 1064", 1064, syntax, false),
            ("select f()", 1064, syntax, false),
            ("/*!50000 call p() */ x", 1064, syntax, false),
            ("-- x\ncall p()", 1064, syntax, false),
            ("begin not atomic execute immediate 'selct'; end", 1064, syntax, false),
            ("execute s", 1064, syntax, false),
            ("call nosuch()", 1305, "PROCEDURE app.nosuch does not exist", true),
            ("CALL app.NoSuch(1)", 1305, "PROCEDURE app.NoSuch does not exist", true),
            ("call p()", 1305, "PROCEDURE app.nosuch does not exist", false),
            ("call p()", 1305, "PROCEDURE other.p does not exist", false),
            ("call other.p()", 1305, "PROCEDURE app.p does not exist", false),
            ("call p(f())", 1305, "PROCEDURE app.p does not exist", false),
            ("select nosuch()", 1305, "FUNCTION app.nosuch does not exist", true),
            ("insert into t values (nosuch())", 1305, "FUNCTION app.nosuch does not exist", false),
        ] {
            let analysis = Some(Arc::new(analyse(sql, Modes::default())));
            let text = Text { sql: Bytes::copy_from_slice(sql.as_bytes()), analysis, judged: None };
            let message = Bytes::copy_from_slice(words.as_bytes());
            let mut outcome = Outcome { error: Some(code), message, ..Outcome::default() };
            assert_eq!(is_refused(&text, &outcome, Some("app")), expected, "{sql}: {words}");
            if code == 1305 {
                assert!(!is_refused(&text, &outcome, None), "names of another schema");
            }
            outcome.results = 1;
            assert!(!is_refused(&text, &outcome, Some("app")), "behind a result");
        }
    }

    /// FAULTS row 50: a text that nobody can read had every client wait until the stored code was read again.
    #[test]
    fn a_text_that_cannot_be_parsed_keeps_what_is_known_of_stored_code() {
        let after = |sql: &str, error| {
            let analysis = Some(Arc::new(analyse(sql, Modes::default())));
            let text = Text { sql: Bytes::copy_from_slice(sql.as_bytes()), analysis, judged: None };
            touched(&text, &Outcome { error, ..Outcome::default() })
        };
        let hostile = "/*!".repeat(1000);
        assert_eq!(after(&hostile, Some(PARSE_ERROR)), Touched::Tables);
        for error in [None, Some(1146)] {
            assert_eq!(after(&hostile, error), Touched::Code, "it may have made some");
        }
        assert_eq!(after("create table t (a int)", None), Touched::Tables);
        assert_eq!(after("create view v as select 1", None), Touched::Code);
        assert_eq!(after("insert into t values (1)", None), Touched::Nothing);
    }
}
