//! Statements as they are counted: by the shape of their texts, how they were answered, and how long that took.
//!
//! A statement is counted when it is known who answers it, and timed when its answer is over: the last of a group with the
//! end of that, since it may be a commit that it waits for. A backend sends what it has to say to a pipeline all at once, so
//! that nobody can tell which of its statements took the time: each took as long as its client waited for it.

use std::sync::Arc;

use cache::sql::{
    Parse,
    postgres::Analysis,
    shown::{Dialect, shown},
};
use origin::pool::Loan;
use protocol::postgres::pipeline::Received;
use serving::{
    activity::{Counted, Shape, State},
    observe::{CacheStatus, Saved},
    verdict::why_not,
};
use tokio::time::Instant;

use super::{
    adopt::{self, Refusal},
    backend::Note,
    client::Client,
    origin::Origin,
    plan::Text,
    work::Work,
};

impl Client {
    /// A statement of so many bytes has come.
    pub(crate) fn received(&self, length: usize) {
        if self.seen.is_client() {
            self.database.metrics.query_bytes.inc_by(length as u64);
        }
    }

    /// Counts a statement that the origin is asked, and remembers its status for the client to ask.
    pub(crate) fn asks(
        &mut self,
        query: &[u8],
        text: &Text,
        (status, at): (CacheStatus, Instant),
    ) -> Option<Counted> {
        let shape = self.counted(query, text, status)?;
        self.seen.is(State::Active, at);
        Some(Counted { shape, status, at })
    }

    /// Counts a statement that was answered without a backend, and remembers its status for the client to ask.
    pub(crate) fn has_answer(
        &mut self,
        query: &[u8],
        text: &Text,
        (status, came): (CacheStatus, Instant),
    ) {
        self.has_read(&text.analysis);
        let now = Instant::now();
        let took = now.saturating_duration_since(came);
        if let Some(shape) = self.counted(query, text, status) {
            shape.answered(status, took);
            self.database.metrics.answered(status, took);
            if status.is_cached() {
                self.database.metrics.saves(Saved::Hit);
            }
            self.seen.is(State::Idle, now);
        }
    }

    /// There is no backend for what was asked.
    pub(crate) fn is_refused(&self, is_known: bool) {
        if let Some(shape) = self.seen.shape().filter(|_| is_known) {
            shape.failed();
        }
        self.seen.is(State::Idle, Instant::now());
    }

    /// The reply that is under way is longer than what is kept.
    pub(crate) fn is_too_long(&mut self, work: &mut Work) {
        self.last_status = CacheStatus::OversizedResult;
        if let Some(asked) = work.loan.pipeline.current().and_then(Note::asked) {
            self.database.metrics.query(CacheStatus::OversizedResult);
            asked.becomes(CacheStatus::OversizedResult);
        }
    }

    /// A request of the client's is answered, but for what its group does at its end.
    pub(crate) fn completes(&self, work: &mut Work, note: &mut Note) {
        work.ran(note);
        self.is_timed(work, note);
    }

    fn is_timed(&self, work: &mut Work, note: &mut Note) {
        let Some(asked) = note.take_asked() else { return };
        if let Some((before, at)) = work.completed.replace((asked, Instant::now())) {
            self.is_over(&before, at);
        }
    }

    /// An error has ended a request of the client's, or the commit at the end of its group.
    pub(crate) fn fails(&self, work: &mut Work, received: &mut Received<Note>) {
        let ended = received.failed.iter_mut().chain(&mut received.dropped);
        if let Some((note, asked)) =
            ended.filter_map(|note| note.asked().cloned().map(|asked| (note, asked))).next()
        {
            asked.shape.failed();
            return self.is_timed(work, note);
        }
        match work.loan.pipeline.current() {
            Some(Note::Query { asked: Some(asked), .. }) => asked.shape.failed(),
            Some(Note::Sync(_)) => {
                if let Some((asked, _)) = &work.completed {
                    asked.shape.failed();
                }
            }
            _ => {}
        }
    }

    /// A group of the client's is over.
    pub(crate) fn has_heard(&self, work: &mut Work, now: Instant) {
        if let Some((last, _)) = work.completed.take() {
            self.is_over(&last, now);
        }
        if !work.loan.pipeline.owes() {
            let is_open = work.loan.in_transaction();
            self.seen.is(if is_open { State::InTransaction } else { State::Idle }, now);
        }
    }

    fn is_over(&self, Counted { shape, status, at: came }: &Counted, at: Instant) {
        let took = at.saturating_duration_since(*came);
        shape.answered(*status, took);
        self.database.metrics.answered(*status, took);
    }

    /// A backend for the client, which may have to wait for it.
    pub(crate) async fn check_out(&self) -> Result<Loan<Origin>, Refusal> {
        let now = Instant::now();
        self.seen.is(State::Waiting, now);
        let lent = adopt::checkout(&self.database).await;
        self.seen.is(State::Active, now);
        lent
    }

    /// The shape of a statement that comes, which is the client's last from now on; `None` where nobody listens.
    pub(crate) fn shape_of(&mut self, query: &[u8], text: &Text) -> Option<&Arc<Shape>> {
        let Self { seen, caching, .. } = self;
        let shape = seen.runs(&text.analysis, || show(query, &text.analysis))?;
        let judged = text.judged.as_ref();
        shape.is_judged(judged, caching, || {
            why_not(judged.map(|judged| &judged.verdict), &text.analysis.hint, caching)
                .map(|never| never.to_string())
        });
        Some(shape)
    }

    fn counted(&mut self, query: &[u8], text: &Text, status: CacheStatus) -> Option<Arc<Shape>> {
        self.last_status = status;
        let shape = Arc::clone(self.shape_of(query, text)?);
        self.database.metrics.query(status);
        shape.count(status);
        Some(shape)
    }
}

impl Note {
    /// As it is counted.
    fn asked(&mut self) -> Option<&mut Counted> {
        match self {
            Self::Query { asked, .. } | Self::Execute(.., asked) => asked.as_mut(),
            _ => None,
        }
    }

    fn take_asked(&mut self) -> Option<Counted> {
        match self {
            Self::Query { asked, .. } | Self::Execute(.., asked) => asked.take(),
            _ => None,
        }
    }
}

impl Work {
    /// The backend is given up in the middle of an answer.
    pub(crate) fn is_lost(&mut self) {
        if let Some(asked) = self.loan.pipeline.current().and_then(Note::asked) {
            asked.shape.failed();
        }
    }
}

/// What people may see of a text.
fn show(query: &[u8], analysis: &Analysis) -> String {
    let (text, is_utf8) = match std::str::from_utf8(query) {
        Ok(text) => (text, true),
        Err(error) => {
            let read = query.get(..error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(read).unwrap_or_default(), false)
        }
    };
    let is_understood =
        is_utf8 && analysis.parse != Parse::Error && !analysis.statements.is_empty();
    shown(text, Dialect::Postgres, is_understood)
}
