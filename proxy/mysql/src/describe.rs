//! Preparing a client's statements on backends, and describing them to clients.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use protocol::{
    mysql::{
        capabilities::CapabilityFlags,
        exchange::Seen,
        packet,
        reply::{ErrPacket, PrepareOk},
    },
    reader::DecodeError,
};
use serving::{
    error::{ClientError, SessionError},
    hold::Hold,
};
use tokio::time::timeout;

use super::{
    adopt::Refusal,
    backend::{Backend, Note},
    facts::Open,
    plan::Text,
    prepared::{Described, Meaning, Statement, Types},
    questions::ask,
    relay::Relay,
    session::Session,
    wait::Event,
    work::{There, Work},
};

/// MySQL: ER_MAX_PREPARED_STMT_COUNT_REACHED.
const ER_FULL: u16 = 1461;
/// The longest packet of a statement's description.
const MAX_DEFINITION: usize = 1 << 20;
/// The most idle backends whose statements are closed at a time.
const MAX_EMPTIED: usize = 100;
/// Longest time for one of them to close its statements.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);

/// What preparing came to: the statement, or why not.
type Prepared = Result<(Arc<Statement>, u32), Refusal>;

/// How a backend describes a statement: its numbers, and the definitions of parameters and columns.
type Description = Result<(PrepareOk, Vec<Bytes>), Refusal>;

fn is_full(refusal: &Refusal) -> bool {
    let Refusal::Origin(error) = refusal else { return false };
    ErrPacket::decode(error).is_ok_and(|error| error.code == ER_FULL)
}

/// Whether a backend has something of the client's under this id of its own.
fn holds(statements: &BTreeMap<u32, There>, id: u32) -> bool {
    statements.values().any(|there| there.id == id)
}

impl Session {
    pub(crate) fn meaning(&self, sql: &[u8]) -> Meaning {
        let changes = self.database.catalog.changes();
        let settings = self.facts.settings.of_parsing();
        Meaning::new(sql, self.facts.schema.as_deref(), &settings, changes)
    }

    /// What the backend that the session holds calls a statement, if it holds one and that has it.
    pub(crate) fn held_id(&mut self, id: u32, open: &Open) -> Option<u32> {
        match &mut self.hold {
            Hold::Free => None,
            Hold::Held(work) => work.id_of(id, open),
        }
    }

    /// What a backend calls a statement; one is borrowed, and the statement prepared there, if need be.
    pub(crate) async fn prepared_id(
        &mut self,
        id: u32,
        open: &Open,
    ) -> Result<Result<u32, Refusal>, SessionError> {
        if let Err(refusal) = self.lend().await? {
            return Ok(Err(refusal));
        }
        if let Some(there) = self.hold.held("find a statement")?.id_of(id, open) {
            return Ok(Ok(there));
        }
        let described = match self.describe_as(open, &open.statement.sql).await? {
            Ok(described) => described,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.keep_prepared(&open.statement, open.types.clone(), described.statement)?;
        if described.params != open.statement.shape.params {
            return Ok(Err(Refusal::Proxy(ClientError::SettingLost)));
        }
        Ok(Ok(described.statement))
    }

    /// Prepares a text as a statement was when the client prepared it, wherever the client is now.
    pub(crate) async fn describe_as(
        &mut self,
        open: &Open,
        sql: &[u8],
    ) -> Result<Result<PrepareOk, Refusal>, SessionError> {
        let Open { statement, text, .. } = open;
        let settings = self.facts.settings.with_parsing_of(&statement.settings);
        let wanted = self.wanted_for(&settings, statement.schema.clone());
        if let Err(refusal) = self.adopt(&wanted).await? {
            return Ok(Err(refusal));
        }
        let described = self.describe(sql, text.is_plain_read()).await?;
        Ok(described.map(|(shape, _definitions)| shape))
    }

    /// Prepares another text in the place of a statement, for one execution, and returns the backend's id of it.
    pub(crate) async fn prepare_once(
        &mut self,
        open: &Open,
        sql: &[u8],
    ) -> Result<Result<u32, Refusal>, SessionError> {
        if let Err(refusal) = self.lend().await? {
            return Ok(Err(refusal));
        }
        let described = self.describe_as(open, sql).await?;
        Ok(described.map(|shape| shape.statement))
    }

    /// Prepares a text that nobody has prepared in this way before.
    pub(crate) async fn prepare_anew(&mut self, text: &Text) -> Result<Prepared, SessionError> {
        if let Err(refusal) = self.lend_for(Some(text)).await? {
            return Ok(Err(refusal));
        }
        let wanted = self.wanted(None);
        if let Err(refusal) = self.adopt(&wanted).await? {
            return Ok(Err(refusal));
        }
        self.begin_to_prepare(text)?;
        // The catalog may be outdated by somebody else while the answer is on its way.
        let meaning = self.meaning(&text.sql);
        let (shape, definitions) = match self.describe(&text.sql, text.is_plain_read()).await? {
            Ok(described) => described,
            Err(refusal) => return Ok(Err(refusal)),
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
        self.keep_prepared(&statement, None, shape.statement)?;
        Ok(Ok((statement, shape.statement)))
    }

    pub(crate) fn keep_prepared(
        &mut self,
        statement: &Statement,
        types: Types,
        id: u32,
    ) -> Result<(), SessionError> {
        let Work { loan, statements, .. } = self.hold.held("keep a statement")?;
        let Backend { prepared, exchange, .. } = &mut **loan;
        let is_kept = |id| holds(statements, id) || exchange.has_cursor_of(id);
        if let Some(oldest) = prepared.insert(statement, types, id, is_kept) {
            loan.send_close(oldest);
        }
        Ok(())
    }

    /// Has a text prepared and described. Where the server has no room for one
    /// more statement, those that we keep for later make room.
    async fn describe(&mut self, sql: &[u8], is_read: bool) -> Result<Description, SessionError> {
        let described = self.describe_once(sql, is_read).await?;
        match &described {
            Err(error) if is_full(error) && self.make_room().await? => {
                self.describe_once(sql, is_read).await
            }
            _ => Ok(described),
        }
    }

    /// Closes the statements that nobody uses now, here and on backends that are idle. False when there was none.
    /// The client's own are prepared again where they are executed next.
    async fn make_room(&mut self) -> Result<bool, SessionError> {
        let Work { loan, statements, .. } = self.hold.held("make room")?;
        let Backend { prepared, exchange, .. } = &mut **loan;
        let unused = prepared.take_unused(|id| holds(statements, id) || exchange.has_cursor_of(id));
        let mut closed = unused.len();
        unused.into_iter().for_each(|id| loan.send_close(id));
        let mut emptied = Vec::new();
        while emptied.len() < MAX_EMPTIED
            && let Some(mut other) = self.database.pool.try_checkout()
        {
            let unused = other.prepared.take_unused(|_| false);
            closed += unused.len();
            if !unused.is_empty() {
                unused.into_iter().for_each(|id| other.send_close(id));
                // It has closed them when it answers.
                other.unfit |=
                    !matches!(timeout(ROOM_TIMEOUT, ask(&mut other, "DO 0")).await, Ok(Ok(_)));
            }
            emptied.push(other);
        }
        for other in emptied {
            if !other.unfit {
                other.checkin();
            }
        }
        Ok(closed > 0)
    }

    /// Sends COM_STMT_PREPARE and collects its reply.
    async fn describe_once(
        &mut self,
        sql: &[u8],
        is_read: bool,
    ) -> Result<Description, SessionError> {
        self.hold.held("prepare")?.loan.send_prepare(sql, Note::Client);
        let (mut shape, mut definitions) = (None, Vec::new());
        let mut own = Relay::default();
        loop {
            let loan = &mut self.hold.held("hear a description")?.loan;
            let Some(note) = loan.owed.front() else { break };
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
                Seen::Prepared(ok) => {
                    loan.has_prepared(ok.statement, is_read);
                    shape = Some(ok);
                }
                Seen::Parameter { .. } | Seen::PreparedColumn { .. } => {
                    // A copy, so that the buffer it was read into is not kept.
                    definitions.push(Bytes::copy_from_slice(&packet.payload));
                }
                Seen::Err(error) => {
                    let code = error.code;
                    loan.answered();
                    if let Some(failure) = own.failure {
                        return Ok(Err(self.not_led(failure).await?));
                    }
                    let told = self.facts.astray.in_place_of(code, loan);
                    self.hold.held("begin a block")?.has_begun();
                    let told = told.unwrap_or(packet.payload);
                    return Ok(Err(Refusal::Origin(told)));
                }
                _ => {}
            }
            loan.answered();
        }
        match (own.failure, shape) {
            (Some(failure), _) => Ok(Err(self.not_led(failure).await?)),
            (None, Some(shape)) => {
                self.hold.held("begin a block")?.has_begun();
                Ok(Ok((shape, definitions)))
            }
            (None, None) => {
                Err(SessionError::BackendProtocol(DecodeError::Value("reply to a prepare")))
            }
        }
    }

    /// Answers COM_STMT_PREPARE as this client agreed to.
    pub(crate) fn put_description(&mut self, statement: &Statement, id: u32) {
        let shape = PrepareOk { statement: id, ..statement.shape };
        let mut payload = BytesMut::new();
        shape.encode(&mut payload);
        self.client.put(&payload);
        let status = self.status();
        let (parameters, columns) = statement
            .definitions
            .split_at(usize::from(shape.params).min(statement.definitions.len()));
        for definitions in [parameters, columns] {
            for definition in definitions {
                self.client.put_definition(definition);
            }
            if !definitions.is_empty() && !self.client.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
                self.client.put_eof_packet(statement.shape.warnings, status);
            }
        }
    }
}
