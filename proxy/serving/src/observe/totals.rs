//! What is counted of the process as a whole: its result cache, and how its file was read last.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::process;

/// Handles; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    cache_bytes: Gauge,
    cache_entries: Gauge,
    evictions: Counter,
    invalidations: Counter,
    flushes: Counter,
    reload_succeeded: Gauge,
    reloaded_at: Gauge<f64, AtomicU64>,
}

impl Totals {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("cache_bytes", "Bytes in the cache", self.cache_bytes.clone());
        registry.register("cache_entries", "Entries in the cache", self.cache_entries.clone());
        let evictions = self.evictions.clone();
        registry.register("cache_evictions", "Entries that made room for others", evictions);
        let invalidations = self.invalidations.clone();
        registry.register("cache_invalidations", "Writes that took out entries", invalidations);
        let flushes = self.flushes.clone();
        registry.register("cache_flushes", "All entries of an origin taken out", flushes);
        let succeeded = self.reload_succeeded.clone();
        registry.register("config_last_reload_successful", "0 if the file was wrong", succeeded);
        let name = "config_last_reload_success_timestamp_seconds";
        registry.register(name, "When what is in force was read", self.reloaded_at.clone());
    }

    /// The file was read, and was right or wrong.
    pub fn reloaded(&self, was_right: bool) {
        self.reload_succeeded.set(was_right.into());
        if was_right {
            self.reloaded_at.set(process::now());
        }
    }

    /// Takes over what the cache has counted.
    pub fn show_cache(&self, stats: &cache::Stats) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.cache_bytes.set(gauge(stats.bytes));
        self.cache_entries.set(gauge(stats.entries));
        self.evictions.inner().store(stats.evictions, Ordering::Relaxed);
        self.invalidations.inner().store(stats.invalidations, Ordering::Relaxed);
        self.flushes.inner().store(stats.flushes, Ordering::Relaxed);
    }
}
