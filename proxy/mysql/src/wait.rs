//! Waiting for either peer.

use std::{future::poll_fn, task::Poll, time::Duration};

use protocol::mysql::{packet, reply};
use serving::{
    error::{ClientError, SessionError},
    hold::Hold,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::session::{HIGH_WATER, Session};

/// MySQL: ER_CLIENT_INTERACTION_TIMEOUT.
const IDLE_WORDS: &str = "The client was disconnected by the server because of inactivity. See wait_timeout and \
                          interactive_timeout for configuring this behavior.";
/// The longest last word of a backend that is passed on.
const MAX_LAST_WORDS: usize = 4096;

/// What a wait ended with.
#[derive(Debug)]
pub(crate) enum Event {
    Read,
    BackendLeft(std::io::Error),
    StatementTimeout,
}

impl Session {
    /// Flushes and reads from the client. False when it has left.
    pub(crate) async fn wait_for_client(&mut self) -> Result<bool, SessionError> {
        let is_between =
            self.client.framed.input().is_empty() && self.hold.is_free() && !self.in_transaction();
        if self.client.framed.input().is_empty() {
            self.client.framed.release_buffers();
        }
        let stuck = self.client.framed.queued() >= HIGH_WATER;
        let patience = self.patience();
        let write_timeout = self.client.write_timeout;
        let Self { client, hold, context, .. } = self;
        let turn = poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = client.framed.poll_flush(cx) {
                return Poll::Ready(Err(SessionError::ClientLost(error)));
            }
            if let Hold::Held(work) = hold
                && work.loan.framed.poll_fill(cx).is_ready()
            {
                // It has closed, or says why it will (MySQL: ER_CLIENT_INTERACTION_TIMEOUT).
                let error = std::io::ErrorKind::UnexpectedEof.into();
                return Poll::Ready(Err(SessionError::BackendLost(error)));
            }
            match client.framed.poll_fill(cx) {
                Poll::Ready(Ok(0)) => Poll::Ready(Ok(false)),
                Poll::Ready(Ok(_)) => Poll::Ready(Ok(true)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(SessionError::ClientLost(error))),
                Poll::Pending if is_between && context.common.drain.is_given() => {
                    Poll::Ready(Err(SessionError::ShutDown))
                }
                Poll::Pending => Poll::Pending,
            }
        });
        let (limit, error) = match patience {
            _ if stuck => (write_timeout, SessionError::ClientStuck),
            Some((limit, error)) => (limit, error.into()),
            None => return turn.await,
        };
        timeout(limit, turn).await.unwrap_or(Err(error))
    }

    /// How long the client may say nothing, and what ends then: the session, or one that has a transaction open.
    fn patience(&self) -> Option<(Duration, ClientError)> {
        let in_transaction = self.in_transaction();
        let in_transaction = self
            .database
            .config
            .pool
            .idle_in_transaction_timeout
            .filter(|_| in_transaction)
            .map(|limit| (limit, ClientError::IdleInTransaction));
        // The server would close the connection, and there is none while the client is idle.
        let idle = self.facts.settings.idle_limit().map(|limit| (limit, ClientError::IdleSession));
        in_transaction.into_iter().chain(idle).min_by_key(|(limit, _)| *limit)
    }

    /// Tells a client that says nothing why it is closed, as its server would: MySQL does, with id 0, and MariaDB just
    /// closes. A backend that the client held has said it itself.
    pub(crate) fn tell_of_idleness(&mut self, error: &SessionError) {
        match error {
            SessionError::Refused(ClientError::IdleSession) if !self.is_mariadb() => {
                self.client.sequence = 0;
                self.client.refuse_text(4031, "HY000", IDLE_WORDS);
            }
            SessionError::BackendLost(_) if self.client.answering.is_none() => {
                // One that is held no more has nothing left to say.
                let Hold::Held(work) = &mut self.hold else { return };
                let taken = packet::take(work.loan.framed.buffer(), MAX_LAST_WORDS);
                let Ok(Some(last)) = taken else { return };
                if last.payload.first() == Some(&reply::ERR_HEADER) {
                    packet::put(self.client.framed.queue(), &mut 0, &last.payload);
                }
            }
            _ => {}
        }
    }

    /// Waits for bytes of the backend, writing to both meanwhile, and noticing when the client leaves.
    pub(crate) async fn turn(&mut self) -> Result<Event, SessionError> {
        let is_stuck = self.client.framed.queued() >= HIGH_WATER;
        let deadline = match is_stuck {
            true => Some(Instant::now() + self.client.write_timeout),
            false => self.clock.deadline(),
        };
        let Self { client, hold, clock, .. } = self;
        let backend = &mut hold.held("wait for")?.loan.framed;
        let turn = poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = backend.poll_flush(cx) {
                return Poll::Ready(Ok(Event::BackendLeft(error)));
            }
            if let Poll::Ready(Err(error)) = client.framed.poll_flush(cx) {
                return Poll::Ready(Err(SessionError::ClientLost(error)));
            }
            if is_stuck && client.framed.queued() < HIGH_WATER {
                // There is room for what was read already.
                return Poll::Ready(Ok(Event::Read));
            }
            if client.framed.queued() < HIGH_WATER
                && let Poll::Ready(read) = backend.poll_fill(cx)
            {
                return Poll::Ready(Ok(match read {
                    Ok(0) => Event::BackendLeft(std::io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => Event::Read,
                    Err(error) => Event::BackendLeft(error),
                }));
            }
            // The next command may come early; more than one is left where it is.
            while client.framed.input().len() < HIGH_WATER {
                match client.framed.poll_fill(cx) {
                    Poll::Ready(Ok(0)) => {
                        let error = std::io::ErrorKind::UnexpectedEof.into();
                        return Poll::Ready(Err(SessionError::ClientLost(error)));
                    }
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(SessionError::ClientLost(error)));
                    }
                    Poll::Pending => break,
                }
            }
            Poll::Pending
        });
        let Some(deadline) = deadline else { return turn.await };
        match timeout_at(deadline, turn).await {
            Ok(event) => event,
            Err(_elapsed) if is_stuck => Err(SessionError::ClientStuck),
            Err(_elapsed) if clock.timed_out => {
                Ok(Event::BackendLeft(std::io::ErrorKind::TimedOut.into()))
            }
            Err(_elapsed) => Ok(Event::StatementTimeout),
        }
    }
}
