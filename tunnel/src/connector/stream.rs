//! One stream that the edge opened: find the service, dial it, be its WebSocket end.

use std::{future::poll_fn, io, sync::Arc};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, server::SendResponse};
use http::{Request, Response, StatusCode};
use tokio::{net::TcpStream, time::timeout};

use super::{Shared, ingress};
use crate::{
    carrier::{
        H2Stream, META_CONNECTOR, META_HEADER, META_ORIGIN, RESPONSE_HEADERS, UPGRADE_HEADER,
        WEBSOCKET, serialise_headers,
    },
    http1::{WEBSOCKET_VERSION, accept_key},
    net,
    relay::relay,
    websocket::{Role, WebSocket},
};

/// Serves one stream to its end.
pub(super) async fn serve(
    shared: Arc<Shared>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let opening = tokio::select! {
        opening = open(&shared, &request) => opening,
        // The client vanished while the service was being dialled.
        _reset = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    let outcome = match opening {
        Ok((socket, key)) => forward(socket, &key, request, respond).await,
        Err(refusal) => {
            tracing::debug!(?refusal, "stream refused");
            refuse(refusal, &mut respond)
        }
    };
    tracing::debug!(outcome = ?outcome.err(), "stream ended");
}

/// Why a stream goes nowhere.
#[derive(Debug)]
enum Refusal {
    NoUpgrade,
    NoIngress,
    Dial,
}

/// Finds the service by the connector's own rules and dials it.
async fn open(
    shared: &Shared,
    request: &Request<RecvStream>,
) -> Result<(TcpStream, String), Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header(UPGRADE_HEADER) != Some(WEBSOCKET)
        || header("sec-websocket-version") != Some(WEBSOCKET_VERSION)
    {
        return Err(Refusal::NoUpgrade);
    }
    let key = header("sec-websocket-key").ok_or(Refusal::NoUpgrade)?;
    let host = request.uri().host().ok_or(Refusal::NoIngress)?;
    let service = ingress::find(&shared.ingress, host).ok_or(Refusal::NoIngress)?;
    let dial = timeout(shared.dial_timeout, TcpStream::connect(service.address()));
    let dialled = dial.await.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
    let prepared = dialled.and_then(|socket| net::prepare(&socket).map(|()| socket));
    let socket = prepared.map_err(|error| {
        tracing::warn!(%service, %error, "cannot reach the service");
        Refusal::Dial
    })?;
    Ok((socket, key.to_owned()))
}

/// Answers that the service is reached, and forwards until either side ends.
async fn forward(
    socket: TcpStream,
    key: &str,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> io::Result<()> {
    let upgraded = serialise_headers(&[
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-Websocket-Accept", &accept_key(key)),
    ]);
    // A 101 is mapped to 200 on this connection (B5).
    let response = Response::builder()
        .header(META_HEADER, META_ORIGIN)
        .header(RESPONSE_HEADERS, upgraded)
        .body(())
        .map_err(io::Error::other)?;
    let send = respond.send_response(response, false).map_err(io::Error::other)?;
    let stream = H2Stream::new(send, request.into_body());
    relay(WebSocket::new(stream, Role::Server, BytesMut::new()), socket).await
}

/// Answers with a status and no body.
fn refuse(refusal: Refusal, respond: &mut SendResponse<Bytes>) -> io::Result<()> {
    let (status, meta) = match refusal {
        Refusal::NoUpgrade => (StatusCode::BAD_REQUEST, META_CONNECTOR),
        Refusal::NoIngress => (StatusCode::NOT_FOUND, META_ORIGIN),
        Refusal::Dial => (StatusCode::BAD_GATEWAY, META_CONNECTOR),
    };
    let response = Response::builder()
        .status(status)
        .header(META_HEADER, meta)
        .body(())
        .map_err(io::Error::other)?;
    respond.send_response(response, true).map(drop).map_err(io::Error::other)
}
