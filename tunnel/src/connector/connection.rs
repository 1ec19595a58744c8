//! One connection to an edge, from the dial to its end.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Request, Response};
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{Shared, stream};
use crate::{
    carrier::{
        CONNECTION_WINDOW, CONTROL_STREAM, ControlError, ControlStream, EDGE_SERVER_NAME,
        HANDSHAKE_TIMEOUT, MAX_HEADER_LIST_LEN, MAX_STREAMS, SEND_BUFFER_LEN, SMALL_FRAMES_BUDGET,
        STREAM_WINDOW, UPGRADE_HEADER, keep_alive,
    },
    net,
    registration::{FromConnector, FromEdge, Register},
};

/// Runs one connection to its end; also says whether it was ever registered.
pub(super) async fn run(
    shared: Arc<Shared>,
    index: u8,
    edge: &str,
    stop: &CancellationToken,
) -> (Result<(), ConnectionError>, bool) {
    let was_registered = Arc::new(AtomicBool::new(false));
    let socket = tokio::select! {
        socket = dial(&shared, edge) => socket,
        () = stop.cancelled() => return (Ok(()), false),
    };
    let outcome = match socket {
        Ok(socket) => {
            let registration = Registration {
                shared: Arc::clone(&shared),
                index,
                was_registered: Arc::clone(&was_registered),
                stop: stop.clone(),
            };
            carry(socket, registration, shared).await
        }
        Err(error) => Err(error),
    };
    (outcome, was_registered.load(Ordering::Relaxed))
}

/// TCP and TLS. The name to verify does not depend on the address (B1).
async fn dial(shared: &Shared, edge: &str) -> Result<TlsStream<TcpStream>, ConnectionError> {
    let dial = async {
        let socket = TcpStream::connect(edge).await.map_err(ConnectionError::Tcp)?;
        net::prepare(&socket).map_err(ConnectionError::Tcp)?;
        let name = ServerName::try_from(EDGE_SERVER_NAME)
            .map_err(|invalid| ConnectionError::Tls(io::Error::other(invalid)))?;
        let tls = TlsConnector::from(Arc::clone(&shared.tls));
        tls.connect(name, socket).await.map_err(ConnectionError::Tls)
    };
    timeout(HANDSHAKE_TIMEOUT, dial).await.map_err(|_elapsed| ConnectionError::Late)?
}

/// Serves the streams that the edge opens, until the connection ends.
async fn carry(
    socket: TlsStream<TcpStream>,
    registration: Registration,
    shared: Arc<Shared>,
) -> Result<(), ConnectionError> {
    let handshake = h2::server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_send_buffer_size(SEND_BUFFER_LEN)
        .data_frame_budget(SMALL_FRAMES_BUDGET)
        .max_header_list_size(MAX_HEADER_LIST_LEN)
        .handshake::<_, Bytes>(socket);
    let mut connection =
        timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_elapsed| ConnectionError::Late)??;
    let probes = connection.ping_pong();
    let probing = async {
        match probes {
            Some(probes) => keep_alive(probes).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(probing);
    // The edge's first request must be the control stream (B3).
    let first = timeout(HANDSHAKE_TIMEOUT, connection.accept());
    let (request, respond) = match first.await {
        Ok(Some(first)) => first?,
        Ok(None) => return Err(ControlError::Ended.into()),
        Err(_elapsed) => return Err(ConnectionError::Late),
    };
    if !is_control(request.headers()) {
        return Err(ConnectionError::Order);
    }
    // Dropped with this function, so that every task ends with the connection.
    let (mut control, mut streams) = (JoinSet::new(), JoinSet::new());
    control.spawn(registration.keep(request, respond));
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(accepted) => {
                    let (request, respond) = accepted?;
                    streams.spawn(stream::serve(Arc::clone(&shared), request, respond));
                }
                None => return Ok(()),
            },
            Some(_ended) = streams.join_next() => {}
            Some(ended) = control.join_next() => {
                return ended.map_err(|_panicked| ConnectionError::Order)?;
            }
            () = &mut probing => return Err(ConnectionError::Silent),
        }
    }
}

fn is_control(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE_HEADER).is_some_and(|purpose| purpose == CONTROL_STREAM)
}

/// What it takes to be registered on one connection.
struct Registration {
    shared: Arc<Shared>,
    index: u8,
    was_registered: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Registration {
    /// Registers, waits for the stop, unregisters and waits for the edge to close.
    async fn keep(
        self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Result<(), ConnectionError> {
        let send = respond.send_response(Response::new(()), false)?;
        let mut control = ControlStream::new(send, request.into_body());
        control.send(&FromConnector::Register(self.register())).await?;
        let answer = timeout(HANDSHAKE_TIMEOUT, control.receive()).await;
        let location = match answer.map_err(|_elapsed| ConnectionError::Late)?? {
            FromEdge::Registered { location } => location,
            FromEdge::Rejected { error } => return Err(ConnectionError::Rejected(error)),
        };
        tracing::info!(index = self.index, location, "registered at the edge");
        self.was_registered.store(true, Ordering::Relaxed);
        let registered = self.shared.counters.enter(self.index, location);
        tokio::select! {
            unexpected = control.receive::<FromEdge>() => {
                return unexpected.map_err(Into::into).and(Err(ConnectionError::Order));
            }
            () = self.stop.cancelled() => {}
        }
        control.send(&FromConnector::Unregister).await?;
        drop(registered);
        // The edge closes when the last stream has ended, which ends `carry` and so this task.
        let _ended_or_late = timeout(self.shared.grace_period, control.receive::<FromEdge>()).await;
        Ok(())
    }

    fn register(&self) -> Register {
        let token = &self.shared.token;
        Register {
            account_tag: token.account_tag().to_owned(),
            tunnel_id: token.tunnel().to_string(),
            secret: Zeroizing::new(STANDARD.encode(token.secret())),
            conn_index: self.index,
            connector_id: self.shared.id.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Clients that vanish before their stream is looked at. The edge is trusted not to do it for fun.
const MAX_PENDING_RESETS: usize = 1000;

/// Why a connection to an edge ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("cannot connect to the edge")]
    Tcp(#[source] io::Error),
    #[error("TLS handshake with the edge")]
    Tls(#[source] io::Error),
    #[error("the edge took too long")]
    Late,
    #[error("the HTTP/2 connection broke")]
    Http(#[from] h2::Error),
    #[error("the edge did not answer a ping")]
    Silent,
    #[error("the edge rejected the registration: {0}")]
    Rejected(String),
    #[error("the edge did something out of order")]
    Order,
    #[error(transparent)]
    Control(#[from] ControlError),
}
