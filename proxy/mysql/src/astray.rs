//! A session whose schema cannot be had any more: another client dropped it, or took the right to it.
//!
//! Servers let a connection go on in such a schema: what needs none works, `DATABASE()` tells its name, and as soon as
//! there is one of that name again it counts. But nobody can be led there. So such a session's commands run on a
//! connection that is in no schema: its name is written into their texts, and what needs a schema is refused as going
//! there was. Each command tries to go there first.
//!
//! A command in front of which this turns out has told the client nothing, and is done once more from its beginning.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::mysql::Mentioned;
use protocol::mysql::reply::ErrPacket;
use serving::error::{ClientError, SessionError};

use super::{
    adopt::{Refusal, Wanted},
    backend::{Backend, Note, OwnFailure},
    session::Session,
    work::Work,
};

/// MySQL, MariaDB: ER_NO_DB_ERROR.
const NO_SCHEMA_SELECTED: u16 = 1046;

/// Whether a session's schema can be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Astray {
    /// It can, as far as anybody knows.
    #[default]
    No,
    /// It has just turned out that it cannot; the command under way is done once more. The payload of the ERR packet.
    Found(Bytes),
    /// It could not be had by the last command.
    Known(Bytes),
}

impl Astray {
    /// What a client is told in place of an error of a backend that is in no schema: that its own cannot be had.
    pub(crate) fn in_place_of(&self, code: u16, backend: &Backend) -> Option<Bytes> {
        match self {
            Self::Known(error) if backend.is_nowhere() && code == NO_SCHEMA_SELECTED => {
                Some(error.clone())
            }
            _ => None,
        }
    }
}

impl Session {
    /// A failure of our own in front of a command that has gone ahead: what that left is rolled back, or the backend is
    /// closed. Behind a schema's only what reads goes ahead, and leaves nothing.
    ///
    /// # Errors
    ///
    /// [`ClientError::SettingLost`] where that takes a transaction along, or whatever else pins: who is not told that it is
    /// gone would go on as if it were there.
    pub(crate) async fn not_led(&mut self, failure: OwnFailure) -> Result<Refusal, SessionError> {
        let begins = self.hold.work().is_some_and(|work| work.begins());
        if begins || self.holds_state() {
            return match failure.note {
                Note::Schema if !begins => Ok(Refusal::Origin(failure.error)),
                _ => Err(ClientError::SettingLost.into()),
            };
        }
        self.leave().await;
        Ok(self.strays(failure))
    }

    /// Whether the backend that it holds has something that no other one has.
    pub(crate) fn holds_state(&self) -> bool {
        !self.facts.pins.is_empty() || self.hold.work().is_some_and(Work::holds_state)
    }

    /// The refusal that a failure of our own in front of a command comes to.
    fn strays(&mut self, failure: OwnFailure) -> Refusal {
        if failure.note != Note::Schema {
            return failure.into();
        }
        match self.facts.astray {
            Astray::No => self.facts.astray = Astray::Found(failure.error),
            Astray::Found(_) => {}
            Astray::Known(_) => return failure.into(),
        }
        Refusal::Again
    }

    /// Whether the command that has just been answered must be done once more.
    pub(crate) fn begins_again(&mut self) -> bool {
        let Astray::Found(error) = &self.facts.astray else { return false };
        let error = error.clone();
        self.facts.astray = Astray::Known(error.clone());
        if self.client.has_heard_nothing() {
            return true;
        }
        // A part of its text has been answered.
        self.client.refuse(&Refusal::Origin(error));
        false
    }

    /// A backend that would not be led to a schema, and is where it `was`: the command goes on without, if the session knows
    /// that and the backend is in none. One that holds something of the client's must not be given up for that.
    pub(crate) async fn stay_out(
        &mut self,
        wanted: &Wanted,
        failure: OwnFailure,
        was: Option<Arc<str>>,
    ) -> Result<Result<(), Refusal>, SessionError> {
        let loan = &mut self.hold.held("stay out of a schema")?.loan;
        loan.schema = was;
        let is_known = matches!(self.facts.astray, Astray::Known(_));
        if is_known && loan.is_nowhere() {
            self.facts.astray = Astray::Known(failure.error);
            return Ok(Ok(()));
        }
        if self.holds_state() {
            return Ok(Err(Refusal::Origin(failure.error)));
        }
        if !is_known {
            return Ok(Err(self.strays(failure)));
        }
        let loan = &mut self.hold.held("leave for no schema")?.loan;
        // First it goes, then another takes its place: the origin never sees more than there may be. Nothing of the client's
        // was on it, and what is to be asked of it the other can be asked.
        loan.quit().await;
        let found_rows = loan.counts;
        match Box::pin(self.database.connect_nowhere(found_rows)).await {
            Ok(backend) => **loan = backend,
            Err(error) => {
                self.part().await;
                return Ok(Err(error.into()));
            }
        }
        let target = loan.target();
        self.client.thread.slot.point_at(Some(target)).await;
        Box::pin(self.adopt(wanted)).await
    }

    /// Whether a text that asks for this is answered by the session, whatever came before it.
    pub(crate) fn asks_for_session(&self, what: Mentioned) -> bool {
        what == Mentioned::ConnectionId
            || what == Mentioned::Schema && self.facts.astray != Astray::No
    }

    /// The name of the schema that cannot be had.
    pub(crate) fn lost_schema(&self) -> Option<Arc<str>> {
        self.facts.schema.clone().filter(|_| self.facts.astray != Astray::No)
    }

    /// Where an error stood in for the backend's, it is what SHOW WARNINGS shows.
    pub(crate) fn remember_in_place(&mut self, code: u16) -> Result<(), SessionError> {
        let work = self.hold.held("remember an error")?;
        if let Astray::Known(error) = &self.facts.astray
            && work.loan.is_nowhere()
            && let Ok(error) = ErrPacket::decode(error)
            && error.code == code
        {
            let sqlstate = error.sqlstate.try_into().unwrap_or(*b"42000");
            self.facts.last.refused(code, sqlstate, &String::from_utf8_lossy(error.message));
        }
        Ok(())
    }
}
