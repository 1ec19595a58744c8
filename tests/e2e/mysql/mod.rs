//! Scenarios on real MariaDB and MySQL servers; the fixtures are in `tests/src/mysql/fixture.sql`.
//!
//! Where a scenario is about one backend for many clients it gives the pool one connection: a session that were pinned
//! without need, or left something behind, would show at once.

mod ahead;
mod beginnings;
mod cache_freshness;
mod cache_keys;
mod cache_rules;
mod cancels;
mod capture;
mod charsets;
mod columns_end;
mod commands;
mod compression;
mod corpus;
mod differential;
mod drivers;
mod exactly;
mod extended;
mod failover;
mod faults;
mod hidden_writers;
mod hostile;
mod kept_times;
mod last_statement;
mod left_behind;
mod look_ups;
mod lost_schema;
mod one_origin;
mod opening;
mod origin_compression;
mod origin_logins;
mod own_suites;
mod packets;
mod passwords;
mod pins;
mod prepared;
mod prepared_along;
mod prepared_settings;
mod random_reads;
mod random_scripts;
mod replies;
mod rights;
mod rust_driver;
mod settings;
mod tools;
mod worker;
