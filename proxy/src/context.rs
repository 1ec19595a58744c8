//! What sessions of both engines share.
//!
//! It knows neither engine: their `Context`s hold it, and beside it what is their own. `server` makes it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use cache::{Cache, CacheLimits, Writing};
use parking_lot::RwLock;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::task::TaskTracker;
use tracing::{Span, info, warn};

use crate::{
    arrivals::{Arrivals, Stranger},
    config::{Config, ListenConfig},
    error::{ClientError, LoginFailure, SessionError},
    files::Shares,
    observe::{Metrics, Seldom},
    shutdown::{Order, Shutdown},
    throttle::{Throttle, Turn},
};

/// What is assumed of a statement that may run for ever.
const LONGEST_WRITE: Duration = Duration::from_secs(300);
/// What may show in a log of a name that a stranger gave.
const MAX_NAME_CHARS: usize = 64;

/// The one cache, the one end, and what else there is once per process.
#[derive(Debug)]
pub struct Common {
    /// Replies, of all databases.
    pub cache: Cache,
    /// What goes on beside the sessions: reading catalogs, refreshing replies, cancelling.
    pub tasks: TaskTracker,
    /// Asks sessions to end when they can.
    pub drain: Order,
    /// Ends them.
    pub end: Order,
    /// Who has not logged in yet.
    pub arrivals: Arc<Arrivals>,
    /// Every counter of the process.
    pub metrics: Arc<Metrics>,
    /// For those who have: `max_clients`, or as many as there are files for.
    places: Arc<Semaphore>,
    throttle: Throttle,
    full: Seldom,
    listen: RwLock<Arc<ListenConfig>>,
}

/// The place of a client that has logged in, until it is dropped.
#[must_use = "dropping it gives it to another"]
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// Who tries to log in.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// From where; `None` where there is no network in between.
    pub address: Option<IpAddr>,
    /// As the client says.
    pub user: &'a str,
    /// The database that it asks for; empty where it names none.
    pub database: &'a str,
}

impl Attempt<'_> {
    fn address(&self) -> IpAddr {
        self.address.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }
}

impl Common {
    /// Makes an empty cache, which is counted.
    pub fn new(config: &Config, metrics: Arc<Metrics>, shutdown: &Shutdown) -> Arc<Self> {
        let shares = Shares::of(config);
        if let Some(lacking) = shares.lacking {
            warn!(
                clients = shares.clients,
                max_clients = config.listen.max_clients,
                needed = lacking,
                "too few files may be open for max_clients, so fewer clients are let in; raise the limit \
                 (ulimit -n, or LimitNOFILE= of systemd)"
            );
        }
        let cache = Cache::new(CacheLimits {
            capacity_bytes: config.cache.capacity_bytes,
            max_entry_bytes: config.cache.max_entry_bytes,
        });
        let (scraped, shown) = (cache.clone(), Arc::downgrade(&metrics));
        metrics.at_scrape(move || {
            let Some(metrics) = shown.upgrade() else { return };
            let stats = scraped.stats();
            metrics.cache_bytes.set(i64::try_from(stats.bytes).unwrap_or(i64::MAX));
            metrics.cache_entries.set(i64::try_from(stats.entries).unwrap_or(i64::MAX));
        });
        Arc::new(Self {
            cache,
            tasks: TaskTracker::new(),
            drain: shutdown.drain().clone(),
            end: shutdown.end().clone(),
            arrivals: Arrivals::new(shares.arrivals),
            places: Arc::new(Semaphore::new(shares.clients)),
            throttle: Throttle::new(),
            full: Seldom::default(),
            metrics,
            listen: RwLock::new(Arc::new(config.listen.clone())),
        })
    }

    /// A connection is closed on which a write was under way, and it is not known when it ends: its tables are
    /// written for as long as a statement may run.
    pub fn outlive(&self, writing: Writing, statement_timeout: Option<Duration>) {
        let (drain, longest) = (self.drain.clone(), statement_timeout.unwrap_or(LONGEST_WRITE));
        self.tasks.spawn(async move {
            tokio::select! {
                () = drain.given() => {}
                () = sleep(longest) => {}
            }
            drop(writing);
        });
    }

    /// Wakes who waits when the process drains, so that he looks for [`Common::drain`] himself, and ends when it
    /// must end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn ended(&self) -> SessionError {
        self.drain.given().await;
        // Given just now, who waits may have looked before: once more.
        yield_now().await;
        self.end.given().await;
        SessionError::ShutDown
    }

    /// Whether another client could be served.
    pub fn has_place(&self) -> bool {
        self.places.available_permits() > 0
    }

    /// A client is refused because there are too many.
    pub fn note_full(&self) {
        self.metrics.login_refused("too_many_clients");
        if let Some(unsaid) = self.full.turn() {
            warn!(unsaid, "a client is refused: there are as many as max_clients allows");
        }
    }

    /// A place for a client that has logged in.
    ///
    /// # Errors
    ///
    /// [`ClientError::TooManyConnections`].
    pub fn place(&self) -> Result<Place, ClientError> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Ok(Place(place)),
            Err(_none) => {
                self.note_full();
                Err(ClientError::TooManyConnections)
            }
        }
    }

    /// Runs a login to its end, as long as it may take and nobody else needs its room.
    ///
    /// # Errors
    ///
    /// Those of `login`, and that it took too long.
    ///
    /// # Cancel safety
    ///
    /// That of `login`.
    pub async fn in_time<T>(
        &self,
        stranger: &Stranger,
        login: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<T, SessionError> {
        let limit = self.listen().login_timeout;
        match stranger.unless_pushed_out(timeout(limit, login)).await {
            Some(Ok(opened)) => opened,
            Some(Err(_elapsed)) => {
                self.metrics.login_refused("timed_out");
                Err(SessionError::LoginTimedOut)
            }
            None => {
                self.metrics.login_refused("pushed_out");
                Err(SessionError::PushedOut)
            }
        }
    }

    /// Waits until a login may go on: at once, unless too many of the kind have failed.
    ///
    /// # Errors
    ///
    /// [`ClientError::TooManyFailures`] where it would wait too long.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, a turn is lost.
    pub async fn turn(&self, attempt: &Attempt<'_>) -> Result<(), ClientError> {
        let (max, now) = (self.listen().max_failed_logins, Instant::now());
        match self.throttle.turn(attempt.address(), attempt.user, max, now) {
            Turn::Now => {}
            Turn::At(turn) => sleep_until(turn).await,
            Turn::Never => {
                self.metrics.login_refused("too_many_failures");
                return Err(ClientError::TooManyFailures);
            }
        }
        Ok(())
    }

    /// A login came to nothing: says so, and slows down who may be guessing.
    pub fn login_failed(&self, why: LoginFailure, attempt: &Attempt<'_>) {
        let (reason, user, database) = (why.word(), shown(attempt.user), shown(attempt.database));
        self.metrics.login_refused(reason);
        info!(reason, user, database, "login refused");
        if !why.is_guess() {
            return;
        }
        let failures = self.throttle.failed(attempt.address(), attempt.user, Instant::now());
        if failures > 0 && failures == self.listen().max_failed_logins {
            warn!(user, failures, "too many wrong passwords in a minute, from now on logins wait");
        }
    }

    /// Takes in a new file, for the clients that come from now on.
    pub fn reload(&self, config: &Config) {
        *self.listen.write() = Arc::new(config.listen.clone());
    }

    /// How clients are received at this moment.
    pub fn listen(&self) -> Arc<ListenConfig> {
        Arc::clone(&self.listen.read())
    }
}

/// Whose session it is, for all that is logged of it from now on.
pub fn note_client(user: &str, database: &str) {
    Span::current().record("user", user).record("database", database);
}

/// A name that a stranger gave, as far as a log can hold it.
fn shown(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(MAX_NAME_CHARS).collect()
}
