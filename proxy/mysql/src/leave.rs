//! The ends of things: a loan, a statement that runs too long, a file, a session.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use bytes::Buf as _;
use cache::sql::Writes;
use protocol::mysql::{
    capabilities::CapabilityFlags,
    exchange::CommandKind,
    packet::{self, HEADER_LEN, Header},
};
use serving::error::SessionError;
use tokio::time::{Instant, timeout};

use super::{
    backend::{Backend, Note},
    catalog,
    last::Last,
    questions::{ask, hear_rows},
    relay::Relay,
    session::{Asks, HIGH_WATER, Session},
    wait::at,
};

/// Longest time for the cleaning of a backend whose client has gone; then it is closed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// MySQL: COM_RESET_CONNECTION.
const COM_RESET_CONNECTION: u8 = 0x1f;

impl Session {
    /// Gives an idle backend back. A KILL on its way is waited for: it must not reach the next client.
    pub(crate) async fn checkin(&mut self) {
        if self.client.thread.slot.is_being_killed() {
            // The client has its answer meanwhile; one that does not read is noticed when it is waited for.
            drop(self.client.flush().await);
        }
        let was_hit = self.client.thread.slot.point_at(None).await;
        if was_hit && let Some(loan) = &mut self.loan {
            // A KILL QUERY that came too late may wait for the next statement: this is it.
            let asked = timeout(LEAVE_TIMEOUT, ask(loan, "DO 0")).await;
            loan.unfit |= !matches!(asked, Ok(Ok(_)));
        }
        if let Some(mut loan) = self.loan.take()
            && !self.client.thread.slot.is_in_doubt()
            && !loan.unfit
            && !loan.is_expired(Instant::now())
        {
            loan.framed.trim_buffers();
            loan.checkin();
        }
    }

    /// Closes a backend that is lost, or said goodbye, and of which nothing is missed.
    pub(crate) async fn part(&mut self) {
        self.loan = None;
        self.client.thread.slot.point_at(None).await;
        self.asks = Asks::default();
        if !self.facts.last.is_known() {
            self.facts.last = Last::default();
        }
    }

    /// Kills the running statement at the origin, whose error then ends it.
    pub(crate) fn cancel_statement(&mut self) {
        self.timed_out = true;
        self.database.metrics.statement_timed_out();
        self.context.common.tasks.spawn(self.client.thread.slot.cancel_insistently());
    }

    /// Passes the file that the server asked for on from the client, up to its empty packet (MySQL: LOCAL INFILE).
    pub(crate) async fn pass_file(&mut self, relay: &mut Relay) -> Result<(), SessionError> {
        // The server counts from its own request, which may have another id than the one that the client was told.
        let Some(mut sequence) = relay.file else { return Ok(()) };
        if !self.client.has(CapabilityFlags::CLIENT_LOCAL_FILES) {
            // Never a file of ours: an empty one, and an error for the client.
            self.end_file(sequence, relay);
            return Ok(());
        }
        loop {
            let Some(header) = Header::peek(self.client.framed.input()) else {
                self.exchange_bytes().await?;
                continue;
            };
            self.client.sequence = header.sequence.wrapping_add(1);
            if header.len == 0 {
                self.client.framed.buffer().advance(HEADER_LEN);
                self.end_file(sequence, relay);
                return Ok(());
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
                if let Some(loan) = &mut self.loan {
                    loan.framed.queue().extend_from_slice(&piece);
                }
            }
        }
    }

    fn end_file(&mut self, sequence: u8, relay: &mut Relay) {
        if let Some(loan) = &mut self.loan {
            packet::put(loan.framed.queue(), &mut { sequence }, b"");
            loan.exchange.file_sent();
        }
        relay.file = None;
    }

    /// Writes to both, and reads from the client what there is room for.
    async fn exchange_bytes(&mut self) -> Result<(), SessionError> {
        let limit = self.client.write_timeout;
        self.client.flush().await?;
        let Some(loan) = &mut self.loan else { return Ok(()) };
        if loan.framed.queued() >= HIGH_WATER || self.client.framed.input().is_empty() {
            timeout(limit, loan.framed.flush())
                .await
                .map_err(|_elapsed| SessionError::BackendLost(std::io::ErrorKind::TimedOut.into()))?
                .map_err(SessionError::BackendLost)?;
        }
        let deadline = self.statement_deadline();
        let Self { client, loan, .. } = self;
        let read = poll_fn(|cx| {
            if let Some(loan) = loan
                && loan.framed.poll_fill(cx).is_ready()
            {
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
                if self.timed_out {
                    return Err(SessionError::BackendLost(std::io::ErrorKind::TimedOut.into()));
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
    pub(crate) async fn leave(&mut self) {
        // The statement may have been committed before we stopped listening.
        self.ran();
        let writes = std::mem::take(&mut self.writes);
        self.invalidate(&writes);
        let Some(mut loan) = self.loan.take() else {
            // It was given up in mid-work, and may be at it still.
            if let Some(writing) = self.writing.take() {
                self.outlive(writing, None);
            }
            return;
        };
        let slot = Arc::clone(&self.client.thread.slot);
        let mut is_clean = false;
        if !loan.is_quiet() {
            // Closing a connection does not stop what it runs.
            Box::pin(slot.cancel()).await;
        } else if !loan.unfit {
            let cleaned = timeout(LEAVE_TIMEOUT, reset(&mut loan)).await;
            is_clean = matches!(cleaned, Ok(Ok(true))) && loan.is_idle();
        }
        // Once more: it may have been committed since, and another session may have asked in between.
        self.invalidate(&writes);
        slot.point_at(None).await;
        if let Some(writing) = self.writing.take()
            && !is_clean
        {
            self.outlive(writing, Some(loan.thread_id));
        }
        if is_clean && !slot.is_in_doubt() {
            loan.checkin();
        }
    }

    /// The statement under way may go on, in the origin's thread of this id where that is known.
    fn outlive(&self, writing: cache::Writing, thread: Option<u32>) {
        let config = Arc::clone(&self.database.config);
        let limit = self.statement_timeout.filter(|_| !self.is_untimed);
        self.context.common.outlive(writing, limit, move || {
            let config = Arc::clone(&config);
            async move {
                match thread {
                    Some(thread) => catalog::is_gone(&config, thread).await,
                    None => std::future::pending().await,
                }
            }
        });
    }

    fn invalidate(&self, writes: &Writes) {
        if *writes != Writes::None {
            self.context.common.cache.invalidate(self.database.catalog.scope(), writes);
        }
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
