//! What bb8 is told: how a connection is opened, and whether it can be kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bb8::ManageConnection;
use tokio::{sync::watch, time::Instant};

use super::{origin::Origin, refusal::Refusals};

/// A connection that goes back when it is dropped, unless it counts as lent.
pub(super) type Connection<O> = bb8::PooledConnection<'static, Manager<O>>;

/// A connection as bb8 keeps it.
#[derive(Debug)]
pub(super) struct Kept<C> {
    pub(super) connection: C,
    /// When it came back; `None` while it is on loan, and so must be closed when it is dropped.
    pub(super) rested_at: Option<Instant>,
}

/// bb8's view of an origin.
#[derive(Debug)]
pub(super) struct Manager<O: Origin> {
    pub(super) origin: O,
    pub(super) failed: watch::Sender<Option<O::Error>>,
    pub(super) refusals: Arc<Refusals<O::Error>>,
    pub(super) attempts: Arc<Attempts>,
}

/// How many connections are being opened.
#[derive(Debug, Default)]
pub(super) struct Attempts(AtomicUsize);

/// One of them, until it is dropped.
struct Attempt<'a>(&'a Attempts);

impl Attempts {
    fn begin(&self) -> Attempt<'_> {
        self.0.fetch_add(1, Ordering::AcqRel);
        Attempt(self)
    }

    /// Whether there is any.
    pub(super) fn are_under_way(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<O: Origin> ManageConnection for Manager<O> {
    type Connection = Box<Kept<O::Connection>>;
    type Error = O::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let _under_way = self.attempts.begin();
        let connected = match self.refusals.permit() {
            Ok(()) => {
                let connected = self.origin.connect().await;
                match &connected {
                    Err(error) => self.refusals.refused(error, O::is_refusal(error)),
                    Ok(_) => self.refusals.forget(),
                }
                connected
            }
            Err(error) => Err(error),
        };
        match connected {
            Ok(connection) => {
                // Also where it cannot stay for long: who waits for it may be served before that.
                let _stays = O::rest(&connection);
                self.failed.send_if_modified(|failure| {
                    *failure = None;
                    // Nobody waits to hear of a success: bb8 hands the connection to the next in line.
                    false
                });
                Ok(Box::new(Kept { connection, rested_at: Some(Instant::now()) }))
            }
            Err(error) => {
                self.failed.send_replace(Some(error.clone()));
                Err(error)
            }
        }
    }

    async fn is_valid(&self, kept: &mut Self::Connection) -> Result<(), Self::Error> {
        let now = Instant::now();
        let rested = kept.rested_at.map_or(Duration::ZERO, |since| now - since);
        self.origin.check(&mut kept.connection, now, rested)
    }

    fn has_broken(&self, kept: &mut Self::Connection) -> bool {
        kept.rested_at.is_none() || !O::rest(&kept.connection)
    }
}
