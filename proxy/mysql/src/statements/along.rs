//! A statement that is prepared in the same write with its execution, where a backend lacks it.
//!
//! MariaDB takes the highest id for what it prepared last (`find_prepared_statement` in sql_prepare.cc). Where it refuses to
//! prepare, that is nothing, and the execution fails without having run; but where it has no room for one more statement it
//! is still what was prepared before. So this is done only where that does nothing but read.

use bytes::BytesMut;
use cache::Fill;
use protocol::mysql::{
    capabilities::CapabilityFlags,
    command::{CURSOR_TYPE_NO_CURSOR, Execute},
    exchange::CommandKind,
};
use serving::error::{ClientError, SessionError};

use super::{
    super::{
        astray::Astray, backend::LastPrepared, facts::Open, forward::Command, outcome::Along,
        plan::Text, relay::Relay, session::Session,
    },
    execute::skipped,
};

/// MariaDB: LAST_STMT_ID.
const LAST_PREPARED: u32 = u32::MAX;

impl Session {
    /// Whether a backend that lacks a statement may be given it together with its execution. One is borrowed.
    pub(super) async fn may_prepare_along(
        &mut self,
        id: u32,
        open: &Open,
        execute: &Execute<'_>,
        text: &Text,
    ) -> Result<bool, SessionError> {
        let may_be = self.is_mariadb()
            && self.facts.astray == Astray::No
            && execute.flags == CURSOR_TYPE_NO_CURSOR
            && !text.asks_for_last()
            && !text.asks_for_last_draw();
        if !may_be || self.lend().await?.is_err() {
            // What was refused is refused once more, and told.
            return Ok(false);
        }
        let work = self.hold.held("find a statement")?;
        if work.loan.last_prepared == LastPrepared::Other || work.id_of(id, open).is_some() {
            return Ok(false);
        }
        let Open { statement, .. } = open;
        Ok(self.facts.schema == statement.schema
            && self.facts.settings.with_parsing_of(&statement.settings) == self.facts.settings)
    }

    /// Prepares and executes. False where nothing has run: then it is done step by step.
    pub(super) async fn execute_along(
        &mut self,
        (id, open): (u32, &Open),
        execute: &Execute<'_>,
        text: &Text,
        fill: &mut Option<Fill>,
    ) -> Result<bool, SessionError> {
        let kind = CommandKind::Execute { statement: LAST_PREPARED, cursor: false };
        let mut relay = Relay::new(fill.take(), text.may_tell_counters(), self.is_in_block());
        relay.described = Some(open.statement.clone());
        relay.outcome.skipped = skipped(text, execute);
        relay.along = Along::Sent { is_read: text.is_plain_read() };
        let mut command = Command { kind, text: Some(text), relay };
        self.forward_kept(&mut command, |backend| {
            let attributes =
                backend.capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
            let mut payload = BytesMut::new();
            execute.encode(LAST_PREPARED, true, attributes, &mut payload);
            payload
        })
        .await?;
        match command.relay.along {
            Along::Failed => return Ok(false),
            Along::NotFound(described) => {
                self.keep_prepared(&open.statement, open.types.clone(), described.statement)?;
                return Ok(false);
            }
            Along::Prepared(described) if !self.hold.is_free() => {
                self.keep_prepared(&open.statement, open.types.clone(), described.statement)?;
                if described.params != open.statement.shape.params {
                    return Err(ClientError::SettingLost.into());
                }
            }
            _ => {}
        }
        self.forget_pins(id);
        Ok(true)
    }
}
