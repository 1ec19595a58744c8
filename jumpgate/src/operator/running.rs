//! What a running edge says to the tools beside it: who is connected now.
//!
//! It answers on a socket in its folder, which only its owner may enter. Whoever connects is told once, as JSON, and
//! says nothing. Where nobody answers, no edge runs.

use std::{fs, io, io::Read as _, os::unix::net::UnixStream, path::Path, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::UnixListener, time::timeout};
use tunnel::{
    edge::{ConnectorInfo, Handle},
    store::Store,
};

/// The socket, in the edge's folder.
const SOCKET: &str = "running.sock";
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE_AFTER_PROBLEM: Duration = Duration::from_secs(1);
/// More than a full registry says.
const MAX_ANSWER_LEN: u64 = 8 << 20;

/// Answers for as long as the edge runs. Where that cannot be, the tools say that they do not know.
pub(super) async fn serve(store: &Store, edge: &Handle) {
    let path = store.path(SOCKET);
    let listener = match listen(&path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "`jumpgate tunnel list` will not show connectors");
            return std::future::pending().await;
        }
    };
    loop {
        match listener.accept().await {
            Ok((mut tool, _)) => {
                let json = serde_json::to_vec(&edge.connector_infos()).unwrap_or_default();
                let _gone_or_late = timeout(PATIENCE, tool.write_all(&json)).await;
            }
            Err(_of_the_moment) => tokio::time::sleep(PAUSE_AFTER_PROBLEM).await,
        }
    }
}

/// The socket of an edge that has ended is left there.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

/// Asks the running edge who is connected. `None` when none runs.
pub(super) fn connectors(store: &Store) -> Option<Vec<ConnectorInfo>> {
    let ask = || -> io::Result<Vec<u8>> {
        let edge = UnixStream::connect(store.path(SOCKET))?;
        edge.set_read_timeout(Some(PATIENCE))?;
        let mut json = Vec::new();
        edge.take(MAX_ANSWER_LEN).read_to_end(&mut json)?;
        Ok(json)
    };
    serde_json::from_slice(&ask().ok()?).ok()
}
