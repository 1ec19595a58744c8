//! Prepared statements by the protocol: ids of ours, mapped to those of whichever backend runs them.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::sql::mysql::{Kind, Mentioned, Pin, Victim};
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, StatusFlags},
        command::{CURSOR_TYPE_NO_CURSOR, Execute, Known, Value},
        exchange::CommandKind,
    },
    reader::Reader,
};
use serving::{
    error::{ClientError, SessionError},
    hold::Hold,
    memory::FEW_TEXTS,
    observe::CacheStatus,
};

use super::{
    adopt::Refusal,
    answers::{self, Here},
    backend::Note,
    facts::Open,
    forward::{Command, is_status_question, one_kind},
    last::Conditions,
    parts::{Answer, binary_condition, thread},
    plan::{Cacheable, Text},
    prepared::{MAX_PER_CLIENT, MAX_TEXTS, Statement, with_id},
    refresh::Again,
    relay::Relay,
    replay::Form,
    session::Session,
    work::{There, Work},
};

/// MariaDB: LAST_STMT_ID.
const LAST_PREPARED: u32 = u32::MAX;
/// MySQL: MYSQL_TYPE_TIME.
const TIME: u16 = 11;
/// Texts up to this length are bounded by their number.
const SHORT_TEXT: usize = 4096;
/// Most executions are not longer.
const EXECUTE_LEN: usize = 128;

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
        let found = match may_share {
            // Warnings can be shown only by a backend that has them.
            true => self.database.registry.find(&meaning).filter(|known| known.shape.warnings == 0),
            false => None,
        };
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

    /// COM_STMT_EXECUTE.
    pub(crate) async fn execute(&mut self, body: &Bytes) -> Result<(), SessionError> {
        let Some((id, open)) = self.find_statement(body, "mysqld_stmt_execute") else {
            return Ok(());
        };
        if is_status_question(&open.text.sql) {
            self.show_status(Form::Binary);
            return Ok(());
        }
        let attributes = self.client.has(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
        let long_data = self.hold.work().map_or(&[][..], |work| work.long_data_of(id)).to_vec();
        let known = Known {
            params: open.statement.shape.params,
            types: open.types.as_deref(),
            long_data: &long_data,
        };
        let Ok(execute) = Execute::decode(body, known, attributes) else {
            self.client.refuse_text(1210, "HY000", "Incorrect arguments to mysqld_stmt_execute");
            return Ok(());
        };
        let sent = execute.parameters.iter().map(|parameter| parameter.kind);
        let types = match &open.types {
            Some(known) if sent.clone().eq(known.iter().copied()) => Arc::clone(known),
            _ => sent.collect(),
        };
        if let Some(kept) = self.facts.statements.get_mut(&id) {
            kept.types = Some(Arc::clone(&types));
        }
        self.database.catalog.begun().await;
        let text = self.judge_anew(&open);
        if let Some(Kind::Kill { query, target }) = one_kind(&text) {
            let victim = match target {
                Victim::Thread(id) => u32::try_from(*id).ok(),
                Victim::Own => Some(self.client.thread.id()),
                Victim::Parameter => execute.parameters.first().and_then(thread),
                Victim::Expression(_) | Victim::Other => None,
            };
            if let Some(victim) = victim.filter(|id| self.context.is_ours(*id)) {
                let killed = Box::pin(self.kill(victim, *query, StatusFlags::empty())).await;
                return killed.map(drop);
            }
        }
        let verdict = text.verdict(|| self.standing(), &self.database.config.caching);
        // A time of day is compared with a date by way of the current one.
        let is_plain = !types.iter().any(|kind| kind & 0xff == TIME)
            && execute.attributes.is_empty()
            && execute.flags == CURSOR_TYPE_NO_CURSOR
            && long_data.is_empty();
        let mut fill = None;
        self.last_status = match verdict {
            Cacheable::Yes(tables) if is_plain => {
                let key = self.execute_key(&open.statement, &execute, &types);
                let again = || {
                    let open = Box::new(Open { types: Some(Arc::clone(&types)), ..open.clone() });
                    Again::Statement { id, open, body: body.clone() }
                };
                match self.look_up_key(key, &text, &tables, again).await? {
                    None => return Ok(()),
                    Some(found) => fill = found,
                }
                self.last_status
            }
            Cacheable::Yes(_) => CacheStatus::Uncacheable,
            Cacheable::No(status) => status,
        };
        self.forward_execute(id, &execute, &text, fill).await
    }

    /// Sends an execution to a backend, prepared there if it must be.
    pub(crate) async fn forward_execute(
        &mut self,
        id: u32,
        execute: &Execute<'_>,
        text: &Text,
        fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        let Some(open) = self.facts.statements.get(&id).cloned() else { return Ok(()) };
        let answer = Box::pin(self.answer_execute(id, &open, text)).await?;
        let prepared = match &answer {
            // Of this execution alone: the next is about another statement.
            Answer::Text(sql) => self.prepare_once(&open, sql).await?,
            Answer::None | Answer::Rows(_) | Answer::Condition => {
                self.prepared_id(id, &open).await?
            }
        };
        let backend_id = match prepared {
            Ok(id) => id,
            Err(refusal) => {
                self.refuse_prepared(&refusal);
                return Ok(());
            }
        };
        let work = self.hold.held("execute a statement")?;
        if work.statements.contains_key(&id) {
            work.loan.prepared.retype(&open.statement, backend_id, &open.types);
        }
        let kind = CommandKind::Execute { statement: backend_id, cursor: execute.opens_cursor() };
        let mut relay = Relay::new(fill);
        relay.described = Some(Arc::clone(&open.statement));
        if let Answer::Rows(rows) = &answer {
            relay.inject = Some(rows.iter().map(|row| binary_condition(row)).collect());
        }
        let command = Command { kind, text: Some(text), relay };
        self.forward(command, |backend| {
            let attributes =
                backend.capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
            let mut payload = BytesMut::with_capacity(EXECUTE_LEN);
            // The types go along each time: another client may have run it here with others.
            execute.encode(backend_id, true, attributes, &mut payload);
            payload
        })
        .await?;
        // Without a backend it was lost, with all that was prepared there.
        if let Hold::Held(work) = &mut self.hold {
            work.statements.remove(&id);
            let is_once = matches!(answer, Answer::Text(_));
            if is_once && work.loan.exchange.has_cursor_of(backend_id) {
                work.statements.insert(id, There { id: backend_id, long_data: Vec::new() });
            } else if is_once {
                work.loan.send_close(backend_id);
            }
        }
        self.forget_pins(id);
        if self.has_cursor_of(backend_id) && self.facts.pins.add_named(Pin::Cursor, &id.to_string())
        {
            self.database.metrics.pin(Pin::Cursor.as_str());
        }
        Ok(())
    }

    /// COM_STMT_FETCH.
    pub(crate) async fn fetch(&mut self, payload: &Bytes) -> Result<(), SessionError> {
        let body = payload.slice(1..);
        let Some((id, open)) = self.find_statement(&body, "mysqld_stmt_fetch") else {
            return Ok(());
        };
        let Some(there) = self.held_id(id, &open) else {
            let words = "The statement has no open cursor.";
            self.client.refuse_text(1421, "HY000", words);
            return Ok(());
        };
        let payload = with_id(payload, there);
        let kind = CommandKind::Fetch { statement: there };
        let command = Command { kind, text: None, relay: Relay::default() };
        self.forward(command, |_backend| payload).await?;
        if !self.has_cursor_of(there) {
            self.facts.pins.remove_named(Pin::Cursor, &id.to_string());
        }
        Ok(())
    }

    /// COM_STMT_SEND_LONG_DATA, which has no reply.
    pub(crate) async fn send_long_data(&mut self, payload: &Bytes) -> Result<(), SessionError> {
        let mut reader = Reader::new(payload.get(1..).unwrap_or_default());
        let (Ok(id), Ok(parameter)) = (reader.u32_le(), reader.u16_le()) else { return Ok(()) };
        let id = self.meant(id);
        let Some(open) = self.facts.statements.get(&id).cloned() else { return Ok(()) };
        let Ok(there) = self.prepared_id(id, &open).await? else { return Ok(()) };
        let payload = with_id(payload, there);
        let Work { loan, statements, .. } = self.hold.held("send long data")?;
        loan.send(CommandKind::Silent, &payload, Note::Client);
        loan.framed.flush().await.map_err(SessionError::BackendLost)?;
        let held = statements.entry(id).or_insert(There { id: there, long_data: Vec::new() });
        if !held.long_data.contains(&parameter) {
            held.long_data.push(parameter);
        }
        if self.facts.pins.add_named(Pin::LongData, &id.to_string()) {
            self.database.metrics.pin(Pin::LongData.as_str());
        }
        Ok(())
    }

    /// COM_STMT_RESET.
    pub(crate) async fn reset_statement(&mut self, body: &Bytes) -> Result<(), SessionError> {
        let Some((id, open)) = self.find_statement(body, "mysqld_stmt_reset") else {
            return Ok(());
        };
        let there = self.held_id(id, &open);
        if let Hold::Held(work) = &mut self.hold {
            work.statements.remove(&id);
        }
        match there {
            // Only a backend that it has used knows of a cursor or of long data.
            Some(there) if !self.facts.pins.is_empty() => {
                let payload = with_id(&[&[0x1a], &id.to_le_bytes()[..]].concat(), there);
                let relay = Relay::default();
                let kind = CommandKind::StatementReset { statement: there };
                let command = Command { kind, text: None, relay };
                self.forward(command, |_backend| payload).await?;
            }
            _ => self.put_ok(),
        }
        self.forget_pins(id);
        Ok(())
    }

    /// COM_STMT_CLOSE, which has no reply. The backends keep it for other clients, but for one that holds
    /// something of this client's.
    pub(crate) async fn close_statement(&mut self, body: &Bytes) -> Result<(), SessionError> {
        let Ok(id) = Reader::new(body).u32_le() else { return Ok(()) };
        let id = self.meant(id);
        let Some(open) = self.facts.statements.remove(&id) else { return Ok(()) };
        self.facts.prepared_last = self.facts.prepared_last.filter(|last| *last != id);
        // Without a backend there is nothing of it anywhere.
        if let Hold::Held(work) = &mut self.hold {
            let may_hold = self.facts.pins.has(Pin::Cursor) || self.facts.pins.has(Pin::LongData);
            let there = if may_hold { work.id_of(id, &open) } else { None };
            work.statements.remove(&id);
            if let Some(there) = there {
                let loan = &mut work.loan;
                loan.prepared.retype(&open.statement, there, &open.types);
                loan.prepared.remove(&open.statement, &open.types);
                loan.send_close(there);
                loan.framed.flush().await.map_err(SessionError::BackendLost)?;
            }
        }
        self.forget_pins(id);
        Ok(())
    }

    /// Whether it has a cursor open. One of a backend that was lost is gone with that.
    fn has_cursor_of(&self, there: u32) -> bool {
        self.hold.work().is_some_and(|work| work.loan.exchange.has_cursor_of(there))
    }

    /// What must be put in the place of an execution that asks about the last statement.
    pub(crate) async fn answer_execute(
        &mut self,
        id: u32,
        open: &Open,
        text: &Text,
    ) -> Result<Answer, SessionError> {
        let asks_where = |what| what == Mentioned::Schema && self.asks_for_session(what);
        if !text.asks_for_last() && !text.mentions(asks_where) {
            return Ok(Answer::None);
        }
        let settings = self.facts.settings.with_parsing_of(&open.statement.settings);
        let wanted = self.wanted_for(&settings, open.statement.schema.clone());
        if !self.hold.is_free() && self.held_id(id, open).is_none() && !self.facts.last.is_ours {
            // Preparing it there would be what it hears of.
            self.ask_what_is_left().await?;
        }
        self.answer_for(text, &wanted).await
    }

    pub(crate) fn refuse_prepared(&mut self, refusal: &Refusal) {
        if matches!(refusal, Refusal::Origin(_)) && !self.hold.is_free() {
            self.facts.last.conditions = Conditions::AtBackend;
        }
        self.client.refuse(refusal);
    }

    pub(crate) fn forget_pins(&mut self, id: u32) {
        if self.facts.pins.is_empty() {
            return;
        }
        self.facts.pins.remove_named(Pin::Cursor, &id.to_string());
        self.facts.pins.remove_named(Pin::LongData, &id.to_string());
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
    fn meant(&self, id: u32) -> u32 {
        match self.facts.prepared_last {
            Some(last) if id == LAST_PREPARED && self.is_mariadb() => last,
            _ => id,
        }
    }

    /// Whether the client has this very statement open.
    fn has_open(&self, statement: &Arc<Statement>) -> bool {
        self.facts.statements.values().any(|open| Arc::ptr_eq(&open.statement, statement))
    }

    fn execute_key(
        &mut self,
        statement: &Statement,
        execute: &Execute<'_>,
        types: &[u16],
    ) -> cache::Key {
        let mut parameters = BytesMut::with_capacity(EXECUTE_LEN);
        for (parameter, kind) in execute.parameters.iter().zip(types) {
            parameters.put_u16(*kind);
            match parameter.value {
                Value::Bytes(bytes) => {
                    parameters.put_u64(bytes.len() as u64);
                    parameters.put_slice(bytes);
                }
                Value::Null | Value::LongData => parameters.put_u64(u64::MAX),
            }
        }
        let key = self.facts.key(self.database.catalog.view());
        key.field("statement", statement.key().as_bytes()).field("parameters", &parameters).finish()
    }
}
