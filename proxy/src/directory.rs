//! The databases that clients of one engine can ask for, by name.
//!
//! It knows no engine: what a database is, and how one is opened, comes from outside.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::RwLock;

use crate::config::{Config, DatabaseConfig, Engine, Fingerprint};

/// Every config of an engine by name. A reload swaps those that changed; sessions keep the one they
/// began with.
pub struct Directory<D> {
    engine: Engine,
    open: Box<Open<D>>,
    databases: RwLock<HashMap<String, (Fingerprint, Arc<D>)>>,
}

/// Makes a database of its config.
type Open<D> = dyn Fn(&Arc<DatabaseConfig>) -> Arc<D> + Send + Sync;

impl<D> Directory<D> {
    /// Opens each database of this engine in the config.
    pub fn new(
        engine: Engine,
        config: &Config,
        open: impl Fn(&Arc<DatabaseConfig>) -> Arc<D> + Send + Sync + 'static,
    ) -> Self {
        let directory = Self { engine, open: Box::new(open), databases: RwLock::default() };
        directory.reload(config);
        directory
    }

    /// Takes over a new config: databases whose section did not change keep their pool and their cache.
    pub fn reload(&self, config: &Config) {
        let mut databases = self.databases.write();
        // Those that changed or went live on for as long as a session uses them.
        let mut old = std::mem::take(&mut *databases);
        let ours = config.databases.iter().filter(|database| database.engine == self.engine);
        for wanted in ours {
            let database = match old.remove(&wanted.name) {
                Some((known, database)) if known == wanted.fingerprint => database,
                _ => (self.open)(wanted),
            };
            databases.insert(wanted.name.clone(), (wanted.fingerprint, database));
        }
    }

    /// The database of this name.
    pub fn find(&self, name: &str) -> Option<Arc<D>> {
        self.databases.read().get(name).map(|(_, database)| Arc::clone(database))
    }

    /// Every database, in no order.
    pub fn all(&self) -> Vec<Arc<D>> {
        self.databases.read().values().map(|(_, database)| Arc::clone(database)).collect()
    }
}

impl<D> fmt::Debug for Directory<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let databases = self.databases.read();
        f.debug_struct("Directory")
            .field("engine", &self.engine)
            .field("databases", &databases.keys())
            .finish_non_exhaustive()
    }
}
