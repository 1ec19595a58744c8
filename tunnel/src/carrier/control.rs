//! The control stream: registration messages on one HTTP/2 stream.

use std::io;

use bytes::BytesMut;
use h2::{RecvStream, SendStream};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::H2Stream;
use crate::registration::{self, MessageError};

/// The control stream of either end.
#[derive(Debug)]
pub(crate) struct ControlStream {
    stream: H2Stream,
    inbound: BytesMut,
}

impl ControlStream {
    pub(crate) fn new(send: SendStream<bytes::Bytes>, receive: RecvStream) -> Self {
        Self { stream: H2Stream::new(send, receive), inbound: BytesMut::new() }
    }

    /// Sends one message.
    pub(crate) async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), ControlError> {
        let bytes = registration::encode(message)?;
        Ok(self.stream.write_all(&bytes).await?)
    }

    /// Waits for the next message.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, what came stays for the next call.
    pub(crate) async fn receive<T: DeserializeOwned>(&mut self) -> Result<T, ControlError> {
        loop {
            if let Some(message) = registration::decode(&mut self.inbound)? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.inbound).await? == 0 {
                return Err(ControlError::Ended);
            }
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) -> Result<(), ControlError> {
        Ok(self.stream.shutdown().await?)
    }
}

/// Why the control stream is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("the control stream ended")]
    Ended,
    #[error("the control stream broke")]
    Io(#[from] io::Error),
    #[error("the peer broke the registration protocol")]
    Message(#[from] MessageError),
}
