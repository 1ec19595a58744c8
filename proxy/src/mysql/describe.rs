//! Preparing a statement on a backend, and telling a client of it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::{
    mysql::{
        capabilities::CapabilityFlags,
        exchange::{CommandKind, Seen},
        packet,
        reply::{self, PrepareOk},
    },
    reader::DecodeError,
};

use super::{
    adopt::Refusal,
    backend::{Backend, Note},
    facts::Open,
    plan::Text,
    prepared::{Described, Statement, Types},
    relay::Relay,
    session::Session,
    wait::Event,
};
use crate::error::SessionError;

/// MySQL: COM_STMT_PREPARE.
const COM_STMT_PREPARE: u8 = 0x16;
/// The longest packet of a statement's description.
const MAX_DEFINITION: usize = 1 << 20;

/// What preparing came to: the statement, or why not.
pub(super) type Prepared = Result<(Arc<Statement>, u32), Refusal>;

impl Session {
    /// Prepares a text as a statement was when the client prepared it, wherever the client is now.
    pub(super) async fn describe_as(
        &mut self,
        statement: &Statement,
        sql: &[u8],
    ) -> Result<Result<PrepareOk, Refusal>, SessionError> {
        let settings = self.facts.settings.with_parsing_of(&statement.settings);
        let wanted = self.wanted_for(&settings, statement.schema.clone());
        if let Err(refusal) = self.adopt(&wanted).await? {
            return Ok(Err(refusal));
        }
        let described = self.describe(sql).await?;
        Ok(described.map(|(shape, _definitions)| shape).map_err(Refusal::Origin))
    }

    /// Prepares another text in the place of a statement, for one execution, and returns the backend's id of it.
    pub(super) async fn prepare_once(
        &mut self,
        open: &Open,
        sql: &[u8],
    ) -> Result<Result<u32, Refusal>, SessionError> {
        if let Err(refusal) = self.lend().await? {
            return Ok(Err(refusal));
        }
        let described = self.describe_as(&open.statement, sql).await?;
        Ok(described.map(|shape| shape.statement))
    }

    /// Prepares a text that nobody has prepared in this way before.
    pub(super) async fn prepare_anew(&mut self, text: &Text) -> Result<Prepared, SessionError> {
        if let Err(refusal) = self.lend().await? {
            return Ok(Err(refusal));
        }
        let wanted = self.wanted(None);
        if let Err(refusal) = self.adopt(&wanted).await? {
            return Ok(Err(refusal));
        }
        // The catalog may be outdated by somebody else while the answer is on its way.
        let meaning = self.meaning(&text.sql);
        let (shape, definitions) = match self.describe(&text.sql).await? {
            Ok(described) => described,
            Err(error) => return Ok(Err(Refusal::Origin(error))),
        };
        let described = Described {
            sql: text.sql.clone(),
            schema: self.facts.schema.clone(),
            settings: self.facts.settings.of_parsing(),
            shape,
            definitions,
        };
        let registry = &self.database.registry;
        let statement = match self.facts.pins.is_empty() {
            true => registry.learn(meaning, described),
            false => registry.private(described),
        };
        self.keep_prepared(&statement, None, shape.statement);
        Ok(Ok((statement, shape.statement)))
    }

    pub(super) fn keep_prepared(&mut self, statement: &Statement, types: Types, id: u32) {
        let held = self.facts.statements.values().filter_map(|open| open.held_as);
        let held: Vec<u32> = held.collect();
        let Some(loan) = &mut self.loan else { return };
        let Backend { prepared, exchange, .. } = &mut **loan;
        let is_kept = |id| held.contains(&id) || exchange.has_cursor_of(id);
        if let Some(oldest) = prepared.insert(statement, types, id, is_kept) {
            loan.send_close(oldest);
        }
    }

    /// Sends COM_STMT_PREPARE and collects its reply, or the ERR packet's payload.
    async fn describe(
        &mut self,
        sql: &[u8],
    ) -> Result<Result<(PrepareOk, Vec<Bytes>), Bytes>, SessionError> {
        if let Some(loan) = &mut self.loan {
            let payload = [&[COM_STMT_PREPARE], sql].concat();
            loan.send(CommandKind::Prepare, &payload, Note::Client);
        }
        let (mut shape, mut definitions) = (None, Vec::new());
        let mut own = Relay::default();
        while let Some(loan) = &mut self.loan
            && let Some(note) = loan.owed.front()
        {
            let is_own = *note != Note::Client;
            let taken = packet::take(loan.framed.buffer(), MAX_DEFINITION);
            let Some(packet) = taken.map_err(SessionError::BackendProtocol)? else {
                match self.turn().await? {
                    Event::Read => {}
                    Event::BackendLeft(error) => return Err(SessionError::BackendLost(error)),
                    Event::StatementTimeout => self.cancel_statement(),
                }
                continue;
            };
            if is_own {
                super::relay::hear_own(loan, &packet.payload, &mut own)?;
                continue;
            }
            match loan.exchange.received(packet.payload.len(), &packet.payload)? {
                Seen::Prepared(ok) => shape = Some(ok),
                Seen::Parameter { .. } | Seen::PreparedColumn { .. } => {
                    // A copy, so that the buffer it was read into is not kept.
                    definitions.push(Bytes::copy_from_slice(&packet.payload));
                }
                Seen::Err(_) => {
                    loan.answered();
                    return Ok(Err(own.failure.map_or(packet.payload, |failure| failure.error)));
                }
                _ => {}
            }
            loan.answered();
        }
        match (own.failure, shape) {
            (Some(failure), _) => Ok(Err(failure.error)),
            (None, Some(shape)) => Ok(Ok((shape, definitions))),
            (None, None) => {
                Err(SessionError::BackendProtocol(DecodeError::Value("reply to a prepare")))
            }
        }
    }

    /// Answers COM_STMT_PREPARE as this client agreed to.
    pub(super) fn put_description(&mut self, statement: &Statement, id: u32) {
        let shape = PrepareOk { statement: id, ..statement.shape };
        let mut payload = BytesMut::new();
        shape.encode(&mut payload);
        packet::put(self.client.queue(), &mut self.sequence, &payload);
        let status = self.status();
        let (parameters, columns) = statement
            .definitions
            .split_at(usize::from(shape.params).min(statement.definitions.len()));
        for definitions in [parameters, columns] {
            for definition in definitions {
                packet::put(self.client.queue(), &mut self.sequence, definition);
            }
            if !definitions.is_empty() && !self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
                let mut eof = BytesMut::new();
                reply::encode_eof(0, status, &mut eof);
                packet::put(self.client.queue(), &mut self.sequence, &eof);
            }
        }
    }
}
