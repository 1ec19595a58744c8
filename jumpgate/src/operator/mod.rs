//! The tools of an edge's operator: `jumpgate edge init`, `jumpgate tunnel`, `jumpgate access`.
//!
//! Where no control node does (`manage`), they change the edge's folder, on the edge's own machine; the running edge notices by itself. Secrets are
//! printed once, on standard output, and kept as hashes only.

mod access;
mod edge;
mod error;
pub mod keeper;
mod running;
mod show;
mod tunnels;

use ::tunnel::store::Store;

pub use self::{edge::init, error::OperatorError, keeper::Keeper};
use crate::args::edge::{AccessAction, TunnelAction};

/// Runs `jumpgate tunnel …` and returns what to print.
///
/// # Errors
///
/// [`OperatorError`] says what to do.
pub fn tunnel(
    store: &Store,
    action: &TunnelAction,
    as_json: bool,
) -> Result<String, OperatorError> {
    tunnels::run(store, action, as_json)
}

/// Runs `jumpgate access …` and returns what to print.
///
/// # Errors
///
/// [`OperatorError`] says what to do.
pub fn access(
    store: &Store,
    action: &AccessAction,
    as_json: bool,
) -> Result<String, OperatorError> {
    access::run(store, action, as_json)
}

#[cfg(test)]
mod tests;
