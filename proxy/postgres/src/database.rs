//! One config as the sessions use it: its part in the origin, connections, statements, and what was learnt of settings.

use std::{ops::Deref, sync::Arc};

use cache::sql::postgres::Verdicts;
use origin::{
    config::Whereabouts,
    net::Spare,
    pool::{Doubt, Generations, Pool, keep_warm},
};
use parking_lot::Mutex;
use serving::{
    config::{DatabaseConfig, Fingerprint},
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
    backend::Backend,
    beginning::Beginning,
    capture,
    catalog::{self, Origins, Part},
    meaning::Meaning,
    origin::{Finder, Origin},
    parameters::{Parameters, Values},
    prepared::{self, Registry},
    sequences::SequenceUse,
    settings::Settings,
};

/// The most different startup settings whose canonical values are remembered.
const MAX_WELCOMES: u64 = 1000;

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
    /// For cancel requests.
    pub(crate) spare: Arc<Spare>,
    /// Settings of clients and backends.
    pub(crate) settings: Interner<Settings>,
    /// Of them, what decides how the constants of a text are read.
    pub(crate) meanings: Interner<Meaning>,
    /// Whether texts ask for `currval` and `lastval`.
    pub(crate) sequences: SequenceUse,
    /// What backends report of them.
    pub(crate) parameters: Interner<Values>,
    welcomes: moka::sync::Cache<(u64, String), Parameters>,
    defaults: Mutex<Option<(u64, Parameters)>>,
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
        let mut catalog = origins.join(&config, move |config, _| {
            let verdicts = verdicts.clone();
            async move { catalog::judge(&config, &verdicts).await }
        });
        origins.capture(&mut catalog, &metrics, capture::run);
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
                // Not all of what a session begins with is in the keys of its replies.
                let changed = origins.purge(catalog.scope());
                let generations = Arc::new(Generations::new(changed));
                let moved = origins.moved(&catalog);
                let failovers = Failovers::new(&config.name, Arc::clone(&metrics), moved);
                let finder = Arc::new(Finder::new(Arc::clone(&config), failovers));
                Backends::open((&config, finder), &metrics, (&memos.statements, generations), tasks)
            }
        };
        Arc::new(Self { config, metrics, catalog, backends })
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
        (statements, generations): (&prepared::Memo, Arc<Generations<Beginning>>),
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        let known = Arc::clone(&generations);
        let doubt = Arc::<Doubt>::default();
        let origin =
            Origin::new(Arc::clone(&finder), Arc::clone(metrics), known, Arc::clone(&doubt));
        metrics.pool_max_size.set(config.pool.max_size.get().into());
        let stop = CancellationToken::new();
        let backends = Arc::new(Self {
            pool: Pool::new(origin, &config.pool),
            made_of: config.connections,
            registry: Registry::new(statements),
            spare: Arc::new(Spare::new(&config.origin.dial)),
            settings: Interner::default(),
            meanings: Interner::default(),
            sequences: SequenceUse::default(),
            parameters: Interner::default(),
            welcomes: moka::sync::Cache::new(MAX_WELCOMES),
            defaults: Mutex::default(),
            generations,
            doubt,
            finder,
            whereabouts: Whereabouts::default(),
            _upkeep: stop.clone().drop_guard(),
        });
        if config.pool.min_idle > 0 {
            let warm = keep_warm(Arc::downgrade(&backends), |backends| &backends.pool);
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(warm).await });
        }
        backends.keep_spare(tasks, stop);
        backends
    }

    /// Keeps a stream for cancel requests while backends are on loan, where that saves anything.
    fn keep_spare(self: &Arc<Self>, tasks: &TaskTracker, stop: CancellationToken) {
        let spare = Arc::clone(&self.spare);
        let backends = Arc::downgrade(self);
        let is_wanted = move || {
            let status = backends.upgrade()?.pool.status();
            Some(status.connections > status.idle)
        };
        tasks.spawn(async move { stop.run_until_cancelled(spare.keep(is_wanted)).await });
    }

    /// What a client with these startup settings is told, if a backend of the present generation was ever asked.
    pub(crate) fn welcome(&self, settings: &Settings) -> Option<Parameters> {
        let present = self.generations.number();
        if settings.is_empty() {
            let known = self.defaults.lock();
            return known
                .as_ref()
                .filter(|(number, _)| *number == present)
                .map(|(_, told)| told.clone());
        }
        self.welcomes.get(&(present, key(settings)))
    }

    /// Forgets what clients with these startup settings are told.
    pub(crate) fn forget_welcome(&self, settings: &Settings) {
        if settings.is_empty() {
            *self.defaults.lock() = None;
        } else {
            self.welcomes.invalidate(&(self.generations.number(), key(settings)));
        }
    }

    /// Remembers what a backend reported with these settings.
    pub(crate) fn learn_welcome(&self, settings: &Settings, backend: &Backend) {
        let (number, told) = (backend.generation(), backend.parameters.clone());
        if settings.is_empty() {
            *self.defaults.lock() = Some((number, told));
        } else {
            self.welcomes.insert((number, key(settings)), told);
        }
    }
}

fn key(settings: &Settings) -> String {
    settings.iter().map(|(_, sql)| sql).collect::<Vec<_>>().join(";")
}
