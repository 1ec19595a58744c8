//! How fast it is: the parts alone, and the whole under load.
//!
//! The parts are measured by criterion, in `benches/`, without a network or a database: `protocol` and `mysql` walk
//! frames and packets and feed the trackers, `sql` says what statements mean, `cache` makes keys and looks them up,
//! `pool` lends connections. `./run bench` runs them; `./run bench lookup` those with that word in their name.
//!
//! The whole is measured by the load tester, `./run bench load URL…`: what a client of a PostgreSQL, a MySQL or
//! what stands before one sees. It knows nothing of Jumpgate, verifies every answer, and compares targets by going
//! round them.
//!
//! What connecting and the first query cost where the database is far, `./run bench latency` measures, with databases
//! and Jumpgate that it starts itself.
//!
//! Whether Jumpgate is as fast as it is meant to be is told by `./run bench compare`: the same work against a database
//! itself, Jumpgate, and what else stands before databases, all started for this on one machine.
//!
//! # Layout
//!
//! * [`args`]: the command line. [`run`]: a run from the tables to the report.
//! * [`round`]: one target for some seconds. [`worker`]: one of its clients. [`pace`]: when that asks.
//! * [`workload`]: what it asks. [`table`]: of which rows; [`setup`] makes it. [`verify`]: which answers are right.
//! * [`client`]: the drivers. [`target`]: what is measured. [`process`]: CPU and memory of what is measured.
//! * `latency`: round trips to a distant database. `compare`: the comparison. Both are behind the feature `harness`,
//!   which is on unless it is turned off.
//! * [`record`]: latencies and counts. [`progress`]: a line per second. [`report`]: table, JSON, chart.

pub mod args;
pub mod client;
#[cfg(feature = "harness")]
pub mod compare;
#[cfg(feature = "harness")]
pub mod latency;
pub mod pace;
pub mod process;
pub mod progress;
pub mod record;
pub mod report;
pub mod round;
pub mod run;
pub mod setup;
pub mod table;
pub mod target;
pub mod verify;
pub mod worker;
pub mod workload;
