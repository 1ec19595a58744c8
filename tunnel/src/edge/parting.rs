//! A connector's stream as its client hears it: with a word of the edge's own when its way is about to end.
//!
//! The word is a pong that no ping asked for, between two frames of the connector's. Our proxies begin nothing new on
//! such a stream and end it as soon as nobody is in the middle of anything; everybody else ignores it (RFC 6455, 5.5.3).

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::websocket::{Kind, LEAVING, Passing, Role, encode};

/// The stream `S` of a connector.
pub(super) struct Parting<S> {
    stream: S,
    passing: Passing,
    word: Word,
}

/// Where the edge is with its word.
enum Word {
    /// The way goes on.
    Unsaid(Pin<Box<WaitForCancellationFutureOwned>>),
    /// It goes out between two frames; so much of it has not.
    Due(BytesMut),
    Said,
}

impl<S> Parting<S> {
    /// Says its word once `leaving` is cancelled.
    pub(super) fn new(stream: S, leaving: CancellationToken) -> Self {
        let word = Word::Unsaid(Box::pin(leaving.cancelled_owned()));
        Self { stream, passing: Passing::new(), word }
    }
}

impl<S> fmt::Debug for Parting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parting").finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Parting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, passing, word } = &mut *self;
        if let Word::Unsaid(leaving) = word
            && leaving.as_mut().poll(cx).is_ready()
        {
            let mut frame = BytesMut::new();
            encode(Role::Server, Kind::Pong, LEAVING, &mut frame);
            *word = Word::Due(frame);
        }
        match word {
            Word::Due(frame) if passing.is_between_frames() => {
                let len = frame.len().min(buf.remaining());
                buf.put_slice(&frame[..len]);
                frame.advance(len);
                if frame.is_empty() {
                    *word = Word::Said;
                }
                Poll::Ready(Ok(()))
            }
            // Only up to the end of the frame, so that the word gets its turn.
            Word::Due(_) => {
                let most = passing.left().min(buf.remaining());
                let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
                ready!(Pin::new(stream).poll_read(cx, &mut part))?;
                let len = part.filled().len();
                passing.pass(part.filled());
                buf.advance(len);
                Poll::Ready(Ok(()))
            }
            Word::Unsaid(_) => {
                let before = buf.filled().len();
                ready!(Pin::new(stream).poll_read(cx, buf))?;
                passing.pass(&buf.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            // Nobody asks any more where frames end.
            Word::Said => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Parting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const WORD: &[u8] = b"\x8A\x11jumpgate: leaving";

    /// FAULTS row 22.
    #[tokio::test]
    async fn the_word_is_said_once_and_between_two_frames() {
        let frame = [&[0x82, 126, 0, 200][..], &[b'x'; 200]].concat();
        for cut in 0..=frame.len() {
            let (mut connector, near) = duplex(4096);
            let leaving = CancellationToken::new();
            let mut stream = Parting::new(near, leaving.clone());
            let (before, behind) = frame.split_at(cut);
            let mut heard = BytesMut::new();
            connector.write_all(before).await.expect("room");
            while heard.len() < cut {
                stream.read_buf(&mut heard).await.expect("a frame");
            }
            leaving.cancel();
            if !before.is_empty() && !behind.is_empty() {
                let early = stream.read_buf(&mut heard).now_or_never();
                assert!(early.is_none(), "nothing inside the frame: {early:?}");
            }
            connector.write_all(&[behind, &frame].concat()).await.expect("room");
            drop(connector);
            while stream.read_buf(&mut heard).await.expect("frames") > 0 {}
            let at_once = cut == 0;
            let expected = if at_once {
                [WORD, &frame, &frame].concat()
            } else {
                [&frame, WORD, &frame].concat()
            };
            assert_eq!(heard, expected, "cut behind {cut} bytes");
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_frame_hears_the_word_at_once() {
        let (_connector, near) = duplex(4096);
        let leaving = CancellationToken::new();
        let mut stream = Parting::new(near, leaving.clone());
        let mut heard = [0; WORD.len()];
        let (read, ()) = tokio::join!(stream.read_exact(&mut heard), async { leaving.cancel() });
        read.expect("a word");
        assert_eq!(heard, WORD);
    }
}
