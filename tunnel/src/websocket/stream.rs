//! The codec on a socket: a byte stream that looks like any other.
//!
//! Writes are gathered into one message until it is full or a flush asks for it. It keeps no clock:
//! who owns the stream decides when to probe it.

use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::codec::{
    Decoder, Event, FILL_LEN, Header, Kind, LEAVING, MAX_HEADER_LEN, Role, apply_mask, encode,
};

/// A WebSocket as a byte stream over `S`.
#[derive(Debug)]
pub(crate) struct WebSocket<S> {
    io: S,
    role: Role,
    decoder: Decoder,
    /// Bytes of the peer that are not decoded yet.
    inbound: BytesMut,
    /// Payload that is decoded and not taken yet.
    payload: BytesMut,
    /// The message being gathered, behind room for its header. Empty when there is none.
    gathered: BytesMut,
    /// Frames on their way out.
    outbound: BytesMut,
    /// Control frames that go out behind `outbound`; bounded, see [`Self::control_frame`].
    control: BytesMut,
    reading: Reading,
    is_closing: bool,
    /// Something came from the peer since [`Self::take_heard`].
    has_heard: bool,
    /// Payload bytes sent since something last came from the peer.
    unheard_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Open,
    /// The peer has said [`LEAVING`]: open still, but not for long.
    Leaving,
    /// The peer closed, with or without a Close frame.
    Ended,
    /// The owner gave up on the path.
    Dead,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes over a socket after the upgrade; `early` are bytes that came behind its head.
    pub(crate) fn new(io: S, role: Role, early: BytesMut) -> Self {
        Self {
            io,
            role,
            decoder: Decoder::new(role),
            inbound: early,
            payload: BytesMut::new(),
            gathered: BytesMut::new(),
            outbound: BytesMut::new(),
            control: BytesMut::new(),
            reading: Reading::Open,
            is_closing: false,
            has_heard: false,
            unheard_len: 0,
        }
    }

    /// Queues a ping, unless the peer is in the middle of a frame.
    ///
    /// A `cloudflared` that is answers with a pong inside that frame, and the stream is lost (FAULTS 21).
    pub(crate) fn ping(&mut self) {
        if self.is_between_frames() {
            self.control_frame(Kind::Ping, &[]);
        }
    }

    /// Did anything come since this was asked last, or is something waiting to be taken?
    pub(crate) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.has_heard) || !self.payload.is_empty()
    }

    /// How much was sent since something last came. A ping waits behind it.
    pub(crate) fn unheard_len(&self) -> usize {
        self.unheard_len
    }

    /// Is there nothing more to come, whatever is still waiting to be taken?
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.reading, Reading::Ended | Reading::Dead)
    }

    /// Has the peer said that this stream is about to end?
    pub(crate) fn is_leaving(&self) -> bool {
        self.reading == Reading::Leaving
    }

    /// Ends the stream: the peer is told, if it can be without waiting, and nothing more is read.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>) {
        let _pending_or_failed = Pin::new(&mut *self).poll_shutdown(cx);
        self.reading = Reading::Ended;
    }

    /// From now on reads and writes fail with `TimedOut`.
    pub(crate) fn give_up(&mut self) {
        self.reading = Reading::Dead;
    }

    /// Reads and answers control frames until data, the end or silence.
    pub(crate) fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.payload.is_empty() {
            match self.reading {
                Reading::Open | Reading::Leaving => {}
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::Dead => return Poll::Ready(Err(dead())),
            }
            let event = self.decoder.decode(&mut self.inbound).map_err(|error| {
                self.reading = Reading::Ended;
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            match event {
                Some(Event::Data(piece)) => self.payload = piece,
                Some(Event::Ping(payload)) => self.control_frame(Kind::Pong, &payload),
                Some(Event::Pong(word)) => {
                    if word == LEAVING {
                        self.reading = Reading::Leaving;
                    }
                }
                Some(Event::Close(payload)) => {
                    self.reading = Reading::Ended;
                    self.close(&payload);
                    let _pending_or_failed = self.poll_drain(cx);
                }
                None => {
                    // A failed write is not the reader's news: bytes may still be waiting.
                    let _pending_or_failed = self.poll_drain(cx);
                    ready!(self.poll_fill(cx))?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is queued, without sealing the message being gathered.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reading == Reading::Dead {
            return Poll::Ready(Err(dead()));
        }
        loop {
            while self.outbound.has_remaining() {
                let sent = ready!(Pin::new(&mut self.io).poll_write(cx, &self.outbound))?;
                if sent == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.outbound.advance(sent);
            }
            if self.control.is_empty() {
                return Pin::new(&mut self.io).poll_flush(cx);
            }
            self.outbound = std::mem::take(&mut self.control);
        }
    }

    /// Has the last frame come to its end, with nothing of the next one?
    fn is_between_frames(&self) -> bool {
        self.decoder.is_between_frames() && self.inbound.is_empty()
    }

    /// Reads once from the socket.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inbound.reserve(READ_LEN);
        let read = pin!(self.io.read_buf(&mut self.inbound)).poll(cx);
        let is_whole = self.is_between_frames();
        match ready!(read) {
            Ok(0) if is_whole => {
                self.reading = Reading::Ended;
                Poll::Ready(Ok(()))
            }
            Ok(0) => {
                self.reading = Reading::Ended;
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(_) => {
                self.has_heard = true;
                self.unheard_len = 0;
                Poll::Ready(Ok(()))
            }
            // TLS without its close_notify: what was framed so far is whole, so it is an end.
            Err(error) if is_whole && error.kind() == io::ErrorKind::UnexpectedEof => {
                self.reading = Reading::Ended;
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Queues a control frame, unless a peer that does not read has let many pile up.
    fn control_frame(&mut self, kind: Kind, payload: &[u8]) {
        if !self.is_closing && self.control.len() < MAX_CONTROL_BYTES {
            encode(self.role, kind, payload, &mut self.control);
        }
    }

    /// Queues the Close frame, once, behind everything else.
    fn close(&mut self, payload: &[u8]) {
        if !self.is_closing {
            self.seal();
            encode(self.role, Kind::Close, payload, &mut self.control);
            self.is_closing = true;
        }
    }

    /// Makes a frame of the gathered message and queues it.
    fn seal(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let payload = &mut self.gathered[MAX_HEADER_LEN..];
        self.unheard_len = self.unheard_len.saturating_add(payload.len());
        let mask = self.role.mask();
        let header = Header::new(Kind::Binary, payload.len(), mask);
        if let Some(mask) = mask {
            apply_mask(payload, mask);
        }
        let header = header.as_bytes();
        let start = MAX_HEADER_LEN - header.len();
        self.gathered[start..MAX_HEADER_LEN].copy_from_slice(header);
        self.gathered.advance(start);
        if self.outbound.is_empty() {
            // The usual case copies nothing, and both allocations stay in use.
            std::mem::swap(&mut self.outbound, &mut self.gathered);
        } else {
            self.outbound.extend_from_slice(&self.gathered);
        }
        self.gathered.clear();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.payload.is_empty() {
            // Who waits for an answer has asked: tokio-postgres reads without a flush after SSLRequest.
            self.seal();
        }
        ready!(self.poll_pull(cx))?;
        let len = self.payload.len().min(buf.remaining());
        buf.put_slice(&self.payload[..len]);
        self.payload.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.reading {
            Reading::Open | Reading::Leaving if !self.is_closing => {}
            Reading::Open | Reading::Leaving | Reading::Ended => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            Reading::Dead => return Poll::Ready(Err(dead())),
        }
        if self.gathered.len() >= MAX_HEADER_LEN + FILL_LEN {
            ready!(self.poll_drain(cx))?;
            self.seal();
        }
        if self.gathered.is_empty() {
            self.gathered.put_bytes(0, MAX_HEADER_LEN);
        }
        let len = buf.len().min(MAX_HEADER_LEN + FILL_LEN - self.gathered.len());
        self.gathered.put_slice(&buf[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seal();
        self.poll_drain(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close(&NORMAL_CLOSURE);
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

fn dead() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the tunnel's path is dead: no answer to a ping")
}

/// How much is read at a time: a full message of the peer, or one TLS record.
const READ_LEN: usize = 16 * 1024;

/// Control frames queued at most, in bytes.
const MAX_CONTROL_BYTES: usize = 1024;

/// Status 1000 of RFC 6455, 7.4.1.
const NORMAL_CLOSURE: [u8; 2] = 1000_u16.to_be_bytes();
