//! The proxy: sessions of clients in front of databases, with a pool and a cache between them.
//!
//! `server` accepts, `postgres` and `mysql` speak with clients and origins, `observe` counts, `config` says what is
//! meant; streams and the pool are the crate `origin`'s. It reads no file and no command line: it is given a
//! [`config::Config`], and others after it.

pub mod arrivals;
pub mod catalog;
pub mod config;
pub mod context;
pub mod directory;
pub mod error;
pub mod files;
pub mod heavy;
mod intern;
mod known;
mod memory;
pub mod mock;
pub mod mysql;
pub mod observe;
pub mod postgres;
mod reception;
pub mod salts;
#[cfg(test)]
mod script;
pub mod server;
pub mod shutdown;
pub mod throttle;
mod until;
mod verdict;
