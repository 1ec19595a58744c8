//! Seeing it: metrics, and the admin listener that shows them.

mod failures;
pub mod http;
pub mod metrics;
pub mod pages;
mod process;
mod status;
pub mod totals;

pub use failures::{DatabaseFailures, Seldom};
pub use metrics::{DatabaseMetrics, Entered, EventStatus, InFlight, Metrics};
pub use status::CacheStatus;
pub(crate) use status::told;
