//! Answers without a backend: what the cache has, made into a whole reply, and what needs nobody.

use std::sync::Arc;

use bytes::Bytes;
use cache::Reply;
use protocol::postgres::{
    encode,
    frame::{FrontendTag, HEADER_LEN, Header},
    message::{Parse, Target},
    pipeline::TransactionStatus,
};
use serving::error::SessionError;

use super::{
    batch::Frame, client::Client, prepared::Statement, session::Session, settled::Settled,
};

impl Session {
    /// Answers each message of an extended request from the cache.
    pub(crate) async fn replay_extended(
        &mut self,
        reply: &Reply,
        frames: &[Frame],
    ) -> Result<(), SessionError> {
        let status = self.transaction();
        let names = &self.client.facts.statements;
        let stays = self.hold.work().is_some_and(|work| work.reads_unsure(names));
        let client = &mut self.client;
        let mut description = reply.description.clone();
        let mut subject = None;
        for frame in frames {
            match frame.tag {
                FrontendTag::Parse => {
                    let parse = Parse::decode(&frame.body).map_err(SessionError::ClientProtocol)?;
                    subject = Some(client.register(&parse, frame.analysis.as_ref(), stays).0);
                    client.end.queue().extend_from_slice(encode::PARSE_COMPLETE);
                }
                FrontendTag::Bind => client.end.queue().extend_from_slice(encode::BIND_COMPLETE),
                FrontendTag::Describe => {
                    // A statement has two messages, its parameters and its columns; a portal one.
                    let types = match Target::decode(&frame.body) {
                        Ok(Target::Statement(name)) => Some((name, split_frame(&mut description))),
                        _ => None,
                    };
                    let rows = split_frame(&mut description);
                    if let Some((name, types)) = types {
                        client.end.queue().extend_from_slice(&types);
                        client.settle_by_reply(subject.as_ref(), name, &types, &rows);
                    }
                    client.end.queue().extend_from_slice(&rows);
                }
                FrontendTag::Execute => client.put_rows(reply).await?,
                FrontendTag::Close => client.close_locally(&frame.body),
                FrontendTag::Sync => {
                    encode::ready_for_query(status, client.end.queue());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Client {
    /// Answers what needs no backend: a `Sync` with nothing before it, and the closing of statements.
    pub(crate) fn answer_alone(
        &mut self,
        frames: &[Frame],
        transaction: TransactionStatus,
    ) -> bool {
        let is_alone = frames.iter().all(|frame| match frame.tag {
            FrontendTag::Sync | FrontendTag::Flush => true,
            FrontendTag::Close => matches!(Target::decode(&frame.body), Ok(Target::Statement(_))),
            _ => false,
        });
        if is_alone {
            for frame in frames {
                match frame.tag {
                    FrontendTag::Close => self.close_locally(&frame.body),
                    FrontendTag::Sync => {
                        encode::ready_for_query(transaction, self.end.queue());
                    }
                    _ => {}
                }
            }
        }
        is_alone
    }

    fn close_locally(&mut self, body: &[u8]) {
        if let Ok(Target::Statement(name)) = Target::decode(body) {
            self.facts.statements.remove(name);
        }
        self.end.queue().extend_from_slice(encode::CLOSE_COMPLETE);
    }

    /// Answers a simple query from the cache.
    pub(crate) async fn replay_simple(
        &mut self,
        reply: &Reply,
        transaction: TransactionStatus,
    ) -> Result<(), SessionError> {
        // As `exec_simple_query` does, wherever the reply came from.
        self.facts.statements.remove(b"");
        self.end.queue().extend_from_slice(&reply.description);
        self.put_rows(reply).await?;
        encode::ready_for_query(transaction, self.end.queue());
        Ok(())
    }

    /// A statement whose description the cache has is what the backend was, which described it.
    fn settle_by_reply(
        &mut self,
        statement: Option<&Arc<Statement>>,
        name: &[u8],
        types: &[u8],
        rows: &[u8],
    ) {
        let Some(statement) = statement else { return };
        let types = types.get(HEADER_LEN..).unwrap_or_default();
        let rows = rows.strip_prefix(b"T").and_then(|rows| rows.get(HEADER_LEN - 1..));
        let shared = self.database.registry.settle(statement, Settled::new(types, rows));
        self.facts.statements.share(name, statement, shared);
    }

    /// Queues rows and tag, waiting for the client whenever it has enough to read.
    async fn put_rows(&mut self, reply: &Reply) -> Result<(), SessionError> {
        let mut bytes = reply.complete.len();
        for rows in &reply.rows {
            bytes += rows.len();
            self.end.queue().extend_from_slice(rows);
            if self.end.is_full() {
                self.end.flush().await?;
            }
        }
        self.end.queue().extend_from_slice(&reply.complete);
        self.database.metrics.result_bytes.inc_by(bytes as u64);
        Ok(())
    }
}

/// Takes one frame from the front of `frames`.
pub(crate) fn split_frame(frames: &mut Bytes) -> Bytes {
    match Header::peek(frames) {
        Ok(Some(header)) if header.frame_len() <= frames.len() => {
            frames.split_to(header.frame_len())
        }
        _ => std::mem::take(frames),
    }
}
