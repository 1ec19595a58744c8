//! The ends of things: a loan, a session.

use std::{sync::Arc, time::Duration};

use cache::sql::{Writes, postgres::Pin};
use origin::{config::OnHost, pool::Loan};
use protocol::postgres::{
    encode,
    frame::BackendTag,
    pipeline::{Asker, Request as Sent},
};
use serving::{
    config::Limit,
    error::{ClientError, SessionError},
    hold::Hold,
};
use tokio::time::{Instant, timeout};

use super::{
    adopt::own_query,
    backend::{Backend, Note},
    catalog,
    client::Client,
    client_end::Unanswered,
    idle,
    origin::{Origin, take_frame},
    session::Session,
    statements::fail,
    work::Work,
};

/// Longest time for the cleaning of a backend whose client has gone; then it is closed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for the last statement of a client that said goodbye; then the connection is closed, which the
/// database notices when it has something to say.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(60);
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
        let client = &mut self.client;
        // A session without one has nothing to give back.
        let Hold::Held(work) = &mut self.hold else { return Ok(()) };
        if work.is_pinned() != work.pinned.is_some() {
            work.pinned = work.is_pinned().then(|| client.database.metrics.pinned.enter());
        }
        if work.pins.len() != work.pins_told {
            work.pins_told = work.pins.len();
            client.seen.is_pinned_by(work.pins.iter().map(|pin| pin.as_str()));
        }
        if work.loan.pipeline.is_in_doubt() {
            encode::query("", work.loan.framed.queue());
            work.loan.prepared.forget_unnamed();
            work.loan.pipeline.probe();
        }
        let may_go = !client.keeps_home(work) && client.may_settle(work) && work.loan.is_idle();
        if may_go && !work.ask_whose_doing() && !work.lift_idle_limit() {
            self.checkin().await?;
        }
        Ok(())
    }

    /// Gives an idle backend back. A cancel request on its way is waited for: it must not reach the next
    /// client.
    pub(crate) async fn checkin(&mut self) -> Result<(), SessionError> {
        let end = &mut self.client.end;
        let is_in_doubt = match end.key.slot.try_point_away() {
            Some(is_in_doubt) => is_in_doubt,
            None => {
                end.settle_cancel().await;
                end.key.slot.point_at(None).await
            }
        };
        let Some(work) = self.hold.take() else { return Err(SessionError::Unheld("give back")) };
        let Work { mut loan, .. } = *work;
        if !is_in_doubt && !loan.unfit && !loan.is_expired(Instant::now()) {
            loan.framed.trim_buffers();
            if loan.is_touched {
                self.client.context.common.tasks.spawn(clean_apart(loan));
            } else {
                loan.checkin();
            }
        }
        Ok(())
    }

    /// Closes a backend that is lost, and of which nothing is missed.
    pub(crate) async fn part(&mut self) {
        drop(self.hold.take());
        self.client.end.key.slot.point_at(None).await;
    }

    /// Gives up what the session holds: a backend that can be cleaned goes back, any other is closed.
    ///
    /// A client that said goodbye wants its last statement done; one that was lost does not.
    pub(crate) async fn leave(&mut self, said_goodbye: bool) {
        // A session without one has nothing to give up.
        let Some(mut work) = self.hold.take() else { return };
        let client = &self.client;
        work.collect = None;
        if !said_goodbye && work.loan.pipeline.owes() {
            work.is_lost();
        }
        let is_gone = client.end.unanswered == Unanswered::Everything;
        let is_for_life = work.pins.iter().any(|pin| pin.is_for_life());
        let may_clean = !client.end.is_torn() && !is_gone && !is_for_life;
        // What an unread reply has changed we do not know.
        let must_reset = work.is_pinned()
            || idle::has_limit(&work.loan)
            || work.loan.is_touched
            || !work.loan.pipeline.is_quiet()
            || !work.changed_unseen().is_empty();
        let slot = Arc::clone(&client.end.key.slot);
        let cleaned = may_clean && {
            let clean = async {
                if work.loan.pipeline.owes() && !said_goodbye {
                    Box::pin(slot.cancel()).await;
                }
                clean(&mut work.loan, must_reset).await
            };
            let limit = if said_goodbye { GOODBYE_TIMEOUT } else { LEAVE_TIMEOUT };
            matches!(timeout(limit, clean).await, Ok(Ok(())))
        };
        // The statement may have been committed before we stopped listening.
        work.ledger.recheck(client.database.catalog.changes());
        client.invalidate(work.ledger.written(), work.writing.as_ref());
        client.loses_temp(&work);
        let is_in_doubt = slot.point_at(None).await;
        let Work { loan, writing, limit, .. } = *work;
        let is_over = cleaned && loan.is_idle();
        if let Some(writing) = writing {
            if is_over {
                writing.settle();
            } else {
                client.outlive(writing, limit, (loan.on.clone(), loan.key.process));
            }
        }
        if is_over && !is_in_doubt && !loan.unfit {
            loan.checkin();
        }
    }
}

impl Client {
    /// What is temporary goes: others could see in the catalogs that it was there.
    pub(crate) fn loses_temp(&self, work: &Work) {
        if work.pins.contains(&Pin::TempTable) {
            self.invalidate(&Writes::catalogs(), work.writing.as_ref());
        }
    }

    /// The statement under way may go on, in the backend with this process id.
    fn outlive(&self, writing: cache::Writing, limit: Limit, (on, process): (OnHost, u32)) {
        let config = Arc::clone(&self.database.config);
        self.context.common.outlive(writing, limit, move || {
            let (config, on) = (Arc::clone(&config), on.clone());
            async move { catalog::is_gone(&config, &on, process).await }
        });
    }
}

impl Work {
    /// Reads what a dying backend still had to say.
    pub(crate) async fn hear_out(&mut self) {
        let framed = &mut self.loan.framed;
        let read = async {
            while framed.input().len() < MAX_HEARD && matches!(framed.fill().await, Ok(1..)) {}
        };
        drop(timeout(Duration::from_millis(200), read).await);
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
