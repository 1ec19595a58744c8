//! The result cache: stores opaque replies under keys, and decides from SQL what may be stored.
//!
//! There are no wire types and no I/O here, and nothing is global: a [`Cache`], an `AnalysisMemo` and a
//! `Catalog` (of [`sql::postgres`] or [`sql::mysql`]) are values that the proxy makes and passes down.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `key` | [`Key`], the hash of everything that shapes a reply |
//! | `reply` | [`Reply`], what is stored |
//! | `store` | [`Cache`], [`Lookup`], [`Fill`]: lookup, age, commit |
//! | `budget` | [`Budget`], what is held outside of the store |
//! | `flight` | [`Flight`]: one origin query per key, however many ask |
//! | `invalidation` | write generations: no reply is served that is older than a finished write |
//! | [`peers`] | what is asked of other nodes that share what is kept |
//! | `stats` | [`Stats`] |
//! | [`sql`] | one parse per text: what it may be cached by, what it writes, what session state it leaves |
//!
//! The way of one statement: `AnalysisMemo::analyse` (effects, hint) → `classify` with the origin's `Catalog`, both of
//! the engine → [`KeyBuilder`] → [`Cache::lookup`] → [`Fill::commit`]; and for a write, once it is committed, its
//! [`sql::Writes`] → [`Cache::invalidate`].

mod budget;
mod flight;
mod invalidation;
mod key;
pub mod peers;
mod reply;
pub mod sql;
mod stats;
mod store;

pub use budget::{Budget, Held};
pub use flight::Flight;
pub use key::{Key, KeyBuilder};
pub use reply::Reply;
pub use stats::Stats;
pub use store::shared::Asked;
pub use store::writing::{Gate, Writing};
pub use store::{Cache, CacheLimits, Fill, Freshness, Lookup};
