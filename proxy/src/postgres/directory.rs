//! The databases that clients can ask for, by name.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use tokio_util::task::TaskTracker;

use super::Database;
use crate::{
    config::{Config, DatabaseConfig},
    observe::Metrics,
};

/// Every config by name. A reload swaps those that changed; sessions keep the one they began with.
#[derive(Debug)]
pub(super) struct Directory {
    databases: RwLock<HashMap<String, Arc<Database>>>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
}

impl Directory {
    /// Opens a pool for each database of the config. Must be called within a tokio runtime.
    pub(super) fn new(config: &Config, metrics: Arc<Metrics>, tasks: TaskTracker) -> Arc<Self> {
        let directory = Self { databases: RwLock::default(), metrics, tasks };
        directory.reload(config);
        Arc::new(directory)
    }

    /// Takes over a new config: databases whose section did not change keep their pool and their cache.
    pub(super) fn reload(&self, config: &Config) {
        let mut databases = self.databases.write();
        // Those that changed or went live on for as long as a session uses them.
        let mut old = std::mem::take(&mut *databases);
        for wanted in &config.databases {
            let database = match old.remove(&wanted.name) {
                Some(known) if known.config.fingerprint == wanted.fingerprint => known,
                _ => self.open(wanted),
            };
            databases.insert(wanted.name.clone(), database);
        }
    }

    /// The database of this name.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Database>> {
        self.databases.read().get(name).cloned()
    }

    /// Every database, in no order.
    pub(super) fn all(&self) -> Vec<Arc<Database>> {
        self.databases.read().values().cloned().collect()
    }

    fn open(&self, config: &Arc<DatabaseConfig>) -> Arc<Database> {
        let metrics = self.metrics.database(&config.name);
        Database::open(Arc::clone(config), metrics, &self.tasks)
    }
}
