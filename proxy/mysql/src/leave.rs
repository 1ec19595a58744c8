//! The ends of things: a loan, a statement that runs too long, a file, a session.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use bytes::Buf as _;
use origin::config::OnHost;
use protocol::mysql::{
    capabilities::CapabilityFlags,
    exchange::CommandKind,
    packet::{self, HEADER_LEN, Header},
};
use serving::{error::SessionError, hold::Hold};
use tokio::time::{Instant, timeout};

use super::{
    backend::{Backend, Note},
    catalog,
    clock::at,
    last::Last,
    questions::{ask, hear_rows},
    relay::Relay,
    session::{HIGH_WATER, Session},
    settle::{flush, too_late},
};

/// Longest time for the cleaning of a backend whose client has gone; then it is closed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// MySQL: COM_RESET_CONNECTION.
const COM_RESET_CONNECTION: u8 = 0x1f;

impl Session {
    /// Gives an idle backend back. A KILL on its way is waited for: it must not reach the next client.
    pub(crate) async fn checkin(&mut self) -> Result<(), SessionError> {
        if self.client.thread.slot.is_being_killed() {
            // The client has its answer meanwhile; one that does not read is noticed when it is waited for.
            drop(self.client.flush().await);
        }
        let was_hit = self.client.thread.slot.point_at(None).await;
        let loan = &mut self.hold.held("give back")?.loan;
        if was_hit {
            // A KILL QUERY that came too late may wait for the next statement: this is it.
            let asked = timeout(LEAVE_TIMEOUT, ask(loan, "DO 0")).await;
            loan.unfit |= !matches!(asked, Ok(Ok(_)));
        }
        let is_fit = !self.client.thread.slot.is_in_doubt()
            && !loan.unfit
            && !loan.is_expired(Instant::now());
        match self.hold.take() {
            Some(mut work) if is_fit => {
                work.loan.framed.trim_buffers();
                work.loan.checkin();
            }
            // Dropped, it is closed.
            _ => {}
        }
        Ok(())
    }

    /// Closes a backend that is lost, or said goodbye, and of which nothing is missed.
    pub(crate) async fn part(&mut self) {
        self.hold = Hold::Free;
        self.client.thread.slot.point_at(None).await;
        if !self.facts.last.is_known() {
            self.facts.last = Last::default();
        }
    }

    /// Kills the running statement at the origin, whose error then ends it.
    pub(crate) fn cancel_statement(&mut self) {
        self.clock.timed_out = true;
        self.database.metrics.statement_timed_out();
        self.context.common.tasks.spawn(self.client.thread.slot.cancel_insistently());
    }

    /// Passes the file that the server asked for on from the client, up to its empty packet (MySQL: LOCAL INFILE).
    ///
    /// The server counts from its own request, which may have another id than the one that the client was told: the first
    /// packet has this `sequence` id.
    pub(crate) async fn pass_file(
        &mut self,
        mut sequence: u8,
        relay: &mut Relay,
    ) -> Result<(), SessionError> {
        if !self.client.has(CapabilityFlags::CLIENT_LOCAL_FILES) {
            // Never a file of ours: an empty one, and an error for the client.
            return self.end_file(sequence, relay);
        }
        loop {
            let Some(header) = Header::peek(self.client.framed.input()) else {
                self.exchange_bytes().await?;
                continue;
            };
            self.client.sequence = header.sequence.wrapping_add(1);
            if header.len == 0 {
                self.client.framed.buffer().advance(HEADER_LEN);
                return self.end_file(sequence, relay);
            }
            if let Some(id) = self.client.framed.buffer().get_mut(HEADER_LEN - 1) {
                *id = sequence;
            }
            sequence = sequence.wrapping_add(1);
            let mut left = header.packet_len();
            while left > 0 {
                let have = left.min(self.client.framed.input().len());
                if have == 0 {
                    self.exchange_bytes().await?;
                    continue;
                }
                let piece = self.client.framed.buffer().split_to(have);
                left -= have;
                let loan = &mut self.hold.held("pass a file on")?.loan;
                loan.framed.queue().extend_from_slice(&piece);
            }
        }
    }

    fn end_file(&mut self, mut sequence: u8, relay: &mut Relay) -> Result<(), SessionError> {
        let loan = &mut self.hold.held("end a file")?.loan;
        packet::put(loan.framed.queue(), &mut sequence, b"");
        loan.exchange.file_sent();
        relay.file = None;
        Ok(())
    }

    /// Writes to both, and reads from the client what there is room for.
    async fn exchange_bytes(&mut self) -> Result<(), SessionError> {
        let limit = self.client.write_timeout;
        self.client.flush().await?;
        let Self { client, hold, clock, .. } = self;
        let backend = &mut hold.held("pass a file on")?.loan.framed;
        if backend.queued() >= HIGH_WATER || client.framed.input().is_empty() {
            flush(backend, limit).await?;
        }
        let deadline = clock.deadline();
        let read = poll_fn(|cx| {
            if backend.poll_fill(cx).is_ready() {
                // A server reads a file to its end whatever became of it, unless it closes.
                let error = std::io::ErrorKind::UnexpectedEof.into();
                return Poll::Ready(Err(SessionError::BackendLost(error)));
            }
            client.framed.poll_fill(cx).map_err(SessionError::ClientLost)
        });
        let read = tokio::select! {
            biased;
            read = read => read?,
            // It holds a backend, and perhaps locks, all the while.
            () = tokio::time::sleep(limit) => return Err(SessionError::ClientStuck),
            () = at(deadline) => {
                if self.clock.timed_out {
                    return Err(too_late());
                }
                self.cancel_statement();
                return Ok(());
            }
        };
        match read {
            0 => Err(SessionError::ClientLost(std::io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    /// Gives up what the session holds: a backend that can be cleaned goes back, any other is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the session holds it still, to give it up once more.
    pub(crate) async fn leave(&mut self) {
        // One that holds nothing gives nothing up.
        if self.leaves_a_read().await {
            return;
        }
        let Hold::Held(work) = &mut self.hold else { return };
        let (cache, scope) = (&self.context.common.cache, self.database.catalog.scope());
        let slot = &self.client.thread.slot;
        // The statement may have been committed before we stopped listening.
        work.ran();
        work.invalidate(cache, scope);
        let mut is_clean = false;
        if !work.loan.is_quiet() {
            // Closing a connection does not stop what it runs.
            Box::pin(slot.cancel()).await;
        } else if !work.loan.unfit {
            let cleaned = timeout(LEAVE_TIMEOUT, reset(&mut work.loan)).await;
            is_clean = matches!(cleaned, Ok(Ok(true))) && work.loan.is_idle();
        }
        // Once more: it may have been committed since, and another session may have asked in between.
        work.invalidate(cache, scope);
        slot.point_at(None).await;
        if let Some(writing) = work.writing.take()
            && !is_clean
        {
            let running = (work.loan.on.clone(), work.loan.thread_id);
            self.outlive(writing, running);
        }
        match self.hold.take() {
            Some(work) if is_clean && !self.client.thread.slot.is_in_doubt() => work.loan.checkin(),
            // Dropped, it is closed.
            _ => {}
        }
    }

    /// The statement under way may go on, in the origin's thread of this id.
    fn outlive(&self, writing: cache::Writing, (on, thread): (OnHost, u32)) {
        let config = Arc::clone(&self.database.config);
        self.context.common.outlive(writing, self.clock.limit(), move || {
            let (config, on) = (Arc::clone(&config), on.clone());
            async move { catalog::is_gone(&config, &on, thread).await }
        });
    }
}

/// Brings a backend to where anybody may have it: no transaction, no state of the last client.
async fn reset(backend: &mut Backend) -> Result<bool, SessionError> {
    backend.send(CommandKind::ResetConnection, &[COM_RESET_CONNECTION], Note::Question);
    let done = hear_rows(backend).await?.is_ok();
    if done {
        backend.was_reset();
    }
    Ok(done)
}
