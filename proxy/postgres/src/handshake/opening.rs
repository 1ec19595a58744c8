//! What a connection begins with, up to the packet that says what it wants: TLS by request or at once, GSSAPI not.

use std::{io, sync::Arc};

use origin::net::{self, Framed, Stream};
use protocol::{
    postgres::startup::{self, FirstPacket},
    reader::DecodeError,
};
use serving::{
    arrivals::FIRST_BYTE_TIMEOUT,
    config::{DirectTls, ListenConfig},
    error::{ClientError, SessionError},
};
use tokio::time::timeout;

use super::{hang_up, refuse_startup, shut_down};

/// First byte of a TLS record that holds a ClientHello.
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection that has not said what it wants.
pub(super) struct Opening {
    pub(super) framed: Framed,
    pub(super) encrypted: bool,
}

impl Opening {
    /// Looks at the first byte and does the TLS handshake of a client that begins with it
    /// (`sslnegotiation=direct`). Such a client must ask for `postgresql` by ALPN, as PostgreSQL demands, unless the
    /// config takes those that ask for nothing.
    pub(super) async fn begin(stream: Stream, listen: &ListenConfig) -> Result<Self, SessionError> {
        let mut first = [0];
        if let Stream::Tcp(tcp) = &stream {
            let peeked = timeout(FIRST_BYTE_TIMEOUT, tcp.peek(&mut first)).await;
            peeked
                .map_err(|_elapsed| SessionError::LoginTimedOut)?
                .map_err(SessionError::ClientLost)?;
        }
        let Some(tls) = listen.tls.as_ref().filter(|_| first == [TLS_HANDSHAKE]) else {
            return Ok(Self { framed: Framed::new(stream), encrypted: false });
        };
        let stream =
            net::tls::accept(stream, Arc::clone(tls)).await.map_err(SessionError::ClientTls)?;
        let is_welcome = match stream.alpn_protocol() {
            Some(protocol) => protocol == b"postgresql",
            None => listen.direct_tls == DirectTls::Unnamed,
        };
        if !is_welcome {
            // An operator wants to know: it is a driver's habit, and nobody's mistake.
            let what = "it begins with TLS and does not name PostgreSQL by ALPN \
                        (listen.direct_tls_without_alpn lets in who names nothing)";
            return Err(SessionError::ClientTls(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        Ok(Self { framed: Framed::new(stream), encrypted: true })
    }

    /// The first packet; `None` when the peer left before it began one.
    pub(super) async fn first_packet(&mut self) -> Result<Option<FirstPacket>, SessionError> {
        loop {
            match startup::first_packet(self.framed.input()) {
                Ok(Some((packet, used))) => {
                    drop(self.framed.buffer().split_to(used));
                    return Ok(Some(packet));
                }
                Ok(None) => {}
                Err(error) => {
                    hang_up(&mut self.framed, ClientError::Malformed).await;
                    return Err(SessionError::ClientProtocol(error));
                }
            }
            if self.framed.fill().await.map_err(SessionError::ClientLost)? == 0 {
                return if self.framed.input().is_empty() {
                    Ok(None)
                } else {
                    Err(SessionError::ClientLost(io::ErrorKind::UnexpectedEof.into()))
                };
            }
        }
    }

    /// Answers SSLRequest, and does the TLS handshake if the answer is yes.
    pub(super) async fn answer_ssl(mut self, listen: &ListenConfig) -> Result<Self, SessionError> {
        // Whoever slipped bytes behind the request would have them taken for the client's own, sent under
        // TLS (CVE-2021-23222).
        if self.encrypted || !self.framed.input().is_empty() {
            return Err(self.malformed("packet after SSLRequest").await);
        }
        let Some(tls) = &listen.tls else {
            self.framed.queue().extend_from_slice(b"N");
            self.framed.flush().await.map_err(SessionError::ClientLost)?;
            return Ok(self);
        };
        self.framed.queue().extend_from_slice(b"S");
        self.framed.flush().await.map_err(SessionError::ClientLost)?;
        let stream = net::tls::accept(self.framed.into_parts().stream, Arc::clone(tls))
            .await
            .map_err(SessionError::ClientTls)?;
        Ok(Self { framed: Framed::new(stream), encrypted: true })
    }

    pub(super) async fn answer_gss(&mut self) -> Result<(), SessionError> {
        if !self.framed.input().is_empty() {
            return Err(self.malformed("packet after GSSENCRequest").await);
        }
        self.framed.queue().extend_from_slice(b"N");
        self.framed.flush().await.map_err(SessionError::ClientLost)
    }

    /// Refuses a version of the protocol, before version 3 in the form that it knows (`send_message_to_frontend` in
    /// elog.c).
    pub(super) async fn refuse_version(&mut self, version: u32) -> SessionError {
        let (major, minor) = (version >> 16, version & 0xffff);
        let text =
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2");
        if major >= 3 {
            return refuse_startup(&mut self.framed, "0A000", &text).await;
        }
        self.framed.queue().extend_from_slice(format!("EFATAL:  {text}\n\0").as_bytes());
        shut_down(&mut self.framed).await;
        ClientError::Malformed.into()
    }

    async fn malformed(&mut self, what: &'static str) -> SessionError {
        hang_up(&mut self.framed, ClientError::Malformed).await;
        SessionError::ClientProtocol(DecodeError::Value(what))
    }
}
