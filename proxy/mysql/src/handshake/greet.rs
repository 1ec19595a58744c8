//! Our greeting, TLS for whoever asks for it, and the first thing that a client says.

use std::sync::Arc;

use bytes::BytesMut;
use origin::net::{self, Framed, Stream};
use protocol::{
    mysql::{
        handshake::{self, Greeting},
        packet::{self, Header, Packet},
    },
    reader::DecodeError,
};
use serving::{arrivals::FIRST_BYTE_TIMEOUT, config::ListenConfig, error::SessionError};
use tokio::{io::AsyncReadExt as _, time::timeout};

use super::dance::next_packet;

/// The longest HandshakeResponse or COM_CHANGE_USER: connection attributes have 64 KiB, names a few bytes.
const MAX_LOGIN_PACKET: usize = 80 * 1024;

/// What became of a greeting.
pub(super) enum Greeted {
    /// Nobody answered.
    Left,
    /// The stream, within TLS if the client wanted that, and the HandshakeResponse.
    Answered(Framed, Packet),
}

/// Sends the greeting, does the TLS handshake of a client that asks for it, and reads the HandshakeResponse.
pub(super) async fn greet(
    stream: Stream,
    greeting: &Greeting,
    listen: &ListenConfig,
) -> Result<Greeted, SessionError> {
    let mut framed = Framed::new(stream);
    let mut payload = BytesMut::new();
    greeting.encode(&mut payload);
    packet::put(framed.queue(), &mut 0, &payload);
    framed.flush().await.map_err(SessionError::ClientLost)?;
    let mut stream = framed.into_parts().stream;
    let Some(first) = first_packet(&mut stream).await? else { return Ok(Greeted::Left) };
    let Some(tls) = listen.tls.as_ref().filter(|_| asks_for_tls(&first)) else {
        return Ok(Greeted::Answered(Framed::new(stream), first));
    };
    let mut tls = rustls::ServerConfig::clone(tls);
    // MySQL has no name in ALPN, and the listener's other protocol has.
    tls.alpn_protocols.clear();
    // A client goes on with its ClientHello at once. Whatever stands behind the SSLRequest is taken for that and
    // for nothing else, so nothing that was slipped in there is taken for the client's own words.
    let stream = net::tls::accept(stream, Arc::new(tls)).await.map_err(SessionError::ClientTls)?;
    let mut framed = Framed::new(stream);
    // Some tools set up TLS for a driver that knows nothing of it: CLIENT_SSL may be unset in here.
    let response = next_packet(&mut framed, MAX_LOGIN_PACKET).await?;
    Ok(Greeted::Answered(framed, response))
}

fn asks_for_tls(first: &Packet) -> bool {
    handshake::ssl_request(&first.payload).is_some()
}

/// The client's first packet and not a byte more: TLS may begin behind it. `None` when the client left before
/// it began one.
async fn first_packet(stream: &mut Stream) -> Result<Option<Packet>, SessionError> {
    let mut header = [0; packet::HEADER_LEN];
    // One byte alone, to tell a client that says nothing from one that breaks off.
    let first = timeout(FIRST_BYTE_TIMEOUT, stream.read(&mut header[..1])).await;
    let first = first.map_err(|_elapsed| SessionError::LoginTimedOut)?;
    if first.map_err(SessionError::ClientLost)? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..]).await.map_err(SessionError::ClientLost)?;
    let header =
        Header::peek(&header).ok_or(SessionError::ClientProtocol(DecodeError::Truncated))?;
    if header.len > MAX_LOGIN_PACKET {
        let length = u32::try_from(header.len).unwrap_or(u32::MAX);
        return Err(SessionError::ClientProtocol(DecodeError::Length(length)));
    }
    let mut payload = vec![0; header.len];
    stream.read_exact(&mut payload).await.map_err(SessionError::ClientLost)?;
    let sequence = header.sequence;
    Ok(Some(Packet { sequence, last_sequence: sequence, payload: payload.into() }))
}
