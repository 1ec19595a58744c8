//! The private side: one connection of a connector, from its TLS handshake to its end.

use std::{io, pin::pin, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode, Version};
use tokio::{net::TcpStream, time::timeout};
use zeroize::Zeroizing;

use super::shared::Shared;
use crate::{
    carrier::{
        CONNECTION_WINDOW, CONTROL_STREAM, ControlError, ControlStream, HANDSHAKE_TIMEOUT,
        MAX_HEADER_LIST_LEN, SEND_BUFFER_LEN, SMALL_FRAMES_BUDGET, STREAM_WINDOW, UPGRADE_HEADER,
        keep_alive,
    },
    registration::{FromConnector, FromEdge, Register},
    state::{State, Tunnel},
    token::TunnelId,
};

/// Serves one connection and logs its end. A probe that only shakes hands is no news (B0).
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    match carry(socket, &shared).await {
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
async fn carry(socket: TcpStream, shared: &Shared) -> Result<(), ConnectorError> {
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
        outcome = control(requests, shared) => outcome,
    };
    if let Err(ConnectorError::Withdrawn) = outcome {
        return outcome;
    }
    // With nothing left to send the connection ends by itself, after a last message is written.
    let _ended_or_late = timeout(FAREWELL_TIMEOUT, connection).await;
    outcome
}

/// Registers the connector and keeps it listed until it leaves.
async fn control(requests: SendRequest<Bytes>, shared: &Shared) -> Result<(), ConnectorError> {
    let opening = timeout(HANDSHAKE_TIMEOUT, async {
        let mut control = open_control(requests.clone()).await?;
        let message = control.receive::<FromConnector>().await?;
        Ok::<_, ConnectorError>((control, message))
    });
    let (mut control, message) = opening.await.map_err(|_elapsed| ConnectorError::Late)??;
    let FromConnector::Register(register) = message else {
        return Err(ConnectorError::Order);
    };
    let Some(tunnel) = verify(&register, shared) else {
        let error = "Unauthorized: invalid tunnel credentials".to_owned();
        control.send(&FromEdge::Rejected { error }).await?;
        control.finish().await?;
        // Dropped now, the stream would take the message along; the connector leaves by itself.
        let _left_or_late = timeout(FAREWELL_TIMEOUT, control.receive::<FromConnector>()).await;
        return Err(ConnectorError::Unauthorized);
    };
    let Register { connector_id, conn_index, version, .. } = register;
    let place = (connector_id, conn_index);
    tracing::info!(tunnel = %tunnel.id, connector = ?place, version, "connector registered");
    let registered = shared.registry.register(tunnel.id, place, requests);
    control.send(&FromEdge::Registered { location: LOCATION.to_owned() }).await?;
    let last = tokio::select! {
        last = control.receive::<FromConnector>() => last?,
        () = registered.replaced() => return Err(ConnectorError::Replaced),
        () = withdrawn(&tunnel, shared) => return Err(ConnectorError::Withdrawn),
    };
    match last {
        FromConnector::Unregister => {
            let _drained_or_late = timeout(DRAIN_TIMEOUT, registered.drain()).await;
            Ok(())
        }
        FromConnector::Register(_) => Err(ConnectorError::Order),
    }
}

/// Opens the control stream, which is the first thing an edge must do (B3).
async fn open_control(requests: SendRequest<Bytes>) -> Result<ControlStream, ConnectorError> {
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
    Ok(ControlStream::new(send, response.into_body()))
}

/// The tunnel, if the credentials are right for it.
fn verify(register: &Register, shared: &Shared) -> Option<Tunnel> {
    let id: TunnelId = register.tunnel_id.parse().ok()?;
    let secret = STANDARD.decode(register.secret.as_bytes()).map(Zeroizing::new).ok()?;
    let state = shared.state();
    let known = state.tunnels.iter().find(|known| known.id == id)?;
    let is_right = known.secret.is_of(&secret) && known.account_tag == register.account_tag;
    is_right.then(|| known.clone())
}

/// Waits until the credentials that were right are not any more.
async fn withdrawn(tunnel: &Tunnel, shared: &Shared) {
    let is_same = |known: &Tunnel| {
        (known.id, known.secret) == (tunnel.id, tunnel.secret)
            && known.account_tag == tunnel.account_tag
    };
    let is_gone = |state: &Arc<State>| !state.tunnels.iter().any(is_same);
    let mut states = shared.state.subscribe();
    // The sender lives as long as `shared`.
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
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest for open streams once a connector has said that it leaves.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
