//! Ends: of requests of our own, and of the client's transactions.

use protocol::postgres::{
    frame::BackendTag,
    message,
    pipeline::{Asker, TransactionStatus},
};
use serving::error::{ClientError, SessionError};
use tokio::time::Instant;

/// The setting by which clients name themselves.
const APPLICATION_NAME: &str = "application_name";

use super::{
    adopt::note_parameter,
    backend::Note,
    client::Client,
    ledger::Committed,
    questions::{PIN_PROBE, ask, is_probed},
    work::{Trouble, Work},
};

impl Client {
    /// The end of a request of our own.
    pub(crate) fn received_ours(
        &mut self,
        work: &mut Work,
        tag: BackendTag,
        done: Option<Note>,
    ) -> Result<(), SessionError> {
        match (tag, done) {
            // A setting could not be given to this backend: the statement behind it must not look as if
            // nothing had happened.
            (BackendTag::ErrorResponse, _)
                if matches!(
                    work.loan.pipeline.current(),
                    Some(Note::PinProbe { .. } | Note::ChangeProbe { .. } | Note::Aside)
                ) =>
            {
                Ok(())
            }
            (BackendTag::ErrorResponse, _) => Err(ClientError::SettingLost.into()),
            (BackendTag::CommandComplete | BackendTag::ReadyForQuery, Some(Note::Begin)) => {
                self.is_open(work);
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::Adopt)) => {
                self.lent(work);
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::Aside)) => {
                work.drawn.has_forgotten();
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::Behind)) => {
                self.ended(work);
                self.after_ready(work);
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::Lift)) => {
                work.barrier = false;
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::ChangeProbe { of_session })) => {
                self.answered(work, of_session);
                Ok(())
            }
            (BackendTag::ReadyForQuery, Some(Note::PinProbe { still: false })) => {
                if work.loan.pipeline.owes() {
                    // A statement behind the question may have pinned the session anew.
                    work.may_release = true;
                } else {
                    work.pins.retain(|pin| !is_probed(*pin));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A setting that the backend reports. What one of our own queries changes is told at its end.
    pub(crate) fn parameter(
        &mut self,
        work: &mut Work,
        frame: &[u8],
        body: &[u8],
    ) -> Result<(), SessionError> {
        note_parameter(&mut work.loan, body)?;
        let is_ours =
            work.loan.pipeline.owes() && work.loan.pipeline.current_asker() == Asker::Proxy;
        if is_ours {
            return Ok(());
        }
        work.collect = None;
        if let Ok((name, value)) = message::parameter_status(body) {
            if name == APPLICATION_NAME {
                self.seen.calls_itself(value);
            }
            self.facts.tell(name, value);
        }
        self.end.queue().extend_from_slice(frame);
        self.gathered(work, BackendTag::ParameterStatus, frame);
        Ok(())
    }

    /// Before the client hears that its transaction has ended: what it wrote is out of the cache.
    pub(crate) fn ready(&mut self, work: &mut Work) {
        if self.begun.is_some() && !work.trouble.goes_again() {
            self.begun = None;
        }
        match work.loan.pipeline.status() {
            TransactionStatus::Idle => {
                let more_is_owed = work.loan.pipeline.owes();
                work.ledger.recheck(self.database.catalog.changes());
                let Committed { effects, footprint, may_release } = work.ledger.idle(more_is_owed);
                self.apply(work, &effects);
                self.complete(work);
                self.invalidate(&footprint.writes, work.writing.as_ref());
                if footprint.changed.schema {
                    self.database.catalog.outdate();
                }
                if footprint.changed.defaults {
                    self.database.generations.outdate();
                }
                if work.loan.pipeline.is_quiet() {
                    work.portals.clear();
                }
                work.may_release |= may_release;
            }
            TransactionStatus::InTransaction => work.ledger.in_transaction(),
            TransactionStatus::Failed => {}
        }
        let names = &self.facts.statements;
        let is_quiet = work.loan.pipeline.is_quiet();
        work.loan.ends_block.take_if(|group| is_quiet || names.was_heard(*group));
        let now = Instant::now();
        self.has_heard(work, now);
        work.asked_at = work.loan.pipeline.owes().then_some(now);
        self.ended(work);
        if work.trouble == Trouble::TimedOut && work.loan.pipeline.owes() {
            // It was sent already, and has a time of its own. Else the next one waits for the request: see `serve`.
            work.trouble = Trouble::None;
        }
    }

    /// What waits for the end of all that was sent.
    fn ended(&self, work: &mut Work) {
        if work.loan.pipeline.is_quiet() {
            work.barrier = false;
            // A question of ours has no time that it may take.
            work.asked_at = None;
            work.drawn.heard();
            self.end_writing(work);
        }
    }

    /// Between two requests: what the client has not been told, and questions of our own.
    pub(crate) fn after_ready(&mut self, work: &mut Work) {
        if work.is_busy() {
            return;
        }
        self.tell_parameters(work);
        if std::mem::take(&mut work.may_release) && work.pins.iter().any(|p| is_probed(*p)) {
            ask(&mut work.loan, PIN_PROBE, Note::PinProbe { still: true });
        }
    }
}
