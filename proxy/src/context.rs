//! What sessions of both engines share.
//!
//! It knows neither engine: their `Context`s hold it, and beside it what is their own. `server` makes it.

use std::sync::Arc;

use cache::{Cache, CacheLimits};
use parking_lot::RwLock;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, ListenConfig},
    observe::Metrics,
    shutdown::Shutdown,
};

/// The one cache, the one end, and what else there is once per process.
#[derive(Debug)]
pub struct Common {
    /// Replies, of all databases.
    pub cache: Cache,
    /// What goes on beside the sessions: reading catalogs, refreshing replies, cancelling.
    pub tasks: TaskTracker,
    /// Asks sessions to end when they can.
    pub drain: CancellationToken,
    /// Ends them.
    pub end: CancellationToken,
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

    /// Takes in a new file, for the clients that come from now on.
    pub fn reload(&self, config: &Config) {
        *self.listen.write() = Arc::new(config.listen.clone());
    }

    /// How clients are received at this moment.
    pub fn listen(&self) -> Arc<ListenConfig> {
        Arc::clone(&self.listen.read())
    }
}
