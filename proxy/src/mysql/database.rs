//! One config as the sessions use it: pool, statements, catalog, and what was learnt about origin and clients.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    backend::Backend,
    catalog::{self, CatalogCell},
    origin::{self, Login, Origin},
    prepared::Registry,
    settings,
};
use crate::{
    config::DatabaseConfig,
    intern::Interner,
    net::ConnectError,
    observe::DatabaseMetrics,
    pool::{Pool, keep_warm},
    secret::Secret,
};

/// What the shared statements of one database may hold.
const REGISTRY_BYTES: u64 = 32 << 20;
/// The most different assignments of settings that are remembered.
const MAX_CONFIRMED: u64 = 1000;

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
    /// What the origin said of itself.
    pub(super) learnt: Arc<Learnt>,
    /// What `caching_sha2_password` keeps of passwords that were right once, for users of whom the file gives a
    /// SCRAM verifier only. There are no more of them than users.
    passwords: RwLock<HashMap<String, Secret<[u8; 32]>>>,
    /// Assignments that a backend took, so that the next need not be waited for.
    confirmed: moka::sync::Cache<String, ()>,
    /// Settings of clients and backends.
    pub(super) settings: Interner<settings::Values>,
    stop: CancellationToken,
    opened_at: Instant,
}

/// What an origin says of itself when somebody logs in, and how clients want it.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    facts: RwLock<Option<Facts>>,
    found_rows: AtomicBool,
}

#[derive(Debug)]
struct Facts {
    version: Bytes,
    sql_mode: Option<Arc<str>>,
    collations: Option<Arc<Collations>>,
}

/// The character sets and names of the origin's collations, by their ids in the protocol.
pub(super) type Collations = HashMap<u16, (String, String)>;

impl Learnt {
    /// The version in the origin's greeting, if it was ever reached.
    pub(super) fn version(&self) -> Option<Bytes> {
        self.facts.read().as_ref().map(|facts| facts.version.clone())
    }

    /// The `sql_mode` that a connection begins with, if one was ever asked.
    pub(super) fn sql_mode(&self) -> Option<Arc<str>> {
        self.facts.read().as_ref().and_then(|facts| facts.sql_mode.clone())
    }

    /// Whether connections that are opened now should count the rows that an UPDATE found, and not those that it
    /// changed: as the last client wanted it.
    pub(super) fn found_rows(&self) -> bool {
        self.found_rows.load(Ordering::Relaxed)
    }

    /// The origin's collations, if it was ever asked.
    pub(super) fn collations(&self) -> Option<Arc<Collations>> {
        self.facts.read().as_ref().and_then(|facts| facts.collations.clone())
    }

    /// Takes in the origin's collations.
    pub(super) fn of_collations(&self, collations: Collations) {
        if let Some(facts) = &mut *self.facts.write() {
            facts.collations = Some(Arc::new(collations));
        }
    }

    /// Takes in what a login heard.
    pub(super) fn of_login(&self, login: &Login) {
        let mut facts = self.facts.write();
        // Another server has other defaults.
        if facts.as_ref().is_none_or(|facts| facts.version != login.version) {
            let version = login.version.clone();
            *facts = Some(Facts { version, sql_mode: None, collations: None });
        }
    }

    /// Takes in what a fresh connection said of its `sql_mode`.
    pub(super) fn of_sql_mode(&self, sql_mode: &str) {
        if let Some(facts) = &mut *self.facts.write()
            && facts.sql_mode.as_deref() != Some(sql_mode)
        {
            facts.sql_mode = Some(sql_mode.into());
        }
    }
}

impl Database {
    /// Opens the pool and begins to read the catalog. Must be called within a tokio runtime.
    pub fn open(
        config: Arc<DatabaseConfig>,
        metrics: Arc<DatabaseMetrics>,
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        static SCOPES: AtomicU64 = AtomicU64::new(0);
        let scope = format!("{}#{}", config.id, SCOPES.fetch_add(1, Ordering::Relaxed));
        let learnt = Arc::<Learnt>::default();
        let origin = Origin::new(Arc::clone(&config), Arc::clone(&metrics), Arc::clone(&learnt));
        metrics.pool_max_size.set(config.pool.max_size.get().into());
        let database = Arc::new(Self {
            pool: Pool::new(origin, &config.pool),
            config,
            metrics,
            scope: scope.into(),
            registry: Registry::new(REGISTRY_BYTES),
            catalog: Arc::default(),
            learnt,
            passwords: RwLock::default(),
            confirmed: moka::sync::Cache::new(MAX_CONFIRMED),
            settings: Interner::default(),
            stop: CancellationToken::new(),
            opened_at: Instant::now(),
        });
        if database.config.pool.min_idle > 0 {
            let warm = keep_warm(Arc::downgrade(&database), |database| &database.pool);
            let stop = database.stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(warm).await });
        }
        if !database.config.caching.disabled {
            // Not the database itself: it ends when the last session has left, and this with it.
            let (cell, config) = (Arc::clone(&database.catalog), Arc::clone(&database.config));
            let (stop, learnt) = (database.stop.clone(), Arc::clone(&database.learnt));
            tasks.spawn(async move {
                let read = || catalog::judge(&config, &learnt);
                stop.run_until_cancelled(cell.keep_fresh(&config.name, read)).await;
            });
        }
        database
    }

    /// Waits, only while the process is starting, until it is known what may be cached.
    pub(super) async fn catalog_begun(&self) {
        if !self.config.caching.disabled {
            self.catalog.begun(self.opened_at).await;
        }
    }

    /// The next connection had best be opened for a client that counts rows this way (CLIENT_FOUND_ROWS).
    pub(super) fn prefer_found_rows(&self, found_rows: bool) {
        self.learnt.found_rows.store(found_rows, Ordering::Relaxed);
    }

    /// A connection that counts rows this way, in place of one that does not.
    pub(super) async fn reconnect(&self, found_rows: bool) -> Result<Backend, ConnectError> {
        origin::open(&self.config, &self.learnt, found_rows).await
    }

    /// Whether a backend took these assignments before.
    pub(super) fn has_confirmed(&self, assignments: &str) -> bool {
        self.confirmed.contains_key(assignments)
    }

    /// Remembers that a backend took these assignments.
    pub(super) fn confirm(&self, assignments: String) {
        self.confirmed.insert(assignments, ());
    }

    /// What `caching_sha2_password` keeps of a user's password, if it was right once.
    pub(super) fn known_password(&self, user: &str) -> Option<Secret<[u8; 32]>> {
        self.passwords.read().get(user).cloned()
    }

    /// Remembers what a user's password was right with.
    pub(super) fn learn_password(&self, user: &str, stored: Secret<[u8; 32]>) {
        if self.config.user(user).is_some() {
            self.passwords.write().insert(user.to_owned(), stored);
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
