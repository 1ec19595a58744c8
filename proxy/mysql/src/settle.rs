//! Between two commands: what is asked of a backend, and whether it goes back.

use std::time::Duration;

use origin::net::Framed;
use serving::{config::PoolMode, error::SessionError, hold::Hold};
use tokio::time::timeout;

use super::{relay::Relay, session::Session};

/// Longest time for the questions that are asked at the end of a loan.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether the backend is still there behind a question to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Answered,
    /// It had closed, and nothing of the client's was on it.
    Parted,
}

impl Session {
    /// Gives the backend back if it is idle and nothing keeps it.
    pub(crate) async fn settle(&mut self) -> Result<(), SessionError> {
        self.count_among_pinned();
        match self.hold {
            // The command was answered without one, or has lost it.
            Hold::Free => Ok(()),
            Hold::Held(_) => self.give_back().await,
        }
    }

    async fn give_back(&mut self) -> Result<(), SessionError> {
        let work = self.hold.held("settle")?;
        if work.loan.framed.has_output() && work.loan.owed.is_empty() {
            // The closing of a statement, which nobody answers.
            flush(&mut work.loan.framed, self.client.write_timeout).await?;
        }
        let is_quiet = work.loan.is_quiet();
        if is_quiet && work.loan.exchange.is_in_doubt() {
            self.client.flush().await?;
            if self.ask_whether_a_transaction_is_open().await? == Asked::Parted {
                return Ok(());
            }
        }
        let is_kept = self.is_kept();
        let work = self.hold.held("settle")?;
        let may_go = !work.holds_state() && !is_kept;
        let must_ask = !work.asks.is_empty() || self.facts.asks_charsets;
        if is_quiet
            && (must_ask || (may_go && !self.facts.last.is_known()))
            && self.ask_in_time(may_go).await? == Asked::Parted
        {
            return Ok(());
        }
        // What was asked may have ended a pin.
        let is_kept = self.is_kept();
        let work = self.hold.held("settle")?;
        if work.loan.is_idle() && !is_kept {
            self.clean_and_checkin().await
        } else {
            if !is_quiet && may_go {
                // It has said what nobody asked for: good-bye, mostly. It has answered all, and runs nothing.
                self.part().await;
            }
            Ok(())
        }
    }

    fn count_among_pinned(&mut self) {
        let was_pinned = self.pinned.is_some();
        if self.facts.pins.is_empty() == was_pinned {
            let is_pinned = !self.facts.pins.is_empty();
            self.pinned = is_pinned.then(|| self.database.metrics.pinned.enter());
        }
        // Seldom there are any, and then few.
        if was_pinned || self.pinned.is_some() {
            self.seen.is_pinned_by(self.facts.pins.reasons().into_iter().map(|pin| pin.as_str()));
        }
    }

    /// Whether the session keeps its backend between transactions.
    pub(crate) fn is_kept(&self) -> bool {
        !self.facts.pins.is_empty()
            || self.facts.schema.is_none()
            || self.database.config.pool.mode == PoolMode::Session
    }

    /// Asks what is not known, once the client has its answer. A backend that closed after its last word is lost to the client
    /// only if there was something on it.
    async fn ask_in_time(&mut self, may_go: bool) -> Result<Asked, SessionError> {
        self.client.flush().await?;
        let asked = timeout(ASK_TIMEOUT, self.ask_all()).await;
        match asked.unwrap_or_else(|_elapsed| Err(too_late())) {
            Err(_) if may_go => {
                self.part().await;
                return Ok(Asked::Parted);
            }
            asked => asked?,
        }
        self.note_open_transaction()?;
        Ok(Asked::Answered)
    }

    /// Asks what is not known, the warnings first: any other statement would clear them. Nothing is asked for the sake of
    /// whoever comes next of a backend that stays.
    async fn ask_all(&mut self) -> Result<(), SessionError> {
        self.await_code().await?;
        let stays = self.is_kept() || self.holds_state();
        if stays && self.hold.held("ask")?.asks.is_empty() && !self.facts.asks_charsets {
            return Ok(());
        }
        if !self.facts.last.is_known() {
            self.ask_what_is_left().await?;
        }
        self.ask_what_holds().await?;
        self.hear_unheard()
    }

    /// Takes in what the answers to questions of ours told of the session.
    pub(crate) fn hear_unheard(&mut self) -> Result<(), SessionError> {
        self.facts.last.is_elsewhere();
        let work = self.hold.held("hear what changed")?;
        for changes in std::mem::take(&mut work.loan.unheard) {
            drop(self.hear_changes(&changes, &mut Relay::default())?);
        }
        Ok(())
    }

    /// Takes in whether a transaction is open still.
    pub(crate) fn note_open_transaction(&mut self) -> Result<(), SessionError> {
        let known = (&self.context.common.cache, &self.database.catalog);
        self.hold.held("note whether a transaction is open")?.note_open_transaction(known);
        Ok(())
    }

    async fn clean_and_checkin(&mut self) -> Result<(), SessionError> {
        if self.has_conditions() {
            let forgotten = timeout(ASK_TIMEOUT, self.forget_conditions()).await;
            if !matches!(forgotten, Ok(Ok(()))) {
                self.leave().await;
                return Ok(());
            }
        }
        self.checkin().await
    }
}

/// The backend did not answer in time.
pub(crate) fn too_late() -> SessionError {
    SessionError::BackendLost(std::io::ErrorKind::TimedOut.into())
}

/// Writes what waits for a backend.
pub(crate) async fn flush(backend: &mut Framed, limit: Duration) -> Result<(), SessionError> {
    timeout(limit, backend.flush())
        .await
        .map_err(|_elapsed| too_late())?
        .map_err(SessionError::BackendLost)
}
