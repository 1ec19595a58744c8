//! Seeing it: metrics, and what they count.

mod capture;
mod database;
mod failures;
mod families;
mod gauge;
mod labels;
pub mod metrics;
pub mod others;
mod process;
mod saved;
mod status;
mod tell;
pub mod totals;
mod words;

pub use capture::Change;
pub use database::{DatabaseMetrics, EventStatus};
pub use failures::{DatabaseFailures, Seldom};
pub use gauge::{Entered, InFlight};
pub use metrics::Metrics;
pub use saved::Saved;
pub use status::{CacheStatus, told};
