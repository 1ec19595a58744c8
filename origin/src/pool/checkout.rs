//! Lending connections, in order of arrival.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout_at},
};

use super::{
    loan::Loan,
    manager::{Attempts, Connection, Manager},
    origin::Origin,
    refusal::Refusals,
};
use crate::config::PoolConfig;

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
    pub(super) inner: bb8::Pool<Manager<O>>,
    places: Arc<Semaphore>,
    /// For those who ask on no client's behalf.
    aside: Arc<Semaphore>,
    failures: watch::Receiver<Option<O::Error>>,
    refusals: Arc<Refusals<O::Error>>,
    pub(super) attempts: Arc<Attempts>,
    pub(super) checkout_timeout: Duration,
    max_size: u32,
    min_idle: u32,
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
    /// They stay open for as long as somebody runs [`super::keep_warm`].
    ///
    /// Must be called within a tokio runtime.
    pub fn new(origin: O, config: &PoolConfig) -> Self {
        let (failed, failures) = watch::channel(None);
        let max_size = config.max_size.get();
        let min_idle = config.min_idle.min(max_size);
        let refusals = Arc::<Refusals<_>>::default();
        let attempts = Arc::<Attempts>::default();
        let inner = bb8::Pool::builder()
            .max_size(max_size)
            .min_idle(min_idle)
            .connection_timeout(config.checkout_timeout)
            .idle_timeout(config.idle_timeout)
            .reaper_rate(reaper_rate(config.idle_timeout))
            // Lifetimes are jittered per connection; the origin judges them at checkin.
            .max_lifetime(None)
            .queue_strategy(bb8::QueueStrategy::Lifo)
            // Whoever waits tries again, so that an attempt never sleeps while somebody could be served.
            .retry_connection(false)
            .build_unchecked(Manager {
                origin,
                failed,
                refusals: Arc::clone(&refusals),
                attempts: Arc::clone(&attempts),
            });
        let places = Arc::new(Semaphore::new(max_size as usize));
        let aside = Arc::new(Semaphore::new((max_size as usize).div_ceil(ASIDE)));
        let checkout_timeout = config.checkout_timeout;
        Self {
            inner,
            places,
            aside,
            failures,
            refusals,
            attempts,
            checkout_timeout,
            max_size,
            min_idle,
        }
    }

    /// What an attempt was refused for is another now (the password, say): the next one need not wait.
    pub fn try_anew(&self) {
        self.refusals.forget();
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

    /// Closes the idle connections that are not good any more, instead of when they would be lent.
    pub fn sweep(&self) {
        // Those that are go back when they are dropped.
        drop(std::iter::from_fn(|| self.idle()).collect::<Vec<_>>());
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
    pub(super) async fn connection(
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

    /// Whether as many connections are open as are kept open ahead of demand.
    pub fn is_warm(&self) -> bool {
        self.inner.state().connections >= self.min_idle
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
pub(super) fn reaper_rate(idle_timeout: Option<Duration>) -> Duration {
    let slowest = Duration::from_secs(30);
    idle_timeout.map_or(slowest, |limit| (limit / 4).clamp(Duration::from_millis(50), slowest))
}

/// One connection in so many may serve what no client waits for.
const ASIDE: usize = 4;

/// Who waits for one of the connections in use, as no other could be opened, has another attempt made after this.
const TRY_AGAIN: Duration = Duration::from_millis(500);
