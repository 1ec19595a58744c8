//! The public side: one client, from its TLS handshake to the end of its stream.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::{Request, Response, Version};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::{
    audit::Visit,
    counts::Open,
    gate::{Asked, Refusal, Upgrade},
    parting::Parting,
    registry::Claim,
    shared::Shared,
    strangers::Stranger,
};
use crate::{
    access::judge::{Allowed, judge},
    carrier::{
        H2Stream, META_HEADER, META_NOT_ALLOWED, RESPONSE_HEADERS, UPGRADE_HEADER, WEBSOCKET,
        find_serialised,
    },
    certs::EDGE_NAMES,
    http1::{self, HeadError, WEBSOCKET_VERSION, read_head},
    relay::relay,
};

/// Serves one client. Whatever it does wrong costs only itself.
///
/// `stranger` is its place until Access has let it pass.
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>, stranger: Stranger) {
    let deadline = Instant::now() + OPENING_TIMEOUT;
    let opening = async {
        stranger.speaks(&socket).await.ok()?;
        let accepted = timeout_at(deadline, shared.public_tls.accept(socket)).await;
        accepted.ok()?.ok()
    };
    let Some(Some(client)) = stranger.out().run_until_cancelled(opening).await else { return };
    if client.get_ref().1.server_name().is_some_and(|name| EDGE_NAMES.contains(&name)) {
        return mislead(client, &stranger, &shared).await;
    }
    attend(client, stranger, deadline, &shared).await;
}

/// A connector came to the port for proxies. It would wait for us, as we would for it.
async fn mislead<S: AsyncWrite + Unpin>(client: S, stranger: &Stranger, shared: &Shared) {
    let visit = Visit::new(stranger.peer());
    if stranger.is_news() {
        let peer = stranger.peer();
        tracing::warn!(%peer, "a connector has come to the port for proxies; it must dial the other one");
    }
    shared.counts.refused(Refusal::Misdirected.answer().0);
    let answer = Answer::from(Refusal::Misdirected);
    let _gone_or_late = timeout(OPENING_TIMEOUT, answer.send(client, &visit.ray)).await;
}

/// Reads one request and does what it deserves.
async fn attend<S>(mut client: S, stranger: Stranger, deadline: Instant, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut early = BytesMut::new();
    let visit = Visit::new(stranger.peer());
    let reading = timeout_at(deadline, read_head(&mut client, &mut early));
    let Some(Ok(head)) = stranger.out().run_until_cancelled(reading).await else { return };
    let ray = &visit.ray;
    match respond(head, &visit, shared).await {
        Ok(Reply::Stream(opened)) => {
            drop(stranger);
            let end = forward(client, early, *opened, &visit, shared).await;
            tracing::debug!(ray, outcome = ?end.err(), "stream ended");
        }
        Ok(Reply::Keys(json)) => {
            let answer = Answer { content_type: "application/json", ..Answer::ok(&json) };
            let _gone_or_late = timeout(OPENING_TIMEOUT, answer.send(client, ray)).await;
        }
        Err(refusal) => {
            tracing::debug!(ray, ?refusal, "request refused");
            shared.counts.refused(refusal.answer().0);
            let answer = Answer::from(refusal);
            let _gone_or_late = timeout(OPENING_TIMEOUT, answer.send(client, ray)).await;
        }
    }
}

/// What a request gets that is not refused.
enum Reply<'a> {
    Stream(Box<Opened<'a>>),
    /// The public keys of the assertions.
    Keys(String),
}

/// A stream to a connector that has reached its origin.
struct Opened<'a> {
    stream: H2Stream,
    /// The connector's answer to the client's key.
    accept: String,
    asked: Asked,
    allowed: Allowed,
    claim: Claim,
    counted: Open<'a>,
}

/// Judges the request and opens a stream for it.
async fn respond<'a>(
    head: Result<BytesMut, HeadError>,
    visit: &Visit,
    shared: &'a Shared,
) -> Result<Reply<'a>, Refusal> {
    let request = head
        .and_then(|head| http1::Request::parse(&head))
        .map_err(|_invalid| Refusal::BadRequest)?;
    let asked = Asked::read(&request, &shared.state())?;
    if asked.is_for_keys(&request) {
        return Ok(Reply::Keys(shared.assertions.keys().to_public_json()));
    }
    let allowed = pass(&request, &asked, visit, shared)?;
    let upgrade = Upgrade::read(&request)?;
    drop(request);

    let counted = shared.counts.open().ok_or(Refusal::Busy)?;
    let request = upgrade_request(&asked, &upgrade, &allowed, visit, shared)?;
    let (response, send, claim) = open(&request, &asked, shared).await?;
    let (accept, stream) = opened(response, send)?;
    // Much may have changed while the connector dialled.
    if let Err(ending) = shared.judge_again(&asked, &allowed) {
        visit.ended(&asked.place, &allowed, ending);
        return Err(Refusal::AccessDenied);
    }
    Ok(Reply::Stream(Box::new(Opened { stream, accept, asked, allowed, claim, counted })))
}

/// Asks Access, writes the audit line, and counts a refusal.
fn pass(
    request: &http1::Request,
    asked: &Asked,
    visit: &Visit,
    shared: &Shared,
) -> Result<Allowed, Refusal> {
    let now = (shared.clock)().as_secs();
    match judge(&shared.state(), &asked.place, &request.headers, now) {
        Ok(allowed) => {
            visit.allowed(&asked.place, &allowed);
            Ok(allowed)
        }
        Err(denied) => {
            // Only who is refused anyway is told to stay away, and no more of it is in the audit log.
            if let Some(throttled) = shared.throttle.check(visit.address(), Instant::now()) {
                if throttled.is_news {
                    visit.throttled();
                }
                return Err(Refusal::TooManyRefusals(throttled.retry_after));
            }
            visit.denied(&asked.place, &denied);
            shared.throttle.refused(visit.address(), Instant::now());
            Err(Refusal::from(&denied))
        }
    }
}

/// Makes the request to the connector.
fn upgrade_request(
    asked: &Asked,
    upgrade: &Upgrade,
    allowed: &Allowed,
    visit: &Visit,
    shared: &Shared,
) -> Result<Request<()>, Refusal> {
    let now = (shared.clock)().as_secs();
    let assertion = shared.assertions.find(&asked.place.host, allowed, now).map_err(|error| {
        tracing::error!(%error, ray = visit.ray, "no assertion");
        Refusal::Internal
    })?;
    let mut request = Request::builder()
        .version(Version::HTTP_2)
        .uri(format!("https://{}{}", asked.place.host, upgrade.target))
        .header(UPGRADE_HEADER, WEBSOCKET)
        .header("sec-websocket-key", &upgrade.key)
        .header("sec-websocket-version", WEBSOCKET_VERSION)
        .header("cf-connecting-ip", visit.address().to_string())
        .header("cf-ray", &visit.ray)
        .header("cf-access-jwt-assertion", &*assertion);
    // Of the client's own headers nothing else goes through; the secret least of all.
    if let Some(user_agent) = &upgrade.user_agent {
        request = request.header("user-agent", user_agent);
    }
    request.body(()).map_err(|_invalid_target| Refusal::BadRequest)
}

/// Finds a connector that takes the request.
async fn open(
    request: &Request<()>,
    asked: &Asked,
    shared: &Shared,
) -> Result<(Response<RecvStream>, SendStream<Bytes>, Claim), Refusal> {
    let deadline = Instant::now() + OPEN_TIMEOUT;
    let mut tried = Vec::new();
    loop {
        let claim = timeout_at(deadline, shared.registry.claim(asked.tunnel, &tried)).await;
        let claim =
            claim.map_err(|_elapsed| Refusal::OriginTimeout)?.ok_or(Refusal::NoConnector)?;
        match timeout_at(deadline, ask(&claim, request.clone())).await {
            Ok(Ok((response, send))) => return Ok((response, send, claim)),
            // The connection is dying; nothing has been sent to the origin yet.
            Ok(Err(error)) => {
                tracing::debug!(%error, "a connector's connection broke, trying another");
                tried.push(claim.id());
            }
            Err(_elapsed) => return Err(Refusal::OriginTimeout),
        }
    }
}

/// Asks a connector to open its side.
async fn ask(
    claim: &Claim,
    request: Request<()>,
) -> Result<(Response<RecvStream>, SendStream<Bytes>), h2::Error> {
    let mut requests = claim.requests().ready().await?;
    let (response, send) = requests.send_request(request, false)?;
    Ok((response.await?, send))
}

/// Judges the connector's answer.
fn opened(
    response: Response<RecvStream>,
    send: SendStream<Bytes>,
) -> Result<(String, H2Stream), Refusal> {
    match response.status().as_u16() {
        200 => {}
        502 => {
            let meta = response.headers().get(META_HEADER);
            let is_barred = meta.is_some_and(|meta| meta == META_NOT_ALLOWED);
            return Err(if is_barred { Refusal::NotAllowed } else { Refusal::OriginRefused });
        }
        status @ 400..=599 => return Err(Refusal::Other(status)),
        _ => return Err(Refusal::OriginRefused),
    }
    let serialised = response.headers().get(RESPONSE_HEADERS).and_then(|value| value.to_str().ok());
    let accept = serialised
        .and_then(|serialised| find_serialised(serialised, "Sec-WebSocket-Accept"))
        .ok_or(Refusal::OriginRefused)?;
    Ok((accept, H2Stream::new(send, response.into_body())))
}

/// Confirms the upgrade and forwards until either side ends or the client may not go on.
async fn forward<S>(
    mut client: S,
    early: BytesMut,
    opened: Opened<'_>,
    visit: &Visit,
    shared: &Shared,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Opened { mut stream, accept, asked, allowed, claim, counted: _counted } = opened;
    let leaving = claim.leaving();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\
         cf-ray: {}\r\n\
         \r\n",
        visit.ray,
    );
    let carry = async {
        client.write_all(head.as_bytes()).await?;
        client.flush().await?;
        stream.write_all(&early).await?;
        relay(client, Parting::new(stream, leaving)).await
    };
    tokio::select! {
        outcome = carry => outcome,
        ending = shared.ending(&asked, &allowed) => {
            visit.ended(&asked.place, &allowed, ending);
            Ok(())
        }
    }
}

/// An answer that ends the connection.
struct Answer<'a> {
    status: u16,
    reason: &'static str,
    content_type: &'static str,
    headers: String,
    body: &'a str,
}

impl<'a> Answer<'a> {
    fn ok(body: &'a str) -> Self {
        Self { status: 200, reason: "OK", content_type: "text/plain", headers: String::new(), body }
    }

    async fn send<S: AsyncWrite + Unpin>(&self, mut client: S, ray: &str) -> io::Result<()> {
        let Self { status, reason, content_type, headers, body } = self;
        let answer = format!(
            "HTTP/1.1 {status} {reason}\r\n\
             Content-Type: {content_type}\r\n\
             Content-Length: {}\r\n\
             Connection: close\r\n\
             {headers}\
             cf-ray: {ray}\r\n\
             \r\n\
             {body}",
            body.len(),
        );
        client.write_all(answer.as_bytes()).await?;
        client.shutdown().await
    }
}

impl From<Refusal> for Answer<'static> {
    fn from(refusal: Refusal) -> Self {
        let (status, reason, body) = refusal.answer();
        Self { status, reason, headers: refusal.headers(), ..Answer::ok(body) }
    }
}

/// Longest for the TLS handshake and the head together.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest for a connector to reach its origin.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
