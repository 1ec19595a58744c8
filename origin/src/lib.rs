//! Everything towards a database that no session is needed for: what leads there, dialing, TLS, a pool.
//!
//! `config` says what is meant, `net` moves bytes (towards clients too), `failover` finds the host that will do, `pool` lends
//! connections. What is said on them is `protocol`'s, and who says it `proxy`'s: nothing here knows a session.

pub mod config;
pub mod failover;
pub mod net;
pub mod pool;
pub mod secret;
