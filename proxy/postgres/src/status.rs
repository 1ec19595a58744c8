//! A client's question to its proxy: what the cache made of its last statement (`SHOW jumpgate.cache_status`).

use std::{borrow::Cow, sync::Arc};

use bytes::{Bytes, BytesMut};
use cache::{
    Reply,
    sql::postgres::{Analysis, Kind},
};
use memchr::memmem;
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{Bind, Parse, Target},
    pipeline::TransactionStatus,
};
use serving::observe::told;

use super::{
    batch::{Frame, Request, Subject},
    block,
    client::Client,
    replay::split_frame,
    session::Session,
    work::Work,
};

/// What it asks for.
pub(crate) const STATUS_SETTING: &str = "jumpgate.cache_status";
/// A longer text is no SHOW of ours.
const LONGEST_SHOW: usize = 256;

impl Session {
    /// What the client is told of its last statement.
    fn told_status(&self) -> Cow<'static, str> {
        let pin = self.hold.work().and_then(|work| work.pins.first());
        told(self.client.last_status, pin.map(|pin| pin.as_str()))
    }

    /// The status of the client's transaction.
    pub(crate) fn transaction(&self) -> TransactionStatus {
        match self.hold.work() {
            Some(work) => work.loan.pipeline.status(),
            None => self.client.transaction(),
        }
    }

    /// Answers a simple query that asks what the cache made of the statement before.
    pub(crate) fn show_status(&mut self) {
        let (told, transaction) = (self.told_status(), self.transaction());
        let out = self.client.end.queue();
        encode::text_row(&[(STATUS_SETTING, &told)], "SHOW", out);
        encode::ready_for_query(transaction, out);
    }

    /// The answer to a request that asks what the cache made of the statement before.
    pub(crate) fn status_reply(&self, request: &Request<'_>) -> Option<Reply> {
        let known = match &request.subject {
            Subject::New(_) => request.analysis,
            Subject::Known(statement) => Some(&statement.analysis),
        };
        if !self.client.is_status_text(request.query(), known) {
            return None;
        }
        let mut frames = BytesMut::new();
        encode::text_row(&[(STATUS_SETTING, &self.told_status())], "SHOW", &mut frames);
        let mut frames: Bytes = frames.freeze();
        let columns = split_frame(&mut frames);
        let rows = vec![split_frame(&mut frames)];
        Some(Reply { description: request.description(&columns), rows, complete: frames })
    }

    /// Whether messages only close statements, in a block in which nothing is under way.
    pub(crate) fn only_closes(&self, frames: &[Frame]) -> bool {
        let [closes @ .., last] = frames else { return false };
        self.hold.work().is_some_and(Work::is_at_rest)
            && last.tag == FrontendTag::Sync
            && !closes.is_empty()
            && closes
                .iter()
                .all(|one| one.tag == FrontendTag::Close && self.client.is_closed_here(one))
    }

    /// Whether a message belongs to what we may answer ourselves within a transaction.
    pub(crate) fn may_answer(&self, frame: &Frame) -> bool {
        self.hold.work().is_some_and(|work| self.client.may_answer(work, frame))
    }
}

impl Client {
    /// Whether a message belongs to what we may answer ourselves within a transaction, where all else is sent on as it comes.
    pub(crate) fn may_answer(&self, work: &Work, frame: &Frame) -> bool {
        if !work.loan.pipeline.is_quiet() || !work.is_busy() {
            return false;
        }
        let is_end = |query: &[u8]| work.ledger.has_only_read() && block::end(query).is_some();
        let is_known = |name: &[u8]| {
            let statement = self.facts.statements.get(name);
            statement.is_some_and(|statement| {
                let query = statement.source.query();
                is_end(query) || self.is_status_text(query, Some(&statement.analysis))
            })
        };
        match frame.tag {
            _ if !self.end.batch.is_empty() => true,
            FrontendTag::Parse | FrontendTag::Bind if self.may_ask_cache(work) => true,
            FrontendTag::Parse if self.may_recall(work) => true,
            FrontendTag::Parse => Parse::decode(&frame.body).is_ok_and(|parse| {
                is_end(parse.query) || self.is_status_text(parse.query, frame.analysis.as_ref())
            }),
            FrontendTag::Bind => {
                Bind::decode(&frame.body).is_ok_and(|bind| is_known(bind.statement))
            }
            FrontendTag::Describe => match Target::decode(&frame.body) {
                Ok(Target::Statement(name)) => is_known(name),
                _ => false,
            },
            FrontendTag::Close => self.is_closed_here(frame),
            _ => false,
        }
    }

    /// Whether a message closes a statement of the client's, which the backend keeps for others.
    fn is_closed_here(&self, frame: &Frame) -> bool {
        matches!(Target::decode(&frame.body), Ok(Target::Statement(name))
            if !name.is_empty() && self.facts.statements.get(name).is_some())
    }

    fn is_status_text(&self, query: &[u8], known: Option<&Arc<Analysis>>) -> bool {
        // Most texts are told apart without being read.
        query.len() <= LONGEST_SHOW && memmem::find(query, b"cache_status").is_some() && {
            let analysis = self.analysis(known, query);
            let [one] = analysis.statements.as_slice() else { return false };
            matches!(&one.kind, Kind::Show(name) if name == STATUS_SETTING)
        }
    }
}
