//! The harness of the end-to-end tests: real databases, the real `jumpgate`, and faults.
//!
//! Nothing here knows what a scenario expects; those live in `e2e/`. Nothing is mocked either: a component that
//! cannot be installed or started fails the test with the reason.
//!
//! # Layout
//!
//! * [`stage`]: one scenario's world (database, optional jumpgate, credentials) and the `scenarios!` matrix.
//! * [`engine`]: the same for scenarios of whatever engine.
//! * [`postgres`], [`mysql`], [`redis`], [`jumpgate`]: the processes. [`relay`]: a slow or broken network between them.
//! * [`edge`]: the same, made by an operator's commands. [`walk`]: foreign ends of its tunnel.
//! * [`several`]: proxies in front of one database that may share a tier. [`history`]: what their clients saw, and missed.
//! * [`wire`]: a raw protocol client that sees every byte. [`tls`]: rustls for tokio-postgres.
//! * [`control`]: a control node, and the tools that manage it.
//! * [`drivers`]: foreign drivers, as scripts. [`wrangler`]: a Worker. [`install`]: the folder that keeps what was
//!   downloaded. [`sid`]: programs of a newer Debian.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a harness fails by panicking with the reason, and shows the logs of what it started"
)]

pub mod certificates;
pub mod control;
pub mod drivers;
pub mod edge;
pub mod engine;
pub mod follower;
pub mod history;
pub mod install;
pub mod jumpgate;
pub mod metrics;
pub mod mysql;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod relay;
pub mod several;
pub mod sid;
pub mod stage;
pub mod tls;
pub mod walk;
pub mod wire;
pub mod wrangler;
