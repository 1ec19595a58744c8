//! Wire protocols without I/O: bytes in, values out.
//!
//! Nothing here opens a socket, reads a clock, logs, or makes random numbers (nonces are arguments). The
//! sessions of `proxy` feed these values with what they read.
//!
//! # Layout
//!
//! * [`reader`]: the one bounded way to take fields out of a frame's body.
//! * [`mysql`]: the client/server protocol of MySQL and MariaDB.
//! * [`postgres`]: PostgreSQL's frontend/backend protocol, versions 3.0 and 3.2.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")
)]

pub mod mysql;
pub mod postgres;
pub mod reader;
