//! The metrics that each database has: made when it is first used, and gone with the last who uses it.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    capture::{CaptureFamilies, CaptureMetrics},
    failures::{DatabaseFailures, Failures},
    labels::{
        DatabaseLabels, Histograms, PinLabels, PoolLabels, QueryLabels, SavedLabels, SessionLabels,
    },
    saved::Saved,
    status::CacheStatus,
    words::Words,
};
use crate::activity::{Activity, Shared, Timed};

/// Those of all databases.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) queries: Family<QueryLabels, Counter>,
    pub(super) query_bytes: Family<DatabaseLabels, Counter>,
    pub(super) result_bytes: Family<DatabaseLabels, Counter>,
    pub(super) heavy_texts: Family<DatabaseLabels, Counter>,
    pub(super) transaction_reads: Family<DatabaseLabels, Counter>,
    pub(super) round_trips_saved: Family<SavedLabels, Counter>,
    pub(super) query_seconds: Family<QueryLabels, Timed>,
    pub(super) connect_seconds: Histograms,
    pub(super) checkout_seconds: Histograms,
    pub(super) sessions: Family<SessionLabels, Counter>,
    pub(super) pool_connections: Family<PoolLabels, Gauge>,
    pub(super) pool_max_size: Family<DatabaseLabels, Gauge>,
    pub(super) failovers: Family<DatabaseLabels, Counter>,
    pub(super) hosts: Family<DatabaseLabels, Gauge>,
    pub(super) pool_waiting: Family<DatabaseLabels, Gauge>,
    pub(super) pinned: Family<DatabaseLabels, Gauge>,
    pins: Family<PinLabels, Counter>,
    captures: CaptureFamilies,
    pub(super) failures: Failures,
    pub(super) activities: Shared,
    /// By name: who came last with it.
    shown: Mutex<HashMap<String, Weak<Shown>>>,
}

impl Default for Families {
    fn default() -> Self {
        Self {
            queries: Family::default(),
            query_bytes: Family::default(),
            result_bytes: Family::default(),
            heavy_texts: Family::default(),
            transaction_reads: Family::default(),
            round_trips_saved: Family::default(),
            query_seconds: Family::default(),
            connect_seconds: Family::new_with_constructor(seconds),
            checkout_seconds: Family::new_with_constructor(seconds),
            sessions: Family::default(),
            pool_connections: Family::default(),
            pool_max_size: Family::default(),
            failovers: Family::default(),
            hosts: Family::default(),
            pool_waiting: Family::default(),
            pinned: Family::default(),
            pins: Family::default(),
            captures: CaptureFamilies::default(),
            failures: Failures::default(),
            activities: Shared::default(),
            shown: Mutex::default(),
        }
    }
}

impl Families {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("queries", "Statements, by cache status", self.queries.clone());
        registry.register("query_bytes", "Bytes of statements", self.query_bytes.clone());
        registry.register("result_bytes", "Bytes of replies", self.result_bytes.clone());
        let heavy = self.heavy_texts.clone();
        registry.register("heavy_texts", "Statements read on other threads", heavy);
        registry.register(
            "transaction_reads",
            "Reads that the cache would have been asked with in_transactions",
            self.transaction_reads.clone(),
        );
        let saved = self.round_trips_saved.clone();
        registry.register(
            "round_trips_saved",
            "Round trips to the origin that clients were spared",
            saved,
        );
        registry.register("query_seconds", "Time per statement", self.query_seconds.clone());
        registry.register("connect_seconds", "Time per backend", self.connect_seconds.clone());
        registry.register("sessions", "Sessions that ended", self.sessions.clone());
        let connections = self.pool_connections.clone();
        registry.register("pool_connections", "Backends, by state", connections);
        registry.register("pool_max_size", "Most backends at once", self.pool_max_size.clone());
        let failovers = self.failovers.clone();
        registry.register("origin_failovers", "Moves to another host of the origin", failovers);
        registry.register(
            "origin_host",
            "Which of the hosts is in use, from 0",
            self.hosts.clone(),
        );
        registry.register("pool_waiting", "Clients in line", self.pool_waiting.clone());
        registry.register("pinned_sessions", "Sessions pinned now", self.pinned.clone());
        let checkout = self.checkout_seconds.clone();
        registry.register("pool_checkout_seconds", "Time in line per checkout", checkout);
        registry.register("pins", "Sessions pinned, by reason", self.pins.clone());
        self.captures.register(registry);
        self.failures.register(registry);
    }

    /// What keeps a database shown: the same for all who have it at one time. One of this name and another id is shown no
    /// longer, and what it counts is nobody else's.
    pub(super) fn show(self: &Arc<Self>, name: &str, id: &str) -> Arc<Shown> {
        let mut shown = self.shown.lock();
        let other = match shown.get(name).and_then(Weak::upgrade) {
            Some(known) if known.id == id => return known,
            other => other,
        };
        if let Some(other) = &other {
            self.hide(other);
        }
        let made = Arc::new(Shown {
            families: Arc::clone(self),
            name: name.to_owned(),
            id: id.to_owned(),
            pins: Words::new(&self.pins, PinLabels::of),
            failures: Arc::new(self.failures.of(name)),
            activity: Arc::new(Activity::new(&self.activities)),
        });
        shown.insert(name.to_owned(), Arc::downgrade(&made));
        drop(shown);
        // Now, since its end would wait for the lock.
        drop(other);
        made
    }

    /// The times of statements with this status: shown, as long as the database is.
    pub(super) fn times(&self, of: &Shown, status: CacheStatus) -> Timed {
        let shown = self.shown.lock();
        match of.is_in(&shown) {
            true => {
                self.query_seconds.get_or_create_owned(&QueryLabels::of(&of.name, status.word()))
            }
            false => Timed::default(),
        }
    }

    /// What is captured of its changes: shown, as long as the database is.
    pub(super) fn captured(&self, of: &Shown) -> CaptureMetrics {
        let shown = self.shown.lock();
        if of.is_in(&shown) { self.captures.of(&of.name) } else { CaptureMetrics::default() }
    }

    pub(super) fn captured_no_more(&self, of: &Shown) {
        let shown = self.shown.lock();
        if of.is_in(&shown) {
            self.captures.forget(&of.name);
        }
    }

    fn forget(&self, gone: &Shown) {
        let mut shown = self.shown.lock();
        // Others may have come for the name meanwhile.
        if gone.is_in(&shown) {
            shown.remove(&gone.name);
            self.hide(gone);
        }
    }

    /// Takes all of a name out of what is shown.
    fn hide(&self, gone: &Shown) {
        let name = gone.name.as_str();
        for word in CacheStatus::ALL.map(CacheStatus::word) {
            self.queries.remove(&QueryLabels::of(name, word));
            self.query_seconds.remove(&QueryLabels::of(name, word));
        }
        let labels = DatabaseLabels::of(name);
        let counted = [&self.query_bytes, &self.result_bytes, &self.heavy_texts];
        for family in counted.into_iter().chain([&self.transaction_reads, &self.failovers]) {
            family.remove(&labels);
        }
        for kind in Saved::ALL {
            self.round_trips_saved.remove(&SavedLabels::of(name, kind.word()));
        }
        for family in [&self.connect_seconds, &self.checkout_seconds] {
            family.remove(&labels);
        }
        for family in [&self.pool_max_size, &self.pool_waiting, &self.pinned, &self.hosts] {
            family.remove(&labels);
        }
        for word in ["complete", "error"] {
            self.sessions.remove(&SessionLabels::of(name, word));
        }
        for word in ["idle", "in_use"] {
            self.pool_connections.remove(&PoolLabels::of(name, word));
        }
        self.captures.forget(name);
        gone.pins.forget(name);
        gone.failures.forget();
    }
}

/// A database is shown until all of it that were given are dropped.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) families: Arc<Families>,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) pins: Words<PinLabels>,
    pub(super) failures: Arc<DatabaseFailures>,
    pub(super) activity: Arc<Activity>,
}

impl Shown {
    /// Whether it still is, or somebody else has its name.
    pub(super) fn is_shown(&self) -> bool {
        self.is_in(&self.families.shown.lock())
    }

    fn is_in(&self, shown: &HashMap<String, Weak<Self>>) -> bool {
        shown.get(&self.name).is_some_and(|last| std::ptr::eq(last.as_ptr(), self))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.families.forget(self);
    }
}

/// From a tenth of a millisecond to a minute.
fn seconds() -> Histogram {
    Histogram::new([
        0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
        2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::observe::{CacheStatus, Change, Metrics};

    #[test]
    fn a_database_that_nobody_uses_is_not_shown() {
        let metrics = Metrics::new();
        let shown = || metrics.render().unwrap().matches("database=\"app\"").count();
        assert_eq!(shown(), 0);
        let [app, same] = ["app"; 2].map(|name| metrics.database(name, "1"));
        drop(metrics.database("other", "1"));
        app.expect_pins(["temp_table"]);
        app.pin("listen");
        app.answered(CacheStatus::Miss, Duration::ZERO);
        app.failures.connect("edge_unreachable");
        app.failures.sql(b"ZZ000");
        app.capture_is_up(true);
        app.captured(Change::Truncate);
        let captured = shown();
        app.capture_ended();
        assert!(shown() < captured);
        app.captured(Change::Truncate);
        let most = shown();
        drop(app);
        assert_eq!(shown(), most, "a session that outlives its config is counted");
        drop(same);
        assert_eq!(shown(), 0);
        assert!(!metrics.render().unwrap().contains("database=\"other\""));
        assert_eq!(metrics.database("app", "1").queries(CacheStatus::Hit), 0);
    }
}
