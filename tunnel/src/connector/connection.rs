//! One connection to an edge, from the dial to its end.

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Request, Response};
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{shared::Shared, stream};
use crate::{
    carrier::{
        CONNECTION_WINDOW, CONTROL_STREAM, ControlError, ControlStream, EDGE_SERVER_NAME,
        HANDSHAKE_TIMEOUT, MAX_HEADER_LIST_LEN, MAX_STREAMS, SEND_BUFFER_LEN, SMALL_FRAMES_BUDGET,
        STREAM_WINDOW, UPGRADE_HEADER, keep_alive,
    },
    net::{self, is_certificate_error},
    rpc::{Answered, Client, Details, Register},
};

/// Runs one connection to its end; also says whether it was ever registered.
pub(super) async fn run(
    shared: Arc<Shared>,
    index: u8,
    edge: &str,
    attempts: u8,
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
                attempts,
                local_ip: socket.get_ref().0.local_addr().ok().map(|address| address.ip()),
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
        tls.connect(name, socket).await.map_err(|error| match is_certificate_error(&error) {
            true => ConnectionError::Certificate(error),
            false => ConnectionError::Tls(error),
        })
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
    let connection =
        timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_elapsed| ConnectionError::NoEdge)?;
    let mut connection = connection.map_err(|_other_protocol| ConnectionError::NoEdge)?;
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
    /// How often this connection has failed since it was registered last.
    attempts: u8,
    local_ip: Option<IpAddr>,
}

impl Registration {
    /// Registers, waits for the stop, unregisters and waits for the edge to close.
    async fn keep(
        self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Result<(), ConnectionError> {
        let send = respond.send_response(Response::new(()), false)?;
        let mut control = ControlStream::new(Client::new(), send, request.into_body());
        control.end.register(&self.register());
        let answer = tokio::select! {
            answer = timeout(HANDSHAKE_TIMEOUT, control.receive()) => answer,
            () = self.stop.cancelled() => return Ok(()),
        };
        let details = match answer.map_err(|_elapsed| ConnectionError::Late)?? {
            Answered::Registered(details) => details,
            Answered::Rejected { cause, .. } | Answered::Failed(cause) => {
                return Err(ConnectionError::Rejected(cause));
            }
            Answered::Aborted(reason) => return Err(ConnectionError::Aborted(reason)),
            Answered::Configured | Answered::Unregistered => return Err(ConnectionError::Order),
        };
        let Details { location, is_remotely_managed, .. } = details;
        tracing::info!(index = self.index, location, "registered at the edge");
        self.was_registered.store(true, Ordering::Relaxed);
        let registered = self.shared.counters.enter(self.index, location);
        if self.index == 0
            && !is_remotely_managed
            && let Some(rules) = self.shared.rules.own_json()
        {
            control.end.update_local_configuration(&rules).map_err(ControlError::from)?;
        }
        loop {
            tokio::select! {
                answer = control.receive() => match answer? {
                    // An edge need not care for the rules of a connector.
                    Answered::Configured | Answered::Failed(_) => {}
                    Answered::Aborted(reason) => return Err(ConnectionError::Aborted(reason)),
                    Answered::Registered(_)
                    | Answered::Rejected { .. }
                    | Answered::Unregistered => return Err(ConnectionError::Order),
                },
                () = self.stop.cancelled() => break,
            }
        }
        drop(registered);
        // The edge closes when the last stream has ended, which ends `carry` and so this task.
        let _grace_is_over = timeout(self.shared.grace_period, leave(control)).await;
        Ok(())
    }

    fn register(&self) -> Register {
        let token = &self.shared.token;
        Register {
            account_tag: token.account_tag().to_owned(),
            secret: Zeroizing::new(token.secret().to_vec()),
            tunnel: token.tunnel(),
            conn_index: self.index,
            connector: self.shared.id,
            features: Vec::new(),
            version: concat!("jumpgate ", env!("CARGO_PKG_VERSION")).to_owned(),
            arch: format!("{}_{}", std::env::consts::OS, std::env::consts::ARCH),
            origin_local_ip: self.local_ip,
            replace_existing: false,
            compression_quality: 0,
            num_previous_attempts: self.attempts,
        }
    }
}

/// Says that nothing new may come, as it is said by the other tool, and waits for ever.
async fn leave(mut control: ControlStream<Client>) -> Infallible {
    control.end.unregister();
    while let Ok(answer) = control.receive().await {
        if matches!(answer, Answered::Unregistered | Answered::Failed(_)) {
            let _said_or_gone = control.finish().await;
        }
    }
    std::future::pending().await
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
    #[error(
        "the edge's certificate is refused: is --cacert (ca_certificate) the edge's ca.pem, and is \
         this its port for connectors?"
    )]
    Certificate(#[source] io::Error),
    #[error("what listens there is no edge's port for connectors (7844 unless it was changed)")]
    NoEdge,
    #[error("the edge took too long")]
    Late,
    #[error("the HTTP/2 connection broke")]
    Http(#[from] h2::Error),
    #[error("the edge did not answer a ping")]
    Silent,
    #[error("the edge rejected the registration: {0}")]
    Rejected(String),
    #[error("the edge ended the registration: {0}")]
    Aborted(String),
    #[error("the edge did something out of order")]
    Order,
    #[error(transparent)]
    Control(#[from] ControlError),
}
