//! Scenarios that say the same of PostgreSQL, MariaDB and MySQL: told once, run with each.

mod cache;
mod faults;
mod freshness;
mod origins;
