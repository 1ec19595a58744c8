//! Asking a running proxy to forget what it keeps of a database.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::observe::http::PURGE_HEADER;

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

/// What the proxy says where it has no such database.
pub(crate) const NO_DATABASE: &str = "no such database\n";

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
