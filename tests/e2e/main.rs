//! Scenarios on real databases: through the proxy, and through proxy, edge and connector.
//!
//! `cargo test` without the feature `live` runs the architecture tests only. The feature `direct` adds runs against the
//! database itself: needed after a scenario was written or changed, and not each time. A scenario is an `async fn` named as a
//! true sentence; `e2e::scenarios!` at the end of a file says where it runs. Fixtures are in `tests/src/fixture.sql`;
//! MySQL and MariaDB have theirs, and their scenarios, in folders named `mysql`; what holds for each is in `engines`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a scenario fails by panicking, and clippy knows only functions marked #[test]"
)]

mod architecture;
mod circles;

#[cfg(feature = "live")]
mod beginnings;
#[cfg(feature = "live")]
mod blocks;
#[cfg(feature = "live")]
mod cache_freshness;
#[cfg(feature = "live")]
mod cache_keys;
#[cfg(feature = "live")]
mod cache_rules;
#[cfg(feature = "live")]
mod cancels;
#[cfg(feature = "live")]
mod capture;
#[cfg(feature = "history")]
mod cluster;
#[cfg(feature = "live")]
mod control;
#[cfg(feature = "live")]
mod corpora;
#[cfg(feature = "live")]
mod corpus;
#[cfg(feature = "live")]
mod dashboard;
#[cfg(feature = "live")]
mod differential;
#[cfg(feature = "live")]
mod drivers;
#[cfg(feature = "live")]
mod edge_faults;
#[cfg(feature = "live")]
mod edge_load;
#[cfg(feature = "live")]
mod edge_walk;
#[cfg(feature = "live")]
mod engines;
#[cfg(feature = "live")]
mod failover;
#[cfg(feature = "live")]
mod faults;
#[cfg(feature = "live")]
mod fleet;
#[cfg(feature = "live")]
mod fleet_edge;
#[cfg(feature = "live")]
mod fleet_many;
#[cfg(feature = "live")]
mod foreign;
#[cfg(feature = "live")]
mod hidden_writers;
#[cfg(feature = "live")]
mod hostile;
#[cfg(feature = "live")]
mod idle_limits;
#[cfg(feature = "live")]
mod look_ups;
#[cfg(feature = "live")]
mod memory;
#[cfg(feature = "live")]
mod mysql;
#[cfg(feature = "live")]
mod one_origin;
#[cfg(feature = "live")]
mod opening;
#[cfg(feature = "live")]
mod operating;
#[cfg(feature = "live")]
mod origin_logins;
#[cfg(feature = "live")]
mod passwords;
#[cfg(feature = "live")]
mod pins;
#[cfg(feature = "live")]
mod pipelines;
#[cfg(feature = "live")]
mod prepared;
#[cfg(feature = "live")]
mod prepared_by_sql;
#[cfg(feature = "live")]
mod prepared_constants;
#[cfg(feature = "live")]
mod prepared_in_code;
#[cfg(feature = "live")]
mod prepared_list;
#[cfg(feature = "live")]
mod prepared_moves;
#[cfg(feature = "live")]
mod pressure;
#[cfg(feature = "live")]
mod process_ids;
#[cfg(feature = "live")]
mod random_scripts;
#[cfg(feature = "live")]
mod recalled;
#[cfg(feature = "live")]
mod resets;
#[cfg(feature = "live")]
mod rust_driver;
#[cfg(feature = "live")]
mod said_again;
#[cfg(feature = "live")]
mod sequences;
#[cfg(feature = "live")]
mod setting_values;
#[cfg(feature = "live")]
mod settings;
#[cfg(feature = "live")]
mod stable;
#[cfg(feature = "live")]
mod tenants;
#[cfg(feature = "live")]
mod tools;
#[cfg(feature = "live")]
mod tunnels;
#[cfg(feature = "live")]
mod warm;
#[cfg(feature = "live")]
mod worker;
