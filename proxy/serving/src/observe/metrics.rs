//! Every metric of the process as a typed handle: made once, passed down, moved without a look-up.
//!
//! A gauge that mirrors another's count is set when it is scraped.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};

use super::{
    database::DatabaseMetrics,
    families::Families,
    gauge::InFlight,
    others::{Others, Shown},
    process::Process,
    totals::Totals,
};
use crate::activity::Minutes;

pub use super::gauge::Entered;

/// What is set before each scrape.
type Refresh = Box<dyn Fn() + Send + Sync>;

/// Every metric of the process, and the registry that renders them.
pub struct Metrics {
    registry: Registry,
    refreshes: Mutex<Vec<Refresh>>,
    /// Clients connected to the listener, from accept to close.
    pub client_connections: InFlight,
    /// The cache, and the last reload.
    pub totals: Totals,
    /// Figures of somebody else.
    pub others: Arc<Others>,
    /// What was counted in minutes that are over.
    pub minutes: Arc<Minutes>,
    /// By name and id, each as long as somebody uses it.
    databases: Mutex<BTreeMap<(String, String), Weak<DatabaseMetrics>>>,
    families: Arc<Families>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes and registers every metric.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            refreshes: Mutex::default(),
            client_connections: InFlight::default(),
            totals: Totals::default(),
            others: Arc::default(),
            minutes: Arc::default(),
            databases: Mutex::default(),
            families: Arc::default(),
        };
        metrics.register();
        // The file that it was started with.
        metrics.totals.reloaded(true);
        metrics
    }

    fn register(&mut self) {
        self.registry.register_collector(Box::new(Process::new()));
        let registry = self.registry.sub_registry_with_prefix("jumpgate");
        let clients = self.client_connections.0.clone();
        registry.register("client_connections", "Clients connected", clients);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which build this is", build);
        self.families.register(registry);
        self.totals.register(registry);
        registry.register_collector(Box::new(Shown(Arc::clone(&self.others))));
    }

    /// The handles of one database, which is shown as long as somebody has them. Asked again for the same name and id
    /// meanwhile, they count on. A name that comes with another id is of somebody else: nothing is counted on, and what
    /// still uses the name with the id before is counted apart, and told, but is among the metrics no longer.
    pub fn database(&self, name: &str, id: &str) -> Arc<DatabaseMetrics> {
        let mut databases = self.databases.lock();
        let place = (name.to_owned(), id.to_owned());
        if let Some(known) = databases.get(&place).and_then(Weak::upgrade)
            && known.is_shown()
        {
            return known;
        }
        let made = Arc::new(DatabaseMetrics::of(self.families.show(name, id)));
        databases.insert(place, Arc::downgrade(&made));
        made
    }

    /// Those of each database that somebody uses.
    pub(super) fn databases(&self) -> Vec<Arc<DatabaseMetrics>> {
        let mut databases = self.databases.lock();
        databases.retain(|_place, it| it.strong_count() > 0);
        databases.values().filter_map(Weak::upgrade).collect()
    }

    /// Counts a login that came to nothing. The reason is one of a closed set.
    pub fn login_refused(&self, reason: &'static str) {
        self.families.failures.login(reason);
    }

    /// Runs `refresh` before each scrape, to set gauges that mirror another's count.
    pub fn at_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refreshes.lock().push(Box::new(refresh));
    }

    /// Sets the gauges that mirror another's count.
    pub(super) fn refresh(&self) {
        for refresh in self.refreshes.lock().iter() {
            refresh();
        }
    }

    /// All metrics in the OpenMetrics text format, which Prometheus reads.
    ///
    /// # Errors
    ///
    /// Those of writing into a string.
    pub fn render(&self) -> Result<String, fmt::Error> {
        self.refresh();
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{Saved, database::EventStatus, status::CacheStatus},
        *,
    };

    #[test]
    fn every_metric_of_the_contract_is_rendered() {
        let metrics = Metrics::new();
        let database = metrics.database("app", "1");
        database.query(CacheStatus::Hit);
        database.session(EventStatus::Error);
        database.expect_pins(["listen", "temp_table"]);
        database.pin("listen");
        database.answered(CacheStatus::Miss, Duration::from_millis(2));
        database.answered(CacheStatus::Hit, Duration::from_micros(7));
        database.saves(Saved::Hit);
        let _pinned = database.pinned.enter();
        database.pool_max_size.set(20);
        let totals = metrics.totals.clone();
        let stats = cache::Stats {
            entries: 7,
            evictions: 3,
            invalidations: 5,
            flushes: 2,
            ..cache::Stats::default()
        };
        metrics.at_scrape(move || totals.show_cache(&stats));
        let text = metrics.render().unwrap();
        for line in [
            "jumpgate_queries_total{database=\"app\",cache_status=\"hit\"} 1",
            "jumpgate_queries_total{database=\"app\",cache_status=\"multiplestatements\"} 0",
            "jumpgate_query_bytes_total{database=\"app\"} 0",
            "jumpgate_result_bytes_total{database=\"app\"} 0",
            "jumpgate_heavy_texts_total{database=\"app\"} 0",
            "jumpgate_transaction_reads_total{database=\"app\"} 0",
            // FAULTS §4, "missing: latency by cache status, pinned now, evictions, flushes, process, reload state".
            "jumpgate_query_seconds_count{database=\"app\",cache_status=\"miss\"} 1",
            "jumpgate_query_seconds_count{database=\"app\",cache_status=\"hit\"} 1",
            "jumpgate_query_seconds_sum{database=\"app\",cache_status=\"miss\"} 0.002",
            "jumpgate_query_seconds_bucket{le=\"0.001\",database=\"app\",cache_status=\"miss\"} 0",
            "jumpgate_query_seconds_bucket{le=\"+Inf\",database=\"app\",cache_status=\"miss\"} 1",
            "jumpgate_round_trips_saved_total{database=\"app\",kind=\"hit\"} 1",
            "jumpgate_pinned_sessions{database=\"app\"} 1",
            "jumpgate_cache_evictions_total 3",
            "jumpgate_cache_invalidations_total 5",
            "jumpgate_cache_flushes_total 2",
            "jumpgate_config_last_reload_successful 1",
            "jumpgate_connect_seconds_count{database=\"app\"} 0",
            "jumpgate_sessions_total{database=\"app\",event_status=\"complete\"} 0",
            "jumpgate_sessions_total{database=\"app\",event_status=\"error\"} 1",
            "jumpgate_client_connections 0",
            "jumpgate_pool_connections{database=\"app\",state=\"idle\"} 0",
            "jumpgate_pool_connections{database=\"app\",state=\"in_use\"} 0",
            "jumpgate_pool_max_size{database=\"app\"} 20",
            "jumpgate_pool_waiting{database=\"app\"} 0",
            "jumpgate_origin_failovers_total{database=\"app\"} 0",
            "jumpgate_origin_host{database=\"app\"} 0",
            "jumpgate_pool_checkout_seconds_count{database=\"app\"} 0",
            "jumpgate_pins_total{database=\"app\",reason=\"listen\"} 1",
            "jumpgate_pins_total{database=\"app\",reason=\"temp_table\"} 0",
            concat!("jumpgate_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "jumpgate_cache_bytes 0",
            "jumpgate_cache_entries 7",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_same_name_counts_on_after_a_reload() {
        let metrics = Metrics::new();
        let before = metrics.database("app", "1");
        before.query(CacheStatus::Miss);
        assert_eq!(metrics.database("app", "1").queries(CacheStatus::Miss), 1);
    }

    #[test]
    fn the_same_name_with_another_id_begins_anew_and_the_one_before_counts_apart() {
        let metrics = Metrics::new();
        let shows = |line: &str| metrics.render().unwrap().lines().any(|shown| shown == line);
        let misses = |count| {
            format!("{}{count}", "jumpgate_queries_total{database=\"app\",cache_status=\"miss\"} ")
        };
        let before = metrics.database("app", "1");
        before.query(CacheStatus::Miss);
        let after = metrics.database("app", "2");
        assert!(!Arc::ptr_eq(&before.activity, &after.activity));
        assert!(shows(&misses(0)));
        // First of their kind, after the name has gone to another.
        before.answered(CacheStatus::Miss, Duration::ZERO);
        before.failures.sql(b"ZZ000");
        before.pin("listen");
        before.query(CacheStatus::Miss);
        assert_eq!((before.queries(CacheStatus::Miss), after.queries(CacheStatus::Miss)), (2, 0));
        assert_eq!((before.counts().errors.len(), after.counts().errors.len()), (1, 0));
        assert_eq!(after.counts().uncached.iter().sum::<u64>(), 0);
        assert!(shows(&misses(0)) && !metrics.render().unwrap().contains("listen"));
        drop(before);
        assert!(shows(&misses(0)));
        drop(after);
        assert!(!metrics.render().unwrap().contains("database=\"app\""));
    }

    #[test]
    fn an_id_that_gets_its_name_back_is_shown_again() {
        let metrics = Metrics::new();
        let [first, other] = ["1", "2"].map(|id| metrics.database("app", id));
        let again = metrics.database("app", "1");
        assert!(again.is_shown() && !first.is_shown() && !other.is_shown());
        assert!(Arc::ptr_eq(&again, &metrics.database("app", "1")));
    }
}
