//! What judges by an origin's catalog, kept fresh.
//!
//! Until the catalog is known, and after a change of the schema until it was read again, nothing is cached. How
//! it is read, and what judges by it, comes from the engines: see their own `catalog`.

use std::time::Duration;

use parking_lot::RwLock;
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// A catalog older than this is read again.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Time between two readings at least, however often the schema changes.
const SETTLE: Duration = Duration::from_millis(200);
/// Statements that come within this time of the start wait for the first reading.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// First and longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Longest time for reading a catalog, login included.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for one query of a catalog.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
/// What the memory of judged statements may hold per database.
pub const MEMO_BYTES: u64 = 8 << 20;

/// What judges by the present catalog of one origin; clones of a `J` are the same judge.
#[derive(Debug)]
pub struct CatalogCell<J> {
    state: RwLock<State<J>>,
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
    /// Raised with every change of the schema; a reading that began before one is thrown away.
    changes: u64,
}

impl<J> Default for CatalogCell<J> {
    fn default() -> Self {
        Self {
            state: RwLock::new(State { known: None, code: None, changes: 0 }),
            outdated: Notify::new(),
            learnt: Notify::new(),
            read_once: CancellationToken::new(),
        }
    }
}

impl<J: Clone> CatalogCell<J> {
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
        state.changes += 1;
        drop(state);
        self.outdated.notify_one();
    }

    /// How often the schema has changed, as far as we saw.
    pub fn changes(&self) -> u64 {
        self.state.read().changes
    }

    /// Takes over a reading, unless the schema has changed since it began.
    fn learn(&self, judge: J, changes: u64) -> bool {
        let mut state = self.state.write();
        let is_current = state.changes == changes;
        if is_current {
            state.code = Some(judge.clone());
            state.known = Some(judge);
            self.learnt.notify_waiters();
        }
        self.read_once.cancel();
        is_current
    }

    /// Keeps the catalog of a database fresh until the future is dropped. Each call of `read` reads it anew.
    pub async fn keep_fresh<R, E>(&self, database: &str, read: impl Fn() -> R)
    where
        R: Future<Output = Result<J, E>>,
        E: std::error::Error + 'static,
    {
        let mut wait = RETRY.0;
        loop {
            let changes = self.changes();
            match read().await {
                Ok(judge) => {
                    wait = RETRY.0;
                    if !self.learn(judge, changes) {
                        tokio::time::sleep(SETTLE).await;
                        continue;
                    }
                    if timeout(MAX_AGE, self.outdated.notified()).await.is_ok() {
                        tokio::time::sleep(SETTLE).await;
                    }
                }
                Err(error) => {
                    complain(database, &error);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }
}

fn complain(database: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(database, error, "nothing is cached yet");
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no catalog")]
    struct Failed;

    /// Numbers its readings; each takes a second, and the first `failing` fail.
    struct Origin {
        readings: AtomicU32,
        failing: u32,
    }

    impl Origin {
        fn new(failing: u32) -> Self {
            Self { readings: AtomicU32::new(0), failing }
        }

        async fn read(&self) -> Result<u32, Failed> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let reading = self.readings.fetch_add(1, Ordering::Relaxed) + 1;
            if reading > self.failing { Ok(reading) } else { Err(Failed) }
        }
    }

    /// Keeps a cell fresh for a time.
    async fn keep(cell: &CatalogCell<u32>, origin: &Origin, time: Duration) {
        let kept = timeout(time, cell.keep_fresh("test", || origin.read())).await;
        assert!(kept.is_err(), "it never ends by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_catalog_is_known_once_it_was_read_and_read_again_when_it_is_old() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        assert_eq!(cell.known(), None);
        keep(&cell, &origin, Duration::from_secs(2)).await;
        assert_eq!(cell.known(), Some(1));
        keep(&cell, &origin, MAX_AGE + Duration::from_secs(3)).await;
        assert_eq!(cell.known(), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_began_before_a_change_is_thrown_away() {
        let (cell, origin) = (CatalogCell::default(), Origin::new(0));
        let change = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            cell.outdate();
            tokio::time::sleep(Duration::from_millis(600)).await;
            cell.known()
        };
        let kept = keep(&cell, &origin, Duration::from_millis(2300));
        let (after_first, ()) = tokio::join!(change, kept);
        assert_eq!(after_first, None);
        assert_eq!((cell.known(), cell.changes()), (Some(2), 1));
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
        assert_eq!(cell.known(), None);
        let (cell, origin) = (CatalogCell::default(), Origin::new(2));
        keep(&cell, &origin, Duration::from_millis(4600)).await;
        assert_eq!(cell.known(), Some(3));
    }
}
