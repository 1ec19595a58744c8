//! Opening a stream to an origin, directly or through the tunnel.
//!
//! Every failure is named by its layer, so that a person knows where to look.

use std::{io, net::SocketAddr, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::Stream;
use crate::config::Dial;

/// How soon a peer that does not answer any more is taken for dead.
struct Patience {
    /// A connection that is silent for this long is probed.
    idle: Duration,
    /// Time between probes.
    interval: Duration,
    /// Bytes, or a probe, that are not acknowledged for this long end the connection.
    unacknowledged: Duration,
}

/// A client may be on a train.
const CLIENT: Patience = Patience {
    idle: Duration::from_secs(30),
    interval: Duration::from_secs(10),
    unacknowledged: Duration::from_secs(60),
};
/// For an origin clients wait.
const ORIGIN: Patience = Patience {
    idle: Duration::from_secs(10),
    interval: Duration::from_secs(5),
    unacknowledged: Duration::from_secs(15),
};

/// Why no stream to an origin could be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The host name does not resolve.
    #[error("the host name {host} does not resolve")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// Nothing listens there.
    #[error("{address} refused the connection")]
    Refused {
        /// The last address tried.
        address: SocketAddr,
    },
    /// No answer within the connect timeout.
    #[error("no answer from {target} in time")]
    TimedOut {
        /// Host and port.
        target: String,
    },
    /// The network says there is no way there, or the connection broke at once.
    #[error("{address} cannot be reached")]
    Unreachable {
        /// The last address tried.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Access, the edge or the connector refused.
    #[error("the tunnel did not open")]
    Tunnel(#[source] tunnel::client::DialError),
}

/// Opens a stream to an origin within `timeout`, name resolution included.
///
/// Names are resolved each time: a pool follows a failover that moves a name.
///
/// # Errors
///
/// [`DialError`] names the layer that failed.
pub async fn dial(dial: &Dial, timeout: Duration) -> Result<Stream, DialError> {
    match dial {
        Dial::Tcp { host, port } => dial_tcp(host, *port, timeout).await.map(Stream::Tcp),
        Dial::Tunnel(client) => match tokio::time::timeout(timeout, client.dial()).await {
            Ok(Ok(stream)) => Ok(Stream::Tunnel(stream)),
            Ok(Err(error)) => Err(DialError::Tunnel(error)),
            Err(_elapsed) => Err(DialError::TimedOut { target: String::from("the tunnel") }),
        },
        Dial::Peer(peers) => {
            let (near, far) = tokio::io::duplex(1 << 16);
            // A peer that is not there any more hangs up.
            drop(peers.send(far).await);
            Ok(Stream::Duplex(near))
        }
    }
}

/// Opens a connection on which somebody waits for answers: no delay, and a dead peer is noticed soon.
///
/// # Errors
///
/// [`DialError`] names the layer.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection is closed.
pub async fn dial_tcp(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, DialError> {
    let deadline = Instant::now() + timeout;
    let addresses = resolve(host, port, deadline).await?;
    connect(&addresses, deadline).await.unwrap_or_else(|| Err(no_address(host)))
}

/// Connects to the first address that answers; they share the time that is left. `None` where there
/// is no address.
pub async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Option<Result<TcpStream, DialError>> {
    let mut failure = None;
    for (tried, &address) in addresses.iter().enumerate() {
        let shares = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / shares;
        let unreachable = |source| DialError::Unreachable { address, source };
        failure = Some(match timeout_at(now + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let tuned = tune_with(&stream, &ORIGIN);
                return Some(tuned.map(|()| stream).map_err(unreachable));
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                DialError::Refused { address }
            }
            Ok(Err(source)) => unreachable(source),
            Err(_elapsed) => DialError::TimedOut { target: address.to_string() },
        });
    }
    failure.map(Err)
}

/// The addresses of a name, in the resolver's order.
///
/// # Errors
///
/// [`DialError::Dns`] where there is none, [`DialError::TimedOut`] where none comes in time.
pub async fn resolve(
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, DialError> {
    match timeout_at(deadline, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.collect();
            if addresses.is_empty() { Err(no_address(host)) } else { Ok(addresses) }
        }
        Ok(Err(source)) => Err(DialError::Dns { host: host.to_owned(), source }),
        Err(_elapsed) => Err(DialError::TimedOut { target: format!("the resolver for {host}") }),
    }
}

fn no_address(host: &str) -> DialError {
    DialError::Dns { host: host.to_owned(), source: io::ErrorKind::NotFound.into() }
}

/// Sets what a client's connection wants: no delay, and a dead peer is noticed.
///
/// # Errors
///
/// Those of the operating system.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    tune_with(stream, &CLIENT)
}

fn tune_with(stream: &TcpStream, patience: &Patience) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(patience.idle).with_interval(patience.interval);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(patience.unacknowledged))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_port_where_nothing_listens_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Dial::Tcp { host: String::from("127.0.0.1"), port };
        let stream = dial(&target, SOON).await.unwrap();
        assert!(matches!(stream, Stream::Tcp(_)));
        drop(listener);
        let refused = dial(&target, SOON).await.unwrap_err();
        assert!(matches!(refused, DialError::Refused { .. }), "{refused:?}");
    }

    /// FAULTS row 63: what an origin does not acknowledge is noticed while somebody waits for it.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_silent_origin_is_given_up_within_seconds() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Dial::Tcp { host: String::from("127.0.0.1"), port };
        let Stream::Tcp(stream) = dial(&target, SOON).await.unwrap() else { unreachable!() };
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(ORIGIN.unacknowledged));
        assert_eq!(socket.tcp_keepalive_time().unwrap(), ORIGIN.idle);
    }

    #[tokio::test]
    async fn a_name_that_cannot_exist_is_a_dns_error() {
        let target = Dial::Tcp { host: String::from("no such host"), port: 5432 };
        let error = dial(&target, SOON).await.unwrap_err();
        assert!(matches!(error, DialError::Dns { .. }), "{error:?}");
        assert_eq!(error.to_string(), "the host name no such host does not resolve");
    }
}
