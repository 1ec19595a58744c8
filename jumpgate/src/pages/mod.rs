//! The operator's pages of the roles that are no proxy.

pub mod connector;
pub mod edge;
