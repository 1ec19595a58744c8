//! A backend hears of a block that has begun: BEGIN, and the savepoints that are open, go in front of the first request, in the
//! same write, so that an error of theirs has the server skip what is behind it. Where that cannot be, they go alone and are
//! waited for.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cache::sql::{
    Parse,
    postgres::{Analysis, Kind},
};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{self, Target},
    pipeline::{Asker, Request as Sent},
};
use serving::{
    activity::Counted,
    error::{ClientError, SessionError},
    observe::Saved,
};
use tokio::time::Instant;

use super::{
    backend::{Backend, Note},
    batch::Frame,
    client::Client,
    client_end::Unanswered,
    failure::is_one_group,
    plan::Text,
    questions::ask,
    session::Session,
    statements::fail,
    waiting::Waiting,
    wire_error,
    work::{Hearing, Opening, Trouble, Work},
};

/// A cancel request may hit BEGIN again and again.
const MOST_TRIES: usize = 3;

/// What came of a BEGIN that went alone.
enum Opened {
    Open,
    /// What the client asked is to be answered by this error.
    Not(Bytes),
}

impl Session {
    /// Opens the client's block at its backend, alone, for messages of which the last is this. False where the client was told
    /// why they are not sent.
    pub(crate) async fn open_alone(
        &mut self,
        last: FrontendTag,
        reads: bool,
    ) -> Result<bool, SessionError> {
        self.open_for(last, reads, None).await
    }

    async fn open_for(
        &mut self,
        last: FrontendTag,
        reads: bool,
        cancelled: Option<Bytes>,
    ) -> Result<bool, SessionError> {
        match self.open(reads, cancelled).await? {
            Opened::Open => Ok(true),
            Opened::Not(error) => {
                self.tell_unopened(last, &error);
                Ok(false)
            }
        }
    }

    /// The client is told why its messages, of which the last is this, are not sent.
    fn tell_unopened(&mut self, last: FrontendTag, error: &[u8]) {
        let transaction = self.transaction();
        let end = &mut self.client.end;
        end.queue().extend_from_slice(error);
        match last {
            FrontendTag::Query | FrontendTag::Sync | FrontendTag::FunctionCall => {
                encode::ready_for_query(transaction, end.queue());
            }
            _ => end.unanswered = Unanswered::UpToSync,
        }
        self.client.is_refused(true);
    }

    /// Has the backend hear BEGIN, for what takes a snapshot itself or does not. Where that or what came with it was cancelled,
    /// the block fails as it would have.
    async fn open(
        &mut self,
        reads: bool,
        mut cancelled: Option<Bytes>,
    ) -> Result<Opened, SessionError> {
        for _try in 0..MOST_TRIES {
            let Self { client, hold } = self;
            let work = hold.held("open a block at")?;
            let Some(waiting) = client.begun.take() else { return Ok(Opened::Open) };
            client.begins(&waiting, work);
            work.opening = Opening::Alone;
            work.asked_at = Some(Instant::now());
            let statements: Vec<_> = waiting.statements(reads).collect();
            ask(&mut work.loan, &statements.join(";"), Note::Begin);
            Box::pin(
                self.hear_while(Hearing::Statement, |_client, work| !work.loan.pipeline.is_quiet()),
            )
            .await?;
            self.still_held()?;
            let Self { client, hold } = self;
            let work = hold.held("open a block at")?;
            work.asked_at = None;
            let Opening::Missed { error, is_cancelled } = std::mem::take(&mut work.opening) else {
                return match cancelled {
                    Some(error) => self.fail_block(error).await,
                    None => Ok(Opened::Open),
                };
            };
            let is_failed = work.loan.is_failed();
            if is_cancelled {
                // The request must not reach what comes next.
                work.trouble = Trouble::None;
                client.end.settle_cancel().await;
            }
            // An open block that has failed already is not begun again.
            if !is_cancelled || is_failed {
                return Ok(Opened::Not(cancelled.unwrap_or(error)));
            }
            client.begun = Some(waiting);
            cancelled.get_or_insert(error);
        }
        self.client.begun = None;
        Ok(Opened::Not(cancelled.unwrap_or_default()))
    }

    /// What the client asked in its open block was cancelled.
    async fn fail_block(&mut self, error: Bytes) -> Result<Opened, SessionError> {
        let work = self.hold.held("fail a block of")?;
        fail(&mut work.loan, Asker::Proxy, Note::Fail);
        Box::pin(self.hear_group()).await?;
        Ok(Opened::Not(error))
    }

    /// BEGIN failed, or what came with it could not be read by a server that is older than the grammar here: all of it was
    /// skipped. BEGIN goes alone now, and what the client asked behind it.
    pub(crate) async fn open_again(
        &mut self,
        frames: Vec<Frame>,
        (error, is_cancelled): (Bytes, bool),
    ) -> Result<(), SessionError> {
        let Some(last) = frames.last().map(|frame| frame.tag) else { return Ok(()) };
        let work = self.hold.held("open a block again at")?;
        work.trouble = Trouble::None;
        let is_failed = work.loan.is_failed();
        if is_cancelled {
            self.client.end.settle_cancel().await;
        }
        if is_failed {
            // It is open, and a savepoint that it begins with was cancelled.
            self.client.begun = None;
            self.tell_unopened(last, &error);
            return Ok(());
        }
        if !self.open_for(last, false, is_cancelled.then_some(error)).await? {
            return Ok(());
        }
        let Self { client, hold } = self;
        let work = hold.held("send again to")?;
        match frames.first() {
            Some(frame) if frame.tag == FrontendTag::Query => {
                let query = message::query_text(&frame.body).unwrap_or_default();
                let text = client.judge(query, client.analysis(frame.analysis.as_ref(), query));
                client.send_query(work, &frame.body, (text, None));
            }
            _ => client.send_on(work, &frames, None),
        }
        Ok(())
    }
}

impl Client {
    /// Whether BEGIN may go in front of a simple query, which goes as messages of the extended protocol then: there an error
    /// skips what is behind it. Not where such messages would show something else.
    pub(crate) fn goes_with_query(&self, query: &[u8], analysis: &Analysis) -> bool {
        let [one] = analysis.statements.as_slice() else { return false };
        let is_usual = matches!(
            one.kind,
            Kind::Select
                | Kind::Savepoint(_)
                | Kind::Set
                | Kind::Show(_)
                | Kind::Cursor
                | Kind::Notify
                | Kind::Ddl
        ) || one.kind == Kind::Write && returns_nothing(query);
        is_usual
            && analysis.parse == Parse::Full
            && analysis.names.is_empty()
            && one.asked.is_empty()
            && one.resets_until.is_none()
            // There a parameter is none.
            && !query.contains(&b'$')
            && self.facts.statements.followed_in().is_none()
    }

    /// Whether BEGIN may go in front of these messages.
    pub(crate) fn goes_with_frames(&self, frames: &[Frame]) -> bool {
        let is_usual = |frame: &Frame| {
            matches!(
                frame.tag,
                FrontendTag::Parse
                    | FrontendTag::Bind
                    | FrontendTag::Describe
                    | FrontendTag::Execute
                    | FrontendTag::Close
                    | FrontendTag::Sync
            )
        };
        let runs = frames.iter().filter(|frame| frame.tag == FrontendTag::Execute);
        // What is bound before it is the portal of BEGIN.
        let is_bound = |frame: &Frame| match frame.tag {
            FrontendTag::Bind | FrontendTag::Sync => Some(true),
            FrontendTag::Execute => Some(false),
            FrontendTag::Describe => {
                matches!(Target::decode(&frame.body), Ok(Target::Portal(_))).then_some(false)
            }
            _ => None,
        };
        is_one_group(frames)
            && frames.iter().find_map(is_bound) == Some(true)
            && frames.iter().all(is_usual)
            && runs.count() <= 1
            && self.facts.statements.followed_in().is_none()
    }

    /// Queues the BEGIN of the client's block in front of messages of the extended protocol, for what takes a snapshot itself or
    /// does not. The unnamed statement is the client's again once it is parsed anew.
    pub(crate) fn open_ahead(&self, work: &mut Work, reads: bool) {
        let Some(waiting) = &self.begun else { return };
        self.begins(waiting, work);
        work.opening = Opening::Ahead;
        let backend: &mut Backend = &mut work.loan;
        backend.prepared.forget_unnamed();
        let mut statements = waiting.statements(reads).peekable();
        while let Some(sql) = statements.next() {
            let queue = backend.framed.queue();
            encode::frame(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"], queue);
            encode::frame(b'B', &[&[0; 8]], queue);
            encode::frame(b'E', &[&[0; 5]], queue);
            // The block is open once all of it has run.
            let note = statements.peek().is_none().then_some(Note::Begin);
            backend.pipeline.sent(Sent::Parse, Asker::Proxy, None);
            backend.pipeline.sent(Sent::Bind, Asker::Proxy, None);
            backend.pipeline.sent(Sent::Execute, Asker::Proxy, note);
        }
    }

    /// The block that its client has begun begins at a backend.
    fn begins(&self, waiting: &Waiting, work: &mut Work) {
        self.begins_at(&waiting.begun, work);
        waiting.points().for_each(|name| work.ledger.savepoint(name));
    }

    /// Sends a simple query with the BEGIN of its block.
    pub(crate) fn send_opening(
        &mut self,
        work: &mut Work,
        body: &Bytes,
        (text, asked): (Text, Option<Counted>),
    ) {
        let query = message::query_text(body).unwrap_or_default();
        self.before_sequences(work, &text, true);
        self.open_ahead(work, text.takes_snapshot());
        let footprint = self.starts(work, &text);
        self.drops_unnamed(&mut work.loan);
        let group = self.facts.statements.end_group();
        let backend: &mut Backend = &mut work.loan;
        let queue = backend.framed.queue();
        encode::frame(b'P', &[b"\0", query, b"\0\0\0"], queue);
        encode::frame(b'B', &[&[0; 8]], queue);
        encode::frame(b'D', &[b"P\0"], queue);
        encode::frame(b'E', &[&[0; 5]], queue);
        queue.extend_from_slice(encode::SYNC);
        let pipeline = &mut backend.pipeline;
        let note = Note::Text(Arc::clone(&text.analysis));
        pipeline.sent(Sent::Parse, Asker::Proxy, Some(note));
        pipeline.sent(Sent::Bind, Asker::Proxy, Some(Note::Bound));
        pipeline.sent(Sent::DescribePortal, Asker::Client, Some(Note::Rows));
        let note = Note::Execute(text.analysis, footprint, None, asked);
        pipeline.sent(Sent::Execute, Asker::Client, Some(note));
        pipeline.sent(Sent::Sync, Asker::Client, Some(Note::Sync(group)));
        work.unheard = Some(vec![Frame::new(FrontendTag::Query, body.clone())]);
    }

    /// BEGIN was heard.
    pub(crate) fn is_open(&self, work: &mut Work) {
        match work.opening {
            Opening::Ahead => self.database.metrics.saves(Saved::Begin),
            Opening::Alone => {}
            // The end of one that failed.
            Opening::No | Opening::Missed { .. } => return,
        }
        work.opening = Opening::No;
    }

    /// Whether an error comes before a block is open that is being opened. Nobody is told of it yet: all that was sent is
    /// skipped.
    pub(crate) fn misses_block(&self, work: &mut Work, body: &[u8]) -> bool {
        if !matches!(work.opening, Opening::Ahead | Opening::Alone) || wire_error::is_fatal(body) {
            return false;
        }
        if !matches!(work.loan.pipeline.current(), None | Some(Note::Begin)) {
            return false;
        }
        let is_cancelled = message::error_field(body, b'C') == Some(b"57014");
        let mut error = BytesMut::new();
        if is_cancelled && work.trouble == Trouble::TimedOut {
            wire_error::put(ClientError::StatementTimeout, &mut error);
        } else {
            encode::frame(b'E', &[body], &mut error);
        }
        self.database.metrics.failures.sql(message::error_field(body, b'C').unwrap_or_default());
        if work.opening == Opening::Ahead {
            work.trouble = Trouble::Again;
            work.collect = None;
            work.ledger.failed();
        }
        work.opening = Opening::Missed { error: error.freeze(), is_cancelled };
        true
    }
}

/// Whether what writes shows no rows. Rows it would only describe once it has run, where the messages describe them before.
fn returns_nothing(query: &[u8]) -> bool {
    const FIRST: [&[u8]; 4] = [b"insert", b"update", b"delete", b"merge"];
    const ROWS: &[u8] = b"returning";
    let query = query.trim_ascii_start();
    let begins = |word: &&[u8]| {
        query.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    FIRST.iter().any(begins)
        && !query.windows(ROWS.len()).any(|part| part.eq_ignore_ascii_case(ROWS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writes_and_returns_is_told_from_what_returns_nothing() {
        for (sql, expected) in [
            ("insert into t values (1)", true),
            (" UPDATE t SET a = 1", true),
            ("delete from t", true),
            ("update t set a = 1 Returning a", false),
            ("with gone as (delete from t) select 1", false),
            ("/* so */ delete from t", false),
        ] {
            assert_eq!(returns_nothing(sql.as_bytes()), expected, "{sql}");
        }
    }
}
