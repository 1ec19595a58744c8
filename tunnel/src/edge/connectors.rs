//! The private side: one connection of a connector, from its TLS handshake to its end.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode, Version};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tracing::Instrument as _;

use super::{
    push::Pusher,
    registry::{Connector, Registered},
    shared::{LONGEST_SLEEP, Shared},
    strangers::Stranger,
};
use crate::{
    carrier::{
        CONNECTION_WINDOW, CONTROL_STREAM, ControlError, ControlStream, HANDSHAKE_TIMEOUT,
        MAX_HEADER_LIST_LEN, SEND_BUFFER_LEN, SMALL_FRAMES_BUDGET, STREAM_WINDOW, UPGRADE_HEADER,
        keep_alive,
    },
    rpc::{Asked, Details, Question, Register, Server},
    state::{SecretHash, UnixSeconds},
    token::TunnelId,
};

/// Serves one connection and logs its end.
///
/// `stranger` is its place until it is registered. What goes wrong before that is told of each address once a minute,
/// and a probe that only shakes hands is no news at all (B0).
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>, stranger: Stranger) {
    let span = tracing::info_span!("connector", peer = %stranger.peer());
    let serving = async {
        let (out, mut stranger) = (stranger.out(), Some(stranger));
        let carried = out.run_until_cancelled(carry(socket, &shared, &mut stranger)).await;
        match (carried.unwrap_or(Err(ConnectorError::PutOut)), stranger) {
            (Ok(()), None) => tracing::info!("connector left"),
            (Err(error), None) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "connector lost");
            }
            (Ok(()), Some(_)) => tracing::debug!("only a probe"),
            (Err(error), Some(stranger)) if stranger.is_news() => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "no connector; the next minute's of this address are not told"
                );
            }
            (Err(error), Some(_)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no connector");
            }
        }
    };
    serving.instrument(span).await;
}

/// Drives the connection; every stream on it ends with it.
async fn carry(
    socket: TcpStream,
    shared: &Shared,
    stranger: &mut Option<Stranger>,
) -> Result<(), ConnectorError> {
    if let Some(stranger) = &*stranger {
        match stranger.speaks(&socket).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(ConnectorError::Mute);
            }
            Err(_gone) => return Ok(()),
        }
    }
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
        outcome = control(requests, shared, stranger) => outcome,
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
    stranger: &mut Option<Stranger>,
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
    let proof = Proof::of(&register);
    if proof.validity(shared) == Validity::Over {
        reject(control, question, "Unauthorized: Invalid tunnel secret").await;
        return Err(ConnectorError::Unauthorized);
    }
    let tunnel = register.tunnel;
    let connector = connector(&register, stranger.as_ref(), shared);
    let Some(registered) = shared.registry.register(tunnel, connector, requests.clone()) else {
        // The other tool goes to another address of the edge then (B3).
        reject(control, question, "EDUPCONN").await;
        return Err(ConnectorError::TooMany);
    };
    // From here on it is none any more.
    *stranger = None;
    let Register { connector, conn_index, version, .. } = &*register;
    tracing::info!(%tunnel, %connector, conn_index, version, "connector registered");
    let replaced = registered.replaced();
    let pusher = Pusher::new(shared.state.subscribe(), tunnel, *conn_index, requests);
    tokio::select! {
        outcome = keep(control, question, pusher, registered, shared.drain_timeout) => outcome,
        () = replaced.cancelled() => Err(ConnectorError::Replaced),
        () = proof.withdrawn(shared) => Err(ConnectorError::Withdrawn),
    }
}

/// Hears the connector out, tells it its rules, and lets its streams end when it leaves.
async fn keep(
    mut control: ControlStream<Server>,
    question: Question,
    mut pusher: Pusher,
    registered: Registered,
    drain_timeout: Duration,
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
                let drained = timeout(drain_timeout.max(DRAIN_TIMEOUT), drained);
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

/// How the registry knows this connector.
fn connector(register: &Register, stranger: Option<&Stranger>, shared: &Shared) -> Connector {
    let nowhere = || SocketAddr::from(([0; 4], 0));
    let is_plain = |c: &char| c.is_ascii_graphic() || *c == ' ';
    Connector {
        id: register.connector,
        index: register.conn_index,
        peer: stranger.map_or_else(nowhere, Stranger::peer),
        version: register.version.chars().filter(is_plain).take(MAX_VERSION_LEN).collect(),
        since: (shared.clock)().as_secs(),
    }
}

/// What a connector has proven itself with.
#[derive(Debug)]
struct Proof {
    tunnel: TunnelId,
    account_tag: String,
    secret: SecretHash,
}

/// How long a proof counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Validity {
    Endless,
    Until(UnixSeconds),
    Over,
}

impl Proof {
    fn of(register: &Register) -> Self {
        let secret = SecretHash::of(&register.secret);
        Self { tunnel: register.tunnel, account_tag: register.account_tag.clone(), secret }
    }

    /// Does it count now? A secret that a rotation has replaced does until its overlap is over.
    fn validity(&self, shared: &Shared) -> Validity {
        let (state, now) = (shared.state(), (shared.clock)().as_secs());
        let known = state.tunnels.iter().find(|known| known.id == self.tunnel);
        let Some(tunnel) = known.filter(|known| known.account_tag == self.account_tag) else {
            return Validity::Over;
        };
        if tunnel.secret.is_same(&self.secret) {
            return Validity::Endless;
        }
        match &tunnel.previous {
            Some(previous)
                if previous.expires_at > now && previous.secret.is_same(&self.secret) =>
            {
                Validity::Until(previous.expires_at)
            }
            Some(_) | None => Validity::Over,
        }
    }

    /// Waits until it does not count any more.
    async fn withdrawn(&self, shared: &Shared) {
        let mut states = shared.state.subscribe();
        loop {
            states.mark_unchanged();
            let left = match self.validity(shared) {
                Validity::Over => return,
                Validity::Endless => None,
                Validity::Until(end) => {
                    Some(Duration::from_secs(end).saturating_sub((shared.clock)()))
                }
            };
            tokio::select! {
                // The sender lives as long as `shared`.
                _ = states.changed() => {}
                () = sleep(left.unwrap_or_default().min(LONGEST_SLEEP)), if left.is_some() => {}
            }
        }
    }
}

/// Why a connector's connection ended.
#[derive(Debug, thiserror::Error)]
enum ConnectorError {
    #[error("it said nothing")]
    Mute,
    #[error("it had to make room for others")]
    PutOut,
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
const MAX_VERSION_LEN: usize = 64;
const MAX_HOSTNAME_LEN: usize = 253;
const SHOWN_HOSTNAMES: usize = 20;
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest for open streams once a connector has said that it leaves, where the edge's own limit is not longer.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
