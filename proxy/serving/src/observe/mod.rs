//! Seeing it: metrics, and what they count.

mod failures;
pub mod metrics;
mod process;
mod status;
pub mod totals;

pub use failures::{DatabaseFailures, Seldom};
pub use metrics::{DatabaseMetrics, Entered, EventStatus, InFlight, Metrics};
pub use status::{CacheStatus, told};
