//! The pool of origin connections: bb8's, and what bb8 does not promise.
//!
//! * **Order.** Waiters are served in order of arrival: a fair semaphore stands in front of bb8.
//! * **Drop closes, checkin returns.** A connection counts as broken until [`Loan::checkin`] has seen it, so a
//!   panic or a cancelled task can lose a connection but never hand a dirty one to the next client.
//! * **A way that ends is left.** A connection whose tunnel is about to end is not kept when it comes back.
//! * **A refusal is heard.** bb8 keeps a waiter waiting while connects fail; here the reason of a failed
//!   connect reaches those who wait, unless another connection may come back to serve them.
//! * **A failure is heeded.** An origin that refused us or could not be reached is not asked again at once
//!   ([`refusal`]); who comes meanwhile hears why without delay.
//! * **Warm.** What died while nobody looked is found and replaced before a client needs it ([`warm`]).
//!
//! What a connection speaks is [`Origin`]'s business; nothing here knows a protocol.

mod doubt;
mod generation;
mod loan;
mod refusal;
#[cfg(test)]
mod tests;
mod warm;

use std::{future::Future, sync::Arc, time::Duration};

use bb8::ManageConnection;
use futures_util::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout_at},
};

use self::refusal::Refusals;
pub use self::{
    doubt::Doubt,
    generation::{Generation, Generations},
    loan::Loan,
    warm::keep_warm,
};
use crate::config::PoolConfig;

/// A database as the pool sees it: how to connect, and the state of a connection on loan.
pub trait Origin: Send + Sync + 'static {
    /// One connection.
    type Connection: Send + 'static;
    /// Why none could be opened. Kept, and told to each who waited for it.
    type Error: std::error::Error + Clone + Send + Sync + 'static;

    /// Opens a connection, login included.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Whether the origin, or who guards it, knows us and said no: another attempt would end the same.
    fn is_refusal(error: &Self::Error) -> bool;

    /// Looks, without a round trip, whether a connection is still good that nobody used for `rested`.
    ///
    /// # Errors
    ///
    /// Why it is not; it will be closed.
    fn check(
        &self,
        connection: &mut Self::Connection,
        now: Instant,
        rested: Duration,
    ) -> Result<(), Self::Error>;

    /// Nobody will use a connection until it is [checked](Self::check) again. `false` where it is to be closed instead,
    /// because the way to the origin is about to end.
    fn rest(connection: &Self::Connection) -> bool;
}

/// Why no connection was lent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckoutError<E: std::error::Error + 'static> {
    /// None became free within the checkout timeout.
    #[error("no connection became free in time")]
    TimedOut,
    /// The origin cannot be reached or refuses us.
    #[error("no connection could be opened")]
    Connect(#[source] E),
    /// The pool was drained.
    #[error("the pool is closed")]
    Closed,
}

/// Connections to one origin with one set of credentials.
#[derive(Debug)]
pub struct Pool<O: Origin> {
    inner: bb8::Pool<Manager<O>>,
    places: Arc<Semaphore>,
    /// For those who ask on no client's behalf.
    aside: Arc<Semaphore>,
    failures: watch::Receiver<Option<O::Error>>,
    checkout_timeout: Duration,
    max_size: u32,
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Open connections.
    pub connections: u32,
    /// Of them, those that nobody uses.
    pub idle: u32,
    /// The most there may be.
    pub max_size: u32,
}

impl<O: Origin> Pool<O> {
    /// A pool that begins to open its first `min_idle` connections, all at the same time.
    ///
    /// They stay open for as long as somebody runs [`keep_warm`].
    ///
    /// Must be called within a tokio runtime.
    pub fn new(origin: O, config: &PoolConfig) -> Self {
        let (failed, failures) = watch::channel(None);
        let max_size = config.max_size.get();
        let inner = bb8::Pool::builder()
            .max_size(max_size)
            .min_idle(config.min_idle.min(max_size))
            .connection_timeout(config.checkout_timeout)
            .idle_timeout(config.idle_timeout)
            .reaper_rate(reaper_rate(config.idle_timeout))
            // Lifetimes are jittered per connection; the origin judges them at checkin.
            .max_lifetime(None)
            .queue_strategy(bb8::QueueStrategy::Lifo)
            // Whoever waits tries again, so that an attempt never sleeps while somebody could be served.
            .retry_connection(false)
            .build_unchecked(Manager { origin, failed, refusals: Refusals::default() });
        let places = Arc::new(Semaphore::new(max_size as usize));
        let aside = Arc::new(Semaphore::new((max_size as usize).div_ceil(ASIDE)));
        Self { inner, places, aside, failures, checkout_timeout: config.checkout_timeout, max_size }
    }

    /// Lends a connection if one is idle and nobody is in line for it.
    pub fn try_checkout(&self) -> Option<Loan<O>> {
        self.try_checkout_like(|_any| true)
    }

    /// As [`Self::try_checkout`], if the next one `fits`.
    pub fn try_checkout_like(&self, fits: impl Fn(&O::Connection) -> bool) -> Option<Loan<O>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let next = self.idle().filter(|next| fits(&next.connection))?;
        Some(Loan::new(next, place))
    }

    /// The right to check a connection out for what no client waits for, while it is held. There is none while clients
    /// take all connections, and for a part of them only.
    pub fn turn_aside(&self) -> Option<OwnedSemaphorePermit> {
        if self.places.available_permits() == 0 {
            return None;
        }
        Arc::clone(&self.aside).try_acquire_owned().ok()
    }

    /// A connection that is open and unused.
    fn idle(&self) -> Option<Connection<O>> {
        if self.inner.state().idle_connections == 0 {
            // To ask would have one opened, and nobody would hear why it could not be.
            return None;
        }
        self.inner.get_owned().now_or_never()?.ok()
    }

    /// Lends a connection, in order of arrival.
    ///
    /// # Errors
    ///
    /// [`CheckoutError`]; a failed connect is reported at once unless other connections are in use and may
    /// come back in time.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the place in line is lost and nothing else.
    pub async fn checkout(&self) -> Result<Loan<O>, CheckoutError<O::Error>> {
        self.checkout_like(|_any| true).await
    }

    /// As [`Self::checkout`], and lends a connection that `fits` where one is idle or there is room to open one. Where
    /// there is neither it lends any other.
    ///
    /// # Errors
    ///
    /// As [`Self::checkout`].
    ///
    /// # Cancel safety
    ///
    /// As [`Self::checkout`].
    pub async fn checkout_like(
        &self,
        fits: impl Fn(&O::Connection) -> bool,
    ) -> Result<Loan<O>, CheckoutError<O::Error>> {
        let deadline = Instant::now() + self.checkout_timeout;
        let place = timeout_at(deadline, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_elapsed| CheckoutError::TimedOut)?
            .map_err(|_closed| CheckoutError::Closed)?;
        // Kept from the pool until this is over, which would lend one of them again.
        let mut others = Vec::new();
        while let Some(connection) = self.idle() {
            if fits(&connection.connection) {
                return Ok(Loan::new(connection, place));
            }
            others.push(connection);
        }
        let free = self.places.available_permits();
        if others.len() > free
            && let Some(other) = others.pop()
        {
            // Each place but this one may be another's connection.
            return Ok(Loan::new(other, place));
        }
        // Boxed: who only waited for his turn has no room for it.
        Ok(Loan::new(Box::pin(self.connection(deadline)).await?, place))
    }

    /// A connection that is open, or opened now.
    async fn connection(
        &self,
        deadline: Instant,
    ) -> Result<Connection<O>, CheckoutError<O::Error>> {
        let mut failures = self.failures.clone();
        failures.mark_unchanged();
        let mut try_again = deadline;
        let connection = self.inner.get_owned();
        tokio::pin!(connection);
        loop {
            tokio::select! {
                biased;
                lent = &mut connection => return lent.map_err(|error| self.not_lent(error)),
                () = tokio::time::sleep_until(deadline) => return Err(self.timed_out()),
                changed = failures.changed() => {
                    changed.map_err(|_closed| CheckoutError::Closed)?;
                    let error = failures.borrow_and_update().clone();
                    if let Some(error) = error && self.inner.state().connections == 0 {
                        return Err(CheckoutError::Connect(error));
                    }
                    try_again = Instant::now() + TRY_AGAIN;
                }
                () = tokio::time::sleep_until(try_again) => {
                    // Another attempt, unless a connection came back.
                    connection.set(self.inner.get_owned());
                    try_again = deadline;
                }
            }
        }
    }

    /// How many connections there are now.
    pub fn status(&self) -> PoolStatus {
        let state = self.inner.state();
        PoolStatus {
            connections: state.connections,
            idle: state.idle_connections,
            max_size: self.max_size,
        }
    }

    fn not_lent(&self, error: bb8::RunError<O::Error>) -> CheckoutError<O::Error> {
        match error {
            bb8::RunError::User(error) => CheckoutError::Connect(error),
            bb8::RunError::TimedOut => self.timed_out(),
        }
    }

    /// A wait that ended without a connection: by the last failure, if there was one.
    fn timed_out(&self) -> CheckoutError<O::Error> {
        match &*self.failures.borrow() {
            Some(error) if self.inner.state().connections == 0 => {
                CheckoutError::Connect(error.clone())
            }
            _ => CheckoutError::TimedOut,
        }
    }
}

/// How often bb8 looks for connections that were idle for too long: often enough to keep that time about.
fn reaper_rate(idle_timeout: Option<Duration>) -> Duration {
    let slowest = Duration::from_secs(30);
    idle_timeout.map_or(slowest, |limit| (limit / 4).clamp(Duration::from_millis(50), slowest))
}

/// A connection that goes back when it is dropped, unless it counts as lent.
type Connection<O> = bb8::PooledConnection<'static, Manager<O>>;

/// One connection in so many may serve what no client waits for.
const ASIDE: usize = 4;

/// Who waits for one of the connections in use, as no other could be opened, has another attempt made after this.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// A connection that came back this recently is lent without asking the operating system whether it is open still.
/// The runtime hears of a close by itself, at its next turn; so in a busy pool the question finds nothing, and is one
/// system call in six.
pub const TRUSTED: Duration = Duration::from_millis(50);

/// A connection as bb8 keeps it.
#[derive(Debug)]
pub struct Kept<C> {
    connection: C,
    /// When it came back; `None` while it is on loan, and so must be closed when it is dropped.
    rested_at: Option<Instant>,
}

/// bb8's view of an origin.
#[derive(Debug)]
pub struct Manager<O: Origin> {
    origin: O,
    failed: watch::Sender<Option<O::Error>>,
    refusals: Refusals<O::Error>,
}

impl<O: Origin> ManageConnection for Manager<O> {
    type Connection = Box<Kept<O::Connection>>;
    type Error = O::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
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
