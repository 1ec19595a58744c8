//! The proxy: listeners in front of databases, and the pages of whoever runs it.
//!
//! [`server`] accepts clients and hands each to its engine (the crates `postgres` and `mysql`); [`admin`] is what is served
//! to those who look at it, `warm` who is waited for before they hear that it is ready. It reads no file and no command line: it is given a [`serving::config::Config`], and others
//! after it.

pub mod admin;
pub mod for_nodes;
pub mod pages;
pub mod server;
pub mod warm;
