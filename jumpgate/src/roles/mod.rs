//! The roles that serve: each is run with what its part of the file says, until the process is told to end.

pub mod connector;
pub mod control;
pub mod edge;
mod edge_node;
pub mod proxy;
mod proxy_node;
mod tier;

use std::process::ExitCode;

use tokio::signal::unix::Signal;

/// Runs a role that reads no file again.
///
/// # Errors
///
/// Those of the role.
pub async fn outlive_hangups(
    mut hangups: Signal,
    role: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let unheeded = async {
        loop {
            hangups.recv().await;
            tracing::warn!("SIGHUP reads nothing again here: only a restart takes in a new file");
        }
    };
    tokio::select! {
        ended = role => ended,
        () = unheeded => Ok(ExitCode::SUCCESS),
    }
}
