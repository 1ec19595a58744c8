//! A connection on loan.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{manager::Connection, origin::Origin};

/// A connection on loan. [`Loan::checkin`] returns it; dropping it closes it.
///
/// Fields drop in order: the socket closes before its place in line is free.
#[must_use = "dropping a loan closes the connection"]
pub struct Loan<O: Origin> {
    connection: Connection<O>,
    _place: OwnedSemaphorePermit,
}

impl<O: Origin> Loan<O> {
    pub(super) fn new(mut connection: Connection<O>, place: OwnedSemaphorePermit) -> Self {
        connection.rested_at = None;
        Self { connection, _place: place }
    }

    /// Returns the connection. The caller vouches that the backend is idle.
    pub fn checkin(mut self) {
        self.connection.rested_at = Some(Instant::now());
    }
}

impl<O: Origin> Deref for Loan<O> {
    type Target = O::Connection;

    fn deref(&self) -> &Self::Target {
        &self.connection.connection
    }
}

impl<O: Origin> DerefMut for Loan<O> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection.connection
    }
}

impl<O: Origin> fmt::Debug for Loan<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loan")
    }
}
