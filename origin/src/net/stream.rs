//! The kinds of stream that a session can run on, dispatched by an enum.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{client, server};

use super::compressed::Compressed;

/// One byte stream to a client or to an origin.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP, either side.
    Tcp(TcpStream),
    /// A client that asked for TLS.
    TlsServer(Box<server::TlsStream<TcpStream>>),
    /// A direct origin over TLS.
    TlsClient(Box<client::TlsStream<TcpStream>>),
    /// An origin through the tunnel, before the database's own TLS.
    Tunnel(tunnel::client::Stream),
    /// An origin through the tunnel, inside the database's own TLS.
    TlsTunnel(Box<client::TlsStream<tunnel::client::Stream>>),
    /// One of the others, whose bytes are compressed.
    Compressed(Box<Compressed<Self>>),
    /// A pipe within the process, for scripted peers in tests.
    Duplex(DuplexStream),
}

impl Stream {
    /// Whether the database protocol on this stream runs inside TLS of its own.
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::TlsServer(_) | Self::TlsClient(_) | Self::TlsTunnel(_) => true,
            Self::Compressed(stream) => stream.get_ref().is_encrypted(),
            Self::Tcp(_) | Self::Tunnel(_) | Self::Duplex(_) => false,
        }
    }

    /// Nobody is in the middle of anything on it: a tunnel that is about to end may end it now. `false` where it
    /// should not be kept, because that has begun.
    pub fn rest(&self) -> bool {
        self.tunnel().is_none_or(tunnel::client::Stream::rest)
    }

    /// Takes it out of its rest, unless it has ended or is about to. Of a socket the operating system is asked, for
    /// the runtime may hear of its end later; not where it `is_trusted`.
    pub fn lend(&self, is_trusted: bool) -> bool {
        match self.tunnel() {
            Some(stream) => stream.lend(),
            None => is_trusted || self.is_open(),
        }
    }

    fn tunnel(&self) -> Option<&tunnel::client::Stream> {
        match self {
            Self::Tunnel(stream) => Some(stream),
            Self::TlsTunnel(stream) => Some(stream.get_ref().0),
            Self::Compressed(stream) => stream.get_ref().tunnel(),
            Self::Tcp(_) | Self::TlsServer(_) | Self::TlsClient(_) | Self::Duplex(_) => None,
        }
    }

    /// Whether the peer has not closed it, by what the operating system knows this instant.
    fn is_open(&self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => stream,
            Self::TlsServer(stream) => stream.get_ref().0,
            Self::TlsClient(stream) => stream.get_ref().0,
            Self::Compressed(stream) => return stream.get_ref().is_open(),
            Self::Tunnel(_) | Self::TlsTunnel(_) | Self::Duplex(_) => return true,
        };
        let mut byte = [std::mem::MaybeUninit::uninit()];
        match socket2::SockRef::from(socket).peek(&mut byte) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// Where a client is, as far as the operating system knows.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_peer().map(|peer| peer.ip())
    }

    /// The same, and by which port it came.
    pub fn client_peer(&self) -> Option<SocketAddr> {
        let socket = match self {
            Self::Tcp(socket) => socket,
            Self::TlsServer(stream) => stream.get_ref().0,
            Self::Compressed(stream) => return stream.get_ref().client_peer(),
            Self::TlsClient(_) | Self::Tunnel(_) | Self::TlsTunnel(_) | Self::Duplex(_) => {
                return None;
            }
        };
        socket.peer_addr().ok()
    }

    /// The protocol that a client agreed on in its TLS handshake.
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        match self {
            Self::TlsServer(stream) => stream.get_ref().1.alpn_protocol(),
            Self::Compressed(stream) => stream.get_ref().alpn_protocol(),
            Self::Tcp(_)
            | Self::TlsClient(_)
            | Self::Tunnel(_)
            | Self::TlsTunnel(_)
            | Self::Duplex(_) => None,
        }
    }

    /// The TLS connection towards an origin, where there is one.
    pub fn client_connection(&self) -> Option<&rustls::ClientConnection> {
        match self {
            Self::TlsClient(stream) => Some(stream.get_ref().1),
            Self::TlsTunnel(stream) => Some(stream.get_ref().1),
            Self::Compressed(stream) => stream.get_ref().client_connection(),
            Self::Tcp(_) | Self::TlsServer(_) | Self::Tunnel(_) | Self::Duplex(_) => None,
        }
    }
}

/// Calls the same method on whichever stream it is.
macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Stream::Tcp($stream) => $call,
            Stream::TlsServer($stream) => $call,
            Stream::TlsClient($stream) => $call,
            Stream::Tunnel($stream) => $call,
            Stream::TlsTunnel($stream) => $call,
            Stream::Compressed($stream) => $call,
            Stream::Duplex($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_duplex_stream_carries_bytes_both_ways() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Stream::Duplex(near);
        stream.write_all(b"ping").await.unwrap();
        stream.flush().await.unwrap();
        let mut heard = [0; 4];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
        far.write_all(b"pong").await.unwrap();
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"pong");
        assert!(!stream.is_encrypted());
        assert!(stream.client_connection().is_none());
    }
}
