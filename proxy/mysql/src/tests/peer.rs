//! The other end of a login, by its script.

use bytes::{Bytes, BytesMut};
use protocol::mysql::packet;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

/// A scripted client or origin.
pub(crate) struct Peer<S = DuplexStream> {
    pub(crate) stream: S,
    pub(crate) input: BytesMut,
    pub(crate) sequence: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), sequence: 0 }
    }

    /// The next packet, whose sequence id must be the next one.
    pub(crate) async fn hears(&mut self) -> Bytes {
        loop {
            if let Some(packet) = packet::take(&mut self.input, 1 << 20).unwrap() {
                assert_eq!(packet.sequence, self.sequence, "the sequence ids count up");
                self.sequence = packet.last_sequence.wrapping_add(1);
                return packet.payload;
            }
            assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0, "it hung up");
        }
    }

    pub(crate) async fn hears_the_end(&mut self) {
        assert_eq!(self.stream.read_buf(&mut self.input).await.unwrap_or(0), 0, "{:?}", self.input);
    }

    pub(crate) async fn says(&mut self, payload: &[u8]) {
        let mut out = BytesMut::new();
        packet::put(&mut out, &mut self.sequence, payload);
        self.stream.write_all(&out).await.unwrap();
        self.stream.flush().await.unwrap();
    }
}
