//! The metrics of one database, and when each of them moves.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use origin::pool::{CheckoutError, Loan, Origin, Pool, PoolStatus};
use parking_lot::Mutex;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};
use tokio::time::Instant;

use super::{
    capture::{CaptureMetrics, Change},
    failures::{DatabaseFailures, Seldom},
    families::Shown,
    gauge::InFlight,
    labels::{DatabaseLabels, PoolLabels, QueryLabels, SavedLabels, SessionLabels},
    saved::Saved,
    status::CacheStatus,
};
use crate::activity::{
    Activity, Counts, Seen, Timed, Who,
    told::{DatabaseActivity, PoolActivity},
};

/// How a client's session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventStatus {
    /// The client said goodbye, or left in good order.
    Complete,
    /// Anything else.
    Error,
}

/// The handles of one database, resolved when it was first used.
#[derive(Debug)]
pub struct DatabaseMetrics {
    queries: [Counter; CacheStatus::ALL.len()],
    sessions_complete: Counter,
    sessions_error: Counter,
    /// Bytes of statements from clients; added once per flush towards the origin.
    pub query_bytes: Counter,
    /// Bytes of replies to clients; added once per flush towards the client.
    pub result_bytes: Counter,
    /// Statements whose text is read on another thread; added when it is handed over.
    pub heavy_texts: Counter,
    /// Reads in transactions that the cache would have been asked, had that been allowed; added when one comes.
    pub transaction_reads: Counter,
    /// Each is shown once there is something to show.
    query_seconds: [OnceLock<Timed>; CacheStatus::ALL.len()],
    round_trips_saved: [Counter; Saved::ALL.len()],
    /// Shown while anything is captured.
    capture: Mutex<Option<CaptureMetrics>>,
    /// From the start of a dial to the end of the login; observed when a backend is ready.
    pub connect_seconds: Histogram,
    /// From asking the pool to getting a backend; observed when it is got.
    pub checkout_seconds: Histogram,
    /// Backends that nobody uses.
    pub pool_idle: Gauge,
    /// Backends on loan.
    pub pool_in_use: Gauge,
    /// The pool's limit; set when the pool is made.
    pub pool_max_size: Gauge,
    /// Times that another host of the origin came into use; added when it does.
    pub failovers: Counter,
    /// Which host of the origin is in use, from 0; set when a backend is ready.
    pub host: Gauge,
    /// Clients in line for a backend.
    pub waiting: InFlight,
    /// Sessions that keep their backend at this moment.
    pub pinned: InFlight,
    /// What failed.
    pub failures: Arc<DatabaseFailures>,
    checkouts_timed_out: Seldom,
    statements_timed_out: Seldom,
    /// Statements by shape, and who is there.
    pub activity: Arc<Activity>,
    shown: Arc<Shown>,
}

impl DatabaseMetrics {
    /// Those of a database that is shown.
    pub(super) fn of(shown: Arc<Shown>) -> Self {
        let (all, name) = (&shown.families, shown.name.as_str());
        let labels = DatabaseLabels::of(name);
        let query = |status: CacheStatus| QueryLabels::of(name, status.word());
        let session = |status| SessionLabels::of(name, status);
        let saved = |kind: Saved| SavedLabels::of(name, kind.word());
        let pool = |state| PoolLabels::of(name, state);
        Self {
            queries: CacheStatus::ALL.map(|status| all.queries.get_or_create_owned(&query(status))),
            sessions_complete: all.sessions.get_or_create_owned(&session("complete")),
            sessions_error: all.sessions.get_or_create_owned(&session("error")),
            query_bytes: all.query_bytes.get_or_create_owned(&labels),
            result_bytes: all.result_bytes.get_or_create_owned(&labels),
            heavy_texts: all.heavy_texts.get_or_create_owned(&labels),
            transaction_reads: all.transaction_reads.get_or_create_owned(&labels),
            query_seconds: std::array::from_fn(|_| OnceLock::new()),
            round_trips_saved: Saved::ALL
                .map(|kind| all.round_trips_saved.get_or_create_owned(&saved(kind))),
            capture: Mutex::default(),
            connect_seconds: all.connect_seconds.get_or_create_owned(&labels),
            checkout_seconds: all.checkout_seconds.get_or_create_owned(&labels),
            pool_idle: all.pool_connections.get_or_create_owned(&pool("idle")),
            pool_in_use: all.pool_connections.get_or_create_owned(&pool("in_use")),
            pool_max_size: all.pool_max_size.get_or_create_owned(&labels),
            failovers: all.failovers.get_or_create_owned(&labels),
            host: all.hosts.get_or_create_owned(&labels),
            waiting: InFlight(all.pool_waiting.get_or_create_owned(&labels)),
            pinned: InFlight(all.pinned.get_or_create_owned(&labels)),
            failures: Arc::clone(&shown.failures),
            checkouts_timed_out: Seldom::default(),
            statements_timed_out: Seldom::default(),
            activity: Arc::clone(&shown.activity),
            shown,
        }
    }

    /// The name of its config.
    pub(super) fn name(&self) -> &str {
        &self.shown.name
    }

    /// The id of its config.
    pub(super) fn id(&self) -> &str {
        &self.shown.id
    }

    /// Whether it is among the metrics; else another with its name is.
    pub(super) fn is_shown(&self) -> bool {
        self.shown.is_shown()
    }

    /// Takes in a client that has just logged in, which is seen until what is returned is dropped.
    pub fn enter(&self, who: Who, address: Option<SocketAddr>) -> Seen {
        Seen::new(&self.activity, &self.shown.families.activities, who, address)
    }

    /// Counts one statement, at the end of its reply.
    pub fn query(&self, status: CacheStatus) {
        if let Some(counter) = self.queries.get(status as usize) {
            counter.inc();
        }
    }

    /// Times one statement, from its arrival to the end of its reply.
    pub fn answered(&self, status: CacheStatus, took: Duration) {
        if let Some(histogram) = self.query_seconds.get(status as usize) {
            let made = || self.shown.families.times(&self.shown, status);
            histogram.get_or_init(made).0.observe(took);
        }
    }

    /// Counts a round trip to the origin that a client would have waited for, and that was not needed.
    pub fn saves(&self, kind: Saved) {
        if let Some(counter) = self.round_trips_saved.get(kind as usize) {
            counter.inc();
        }
    }

    /// Statements so far with this status.
    pub fn queries(&self, status: CacheStatus) -> u64 {
        self.queries.get(status as usize).map_or(0, Counter::get)
    }

    /// Counts one session, at its end.
    pub fn session(&self, status: EventStatus) {
        match status {
            EventStatus::Complete => self.sessions_complete.inc(),
            EventStatus::Error => self.sessions_error.inc(),
        };
    }

    /// Shows how many connections there are.
    pub fn pool(&self, status: PoolStatus) {
        self.pool_idle.set(status.idle.into());
        self.pool_in_use.set((status.connections - status.idle).into());
    }

    /// Borrows a connection of this database. A wait for one is counted and timed.
    ///
    /// # Errors
    ///
    /// Those of [`Pool::checkout`].
    ///
    /// # Cancel safety
    ///
    /// As that of [`Pool::checkout`].
    pub async fn checkout<O: Origin>(
        &self,
        pool: &Pool<O>,
        fits: impl Fn(&O::Connection) -> bool,
    ) -> Result<Loan<O>, CheckoutError<O::Error>> {
        if let Some(loan) = pool.try_checkout_like(&fits) {
            self.checkout_seconds.observe(0.0);
            return Ok(loan);
        }
        let began = Instant::now();
        let waiting = self.waiting.enter();
        self.activity.peaks.waiting(self.waiting.count());
        // Boxed: who does not wait has no room for it.
        let lent = Box::pin(pool.checkout_like(fits)).await;
        drop(waiting);
        self.checkout_seconds.observe(began.elapsed().as_secs_f64());
        if let Err(error) = &lent {
            self.note_refusal(error);
        }
        lent
    }

    /// A statement has no connection: says so, as a client that is told so says it to nobody else.
    fn note_refusal<E: std::error::Error + 'static>(&self, error: &CheckoutError<E>) {
        match error {
            CheckoutError::TimedOut => {
                self.failures.statement("checkout_timeout");
                if let Some(unsaid) = self.checkouts_timed_out.turn() {
                    tracing::info!(unsaid, "no connection came free within the checkout timeout");
                }
            }
            // Logged where it failed, once for all that wait.
            CheckoutError::Connect(_) => self.failures.statement("no_connection"),
            CheckoutError::Closed => {}
        }
    }

    /// A statement ran longer than it may.
    pub fn statement_timed_out(&self) {
        self.failures.statement("statement_timeout");
        if let Some(unsaid) = self.statements_timed_out.turn() {
            tracing::info!(unsaid, "a statement ran longer than the statement timeout");
        }
    }

    fn capture<T>(&self, shows: impl FnOnce(&CaptureMetrics) -> T) -> T {
        let mut capture = self.capture.lock();
        shows(capture.get_or_insert_with(|| self.shown.families.captured(&self.shown)))
    }

    /// Nothing is captured any more.
    pub fn capture_ended(&self) {
        if self.capture.lock().take().is_some() {
            self.shown.families.captured_no_more(&self.shown);
        }
    }

    /// Shows whether changes of the database are heard of.
    pub fn capture_is_up(&self, is_up: bool) {
        self.capture(|shown| shown.up.set(is_up.into()));
    }

    /// Shows how late they are.
    pub fn capture_lags(&self, lag: Duration) {
        self.capture(|shown| shown.lag_seconds.set(lag.as_secs_f64()));
    }

    /// Shows how much of its log the database keeps because we have not heard it.
    pub fn capture_retains(&self, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.capture(|shown| shown.retained_bytes.set(bytes));
    }

    /// Counts a capture that was lost.
    pub fn capture_lost(&self) {
        self.capture(|shown| shown.restarts.inc());
    }

    /// Counts what was heard of.
    pub fn captured(&self, change: Change) {
        self.capture(|shown| shown.change(change));
    }

    /// Shows a counter for each of these reasons before there is a pin.
    pub fn expect_pins(&self, reasons: impl IntoIterator<Item = &'static str>) {
        for reason in reasons {
            drop(self.shown.pins.get(&self.shown.name, reason));
        }
    }

    /// Counts one session that now has to keep its backend. The reason is one of a closed set.
    pub fn pin(&self, reason: &'static str) {
        self.shown.pins.get(&self.shown.name, reason).inc();
    }
}

impl DatabaseMetrics {
    /// All that is counted, since its start.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts {
            queries: CacheStatus::ALL.map(|status| self.queries(status)),
            round_trips_saved: self.round_trips_saved.iter().map(Counter::get).sum(),
            transaction_reads: self.transaction_reads.get(),
            query_bytes: self.query_bytes.get(),
            result_bytes: self.result_bytes.get(),
            max_connections: gauged(&self.pool_max_size),
            errors: self.failures.counts(),
            ..Counts::default()
        };
        for (status, times) in CacheStatus::ALL.into_iter().zip(&self.query_seconds) {
            let Some(times) = times.get() else { continue };
            let sums = if status.is_cached() { &mut counts.cached } else { &mut counts.uncached };
            for (sum, count) in sums.iter_mut().zip(times.0.buckets()) {
                *sum += count;
            }
        }
        counts
    }

    /// What goes on, with so many statements and sessions at most.
    pub(super) fn told(&self, statements: usize, sessions: usize) -> DatabaseActivity {
        let (statements, statements_left_out) = self.activity.shapes.told(statements);
        let (sessions, sessions_left_out) = self.activity.lives.told(sessions);
        DatabaseActivity {
            database: self.name().to_owned(),
            id: self.id().to_owned(),
            pool: PoolActivity {
                max: gauged(&self.pool_max_size),
                in_use: gauged(&self.pool_in_use),
                idle: gauged(&self.pool_idle),
                waiting: u64::try_from(self.waiting.count()).unwrap_or_default(),
            },
            clients: self.activity.lives.len() as u64,
            pinned: u64::try_from(self.pinned.count()).unwrap_or_default(),
            transaction_reads: self.transaction_reads.get(),
            counted_since: self.activity.since(),
            statements,
            statements_left_out,
            sessions,
            sessions_left_out,
        }
    }
}

fn gauged(gauge: &Gauge) -> u64 {
    u64::try_from(gauge.get()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::observe::{CacheStatus, Metrics};

    #[test]
    fn each_status_has_its_own_counter() {
        let database = Metrics::new().database("app", "1");
        for status in CacheStatus::ALL {
            assert_eq!(database.queries(status), 0);
            database.query(status);
            assert_eq!(database.queries(status), 1, "{status}");
        }
    }
}
