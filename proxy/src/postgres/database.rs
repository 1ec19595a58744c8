//! One config as the sessions use it: pool, statements, catalog, and what was learnt about the origin.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    backend::{self, Parameters},
    catalog::{self, CatalogCell},
    meaning::Meaning,
    origin::Origin,
    prepared::Registry,
    settings::Settings,
};
use crate::{
    config::DatabaseConfig,
    intern::Interner,
    net::Spare,
    observe::DatabaseMetrics,
    pool::{Pool, keep_warm},
};

/// What the shared statements of one database may hold.
const REGISTRY_BYTES: u64 = 32 << 20;
/// The most different startup settings whose canonical values are remembered.
const MAX_WELCOMES: u64 = 1000;

/// One config, with everything that its sessions share.
#[derive(Debug)]
pub struct Database {
    /// What the file says.
    pub config: Arc<DatabaseConfig>,
    /// The connections to the origin.
    pub pool: Pool<Origin>,
    /// Its counters.
    pub metrics: Arc<DatabaseMetrics>,
    /// The identity of the origin in cache keys; another one after each change of the config.
    pub(super) scope: Arc<str>,
    pub(super) registry: Registry,
    pub(super) catalog: Arc<CatalogCell>,
    /// For cancel requests.
    pub(super) spare: Arc<Spare>,
    /// Settings of clients and backends.
    pub(super) settings: Interner<Settings>,
    /// Of them, what decides how the constants of a text are read.
    pub(super) meanings: Interner<Meaning>,
    /// What backends report of them.
    pub(super) parameters: Interner<backend::Values>,
    welcomes: moka::sync::Cache<String, Parameters>,
    defaults: Mutex<Option<Parameters>>,
    stop: CancellationToken,
    opened_at: Instant,
}

impl Database {
    /// Opens the pool and begins to read the catalog. Must be called within a tokio runtime.
    pub fn open(
        config: Arc<DatabaseConfig>,
        metrics: Arc<DatabaseMetrics>,
        cache: &cache::Cache,
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        static SCOPES: AtomicU64 = AtomicU64::new(0);
        let scope = format!("{}#{}", config.id, SCOPES.fetch_add(1, Ordering::Relaxed));
        let origin = Origin::new(Arc::clone(&config), Arc::clone(&metrics));
        metrics.pool_max_size.set(config.pool.max_size.get().into());
        let database = Arc::new(Self {
            pool: Pool::new(origin, &config.pool),
            spare: Arc::new(Spare::new(&config.origin.dial)),
            config,
            metrics,
            scope: scope.into(),
            registry: Registry::new(REGISTRY_BYTES),
            catalog: Arc::default(),
            settings: Interner::default(),
            meanings: Interner::default(),
            parameters: Interner::default(),
            welcomes: moka::sync::Cache::new(MAX_WELCOMES),
            defaults: Mutex::default(),
            stop: CancellationToken::new(),
            opened_at: Instant::now(),
        });
        if database.config.pool.min_idle > 0 {
            let warm = keep_warm(Arc::downgrade(&database), |database| &database.pool);
            let stop = database.stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(warm).await });
        }
        database.keep_spare(tasks);
        if !database.config.caching.disabled {
            // Not the database itself: it ends when the last session has left, and this with it.
            let (cell, config) = (Arc::clone(&database.catalog), Arc::clone(&database.config));
            let stop = database.stop.clone();
            let (cache, scope) = (cache.clone(), Arc::clone(&database.scope));
            tasks.spawn(async move {
                let read = || catalog::judge(&config);
                let surprised = || cache.purge(&scope);
                stop.run_until_cancelled(cell.keep_fresh(&config.name, read, surprised)).await;
            });
        }
        database
    }

    /// Keeps a stream for cancel requests while backends are on loan, where that saves anything.
    fn keep_spare(self: &Arc<Self>, tasks: &TaskTracker) {
        let (spare, stop) = (Arc::clone(&self.spare), self.stop.clone());
        let database = Arc::downgrade(self);
        let is_wanted = move || {
            let status = database.upgrade()?.pool.status();
            Some(status.connections > status.idle)
        };
        tasks.spawn(async move { stop.run_until_cancelled(spare.keep(is_wanted)).await });
    }

    /// Waits, only while the process is starting, until it is known what may be cached.
    pub(super) async fn catalog_begun(&self) {
        if !self.config.caching.disabled {
            self.catalog.begun(self.opened_at).await;
        }
    }

    /// What a client with these startup settings is told, if a backend was ever asked.
    pub(super) fn welcome(&self, settings: &Settings) -> Option<Parameters> {
        if settings.is_empty() {
            return self.defaults.lock().clone();
        }
        self.welcomes.get(&key(settings))
    }

    /// Forgets what clients with these startup settings are told.
    pub(super) fn forget_welcome(&self, settings: &Settings) {
        if settings.is_empty() {
            *self.defaults.lock() = None;
        } else {
            self.welcomes.invalidate(&key(settings));
        }
    }

    /// Remembers what a backend reported with these settings.
    pub(super) fn learn_welcome(&self, settings: &Settings, parameters: &Parameters) {
        if settings.is_empty() {
            *self.defaults.lock() = Some(parameters.clone());
        } else {
            self.welcomes.insert(key(settings), parameters.clone());
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn key(settings: &Settings) -> String {
    settings.iter().map(|(_, sql)| sql).collect::<Vec<_>>().join(";")
}
