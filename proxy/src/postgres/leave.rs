//! The ends of things: a loan, a statement that runs too long, a session.

use std::{sync::Arc, time::Duration};

use cache::sql::{Pin, Writes};
use protocol::postgres::{
    encode,
    frame::BackendTag,
    pipeline::{Asker, Request as Sent},
};
use tokio::time::{Instant, timeout};

use super::{
    adopt::own_query,
    backend::Backend,
    batch::Frame,
    origin::take_frame,
    session::{Session, Trouble},
    wire_error,
};
use crate::{
    error::{ClientError, SessionError},
    observe::EventStatus,
    until::until,
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

impl Session {
    /// Gives an idle backend back. A cancel request on its way is waited for: it must not reach the next
    /// client.
    pub(super) async fn checkin(&mut self) {
        let is_in_doubt = self.key.slot.point_at(None).await;
        if let Some(mut loan) = self.loan.take()
            && !is_in_doubt
            && !loan.unfit
            && !loan.is_expired(Instant::now())
        {
            loan.framed.trim_buffers();
            loan.checkin();
        }
    }

    /// Cancels the running statement at the origin, whose error then ends it.
    pub(super) fn cancel_statement(&mut self) {
        self.trouble = Trouble::TimedOut;
        self.database.metrics.statement_timed_out();
        let slot = Arc::clone(&self.key.slot);
        self.context.common.tasks.spawn(async move { slot.cancel().await });
    }

    /// Reads what a dying backend still had to say.
    pub(super) async fn hear_out(&mut self) {
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
    pub(super) async fn last_words(&mut self, error: &SessionError) {
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
    pub(super) async fn leave(&mut self, said_goodbye: bool) {
        self.collect = None;
        let Some(mut loan) = self.loan.take() else {
            // It was given up in mid-work, and may be at it still.
            if let Some(writing) = self.writing.take() {
                self.outlive(writing);
            }
            return;
        };
        let is_torn = self.passing.to_backend > 0 || self.passing.to_client > 0;
        let is_gone = self.trouble == Trouble::HeardFatal;
        let may_clean = !is_torn && !is_gone && !self.facts.pins.contains(&Pin::Load);
        // What an unread reply has changed we do not know.
        let must_reset = !self.facts.pins.is_empty()
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
        if *self.ledger.writes() != Writes::None {
            self.context.common.cache.invalidate(&self.database.scope, self.ledger.writes());
        }
        let is_in_doubt = slot.point_at(None).await;
        let is_over = cleaned && loan.is_idle();
        if let Some(writing) = self.writing.take()
            && !is_over
        {
            self.outlive(writing);
        }
        if is_over && !is_in_doubt && !loan.unfit {
            loan.checkin();
        }
    }

    fn outlive(&self, writing: cache::Writing) {
        self.context.common.outlive(writing, self.database.config.pool.statement_timeout);
    }

    /// Runs one request for the cache, with nobody listening.
    pub(super) async fn run_once(
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

/// Brings a backend to where anybody may have it: nothing owed, no transaction, no state of the last client.
async fn clean(backend: &mut Backend, must_reset: bool) -> Result<(), SessionError> {
    if backend.pipeline.is_copying_in() {
        encode::frame(b'f', &[b"the client has left\0"], backend.framed.queue());
        backend.pipeline.sent(Sent::CopyEnd, Asker::Proxy, None);
    }
    if !backend.pipeline.is_quiet() {
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
