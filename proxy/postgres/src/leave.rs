//! The ends of things: a loan, a statement that runs too long, a session.

use std::{sync::Arc, time::Duration};

use cache::sql::postgres::Pin;
use origin::pool::Loan;
use protocol::postgres::{
    encode,
    frame::BackendTag,
    pipeline::{Asker, Request as Sent},
};
use serving::{
    config::PoolMode,
    error::{ClientError, SessionError},
    observe::EventStatus,
    until::until,
};
use tokio::time::{Instant, timeout};

use super::{
    adopt::own_query,
    backend::{Backend, Note},
    batch::Frame,
    catalog, idle,
    origin::{Origin, take_frame},
    session::{Session, Trouble},
    statements::fail,
    wire_error,
};

/// Longest time for the cleaning of a backend whose client has gone; then it is closed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for the last statement of a client that said goodbye; then the connection is closed, which the
/// database notices when it has something to say.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for a client to take its last error.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(2);
/// The most that is read of a dying backend.
const MAX_HEARD: usize = 1 << 20;
/// The longest message that is read to be thrown away.
const MAX_DISCARDED: usize = 64 << 20;
/// Throws away what code may have left behind: DISCARD ALL but for statements, of which ours are shared.
const CLEAN_UP: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
    SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP";

impl Session {
    /// Gives the backend back if it is idle and nothing keeps it.
    pub(crate) async fn settle(&mut self) -> Result<(), SessionError> {
        if self.facts.pins.is_empty() == self.pinned.is_some() {
            let is_pinned = !self.facts.pins.is_empty();
            self.pinned = is_pinned.then(|| self.database.metrics.pinned.enter());
        }
        let Some(loan) = &mut self.loan else { return Ok(()) };
        if loan.pipeline.is_in_doubt() {
            encode::query("", loan.framed.queue());
            loan.prepared.forget_unnamed();
            loan.pipeline.probe();
        }
        let may_go = !self.keeps_home()
            && self.may_settle()
            && self.loan.as_ref().is_some_and(|loan| loan.is_idle());
        if may_go && !self.ask_whose_doing() && !self.lift_idle_limit() {
            self.checkin().await;
        }
        Ok(())
    }

    /// Whether the backend may go back as soon as all is written.
    pub(crate) fn may_settle(&self) -> bool {
        self.is_settled() && self.loan.as_ref().is_some_and(|loan| self.is_free_of(loan))
    }

    /// Whether nothing ties the client to this backend at this moment.
    pub(crate) fn is_free_of(&self, backend: &Backend) -> bool {
        let is_kept = !self.facts.pins.is_empty()
            || self.drawn.look().is_some()
            || self.passing.to_backend > 0
            || self.passing.to_client > 0
            || self.database.config.pool.mode == PoolMode::Session;
        backend.pipeline.is_idle() && !is_kept
    }

    /// Whether the backend has nothing to do and nothing to say.
    pub(crate) fn is_settled(&self) -> bool {
        self.loan
            .as_ref()
            .is_some_and(|loan| loan.pipeline.is_idle() && loan.framed.input().is_empty())
    }

    /// What waits for the end of all that was sent.
    pub(crate) fn ended(&mut self, backend: &Backend) {
        self.barrier &= !backend.pipeline.is_quiet();
        if backend.pipeline.is_quiet() {
            self.drawn.heard();
            self.end_writing(backend);
        }
    }

    /// Gives an idle backend back. A cancel request on its way is waited for: it must not reach the next
    /// client.
    pub(crate) async fn checkin(&mut self) {
        let is_in_doubt = match self.key.slot.try_point_away() {
            Some(is_in_doubt) => is_in_doubt,
            None => {
                self.settle_cancel().await;
                self.key.slot.point_at(None).await
            }
        };
        if let Some(mut loan) = self.loan.take()
            && !is_in_doubt
            && !loan.unfit
            && !loan.is_expired(Instant::now())
        {
            loan.framed.trim_buffers();
            if loan.is_touched {
                self.context.common.tasks.spawn(clean_apart(loan));
            } else {
                loan.checkin();
            }
        }
    }

    /// Waits while a cancel request is on its way. The client has its answer meanwhile.
    pub(crate) async fn settle_cancel(&mut self) {
        let (client, limit) = (&mut self.client, self.write_timeout);
        let slot = &self.key.slot;
        // A client that does not read is noticed when it is waited for.
        let told = async { timeout(limit, client.flush()).await };
        drop(Box::pin(async { tokio::join!(told, slot.settled()) }).await);
    }

    /// Closes a backend that is lost, and of which nothing is missed.
    pub(crate) async fn part(&mut self) {
        self.loan = None;
        self.key.slot.point_at(None).await;
    }

    /// Cancels the running statement at the origin, whose error then ends it.
    pub(crate) fn cancel_statement(&mut self) {
        self.trouble = Trouble::TimedOut;
        self.database.metrics.statement_timed_out();
        self.context.common.tasks.spawn(self.key.slot.cancel_now());
    }

    /// Reads what a dying backend still had to say.
    pub(crate) async fn hear_out(&mut self) {
        let Some(loan) = &mut self.loan else { return };
        let read = async {
            while loan.framed.input().len() < MAX_HEARD
                && matches!(loan.framed.fill().await, Ok(1..))
            {}
        };
        drop(timeout(Duration::from_millis(200), read).await);
    }

    /// Tells the client why its session ends, if it can still be told: not in the middle of a message, and not
    /// after the origin has told it.
    pub(crate) async fn last_words(&mut self, error: &SessionError) {
        let Some(told) = error.told() else { return };
        if self.passing.to_client == 0 && self.trouble != Trouble::HeardFatal {
            wire_error::put_fatal(told, self.client.queue());
        }
        let said = timeout(LAST_WORDS_TIMEOUT, self.client.shutdown()).await;
        if !matches!(said, Ok(Ok(()))) {
            tracing::debug!("the client did not take its last error");
        }
    }

    /// Gives up what the session holds: a backend that can be cleaned goes back, any other is closed.
    ///
    /// A client that said goodbye wants its last statement done; one that was lost does not.
    pub(crate) async fn leave(&mut self, said_goodbye: bool) {
        self.collect = None;
        let Some(mut loan) = self.loan.take() else {
            // It was given up in mid-work, and may be at it still.
            if let Some(writing) = self.writing.take() {
                self.outlive(writing, None);
            }
            return;
        };
        let is_torn = self.passing.to_backend > 0 || self.passing.to_client > 0;
        let is_gone = self.trouble == Trouble::HeardFatal;
        let may_clean = !is_torn && !is_gone && !self.facts.pins.contains(&Pin::Load);
        // What an unread reply has changed we do not know.
        let must_reset = !self.facts.pins.is_empty()
            || idle::has_limit(&loan)
            || loan.is_touched
            || !loan.pipeline.is_quiet()
            || !self.changed_unseen(&loan).is_empty();
        let slot = Arc::clone(&self.key.slot);
        let cleaned = may_clean && {
            let clean = async {
                if loan.pipeline.owes() && !said_goodbye {
                    Box::pin(slot.cancel()).await;
                }
                clean(&mut loan, must_reset).await
            };
            let limit = if said_goodbye { GOODBYE_TIMEOUT } else { LEAVE_TIMEOUT };
            matches!(timeout(limit, clean).await, Ok(Ok(())))
        };
        // The statement may have been committed before we stopped listening.
        self.ledger.recheck(self.database.catalog.changes());
        self.invalidate(self.ledger.written());
        let is_in_doubt = slot.point_at(None).await;
        let is_over = cleaned && loan.is_idle();
        if let Some(writing) = self.writing.take() {
            if is_over {
                writing.settle();
            } else {
                self.outlive(writing, Some(loan.key.process));
            }
        }
        if is_over && !is_in_doubt && !loan.unfit {
            loan.checkin();
        }
    }

    /// The statement under way may go on, in the backend with this process id where that is known.
    fn outlive(&self, writing: cache::Writing, process: Option<u32>) {
        let config = Arc::clone(&self.database.config);
        let limit = self.limit;
        self.context.common.outlive(writing, limit, move || {
            let config = Arc::clone(&config);
            async move {
                match process {
                    Some(process) => catalog::is_gone(&config, process).await,
                    None => std::future::pending().await,
                }
            }
        });
    }

    /// Runs one request for the cache, with nobody listening.
    pub(crate) async fn run_once(
        &mut self,
        frames: Vec<Frame>,
        fill: cache::Fill,
    ) -> Result<(), SessionError> {
        let context = Arc::clone(&self.context);
        let run = self.run_to_idle(frames, fill);
        let result = until(run, context.common.ended()).await.flatten();
        self.leave(false).await;
        let status = if result.is_ok() { EventStatus::Complete } else { EventStatus::Error };
        tracing::debug!(?status, "refresh ended");
        result
    }
}

/// Cleans a backend on which code ran that may have left anything behind, while its client goes on. One that does
/// not take it is closed.
async fn clean_apart(mut loan: Loan<Origin>) {
    let cleaned = timeout(LEAVE_TIMEOUT, own_query(&mut loan, CLEAN_UP)).await;
    if matches!(cleaned, Ok(Ok(Ok(())))) && loan.is_idle() {
        loan.applied = Arc::default();
        loan.is_touched = false;
        loan.checkin();
    }
}

/// Brings a backend to where anybody may have it: nothing owed, no transaction, no state of the last client.
async fn clean(backend: &mut Backend, must_reset: bool) -> Result<(), SessionError> {
    if backend.pipeline.is_copying_in() {
        encode::frame(b'f', &[b"the client has left\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::CopyEnd, Asker::Proxy, None);
    }
    if !backend.pipeline.is_quiet() {
        if backend.pipeline.is_open() {
            // What the client has not ended is not committed, as it is not when a server misses its client.
            fail(backend, Asker::Proxy, Note::Fail);
        }
        // Ends a pipeline that the client left open. Where there is none it only costs a ReadyForQuery.
        backend.framed.queue().extend_from_slice(encode::SYNC);
        backend.pipeline.sent(Sent::Sync, Asker::Proxy, None);
        drain(backend).await?;
    }
    if backend.pipeline.is_in_doubt() {
        encode::query("", backend.framed.queue());
        backend.pipeline.probe();
        drain(backend).await?;
    }
    if backend.in_transaction() {
        own_query(backend, "ROLLBACK").await?.map_err(|_body| ClientError::Internal)?;
    }
    if must_reset {
        own_query(backend, "DISCARD ALL").await?.map_err(|_body| ClientError::Internal)?;
        backend.prepared.clear();
        backend.applied = Arc::default();
        backend.home = None;
        backend.is_touched = false;
    }
    Ok(())
}

/// Reads and throws away until nothing is owed.
async fn drain(backend: &mut Backend) -> Result<(), SessionError> {
    backend.framed.flush().await.map_err(SessionError::BackendLost)?;
    while !backend.pipeline.is_quiet() {
        while backend.pipeline.due().is_some() {}
        let taken = take_frame(backend.framed.buffer(), MAX_DISCARDED);
        let Some((tag, body)) = taken.map_err(SessionError::BackendProtocol)? else {
            if !backend.pipeline.is_quiet()
                && backend.framed.fill().await.map_err(SessionError::BackendLost)? == 0
            {
                return Err(SessionError::BackendLost(std::io::ErrorKind::UnexpectedEof.into()));
            }
            continue;
        };
        let tag = BackendTag::from(tag);
        if tag == BackendTag::ParameterStatus {
            super::adopt::note_parameter(backend, &body)?;
        }
        let received = backend.pipeline.received(tag, body.first().copied())?;
        for mut note in received.dropped.into_iter().rev().chain(received.failed) {
            backend.take_back(&mut note);
        }
    }
    Ok(())
}
