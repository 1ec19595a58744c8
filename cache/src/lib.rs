//! The cache crate.
