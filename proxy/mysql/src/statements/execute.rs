//! COM_STMT_EXECUTE: from the cache, or at a backend that may have to prepare the statement first.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::sql::mysql::{Kind, Mentioned, Pin, Victim};
use protocol::mysql::{
    capabilities::{CapabilityFlags, StatusFlags},
    command::{CURSOR_TYPE_NO_CURSOR, Execute, Known, Value},
    exchange::CommandKind,
};
use serving::{error::SessionError, hold::Hold, observe::CacheStatus};

use super::super::{
    facts::Open,
    forward::{Command, is_status_question},
    parts::{Answer, binary_condition, thread},
    plan::{Cacheable, Text, one_kind},
    prepared::Statement,
    refresh::Again,
    relay::Relay,
    replay::Form,
    session::Session,
    work::There,
};

/// Most executions are not longer.
const EXECUTE_LEN: usize = 128;

impl Session {
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
        self.runs_prepared(&text);
        let verdict = match one_kind(&text) {
            // What is prepared shows what its backend has.
            Some(Kind::ShowDiagnostics { .. }) => Cacheable::No(CacheStatus::NotAQuery),
            _ => self.verdict(&text),
        };
        let is_plain = text.holds_with(&types)
            && execute.attributes.is_empty()
            && execute.flags == CURSOR_TYPE_NO_CURSOR
            && long_data.is_empty();
        let mut fill = None;
        self.last_status = match verdict {
            Cacheable::Yes(terms) if is_plain => {
                let key = self.execute_key(&open.statement, &execute, &types);
                let again = || {
                    let open = Box::new(Open { types: Some(Arc::clone(&types)), ..open.clone() });
                    Again::Statement { id, open, body: body.clone() }
                };
                match self.look_up_key(key, &text, &terms, again).await? {
                    None => return Ok(()),
                    Some(found) => fill = found,
                }
                self.last_status
            }
            Cacheable::Yes(_) => CacheStatus::Uncacheable,
            Cacheable::No(status) => status,
        };
        self.counts_unasked(&text, self.last_status);
        self.forward_execute(id, &execute, &text, fill).await
    }

    /// Sends an execution to a backend, prepared there if it must be.
    pub(crate) async fn forward_execute(
        &mut self,
        id: u32,
        execute: &Execute<'_>,
        text: &Text,
        mut fill: Option<cache::Fill>,
    ) -> Result<(), SessionError> {
        let Some(open) = self.facts.statements.get(&id).cloned() else { return Ok(()) };
        let answer = Box::pin(self.answer_execute(id, &open, text)).await?;
        if matches!(answer, Answer::None)
            && self.may_prepare_along(id, &open, execute, text).await?
            && Box::pin(self.execute_along((id, &open), execute, text, &mut fill)).await?
        {
            return Ok(());
        }
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
        let mut relay = Relay::new(fill, text.may_tell_counters(), self.is_in_block());
        relay.described = Some(Arc::clone(&open.statement));
        relay.outcome.skipped = skipped(text, execute);
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

    /// Whether it has a cursor open. One of a backend that was lost is gone with that.
    pub(super) fn has_cursor_of(&self, there: u32) -> bool {
        self.hold.work().is_some_and(|work| work.loan.exchange.has_cursor_of(there))
    }
}

/// How many rows an execution skips, where a parameter that is an integer says it.
pub(super) fn skipped(text: &Text, execute: &Execute<'_>) -> Option<u64> {
    let parameter = execute.parameters.get(text.skips_by()?)?;
    let Value::Bytes(bytes) = parameter.value else { return None };
    let (is_integer, is_unsigned) =
        (INTEGERS.contains(&(parameter.kind & 0xff)), parameter.kind & UNSIGNED != 0);
    let (last, mut number) = (*bytes.last()?, [0; 8]);
    if !is_integer || !is_unsigned && last >= 0x80 {
        return None;
    }
    number.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(number))
}

/// MySQL: the types of integers, by one, two, four, eight bytes, and of four for three.
const INTEGERS: [u16; 5] = [1, 2, 3, 8, 9];
/// The flag of a type without a sign.
const UNSIGNED: u16 = 0x8000;
