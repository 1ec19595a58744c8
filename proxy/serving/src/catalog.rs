//! What judges by an origin's catalog, kept fresh.
//!
//! Until the catalog is known, and after a change of the schema until it was read again, nothing is cached. How
//! it is read, and what judges by it, comes from the engines: see their own `catalog`.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use cache::sql::Judge;
use parking_lot::RwLock;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// A catalog older than this is read again.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Longest pause between two readings, however often the schema changes.
const SETTLE: Duration = Duration::from_millis(200);
/// A catalog that could not be read again for so long is not believed any more.
const MAX_BELIEVED: Duration = Duration::from_secs(900);
/// Time between two readings at least because a statement named what the catalog does not know; doubled as long as
/// they find nothing new.
const SUSPICION: Duration = Duration::from_secs(1);
/// Statements that come within this time of the start wait for the first reading.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// First and longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Longest time for reading a catalog, login included.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for one query of a catalog.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// What judges by the present catalog of one origin.
#[derive(Debug)]
pub struct CatalogCell<J> {
    state: RwLock<State<J>>,
    /// Raised with every change of the schema; a reading that began before one is thrown away.
    changes: AtomicU64,
    outdated: Notify,
    /// A reading was taken over.
    learnt: Notify,
    read_once: CancellationToken,
}

/// What is known of stored code.
#[derive(Clone, Debug)]
pub enum Code<J> {
    /// As this judges, which may be behind in all else.
    Known(J),
    /// It has changed since, and is being read.
    Changing,
    /// It was never read.
    Never,
}

#[derive(Debug)]
struct State<J> {
    known: Option<J>,
    /// What was known before tables changed, and code did not.
    code: Option<J>,
    suspicion: Suspicion,
}

/// When the catalog may be read again because it seems to lack something.
#[derive(Debug)]
struct Suspicion {
    not_before: Instant,
    pause: Duration,
}

impl<J> Default for CatalogCell<J> {
    fn default() -> Self {
        Self {
            state: RwLock::new(State {
                known: None,
                code: None,
                suspicion: Suspicion { not_before: Instant::now(), pause: SUSPICION },
            }),
            changes: AtomicU64::new(0),
            outdated: Notify::new(),
            learnt: Notify::new(),
            read_once: CancellationToken::new(),
        }
    }
}

impl<J: Judge> CatalogCell<J> {
    /// What judges by the present catalog, if it is known.
    pub fn known(&self) -> Option<J> {
        self.state.read().known.clone()
    }

    /// Waits until the catalog was read for the first time, or for the time a start may take.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn begun(&self, opened_at: Instant) {
        if !self.read_once.is_cancelled() {
            // Boxed: it is waited for once, and asked for with each statement.
            let begun = Box::pin(self.read_once.cancelled());
            drop(timeout_at(opened_at + FIRST_WAIT, begun).await);
        }
    }

    /// Whether the catalog was read once.
    pub fn has_begun(&self) -> bool {
        self.read_once.is_cancelled()
    }

    /// What is known of stored code.
    pub fn code(&self) -> Code<J> {
        match &self.state.read().code {
            Some(code) => Code::Known(code.clone()),
            None if self.read_once.is_cancelled() => Code::Changing,
            None => Code::Never,
        }
    }

    /// What is known of stored code, as soon as it is.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn code_known(&self) -> J {
        loop {
            let learnt = self.learnt.notified();
            if let Code::Known(code) = self.code() {
                return code;
            }
            learnt.await;
        }
    }

    /// Forgets the catalog: the schema has changed.
    pub fn outdate(&self) {
        self.forget(|state| state.code = None);
    }

    /// Forgets all but what is known of stored code, which is what it was.
    pub fn outdate_tables(&self) {
        self.forget(|_state| {});
    }

    fn forget(&self, more: impl FnOnce(&mut State<J>)) {
        let mut state = self.state.write();
        state.known = None;
        more(&mut state);
        self.changes.fetch_add(1, Ordering::SeqCst);
        drop(state);
        self.outdated.notify_one();
    }

    /// The origin ran what the catalog says is not there: it was made around the proxy, and the catalog is read
    /// again soon.
    pub fn suspect(&self) {
        let now = Instant::now();
        let mut state = self.state.write();
        if state.known.is_some() && now >= state.suspicion.not_before {
            let pause = state.suspicion.pause;
            state.suspicion =
                Suspicion { not_before: now + pause, pause: (pause * 2).min(MAX_AGE) };
            drop(state);
            self.outdated.notify_one();
        }
    }

    /// How often the schema has changed, as far as we saw.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Takes over a reading, unless the schema has changed since it began.
    pub fn learn(&self, judge: J, changes: u64) -> Learnt {
        let mut state = self.state.write();
        self.read_once.cancel();
        if self.changes() != changes {
            return Learnt::TooOld;
        }
        state.code = Some(judge.clone());
        let before = state.known.replace(judge.clone());
        self.learnt.notify_waiters();
        if before.is_none_or(|before| before.fingerprint() == judge.fingerprint()) {
            return Learnt::AsExpected;
        }
        // Somebody changed the schema around the proxy.
        state.suspicion.pause = SUSPICION;
        self.changes.fetch_add(1, Ordering::SeqCst);
        Learnt::Unexpected
    }

    /// Keeps the catalog of a database fresh until the future is dropped. Each call of `read` reads it anew, and
    /// `surprised` is called when what was read differs although no change of the schema was seen: since when,
    /// nobody knows.
    pub async fn keep_fresh<R, E>(&self, database: &str, read: impl Fn() -> R, surprised: impl Fn())
    where
        R: Future<Output = Result<J, E>>,
        E: std::error::Error + 'static,
    {
        let mut wait = RETRY.0;
        let mut read_at = Instant::now();
        loop {
            let began_at = Instant::now();
            let changes = self.changes();
            match read().await {
                Ok(judge) => {
                    wait = RETRY.0;
                    // What comes after that is read at once: somebody may be waiting for it. Where the schema changes all the
                    // time, no more than half of it goes into readings.
                    let rested_at = Instant::now() + began_at.elapsed().min(SETTLE);
                    match self.learn(judge, changes) {
                        Learnt::AsExpected => {}
                        Learnt::Unexpected => surprised(),
                        Learnt::TooOld => {
                            sleep_until(rested_at).await;
                            continue;
                        }
                    }
                    read_at = began_at;
                    if timeout(MAX_AGE, self.outdated.notified()).await.is_ok() {
                        sleep_until(rested_at).await;
                    }
                }
                Err(error) => {
                    complain(database, &error);
                    if read_at.elapsed() >= MAX_BELIEVED && self.known().is_some() {
                        // Of stored code what was known is still the best guess: to know nothing has each statement wait.
                        self.outdate_tables();
                        surprised();
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }
}

/// What became of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// It says what the last one said, or the first since a change.
    AsExpected,
    /// It says something else, and no change was seen.
    Unexpected,
    /// The schema has changed since it began.
    TooOld,
}

fn complain(database: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(database, error, "the catalog cannot be read");
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no catalog")]
    struct Failed;

    /// Numbers its readings; each takes a second, and the first `failing` fail.
    struct Origin {
        readings: AtomicU32,
        failing: u32,
        surprises: AtomicU32,
    }

    /// What was read, by its number.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Reading(pub(crate) u32);

    impl Judge for Reading {
        fn fingerprint(&self) -> u64 {
            (self.0 / SAME).into()
        }
    }

    fn known(cell: &CatalogCell<Reading>) -> Option<u32> {
        cell.known().map(|reading| reading.0)
    }

    /// So many readings in a row are the same catalog.
    const SAME: u32 = 100;

    impl Origin {
        fn new(failing: u32) -> Self {
            Self { readings: AtomicU32::new(0), failing, surprises: AtomicU32::new(0) }
        }

        async fn read(&self) -> Result<Reading, Failed> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let reading = self.readings.fetch_add(1, Ordering::Relaxed) + 1;
            if reading > self.failing { Ok(Reading(reading)) } else { Err(Failed) }
        }
    }

    /// Keeps a cell fresh for a time.
    async fn keep(cell: &CatalogCell<Reading>, origin: &Origin, time: Duration) {
        let surprised = || {
            let _before = origin.surprises.fetch_add(1, Ordering::Relaxed);
        };
        let kept = timeout(time, cell.keep_fresh("test", || origin.read(), surprised)).await;
        assert!(kept.is_err(), "it never ends by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_catalog_is_known_once_it_was_read_and_read_again_when_it_is_old() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        assert_eq!(known(&cell), None);
        keep(&cell, &origin, Duration::from_secs(2)).await;
        assert_eq!(known(&cell), Some(1));
        keep(&cell, &origin, MAX_AGE + Duration::from_secs(3)).await;
        assert_eq!(known(&cell), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_began_before_a_change_is_thrown_away() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        let change = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            cell.outdate();
            tokio::time::sleep(Duration::from_millis(600)).await;
            known(&cell)
        };
        let kept = keep(&cell, &origin, Duration::from_millis(2300));
        let (after_first, ()) = tokio::join!(change, kept);
        assert_eq!(after_first, None);
        assert_eq!((known(&cell), cell.changes()), (Some(2), 1));
    }

    /// FAULTS row 5: a change that nobody saw is one from the moment it is found.
    #[tokio::test(start_paused = true)]
    async fn a_reading_that_differs_unexpectedly_counts_as_a_change() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        origin.readings.store(SAME - 2, Ordering::Relaxed);
        keep(&cell, &origin, Duration::from_secs(2)).await;
        assert_eq!((known(&cell), cell.changes()), (Some(SAME - 1), 0));
        keep(&cell, &origin, Duration::from_secs(2)).await;
        assert_eq!((known(&cell), cell.changes()), (Some(SAME), 1));
        assert_eq!(origin.surprises.load(Ordering::Relaxed), 1);
        cell.outdate();
        origin.readings.store(5 * SAME, Ordering::Relaxed);
        keep(&cell, &origin, Duration::from_secs(2)).await;
        assert_eq!((known(&cell), cell.changes()), (Some(5 * SAME + 1), 2));
        assert_eq!(origin.surprises.load(Ordering::Relaxed), 1, "that one was expected");
    }

    /// FAULTS §4: what the origin knows and the catalog lacks has it read again, but not all the time.
    #[tokio::test(start_paused = true)]
    async fn a_catalog_that_seems_to_lack_something_is_read_again_soon_and_each_time_later() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        let suspect = async {
            for _tenth in 0..200 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                cell.suspect();
            }
        };
        let kept = keep(&cell, &origin, Duration::from_secs(20));
        tokio::join!(suspect, kept);
        // At once, then after a second, two, four and eight.
        assert_eq!(origin.readings.load(Ordering::Relaxed), 6);
    }

    /// FAULTS §4: behind DDL nothing is cached until the catalog was read, which begins at once, and again no sooner than the
    /// last reading has been rested from.
    #[tokio::test(start_paused = true)]
    async fn a_change_is_read_at_once_and_many_with_pauses() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        let change = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let changed_at = Instant::now();
            cell.outdate();
            cell.code_known().await;
            let waited = changed_at.elapsed();
            cell.outdate();
            cell.code_known().await;
            (waited, changed_at.elapsed() - waited)
        };
        let kept = keep(&cell, &origin, Duration::from_secs(10));
        let (waited, ()) = tokio::join!(change, kept);
        assert_eq!(waited, (Duration::from_secs(1), Duration::from_secs(1) + SETTLE));
    }

    /// FAULTS row 32: a catalog that cannot be read again is not believed for ever.
    #[tokio::test(start_paused = true)]
    async fn a_catalog_that_cannot_be_read_again_is_forgotten_in_the_end() {
        let cell = CatalogCell::default();
        let readings = AtomicU32::new(0);
        let read = || async {
            let is_first = readings.fetch_add(1, Ordering::Relaxed) == 0;
            if is_first { Ok(Reading(1)) } else { Err(Failed) }
        };
        let keep = async |time| drop(timeout(time, cell.keep_fresh("test", read, || {})).await);
        let watch = async {
            tokio::time::sleep(MAX_BELIEVED - Duration::from_secs(60)).await;
            let before = known(&cell);
            tokio::time::sleep(Duration::from_secs(120)).await;
            (before, known(&cell))
        };
        let (known, ()) = tokio::join!(watch, keep(MAX_BELIEVED * 2));
        assert_eq!(known, (Some(1), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_the_first_reading_but_not_for_long() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        let opened_at = Instant::now();
        cell.begun(opened_at).await;
        assert_eq!(opened_at.elapsed(), FIRST_WAIT);
        keep(&cell, &origin, Duration::from_secs(2)).await;
        let asked_at = Instant::now();
        cell.begun(asked_at).await;
        assert_eq!(asked_at.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_tried_again_and_each_time_later() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(2));
        // A second for each of three readings, half a second and a second between them.
        keep(&cell, &origin, Duration::from_millis(4400)).await;
        assert_eq!(known(&cell), None);
        let (cell, origin) = (CatalogCell::default(), Origin::new(2));
        keep(&cell, &origin, Duration::from_millis(4600)).await;
        assert_eq!(known(&cell), Some(3));
    }
}
