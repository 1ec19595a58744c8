//! Socket settings that every connection of the tunnel shares.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Sends small writes at once and lets the kernel notice a peer that vanished.
pub(crate) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

const KEEPALIVE: Duration = Duration::from_secs(15);
