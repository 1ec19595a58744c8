//! One config as the sessions use it: its part in the origin, connections, statements.

use std::{collections::HashMap, ops::Deref, sync::Arc};

use ::origin::{
    config::Whereabouts,
    net::ConnectError,
    pool::{Doubt, Generations, Pool, keep_warm},
    secret::Secret,
};
use cache::sql::mysql::Verdicts;
use parking_lot::RwLock;
use serving::{
    config::{DatabaseConfig, EachOf, Fingerprint},
    directory::Namesake,
    failovers::Failovers,
    intern::Interner,
    memory,
    observe::DatabaseMetrics,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    accepted::memory::Accepted,
    backend::{Backend, Beginning, NOWHERE, RowsCounted},
    capture,
    catalog::{self, Origins, Part},
    learnt::Learnt,
    origin::{Finder, Origin},
    prepared::{self, Registry},
    settings,
};

/// The most different assignments of settings that are remembered.
const MAX_CONFIRMED: u64 = 1000;

/// What is remembered for all databases of the engine.
pub(crate) type Memos = memory::Memos<Verdicts, prepared::Memo>;

/// One config, with everything that its sessions share.
#[derive(Debug)]
pub struct Database {
    /// What the file says.
    pub config: Arc<DatabaseConfig>,
    /// Its counters.
    pub metrics: Arc<DatabaseMetrics>,
    /// What is known of its origin.
    pub(crate) catalog: Part,
    /// What `caching_sha2_password` keeps of passwords that were right once, for users of whom the file gives a
    /// SCRAM verifier only. There are no more of them than users.
    passwords: RwLock<HashMap<String, EachOf<32>>>,
    backends: Arc<Backends>,
}

/// The connections of a config, and what is known of them. They outlive a reload that does not concern them.
#[derive(Debug)]
pub struct Backends {
    /// The connections to the origin.
    pub pool: Pool<Origin>,
    /// What they are made of.
    made_of: Fingerprint,
    pub(crate) registry: Registry,
    /// What the origin said of itself.
    pub(crate) learnt: Arc<Learnt>,
    /// Assignments that a backend took, so that the next need not be waited for.
    confirmed: moka::sync::Cache<String, ()>,
    /// What the origin need not be asked again.
    pub(crate) accepted: Accepted,
    /// Settings of clients and backends.
    pub(crate) settings: Interner<settings::Values>,
    /// What backends begin with.
    pub(crate) generations: Arc<Generations<Beginning>>,
    pub(crate) doubt: Arc<Doubt>,
    /// Finds the host that will do.
    pub(crate) finder: Arc<Finder>,
    /// Where its connections were lately.
    pub(crate) whereabouts: Whereabouts,
    _upkeep: DropGuard,
}

impl Database {
    /// Opens a config, with the connections of its `namesake` if they are the same. Both log in with the password of
    /// whichever came last. Must be called within a tokio runtime.
    pub(crate) fn open(
        config: Arc<DatabaseConfig>,
        namesake: Option<Namesake<'_, Self>>,
        (origins, memos): (&Origins, &Memos),
        (metrics, tasks): (Arc<DatabaseMetrics>, &TaskTracker),
    ) -> Arc<Self> {
        let verdicts = memos.verdicts.clone();
        let mut catalog = origins.join(&config, move |config, learnt| {
            let verdicts = verdicts.clone();
            async move { catalog::judge(&config, &learnt, &verdicts).await }
        });
        let cell = catalog.cell();
        origins.capture(&mut catalog, &metrics, move |config, feed| {
            capture::run(config, feed, cell.clone())
        });
        if let Some(namesake) = &namesake
            && catalog.is_of_the_account(&namesake.get().catalog)
        {
            match namesake {
                Namesake::Before(before) if config.origin.succeed(&before.config.origin) => {
                    before.pool.try_anew();
                }
                Namesake::Before(_) => {}
                Namesake::After(after) => config.origin.join(&after.config.origin),
            }
        }
        let kept = namesake.map(|namesake| namesake.get());
        let backends = match kept.filter(|kept| kept.made_of == config.connections) {
            Some(kept) => Arc::clone(&kept.backends),
            None => {
                // What a session begins with is not in the keys of its replies.
                let generations = Arc::new(Generations::new(origins.purge(catalog.scope())));
                let moved = origins.moved(&catalog);
                let failovers = Failovers::new(&config.name, Arc::clone(&metrics), moved);
                let learnt = Arc::clone(catalog.learnt());
                let finder = Arc::new(Finder::new(Arc::clone(&config), learnt, failovers));
                Backends::open(
                    (&config, finder),
                    &metrics,
                    (&memos.statements, catalog.learnt(), generations),
                    tasks,
                )
            }
        };
        Arc::new(Self { config, metrics, catalog, passwords: RwLock::default(), backends })
    }

    /// A connection that counts rows this way, in place of one that does not.
    pub(crate) async fn reconnect(&self, counts: RowsCounted) -> Result<Backend, ConnectError> {
        let how = (counts, self.config.origin.database.as_str());
        self.finder.open(&self.generations, how).await
    }

    /// The same in no schema.
    pub(crate) async fn connect_nowhere(
        &self,
        counts: RowsCounted,
    ) -> Result<Backend, ConnectError> {
        self.finder.open(&self.generations, (counts, NOWHERE)).await
    }

    /// What `caching_sha2_password` keeps of a user's passwords, if one was right once.
    pub(crate) fn known_password(&self, user: &str) -> Option<EachOf<32>> {
        self.passwords.read().get(user).cloned()
    }

    /// Remembers what a user's password was right with.
    pub(crate) fn learn_password(&self, user: &str, stored: Secret<[u8; 32]>) {
        if self.config.user(user).is_some() {
            let stored = EachOf::one(stored);
            let mut passwords = self.passwords.write();
            // The one before is kept: two of a user's may be right, and clients come with either.
            let both = match passwords.get(user) {
                Some(known) => stored.and(known),
                None => stored,
            };
            passwords.insert(user.to_owned(), both);
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
        (config, finder): (&Arc<DatabaseConfig>, Arc<Finder>),
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
            Arc::clone(&finder),
            Arc::clone(metrics),
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
            accepted: Accepted::new(config.caching.max_age),
            settings: Interner::default(),
            generations,
            doubt,
            finder,
            whereabouts: Whereabouts::default(),
            _upkeep: stop.clone().drop_guard(),
        });
        if config.pool.min_idle > 0 {
            let warm = keep_warm(Arc::downgrade(&backends), |backends| &backends.pool);
            tasks.spawn(async move { stop.run_until_cancelled(warm).await });
        }
        backends
    }

    /// The next connection had best be opened for a client that counts rows this way (CLIENT_FOUND_ROWS).
    pub(crate) fn prefer_found_rows(&self, found_rows: bool) {
        self.learnt.of_found_rows(found_rows);
    }

    /// Whether a backend took these assignments before.
    pub(crate) fn has_confirmed(&self, assignments: &str) -> bool {
        self.confirmed.contains_key(assignments)
    }

    /// Remembers that a backend took these assignments.
    pub(crate) fn confirm(&self, assignments: String) {
        self.confirmed.insert(assignments, ());
    }
}
