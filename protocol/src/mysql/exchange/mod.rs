//! Which replies a backend still owes, and so when it may serve somebody else.
//!
//! An [`Exchange`] is fed with the commands that go to a backend and with every packet that comes back, and performs
//! no I/O. It is deliberately strict: a packet that fits no state is a [`Desync`]. Commands may be sent before
//! older ones are answered (the proxy puts its own in front of a client's); a backend answers them in turn.
//!
//! It sees *payloads*. Of one that takes several packets it is given the first only, with that packet's length:
//! what decides is at the front, and a length of `0xFFFFFF` is enough to tell a row from an end of rows.

mod kind;
mod seen;
mod state;
mod step;

use self::state::State;
pub use self::{kind::CommandKind, seen::Seen, state::Exchange};
use super::{
    capabilities::StatusFlags,
    reply::{EOF_HEADER, ERR_HEADER, ends_rows},
};

/// How much of a payload [`Exchange::received`] must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Its first byte; the rest may go through unseen.
    FirstByte,
    /// All of it.
    Whole,
}

/// The backend sent what it did not owe; the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {len} bytes beginning with {first:02x?} does not fit {state}")]
pub struct Desync {
    /// The first byte, if there was one.
    pub first: Option<u8>,
    /// The payload's length.
    pub len: usize,
    /// What was expected.
    pub state: &'static str,
}

impl Exchange {
    /// Records a command on its way to the backend. While [`Self::wants_file`] none must be sent.
    pub fn sent(&mut self, command: CommandKind) {
        if self.state == State::Lost {
            return;
        }
        self.owed.push_back(command);
        if self.state == State::Ready {
            self.begin();
        }
    }

    /// How much [`Self::received`] must be given of the next payload; `payload_len` may be that of its first packet.
    pub fn needs(&self, payload_len: usize, first: u8) -> Needs {
        let many = match self.state {
            State::Columns { .. } | State::Parameters { .. } | State::PreparedColumns { .. } => {
                first != ERR_HEADER
            }
            State::Rows | State::OutParameters | State::FieldList => match first {
                ERR_HEADER => false,
                EOF_HEADER => !ends_rows(payload_len, self.capabilities),
                _ => true,
            },
            _ => false,
        };
        if many { Needs::FirstByte } else { Needs::Whole }
    }

    /// Records a payload from the backend, and says what it is.
    ///
    /// `payload` is all of it where [`Self::needs`] says so, and at least its first byte otherwise; it is empty only
    /// if the payload is. `payload_len` may be that of the first packet.
    ///
    /// # Errors
    ///
    /// [`Desync`] when it was not owed; from then on the backend is never ready again.
    pub fn received<'a>(
        &mut self,
        payload_len: usize,
        payload: &'a [u8],
    ) -> Result<Seen<'a>, Desync> {
        let (first, state) = (payload.first().copied(), self.state.name());
        self.step(payload_len, payload).ok_or_else(|| {
            self.lose();
            Desync { first, len: payload_len, state }
        })
    }

    /// Records that the empty packet that ends a LOCAL INFILE is on its way to the backend.
    pub fn file_sent(&mut self) {
        if self.state == State::LocalInfile {
            self.state = State::AfterFile;
        }
    }

    /// How many commands' replies have not come to their end.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Whether the next that goes to the backend is the file of a LOCAL INFILE, and no command.
    pub fn wants_file(&self) -> bool {
        self.state == State::LocalInfile
    }

    /// Whether nothing is owed, so that a command can be sent.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether the backend said good-bye, or what cannot be: it must be closed.
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// The status that was last heard; before that, autocommit.
    pub fn status(&self) -> StatusFlags {
        self.status
    }

    /// Takes over the status of the OK that ended the login.
    pub fn logged_in(&mut self, status: StatusFlags) {
        self.status = status;
    }

    /// Whether a transaction was open when the status was last heard.
    pub fn in_transaction(&self) -> bool {
        self.status.contains(StatusFlags::SERVER_STATUS_IN_TRANS)
    }

    /// Whether a statement failed since the status was last heard.
    ///
    /// An ERR has no status: a deadlock may have ended the transaction, and with autocommit off, or in a procedure,
    /// one may have begun. Any OK settles it; that of a `COM_PING` costs least.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Trusts the last status although a statement failed after it: its text could not have changed it.
    pub fn settle(&mut self) {
        self.in_doubt = false;
    }

    /// Whether a cursor is open.
    pub fn has_cursor(&self) -> bool {
        !self.cursors.is_empty()
    }

    /// Whether this statement has one, by the backend's id of it.
    pub fn has_cursor_of(&self, statement: u32) -> bool {
        self.cursors.contains(&statement)
    }

    /// Nothing owed, no transaction, no cursor and no doubt: the backend may serve somebody else.
    pub fn is_idle(&self) -> bool {
        self.is_ready() && !self.in_transaction() && !self.in_doubt && !self.has_cursor()
    }
}

#[cfg(test)]
mod tests;
