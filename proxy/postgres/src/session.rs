//! One client from its login to its leaving.
//!
//! ```text
//!             a request that needs a backend: checkout, adopt
//!     free ───────────────────────────────────────────► held ──┐ owed replies, 'T' / 'E'
//!      ▲                                                  │ ▲   │
//!      │ is_idle() and no pins: checkin                   │ └───┘
//!      └──────────────────────────────────────────────────┤
//!                                                         │ LISTEN, temp table, advisory lock, …
//!                                                         ▼
//!                                                       pinned ── until the state is gone, or the client
//! ```
//!
//! [`Session::serve`] is the story of a session: `intake` takes what the client says, `request` finds who answers it,
//! `begin` gets a backend, `forward` sends, `relay` receives, `leave` ends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::{postgres::frame::FrontendTag, reader::DecodeError};
use serving::{
    error::{ClientError, SessionError},
    hold::Hold,
    until::until,
};

use super::{
    Context,
    batch::Frame,
    client::Client,
    client_end::Unanswered,
    handshake::LoggedIn,
    intake::Next,
    plan::Standing,
    work::{Trouble, Work},
};

/// One client, and the backend that it has at times.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) hold: Hold<Work>,
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
        client: Box<LoggedIn>,
        context: Arc<Context>,
        write_timeout: Duration,
    ) -> Box<Self> {
        Box::new(Self::new(*client, context, write_timeout))
    }

    /// A session of a client that has just logged in.
    pub(crate) fn new(client: LoggedIn, context: Arc<Context>, write_timeout: Duration) -> Self {
        Self { client: Client::new(client, context, write_timeout), hold: Hold::Free }
    }

    /// Serves until the client leaves, then gives back what it holds.
    ///
    /// # Errors
    ///
    /// Why it ended early; the client has been told where it could be.
    pub(crate) async fn run(mut self: Box<Self>) -> Result<(), SessionError> {
        let context = Arc::clone(&self.client.context);
        let slot = Arc::clone(&self.client.end.key.slot);
        let ended = async {
            tokio::select! {
                () = slot.terminated() => ClientError::Terminated.into(),
                ended = context.common.ended() => ended,
            }
        };
        let result = until(self.serve(), ended).await.flatten();
        if let Err(error) = &result {
            self.client.end.last_words(error).await;
        }
        // Boxed, as is what a session is opened with: while it lasts it pays for neither.
        Box::pin(self.leave(matches!(result, Ok(Goodbye::Said)))).await;
        result.map(|_goodbye| ())
    }

    /// The story of a session: what the client said is dealt with, what is idle goes back, what comes next is
    /// waited for.
    async fn serve(&mut self) -> Result<Goodbye, SessionError> {
        loop {
            if let Some(work) = self.hold.work_mut()
                && work.trouble == Trouble::TimedOut
                && !work.loan.pipeline.owes()
            {
                // The request that was to end the last statement must not reach the next one.
                self.client.end.settle_cancel().await;
                work.trouble = Trouble::None;
            }
            while !self.is_congested() && !self.is_barred() {
                match self.next_frame()? {
                    Next::Frame(frame) if frame.tag == FrontendTag::Terminate => {
                        return Ok(Goodbye::Said);
                    }
                    Next::Frame(mut frame) => {
                        if frame.is_long() {
                            Box::pin(self.client.read_ahead(&mut frame)).await;
                        }
                        if let Some(frame) = self.deal_at_once(frame) {
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
            if self.is_to_send_again() {
                Box::pin(self.send_again()).await?;
            }
        }
    }

    /// Deals at once with a message that nothing need be waited for: skipped, held until it is clear what is wanted, or
    /// sent on to the backend that is at work for the client. Gives any other back.
    fn deal_at_once(&mut self, frame: Frame) -> Option<Frame> {
        if self.client.end.unanswered == Unanswered::UpToSync {
            let status = self.transaction();
            self.client.end.skip(frame.tag, status);
            return None;
        }
        let Self { client, hold } = self;
        if let Hold::Held(work) = hold
            && work.trouble == Trouble::Refused
            && work.loan.pipeline.is_open()
            && frame.tag != FrontendTag::Sync
        {
            return None;
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
        if let Hold::Held(work) = hold
            && work.is_busy()
            && !client.may_answer(work, &frame)
        {
            if client.end.batch.is_empty() {
                if client.must_hear(work, &frame).is_some() {
                    return Some(frame);
                }
                work.collect = None;
                client.send_on(work, &[frame], None);
                return None;
            }
            return Some(frame);
        }
        if is_part && client.end.batch.has_room_for(&frame) {
            client.end.batch.push(frame);
            return None;
        }
        Some(frame)
    }

    /// Deals with one message that says what is wanted, or belongs to what is under way.
    async fn handle(&mut self, frame: Frame) -> Result<(), SessionError> {
        let frame = match self.must_hear(&frame) {
            Some(group) => {
                self.hear(group).await?;
                match self.deal_at_once(frame) {
                    Some(frame) => frame,
                    None => return Ok(()),
                }
            }
            None => frame,
        };
        let Client { end, .. } = &mut self.client;
        match frame.tag {
            FrontendTag::Query => {
                if !end.batch.is_empty() {
                    self.forward_batch().await?;
                    if self.client.end.unanswered == Unanswered::UpToSync {
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
                end.batch.push(frame);
                self.forward_batch().await
            }
            FrontendTag::Sync | FrontendTag::Flush => {
                let belongs_to_work = self.is_busy() && !self.may_answer(&frame);
                self.client.end.batch.push(frame);
                if belongs_to_work {
                    self.forward_batch().await
                } else {
                    self.extended_request().await
                }
            }
            FrontendTag::CopyData | FrontendTag::CopyDone | FrontendTag::CopyFail => {
                // With nothing under way there is no COPY, and PostgreSQL ignores what is left of one.
                if !self.hold.is_free() || !end.batch.is_empty() {
                    end.batch.push(frame);
                    self.forward_batch().await?;
                }
                Ok(())
            }
            FrontendTag::Terminate => Ok(()),
            FrontendTag::Password | FrontendTag::Unknown(_) => {
                Err(SessionError::ClientProtocol(DecodeError::Value("message type")))
            }
        }
    }

    /// Where the session stands for the next request.
    pub(crate) fn standing(&self) -> Standing {
        if let Hold::Held(work) = &self.hold {
            if work.loan.pipeline.is_quiet() && work.loan.in_transaction() {
                return Standing::InTransaction;
            }
            if work.is_busy() {
                return Standing::Bound;
            }
            if work.is_pinned() {
                return Standing::Pinned;
            }
        } else if self.client.begun.is_some() {
            return Standing::InTransaction;
        }
        self.client.standing_free()
    }

    /// Whether a backend is at work for the client.
    pub(crate) fn is_busy(&self) -> bool {
        self.hold.work().is_some_and(Work::is_busy)
    }

    /// Whether one of the peers must read before more is taken from the other.
    pub(crate) fn is_congested(&self) -> bool {
        self.client.end.is_full() || self.hold.work().is_some_and(Work::is_congested)
    }

    /// Whether what comes next must wait for the end of what is under way.
    pub(crate) fn is_barred(&self) -> bool {
        self.hold.work().is_some_and(Work::is_barred)
    }

    fn is_to_send_again(&self) -> bool {
        self.hold.work().is_some_and(|work| work.trouble.goes_again())
    }
}
