//! The second table: whole jobs of real drivers, in round trips, beside the floor.
//!
//! A job is what an application does with a new connection: it connects, asks, maybe in a transaction, and closes. Its
//! floor is how many answers it cannot do without, for the next statement or for itself; what a driver says besides is
//! what a pooler can spare it. Each job asks for rows that nobody has asked for, so that no answer comes from the cache.
//!
//! ```text
//!   direct      driver ────────── relay ── database
//!   PgBouncer   driver ── pool ── relay ── database
//!   Jumpgate    driver ── proxy ── relay ── database
//! ```
//!
//! All of it is there twice, with the relay and without, for what a job takes without a distance is computing: the
//! drivers', TLS and this machine's load. Each round is done near and then far; round trips are the median of what the far
//! one takes longer, divided by what one takes.
//!
//! # Layout
//!
//! * [`rows`]: the jobs and their floors. [`world`]: the processes. [`drivers`]: the scripts in `benches/latency`.
//! * [`rust`]: the drivers of Rust. [`mod@measure`]: in which order. [`table`]: how it is shown.

pub mod drivers;
pub mod measure;
pub mod rows;
pub mod rust;
pub mod table;
pub mod world;
