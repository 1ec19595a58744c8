//! The store of a control node.

use std::sync::Arc;

use control::{
    database::Database,
    plane::{Actor, Plane},
};

use crate::config::ControlSetup;

/// Opens the store that the file names.
///
/// # Errors
///
/// Why it cannot be opened, or not with these keys.
pub async fn open(setup: ControlSetup) -> anyhow::Result<Arc<Plane>> {
    let database = Database::open(setup.store.expose()).await?;
    Ok(Plane::open(database, setup.keyring).await?)
}

/// Whoever runs a tool beside the store, for the audit log.
pub fn operator() -> Actor {
    let who = std::env::var("USER").unwrap_or_else(|_unset| String::from("operator"));
    Actor { who, whence: String::from("tool") }
}
