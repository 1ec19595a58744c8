//! One client from its login to its leaving.
//!
//! ```text
//!             a request that needs a backend: checkout, adopt
//!   no loan ───────────────────────────────────────────► loan ──┐ owed replies, 'T' / 'E'
//!      ▲                                                  │ ▲   │
//!      │ is_idle() and no pins: checkin                   │ └───┘
//!      └──────────────────────────────────────────────────┤
//!                                                         │ LISTEN, temp table, advisory lock, …
//!                                                         ▼
//!                                                       pinned ── until the state is gone, or the client
//! ```
//!
//! [`Session::serve`] is the story of a session; `forward` sends, `relay` receives, `leave` ends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use origin::{net::Framed, pool::Loan};
use protocol::{
    postgres::{encode, frame::FrontendTag, message, pipeline::TransactionStatus},
    reader::DecodeError,
};
use serving::{
    config::Limit,
    error::{ClientError, SessionError},
    observe::{CacheStatus, metrics::Entered},
    until::until,
};
use tokio::time::Instant;

use super::{
    Context,
    backend::Parameters,
    batch::{Batch, Frame},
    cancel::IssuedKey,
    database::Database,
    facts::Facts,
    fill::Collect,
    handshake::Client,
    intake::Next,
    ledger::Ledger,
    origin::Origin,
    plan::{self, Standing},
    reworded::Signal,
    sequences::Drawn,
    settings::Settings,
    wait::Event,
};

/// A peer that owes us a read is not given more than this.
pub(crate) const HIGH_WATER: usize = 64 * 1024;
/// The most replies that a client may be ahead of.
const MAX_DEPTH: usize = 8192;

/// What went wrong and is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// No backend could be had for an extended request: what follows is skipped up to `Sync`.
    Skipping,
    /// The running statement was cancelled because it ran too long.
    TimedOut,
    /// The origin has said its last word to the client.
    HeardFatal,
    /// The client was given an error of ours in the place of a reply: the rest of its group is not for it.
    Refused,
    /// The backend lacks a statement that it should have, and the client has heard nothing yet: once the group has ended, it
    /// is sent to another backend.
    Again,
}

/// What is waited for before the client is listened to again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The end of a group of its messages, which decides what the next message means.
    Group(u64),
    /// What a backend says of a statement that it was just given.
    Statement,
}

/// The rest of a frame that is passed on piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    pub(crate) to_backend: usize,
    pub(crate) to_client: usize,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Framed,
    pub(crate) database: Arc<Database>,
    pub(crate) context: Arc<Context>,
    pub(crate) key: IssuedKey,
    pub(crate) loan: Option<Loan<Origin>>,
    pub(crate) facts: Facts,
    pub(crate) batch: Batch,
    pub(crate) ledger: Ledger,
    /// While a transaction may be ending of which we have not heard the end.
    pub(crate) writing: Option<cache::Writing>,
    pub(crate) collect: Option<Box<Collect>>,
    pub(crate) passing: Passing,
    pub(crate) last_status: CacheStatus,
    /// The status of the statement that is about to be sent, if the cache was asked.
    pub(crate) next_status: Option<CacheStatus>,
    pub(crate) asked_at: Option<Instant>,
    /// Counts it among those that keep their backend.
    pub(crate) pinned: Option<Entered>,
    /// How long a statement may run.
    pub(crate) statement_timeout: Limit,
    /// How long what is under way may run.
    pub(crate) limit: Limit,
    pub(crate) trouble: Trouble,
    /// What the backend reported when it had just been given these settings.
    pub(crate) lent_with: Option<(Arc<Settings>, Parameters)>,
    /// Where it stands with its sequences.
    pub(crate) drawn: Drawn,
    /// A statement is under way that takes back settings or statements: what is behind it waits for its end.
    pub(crate) barrier: bool,
    /// Something was done that may have ended what pins the session.
    pub(crate) may_release: bool,
    pub(crate) hearing: Option<Hearing>,
    /// The group of messages that last changed a setting.
    pub(crate) last_set: Option<u64>,
    /// The number of a statement that has other rows at this backend than its client was told.
    pub(crate) stale: Option<u64>,
    /// The messages that were sent, for as long as the client has heard nothing of them.
    pub(crate) unheard: Option<Vec<Frame>>,
    /// The error of what was sent ahead of a simple query, until that has ended.
    pub(crate) failed_ahead: Option<Box<[u8]>>,
    /// How many Executes were sent since the backend was idle.
    pub(crate) executes: u32,
    /// What statements that are under way do to other sessions, once they are over.
    pub(crate) signals: Vec<Signal>,
    pub(crate) write_timeout: Duration,
}

/// How a client left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goodbye {
    /// With Terminate.
    Said,
    /// By closing the connection.
    Unsaid,
}

impl Session {
    /// As [`Session::new`]. Takes the box too, which would be held for as long as the session otherwise.
    pub(crate) fn of(
        client: Box<Client>,
        context: Arc<Context>,
        write_timeout: Duration,
    ) -> Box<Self> {
        Box::new(Self::new(*client, context, write_timeout))
    }

    /// A session of a client that has just logged in.
    pub(crate) fn new(client: Client, context: Arc<Context>, write_timeout: Duration) -> Self {
        Self {
            client: client.framed,
            database: client.database,
            context,
            key: client.key,
            loan: None,
            facts: Facts::new(client.base, client.parameters),
            batch: Batch::default(),
            ledger: Ledger::default(),
            writing: None,
            collect: None,
            passing: Passing::default(),
            last_status: CacheStatus::NotAQuery,
            next_status: None,
            asked_at: None,
            pinned: None,
            statement_timeout: client.statement_timeout,
            limit: client.statement_timeout,
            trouble: Trouble::None,
            lent_with: None,
            drawn: Drawn::default(),
            barrier: false,
            may_release: false,
            hearing: None,
            last_set: None,
            stale: None,
            unheard: None,
            failed_ahead: None,
            executes: 0,
            signals: Vec::new(),
            write_timeout,
        }
    }

    /// Serves until the client leaves, then gives back what it holds.
    ///
    /// # Errors
    ///
    /// Why it ended early; the client has been told where it could be.
    pub(crate) async fn run(mut self: Box<Self>) -> Result<(), SessionError> {
        let context = Arc::clone(&self.context);
        let slot = Arc::clone(&self.key.slot);
        let ended = async {
            tokio::select! {
                () = slot.terminated() => ClientError::Terminated.into(),
                ended = context.common.ended() => ended,
            }
        };
        let result = until(self.serve(), ended).await.flatten();
        if let Err(error) = &result {
            self.last_words(error).await;
        }
        // Boxed, as is what a session is opened with: while it lasts it pays for neither.
        Box::pin(self.leave(matches!(result, Ok(Goodbye::Said)))).await;
        result.map(|_goodbye| ())
    }

    /// The story of a session: what the client said is dealt with, what is idle goes back, what comes next is
    /// waited for.
    async fn serve(&mut self) -> Result<Goodbye, SessionError> {
        loop {
            if self.trouble == Trouble::TimedOut && !self.owes() {
                // The request that was to end the last statement must not reach the next one.
                self.settle_cancel().await;
                self.trouble = Trouble::None;
            }
            while !self.is_congested() && !self.is_barred() {
                match self.next_frame()? {
                    Next::Frame(frame) if frame.tag == FrontendTag::Terminate => {
                        return Ok(Goodbye::Said);
                    }
                    Next::Frame(mut frame) => {
                        if frame.is_long() {
                            Box::pin(self.read_ahead(&mut frame)).await;
                        }
                        if let Some(frame) = self.hold(frame) {
                            // Boxed: most sessions are idle, and have no room for it.
                            Box::pin(self.handle(frame)).await?;
                        }
                    }
                    Next::Long(header) => Box::pin(self.begin_passing(header)).await?,
                    Next::Passed => {}
                    Next::Wait => break,
                }
            }
            self.settle().await?;
            match self.event().await? {
                Some(event) => {
                    if let Some(goodbye) = self.deal(event).await? {
                        return Ok(goodbye);
                    }
                }
                // It waits, perhaps for an error: that is told at once, whatever else is not (`errfinish`).
                None => {
                    let flush = Frame::new(FrontendTag::Flush, Bytes::new());
                    Box::pin(self.handle(flush)).await?;
                }
            }
            if self.trouble == Trouble::Again {
                Box::pin(self.send_again()).await?;
            }
        }
    }

    /// Sends one request and relays until it is over.
    pub(crate) async fn run_to_idle(
        &mut self,
        frames: Vec<Frame>,
        fill: cache::Fill,
    ) -> Result<(), SessionError> {
        match frames.first() {
            Some(frame) if frame.tag == FrontendTag::Query => {
                let query = message::query_text(&frame.body).unwrap_or_default();
                let text = self.judge(query, self.analysis(frame.analysis.as_ref(), query));
                self.forward_query(&frame.body, text, Some(fill)).await?;
            }
            _ => self.forward_frames(frames, Some(fill)).await?,
        }
        while self.loan.as_ref().is_some_and(|loan| !loan.is_idle()) {
            match self.wait().await? {
                Event::Read => self.relay()?,
                Event::StatementTimeout => self.cancel_statement(),
                Event::ClientLeft | Event::IdleTooLong => return Ok(()),
                Event::BackendLeft(error) => return Err(SessionError::BackendLost(error)),
            }
        }
        Ok(())
    }

    /// Where the session stands for the next request.
    pub(crate) fn standing(&self) -> Standing {
        match &self.loan {
            Some(loan) if loan.pipeline.is_quiet() && loan.in_transaction() => {
                Standing::InTransaction
            }
            Some(loan) if !loan.pipeline.is_idle() => Standing::Bound,
            _ if !self.facts.pins.is_empty() => Standing::Pinned,
            _ if plan::is_standard(&self.facts.parameters) => Standing::Free,
            _ => Standing::Bound,
        }
    }

    /// Deals at once with a message that nothing need be waited for: skipped, held until it is clear what is wanted, or
    /// sent on to the backend that is at work for the client. Gives any other back.
    fn hold(&mut self, frame: Frame) -> Option<Frame> {
        match self.trouble {
            Trouble::Skipping => {
                self.skip(frame.tag);
                return None;
            }
            Trouble::Refused if frame.tag != FrontendTag::Sync && self.is_in_group() => {
                return None;
            }
            _ => {}
        }
        let (is_part, is_extended) = match frame.tag {
            FrontendTag::Parse
            | FrontendTag::Bind
            | FrontendTag::Describe
            | FrontendTag::Execute
            | FrontendTag::Close => (true, true),
            FrontendTag::Sync | FrontendTag::Flush => (false, true),
            _ => (false, false),
        };
        if !is_extended {
            return Some(frame);
        }
        let asks_us = self.asks_status(&frame);
        if self.is_busy() && self.batch.is_empty() && !asks_us {
            if self.must_hear(&frame).is_some() {
                return Some(frame);
            }
            self.collect = None;
            self.send_on(&[frame]);
            return None;
        }
        if is_part && (asks_us || !self.is_busy()) && self.batch.has_room_for(&frame) {
            self.batch.push(frame);
            return None;
        }
        Some(frame)
    }

    /// Whether a backend is at work for the client, so that what comes belongs to what it is doing.
    pub(crate) fn is_busy(&self) -> bool {
        self.loan.as_ref().is_some_and(|loan| !loan.pipeline.is_idle())
    }

    /// Whether messages were sent whose group has not ended.
    fn is_in_group(&self) -> bool {
        self.loan.as_ref().is_some_and(|loan| loan.pipeline.is_open())
    }

    fn owes(&self) -> bool {
        self.loan.as_ref().is_some_and(|loan| loan.pipeline.owes())
    }

    /// Deals with one message that says what is wanted, or belongs to what is under way.
    async fn handle(&mut self, frame: Frame) -> Result<(), SessionError> {
        let frame = match self.must_hear(&frame) {
            Some(group) => {
                self.hear(group).await?;
                match self.hold(frame) {
                    Some(frame) => frame,
                    None => return Ok(()),
                }
            }
            None => frame,
        };
        match frame.tag {
            FrontendTag::Query => {
                if !self.batch.is_empty() {
                    self.forward_batch(None).await?;
                    if self.trouble == Trouble::Skipping {
                        return Ok(());
                    }
                }
                self.simple_query(frame).await
            }
            FrontendTag::Parse
            | FrontendTag::Bind
            | FrontendTag::Describe
            | FrontendTag::Execute
            | FrontendTag::Close
            | FrontendTag::FunctionCall => {
                self.batch.push(frame);
                self.forward_batch(None).await
            }
            FrontendTag::Sync | FrontendTag::Flush => {
                let is_busy = self.is_busy() && !self.asks_status(&frame);
                self.batch.push(frame);
                if is_busy { self.forward_batch(None).await } else { self.extended_request().await }
            }
            FrontendTag::CopyData | FrontendTag::CopyDone | FrontendTag::CopyFail => {
                // With nothing under way there is no COPY, and PostgreSQL ignores what is left of one.
                if self.loan.is_some() || !self.batch.is_empty() {
                    self.batch.push(frame);
                    self.forward_batch(None).await?;
                }
                Ok(())
            }
            FrontendTag::Terminate => Ok(()),
            FrontendTag::Password | FrontendTag::Unknown(_) => {
                Err(SessionError::ClientProtocol(DecodeError::Value("message type")))
            }
        }
    }

    /// After a refusal in the extended protocol: everything up to `Sync` goes unanswered.
    fn skip(&mut self, tag: FrontendTag) {
        if tag == FrontendTag::Sync {
            self.trouble = Trouble::None;
            encode::ready_for_query(TransactionStatus::Idle, self.client.queue());
        }
    }

    /// Whether one of the peers must read before more is taken from the other.
    pub(crate) fn is_congested(&self) -> bool {
        self.client.queued() >= HIGH_WATER
            || self.loan.as_ref().is_some_and(|loan| loan.framed.queued() >= HIGH_WATER)
            || self.is_deep()
    }

    /// Whether the client is so far ahead of its replies that some must come first.
    pub(crate) fn is_deep(&self) -> bool {
        self.loan.as_ref().is_some_and(|loan| loan.pipeline.depth() >= MAX_DEPTH)
    }

    /// Whether what comes next must wait for the end of what is under way.
    pub(crate) fn is_barred(&self) -> bool {
        // The rest of a pipeline, or of a COPY, is part of what is waited for.
        self.hearing.is_some()
            || self.trouble == Trouble::Again
            || self.barrier
                && self
                    .loan
                    .as_ref()
                    .is_some_and(|loan| !loan.pipeline.is_open() && !loan.pipeline.is_copying_in())
    }
}
