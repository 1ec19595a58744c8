//! The tunnel crate.
