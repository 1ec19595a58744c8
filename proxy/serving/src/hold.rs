//! What a session has of its origin: nothing, or a backend and all that only means something with one.

use cache::Gate;
use origin::net::framed::Hold as HoldBack;

use crate::error::{SessionError, untold};

/// Holds back what is written to a backend until a write that goes to it may be sent. Where it may not, the connection fails
/// before anything of it was written.
pub fn behind(gate: Gate) -> HoldBack {
    Box::pin(async move { gate.await.map_err(untold) })
}

/// Whether a session has a backend. `W` is the loan with what is under way on it: it begins with a checkout and ends with
/// the loan, so that nothing of it can outlast its backend or be carried to the next.
#[derive(Debug)]
pub enum Hold<W> {
    /// None: whatever comes next may get any.
    Free,
    /// One. Boxed, so that an idle client pays for a pointer.
    Held(Box<W>),
}

impl<W> Hold<W> {
    /// What is held.
    pub const fn work(&self) -> Option<&W> {
        match self {
            Self::Free => None,
            Self::Held(work) => Some(work),
        }
    }

    /// What is held, to change it.
    pub const fn work_mut(&mut self) -> Option<&mut W> {
        match self {
            Self::Free => None,
            Self::Held(work) => Some(work),
        }
    }

    /// What is held where something must be.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unheld`], which ends the session and is logged: it names what was to be done.
    pub fn held(&mut self, what: &'static str) -> Result<&mut W, SessionError> {
        self.work_mut().ok_or(SessionError::Unheld(what))
    }

    /// Whether nothing is held.
    pub const fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }

    /// Takes what is held, and leaves nothing.
    pub fn take(&mut self) -> Option<Box<W>> {
        match std::mem::replace(self, Self::Free) {
            Self::Free => None,
            Self::Held(work) => Some(work),
        }
    }
}
