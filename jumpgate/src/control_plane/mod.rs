//! What `jumpgate control` and the tools beside its store need.
//!
//! * `store`: opens it.
//! * `init`: makes a store, and the file of settings for it.
//! * `import`: takes over the folder of an edge.
//! * `web`: serves the API over HTTP and TLS, bounded in every way.

mod import;
mod init;
mod store;
pub mod web;

pub use self::{
    import::import,
    init::init,
    store::{open, operator},
};
use crate::config::ControlSetup;

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
