//! What follows when another host of an origin is in use: told once, counted, and nothing from before is believed.

use std::{fmt, sync::Arc};

use origin::failover::Moved;

use crate::observe::DatabaseMetrics;

/// What a config does when it finds that its origin is elsewhere.
pub struct Failovers {
    database: String,
    metrics: Arc<DatabaseMetrics>,
    moved: Box<dyn Fn() + Send + Sync>,
}

impl Failovers {
    /// `moved` is called each time, before anything of the other host is used.
    pub fn new(
        database: &str,
        metrics: Arc<DatabaseMetrics>,
        moved: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { database: database.to_owned(), metrics, moved: Box::new(moved) }
    }

    /// Another host is in use.
    pub fn note(&self, Moved { from, to, why }: &Moved) {
        (self.moved)();
        let database = &self.database;
        match from {
            Some(from) => {
                self.metrics.failovers.inc();
                tracing::warn!(%database, %from, %to, %why, "the origin is on another host now");
            }
            None => tracing::info!(%database, %to, %why, "the origin is not on its first host"),
        }
    }
}

impl fmt::Debug for Failovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failovers").field("database", &self.database).finish_non_exhaustive()
    }
}
