//! The proxy: the only crate that knows all the others, and the home of the binary `jumpgate`.
//!
//! `server` accepts, `postgres` and `mysql` speak with clients and origins, `pool` lends connections, `net` moves
//! bytes, `observe` counts, `config` says what is meant. `check` and `dev` are the tools for a person
//! at a terminal.

pub mod args;
pub mod arrivals;
pub mod catalog;
pub mod check;
pub mod config;
pub mod context;
pub mod dev;
pub mod directory;
pub mod error;
pub mod files;
pub mod heavy;
mod intern;
mod known;
pub mod logging;
mod memory;
pub mod mock;
pub mod mysql;
pub mod net;
pub mod observe;
pub mod operator;
pub mod pool;
pub mod postgres;
pub mod probe;
pub mod purge;
pub mod report;
pub mod salts;
#[cfg(test)]
mod script;
pub mod secret;
pub mod server;
pub mod shutdown;
pub mod throttle;
mod until;
mod verdict;
pub mod why;
