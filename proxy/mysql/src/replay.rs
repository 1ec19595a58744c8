//! Answers without a backend: from the cache, and of our own.

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::{Fill, Key, Reply, sql::behind_hint};
use protocol::mysql::{
    capabilities::{CapabilityFlags, ColumnType, StatusFlags},
    reply::{self, ColumnDef, OkPacket, PrepareOk},
};
use serving::{
    error::SessionError,
    lookup::{Answer, Question},
    observe::{CacheStatus, told},
    verdict::Terms,
};
use tokio::time::Instant;

use super::{
    facts::Open,
    fill::neutral,
    plan::{self, Text},
    prepared::Described,
    refresh::Again,
    session::{HIGH_WATER, Session},
};

impl Session {
    /// The key of the reply to a text.
    pub(crate) fn text_key(&mut self, text: &Text) -> Key {
        self.facts.key(self.database.catalog.view()).field("text", behind_hint(&text.sql)).finish()
    }

    /// Asks the cache. `None` when the client has its answer; else what the origin says is for the client, and
    /// for the cache where there is a fill.
    pub(crate) async fn look_up_key(
        &mut self,
        key: Key,
        text: &Text,
        terms: &Terms,
        again: impl Fn() -> Again,
    ) -> Result<Option<Option<Fill>>, SessionError> {
        let hint = text.analysis.as_ref().map(|analysis| analysis.hint.clone()).unwrap_or_default();
        let asked = self.is_to_begin().then(Instant::now);
        let question = Question {
            cache: &self.context.common.cache,
            scope: self.database.catalog.scope(),
            key,
            tables: &terms.tables,
            fresh: self.in_one_moment(self.database.catalog.fresh(terms)),
            hint: &hint,
            follows: self.hold.is_free().then_some(self.database.config.pool.checkout_timeout),
        };
        let answer = question.ask(|fill, fresh| self.refresh(again(), fill, fresh)).await;
        match answer {
            Answer::Cache(reply, status) => {
                if !terms.tables.is_empty() {
                    self.facts.answered = self.facts.answered.or(asked);
                }
                let rows = self.replay(&reply, status).await?;
                self.database.metrics.saves(text.saved());
                let is_mariadb = self.is_mariadb();
                self.facts.last.replayed(text, rows, again, is_mariadb);
                Ok(None)
            }
            Answer::Origin(fill) => {
                self.last_status = plan::not_found(&hint);
                Ok(Some(fill))
            }
        }
    }

    /// Answers from the cache, in the form that this client agreed to, and returns the number of rows.
    async fn replay(&mut self, reply: &Reply, status: CacheStatus) -> Result<u64, SessionError> {
        self.last_status = status;
        let Ok(end) = OkPacket::decode(&reply.complete, neutral()) else {
            return Err(serving::error::ClientError::Internal.into());
        };
        let own = StatusFlags::SERVER_STATUS_AUTOCOMMIT
            | StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES
            | StatusFlags::SERVER_STATUS_ANSI_QUOTES
            | StatusFlags::SERVER_SESSION_STATE_CHANGED;
        let end = OkPacket { status: (end.status & !own) | self.status(), ..end };
        let has_eof = !self.client.has(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        self.client.put_kept_description(&reply.description);
        if has_eof {
            self.client.put_eof_packet(0, end.status);
        }
        let (mut rows, mut bytes) = (0, reply.description.len());
        for chunk in &reply.rows {
            bytes += chunk.len();
            rows += self.client.put_packets(chunk);
            if self.client.framed.queued() >= HIGH_WATER {
                self.client.flush().await?;
            }
        }
        self.client.put_rows_end(end);
        self.database.metrics.result_bytes.inc_by(bytes as u64);
        self.count(false);
        Ok(rows)
    }

    /// COM_STMT_PREPARE of SHOW JUMPGATE STATUS, of which the origin knows nothing.
    pub(crate) fn prepare_status(&mut self, text: Text) {
        let shape = PrepareOk { statement: 0, columns: 2, params: 0, warnings: 0 };
        let statement = self.database.registry.private(Described {
            sql: text.sql.clone(),
            schema: None,
            settings: self.facts.settings.clone(),
            shape,
            definitions: status_columns().into(),
        });
        let id = self.facts.next_statement();
        self.facts.prepared_last = Some(id);
        self.put_description(&statement, id);
        let _held = self.database.registry.hold(text.sql.len());
        let open = Open { statement, text, types: None, _held };
        self.facts.statements.insert(id, open);
    }

    /// SHOW JUMPGATE STATUS: what the cache made of the statement before.
    pub(crate) fn show_status(&mut self, form: Form) {
        let mut payload = BytesMut::new();
        reply::encode_column_count(2, &mut payload);
        self.client.put(&payload);
        for column in status_columns() {
            self.client.put_definition(&column);
        }
        let status = self.status();
        if !self.client.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            self.client.put_eof_packet(0, status);
        }
        payload.clear();
        let told = told(self.last_status, self.facts.pins.first().map(|pin| pin.as_str()));
        if form == Form::Binary {
            // The header, and no NULL among two columns. A text has the same bytes in either form.
            payload.put_slice(&[0, 0]);
        }
        reply::encode_text_row([Some(&b"cache_status"[..]), Some(told.as_bytes())], &mut payload);
        self.client.put(&payload);
        self.client.put_rows_end(OkPacket { status, ..OkPacket::default() });
    }
}

/// In what form a client wants its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Of COM_QUERY.
    Text,
    /// Of COM_STMT_EXECUTE.
    Binary,
}

/// The columns of SHOW JUMPGATE STATUS, as those of SHOW STATUS.
fn status_columns() -> [Bytes; 2] {
    [&b"Variable_name"[..], b"Value"].map(|name| {
        let mut definition = BytesMut::new();
        ColumnDef::computed(name, ColumnType::MYSQL_TYPE_VAR_STRING, 45, 256)
            .encode(&mut definition);
        definition.freeze()
    })
}
