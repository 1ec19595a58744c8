//! The commands that are not statements: the schema, options, starting over, and KILL.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::mysql::{capabilities::StatusFlags, exchange::CommandKind, packet, reply::OkPacket};

use super::{
    cancel::KillError, facts::Facts, forward::Command, handshake, relay::Relay, session::Session,
};
use crate::error::{ClientError, SessionError};

/// MySQL: `MYSQL_OPTION_MULTI_STATEMENTS_ON` and `_OFF`.
const MULTI_STATEMENTS_ON: [u8; 2] = [0, 0];
const MULTI_STATEMENTS_OFF: [u8; 2] = [1, 0];

impl Session {
    /// COM_INIT_DB.
    pub(super) async fn init_db(&mut self, schema: &Bytes) -> Result<(), SessionError> {
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
            if let Some(loan) = &mut self.loan {
                loan.schema = Some(name.into());
            }
        }
        Ok(())
    }

    /// COM_SET_OPTION.
    pub(super) fn set_option(&mut self, body: &[u8]) -> Result<(), SessionError> {
        self.facts.multi_statements = match body {
            _ if body.starts_with(&MULTI_STATEMENTS_ON) => true,
            _ if body.starts_with(&MULTI_STATEMENTS_OFF) => false,
            _ => {
                self.refuse_text(1047, "08S01", "Unknown command");
                return Ok(());
            }
        };
        let mut payload = BytesMut::new();
        // As rows end (MySQL: `COM_SET_OPTION`, `my_eof`).
        let end = OkPacket { status: self.status(), ..OkPacket::default() };
        end.encode_rows_end(self.capabilities, &mut payload);
        packet::put(self.client.queue(), &mut self.sequence, &payload);
        self.facts.last.passed(-1);
        Ok(())
    }

    /// COM_RESET_CONNECTION: all is as it was after the login, but for the schema.
    pub(super) async fn reset_connection(&mut self) -> Result<(), SessionError> {
        self.start_over().await;
        let is_mariadb = self.is_mariadb();
        self.facts.reset(is_mariadb);
        self.put_ok();
        Ok(())
    }

    /// COM_CHANGE_USER: a new login on the connection.
    pub(super) async fn change_user(&mut self, payload: &Bytes) -> Result<(), SessionError> {
        self.start_over().await;
        // A refusal has been told by the time it comes back.
        self.answering = None;
        let agreed = (self.capabilities, &mut self.scramble);
        let request = (&payload[..], self.sequence);
        let changed =
            handshake::change_user(&mut self.client, agreed, request, &self.context).await?;
        let database = changed.database;
        self.thread.move_to(&database);
        self.statement_timeout = database.config.statement_timeout(&changed.user);
        self.user = changed.user;
        // Without a collation it keeps the one it had.
        let base = self.facts.base.clone();
        self.collation = changed.collation.or(self.collation);
        let schema = changed.schema.unwrap_or_else(|| database.config.origin.database.clone());
        self.facts = Facts::new(base, Some(&schema), self.facts.multi_statements);
        self.database = database;
        Ok(())
    }

    /// Gives up what the session holds, and forgets what it knew of it.
    async fn start_over(&mut self) {
        self.leave().await;
        self.asks = super::session::Asks::default();
    }

    /// COM_PROCESS_KILL.
    pub(super) async fn process_kill(&mut self, body: &[u8]) -> Result<(), SessionError> {
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
                self.refuse_text(1835, "HY000", "Malformed communication packet.");
                Ok(())
            }
        }
    }

    /// Kills a client of ours, or the statement that it runs. True when that was done; then the client has heard OK,
    /// with these flags, else why not.
    pub(super) async fn kill(
        &mut self,
        id: u32,
        only_query: bool,
        flags: StatusFlags,
    ) -> Result<bool, SessionError> {
        if id == self.thread.id() {
            // MySQL: ER_QUERY_INTERRUPTED is what the statement that kills itself ends with.
            self.refuse_text(1317, "70100", "Query execution was interrupted");
            if !only_query {
                self.thread.slot.end().cancel();
            }
            return Ok(false);
        }
        let threads = Arc::clone(&self.context.threads);
        let killed = threads.kill_query(&self.database, id).await;
        let killed = match killed {
            Ok(()) if !only_query => threads.kill_connection(&self.database, id),
            killed => killed,
        };
        let done = killed.is_ok();
        match killed {
            Ok(()) => {
                self.put_ok_with(flags);
                self.facts.last.killed();
            }
            Err(KillError::Unknown) => {
                self.refuse_text(1094, "HY000", &format!("Unknown thread id: {id}"));
            }
            Err(KillError::Connect(error)) => {
                self.refuse(&ClientError::Connect(error.word()).into());
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "kill could not be delivered");
                self.refuse(&ClientError::BackendLost.into());
            }
        }
        Ok(done)
    }
}
