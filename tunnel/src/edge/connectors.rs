//! The private side: one connection of a connector, from its TLS handshake to its end.

use std::{
    io,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode, Version};
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit, time::timeout};

use super::{push::Pusher, registry::Registered, shared::Shared};
use crate::{
    carrier::{
        CONNECTION_WINDOW, CONTROL_STREAM, ControlError, ControlStream, HANDSHAKE_TIMEOUT,
        MAX_HEADER_LIST_LEN, SEND_BUFFER_LEN, SMALL_FRAMES_BUDGET, STREAM_WINDOW, UPGRADE_HEADER,
        keep_alive,
    },
    rpc::{Asked, Details, Question, Register, Server},
    state::{State, Tunnel},
};

/// Serves one connection and logs its end. A probe that only shakes hands is no news (B0).
///
/// `stranger` is its place until it is registered.
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>, stranger: OwnedSemaphorePermit) {
    let is_known = OnceLock::new();
    match carry(socket, &shared, stranger, &is_known).await {
        Ok(()) if is_known.get().is_none() => tracing::debug!("only a probe"),
        Ok(()) => tracing::info!("connector left"),
        Err(error @ ConnectorError::Tls(_)) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "no connector");
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "connector lost");
        }
    }
}

/// Drives the connection; every stream on it ends with it.
async fn carry(
    socket: TcpStream,
    shared: &Shared,
    stranger: OwnedSemaphorePermit,
    is_known: &OnceLock<()>,
) -> Result<(), ConnectorError> {
    let socket = timeout(HANDSHAKE_TIMEOUT, shared.connector_tls.accept(socket))
        .await
        .map_err(|_elapsed| ConnectorError::Late)?
        .map_err(ConnectorError::Tls)?;
    // The connector is the HTTP/2 server though it dialled (B2).
    let (requests, mut connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER_LEN)
        .data_frame_budget(SMALL_FRAMES_BUDGET)
        .max_header_list_size(MAX_HEADER_LIST_LEN)
        .enable_push(false)
        .handshake::<_, Bytes>(socket)
        .await?;
    let probes = connection.ping_pong();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        ended = &mut connection => return ended.map_err(ConnectorError::Http),
        () = async { if let Some(probes) = probes { keep_alive(probes).await } } => {
            return Err(ConnectorError::Silent);
        }
        outcome = control(requests, shared, stranger, is_known) => outcome,
    };
    if let Err(ConnectorError::Withdrawn) = outcome {
        return outcome;
    }
    // With nothing left to send the connection ends by itself, after a last message is written.
    let _ended_or_late = timeout(FAREWELL_TIMEOUT, connection).await;
    outcome
}

/// Registers the connector and keeps it listed until it leaves, or may not stay.
async fn control(
    requests: SendRequest<Bytes>,
    shared: &Shared,
    stranger: OwnedSemaphorePermit,
    is_known: &OnceLock<()>,
) -> Result<(), ConnectorError> {
    let opening = timeout(HANDSHAKE_TIMEOUT, async {
        let mut control = open_control(requests.clone()).await?;
        let asked = control.receive().await?;
        Ok::<_, ConnectorError>((control, asked))
    });
    let (control, asked) = opening.await.map_err(|_elapsed| ConnectorError::Late)??;
    let Asked::Register(question, register) = asked else {
        return Err(ConnectorError::Order);
    };
    let Some(tunnel) = verify(&register, shared) else {
        reject(control, question, "Unauthorized: Invalid tunnel secret").await;
        return Err(ConnectorError::Unauthorized);
    };
    let place = (register.connector, register.conn_index);
    let Some(registered) = shared.registry.register(tunnel.id, place, requests.clone()) else {
        // The other tool goes to another address of the edge then (B3).
        reject(control, question, "EDUPCONN").await;
        return Err(ConnectorError::TooMany);
    };
    drop(stranger);
    is_known.get_or_init(|| ());
    let Register { connector, conn_index, version, .. } = &*register;
    tracing::info!(tunnel = %tunnel.id, %connector, conn_index, version, "connector registered");
    let replaced = registered.replaced();
    let pusher = Pusher::new(shared.state.subscribe(), tunnel.id, *conn_index, requests);
    tokio::select! {
        outcome = keep(control, question, pusher, registered) => outcome,
        () = replaced.cancelled() => Err(ConnectorError::Replaced),
        () = withdrawn(&tunnel, shared) => Err(ConnectorError::Withdrawn),
    }
}

/// Hears the connector out, tells it its rules, and lets its streams end when it leaves.
async fn keep(
    mut control: ControlStream<Server>,
    question: Question,
    mut pusher: Pusher,
    registered: Registered,
) -> Result<(), ConnectorError> {
    let details = Details {
        uuid: uuid::Builder::from_random_bytes(rand::random()).into_uuid(),
        location: LOCATION.to_owned(),
        is_remotely_managed: pusher.has_rules(),
    };
    control.end.registered(question, &details);
    let mut told = Vec::new();
    // Ahead of the rules, which go on a stream of their own.
    let answered = timeout(HANDSHAKE_TIMEOUT, control.flush());
    answered.await.map_err(|_elapsed| ConnectorError::Late)??;
    loop {
        let asked = tokio::select! {
            asked = control.receive() => asked?,
            () = pusher.run() => return Err(ConnectorError::Order),
        };
        match asked {
            Asked::LocalConfiguration(question, config) => {
                control.end.done(question);
                let hostnames = hostnames(&config);
                if hostnames != told {
                    tracing::info!(?hostnames, "the connector has rules of its own");
                    told = hostnames;
                }
            }
            Asked::Unregister(question) => {
                let drained = registered.retire();
                control.end.done(question);
                let _said_or_late = timeout(FAREWELL_TIMEOUT, control.flush()).await;
                let drained = timeout(DRAIN_TIMEOUT, drained);
                let (_drained_or_late, ()) = tokio::join!(drained, hear_out(control));
                return Ok(());
            }
            Asked::Aborted(reason) => {
                tracing::debug!(reason, "the connector has nothing more to say");
                return Ok(());
            }
            Asked::Register(..) => return Err(ConnectorError::Order),
        }
    }
}

/// Refuses a connector, in words after which the other tool tries again later (B3). It may stay: the
/// edge closes.
async fn reject(mut control: ControlStream<Server>, question: Question, cause: &str) {
    control.end.rejected(question, cause, true);
    if let Ok(Ok(())) = timeout(FAREWELL_TIMEOUT, control.finish()).await {
        hear_out(control).await;
    }
}

/// Waits until the connector has read its last answer and ends the stream, or for a moment. Dropped
/// before that, the stream would take the answer along.
async fn hear_out(mut control: ControlStream<Server>) {
    let until_its_end = async { while control.receive().await.is_ok() {} };
    let _ended_or_late = timeout(FAREWELL_TIMEOUT, until_its_end).await;
}

/// The hostnames in a connector's own rules, for the log.
fn hostnames(config: &[u8]) -> Vec<String> {
    let config: serde_json::Value = serde_json::from_slice(config).unwrap_or_default();
    let rules = config.get("ingress").and_then(|rules| rules.as_array());
    let named = |rule: &serde_json::Value| Some(rule.get("hostname")?.as_str()?.to_owned());
    let shown = |name: &String| {
        (1..=MAX_HOSTNAME_LEN).contains(&name.len()) && !name.chars().any(char::is_control)
    };
    rules.into_iter().flatten().filter_map(named).filter(shown).take(SHOWN_HOSTNAMES).collect()
}

/// Opens the control stream, which is the first thing an edge must do (B3).
async fn open_control(
    requests: SendRequest<Bytes>,
) -> Result<ControlStream<Server>, ConnectorError> {
    let request = Request::builder()
        .version(Version::HTTP_2)
        .uri("https://localhost/")
        .header(UPGRADE_HEADER, CONTROL_STREAM)
        .body(())
        .map_err(|_invalid| ConnectorError::Order)?;
    let (response, send) = requests.ready().await?.send_request(request, false)?;
    let response = response.await?;
    if response.status() != StatusCode::OK {
        return Err(ConnectorError::Order);
    }
    Ok(ControlStream::new(Server::new(), send, response.into_body()))
}

/// The tunnel, if the credentials are right for it.
fn verify(register: &Register, shared: &Shared) -> Option<Tunnel> {
    let state = shared.state();
    let known = state.tunnels.iter().find(|known| known.id == register.tunnel)?;
    let is_right =
        known.secret.is_of(&register.secret) && known.account_tag == register.account_tag;
    is_right.then(|| known.clone())
}

/// Waits until the credentials that were right are not any more.
async fn withdrawn(tunnel: &Tunnel, shared: &Shared) {
    let is_same = |known: &Tunnel| {
        (known.id, known.secret) == (tunnel.id, tunnel.secret)
            && known.account_tag == tunnel.account_tag
    };
    let is_gone = |state: &Arc<State>| !state.tunnels.iter().any(is_same);
    // The sender lives as long as `shared`.
    let mut states = shared.state.subscribe();
    let _gone = states.wait_for(is_gone).await;
}

/// Why a connector's connection ended.
#[derive(Debug, thiserror::Error)]
enum ConnectorError {
    #[error("TLS handshake with a connector")]
    Tls(#[source] io::Error),
    #[error("the connector took too long to register")]
    Late,
    #[error("the HTTP/2 connection broke")]
    Http(#[from] h2::Error),
    #[error("the connector did not answer a ping")]
    Silent,
    #[error("the connector's credentials are wrong")]
    Unauthorized,
    #[error("there are too many connections")]
    TooMany,
    #[error("the connector did something out of order")]
    Order,
    #[error("a newer connection took the place of this one")]
    Replaced,
    #[error("the connector's tunnel is gone or has another secret")]
    Withdrawn,
    #[error(transparent)]
    Control(#[from] ControlError),
}

const LOCATION: &str = "jumpgate";
const MAX_HOSTNAME_LEN: usize = 253;
const SHOWN_HOSTNAMES: usize = 20;
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest for open streams once a connector has said that it leaves.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
