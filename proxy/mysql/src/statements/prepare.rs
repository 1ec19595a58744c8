//! COM_STMT_PREPARE, and which statement an id of the client's means.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::mysql::{Kind, Mentioned, Pin};
use protocol::mysql::command::Execute;
use serving::{
    error::{ClientError, SessionError},
    memory::FEW_TEXTS,
    observe::Saved,
};

use super::super::{
    adopt::Refusal,
    answers::{self, Here},
    facts::Open,
    forward::is_status_question,
    last::Conditions,
    prepared::{MAX_PER_CLIENT, MAX_TEXTS, Statement},
    session::Session,
};

/// MariaDB: LAST_STMT_ID.
const LAST_PREPARED: u32 = u32::MAX;

/// Texts up to this length are bounded by their number.
const SHORT_TEXT: usize = 4096;

impl Session {
    /// COM_STMT_PREPARE.
    pub(crate) async fn prepare(&mut self, sql: &Bytes) -> Result<(), SessionError> {
        self.facts.prepared_last = None;
        let texts =
            || self.facts.statements.values().map(|open| open.text.sql.len()).sum::<usize>();
        if self.facts.statements.len() >= MAX_PER_CLIENT
            || (sql.len() > SHORT_TEXT && texts() + sql.len() > MAX_TEXTS)
        {
            let words = "Can't create more than max_prepared_stmt_count statements";
            self.client.refuse_text(1461, "42000", words);
            return Ok(());
        }
        let registry = &self.database.registry;
        if !registry.has_room(sql.len())
            && texts() + sql.len() > FEW_TEXTS
            && !registry.makes_room(sql.len())
        {
            self.client.refuse_text(1041, "HY000", &ClientError::OutOfMemory.to_string());
            return Ok(());
        }
        // A copy, so that the buffer it was read into is not kept.
        let own = self.read_text(Bytes::copy_from_slice(sql)).await;
        if is_status_question(&own.sql) {
            self.prepare_status(own);
            return Ok(());
        }
        // The id of the connection does not change: it can be written into the text.
        let only_id = !own
            .mentions(|what| !matches!(what, Mentioned::ConnectionId | Mentioned::Schema))
            && !own.has(|kind| matches!(kind, Kind::Kill { .. }));
        let thread = self.client.thread.id();
        let here = Here { is_held: false, thread, is_mariadb: false, schema: None };
        let answered = answers::answered(&own, &self.facts.last, &here).filter(|_| only_id);
        let text = match answered {
            Some(sql) => self.read_text(sql).await,
            None => own,
        };
        let meaning = self.meaning(&text.sql);
        // What a temporary table makes of a text is nobody else's, and nobody else's is of use then.
        // MariaDB does not run every SHOW a second time: each client's own is prepared for it.
        let may_share = self.facts.pins.is_empty()
            && !text.has(|kind| *kind == Kind::Show)
            && !text.asks_for_last_draw();
        let is_known = may_share && self.database.config.round_trips.descriptions;
        let found = match is_known {
            // Warnings can be shown only by a backend that has them.
            true => self.database.registry.find(&meaning).filter(|known| known.shape.warnings == 0),
            false => None,
        };
        if found.is_some() {
            self.database.metrics.saves(Saved::Describe);
        }
        let statement = match found {
            Some(statement) if self.has_open(&statement) => {
                // Cursors and long data of two statements must not meet.
                self.database.registry.private(statement.described())
            }
            Some(statement) => statement,
            None => match self.prepare_anew(&text).await? {
                Ok((statement, _)) => statement,
                Err(refusal) => {
                    self.refuse_prepared(&refusal);
                    return Ok(());
                }
            },
        };
        let is_mariadb = self.is_mariadb();
        self.facts.last.prepared(&text, statement.shape.warnings, is_mariadb);
        if text.has(|kind| matches!(kind, Kind::GetDiagnostics(_))) {
            // What it asks for must be the backend's.
            self.pin(Pin::UnknownSetting);
        }
        let id = self.facts.next_statement();
        self.facts.prepared_last = Some(id);
        self.put_description(&statement, id);
        let open = Open {
            statement,
            types: None,
            _held: self.database.registry.hold(text.sql.len()),
            text,
        };
        self.facts.statements.insert(id, open);
        Ok(())
    }

    pub(crate) fn refuse_prepared(&mut self, refusal: &Refusal) {
        self.facts.last.row_count = -1;
        if matches!(refusal, Refusal::Origin(_)) && !self.hold.is_free() {
            self.facts.last.conditions = Conditions::AtBackend;
        }
        self.client.refuse(refusal);
    }

    /// The client's statement, or the error it is told.
    pub(crate) fn find_statement(&mut self, body: &[u8], function: &str) -> Option<(u32, Open)> {
        let said = Execute::statement(body).unwrap_or_default();
        let id = self.meant(said);
        let open = self.facts.statements.get(&id).cloned();
        if open.is_none() {
            // MySQL looks for all commands in one place (`mysql_stmt_precheck` in sql_prepare.cc).
            let function = if self.is_mariadb() { function } else { "mysql_stmt_precheck" };
            let words = format!("Unknown prepared statement handler ({said}) given to {function}");
            self.client.refuse_text(1243, "HY000", &words);
        }
        open.map(|open| (id, open))
    }

    /// The statement that an id stands for: in MariaDB the highest is the one prepared last, so that an execution
    /// can be sent before the answer to the COM_STMT_PREPARE (`find_prepared_statement` in sql_prepare.cc).
    pub(super) fn meant(&self, id: u32) -> u32 {
        match self.facts.prepared_last {
            Some(last) if id == LAST_PREPARED && self.is_mariadb() => last,
            _ => id,
        }
    }

    /// Whether the client has this very statement open.
    fn has_open(&self, statement: &Arc<Statement>) -> bool {
        self.facts.statements.values().any(|open| Arc::ptr_eq(&open.statement, statement))
    }
}
