//! What sessions of both engines share, and what a process has once.
//!
//! [`directory`] has the databases by name, [`known`] the origins behind them, [`context`] the one cache and the one end of
//! the process; [`config`] says what is meant, [`observe`] counts, and [`activity`] what clients do. It names neither engine: the crates `postgres` and `mysql`
//! are built on it, and `proxy` joins them.

pub mod activity;
pub mod arrivals;
pub mod capture;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod context;
pub mod directory;
pub mod error;
pub mod failovers;
pub mod files;
pub mod heavy;
pub mod hold;
pub mod intern;
pub mod known;
pub mod lookup;
pub mod memory;
pub mod mock;
pub mod observe;
pub mod reception;
pub mod refresher;
pub mod salts;
#[cfg(feature = "testing")]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where its script is wrong")]
pub mod script;
pub mod seats;
pub mod shutdown;
pub mod throttle;
pub mod until;
pub mod verdict;
