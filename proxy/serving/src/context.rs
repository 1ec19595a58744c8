//! What sessions of both engines share.
//!
//! It knows neither engine: their `Context`s hold it, and beside it what is their own. `server` makes it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use cache::{Budget, Cache, CacheLimits, Writing};
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
    config::{Config, DatabaseConfig, ListenConfig},
    error::{ClientError, LoginFailure, SessionError},
    files::Shares,
    heavy::Heavy,
    memory::Memory,
    observe::{Metrics, Seldom},
    seats::{Seat, Seats},
    shutdown::{Order, Shutdown},
    throttle::{Throttle, Turn},
};

/// What is assumed of a statement that may run for ever.
const LONGEST_WRITE: Duration = Duration::from_secs(300);
/// When an origin is first asked whether it has done with a connection that was lost.
const FIRST_QUESTION: Duration = Duration::from_millis(50);
/// The longest wait between two such questions. Each doubles the wait before.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longest time for one, login included.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How many are asked at once: when an origin ends, all connections are lost together.
const QUESTIONS: usize = 4;
/// What may show in a log of a name that a stranger gave.
const MAX_NAME_CHARS: usize = 64;

/// The one cache, the one end, and what else there is once per process.
#[derive(Debug)]
pub struct Common {
    /// Replies, of all databases.
    pub cache: Cache,
    /// For what clients have prepared.
    pub statements: Budget,
    /// What goes on beside the sessions: reading catalogs, refreshing replies, cancelling.
    pub tasks: TaskTracker,
    /// What would keep sessions waiting for one another.
    pub heavy: Heavy,
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
    seats: Arc<Seats>,
    throttle: Throttle,
    full: Seldom,
    listen: RwLock<Arc<ListenConfig>>,
    questions: Arc<Semaphore>,
}

/// The place of a client that has logged in, until it is dropped: among all, and among those of its user.
#[must_use = "dropping it gives it to another"]
#[derive(Debug)]
pub struct Place {
    #[expect(dead_code, reason = "held, not read")]
    permit: OwnedSemaphorePermit,
    seat: Seat,
}

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
        let memory = Memory::of(config.cache.capacity_bytes);
        let cache = Cache::new(CacheLimits {
            capacity_bytes: memory.replies,
            collecting_bytes: memory.collecting,
            max_entry_bytes: config.cache.max_entry_bytes,
        });
        let (scraped, shown) = (cache.clone(), Arc::downgrade(&metrics));
        metrics.at_scrape(move || {
            let Some(metrics) = shown.upgrade() else { return };
            let stats = scraped.stats();
            metrics.totals.show_cache(&stats);
        });
        let tasks = TaskTracker::new();
        Arc::new(Self {
            cache,
            statements: Budget::new(memory.statements),
            heavy: Heavy::new(tasks.clone()),
            tasks,
            drain: shutdown.drain().clone(),
            end: shutdown.end().clone(),
            arrivals: Arrivals::new(shares.arrivals),
            places: Arc::new(Semaphore::new(shares.clients)),
            seats: Arc::default(),
            throttle: Throttle::new(),
            full: Seldom::default(),
            metrics,
            listen: RwLock::new(Arc::new(config.listen.clone())),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
        })
    }

    /// A connection is closed on which a write was under way, and it is not known when it ends: its tables are written
    /// until the origin says that it `is_gone`, and at the longest for as long as a statement may run.
    ///
    /// A draining process still serves: only its end is the end of this.
    pub fn outlive<R, E>(
        &self,
        writing: Writing,
        statement_timeout: Option<Duration>,
        is_gone: impl Fn() -> R + Send + 'static,
    ) where
        R: Future<Output = Result<bool, E>> + Send,
        E: std::error::Error + 'static,
    {
        let (end, longest) = (self.end.clone(), statement_timeout.unwrap_or(LONGEST_WRITE));
        let questions = Arc::clone(&self.questions);
        let gone = async move {
            let mut pause = FIRST_QUESTION;
            loop {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                let Ok(_turn) = questions.acquire().await else { return };
                match timeout(QUESTION_TIMEOUT, is_gone()).await {
                    Ok(Ok(true)) => return,
                    Ok(Ok(false)) | Err(_) => {}
                    Ok(Err(error)) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::debug!(error, "a lost connection could not be asked for");
                    }
                }
            }
        };
        self.tasks.spawn(async move {
            tokio::select! {
                () = end.given() => {}
                () = sleep(longest) => {}
                () = gone => {}
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

    /// A place for a client that has logged in as this user of this database.
    ///
    /// # Errors
    ///
    /// [`ClientError::TooManyConnections`], [`ClientError::TooManyOfUser`], [`ClientError::TooManyOfDatabase`].
    pub fn place(&self, config: &DatabaseConfig, user: &str) -> Result<Place, ClientError> {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            self.note_full();
            return Err(ClientError::TooManyConnections);
        };
        let seat = self.seat(config, user, None)?;
        Ok(Place { permit, seat })
    }

    /// A client has logged in anew: it keeps its place among all, and is now one of this user's.
    ///
    /// # Errors
    ///
    /// [`ClientError::TooManyOfUser`], [`ClientError::TooManyOfDatabase`]; then it is still whose it was.
    pub fn change(
        &self,
        place: &mut Place,
        config: &DatabaseConfig,
        user: &str,
    ) -> Result<(), ClientError> {
        if !place.seat.is_of(config, user) {
            place.seat = self.seat(config, user, Some(&place.seat))?;
        }
        Ok(())
    }

    fn seat(
        &self,
        config: &DatabaseConfig,
        user: &str,
        left: Option<&Seat>,
    ) -> Result<Seat, ClientError> {
        self.seats.take(config, user, left).inspect_err(|full| {
            let reason = match full {
                ClientError::TooManyOfDatabase => "too_many_of_database",
                _ => "too_many_of_user",
            };
            self.metrics.login_refused(reason);
            info!(reason, user, database = config.name, "login refused");
        })
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

#[cfg(test)]
mod tests {
    use std::io;

    use cache::{Freshness, KeyBuilder, Lookup, sql::TableName};

    use super::*;
    use crate::{config::sample, salts::Salts};

    /// FAULTS rows 29 and 32: sessions that drain still read from the cache.
    #[tokio::test(start_paused = true)]
    async fn a_lost_write_ends_with_the_process_or_its_time_or_its_backend_and_not_with_the_drain()
    {
        let config = sample::config(&Salts::random(), []);
        let scope: Arc<str> = "s".into();
        let is_written = |common: &Common| {
            let fresh = Freshness {
                max_age: LONGEST_WRITE,
                stale_while_revalidate: LONGEST_WRITE,
                born_by: None,
            };
            let key = KeyBuilder::new("s").finish();
            let lookup = common.cache.lookup(key, &scope, &[TableName::bare("t")], fresh);
            matches!(lookup, Lookup::Written)
        };
        for gone_after in [None, Some(3)] {
            let shutdown = Shutdown::new();
            let common = Common::new(&config, Arc::new(Metrics::new()), &shutdown);
            let writing = common.cache.write(&scope, &cache::sql::Writes::Everything, 0);
            let began = Instant::now();
            common.outlive(writing, None, move || async move {
                match gone_after {
                    Some(seconds) => Ok(began.elapsed() > Duration::from_secs(seconds)),
                    None => Err(io::Error::other("cannot be asked")),
                }
            });
            shutdown.drain().give();
            sleep(Duration::from_secs(2)).await;
            assert!(is_written(&common));
            match gone_after {
                Some(_) => sleep(Duration::from_secs(6)).await,
                None => shutdown.end().give(),
            }
            sleep(Duration::from_millis(1)).await;
            assert!(!is_written(&common), "{gone_after:?}");
        }
    }
}
