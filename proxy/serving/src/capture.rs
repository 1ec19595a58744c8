//! Changes that an origin itself tells of, whoever made them, and what the cache makes of them.
//!
//! A task of an engine hears of them and says so to the [`Feed`] of the origin. As long as nobody listens, or what is heard
//! comes late, nothing of the origin is served from the cache or kept.
//!
//! ```text
//!          begun                  lags for long
//!   Lost ─────────► Well ◄─────────────────────────► Late
//!    ▲               │         lags no longer         │
//!    └───────────────┴──────────── lost ──────────────┘
//! ```
//!
//! What was kept before is worthless when it begins: changes were missed. When what was late has been heard nothing was.
//! Who runs such a task, and when, is `known`'s business.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use cache::{
    Cache, Writing,
    sql::{TableName, Writes},
};
use parking_lot::{Mutex, RwLock};

use crate::observe::{Change, DatabaseMetrics};

/// What a task says of the changes of one origin.
pub struct Feed {
    cache: Cache,
    /// What the cache knows the origin by.
    scope: Arc<str>,
    /// Forgets the catalogs of the origin.
    outdate: Box<dyn Fn() + Send + Sync>,
    state: RwLock<State>,
    covered: RwLock<Covered>,
    /// The databases that lead to the origin and capture.
    shown: Mutex<Vec<Arc<DatabaseMetrics>>>,
}

/// Whether changes are heard of. While one of what is held lives, nothing of the origin is served or kept.
#[derive(Debug)]
enum State {
    Lost(Writing),
    Late(Writing),
    Well,
}

/// The tables whose changes are all told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Covered {
    /// None.
    #[default]
    Nothing,
    /// Those with these names, whatever their schemas.
    Tables(HashSet<String>),
    /// Each.
    Everything,
}

/// What `jumpgate check` finds of an origin whose changes are to be captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it must be.
    Fine(String),
    /// It could be better, and why; what to do, a line each.
    Gap(String, Vec<String>),
    /// Without it nothing is captured; what to do, a line each.
    Missing(String, Vec<String>),
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.read();
        let mut shown = f.debug_struct("Feed");
        shown.field("scope", &self.scope).field("state", &*state).finish_non_exhaustive()
    }
}

impl Feed {
    /// That of an origin of which nobody has heard yet.
    pub(crate) fn new(
        cache: Cache,
        scope: Arc<str>,
        outdate: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        // Each node hears of changes by itself, and at another moment than the others.
        cache.keep_to_itself(&scope);
        let state = RwLock::new(State::Lost(cache.write_of_others(&scope, &Writes::Everything)));
        Self {
            cache,
            scope,
            outdate: Box::new(outdate),
            state,
            covered: RwLock::default(),
            shown: Mutex::default(),
        }
    }

    /// It begins: whatever is committed from now on will be told.
    pub fn begun(&self) {
        let mut state = self.state.write();
        if matches!(*state, State::Lost(_)) {
            *state = State::Well;
        }
        let is_up = matches!(*state, State::Well);
        drop(state);
        self.show(|metrics| metrics.capture_is_up(is_up));
    }

    /// Nobody listens any more.
    pub(crate) fn lost(&self) {
        let mut state = self.state.write();
        *state = match std::mem::replace(&mut *state, State::Well) {
            State::Lost(held) | State::Late(held) => State::Lost(held),
            State::Well => State::Lost(self.hold()),
        };
        drop(state);
        *self.covered.write() = Covered::Nothing;
        self.show(|metrics| {
            metrics.capture_is_up(false);
            metrics.capture_lost();
        });
    }

    /// Changes are heard of so late, and may be `most` late. To be said again and again.
    pub fn lags(&self, lag: Duration, most: Duration) {
        let mut state = self.state.write();
        *state = match std::mem::replace(&mut *state, State::Well) {
            State::Well if lag > most => State::Late(self.hold()),
            State::Late(held) if lag <= most => {
                // All of what came late was told, and outdated what it had to.
                held.settle();
                State::Well
            }
            same => same,
        };
        let is_up = matches!(*state, State::Well);
        drop(state);
        self.show(|metrics| {
            metrics.capture_is_up(is_up);
            metrics.capture_lags(lag);
        });
    }

    /// The origin keeps so many bytes of its log because we have not heard them.
    pub fn retains(&self, bytes: u64) {
        self.show(|metrics| metrics.capture_retains(bytes));
    }

    /// These tables were written by a transaction that everybody sees.
    pub fn changed(&self, change: Change, tables: Vec<TableName>) {
        self.cache.invalidate(&self.scope, &written(tables));
        self.show(|metrics| metrics.captured(change));
    }

    /// These tables were written by a transaction that some may see and others not yet, as long as what is returned lives. Of
    /// [`Change::Schema`] and [`Change::Everything`] it is all of them; behind the former comes
    /// [`forget_schema`](Self::forget_schema).
    pub fn changing(&self, change: Change, tables: Vec<TableName>) -> Writing {
        self.show(|metrics| metrics.captured(change));
        match change {
            Change::Rows | Change::Truncate => {
                self.cache.write_of_others(&self.scope, &written(tables))
            }
            Change::Everything | Change::Schema => self.hold(),
        }
    }

    /// What was told before by now is seen by everybody: who has read in between may have missed it.
    pub fn settled(&self, writes: &Writes, is_schema: bool) {
        if is_schema {
            (self.outdate)();
        }
        self.cache.invalidate(&self.scope, writes);
    }

    /// Anything may have changed.
    pub fn everything_changed(&self) {
        self.cache.purge(&self.scope);
        self.show(|metrics| metrics.captured(Change::Everything));
    }

    /// The schema has changed, and with it anything may have.
    pub fn schema_changed(&self) {
        self.forget_schema();
        self.show(|metrics| metrics.captured(Change::Schema));
    }

    /// The schema is another than the one that is known, and what was kept by it worthless.
    pub fn forget_schema(&self) {
        (self.outdate)();
        self.cache.purge(&self.scope);
    }

    /// From now on all changes of these are told of.
    pub fn covers(&self, covered: Covered) {
        *self.covered.write() = covered;
    }

    /// Whether all changes of these tables are told of, and in time.
    pub fn is_told_of(&self, tables: &[TableName]) -> bool {
        matches!(*self.state.read(), State::Well) && self.covered.read().has_all(tables)
    }

    /// Shows all that is said by the metrics of a database.
    pub(crate) fn shows(&self, metrics: Arc<DatabaseMetrics>) {
        let is_up = matches!(*self.state.read(), State::Well);
        metrics.capture_is_up(is_up);
        self.shown.lock().push(metrics);
    }

    /// One of those who had it shown there wants it no longer.
    pub(crate) fn hides(&self, metrics: &Arc<DatabaseMetrics>) {
        let mut shown = self.shown.lock();
        if let Some(place) = shown.iter().position(|known| Arc::ptr_eq(known, metrics)) {
            shown.swap_remove(place);
        }
        if !shown.iter().any(|known| Arc::ptr_eq(known, metrics)) {
            metrics.capture_ended();
        }
    }

    fn show(&self, show: impl Fn(&DatabaseMetrics)) {
        self.shown.lock().iter().for_each(|metrics| show(metrics));
    }

    fn hold(&self) -> Writing {
        self.cache.write_of_others(&self.scope, &Writes::Everything)
    }
}

impl Covered {
    fn has_all(&self, tables: &[TableName]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Tables(names) => tables.iter().all(|table| names.contains(&table.name)),
            Self::Everything => true,
        }
    }
}

/// As one write: of more tables than can be told apart, of everything.
fn written(tables: Vec<TableName>) -> Writes {
    tables.into_iter().fold(Writes::None, |mut writes, table| {
        writes.merge(Writes::Tables(vec![table]));
        writes
    })
}

#[cfg(test)]
mod tests {
    use cache::{CacheLimits, Freshness, Key, KeyBuilder, Lookup, Reply};

    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    struct Stage {
        cache: Cache,
        scope: Arc<str>,
        feed: Feed,
    }

    impl Stage {
        fn new() -> Self {
            let limits = CacheLimits {
                capacity_bytes: 1 << 20,
                collecting_bytes: 1 << 20,
                max_entry_bytes: 1 << 10,
            };
            let (cache, scope) = (Cache::new(limits), Arc::<str>::from("origin"));
            let feed = Feed::new(cache.clone(), Arc::clone(&scope), || {});
            Self { cache, scope, feed }
        }

        /// What a read of a table finds; a miss keeps its reply.
        fn read(&self, table: &str) -> &'static str {
            let fresh = Freshness {
                max_age: Duration::from_secs(60),
                stale_while_revalidate: Duration::ZERO,
                born_by: None,
            };
            match self.cache.lookup(key(table), &self.scope, &[TableName::bare(table)], fresh) {
                Lookup::Hit(_) => "hit",
                Lookup::Lead(fill) => {
                    assert!(fill.commit(Reply::default()));
                    "miss"
                }
                Lookup::Written => "uncached",
                other => panic!("{other:?}"),
            }
        }
    }

    fn key(table: &str) -> Key {
        KeyBuilder::new("origin").field("table", table.as_bytes()).finish()
    }

    #[test]
    fn nothing_is_kept_before_it_begins_nor_after_it_was_lost_and_nothing_from_before_is_served() {
        let stage = Stage::new();
        assert_eq!(stage.read("a"), "uncached");
        stage.feed.begun();
        assert_eq!((stage.read("a"), stage.read("a")), ("miss", "hit"));
        stage.feed.lost();
        assert_eq!(stage.read("a"), "uncached");
        stage.feed.lags(Duration::ZERO, MOST);
        assert_eq!(stage.read("a"), "uncached", "who has heard nothing is not in time");
        stage.feed.begun();
        assert_eq!((stage.read("a"), stage.read("a")), ("miss", "hit"));
    }

    #[test]
    fn while_changes_come_late_nothing_is_served_and_behind_that_what_has_not_changed_is() {
        let stage = Stage::new();
        stage.feed.begun();
        assert_eq!((stage.read("a"), stage.read("b")), ("miss", "miss"));
        stage.feed.lags(MOST + Duration::from_millis(1), MOST);
        assert_eq!((stage.read("a"), stage.read("b")), ("uncached", "uncached"));
        stage.feed.changed(Change::Rows, vec![TableName::bare("a")]);
        stage.feed.lags(MOST, MOST);
        assert_eq!((stage.read("a"), stage.read("b")), ("miss", "hit"));
    }

    #[test]
    fn what_is_lost_while_it_is_late_begins_anew() {
        let stage = Stage::new();
        stage.feed.begun();
        assert_eq!(stage.read("a"), "miss");
        stage.feed.lags(MOST * 2, MOST);
        stage.feed.lost();
        stage.feed.lags(Duration::ZERO, MOST);
        stage.feed.begun();
        assert_eq!(stage.read("a"), "miss");
    }

    #[test]
    fn a_change_that_not_everybody_sees_yet_keeps_its_tables_out_of_the_cache() {
        let stage = Stage::new();
        stage.feed.begun();
        assert_eq!((stage.read("a"), stage.read("b")), ("miss", "miss"));
        let changing = stage.feed.changing(Change::Rows, vec![TableName::bare("a")]);
        assert_eq!((stage.read("a"), stage.read("b")), ("uncached", "hit"));
        drop(changing);
        assert_eq!((stage.read("a"), stage.read("a")), ("miss", "hit"));
        stage.feed.everything_changed();
        assert_eq!((stage.read("a"), stage.read("b")), ("miss", "miss"));
    }

    #[test]
    fn what_was_read_before_everybody_saw_a_change_is_outdated_once_all_do() {
        let stage = Stage::new();
        stage.feed.begun();
        let tables = vec![TableName::bare("a")];
        stage.feed.changed(Change::Rows, tables.clone());
        assert_eq!((stage.read("a"), stage.read("b")), ("miss", "miss"));
        stage.feed.settled(&Writes::Tables(tables), false);
        assert_eq!((stage.read("a"), stage.read("b")), ("miss", "hit"));
    }

    #[test]
    fn what_is_told_of_is_what_is_covered_in_time() {
        let stage = Stage::new();
        let told = |names: &[&str]| {
            let tables: Vec<_> = names.iter().map(|name| TableName::bare(name)).collect();
            stage.feed.is_told_of(&tables)
        };
        stage.feed.begun();
        assert!(!told(&["a"]));
        stage.feed.covers(Covered::Tables(["a", "b"].map(ToOwned::to_owned).into()));
        assert!(told(&["a", "b"]) && !told(&["a", "c"]));
        stage.feed.lags(MOST * 2, MOST);
        assert!(!told(&["a"]));
        stage.feed.lags(MOST, MOST);
        assert!(told(&["a"]));
        stage.feed.lost();
        stage.feed.begun();
        assert!(!told(&["a"]), "what it covers is to be said anew");
    }
}
