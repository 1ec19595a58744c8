//! COM_STMT_BULK_EXECUTE of MariaDB: one prepared statement for many rows of parameters.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::mysql::{capabilities::MariaDbFlags, command::BulkExecute, exchange::CommandKind};
use serving::{error::SessionError, hold::Hold, observe::CacheStatus};

use super::{facts::Open, forward::Command, parts::Answer, relay::Relay, session::Session};

impl Session {
    /// COM_STMT_BULK_EXECUTE. Its rows are the origin's to read.
    pub(crate) async fn execute_in_bulk(&mut self, body: &Bytes) -> Result<(), SessionError> {
        let Some((id, open)) = self.find_statement(body, "mysqld_stmt_execute") else {
            return Ok(());
        };
        let bulk = BulkExecute::decode(body, open.statement.shape.params);
        let types = match &bulk {
            Ok(BulkExecute { types: Some(types), .. }) => Some(types.as_slice().into()),
            Ok(BulkExecute { types: None, .. }) => open.types.clone(),
            Err(_) => None,
        };
        let (Ok(bulk), Some(types)) = (bulk, types) else {
            self.client.refuse_text(
                1210,
                "HY000",
                "Incorrect arguments to mysqld_stmt_bulk_execute",
            );
            return Ok(());
        };
        let types: Arc<[u16]> = types;
        if let Some(kept) = self.facts.statements.get_mut(&id) {
            kept.types = Some(Arc::clone(&types));
        }
        let open = Open { types: Some(Arc::clone(&types)), ..open };
        let text = self.judge_anew(&open);
        self.runs_prepared(&text);
        self.last_status = CacheStatus::NotAQuery;
        let answer = Box::pin(self.answer_execute(id, &open, &text)).await?;
        let prepared = match &answer {
            // Of this execution alone: the next is about another statement.
            Answer::Text(sql) => self.prepare_once(&open, sql).await?,
            Answer::None | Answer::Rows(_) | Answer::Condition => {
                self.prepared_id(id, &open).await?
            }
        };
        let there = match prepared {
            Ok(there) => there,
            Err(refusal) => {
                self.refuse_prepared(&refusal);
                return Ok(());
            }
        };
        let extended = self.hold.held("execute in bulk")?.loan.extended;
        if !extended.contains(MariaDbFlags::MARIADB_CLIENT_STMT_BULK_OPERATIONS) {
            // A server that took over from the one that could.
            self.client.refuse_text(1047, "08S01", "Unknown command");
            return Ok(());
        }
        let kind = CommandKind::Execute { statement: there, cursor: false };
        let command = Command { kind, text: Some(&text), relay: Relay::default() };
        self.forward(command, |_backend| {
            let mut payload = BytesMut::with_capacity(body.len() + 2 * types.len());
            bulk.encode(there, &types, &mut payload);
            payload
        })
        .await?;
        // Without a backend it was lost, with all that was prepared there.
        if let Hold::Held(work) = &mut self.hold
            && matches!(answer, Answer::Text(_))
        {
            work.loan.send_close(there);
        }
        // An execution closes the cursor of the one before.
        self.forget_pins(id);
        Ok(())
    }
}
