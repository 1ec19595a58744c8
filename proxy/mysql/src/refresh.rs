//! Statements that are run once more, beside their client: to refresh what is kept, or to count its rows.
//!
//! A session of its own does that, to which nobody listens.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use cache::{Fill, Freshness};
use protocol::mysql::{
    capabilities::CapabilityFlags,
    command::{Execute, Known, Query},
};
use serving::{
    activity::Seen,
    error::SessionError,
    hold::Hold,
    observe::CacheStatus,
    refresher::{self, Nobody, REFRESH_TIMEOUT, Unheard},
};
use tokio::time::timeout;

use super::{
    facts::Open, initial::Initial, last::Found, moving::Moving, plan::Text, session::Session,
};

/// What a refresh runs.
#[derive(Clone, Debug)]
pub(crate) enum Again {
    /// A text.
    Text(Text),
    /// A prepared statement with the bytes of its COM_STMT_EXECUTE behind the code.
    Statement { id: u32, open: Box<Open>, body: Bytes },
}

impl Unheard for Session {
    type Request = Again;

    async fn run(&mut self, again: Again, fill: Fill) -> Result<(), SessionError> {
        self.ask_again(&again, Some(fill)).await?;
        self.checkin_if_idle().await
    }

    async fn leave(&mut self) {
        Self::leave(self).await;
    }
}

impl Session {
    /// A session that does the same as this one, and to which nobody listens.
    fn unheard(&self) -> (Self, Nobody) {
        let (framed, nobody) = Nobody::stream();
        let thread = self.context.threads.issue().serve(&self.database);
        let session = Self {
            client: self.client.like(framed, thread),
            database: Arc::clone(&self.database),
            context: Arc::clone(&self.context),
            facts: self.facts.beside(),
            hold: Hold::Free,
            collation: self.collation,
            initial: Initial::Done,
            caching: Arc::clone(&self.caching),
            clock: self.clock.beside(),
            pinned: None,
            seen: Seen::default(),
            learning: None,
            last_status: CacheStatus::Miss,
            moving: Moving::No,
        };
        (session, nobody)
    }

    /// Runs the statement of a kept reply for what `FOUND_ROWS()` says behind it.
    ///
    /// A session that holds a backend may be what the other waits for: then it is not known.
    pub(crate) fn recount(
        &self,
        again: Again,
    ) -> Pin<Box<dyn Future<Output = Option<u64>> + Send + '_>> {
        Box::pin(async move {
            match self.hold {
                Hold::Held(_) => None,
                Hold::Free => self.count_again(again).await,
            }
        })
    }

    async fn count_again(&self, again: Again) -> Option<u64> {
        let (mut session, nobody) = self.unheard();
        let run = async {
            let asked = timeout(REFRESH_TIMEOUT, async {
                session.ask_again(&again, None).await?;
                match session.hold {
                    // It was refused, or has lost it: nothing was counted.
                    Hold::Free => Ok(()),
                    Hold::Held(_) => session.ask_what_is_left().await,
                }
            })
            .await;
            let is_counted = matches!(asked, Ok(Ok(()))) && session.checkin_if_idle().await.is_ok();
            if !is_counted {
                tracing::debug!("a kept reply could not be counted");
            }
            session.leave().await;
            match session.facts.last.found {
                Found::Rows(rows) => Some(rows),
                Found::AtBackend | Found::Replayed(_) => None,
            }
        };
        nobody.hear(run).await
    }

    /// Asks the origin once more in the background, as a session of its own that nobody listens to.
    ///
    /// Where clients are in line for the connections it is not asked: the next one who finds it stale tries again.
    pub(crate) fn refresh(&self, again: Again, fill: Fill, fresh: Freshness) {
        let Some(turn) = self.database.pool.turn_aside() else { return };
        refresher::refresh(&self.context.common, turn, self.unheard(), (again, fill, fresh));
    }

    /// Gives a backend back that can serve somebody else. Any other is left for `leave`.
    async fn checkin_if_idle(&mut self) -> Result<(), SessionError> {
        match &self.hold {
            Hold::Held(work) if work.loan.is_idle() => self.checkin().await,
            Hold::Held(_) | Hold::Free => Ok(()),
        }
    }

    async fn ask_again(&mut self, again: &Again, fill: Option<Fill>) -> Result<(), SessionError> {
        match again {
            Again::Text(text) => {
                let query = Query { attributes: Vec::new(), sql: &text.sql };
                self.forward_query(&query, text, fill).await
            }
            Again::Statement { id, open, body } => {
                // The client may have closed it since.
                self.facts.statements.insert(*id, (**open).clone());
                let known = Known {
                    params: open.statement.shape.params,
                    types: open.types.as_deref(),
                    long_data: &[],
                };
                let attributes = self.client.has(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
                match Execute::decode(body, known, attributes) {
                    Ok(execute) => self.forward_execute(*id, &execute, &open.text, fill).await,
                    Err(_) => Ok(()),
                }
            }
        }
    }
}
