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

/// A connection that is silent for this long is probed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Time between probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Sent bytes that are not acknowledged for this long end the connection.
const USER_TIMEOUT: Duration = Duration::from_secs(60);

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
    }
}

async fn dial_tcp(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, DialError> {
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
            Ok(Ok(stream)) => return Some(tune(&stream).map(|()| stream).map_err(unreachable)),
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

/// Sets what every TCP connection of ours wants: no delay, and a dead peer is noticed.
///
/// # Errors
///
/// Those of the operating system.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
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

    #[tokio::test]
    async fn a_name_that_cannot_exist_is_a_dns_error() {
        let target = Dial::Tcp { host: String::from("no such host"), port: 5432 };
        let error = dial(&target, SOON).await.unwrap_err();
        assert!(matches!(error, DialError::Dns { .. }), "{error:?}");
        assert_eq!(error.to_string(), "the host name no such host does not resolve");
    }
}
