//! What `jumpgate control` and the tools beside its store need.
//!
//! * `init`: makes a store, and the file of settings for it.
//! * `web`: serves the API over HTTP and TLS, bounded in every way.

mod init;
pub mod web;

use std::sync::Arc;

use control::{
    database::Database,
    plane::{Actor, Plane},
};

pub use self::init::init;
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

/// Seals everything with the first of the keys, and says what to do next.
///
/// # Errors
///
/// As for a change of the store.
pub async fn rekey(setup: ControlSetup) -> anyhow::Result<String> {
    let count = open(setup).await?.rekey(operator()).await?;
    Ok(if count == 0 {
        String::from(
            "Everything is sealed with the first of the sealing keys already. To change it, put a new line before it:\n  \
             printf 'NAME:%s\\n' \"$(head -c 32 /dev/urandom | base64)\"\n\
             restart the control nodes, run this again, and remove the old line.",
        )
    } else {
        format!(
            "Sealed {count} records with the first of the sealing keys. The others can be removed, once no control node and \
             no backup needs them."
        )
    })
}
