//! The control stream: the registration RPC on one HTTP/2 stream.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::H2Stream;
use crate::rpc::{Answered, Asked, Client, RpcError, Server};

/// The control stream of either end, which speaks through `E`.
#[derive(Debug)]
pub(crate) struct ControlStream<E> {
    /// What is said and heard.
    pub(crate) end: E,
    stream: H2Stream,
    inbound: BytesMut,
    outbound: Bytes,
}

/// One end of the RPC.
pub(crate) trait End {
    /// What the other end says.
    type Heard;

    fn next(&mut self, input: &mut BytesMut) -> Result<Option<Self::Heard>, RpcError>;
    fn take_output(&mut self) -> Bytes;
}

impl End for Server {
    type Heard = Asked;

    fn next(&mut self, input: &mut BytesMut) -> Result<Option<Asked>, RpcError> {
        self.next(input)
    }

    fn take_output(&mut self) -> Bytes {
        self.take_output()
    }
}

impl End for Client {
    type Heard = Answered;

    fn next(&mut self, input: &mut BytesMut) -> Result<Option<Answered>, RpcError> {
        self.next(input)
    }

    fn take_output(&mut self) -> Bytes {
        self.take_output()
    }
}

impl<E: End> ControlStream<E> {
    pub(crate) fn new(end: E, send: SendStream<Bytes>, receive: RecvStream) -> Self {
        let stream = H2Stream::new(send, receive);
        Self { end, stream, inbound: BytesMut::new(), outbound: Bytes::new() }
    }

    /// Sends what this end has to say, and waits for the next word of the other.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, what came and what is to be sent stay for the next call.
    pub(crate) async fn receive(&mut self) -> Result<E::Heard, ControlError> {
        loop {
            self.flush().await?;
            if let Some(heard) = self.end.next(&mut self.inbound)? {
                return Ok(heard);
            }
            self.outbound = self.end.take_output();
            self.inbound.reserve(READ_LEN);
            if self.outbound.is_empty() && self.stream.read_buf(&mut self.inbound).await? == 0 {
                return Err(ControlError::Ended);
            }
        }
    }

    /// Sends what this end has to say.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the rest stays for the next call.
    pub(crate) async fn flush(&mut self) -> Result<(), ControlError> {
        loop {
            while self.outbound.has_remaining() {
                self.stream.write_buf(&mut self.outbound).await?;
            }
            self.outbound = self.end.take_output();
            if self.outbound.is_empty() {
                return Ok(());
            }
        }
    }

    /// Sends the rest, and that nothing more will follow.
    pub(crate) async fn finish(&mut self) -> Result<(), ControlError> {
        self.flush().await?;
        Ok(self.stream.shutdown().await?)
    }
}

/// More than the messages of a registration together.
const READ_LEN: usize = 4 * 1024;

/// Why the control stream is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("the control stream ended")]
    Ended,
    #[error("the control stream broke")]
    Io(#[from] io::Error),
    #[error("the peer broke the registration protocol")]
    Rpc(#[from] RpcError),
}
