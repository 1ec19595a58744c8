//! One stream that the edge opened: find the service, dial it, be its WebSocket end. Or rules that it pushes.

use std::{future::poll_fn, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, server::SendResponse};
use http::{Request, Response, StatusCode};
use tokio::{net::TcpStream, time::timeout};

use super::{rules::MAX_PUSH_LEN, shared::Shared};
use crate::{
    carrier::{
        CONFIGURATION, H2Stream, META_CONNECTOR, META_HEADER, META_NOT_ALLOWED, META_ORIGIN,
        RESPONSE_HEADERS, UPGRADE_HEADER, WEBSOCKET, serialise_headers,
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
    if request.headers().get(UPGRADE_HEADER).is_some_and(|purpose| purpose == CONFIGURATION) {
        let pushing = timeout(PUSH_TIMEOUT, async {
            let _alone = shared.pushing.lock().await;
            configure(&shared, request.into_body(), &mut respond).await
        });
        let outcome = pushing.await;
        tracing::debug!(?outcome, "configuration pushed");
        return;
    }
    let _active = shared.counters.open();
    let opening = tokio::select! {
        opening = open(&shared, &request) => opening,
        // The client vanished while the service was being dialled.
        _reset = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    let outcome = match opening {
        Ok((socket, key)) => forward(socket, &key, request, respond).await,
        Err(refusal) => {
            tracing::debug!(?refusal, "stream refused");
            shared.counters.refused();
            refuse(refusal, &mut respond)
        }
    };
    tracing::debug!(outcome = ?outcome.err(), "stream ended");
}

/// Takes in the rules that the edge pushes, and answers which version is in force (B4).
async fn configure(
    shared: &Shared,
    mut body: RecvStream,
    respond: &mut SendResponse<Bytes>,
) -> io::Result<()> {
    let mut json = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(io::Error::other)?;
        if json.len() + chunk.len() > MAX_PUSH_LEN {
            return refuse(Refusal::NotAConfig, respond);
        }
        json.extend_from_slice(&chunk);
        body.flow_control().release_capacity(chunk.len()).map_err(io::Error::other)?;
    }
    let Ok(applied) = shared.rules.apply(&json, &shared.targets) else {
        return refuse(Refusal::NotAConfig, respond);
    };
    let answer = serde_json::to_vec(&applied)?;
    let response = Response::builder()
        .header("content-type", "application/json")
        .header(META_HEADER, META_CONNECTOR)
        .body(())
        .map_err(io::Error::other)?;
    let mut send = respond.send_response(response, false).map_err(io::Error::other)?;
    send.send_data(answer.into(), true).map_err(io::Error::other)
}

const PUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a stream goes nowhere.
#[derive(Debug)]
enum Refusal {
    NoUpgrade,
    NoIngress,
    NotAConfig,
    /// The allow-list does not have the service.
    NotAllowed,
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
    let service = shared.rules.find(host).ok_or(Refusal::NoIngress)?;
    let dial = timeout(shared.dial_timeout, async {
        let _place = shared.dials.acquire().await.map_err(io::Error::other)?;
        match shared.targets.addresses(&service).await {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(%service, %error, "cannot reach the service");
                Ok(None)
            }
            addresses => TcpStream::connect(&addresses?[..]).await.map(Some),
        }
    });
    let dialled = dial.await.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
    let socket = dialled.map_err(|error| {
        tracing::warn!(%service, %error, "cannot reach the service");
        Refusal::Dial
    })?;
    let socket = socket.ok_or(Refusal::NotAllowed)?;
    net::prepare(&socket).map_err(|_gone| Refusal::Dial)?;
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
        Refusal::NotAllowed => (StatusCode::BAD_GATEWAY, META_NOT_ALLOWED),
        Refusal::NotAConfig | Refusal::Dial => (StatusCode::BAD_GATEWAY, META_CONNECTOR),
    };
    let response = Response::builder()
        .status(status)
        .header(META_HEADER, meta)
        .body(())
        .map_err(io::Error::other)?;
    respond.send_response(response, true).map(drop).map_err(io::Error::other)
}
