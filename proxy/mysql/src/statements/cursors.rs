//! Cursors and long data: what a statement leaves at the backend that runs it, and the commands that take it away.

use bytes::Bytes;
use cache::sql::mysql::Pin;
use protocol::{mysql::exchange::CommandKind, reader::Reader};
use serving::{error::SessionError, hold::Hold};

use super::super::{
    backend::Note,
    forward::Command,
    prepared::with_id,
    relay::Relay,
    session::Session,
    work::{There, Work},
};

impl Session {
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

    pub(crate) fn forget_pins(&mut self, id: u32) {
        if self.facts.pins.is_empty() {
            return;
        }
        self.facts.pins.remove_named(Pin::Cursor, &id.to_string());
        self.facts.pins.remove_named(Pin::LongData, &id.to_string());
    }
}
