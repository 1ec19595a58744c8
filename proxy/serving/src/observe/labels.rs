//! The labels of metrics, whose values come from closed sets.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DatabaseLabels {
    pub(super) database: String,
}

impl DatabaseLabels {
    pub(super) fn of(database: &str) -> Self {
        Self { database: database.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct QueryLabels {
    pub(super) database: String,
    pub(super) cache_status: &'static str,
}

impl QueryLabels {
    pub(super) fn of(database: &str, cache_status: &'static str) -> Self {
        Self { database: database.to_owned(), cache_status }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SavedLabels {
    pub(super) database: String,
    pub(super) kind: &'static str,
}

impl SavedLabels {
    pub(super) fn of(database: &str, kind: &'static str) -> Self {
        Self { database: database.to_owned(), kind }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SessionLabels {
    pub(super) database: String,
    pub(super) event_status: &'static str,
}

impl SessionLabels {
    pub(super) fn of(database: &str, event_status: &'static str) -> Self {
        Self { database: database.to_owned(), event_status }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PoolLabels {
    pub(super) database: String,
    pub(super) state: &'static str,
}

impl PoolLabels {
    pub(super) fn of(database: &str, state: &'static str) -> Self {
        Self { database: database.to_owned(), state }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PinLabels {
    pub(super) database: String,
    pub(super) reason: &'static str,
}

impl PinLabels {
    pub(super) fn of(database: &str, reason: &'static str) -> Self {
        Self { database: database.to_owned(), reason }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ChangeLabels {
    pub(super) database: String,
    pub(super) kind: &'static str,
}

impl ChangeLabels {
    pub(super) fn of(database: &str, kind: &'static str) -> Self {
        Self { database: database.to_owned(), kind }
    }
}

/// A histogram for each database.
pub(super) type Histograms = Family<DatabaseLabels, Histogram, fn() -> Histogram>;
