//! The public side: one client, from its TLS handshake to the end of its stream.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::{Request, Response, Version};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{timeout, timeout_at},
};
use tokio_rustls::server::TlsStream;

use super::{
    Shared,
    gate::{Admitted, Pass, Refusal},
    registry::Claim,
};
use crate::{
    carrier::{H2Stream, RESPONSE_HEADERS, UPGRADE_HEADER, WEBSOCKET, find_serialised},
    http1::{self, HeadError, WEBSOCKET_VERSION, read_head},
    relay::relay,
};

/// Serves one client. Whatever it does wrong costs only itself.
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    let mut early = BytesMut::new();
    let opening = timeout(OPENING_TIMEOUT, async {
        let mut client = shared.public_tls.accept(socket).await.ok()?;
        let head = read_head(&mut client, &mut early).await;
        Some((client, head))
    });
    let Ok(Some((client, head))) = opening.await else { return };
    let ray = format!("{:016x}-JUMPGATE", rand::random::<u64>());
    match connect(head, &shared).await {
        Ok(opened) => {
            let end = forward(client, early, opened, &ray, &shared).await;
            tracing::debug!(ray, outcome = ?end.err(), "stream ended");
        }
        Err(refusal) => {
            tracing::debug!(ray, ?refusal, "request refused");
            let _gone_or_late = timeout(OPENING_TIMEOUT, refuse(client, refusal, &ray)).await;
        }
    }
}

/// A stream to a connector that has reached its origin.
struct Opened {
    stream: H2Stream,
    /// The connector's answer to the client's key.
    accept: String,
    pass: Pass,
    hostname: String,
    _claim: Claim,
}

/// Judges the request and opens a stream for it.
async fn connect(head: Result<BytesMut, HeadError>, shared: &Shared) -> Result<Opened, Refusal> {
    let request = head
        .and_then(|head| http1::Request::parse(&head))
        .map_err(|_invalid| Refusal::BadRequest)?;
    let tokens = Arc::clone(&shared.tokens.borrow());
    let admitted = shared.gate.admit(&request, &tokens)?;
    drop(request);

    let deadline = tokio::time::Instant::now() + OPEN_TIMEOUT;
    let mut tried = Vec::new();
    while let Some(claim) = shared.registry.claim(admitted.tunnel, &tried) {
        match timeout_at(deadline, ask(&claim, &admitted)).await {
            Ok(Ok((response, send))) => return opened(response, send, admitted, claim),
            // The connection is dying; nothing has been sent to the origin yet.
            Ok(Err(error)) => {
                tracing::debug!(%error, "a connector's connection broke, trying another");
                tried.push(claim.id());
            }
            Err(_elapsed) => return Err(Refusal::OriginTimeout),
        }
    }
    Err(Refusal::NoConnector)
}

/// Asks a connector to open its side (TUNNEL_PROTOCOL.md, B5).
async fn ask(
    claim: &Claim,
    admitted: &Admitted,
) -> Result<(Response<RecvStream>, SendStream<Bytes>), h2::Error> {
    let mut requests = claim.requests().ready().await?;
    let mut request = Request::builder()
        .version(Version::HTTP_2)
        .uri(format!("https://{}{}", admitted.hostname, admitted.target))
        .header(UPGRADE_HEADER, WEBSOCKET)
        .header("sec-websocket-key", &admitted.key)
        .header("sec-websocket-version", WEBSOCKET_VERSION);
    // Of the client's own headers nothing else goes through; the secret least of all.
    if let Some(user_agent) = &admitted.user_agent {
        request = request.header("user-agent", user_agent);
    }
    let request = request.body(()).map_err(|_invalid| h2::Reason::PROTOCOL_ERROR)?;
    let (response, send) = requests.send_request(request, false)?;
    Ok((response.await?, send))
}

/// Judges the connector's answer.
fn opened(
    response: Response<RecvStream>,
    send: SendStream<Bytes>,
    admitted: Admitted,
    claim: Claim,
) -> Result<Opened, Refusal> {
    match response.status().as_u16() {
        200 => {}
        502 => return Err(Refusal::OriginRefused),
        status @ 400..=599 => return Err(Refusal::Other(status)),
        _ => return Err(Refusal::OriginRefused),
    }
    let serialised = response.headers().get(RESPONSE_HEADERS).and_then(|value| value.to_str().ok());
    let accept = serialised
        .and_then(|serialised| find_serialised(serialised, "Sec-WebSocket-Accept"))
        .ok_or(Refusal::OriginRefused)?;
    let stream = H2Stream::new(send, response.into_body());
    let Admitted { pass, hostname, .. } = admitted;
    Ok(Opened { stream, accept, pass, hostname, _claim: claim })
}

/// Confirms the upgrade and forwards until either side ends or the token is revoked.
async fn forward(
    mut client: TlsStream<TcpStream>,
    early: BytesMut,
    opened: Opened,
    ray: &str,
    shared: &Shared,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\
         cf-ray: {ray}\r\n\
         \r\n",
        opened.accept,
    );
    client.write_all(head.as_bytes()).await?;
    client.flush().await?;
    let Opened { mut stream, pass, hostname, _claim, .. } = opened;
    stream.write_all(&early).await?;
    let mut tokens = shared.tokens.subscribe();
    tokio::select! {
        outcome = relay(client, stream) => outcome,
        _ = tokens.wait_for(|tokens| !pass.still_holds(tokens)) => {
            tracing::info!(ray, hostname, "stream ended: its service token was revoked");
            Ok(())
        }
    }
}

/// Answers with the refusal's status and closes.
async fn refuse(mut client: TlsStream<TcpStream>, refusal: Refusal, ray: &str) -> io::Result<()> {
    let (status, reason, body) = refusal.answer();
    let upgrade = if refusal == Refusal::UpgradeRequired {
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    } else {
        ""
    };
    let answer = format!(
        "HTTP/1.1 {status} {reason}\r\n\
         Content-Type: text/plain\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\
         {upgrade}\
         cf-ray: {ray}\r\n\
         \r\n\
         {body}",
        body.len(),
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

/// Longest for the TLS handshake and the head together.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest for a connector to reach its origin.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
