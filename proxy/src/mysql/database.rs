//! One config as the sessions use it: its part in the origin, connections, statements, and what was learnt about origin
//! and clients.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ::origin::{
    net::ConnectError,
    pool::{Doubt, Generations, Pool, keep_warm},
    secret::Secret,
};
use bytes::Bytes;
use cache::sql::mysql::Verdicts;
use parking_lot::RwLock;
use protocol::mysql::capabilities::MariaDbFlags;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    backend::{Backend, Beginning, NOWHERE, RowsCounted},
    catalog::{self, Origins, Part},
    origin::{self, Login, Origin},
    prepared::{self, Registry},
    settings,
};
use crate::{
    config::{DatabaseConfig, Fingerprint},
    intern::Interner,
    memory,
    observe::DatabaseMetrics,
};

/// What MariaDB's version holds.
const MARIADB: &[u8] = b"MariaDB";
/// The most different assignments of settings that are remembered.
const MAX_CONFIRMED: u64 = 1000;

/// What is remembered for all databases of the engine.
pub(super) type Memos = memory::Memos<Verdicts, prepared::Memo>;

/// One config, with everything that its sessions share.
#[derive(Debug)]
pub struct Database {
    /// What the file says.
    pub config: Arc<DatabaseConfig>,
    /// Its counters.
    pub metrics: Arc<DatabaseMetrics>,
    /// What is known of its origin.
    pub(super) catalog: Part,
    /// What `caching_sha2_password` keeps of passwords that were right once, for users of whom the file gives a
    /// SCRAM verifier only. There are no more of them than users.
    passwords: RwLock<HashMap<String, Secret<[u8; 32]>>>,
    backends: Arc<Backends>,
}

/// The connections of a config, and what is known of them. They outlive a reload that does not concern them.
#[derive(Debug)]
pub struct Backends {
    /// The connections to the origin.
    pub pool: Pool<Origin>,
    /// What they are made of.
    made_of: Fingerprint,
    pub(super) registry: Registry,
    /// What the origin said of itself.
    pub(super) learnt: Arc<Learnt>,
    /// Assignments that a backend took, so that the next need not be waited for.
    confirmed: moka::sync::Cache<String, ()>,
    /// Settings of clients and backends.
    pub(super) settings: Interner<settings::Values>,
    /// What backends begin with.
    pub(super) generations: Arc<Generations<Beginning>>,
    pub(super) doubt: Arc<Doubt>,
    _upkeep: DropGuard,
}

/// What an origin says of itself when somebody logs in, and how clients want it.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    facts: RwLock<Option<Facts>>,
    found_rows: AtomicBool,
    is_mariadb: AtomicBool,
    /// What is run for each connection that a user begins.
    initial: RwLock<HashMap<String, Initial>>,
}

/// What is run for each connection that begins in a generation.
#[derive(Debug)]
struct Initial {
    generation: u64,
    text: Option<Arc<str>>,
}

#[derive(Debug)]
struct Facts {
    version: Bytes,
    collation: u8,
    extended: MariaDbFlags,
    sql_mode: Option<Arc<str>>,
    /// Names of tables that differ in case only are one (`lower_case_table_names`).
    folds_tables: bool,
    collations: Option<Arc<Collations>>,
}

/// The character sets and names of the origin's collations, by their ids in the protocol.
pub(super) type Collations = HashMap<u16, (String, String)>;

impl Learnt {
    /// The version in the origin's greeting, if it was ever reached.
    pub(super) fn version(&self) -> Option<Bytes> {
        self.facts.read().as_ref().map(|facts| facts.version.clone())
    }

    /// The collation in the origin's greeting, if it was ever reached.
    pub(super) fn collation(&self) -> Option<u8> {
        self.facts.read().as_ref().map(|facts| facts.collation)
    }

    /// What it can do as MariaDB, beyond 32 bits; nothing if it was never reached.
    pub(super) fn extended(&self) -> MariaDbFlags {
        self.facts.read().as_ref().map(|facts| facts.extended).unwrap_or_default()
    }

    /// The `sql_mode` that a connection begins with, if one was ever asked.
    pub(super) fn sql_mode(&self) -> Option<Arc<str>> {
        self.facts.read().as_ref().and_then(|facts| facts.sql_mode.clone())
    }

    /// Whether the origin is MariaDB, as far as it was ever reached.
    pub(super) fn is_mariadb(&self) -> bool {
        self.is_mariadb.load(Ordering::Relaxed)
    }

    /// Whether names of tables that differ in case only are one.
    pub(super) fn folds_tables(&self) -> bool {
        self.facts.read().as_ref().is_some_and(|facts| facts.folds_tables)
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

    /// What is run for each connection of a user that begins in this generation; `None` where that is not known.
    pub(super) fn initial(&self, user: &str, generation: u64) -> Option<Option<Arc<str>>> {
        let initial = self.initial.read();
        let known = initial.get(user).filter(|known| known.generation == generation)?;
        Some(known.text.clone())
    }

    /// Takes in what is run for each connection of a user that begins.
    pub(super) fn of_initial(&self, user: &str, generation: u64, text: Option<Arc<str>>) {
        self.initial.write().insert(user.to_owned(), Initial { generation, text });
    }

    /// Takes in the origin's collations.
    pub(super) fn of_collations(&self, collations: Collations) {
        if let Some(facts) = &mut *self.facts.write() {
            facts.collations = Some(Arc::new(collations));
        }
    }

    /// Takes in what a login heard.
    pub(super) fn of_login(&self, login: &Login) {
        let is_mariadb = login.version.windows(MARIADB.len()).any(|words| words == MARIADB);
        self.is_mariadb.store(is_mariadb, Ordering::Relaxed);
        let mut facts = self.facts.write();
        // Another server has other defaults.
        if facts.as_ref().is_none_or(|facts| facts.version != login.version) {
            let version = login.version.clone();
            let Login { collation, extended, .. } = *login;
            *facts = Some(Facts {
                version,
                collation,
                extended,
                sql_mode: None,
                folds_tables: false,
                collations: None,
            });
        }
    }

    /// Takes in what a fresh connection said of its `sql_mode`, and of `lower_case_table_names`.
    pub(super) fn of_reading(&self, sql_mode: &str, folds_tables: bool) {
        if let Some(facts) = &mut *self.facts.write() {
            facts.folds_tables = folds_tables;
            if facts.sql_mode.as_deref() != Some(sql_mode) {
                facts.sql_mode = Some(sql_mode.into());
            }
        }
    }
}

impl Database {
    /// Opens a config, with the connections that it had `before` a reload if they are the same. Must be called
    /// within a tokio runtime.
    pub(super) fn open(
        config: Arc<DatabaseConfig>,
        before: Option<&Self>,
        (origins, memos): (&Origins, &Memos),
        (metrics, tasks): (Arc<DatabaseMetrics>, &TaskTracker),
    ) -> Arc<Self> {
        let verdicts = memos.verdicts.clone();
        let catalog = origins.join(&config, move |config, learnt| {
            let verdicts = verdicts.clone();
            async move { catalog::judge(&config, &learnt, &verdicts).await }
        });
        let kept = before.filter(|before| before.made_of == config.connections);
        let backends = match kept {
            Some(before) => Arc::clone(&before.backends),
            None => {
                // What a session begins with is not in the keys of its replies.
                let generations = Arc::new(Generations::new(origins.purge(catalog.scope())));
                let statements = &memos.statements;
                Backends::open(
                    &config,
                    &metrics,
                    (statements, catalog.learnt(), generations),
                    tasks,
                )
            }
        };
        Arc::new(Self { config, metrics, catalog, passwords: RwLock::default(), backends })
    }

    /// A connection that counts rows this way, in place of one that does not.
    pub(super) async fn reconnect(&self, counts: RowsCounted) -> Result<Backend, ConnectError> {
        let how = (counts, self.config.origin.database.as_str());
        origin::open(&self.config, &self.learnt, &self.generations, how).await
    }

    /// The same in no schema.
    pub(super) async fn connect_nowhere(
        &self,
        counts: RowsCounted,
    ) -> Result<Backend, ConnectError> {
        origin::open(&self.config, &self.learnt, &self.generations, (counts, NOWHERE)).await
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

impl Deref for Database {
    type Target = Backends;

    fn deref(&self) -> &Backends {
        &self.backends
    }
}

impl Backends {
    fn open(
        config: &Arc<DatabaseConfig>,
        metrics: &Arc<DatabaseMetrics>,
        (statements, learnt, generations): (
            &prepared::Memo,
            &Arc<Learnt>,
            Arc<Generations<Beginning>>,
        ),
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        let doubt = Arc::<Doubt>::default();
        let origin = Origin::new(
            Arc::clone(config),
            Arc::clone(metrics),
            Arc::clone(learnt),
            (Arc::clone(&generations), Arc::clone(&doubt)),
        );
        metrics.pool_max_size.set(config.pool.max_size.get().into());
        let stop = CancellationToken::new();
        let backends = Arc::new(Self {
            pool: Pool::new(origin, &config.pool),
            made_of: config.connections,
            registry: Registry::new(statements),
            learnt: Arc::clone(learnt),
            confirmed: moka::sync::Cache::new(MAX_CONFIRMED),
            settings: Interner::default(),
            generations,
            doubt,
            _upkeep: stop.clone().drop_guard(),
        });
        if config.pool.min_idle > 0 {
            let warm = keep_warm(Arc::downgrade(&backends), |backends| &backends.pool);
            tasks.spawn(async move { stop.run_until_cancelled(warm).await });
        }
        backends
    }

    /// The next connection had best be opened for a client that counts rows this way (CLIENT_FOUND_ROWS).
    pub(super) fn prefer_found_rows(&self, found_rows: bool) {
        self.learnt.found_rows.store(found_rows, Ordering::Relaxed);
    }

    /// Whether a backend took these assignments before.
    pub(super) fn has_confirmed(&self, assignments: &str) -> bool {
        self.confirmed.contains_key(assignments)
    }

    /// Remembers that a backend took these assignments.
    pub(super) fn confirm(&self, assignments: String) {
        self.confirmed.insert(assignments, ());
    }
}
