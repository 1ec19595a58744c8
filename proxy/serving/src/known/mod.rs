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

mod account;
mod capturing;
mod configs;
mod id;

use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    fmt,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use cache::{Cache, Freshness, sql::Judge};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub use self::id::OriginId;
use self::{
    account::{Account, Known},
    capturing::{Captured, Capturing},
};
use crate::{
    capture::Feed,
    catalog::{CatalogCell, Code},
    config::{CaptureConfig, DatabaseConfig},
    observe::DatabaseMetrics,
    verdict::Terms,
};

/// As old may be what is kept until it changes.
const UNTIL_CHANGED: Duration = Duration::from_secs(3600);

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

/// A config's part in an origin. As long as it lives the config is in use.
pub struct Part<J, L> {
    account: Arc<Account<J, L>>,
    /// The catalog may be read with it, and changes captured.
    config: Arc<DatabaseConfig>,
    opened_at: Instant,
    caches: bool,
    captured: Option<Captured>,
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

    /// What is to be done when another host of this config's origin is in use, as often as it is called: that may lack writes
    /// that were seen, so nothing that was kept counts, and catalogs are read anew.
    pub fn moved(&self, part: &Part<J, L>) -> impl Fn() + Send + Sync + 'static + use<J, L> {
        let origin = Arc::downgrade(&part.account.origin);
        move || origin.upgrade().into_iter().for_each(|origin| origin.moved())
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
        let account = origin.account(config, read, &self.tasks);
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
        let config = Arc::clone(config);
        Part { account, config, opened_at: Instant::now(), caches, captured: None }
    }

    /// Where the config of a part says so, changes of its origin are captured as long as such a config is in use: `run`
    /// does, with whichever is at hand, until it fails, and is then called anew.
    ///
    /// Must be called within a tokio runtime.
    pub fn capture<R, E>(
        &self,
        part: &mut Part<J, L>,
        metrics: &Arc<DatabaseMetrics>,
        run: impl Fn(Arc<DatabaseConfig>, Arc<Feed>) -> R + Send + Sync + 'static,
    ) where
        R: Future<Output = Result<Infallible, E>> + Send + 'static,
        E: Error + Send + 'static,
    {
        if part.config.capture.is_none() {
            return;
        }
        let origin = &part.account.origin;
        let mut known = origin.capturing.lock();
        let capturing = known.upgrade().unwrap_or_else(|| {
            let weak = Arc::downgrade(origin);
            let outdate = move || weak.upgrade().into_iter().for_each(|origin| origin.outdate());
            let feed = Feed::new(self.cache.clone(), Arc::clone(&origin.scope), outdate);
            let begun = Capturing::begin(feed, run, &self.tasks);
            *known = Arc::downgrade(&begun);
            begun
        });
        drop(known);
        part.captured = Some(Captured::new(capturing, &part.config, Arc::clone(metrics)));
    }

    fn find(&self, id: OriginId) -> Arc<Known<J, L>> {
        let mut known = self.known.lock();
        if let Some(origin) = known.get(&id).and_then(Weak::upgrade) {
            return origin;
        }
        known.retain(|_id, origin| origin.strong_count() > 0);
        let origin = Arc::new(Known::new(id, self.cache.clone()));
        known.insert(id, Arc::downgrade(&origin));
        origin
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

    /// What says the same as long as a config of its account is in use.
    pub fn cell(&self) -> Weak<CatalogCell<J>> {
        Arc::downgrade(&self.account.cell)
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
        let origin = &self.account.origin;
        origin.tell_of_schema();
        origin.outdate_tables();
    }

    /// How old an answer on these terms may be: where all changes of what it reads are told of, and in time, it may be kept
    /// until one is, if the config says so.
    pub fn fresh(&self, terms: &Terms) -> Freshness {
        let Terms { tables, fresh, may_last } = terms;
        let wants = |capture: &CaptureConfig| capture.until_changed && *may_last;
        match &self.captured {
            Some(captured)
                if self.config.capture.as_ref().is_some_and(wants)
                    && !tables.is_empty()
                    && captured.feed().is_told_of(tables) =>
            {
                Freshness { max_age: UNTIL_CHANGED, ..*fresh }
            }
            _ => *fresh,
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
