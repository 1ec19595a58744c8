//! Asking a running proxy to forget what it keeps of a database.

use std::{io, net::SocketAddr, time::Duration};

use proxy::admin::{NO_DATABASE, PURGE_HEADER};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Longest that the proxy may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any answer has.
const ANSWER_MAX: u64 = 64 << 10;

/// Why nothing was purged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// No proxy is there.
    #[error("no proxy answers at {0}, the `listen` of [admin]; is it running?")]
    Unreachable(SocketAddr, #[source] io::Error),
    /// It has another file.
    #[error("the proxy that runs has no database with the name {0:?}")]
    Unknown(String),
    /// It says no, or something else.
    #[error("what answers at {0} is not a proxy that can purge: {1:?}")]
    Refused(SocketAddr, String),
}

/// Has what is kept of a database forgotten, or of its `tables` where there are any.
///
/// # Errors
///
/// [`PurgeError`].
///
/// # Cancel safety
///
/// Dropped before it ends, it may have been done.
pub async fn purge(admin: SocketAddr, name: &str, tables: &[String]) -> Result<(), PurgeError> {
    let (path, body) = (encoded(name), tables.join("\n"));
    let request = format!(
        "POST /databases/{path}/purge HTTP/1.1\r\nhost: {admin}\r\n{PURGE_HEADER}: yes\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let asked = async {
        let mut stream = TcpStream::connect(admin).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(PATIENCE, asked).await.unwrap_or_else(|late| Err(late.into()));
    let answer = answer.map_err(|error| PurgeError::Unreachable(admin, error))?;
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some("404") if answer.ends_with(NO_DATABASE) => Err(PurgeError::Unknown(name.to_owned())),
        _ => Err(PurgeError::Refused(admin, status.to_owned())),
    }
}

/// A name as one part of a path.
fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push_str(&hex::encode_upper([byte]));
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cache::sql::{TableName, Writes};
    use proxy::{
        admin::{Lack, Phase, Purge, Readiness, serve},
        warm::Cold,
    };
    use serving::observe::Metrics;
    use tokio::{net::TcpListener, sync::watch};
    use tokio_util::sync::CancellationToken;

    use super::*;

    async fn page(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// FAULTS §4, no purge.
    #[tokio::test]
    async fn a_database_is_purged_by_a_tool_and_not_by_a_page() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let done = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let purged = Arc::clone(&done);
        let purging = Purge::new(move |name, _, writes| {
            let is_known = name == "an app/ü";
            purged.lock().extend(is_known.then(|| writes.clone()));
            is_known
        });
        let (_phase, phases) = watch::channel(Phase::Serving);
        let cold = Cold::new(Vec::new);
        let readiness = Readiness { phase: phases, lack: Lack::default(), cold };
        let shutdown = CancellationToken::new();
        let server =
            serve(listener, Arc::new(Metrics::new()), readiness, purging, shutdown.clone());
        let visits = async {
            let name = "an app/ü";
            purge(address, name, &[]).await.unwrap();
            let tables = ["shop.Orders".to_owned(), "t".to_owned()];
            purge(address, name, &tables).await.unwrap();
            let tables = ["Orders", "orders", "t"].map(TableName::bare).to_vec();
            assert_eq!(*done.lock(), [Writes::Everything, Writes::Tables(tables)]);
            let unknown = purge(address, "app", &[]).await;
            assert!(matches!(unknown, Err(PurgeError::Unknown(_))), "{unknown:?}");
            // What a page in a browser can send.
            for headers in ["", "jumpgate-purge: 1\r\norigin: http://127.0.0.1\r\n"] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = format!(
                    "POST /databases/an%20app%2F%C3%BC/purge HTTP/1.1\r\nhost: h\r\n{headers}content-length: 0\r\n\
                     connection: close\r\n\r\n"
                );
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
            }
            assert!(page(address, "/databases/app/purge").await.starts_with("HTTP/1.1 405"));
            assert_eq!(done.lock().len(), 2);
            shutdown.cancel();
        };
        let (served, ()) = tokio::join!(server, visits);
        served.unwrap();
    }
}
