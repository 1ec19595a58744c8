//! What a client's last statement left behind, and whether the session or the backend that it holds knows it.
//!
//! A session that holds no backend knows all of it: what it does not see in a reply is asked for before the backend is
//! given back (`questions`). Pure.

mod conditions;
mod text;

use cache::sql::mysql::{Diagnosed, Kind};

pub(crate) use self::conditions::{Condition, Conditions, RaisedBy};
use super::{
    outcome::{Delivery, Outcome},
    plan::Text,
    refresh::Again,
};

/// MySQL: GET STACKED DIAGNOSTICS outside of a handler, which leaves the diagnostics as they are.
const NO_HANDLER: u16 = 3004;

/// The condition that a GET DIAGNOSTICS leaves which names one that is not there (MySQL, MariaDB:
/// ER_DA_INVALID_CONDITION_NUMBER).
pub(crate) const NO_SUCH_CONDITION: (u16, &str) = (1758, "Invalid condition number");

/// What the functions that speak of the last statement say.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    /// `LAST_INSERT_ID()`; `None` where the backend that the session holds knows.
    pub(crate) insert_id: Option<u64>,
    /// `FOUND_ROWS()`.
    pub(crate) found: Found,
    /// `ROW_COUNT()`.
    pub(crate) row_count: i64,
    /// What SHOW WARNINGS shows.
    pub(crate) conditions: Conditions,
    /// How many warnings its reply counted.
    pub(crate) warnings: u16,
    /// The code and the SQLSTATE of the error that ended it.
    pub(crate) error: Option<(u16, [u8; 5])>,
    /// What may have raised them.
    pub(crate) raised_by: RaisedBy,
    /// The session has done something without the backend that it holds, or asked that something of its own: the
    /// backend's last statement is not the client's.
    pub(crate) is_ours: bool,
    /// The backend that the session holds says the same of `FOUND_ROWS()`.
    pub(crate) is_counted_there: bool,
}

/// What `FOUND_ROWS()` says.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// This.
    Rows(u64),
    /// The backend that the session holds knows.
    AtBackend,
    /// A kept reply does not tell; its statement does, run once more.
    Replayed(Box<Again>),
}

impl Default for Last {
    fn default() -> Self {
        Self {
            insert_id: Some(0),
            found: Found::Rows(0),
            row_count: 0,
            conditions: Conditions::None,
            warnings: 0,
            error: None,
            raised_by: RaisedBy::Server,
            is_ours: false,
            is_counted_there: false,
        }
    }
}

impl Last {
    /// The number of conditions, and of errors among them.
    pub(crate) fn counts(&self) -> Option<(usize, usize)> {
        match &self.conditions {
            Conditions::None => Some((0, 0)),
            Conditions::Rows(rows, all) => {
                Some((*all, rows.iter().filter(|row| row.is_error).count()))
            }
            Conditions::AtBackend => None,
        }
    }

    /// Whether nothing must be asked of the backend before another may have it.
    pub(crate) fn is_known(&self) -> bool {
        self.insert_id.is_some()
            && !matches!(self.found, Found::AtBackend)
            && self.conditions != Conditions::AtBackend
    }

    /// Whether the backend that the session holds shows the client's own diagnostics.
    pub(crate) fn has_conditions_there(&self, is_held: bool) -> bool {
        match self.conditions {
            Conditions::None => is_held && !self.is_ours,
            Conditions::Rows(..) => false,
            Conditions::AtBackend => true,
        }
    }

    /// Something was answered without the backend, or asked of it, so that its last statement is another.
    pub(crate) fn is_elsewhere(&mut self) {
        self.is_ours = true;
        self.is_counted_there = false;
    }

    /// A command that is not a statement was done, and counts as this many rows.
    pub(crate) fn passed(&mut self, row_count: i64) {
        self.row_count = row_count;
        self.is_ours = true;
    }

    /// A KILL was done without the backend.
    pub(crate) fn killed(&mut self) {
        self.passed(0);
        self.conditions = Conditions::None;
    }

    /// A statement was refused without the backend, with this error.
    pub(crate) fn refused(&mut self, code: u16, sqlstate: [u8; 5], message: &str) {
        self.is_elsewhere();
        self.row_count = -1;
        self.error = Some((code, sqlstate));
        self.warnings = 1;
        self.conditions = Conditions::Rows(vec![Condition::error(code, message)], 1);
    }

    /// A GET DIAGNOSTICS named a condition that is not there.
    pub(crate) fn lacked(&mut self) {
        let (code, message) = NO_SUCH_CONDITION;
        self.is_elsewhere();
        self.row_count = -1;
        self.warnings = 1;
        let (mut rows, all) = match std::mem::take(&mut self.conditions) {
            Conditions::Rows(rows, all) => (rows, all),
            _ => (Vec::new(), 0),
        };
        // A list that is not whole is at its limit.
        if rows.len() == all {
            rows.push(Condition::error(code, message));
        }
        self.conditions = Conditions::Rows(rows, all.saturating_add(1));
    }

    /// A statement was prepared, with this many warnings. MariaDB keeps what there is to show as long as no table is
    /// involved.
    pub(crate) fn prepared(&mut self, text: &Text, warnings: u16, is_mariadb: bool) {
        self.is_ours = true;
        let shows = |kind: &Kind| matches!(kind, Kind::ShowDiagnostics { .. });
        let is_kept = is_mariadb && (text.is_tableless() || text.has(shows));
        if warnings > 0 {
            self.warnings = warnings;
            self.conditions = Conditions::AtBackend;
        } else if !is_kept {
            self.conditions = Conditions::None;
        }
    }

    /// A statement was answered with `rows` that are kept.
    pub(crate) fn replayed(
        &mut self,
        text: &Text,
        rows: u64,
        again: impl FnOnce() -> Again,
        is_mariadb: bool,
    ) {
        if let Some(Kind::ShowDiagnostics { .. }) = text.kinds().last() {
            // It leaves what there is to show, and counts nothing.
            self.row_count = -1;
            return self.is_elsewhere();
        }
        self.found = match text.counted(rows, None) {
            Some(rows) => Found::Rows(rows),
            None => Found::Replayed(Box::new(again())),
        };
        self.is_elsewhere();
        self.row_count = -1;
        if !is_mariadb || !text.is_tableless() {
            self.conditions = Conditions::None;
        }
    }

    /// A text was run on the backend that the session holds.
    pub(crate) fn ran(&mut self, text: &Text, outcome: &Outcome, is_mariadb: bool) {
        // One that the server could not even begin with is a statement like any other.
        let shows = match outcome.error {
            None => true,
            Some(code) => !is_mariadb && code == NO_HANDLER,
        };
        match text.kinds().last() {
            Some(Kind::GetDiagnostics(asked)) if shows => {
                if outcome.error.is_some() {
                    self.row_count = -1;
                } else if outcome.warnings > 0 {
                    self.diagnosed(asked.as_ref());
                }
                return;
            }
            Some(Kind::ShowDiagnostics { .. }) if shows && text.kinds().count() == 1 => {
                self.row_count = -1;
                return;
            }
            _ => {}
        }
        self.is_ours = false;
        self.error = outcome.error.zip(outcome.sqlstate);
        let is_users_own = outcome.sqlstate.is_some_and(|sqlstate| sqlstate.starts_with(b"45"));
        self.raised_by = match text.runs_code() || text.raises() || is_users_own {
            true => RaisedBy::Signal,
            false => RaisedBy::Server,
        };
        self.warnings = outcome.error.map_or(outcome.warnings, |_| 1);
        self.conditions = match outcome.error {
            None if outcome.warnings > 0 => Conditions::AtBackend,
            None if is_mariadb && text.is_tableless() => std::mem::take(&mut self.conditions),
            None => Conditions::None,
            Some(_) => Conditions::AtBackend,
        };
        self.row_count = match (outcome.error, outcome.rows) {
            (None, None) => i64::try_from(outcome.affected).unwrap_or(i64::MAX),
            _ => -1,
        };
        if outcome.insert_id != 0 || text.may_set_insert_id() {
            self.insert_id = None;
        }
        self.count(text, outcome, is_mariadb);
    }

    /// The backend had no condition of the number that a GET DIAGNOSTICS named.
    fn diagnosed(&mut self, asked: Option<&Diagnosed>) {
        if self.has_conditions_there(true) {
            self.conditions = Conditions::AtBackend;
            self.row_count = -1;
            return;
        }
        let known = match &self.conditions {
            Conditions::Rows(rows, _) => rows.len(),
            Conditions::None | Conditions::AtBackend => 0,
        };
        let number = asked.and_then(|asked| usize::try_from(asked.condition?).ok());
        if number.is_some_and(|number| number == 0 || number > known) {
            self.lacked();
        }
    }

    fn count(&mut self, text: &Text, outcome: &Outcome, is_mariadb: bool) {
        if text.keeps_found_rows(usize::MAX, is_mariadb) {
            return;
        }
        self.is_counted_there = true;
        let is_sure =
            outcome.error.is_none() && outcome.delivery == Delivery::Whole && !text.runs_code();
        let matched = || outcome.matched.filter(|_| text.is_matched());
        let counted =
            outcome.rows.and_then(|rows| text.counted(rows, outcome.skipped)).or_else(matched);
        self.found = counted.filter(|_| is_sure).map_or(Found::AtBackend, Found::Rows);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use cache::sql::mysql::{Modes, analyse};

    use super::*;

    fn text(sql: &str) -> Text {
        let analysis = Some(Arc::new(analyse(sql, Modes::default())));
        Text { sql: Bytes::copy_from_slice(sql.as_bytes()), analysis, judged: None }
    }

    fn after(sql: &str, outcome: &Outcome, is_mariadb: bool) -> Option<u64> {
        let mut last = Last { found: Found::Rows(77), ..Last::default() };
        last.ran(&text(sql), outcome, is_mariadb);
        match last.found {
            Found::Rows(rows) => Some(rows),
            _ => None,
        }
    }

    /// FAULTS row 19e: where servers count differently, the server is asked.
    #[test]
    fn found_rows_is_taken_from_a_reply_only_where_every_server_counts_so() {
        let rows = |rows| Outcome { rows: Some(rows), ..Outcome::default() };
        let ok = Outcome { matched: Some(9), ..Outcome::default() };
        let failed = Outcome { error: Some(1), ..Outcome::default() };
        for (sql, outcome, expected) in [
            ("SELECT a FROM t", rows(5), [Some(5); 2]),
            ("SELECT a FROM t LIMIT 2, 5", rows(5), [Some(7); 2]),
            ("SELECT a FROM t LIMIT 2, 5", rows(0), [None; 2]),
            ("SELECT a FROM t LIMIT 5 OFFSET 20 ; ", rows(5), [Some(25); 2]),
            ("SELECT a FROM t LIMIT 20,5", rows(5), [Some(25); 2]),
            ("SELECT a FROM t LIMIT 2, 5 FOR UPDATE", rows(5), [None; 2]),
            ("SELECT a FROM t LIMIT 2, 5 -- 7, 8", rows(5), [None; 2]),
            ("SELECT a FROM t UNION SELECT 1 LIMIT 5", rows(5), [None; 2]),
            ("SELECT a FROM t", failed, [None; 2]),
            ("SHOW TABLES", rows(5), [None; 2]),
            ("INSERT INTO t VALUES (1)", Outcome::default(), [Some(77); 2]),
            ("UPDATE t SET a = 1", ok, [Some(77), Some(9)]),
            ("CALL p()", Outcome::default(), [None; 2]),
            ("SET @a = 1; SELECT a FROM t", rows(5), [Some(5); 2]),
            ("SELECT a FROM t; SET @a = 1", Outcome::default(), [None; 2]),
            ("SET @a = 1; BEGIN", Outcome::default(), [Some(77); 2]),
        ] {
            let found = [true, false].map(|is_mariadb| after(sql, &outcome, is_mariadb));
            assert_eq!(found, expected, "{sql}");
        }
    }

    /// FAULTS row 19d: MariaDB keeps its diagnostics over a statement without a table.
    #[test]
    fn diagnostics_are_kept_as_the_server_keeps_them() {
        let kept = |sql: &str, is_mariadb| {
            let row = Condition { is_error: true, row: Bytes::new(), items: None };
            let conditions = Conditions::Rows(vec![row], 1);
            let mut last = Last { conditions, ..Last::default() };
            last.ran(&text(sql), &Outcome::default(), is_mariadb);
            last.conditions != Conditions::None
        };
        for (sql, is_kept) in [
            ("SET @a = 1", true),
            ("SELECT 1", true),
            ("SELECT 1 FROM t", false),
            ("DELETE FROM t", false),
        ] {
            assert_eq!(kept(sql, true), is_kept, "{sql}");
            assert!(!kept(sql, false), "{sql}");
        }
        assert!(kept("SHOW WARNINGS", false));
    }
}
