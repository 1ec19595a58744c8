//! One origin, and its accounts.

use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use cache::{
    Cache,
    sql::{Judge, Writes},
};
use parking_lot::Mutex;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    capturing::Capturing,
    configs::Configs,
    id::{OriginId, account_name},
};
use crate::{
    catalog::CatalogCell,
    config::{DatabaseConfig, Hosts},
};

/// One origin.
pub(super) struct Known<J, L> {
    /// What the cache knows it by.
    pub(super) scope: Arc<str>,
    cache: Cache,
    /// How many configs in use may keep replies.
    pub(super) caching: AtomicUsize,
    accounts: Mutex<HashMap<String, Weak<Account<J, L>>>>,
    pub(super) capturing: Mutex<Weak<Capturing>>,
}

/// One origin as one user of it sees it.
pub(super) struct Account<J, L> {
    pub(super) origin: Arc<Known<J, L>>,
    /// Where the configs are that log in alike.
    hosts: Hosts,
    /// Of the origin and the user: where the keys of cached replies begin.
    pub(super) view: Arc<str>,
    pub(super) cell: Arc<CatalogCell<J>>,
    pub(super) configs: Arc<Configs>,
    /// What logins taught.
    pub(super) learnt: Arc<L>,
    _reading: DropGuard,
}

impl<J, L> Known<J, L> {
    pub(super) fn new(id: OriginId, cache: Cache) -> Self {
        Self {
            scope: id.to_string().into(),
            cache,
            caching: AtomicUsize::new(0),
            accounts: Mutex::default(),
            capturing: Mutex::default(),
        }
    }

    pub(super) fn is_cached(&self) -> bool {
        // Other nodes may.
        self.caching.load(Ordering::Acquire) > 0 || self.cache.peers().is_some()
    }

    /// Tells the other nodes that the schema has changed.
    pub(super) fn tell_of_schema(&self) {
        if let Some(peers) = self.cache.peers() {
            peers.schema_changed(&self.scope);
        }
    }
}

impl<J: Judge, L> Known<J, L> {
    /// Forgets the catalogs.
    pub(super) fn outdate(&self) {
        self.each_cell(CatalogCell::outdate);
    }

    /// All of them but stored code.
    pub(super) fn outdate_tables(&self) {
        self.each_cell(CatalogCell::outdate_tables);
    }

    /// Another of its hosts is in use.
    pub(super) fn moved(&self) {
        let capturing = self.capturing.lock().upgrade();
        if let Some(capturing) = capturing {
            capturing.begin_anew();
        }
        self.cache.invalidate_everywhere(&self.scope, &Writes::Everything);
        self.outdate();
        self.tell_of_schema();
    }

    fn each_cell(&self, each: impl Fn(&CatalogCell<J>)) {
        let accounts = self.accounts.lock();
        accounts.values().filter_map(Weak::upgrade).for_each(|account| each(&account.cell));
    }
}

impl<J, L> Known<J, L>
where
    J: Judge + Send + Sync + 'static,
    L: Default + Send + Sync + 'static,
{
    /// The account of a config, whose catalog is kept fresh as long as it lives.
    pub(super) fn account<R, E>(
        self: &Arc<Self>,
        config: &DatabaseConfig,
        read: impl Fn(Arc<DatabaseConfig>, Arc<L>) -> R + Send + Sync + 'static,
        tasks: &TaskTracker,
    ) -> Arc<Account<J, L>>
    where
        R: Future<Output = Result<J, E>> + Send + 'static,
        E: Error + Send + 'static,
    {
        let name = account_name(config);
        let mut accounts = self.accounts.lock();
        if let Some(account) = accounts.get(&name).and_then(Weak::upgrade) {
            config.origin.hosts.share(&account.hosts);
            return account;
        }
        accounts.retain(|_name, account| account.strong_count() > 0);
        let stop = CancellationToken::new();
        let account = Arc::new(Account {
            origin: Arc::clone(self),
            hosts: config.origin.hosts.clone(),
            view: format!("{}/{name}", self.scope).into(),
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
        let (cache, scope) = (self.cache.clone(), Arc::clone(&self.scope));
        let surprised = move || cache.purge(&scope);
        tasks.spawn(async move {
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
