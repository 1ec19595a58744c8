//! Sending a CancelRequest, and knowing what became of it.

use std::{io, time::Duration};

use origin::net::{ConnectError, Framed, Spare, Stream};
use protocol::postgres::encode;
use serving::config::DatabaseConfig;

use super::{
    super::beginning::CancelTarget,
    stream::{encrypt, open_stream_to},
};

/// Why a CancelRequest was not acted upon, as far as that is known.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It was never sent.
    #[error("it was not sent")]
    Unsent(#[source] ConnectError),
    /// It was sent, or a part of it, and may arrive at any time.
    #[error("it may be on its way")]
    InDoubt(#[source] ConnectError),
}

/// Sends a CancelRequest, on the spare stream if there is one, and waits until the server has closed the connection:
/// then it was acted upon.
///
/// # Errors
///
/// [`CancelError`] when that is not known to have happened within `deadline`.
///
/// # Cancel safety
///
/// Dropped before it ends, the request may or may not have been delivered.
pub async fn cancel(
    config: &DatabaseConfig,
    spare: &Spare,
    target: &CancelTarget,
    deadline: Duration,
) -> Result<(), CancelError> {
    let mut is_sent = false;
    // Another host knows nothing of the backend, or takes it for another.
    let (host, patience) = (target.host, config.pool.connect_timeout);
    let result = async {
        if let Some(stream) = spare.take() {
            let on_spare = async {
                let stream = encrypt(stream, config.origin.way(host).1).await?;
                deliver(stream, target, &mut is_sent).await
            };
            if let Ok(Ok(())) = tokio::time::timeout(deadline / 4, on_spare).await {
                tracing::debug!("a cancel request went out on the spare stream");
                return Ok(());
            }
            tracing::debug!("the spare stream was dead, a cancel request is dialled for");
        }
        let may_come_twice = std::mem::take(&mut is_sent);
        let dialled = async {
            let stream = open_stream_to(config, host, patience).await?;
            deliver(stream, target, &mut is_sent).await
        };
        let dialled = tokio::time::timeout(deadline, dialled).await;
        is_sent |= may_come_twice;
        match dialled.unwrap_or(Err(ConnectError::TimedOut)) {
            // The first one may come after this, and hit what runs then.
            Ok(()) if may_come_twice => Err(ConnectError::TimedOut),
            other => other,
        }
    }
    .await;
    result.map_err(if is_sent { CancelError::InDoubt } else { CancelError::Unsent })
}

/// Sends the request and waits for the server to close, which it does once it has passed the request on. Before the first
/// byte goes out `is_sent` is set.
async fn deliver(
    stream: Stream,
    target: &CancelTarget,
    is_sent: &mut bool,
) -> Result<(), ConnectError> {
    let mut framed = Framed::new(stream);
    encode::cancel_request(target.process, &target.secret, framed.queue());
    *is_sent = true;
    framed.flush().await?;
    loop {
        match framed.fill().await {
            Ok(0) => return Ok(()),
            // Nothing that it says is of interest.
            Ok(_) => framed.buffer().clear(),
            // The server's process ends without a word of TLS.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
