//! From the client to a backend: requests, with statements under our names.

use std::sync::Arc;

use bytes::Bytes;
use cache::Fill;
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message,
    pipeline::{Asker, Request as Sent},
};
use serving::{activity::Counted, error::SessionError};

use super::{
    backend::{Backend, Note},
    batch::{Frame, Judged, Outgoing},
    client::Client,
    fill::Collect,
    plan::{self, Text},
    reset,
    reworded::Reworded,
    session::Session,
    sql_prepare,
    work::{Trouble, Work},
};

impl Session {
    /// Sends a simple query to a backend.
    pub(crate) async fn forward_query(
        &mut self,
        body: &Bytes,
        (text, asked): (Text, Option<Counted>),
        fill: Option<Fill>,
    ) -> Result<(), SessionError> {
        let ends = self.transaction();
        let collect = fill.map(|fill| Box::new(Collect::new(fill, ends)));
        if self.client.parting.is_some() {
            Box::pin(self.has_parted(text.only_reads())).await;
        }
        let opens = self.client.begun.is_some() && !self.is_busy();
        if self.hold.is_free() && plan::heads_for_temp(&text.analysis, body) {
            Box::pin(self.take_without_temp()).await;
        }
        if let Err(refusal) = self.begin(collect).await? {
            self.client.is_refused(asked.is_some());
            return self.client.refuse_query(&text, &refusal);
        }
        let names = &self.client.facts.statements;
        if names.followed_in().is_some() && self.client.may_run_texts(&text) {
            Box::pin(self.give_own_names()).await?;
        }
        if opens {
            let query = message::query_text(body).unwrap_or_default();
            if self.client.goes_with_query(query, &text.analysis) {
                let Self { client, hold } = self;
                client.send_opening(hold.held("send a block to")?, body, (text, asked));
                return Ok(());
            }
            if !Box::pin(self.open_alone(FrontendTag::Query, text.takes_snapshot())).await? {
                return Ok(());
            }
        }
        let work = self.hold.held("send a query to")?;
        let may_move = !work.is_busy() && !work.is_pinned() && work.loan.may_move();
        self.client.send_query(work, body, (text, asked));
        if may_move {
            work.unheard = Some(vec![Frame::new(FrontendTag::Query, body.clone())]);
        }
        Ok(())
    }

    /// Sends all that is held to a backend.
    pub(crate) async fn forward_batch(&mut self) -> Result<(), SessionError> {
        let frames = self.client.end.batch.take();
        self.forward_frames(Outgoing::of(frames)).await
    }

    /// Sends messages of the extended protocol to a backend.
    pub(crate) async fn forward_frames(&mut self, request: Outgoing) -> Result<(), SessionError> {
        let Outgoing { frames, judged, fill, describes } = request;
        let ends = self.transaction();
        let collect = fill.map(|fill| Box::new(Collect::new(fill, ends)));
        if self.client.parting.is_some() {
            let only_reads = judged.as_ref().is_some_and(|it| it.text.only_reads());
            Box::pin(self.has_parted(only_reads)).await;
        }
        if self.hold.is_free() && self.client.head_for_temp(&frames) {
            Box::pin(self.take_without_temp()).await;
        }
        let begins = !self.is_busy();
        let opens = begins && self.client.begun.is_some();
        if let Err(refusal) = self.begin(collect).await? {
            self.client.is_refused(judged.is_some());
            return self.client.refuse_frames(&frames, &refusal);
        }
        let reads = judged.as_ref().is_some_and(|it| it.text.takes_snapshot());
        let goes_along = opens && self.client.goes_with_frames(&frames);
        if begins && !goes_along {
            self.verify_ahead(&frames).await?;
        }
        if opens && !goes_along {
            let last = frames.last().map_or(FrontendTag::Flush, |frame| frame.tag);
            if !Box::pin(self.open_alone(last, reads)).await? {
                return Ok(());
            }
        }
        let work = self.hold.held("send messages to")?;
        if begins {
            work.executes = 0;
        }
        work.unheard = None;
        work.describes = describes.filter(|place| place.generation == work.loan.generation());
        // What pins the session is on this backend alone.
        let may_move = begins && !work.is_pinned();
        if goes_along {
            self.client.open_ahead(work, reads);
        }
        self.client.send_on(work, &frames, judged);
        work.unheard = may_move.then_some(frames);
        Ok(())
    }
}

impl Client {
    /// Sends a simple query.
    pub(crate) fn send_query(
        &mut self,
        work: &mut Work,
        body: &Bytes,
        (mut text, asked): (Text, Option<Counted>),
    ) {
        if work.loan.pipeline.is_discarding() {
            // Between an error in the extended protocol and `Sync` a simple query is skipped too.
            return;
        }
        // A simple query in an open pipeline confuses PostgreSQL 18.4 itself (`StartTransactionCommand: unexpected
        // state STARTED`): nobody else may have that backend.
        let was_open = work.loan.pipeline.is_open();
        work.loan.unfit |= was_open;
        let query = message::query_text(body).unwrap_or_default();
        if work.loan.pipeline.is_quiet() {
            work.limit = self.statement_timeout;
        }
        self.before_sequences(work, &text, true);
        let prepares = self.prepares(work, query, &mut text);
        let footprint = self.starts(work, &text);
        if text.opens_block() {
            self.opens_itself(work, query);
        }
        if reset::is_discard_all(&text.analysis) && !was_open {
            self.discard_all(&mut work.loan, query, (text.analysis, footprint, asked));
            return;
        }
        let in_block = work.loan.in_transaction() || work.loan.pipeline.owes();
        let added = reset::added(query, &text.analysis, &self.facts.base, in_block);
        let moved = added.as_ref().map(|(_, added)| added.shifted(&text.analysis));
        let with_added = added.as_ref().map_or(query, |(new, _)| new.as_slice());
        let analysis = moved.as_ref().unwrap_or(&text.analysis);
        let reworded = match &prepares {
            Some(prepares) => sql_prepare::under_its_name(with_added, analysis, prepares),
            None => self.reworded(work, with_added, analysis, None),
        };
        let backend: &mut Backend = &mut work.loan;
        if backend.pipeline.is_open() && !was_open {
            // It was given statements, which it must have before it reads the text.
            backend.framed.queue().extend_from_slice(encode::SYNC);
            backend.pipeline.sent(Sent::Sync, Asker::Proxy, None);
        }
        let (reworded, places, names) = match reworded {
            Some(Reworded { text, places, names }) => (Some(text), places, names),
            None => <_>::default(),
        };
        match reworded.as_deref().or(added.as_ref().map(|_| with_added)) {
            Some(new) => encode::frame(b'Q', &[new, b"\0"], backend.framed.queue()),
            // As it came: a body that is no text is the database's to refuse.
            None => encode::frame(b'Q', &[body], backend.framed.queue()),
        }
        self.drops_unnamed(backend);
        for name in &text.analysis.names {
            self.facts.statements.changes(name.name.as_bytes());
        }
        let group = self.facts.statements.end_group();
        let added = added.map(|(_, added)| added);
        let described = prepares.clone().map(|statement| (statement, Arc::clone(&text.analysis)));
        let analysis = text.analysis;
        let completed = 0;
        let note = Note::Query {
            analysis,
            footprint,
            completed,
            added,
            places,
            names,
            group,
            prepares,
            asked,
        };
        backend.pipeline.sent(Sent::Query, Asker::Client, Some(note));
        if let Some((statement, analysis)) = described {
            sql_prepare::settle(backend, &statement, &analysis);
        }
    }

    /// A simple query drops the unnamed statement on both sides (`exec_simple_query`).
    pub(crate) fn drops_unnamed(&mut self, backend: &mut Backend) {
        backend.prepared.forget_unnamed();
        self.facts.statements.remove(b"");
        if backend.pipeline.owes() {
            // An error that is under way must not put it back.
            self.facts.statements.changes(b"");
        }
    }

    /// Sends messages of the extended protocol to the backend that the session holds.
    pub(crate) fn send_on(
        &mut self,
        work: &mut Work,
        frames: &[Frame],
        mut judged: Option<Judged>,
    ) {
        for (at, frame) in frames.iter().enumerate() {
            self.forward(work, (frame, frames.get(at + 1)), &mut judged);
        }
        self.send_due(work);
    }

    /// Sends one message, under our names; `next` is the one behind it, if it is here. A body that does not decode is the
    /// database's to refuse, in its own words and with the session going on.
    fn forward(
        &mut self,
        work: &mut Work,
        (frame, next): (&Frame, Option<&Frame>),
        judged: &mut Option<Judged>,
    ) {
        if work.loan.pipeline.is_discarding() && frame.tag != FrontendTag::Sync {
            return;
        }
        if work.loan.pipeline.is_quiet() {
            work.limit = self.statement_timeout;
        }
        let body = &frame.body;
        let (tag, sent, understood) = match frame.tag {
            FrontendTag::Parse => (b'P', Sent::Parse, self.forward_parse(work, frame, next)),
            FrontendTag::Bind => (b'B', Sent::Bind, self.forward_bind(work, body)),
            FrontendTag::Describe => {
                (b'D', Sent::DescribePortal, self.forward_describe(work, body))
            }
            FrontendTag::Close => (b'C', Sent::Close, self.forward_close(work, body)),
            FrontendTag::Execute => {
                let understood = self.forward_execute(work, body, judged);
                self.put_back_behind(work, body);
                (b'E', Sent::Execute, understood)
            }
            FrontendTag::Sync => {
                let note = Note::Sync(self.facts.statements.end_group());
                return send(&mut work.loan, b'S', body, Sent::Sync, Some(note));
            }
            FrontendTag::Flush => return send(&mut work.loan, b'H', body, Sent::Flush, None),
            FrontendTag::FunctionCall => {
                self.runs_unseen(work);
                let note = Note::Call(self.facts.statements.end_group());
                return send(&mut work.loan, b'F', body, Sent::FunctionCall, Some(note));
            }
            FrontendTag::CopyData => return send(&mut work.loan, b'd', body, Sent::CopyData, None),
            FrontendTag::CopyDone => return send(&mut work.loan, b'c', body, Sent::CopyEnd, None),
            FrontendTag::CopyFail => return send(&mut work.loan, b'f', body, Sent::CopyEnd, None),
            FrontendTag::Query
            | FrontendTag::Password
            | FrontendTag::Terminate
            | FrontendTag::Unknown(_) => return,
        };
        if understood.is_err() {
            send(&mut work.loan, tag, body, sent, None);
        }
    }

    /// Hands the client those of our own replies whose turn has come.
    pub(crate) fn send_due(&mut self, work: &mut Work) {
        while let Some(reply) = work.loan.pipeline.due() {
            if work.trouble != Trouble::Refused {
                work.unheard = None;
                self.end.queue().extend_from_slice(reply);
            }
        }
    }
}

/// Sends a message of the client's as it is.
pub(crate) fn send(backend: &mut Backend, tag: u8, body: &Bytes, sent: Sent, note: Option<Note>) {
    encode::frame(tag, &[body], backend.framed.queue());
    backend.pipeline.sent(sent, Asker::Client, note);
}
