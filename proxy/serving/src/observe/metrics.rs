//! Every metric of the process as a typed handle: made once, passed down, moved without a look-up.
//!
//! A gauge that mirrors another's count is set when it is scraped.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use super::{
    database::DatabaseMetrics,
    failures::{Failures, Seldom},
    gauge::InFlight,
    labels::{DatabaseLabels, Histograms, PinLabels, PoolLabels, QueryLabels, SessionLabels},
    process::Process,
    status::CacheStatus,
    totals::Totals,
};

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
    queries: Family<QueryLabels, Counter>,
    query_bytes: Family<DatabaseLabels, Counter>,
    result_bytes: Family<DatabaseLabels, Counter>,
    heavy_texts: Family<DatabaseLabels, Counter>,
    query_seconds: Histograms<QueryLabels>,
    connect_seconds: Histograms,
    checkout_seconds: Histograms,
    sessions: Family<SessionLabels, Counter>,
    pool_connections: Family<PoolLabels, Gauge>,
    pool_max_size: Family<DatabaseLabels, Gauge>,
    pool_waiting: Family<DatabaseLabels, Gauge>,
    pinned: Family<DatabaseLabels, Gauge>,
    pins: Family<PinLabels, Counter>,
    failures: Failures,
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
            queries: Family::default(),
            query_bytes: Family::default(),
            result_bytes: Family::default(),
            heavy_texts: Family::default(),
            query_seconds: Family::new_with_constructor(seconds),
            connect_seconds: Family::new_with_constructor(seconds),
            checkout_seconds: Family::new_with_constructor(seconds),
            sessions: Family::default(),
            pool_connections: Family::default(),
            pool_max_size: Family::default(),
            pool_waiting: Family::default(),
            pinned: Family::default(),
            pins: Family::default(),
            failures: Failures::default(),
        };
        metrics.register();
        // The file that it was started with.
        metrics.totals.reloaded(true);
        metrics
    }

    fn register(&mut self) {
        self.registry.register_collector(Box::new(Process::new()));
        let registry = self.registry.sub_registry_with_prefix("jumpgate");
        registry.register("queries", "Statements, by cache status", self.queries.clone());
        registry.register("query_bytes", "Bytes of statements", self.query_bytes.clone());
        registry.register("result_bytes", "Bytes of replies", self.result_bytes.clone());
        let heavy = self.heavy_texts.clone();
        registry.register("heavy_texts", "Statements read on other threads", heavy);
        registry.register("query_seconds", "Time per statement", self.query_seconds.clone());
        registry.register("connect_seconds", "Time per backend", self.connect_seconds.clone());
        registry.register("sessions", "Sessions that ended", self.sessions.clone());
        let clients = self.client_connections.0.clone();
        registry.register("client_connections", "Clients connected", clients);
        let connections = self.pool_connections.clone();
        registry.register("pool_connections", "Backends, by state", connections);
        registry.register("pool_max_size", "Most backends at once", self.pool_max_size.clone());
        registry.register("pool_waiting", "Clients in line", self.pool_waiting.clone());
        registry.register("pinned_sessions", "Sessions pinned now", self.pinned.clone());
        let checkout = self.checkout_seconds.clone();
        registry.register("pool_checkout_seconds", "Time in line per checkout", checkout);
        registry.register("pins", "Sessions pinned, by reason", self.pins.clone());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which build this is", build);
        self.failures.register(registry);
        self.totals.register(registry);
    }

    /// The handles of one database. Asked again for the same name, they count on.
    pub fn database(&self, name: &str) -> Arc<DatabaseMetrics> {
        let labels = DatabaseLabels { database: name.to_owned() };
        let query = |status: CacheStatus| QueryLabels {
            database: name.to_owned(),
            cache_status: status.word(),
        };
        let session = |event_status| SessionLabels { database: name.to_owned(), event_status };
        let pool = |state| PoolLabels { database: name.to_owned(), state };
        Arc::new(DatabaseMetrics {
            queries: CacheStatus::ALL
                .map(|status| self.queries.get_or_create_owned(&query(status))),
            sessions_complete: self.sessions.get_or_create_owned(&session("complete")),
            sessions_error: self.sessions.get_or_create_owned(&session("error")),
            query_bytes: self.query_bytes.get_or_create_owned(&labels),
            result_bytes: self.result_bytes.get_or_create_owned(&labels),
            heavy_texts: self.heavy_texts.get_or_create_owned(&labels),
            query_seconds: std::array::from_fn(|_| OnceLock::new()),
            all_query_seconds: self.query_seconds.clone(),
            connect_seconds: self.connect_seconds.get_or_create_owned(&labels),
            checkout_seconds: self.checkout_seconds.get_or_create_owned(&labels),
            pool_idle: self.pool_connections.get_or_create_owned(&pool("idle")),
            pool_in_use: self.pool_connections.get_or_create_owned(&pool("in_use")),
            pool_max_size: self.pool_max_size.get_or_create_owned(&labels),
            waiting: InFlight(self.pool_waiting.get_or_create_owned(&labels)),
            pinned: InFlight(self.pinned.get_or_create_owned(&labels)),
            failures: self.failures.of(name),
            checkouts_timed_out: Seldom::default(),
            statements_timed_out: Seldom::default(),
            pins: self.pins.clone(),
            name: name.to_owned(),
        })
    }

    /// Counts a login that came to nothing. The reason is one of a closed set.
    pub fn login_refused(&self, reason: &'static str) {
        self.failures.login(reason);
    }

    /// Runs `refresh` before each scrape, to set gauges that mirror another's count.
    pub fn at_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refreshes.lock().push(Box::new(refresh));
    }

    /// All metrics in the OpenMetrics text format, which Prometheus reads.
    ///
    /// # Errors
    ///
    /// Those of writing into a string.
    pub fn render(&self) -> Result<String, fmt::Error> {
        for refresh in self.refreshes.lock().iter() {
            refresh();
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// From a tenth of a millisecond (a hit) to a minute (the statement limit).
fn seconds() -> Histogram {
    Histogram::new([
        0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
        2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::database::EventStatus, *};

    #[test]
    fn every_metric_of_the_contract_is_rendered() {
        let metrics = Metrics::new();
        let database = metrics.database("app");
        database.query(CacheStatus::Hit);
        database.session(EventStatus::Error);
        database.expect_pins(["listen", "temp_table"]);
        database.pin("listen");
        database.answered(CacheStatus::Miss, Duration::from_millis(2));
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
            // FAULTS §4, "missing: latency by cache status, pinned now, evictions, flushes, process, reload state".
            "jumpgate_query_seconds_count{database=\"app\",cache_status=\"miss\"} 1",
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
        metrics.database("app").query(CacheStatus::Miss);
        assert_eq!(metrics.database("app").queries(CacheStatus::Miss), 1);
    }
}
