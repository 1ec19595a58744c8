//! Asking the origin once more for what the cache has and is about to be too old.

use std::sync::Arc;

use bytes::Bytes;
use cache::{Fill, Freshness};
use protocol::postgres::{frame::FrontendTag, message};
use serving::{
    activity::Seen,
    error::SessionError,
    hold::Hold,
    refresher::{self, Nobody, Unheard},
};

use super::{
    batch::{Frame, Outgoing},
    client::Client,
    handshake::LoggedIn,
    session::Session,
    wait::Event,
};

impl Client {
    /// Asks the origin once more in the background, as a session of its own that nobody listens to.
    ///
    /// Where clients are in line for the connections it is not asked: the next one who finds it stale tries again.
    pub(crate) fn refresh(&self, mut frames: Vec<Frame>, fill: Fill, fresh: Freshness) {
        let Some(turn) = self.database.pool.turn_aside() else { return };
        if frames.last().is_some_and(|frame| frame.tag == FrontendTag::Flush) {
            // Nobody will come back to send it.
            frames.push(Frame::new(FrontendTag::Sync, Bytes::new()));
        }
        let (framed, nobody) = Nobody::stream();
        let client = LoggedIn {
            framed,
            database: Arc::clone(&self.database),
            key: self.context.cancel.issue(&self.database, false),
            base: Arc::clone(&self.facts.base),
            parameters: self.facts.parameters.clone(),
            statement_timeout: self.statement_timeout,
            caching: Arc::clone(&self.caching),
            seen: Seen::default(),
        };
        let context = Arc::clone(&self.context);
        let mut session = Session::new(client, context, self.end.write_timeout());
        session.client.facts = self.facts.for_refresh();
        refresher::refresh(&self.context.common, turn, (session, nobody), (frames, fill, fresh));
    }
}

impl Unheard for Session {
    type Request = Vec<Frame>;

    async fn run(&mut self, frames: Vec<Frame>, fill: Fill) -> Result<(), SessionError> {
        self.run_to_idle(frames, fill).await
    }

    async fn leave(&mut self) {
        Self::leave(self, false).await;
    }
}

impl Session {
    /// Sends one request and relays until it is over.
    async fn run_to_idle(&mut self, frames: Vec<Frame>, fill: Fill) -> Result<(), SessionError> {
        match frames.first() {
            Some(frame) if frame.tag == FrontendTag::Query => {
                let query = message::query_text(&frame.body).unwrap_or_default();
                let client = &self.client;
                let text = client.judge(query, client.analysis(frame.analysis.as_ref(), query));
                self.forward_query(&frame.body, (text, None), Some(fill)).await?;
            }
            _ => {
                let fill = Some(fill);
                self.forward_frames(Outgoing { fill, ..Outgoing::of(frames) }).await?;
            }
        }
        // It has none where it was refused one, or has given it up.
        while let Hold::Held(work) = &self.hold
            && !work.loan.is_idle()
        {
            match self.wait().await? {
                Event::Read => self.relay()?,
                Event::StatementTimeout => self.cancel_statement()?,
                Event::ClientLeft | Event::IdleTooLong => return Ok(()),
                Event::BackendLeft(error) => return Err(SessionError::BackendLost(error)),
            }
        }
        Ok(())
    }
}
