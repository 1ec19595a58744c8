//! What is seen of the capture of a database's changes.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::labels::{ChangeLabels, DatabaseLabels};

/// What a capture heard of, as metrics tell it apart; the later, the more it outdates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A transaction that wrote rows.
    Rows,
    /// A transaction that emptied tables.
    Truncate,
    /// Something that may have changed anything.
    Everything,
    /// Another schema.
    Schema,
}

impl Change {
    const ALL: [Self; 4] = [Self::Rows, Self::Truncate, Self::Everything, Self::Schema];

    const fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Truncate => "truncate",
            Self::Schema => "schema",
            Self::Everything => "everything",
        }
    }
}

/// Those of all databases whose changes are captured.
#[derive(Debug, Default)]
pub(super) struct CaptureFamilies {
    up: Family<DatabaseLabels, Gauge>,
    lag_seconds: Family<DatabaseLabels, Gauge<f64, AtomicU64>>,
    retained_bytes: Family<DatabaseLabels, Gauge>,
    restarts: Family<DatabaseLabels, Counter>,
    changes: Family<ChangeLabels, Counter>,
}

/// Those of one database.
#[derive(Debug, Default)]
pub(super) struct CaptureMetrics {
    pub(super) up: Gauge,
    pub(super) lag_seconds: Gauge<f64, AtomicU64>,
    pub(super) retained_bytes: Gauge,
    pub(super) restarts: Counter,
    changes: [Counter; Change::ALL.len()],
}

impl CaptureFamilies {
    pub(super) fn register(&self, registry: &mut Registry) {
        let up = self.up.clone();
        registry.register("capture_up", "Whether changes of the database are heard of", up);
        let lag = self.lag_seconds.clone();
        registry.register("capture_lag_seconds", "How late changes are heard of", lag);
        let retained = self.retained_bytes.clone();
        registry.register("capture_retained_bytes", "Log that the database keeps for us", retained);
        let restarts = self.restarts.clone();
        registry.register("capture_restarts", "Captures that were lost", restarts);
        let changes = self.changes.clone();
        registry.register("capture_changes", "Transactions that were heard of, by kind", changes);
    }

    /// Those of a database, which are shown from now on.
    pub(super) fn of(&self, database: &str) -> CaptureMetrics {
        let labels = DatabaseLabels::of(database);
        let change = |kind: Change| ChangeLabels::of(database, kind.word());
        CaptureMetrics {
            up: self.up.get_or_create_owned(&labels),
            lag_seconds: self.lag_seconds.get_or_create_owned(&labels),
            retained_bytes: self.retained_bytes.get_or_create_owned(&labels),
            restarts: self.restarts.get_or_create_owned(&labels),
            changes: Change::ALL.map(|kind| self.changes.get_or_create_owned(&change(kind))),
        }
    }

    pub(super) fn forget(&self, database: &str) {
        let labels = DatabaseLabels::of(database);
        self.up.remove(&labels);
        self.lag_seconds.remove(&labels);
        self.retained_bytes.remove(&labels);
        self.restarts.remove(&labels);
        for kind in Change::ALL {
            self.changes.remove(&ChangeLabels::of(database, kind.word()));
        }
    }
}

impl CaptureMetrics {
    pub(super) fn change(&self, kind: Change) {
        if let Some(counter) = self.changes.get(kind as usize) {
            counter.inc();
        }
    }
}
