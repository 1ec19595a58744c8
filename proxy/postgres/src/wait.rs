//! Waiting for either peer.

use std::{future::poll_fn, task::Poll, time::Duration};

use protocol::postgres::pipeline::TransactionStatus;
use serving::{
    config::Limit,
    error::{ClientError, SessionError},
    hold::Hold,
};
use tokio::time::Instant;

use super::{
    client::Client,
    client_end::HIGH_WATER,
    session::{Goodbye, Session},
    work::{Trouble, Work},
};

/// How long a statement may go on after it was cancelled (it may have much to roll back, or the way to the origin takes
/// bytes and delivers none); then its backend is given up.
const CANCEL_GRACE: Duration = Duration::from_secs(60);

/// How long messages are held whose client says nothing more. What comes in pieces pauses no longer on most ways.
const HELD: Duration = Duration::from_millis(100);

/// What a wait ended with.
pub(crate) enum Event {
    Read,
    ClientLeft,
    BackendLeft(std::io::Error),
    StatementTimeout,
    /// The client has said nothing for as long as it wished to be let.
    IdleTooLong,
}

impl Session {
    /// Waits for one thing to happen and deals with it, unless it is that the client has left.
    pub(crate) async fn step(&mut self) -> Result<Option<Goodbye>, SessionError> {
        let event = self.wait().await?;
        self.deal(event).await
    }

    /// Waits for one thing to happen: `None` when the client says nothing more and messages of its own are held.
    pub(crate) async fn event(&mut self) -> Result<Option<Event>, SessionError> {
        if self.client.end.batch.is_empty() || self.is_congested() || self.is_barred() {
            return self.wait().await.map(Some);
        }
        // Boxed: most requests come in one piece.
        let held = Box::pin(tokio::time::timeout(HELD, self.wait())).await;
        held.map_or(Ok(None), |waited| waited.map(Some))
    }

    /// Deals with what has happened, unless it is that the client has left.
    pub(crate) async fn deal(&mut self, event: Event) -> Result<Option<Goodbye>, SessionError> {
        match event {
            Event::Read => match &mut self.hold {
                Hold::Held(work) => self.client.relay(work)?,
                // It is the client that has said something, which is taken in its turn.
                Hold::Free => {}
            },
            Event::ClientLeft => return Ok(Some(Goodbye::Unsaid)),
            Event::BackendLeft(error) => {
                let (client, work) = (&mut self.client, self.hold.held("miss")?);
                client.database.doubt.raise();
                Box::pin(work.hear_out()).await;
                client.relay(work)?;
                if !client.may_settle(work) {
                    return Err(SessionError::BackendLost(error));
                }
                // It has answered all that was asked, and nothing of the client's is on it.
                self.part().await;
            }
            Event::StatementTimeout => self.cancel_statement()?,
            Event::IdleTooLong => return Err(ClientError::IdleSession.into()),
        }
        Ok(None)
    }

    /// Waits for bytes of either peer, writing to both meanwhile.
    pub(crate) async fn wait(&mut self) -> Result<Event, SessionError> {
        let Self { client, hold } = self;
        let Hold::Held(work) = hold else { return client.wait().await };
        let may_be_silent = client.database.config.pool.idle_in_transaction_timeout;
        let (limit, passed) = if client.end.is_full() {
            (Instant::now() + client.end.write_timeout(), Err(SessionError::ClientStuck))
        } else if let Some(limit) = work.patience(may_be_silent) {
            (Instant::now() + limit, Err(ClientError::IdleInTransaction.into()))
        } else if let Some((deadline, passed)) = work.deadline() {
            (deadline, Ok(passed))
        } else if let Some(look) = work.drawn.look().filter(|_| work.is_settled()) {
            // To be settled.
            (look, Ok(Event::Read))
        } else {
            return client.turn(work).await;
        };
        tokio::time::timeout_at(limit, client.turn(work)).await.unwrap_or(passed)
    }

    /// Cancels the running statement at the origin, whose error then ends it.
    pub(crate) fn cancel_statement(&mut self) -> Result<(), SessionError> {
        let Self { client, hold } = self;
        hold.held("cancel a statement of")?.trouble = Trouble::TimedOut;
        client.database.metrics.statement_timed_out();
        client.context.common.tasks.spawn(client.end.key.slot.cancel_now());
        Ok(())
    }
}

impl Work {
    /// How long the client may say nothing, while it has a transaction open in which nothing runs: a block, or messages
    /// without their Sync.
    fn patience(&self, limit: Limit) -> Limit {
        let limit = limit?;
        let pipeline = &self.loan.pipeline;
        let is_in_block = pipeline.is_quiet() && pipeline.status() != TransactionStatus::Idle;
        let is_open = pipeline.is_open() && !pipeline.owes() && !pipeline.is_copying_in();
        (is_in_block || is_open).then_some(limit)
    }

    /// The end of the running statement's time, and once it was cancelled, of the wait for its end. A COPY, or what
    /// changes the schema, takes as long as it takes.
    fn deadline(&self) -> Option<(Instant, Event)> {
        let limit = self.limit?;
        if !self.loan.pipeline.owes() || self.loan.pipeline.is_copying_in() {
            return None;
        }
        let deadline = self.asked_at? + limit;
        Some(match self.trouble {
            Trouble::TimedOut => {
                (deadline + CANCEL_GRACE, Event::BackendLeft(std::io::ErrorKind::TimedOut.into()))
            }
            _ => (deadline, Event::StatementTimeout),
        })
    }
}

impl Client {
    /// With no backend held: flush and read, or end where the process drains.
    async fn wait(&mut self) -> Result<Event, SessionError> {
        if self.end.is_full() {
            // More of the client's requests may be here already: they go on once it has read its replies.
            return self.end.flush().await.map(|()| Event::Read);
        }
        let is_silent = self.end.batch.is_empty() && self.end.input().is_empty();
        let is_between = is_silent && self.begun.is_none();
        let in_block = self.database.config.pool.idle_in_transaction_timeout;
        let in_block = in_block.filter(|_| is_silent && self.begun.is_some());
        self.end.framed.release_buffers();
        let Self { end, context, facts, .. } = self;
        let read = poll_fn(|cx| {
            let read = end.framed.poll_fill_while_flushing(cx);
            if read.is_pending() && is_between && context.common.drain.is_given() {
                return Poll::Ready(Err(SessionError::ShutDown));
            }
            read.map_err(SessionError::ClientLost)
        });
        let limit = facts.idle_limit.filter(|_| is_between);
        let read = match limit.or(in_block) {
            Some(limit) => match Box::pin(tokio::time::timeout(limit, read)).await {
                Ok(read) => read?,
                Err(_elapsed) if is_between => return Ok(Event::IdleTooLong),
                Err(_elapsed) => return Err(ClientError::IdleInTransaction.into()),
            },
            None => read.await?,
        };
        Ok(if read == 0 { Event::ClientLeft } else { Event::Read })
    }

    /// Reads from whichever peer has something, writing to both meanwhile. The backend first: its replies free
    /// what it holds.
    async fn turn(&mut self, work: &mut Work) -> Result<Event, SessionError> {
        // What the client said is not all dealt with: that goes on as soon as there is room.
        let has_backlog = self.end.is_full() || work.is_congested();
        let is_barred = work.is_barred();
        let is_deep = work.is_deep();
        let settles = self.may_settle(work);
        let (client, backend) = (&mut self.end.framed, &mut work.loan.framed);
        poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = backend.poll_flush(cx) {
                return Poll::Ready(Ok(Event::BackendLeft(error)));
            }
            if let Poll::Ready(Err(error)) = client.poll_flush(cx) {
                return Poll::Ready(Err(SessionError::ClientLost(error)));
            }
            if settles && !backend.has_output() {
                // All is said and written: the connection can go back.
                return Poll::Ready(Ok(Event::Read));
            }
            let has_room = client.queued() < HIGH_WATER && backend.queued() < HIGH_WATER;
            if has_backlog && has_room && !is_deep {
                return Poll::Ready(Ok(Event::Read));
            }
            if client.queued() < HIGH_WATER
                && let Poll::Ready(read) = backend.poll_fill(cx)
            {
                return Poll::Ready(Ok(match read {
                    Ok(0) => Event::BackendLeft(std::io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => Event::Read,
                    Err(error) => Event::BackendLeft(error),
                }));
            }
            if !has_backlog
                && !is_barred
                && backend.queued() < HIGH_WATER
                && let Poll::Ready(read) = client.poll_fill(cx)
            {
                return Poll::Ready(match read {
                    Ok(0) => Ok(Event::ClientLeft),
                    Ok(_) => Ok(Event::Read),
                    Err(error) => Err(SessionError::ClientLost(error)),
                });
            }
            Poll::Pending
        })
        .await
    }
}
