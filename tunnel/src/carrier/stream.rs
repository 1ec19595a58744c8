//! One HTTP/2 stream as a byte stream, with flow control respected both ways.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The two halves of a stream. The peer's window is opened only by what a reader has taken.
#[derive(Debug)]
pub(crate) struct H2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What came and was not taken yet; one DATA frame at most.
    chunk: Bytes,
    has_sent_end: bool,
}

impl H2Stream {
    pub(crate) fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self { send, receive, chunk: Bytes::new(), has_sent_end: false }
    }
}

impl AsyncRead for H2Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => {
                    return Poll::Ready(if is_end(&error) { Ok(()) } else { Err(broken(error)) });
                }
            }
        }
        let len = self.chunk.len().min(buf.remaining());
        buf.put_slice(&self.chunk[..len]);
        self.chunk.advance(len);
        self.receive.flow_control().release_capacity(len).map_err(broken)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.send.reserve_capacity(buf.len());
        // `poll_capacity` reports only an increase, so what is there already comes first.
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let len = self.send.capacity().min(buf.len());
        let chunk = Bytes::copy_from_slice(&buf[..len]);
        self.send.send_data(chunk, false).map_err(broken)?;
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's task writes what it was given without being asked.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_sent_end {
            self.has_sent_end = true;
            self.send.send_data(Bytes::new(), true).map_err(broken)?;
        }
        Poll::Ready(Ok(()))
    }
}

/// A reset that only says "I am done with this stream".
fn is_end(error: &h2::Error) -> bool {
    matches!(error.reason(), Some(Reason::NO_ERROR | Reason::CANCEL))
}

fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
