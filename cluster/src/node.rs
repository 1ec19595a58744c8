//! What a node knows of the tier, and what its cache asks of it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use cache::{
    Cache, Key, Reply,
    peers::{Announcement, Boxed, Look, Looked, Peers, SharedStamps},
    sql::Writes,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout},
};
use tokio_util::task::TaskTracker;

use crate::{
    counts::{Counts, Running, add},
    entry::Entries,
    error::TierError,
    names::slots_read,
    open::Open,
    settings::Settings,
    tier::{Seen, Sight, Tier, Wanted},
};

/// The origins that a node leads to.
pub trait Origins: Send + Sync {
    /// Another node has changed the schema of one.
    fn schema_changed(&self, scope: &str);

    /// Whether a backend of one is gone, with all that it might still have done. `None` where that cannot be said here.
    fn is_gone<'a>(&'a self, scope: &'a str, backend: u32) -> Boxed<'a, Option<bool>>;
}

/// One node of those that share a tier. Clones are the same.
#[derive(Clone)]
pub struct Cluster(pub(crate) Arc<Shared>);

/// What there is to say of a node at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether memory may be served.
    pub has_lease: bool,
    /// What keeps it from the tier, if anything does.
    pub trouble: Option<String>,
    /// What has happened.
    pub counts: Counts,
}

/// Connected to the tier, under a name.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) tier: Tier,
    pub(crate) epoch: String,
    pub(crate) node: String,
}

impl Member {
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.epoch, &self.node)
    }
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) cache: Cache,
    pub(crate) tasks: TaskTracker,
    pub(crate) counts: Running,
    pub(crate) member: watch::Sender<Option<Arc<Member>>>,
    pub(crate) open: Open,
    pub(crate) trouble: Mutex<Option<String>>,
    pub(crate) origins: OnceLock<Box<dyn Origins>>,
    entries: Entries,
    /// How often the schema of each origin has changed, as far as it was heard.
    schemas: Mutex<HashMap<Arc<str>, String>>,
    /// After it was slow, the tier is not asked for a moment.
    slow_until: Mutex<Option<Instant>>,
    /// For replies that are on their way to the tier.
    keeping: Arc<Semaphore>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Cluster {
    /// A node that shares what `cache` keeps, from now on. It serves nothing from memory before [`Cluster::run`] has come in.
    /// What goes on beside runs in `tasks`.
    pub fn new(settings: Settings, cache: &Cache, tasks: TaskTracker) -> Self {
        let shared = Arc::new(Shared {
            entries: Entries::new(settings.seal.as_ref(), settings.max_entry_bytes),
            settings,
            cache: cache.clone(),
            tasks,
            counts: Running::default(),
            member: watch::channel(None).0,
            open: Open::default(),
            trouble: Mutex::new(Some("not connected yet".to_owned())),
            origins: OnceLock::new(),
            schemas: Mutex::default(),
            slow_until: Mutex::default(),
            keeping: Arc::new(Semaphore::new(KEEPING)),
        });
        let cluster = Self(shared);
        cache.join(Arc::new(cluster.clone()));
        cluster
    }

    /// What there is to say.
    pub fn state(&self) -> State {
        State {
            has_lease: self.0.cache.may_serve(),
            trouble: self.0.trouble.lock().clone(),
            counts: self.0.counts.read(),
        }
    }

    /// Where the tier is.
    pub fn place(&self) -> String {
        self.0.settings.place()
    }
}

impl Shared {
    pub(crate) fn member(&self) -> Option<Arc<Member>> {
        self.member.borrow().clone()
    }

    /// Asks the tier, within its time.
    async fn sight(&self, look: &Look<'_>) -> Result<Seen, ()> {
        let is_slow = self.slow_until.lock().is_some_and(|until| Instant::now() < until);
        let Some(member) = self.member().filter(|_| !is_slow) else { return Err(()) };
        let slots = slots_read(look.scope, look.tables);
        let Look { key, scope, max_age, .. } = *look;
        let wanted = Wanted { key, scope, slots: &slots, max_age };
        match timeout(self.settings.timeout, member.tier.look(member.name(), &wanted)).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the tier was not asked");
                Err(())
            }
            Err(_elapsed) => {
                *self.slow_until.lock() = Some(Instant::now() + SLOW);
                Err(())
            }
        }
    }

    /// Whether the schema is the one that was known here; if not, it is read anew.
    pub(crate) fn knows_schema(&self, scope: &Arc<str>, schema: &str) -> bool {
        // One that was never heard of may have changed since the catalog was read.
        if self.schemas.lock().get(scope).is_some_and(|known| known == schema) {
            return true;
        }
        // In this order: who finds it known has a catalog that is not from before.
        if let Some(origins) = self.origins.get() {
            origins.schema_changed(scope);
        }
        self.schemas.lock().insert(Arc::clone(scope), schema.to_owned());
        false
    }

    /// What was seen, for whoever asked.
    fn found(&self, key: Key, sight: Sight) -> Looked {
        let Sight { stamps, entry, .. } = sight;
        let Some(entry) = entry else {
            add(&self.counts.led, 1);
            return Looked::Lead(stamps);
        };
        if let Some((reply, born)) = self.entries.decode(key, &stamps.stamps, entry) {
            add(&self.counts.found, 1);
            let age = Duration::from_millis(stamps.at.saturating_sub(born));
            Looked::Found(reply, age, stamps)
        } else {
            // Somebody else's, or damaged: the next one replaces it.
            add(&self.counts.led, 1);
            Looked::Lead(stamps)
        }
    }

    /// Runs something for the tier beside; where too much of it is under way, it is left out.
    fn beside<F>(self: &Arc<Self>, ask: impl FnOnce(Arc<Member>) -> F)
    where
        F: Future<Output = Result<(), TierError>> + Send + 'static,
    {
        let (Some(member), Ok(turn)) =
            (self.member(), Arc::clone(&self.keeping).try_acquire_owned())
        else {
            return;
        };
        let asked = ask(member);
        self.tasks.spawn(async move {
            let _turn = turn;
            if let Err(error) = asked.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the tier was not told");
            }
        });
    }
}

impl Peers for Cluster {
    fn announce(&self, scope: &Arc<str>, writes: &Writes, backend: u32) -> Announcement {
        self.0.announce(scope, writes, backend)
    }

    fn look<'a>(&'a self, look: Look<'a>) -> Boxed<'a, Looked> {
        Box::pin(async move {
            let shared = &self.0;
            match shared.sight(&look).await {
                Ok(Seen::Sight(sight)) => {
                    if shared.knows_schema(look.scope, &sight.schema) {
                        shared.found(look.key, sight)
                    } else {
                        self.give_up(look.key);
                        add(&shared.counts.written, 1);
                        Looked::Nothing
                    }
                }
                Ok(Seen::Elsewhere) => {
                    add(&shared.counts.elsewhere, 1);
                    Looked::Elsewhere
                }
                Ok(Seen::Written) => {
                    add(&shared.counts.written, 1);
                    Looked::Nothing
                }
                Err(()) => {
                    add(&shared.counts.unasked, 1);
                    Looked::Nothing
                }
            }
        })
    }

    fn keep(&self, key: Key, stamps: &SharedStamps, life: Duration, reply: &Arc<Reply>) {
        let SharedStamps { stamps, at } = stamps;
        let Some(entry) = self.0.entries.encode(key, stamps, *at, reply) else {
            self.give_up(key);
            return;
        };
        add(&self.0.counts.kept, 1);
        self.0.beside(|member| async move { member.tier.keep(key, &entry, life).await });
    }

    fn give_up(&self, key: Key) {
        self.0.beside(|member| async move { member.tier.give_up(key).await });
    }

    fn outdate(&self, scope: &Arc<str>, writes: &Writes) {
        // A write that has ended once it is announced.
        drop(self.0.announce(scope, writes, 0));
    }

    fn schema_changed(&self, scope: &Arc<str>) {
        self.0.open.schema_changed(scope);
    }
}

/// Replies that may be on their way to the tier at the same time.
const KEEPING: usize = 256;

/// How long the tier is left alone after it did not answer in time.
const SLOW: Duration = Duration::from_millis(250);
