//! A stream with its two buffers.
//!
//! Partial frames live in the buffers, never in a future, so reading and flushing are cancel safe
//! inside `select!`. What a frame is, the caller decides: it takes from [`Framed::buffer`] and puts
//! into [`Framed::queue`]. It implements neither `AsyncRead` nor `AsyncWrite`, so that nobody reads
//! past the buffer.

use std::{
    fmt,
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BytesMut};
use protocol::mysql::compress::{Algorithm, Side};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::{Stream, compressed::Compressed};

/// Room that a read is offered.
const READ_LEN: usize = 16 * 1024;
/// Less free room than this is grown before the next read.
const READ_LEN_MIN: usize = 2 * 1024;
/// A client without a buffer reads into this much of the stack first.
const FIRST_READ_LEN: usize = 4 * 1024;
/// A larger buffer is not kept by who keeps his.
const KEPT_LEN: usize = READ_LEN + 1;
/// An output buffer begins with this much, so that a short reply, put in by pieces, is one allocation.
const FIRST_WRITE_LEN: usize = 512;

/// A stream, what was read from it and not yet used, and what is to be written to it.
pub struct Framed {
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
    /// Written to the stream, which may still hold it (TLS records, tunnel messages).
    unflushed: bool,
    /// What must come before anything more is written.
    holds: Vec<Hold>,
}

/// What is waited for before anything more is written. Its error is that of the stream from then on.
pub type Hold = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

/// What a [`Framed`] was made of.
#[derive(Debug)]
pub struct Parts {
    /// The stream.
    pub stream: Stream,
    /// Read and not used.
    pub input: BytesMut,
    /// Queued and not written.
    pub output: BytesMut,
}

impl fmt::Debug for Framed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, input, output, unflushed, holds } = self;
        let (input, output, holds) = (input.len(), output.len(), holds.len());
        f.debug_struct("Framed")
            .field("stream", stream)
            .field("input", &input)
            .field("output", &output)
            .field("unflushed", unflushed)
            .field("holds", &holds)
            .finish()
    }
}

impl Framed {
    /// Puts empty buffers around a stream. They cost nothing until bytes come.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unflushed: false,
            holds: Vec::new(),
        }
    }

    /// Input that was read and not used.
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// Input that was read and not used, to take from.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// Output that waits to be written, to put into.
    pub fn queue(&mut self) -> &mut BytesMut {
        if self.output.capacity() == 0 {
            self.output.reserve(FIRST_WRITE_LEN);
        }
        &mut self.output
    }

    /// Bytes that wait to be written.
    pub fn queued(&self) -> usize {
        self.output.len()
    }

    /// Writes nothing more, neither what is queued now nor what is put in later, before `hold` has ended.
    pub fn hold(&mut self, hold: Hold) {
        self.holds.push(hold);
    }

    /// Whether a flush has work to do.
    pub fn has_output(&self) -> bool {
        self.unflushed || !self.output.is_empty()
    }

    /// The stream below, for what it knows of its peer.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Reads once and returns how many bytes came; 0 is the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, nothing was read.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Writes all that is queued and flushes the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the unwritten rest stays queued and the next call goes on.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Reads once, and meanwhile writes what is queued.
    ///
    /// A peer that reads nothing until it was read from cannot make the two wait for each other.
    ///
    /// # Cancel safety
    ///
    /// As for [`fill`](Self::fill) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// Those of the stream, from either direction.
    pub async fn fill_while_flushing(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill_while_flushing(cx)).await
    }

    /// [`fill_while_flushing`](Self::fill_while_flushing) as a poll.
    ///
    /// # Errors
    ///
    /// Those of the stream, from either direction.
    pub fn poll_fill_while_flushing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        self.poll_fill(cx)
    }

    /// [`fill`](Self::fill) as a poll, to drive several streams in one task.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() == 0 {
            return self.poll_first_fill(cx);
        }
        if self.input.capacity() - self.input.len() < READ_LEN_MIN {
            self.input.reserve(READ_LEN);
        }
        poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input)
    }

    /// Reads by way of the stack, so that a client who says nothing holds no buffer.
    fn poll_first_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Not zeroed: most polls find nothing, and each would pay for it.
        let mut room = [MaybeUninit::uninit(); FIRST_READ_LEN];
        let mut read = ReadBuf::uninit(&mut room);
        match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                self.input.extend_from_slice(read.filled());
                Poll::Ready(Ok(read.filled().len()))
            }
        }
    }

    /// [`flush`](Self::flush) as a poll, to drive several streams in one task.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(hold) = self.holds.first_mut() {
            match hold.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                // It stays first, so that nothing behind it is ever written; it is not asked again.
                Poll::Ready(Err(error)) => {
                    let kind = error.kind();
                    self.holds.insert(0, Box::pin(std::future::ready(Err(kind.into()))));
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Ok(())) => drop(self.holds.remove(0)),
            }
        }
        while !self.output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.output) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.output.advance(written);
                    self.unflushed = true;
                }
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => self.unflushed = false,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Gives back the memory of buffers that are empty, so that an idle client costs little.
    pub fn release_buffers(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.output.is_empty() {
            self.output = BytesMut::new();
        }
    }

    /// Makes room for the next read ahead of it, once and for all: for a stream that is seldom idle.
    pub fn reserve_input(&mut self) {
        self.input.reserve(READ_LEN);
    }

    /// Gives back the memory of empty buffers that had to grow, and keeps what is usual.
    pub fn trim_buffers(&mut self) {
        if self.input.is_empty() && self.input.try_reclaim(KEPT_LEN) {
            self.input = BytesMut::with_capacity(READ_LEN);
        }
        if self.output.is_empty() && self.output.try_reclaim(KEPT_LEN) {
            self.output = BytesMut::new();
        }
    }

    /// Flushes, then says to the peer that nothing more will come.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }

    /// Compresses what is read and written from now on, as `side` of the connection; what is queued is so too, what was
    /// read already has been.
    pub fn compressed(self, algorithm: Algorithm, side: Side) -> Self {
        let Parts { stream, input, output } = self.into_parts();
        let compressed = Box::new(Compressed::new(stream, algorithm, side, input));
        Self { output, ..Self::new(Stream::Compressed(compressed)) }
    }

    /// Takes it apart, to put TLS around the stream.
    pub fn into_parts(self) -> Parts {
        Parts { stream: self.stream, input: self.input, output: self.output }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn pair(size: usize) -> (Framed, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(size);
        (Framed::new(Stream::Duplex(near)), far)
    }

    #[tokio::test]
    async fn bytes_pile_up_in_the_buffer_until_they_are_taken() {
        let (mut framed, mut far) = pair(64);
        far.write_all(b"one").await.unwrap();
        assert_eq!(framed.fill().await.unwrap(), 3);
        far.write_all(b"two").await.unwrap();
        assert_eq!(framed.fill().await.unwrap(), 3);
        assert_eq!(&framed.buffer().split_to(4)[..], b"onet");
        assert_eq!(framed.input(), b"wo");
        drop(far);
        assert_eq!(framed.fill().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_cancelled_flush_goes_on_where_it_stopped() {
        let (mut framed, mut far) = pair(4);
        framed.queue().extend_from_slice(b"0123456789");
        tokio::select! {
            biased;
            _ = framed.flush() => panic!("the pipe holds four bytes only"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(framed.queued(), 6);
        assert!(framed.has_output());
        let reader = async {
            let mut heard = [0; 10];
            far.read_exact(&mut heard).await.unwrap();
            heard
        };
        let (flushed, heard) = tokio::join!(framed.flush(), reader);
        flushed.unwrap();
        assert_eq!(&heard, b"0123456789");
        assert!(!framed.has_output());
    }

    #[tokio::test]
    async fn reading_and_flushing_do_not_wait_for_each_other() {
        let (mut framed, mut far) = pair(4);
        framed.queue().extend_from_slice(b"012345");
        far.write_all(b"abcd").await.unwrap();
        assert_eq!(framed.fill_while_flushing().await.unwrap(), 4);
        assert_eq!(framed.queued(), 2);
    }

    #[tokio::test]
    async fn an_idle_stream_holds_no_buffer_while_it_waits() {
        let (mut framed, mut far) = pair(64 * 1024);
        tokio::select! {
            biased;
            _ = framed.fill() => panic!("nothing was sent"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(framed.buffer().capacity(), 0);
        far.write_all(&[7; 10_000]).await.unwrap();
        while framed.input().len() < 10_000 {
            framed.fill().await.unwrap();
        }
        framed.buffer().clear();
        framed.release_buffers();
        assert_eq!(framed.buffer().capacity(), 0);
    }
}
