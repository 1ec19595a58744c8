//! A stream whose bytes travel compressed, as MySQL has it: who reads and writes it sees plain ones.
//!
//! The protocol takes turns, so the id of what is written goes on behind that of what was read last; a client's
//! commands count from 0. What a write
//! takes is bounded, and now and then one lets the other sessions of its thread run, for packing takes its time. A
//! packet of up to 16 MiB is held until it is packed whole.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use protocol::mysql::compress::{Algorithm, Decoder, Encoder, Side};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// So many are packed at a time before others may run.
const TURN: usize = 64 * 1024;
/// No more is packed while this much waits to be written.
const HIGH_WATER: usize = 64 * 1024;
/// Room that a read of packed bytes is offered.
const READ_LEN: usize = 8 * 1024;

/// A stream `S` below, and what is between its bytes and the plain ones.
#[derive(Debug)]
pub struct Compressed<S> {
    stream: S,
    encoder: Encoder,
    decoder: Decoder,
    /// Read and not unpacked.
    input: BytesMut,
    /// Packed and not written.
    output: BytesMut,
    /// The id of the next packet that is written.
    sequence: u8,
    /// Plain bytes that were packed since others could run.
    packed: usize,
}

impl<S: AsyncWrite + Unpin> Compressed<S> {
    /// Compresses from here on, on this side of the connection; `input` was read from the stream already.
    pub fn new(stream: S, algorithm: Algorithm, side: Side, input: BytesMut) -> Self {
        Self {
            stream,
            encoder: Encoder::new(algorithm, side),
            decoder: Decoder::new(algorithm),
            input,
            output: BytesMut::new(),
            sequence: 0,
            packed: 0,
        }
    }

    /// The stream below.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Writes what is packed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
        }
        self.output = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Compressed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let made = this
                .decoder
                .decode(&mut this.input, buf.initialize_unfilled())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if made > 0 {
                this.sequence = this.decoder.next_sequence();
                this.encoder.heard();
                buf.advance(made);
                return Poll::Ready(Ok(()));
            }
            this.input.reserve(READ_LEN);
            let read = poll_read_buf(Pin::new(&mut this.stream), cx, &mut this.input);
            if this.input.is_empty() {
                // Who waits holds no buffer.
                this.input = BytesMut::new();
            }
            if ready!(read)? == 0 {
                let is_cut = !this.decoder.is_between() || !this.input.is_empty();
                let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
                return Poll::Ready(if is_cut { Err(cut()) } else { Ok(()) });
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Compressed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.output.len() >= HIGH_WATER {
            ready!(this.poll_drain(cx))?;
        }
        if this.packed >= TURN {
            this.packed = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let taken = this.encoder.encode(plain, &mut this.sequence, &mut this.output)?;
        this.packed += taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        this.packed = 0;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::net::{Framed, Stream};
    use protocol::mysql::packet;

    fn pair(algorithm: Algorithm, size: usize) -> (Framed, Framed) {
        let (near, far) = tokio::io::duplex(size);
        let end = |stream| {
            let inner = Stream::Duplex(stream);
            let compressed = Compressed::new(inner, algorithm, Side::Server, BytesMut::new());
            Framed::new(Stream::Compressed(Box::new(compressed)))
        };
        (end(near), end(far))
    }

    async fn heard(framed: &mut Framed, len: usize) -> Vec<u8> {
        while framed.input().len() < len {
            assert_ne!(framed.fill().await.unwrap(), 0, "it goes on");
        }
        framed.buffer().split_to(len).to_vec()
    }

    fn packets(payloads: &[&[u8]]) -> BytesMut {
        let mut out = BytesMut::new();
        payloads.iter().for_each(|payload| packet::put(&mut out, &mut 0, payload));
        out
    }

    #[tokio::test]
    async fn plain_bytes_arrive_at_the_other_end() {
        for algorithm in [Algorithm::Zlib, Algorithm::Zstd(1)] {
            let (mut near, mut far) = pair(algorithm, 100);
            let long: Vec<u8> = (0..300_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
            for said in [&[&b"ping"[..]][..], &[&long, b"x"], &[b""], &[&[0_u8; 50][..]; 3000]] {
                let said = packets(said);
                near.queue().extend_from_slice(&said);
                let (flushed, heard) = tokio::join!(near.flush(), heard(&mut far, said.len()));
                flushed.unwrap();
                assert!(heard == said);
            }
            drop(near);
            assert_eq!(far.fill().await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn an_answer_goes_on_with_the_ids_of_what_it_answers() {
        let (near, mut far) = tokio::io::duplex(1000);
        let inner = Stream::Duplex(near);
        let mut near = Compressed::new(inner, Algorithm::Zlib, Side::Server, BytesMut::new());
        for _turn in 0..2 {
            far.write_all(b"\x02\0\0\0\0\0\0ab\x01\0\0\x01\0\0\0c").await.unwrap();
            let mut asked = [0; 3];
            near.read_exact(&mut asked).await.unwrap();
            assert_eq!(&asked, b"abc");
            for id in [2, 3] {
                near.write_all(b"\x01\0\0\x07d").await.unwrap();
                near.flush().await.unwrap();
                let mut answer = [0; 12];
                far.read_exact(&mut answer).await.unwrap();
                assert_eq!(answer, [5, 0, 0, id, 0, 0, 0, 1, 0, 0, 7, b'd']);
            }
        }
    }

    #[tokio::test]
    async fn a_packet_that_breaks_off_is_no_clean_end() {
        for said in [&b"\x05\0\0\0\0\0\0ab"[..], b"\x05\0\0", b"\x05\0\0\0\x09\0\0"] {
            let (near, mut far) = tokio::io::duplex(1000);
            let inner = Stream::Duplex(near);
            let mut near = Compressed::new(inner, Algorithm::Zlib, Side::Server, BytesMut::new());
            far.write_all(said).await.unwrap();
            drop(far);
            assert!(near.read_to_end(&mut Vec::new()).await.is_err(), "{said:?}");
        }
    }
}
