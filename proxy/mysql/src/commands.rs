//! The commands that are not statements: the schema, options, starting over, and KILL.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::mysql::{
    capabilities::StatusFlags,
    exchange::CommandKind,
    reply::{ErrPacket, OkPacket},
};
use serving::{
    error::{ClientError, SessionError},
    observe::Saved,
};

use super::{
    cancel::KillError,
    facts::Facts,
    forward::Command,
    handshake::{self, Change, Changed, Refusing},
    initial::Initial,
    relay::Relay,
    session::Session,
    settings::Settings,
};

/// MySQL: `MYSQL_OPTION_MULTI_STATEMENTS_ON` and `_OFF`.
const MULTI_STATEMENTS_ON: [u8; 2] = [0, 0];
const MULTI_STATEMENTS_OFF: [u8; 2] = [1, 0];
/// How often one connection may fail to change its user.
const MAX_REFUSED_CHANGES: u8 = 3;

impl Session {
    /// COM_INIT_DB.
    pub(crate) async fn init_db(&mut self, schema: &Bytes) -> Result<(), SessionError> {
        if self.answer_init_db(schema).await? {
            return Ok(());
        }
        let payload = [&[0x02], &schema[..]].concat();
        let relay = Relay::default();
        let command = Command { kind: CommandKind::Simple, text: None, relay };
        // The schema that the client leaves need not be there any more.
        let left = self.facts.schema.take();
        let succeeded = self.forward(command, |_backend| BytesMut::from(&payload[..])).await?;
        if succeeded {
            self.facts.last.passed(0);
        }
        if !succeeded {
            if self.facts.schema.is_none() {
                self.facts.schema = left;
            }
        } else if let Ok(name) = std::str::from_utf8(schema)
            && self.facts.schema.is_none()
        {
            // An origin that tracks nothing has not told.
            self.facts.schema = Some(name.into());
            self.hold.held("go to a schema")?.loan.schema = Some(name.into());
        }
        Ok(())
    }

    /// COM_SET_OPTION.
    pub(crate) fn set_option(&mut self, body: &[u8]) -> Result<(), SessionError> {
        self.facts.multi_statements = match body {
            _ if body.starts_with(&MULTI_STATEMENTS_ON) => true,
            _ if body.starts_with(&MULTI_STATEMENTS_OFF) => false,
            _ => {
                self.client.refuse_text(1047, "08S01", "Unknown command");
                return Ok(());
            }
        };
        // As rows end (MySQL: `COM_SET_OPTION`, `my_eof`).
        let end = OkPacket { status: self.status(), ..OkPacket::default() };
        self.client.put_rows_end(end);
        self.facts.last.passed(-1);
        Ok(())
    }

    /// COM_RESET_CONNECTION: all is as it was after the login, but for the schema.
    pub(crate) async fn reset_connection(&mut self) -> Result<(), SessionError> {
        if self.hold.is_free() {
            self.database.metrics.saves(Saved::Reset);
        }
        self.start_over().await;
        let is_mariadb = self.is_mariadb();
        self.facts.reset(is_mariadb);
        self.put_ok();
        Ok(())
    }

    /// COM_CHANGE_USER: a new login on the connection.
    pub(crate) async fn change_user(&mut self, payload: &Bytes) -> Result<(), SessionError> {
        self.start_over().await;
        // MariaDB lets who it was go on, three times (`failed_com_change_user` in sql_parse.cc).
        let refusing = match self.is_mariadb() {
            true => Refusing::GoesOn,
            false => Refusing::HangsUp,
        };
        if self.client.refused_changes >= MAX_REFUSED_CHANGES {
            let (code, sqlstate, words) = (1047, *b"08S01", "Unknown command");
            self.client.refuse_text(code, "08S01", words);
            self.stays();
            self.facts.last.refused(code, sqlstate, words);
            return Ok(());
        }
        // A refusal has been told by the time it comes back.
        self.client.answering = None;
        let place = self.client.place.as_mut();
        let agreed = (self.client.capabilities, &mut self.client.scramble, place);
        let request = (&payload[..], self.client.sequence, refusing);
        match handshake::change_user(&mut self.client.framed, agreed, request, &self.context)
            .await?
        {
            Change::Done(changed) => self.becomes(*changed),
            Change::Refused(packet) => {
                self.client.refused_changes += 1;
                self.stays();
                let error = ErrPacket::decode(&packet).map_err(SessionError::ClientProtocol)?;
                let sqlstate = error.sqlstate.try_into().unwrap_or(*b"28000");
                let words = String::from_utf8_lossy(error.message);
                self.facts.last.refused(error.code, sqlstate, &words);
            }
        }
        Ok(())
    }

    /// It is another client now.
    fn becomes(&mut self, changed: Changed) {
        let database = changed.database;
        self.client.thread.move_to(&database);
        self.caching = database.config.caching.of_user(&changed.user);
        self.clock.allow(database.config.statement_timeout(&changed.user));
        if let Some(who) = self.seen.as_user(&changed.user) {
            self.seen = database.metrics.enter(who, self.client.framed.stream().client_peer());
        }
        self.client.user = changed.user;
        // Without a collation it keeps the one it had.
        let base = self.facts.base.clone();
        self.collation = changed.collation.or(self.collation);
        let schema = changed.schema.unwrap_or_else(|| database.config.origin.database.clone());
        self.facts = Facts::new(base, Some(&schema), self.facts.multi_statements);
        self.database = database;
    }

    /// It is the same client still, with the server's own settings and in the schema where it was.
    fn stays(&mut self) {
        let schema = self.facts.schema.take();
        self.collation = None;
        let several = self.facts.multi_statements;
        self.facts = Facts::new(Settings::of_server(), schema.as_deref(), several);
        // What that is becomes known with a backend.
        self.facts.asks_charsets = true;
    }

    /// Gives up what the session holds, and forgets what it knew of it.
    async fn start_over(&mut self) {
        self.leave().await;
        // Whatever was to be run is undone.
        self.initial = Initial::Done;
    }

    /// COM_PROCESS_KILL.
    pub(crate) async fn process_kill(&mut self, body: &[u8]) -> Result<(), SessionError> {
        let id = body.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
        match id {
            Some(id) if self.context.is_ours(id) => {
                self.kill(id, false, StatusFlags::empty()).await.map(drop)
            }
            Some(id) => {
                let payload = [&[0x0c], &id.to_le_bytes()[..]].concat();
                let relay = Relay::default();
                let command = Command { kind: CommandKind::Simple, text: None, relay };
                self.forward(command, |_backend| BytesMut::from(&payload[..])).await?;
                Ok(())
            }
            None => {
                self.client.refuse_text(1835, "HY000", "Malformed communication packet.");
                Ok(())
            }
        }
    }

    /// Answers a GET DIAGNOSTICS that names a condition which is not there.
    pub(crate) fn put_no_such_condition(&mut self, flags: StatusFlags) {
        self.facts.last.lacked();
        let status = self.status() | flags;
        self.client.put_ok_packet(OkPacket { status, warnings: 1, ..OkPacket::default() });
    }

    /// Kills a client of ours, or the statement that it runs. True when that was done; then the client has heard OK,
    /// with these flags, else why not.
    pub(crate) async fn kill(
        &mut self,
        id: u32,
        only_query: bool,
        flags: StatusFlags,
    ) -> Result<bool, SessionError> {
        if id == self.client.thread.id() {
            // What the statement ends with that kills itself: to MariaDB the connection's end is another error.
            let (code, words) = match only_query || !self.is_mariadb() {
                true => (1317, "Query execution was interrupted"),
                false => (1927, "Connection was killed"),
            };
            self.client.refuse_text(code, "70100", words);
            self.facts.last.refused(code, *b"70100", words);
            if !only_query {
                self.client.thread.slot.end().cancel();
            }
            return Ok(false);
        }
        let threads = Arc::clone(&self.context.threads);
        let killed = match only_query {
            true => threads.kill_query(&self.database, id).await,
            // What it runs is killed behind it: the client must hear nothing of that any more.
            false => threads.kill_connection(&self.database, id),
        };
        let done = killed.is_ok();
        match killed {
            Ok(()) => {
                self.put_ok_with(flags);
                self.facts.last.killed();
            }
            Err(KillError::Unknown) => {
                let words = format!("Unknown thread id: {id}");
                self.client.refuse_text(1094, "HY000", &words);
                self.facts.last.refused(1094, *b"HY000", &words);
            }
            Err(KillError::Connect(error)) => {
                self.client.refuse(&ClientError::Connect(error.word()).into());
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "kill could not be delivered");
                self.client.refuse(&ClientError::BackendLost.into());
            }
        }
        Ok(done)
    }
}
