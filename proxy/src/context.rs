//! What sessions of both engines share.
//!
//! It knows neither engine: their `Context`s hold it, and beside it what is their own. `server` makes it.

use std::{sync::Arc, time::Duration};

use cache::{Cache, CacheLimits, Writing};
use parking_lot::RwLock;
use tokio::{task::yield_now, time::sleep};
use tokio_util::task::TaskTracker;

use crate::{
    config::{Config, ListenConfig},
    error::SessionError,
    observe::Metrics,
    shutdown::{Order, Shutdown},
};

/// What is assumed of a statement that may run for ever.
const LONGEST_WRITE: Duration = Duration::from_secs(300);

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
    /// Makes the salt of a user that does not exist the same each time it is asked for.
    pub mock_secret: [u8; 32],
    /// Every counter of the process.
    pub metrics: Arc<Metrics>,
    listen: RwLock<Arc<ListenConfig>>,
}

impl Common {
    /// Makes an empty cache, which is counted.
    pub fn new(config: &Config, metrics: Arc<Metrics>, shutdown: &Shutdown) -> Arc<Self> {
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
            mock_secret: rand::random(),
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

    /// Takes in a new file, for the clients that come from now on.
    pub fn reload(&self, config: &Config) {
        *self.listen.write() = Arc::new(config.listen.clone());
    }

    /// How clients are received at this moment.
    pub fn listen(&self) -> Arc<ListenConfig> {
        Arc::clone(&self.listen.read())
    }
}
