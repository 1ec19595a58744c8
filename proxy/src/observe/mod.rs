//! Seeing it: metrics, and the admin listener that shows them.

pub mod connector;
pub mod edge;
pub mod http;
pub mod metrics;

pub use metrics::{CacheStatus, DatabaseMetrics, Entered, EventStatus, InFlight, Metrics};
