//! The control crate.
