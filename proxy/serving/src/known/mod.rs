//! What is known of an origin, for all configs that lead to it.
//!
//! An origin is a thing, and a config is a view of it. Two configs of one origin, or the states of one config before
//! and after a reload, read and write the same tables: so the scope of the cache's generations and what is learnt of
//! the schema belong to the origin. What depends on who asks (its catalog, which shows each user what that user may
//! see) belongs to an `Account` of it.
//!
//! ```text
//!   OriginId ── Known ──┬── Account (user) ──┬── config, with its connections and sessions
//!                       │                    └── config …
//!                       └── Account …
//! ```
//!
//! That two addresses or hostnames lead to one database cannot be known: those are two origins.

use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use cache::{Cache, sql::Judge};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    catalog::{CatalogCell, Code},
    config::{DatabaseConfig, Dial, Engine},
};

/// The name of an origin, which is the same in every process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OriginId([u8; 16]);

impl OriginId {
    /// That of the origin behind a config.
    pub fn of(config: &DatabaseConfig) -> Self {
        let mut hash = Sha256::new();
        let mut put = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        put("jumpgate origin v1");
        put(config.engine.word());
        match &config.origin.dial {
            Dial::Tcp { host, port } => {
                put("tcp");
                put(host.to_ascii_lowercase().trim_end_matches('.'));
                put(&port.to_string());
            }
            Dial::Tunnel(client) => {
                put("tunnel");
                put(&client.target());
            }
            Dial::Peer(_) => put("peer"),
        }
        match config.engine {
            Engine::Postgres => put(&config.origin.database),
            // One statement may read and write all databases of a server.
            Engine::MySql => put(""),
        }
        let mut id = [0; 16];
        id.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self(id)
    }
}

impl fmt::Display for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginId({self})")
    }
}

/// The origins of one engine that some config leads to. `J` judges by a catalog, `L` is what logins teach.
pub struct Origins<J, L> {
    cache: Cache,
    tasks: TaskTracker,
    known: Mutex<HashMap<OriginId, Weak<Known<J, L>>>>,
}

impl<J, L> fmt::Debug for Origins<J, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origins").field("known", &self.known.lock().keys()).finish_non_exhaustive()
    }
}

/// One origin.
struct Known<J, L> {
    /// What the cache knows it by.
    scope: Arc<str>,
    cache: Cache,
    /// How many configs in use may keep replies.
    caching: AtomicUsize,
    accounts: Mutex<HashMap<String, Weak<Account<J, L>>>>,
}

/// One origin as one user of it sees it.
struct Account<J, L> {
    origin: Arc<Known<J, L>>,
    /// Of the origin and the user: where the keys of cached replies begin.
    view: Arc<str>,
    cell: Arc<CatalogCell<J>>,
    configs: Arc<Configs>,
    /// What logins taught.
    learnt: Arc<L>,
    _reading: DropGuard,
}

/// A config's part in an origin. As long as it lives the config is in use.
pub struct Part<J, L> {
    account: Arc<Account<J, L>>,
    /// The catalog may be read with it.
    _config: Arc<DatabaseConfig>,
    opened_at: Instant,
    caches: bool,
}

/// The configs in use that log in alike, any of which the catalog may be read with.
#[derive(Debug, Default)]
struct Configs(Mutex<Vec<Weak<DatabaseConfig>>>);

impl Configs {
    fn add(&self, config: &Arc<DatabaseConfig>) {
        let mut all = self.0.lock();
        all.retain(|config| config.strong_count() > 0);
        all.push(Arc::downgrade(config));
    }

    /// The one that came last, or comes next since that one failed.
    fn next(&self) -> Option<Arc<DatabaseConfig>> {
        self.0.lock().iter().rev().find_map(Weak::upgrade)
    }

    /// The one in use did not work: the others come first.
    fn failed(&self) {
        let mut all = self.0.lock();
        all.retain(|config| config.strong_count() > 0);
        if !all.is_empty() {
            all.rotate_right(1);
        }
    }
}

impl<J, L> Origins<J, L>
where
    J: Judge + Send + Sync + 'static,
    L: Default + Send + Sync + 'static,
{
    /// None yet. What goes on beside the sessions runs in `tasks`.
    pub fn new(cache: Cache, tasks: TaskTracker) -> Self {
        Self { cache, tasks, known: Mutex::default() }
    }

    /// Makes every kept reply of an origin worthless, as often as it is called.
    pub fn purge(&self, scope: &Arc<str>) -> impl Fn() + Send + Sync + 'static + use<J, L> {
        let (cache, scope) = (self.cache.clone(), Arc::clone(scope));
        move || cache.purge(&scope)
    }

    /// A config comes into use. `read` reads the catalog of its account anew, with whichever config is at hand.
    ///
    /// Must be called within a tokio runtime.
    pub fn join<R, E>(
        &self,
        config: &Arc<DatabaseConfig>,
        read: impl Fn(Arc<DatabaseConfig>, Arc<L>) -> R + Send + Sync + 'static,
    ) -> Part<J, L>
    where
        R: Future<Output = Result<J, E>> + Send + 'static,
        E: Error + Send + 'static,
    {
        let origin = self.find(OriginId::of(config));
        let account = self.account(&origin, config, read);
        account.configs.add(config);
        let caches = !config.caching.disabled;
        if caches {
            // Before it counts, so that whoever finds it counted keeps nothing from before.
            if !origin.is_cached() {
                // While nobody kept replies nobody told of writes.
                self.cache.purge(&origin.scope);
            }
            let _before = origin.caching.fetch_add(1, Ordering::AcqRel);
        }
        Part { account, _config: Arc::clone(config), opened_at: Instant::now(), caches }
    }

    fn find(&self, id: OriginId) -> Arc<Known<J, L>> {
        let mut known = self.known.lock();
        if let Some(origin) = known.get(&id).and_then(Weak::upgrade) {
            return origin;
        }
        known.retain(|_id, origin| origin.strong_count() > 0);
        let origin = Arc::new(Known {
            scope: id.to_string().into(),
            cache: self.cache.clone(),
            caching: AtomicUsize::new(0),
            accounts: Mutex::default(),
        });
        known.insert(id, Arc::downgrade(&origin));
        origin
    }

    fn account<R, E>(
        &self,
        origin: &Arc<Known<J, L>>,
        config: &DatabaseConfig,
        read: impl Fn(Arc<DatabaseConfig>, Arc<L>) -> R + Send + Sync + 'static,
    ) -> Arc<Account<J, L>>
    where
        R: Future<Output = Result<J, E>> + Send + 'static,
        E: Error + Send + 'static,
    {
        let name = account_name(config);
        let mut accounts = origin.accounts.lock();
        if let Some(account) = accounts.get(&name).and_then(Weak::upgrade) {
            return account;
        }
        accounts.retain(|_name, account| account.strong_count() > 0);
        let stop = CancellationToken::new();
        let account = Arc::new(Account {
            origin: Arc::clone(origin),
            view: format!("{}/{name}", origin.scope).into(),
            cell: Arc::default(),
            configs: Arc::default(),
            learnt: Arc::default(),
            _reading: stop.clone().drop_guard(),
        });
        accounts.insert(name, Arc::downgrade(&account));
        drop(accounts);
        // Not the account itself: it ends when the last config has gone, and this with it.
        let (cell, configs) = (Arc::clone(&account.cell), Arc::clone(&account.configs));
        let learnt = Arc::clone(&account.learnt);
        let (named, reader) = (config.name.clone(), Arc::new(read));
        let surprised = self.purge(&origin.scope);
        self.tasks.spawn(async move {
            let read = || {
                let (configs, learnt) = (Arc::clone(&configs), Arc::clone(&learnt));
                let read = Arc::clone(&reader);
                async move {
                    match configs.next() {
                        Some(config) => {
                            read(config, learnt).await.inspect_err(|_error| configs.failed())
                        }
                        // The last one has just gone.
                        None => std::future::pending().await,
                    }
                }
            };
            stop.run_until_cancelled(cell.keep_fresh(&named, read, surprised)).await;
        });
        account
    }
}

impl<J: Judge, L> Known<J, L> {
    fn outdate(&self) {
        for account in self.accounts.lock().values().filter_map(Weak::upgrade) {
            account.cell.outdate();
        }
    }
}

impl<J, L> Known<J, L> {
    fn tell_of_schema(&self) {
        if let Some(peers) = self.cache.peers() {
            peers.schema_changed(&self.scope);
        }
    }

    fn is_cached(&self) -> bool {
        // Other nodes may.
        self.caching.load(Ordering::Acquire) > 0 || self.cache.peers().is_some()
    }
}

/// Who logs in: the user, and the edge by which a hostname is asked for, since another edge may lead elsewhere.
fn account_name(config: &DatabaseConfig) -> String {
    match &config.origin.dial {
        Dial::Tunnel(client) if let Some(address) = client.address() => {
            format!("{}@{address}", config.origin.user)
        }
        _ => config.origin.user.clone(),
    }
}

impl<J: Judge, L> Part<J, L> {
    /// What the cache knows the origin by.
    pub fn scope(&self) -> &Arc<str> {
        &self.account.origin.scope
    }

    /// Where the keys of replies to this config begin.
    pub fn view(&self) -> &str {
        &self.account.view
    }

    /// Whether this config logs in as the one `before` a reload did. Then what began with that one, and goes on, logs in
    /// with the password of this one; which is said to the connections that are kept.
    pub fn is_of_the_account(&self, before: &Self) -> bool {
        Arc::ptr_eq(&self.account, &before.account)
    }

    /// What logins taught.
    pub fn learnt(&self) -> &Arc<L> {
        &self.account.learnt
    }

    /// Takes in a catalog that was not read.
    #[cfg(feature = "testing")]
    pub fn teach(&self, judge: J) {
        let _learnt = self.account.cell.learn(judge, self.changes());
    }

    /// Whether any config of the origin may keep replies, so that writes must be told of.
    pub fn is_cached(&self) -> bool {
        self.account.origin.is_cached()
    }

    /// What judges by the present catalog, if it is known.
    pub fn known(&self) -> Option<J> {
        self.account.cell.known()
    }

    /// How often the schema has changed, as far as we saw.
    pub fn changes(&self) -> u64 {
        self.account.cell.changes()
    }

    /// Waits, only while the config is new, until it is known what may be cached, and what code leaves.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn begun(&self) {
        self.account.cell.begun(self.opened_at).await;
    }

    /// Whether the catalog was read once.
    pub fn has_begun(&self) -> bool {
        self.account.cell.has_begun()
    }

    /// The origin ran what the catalog says is not there.
    pub fn suspect(&self) {
        self.account.cell.suspect();
    }

    /// Forgets the catalogs of the origin, here and on other nodes: its schema has changed.
    pub fn outdate(&self) {
        let origin = &self.account.origin;
        origin.outdate();
        origin.tell_of_schema();
    }

    /// Forgets them here only, for it is another node that says so.
    pub fn outdate_here(&self) {
        self.account.origin.outdate();
    }

    /// Forgets, here and on other nodes, all of them but stored code, which is what it was.
    pub fn outdate_tables(&self) {
        self.account.origin.tell_of_schema();
        let accounts = self.account.origin.accounts.lock();
        for account in accounts.values().filter_map(Weak::upgrade) {
            account.cell.outdate_tables();
        }
    }

    /// What is known of stored code.
    pub fn code(&self) -> Code<J> {
        self.account.cell.code()
    }

    /// What is known of stored code, as soon as it is.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn code_known(&self) -> J {
        self.account.cell.code_known().await
    }
}

impl<J, L> Drop for Part<J, L> {
    fn drop(&mut self) {
        if self.caches {
            let _before = self.account.origin.caching.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl<J, L> fmt::Debug for Part<J, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("view", &self.account.view).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
