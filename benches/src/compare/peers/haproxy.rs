//! HAProxy in TCP mode: it passes bytes on, and pools nothing; with as many threads as it takes by itself.

use std::net::SocketAddr;

use anyhow::Result;

use super::{Peer, Program, Settings, free_address};

/// Starts one in front of a database.
///
/// # Errors
///
/// It is not to be had, or does not start.
///
/// # Cancel safety
///
/// Dropping the future ends it.
pub async fn start(origin: SocketAddr) -> Result<Peer> {
    let program = Program::find("HAProxy", "usr/sbin/haproxy")?;
    let version = program.version("-v")?;
    let address = free_address()?;
    let files = [("haproxy.cfg", settings(origin, address))];
    let settings = Settings { files: &files, arguments: &["-db", "-q", "-f", "haproxy.cfg"] };
    program.start(settings, address, short(&version)).await
}

fn settings(origin: SocketAddr, address: SocketAddr) -> String {
    format!(
        "global\n  \
           maxconn 8000\n\
         defaults\n  \
           mode tcp\n  \
           timeout connect 10s\n  \
           timeout client 1h\n  \
           timeout server 1h\n\
         listen database\n  \
           bind {address}\n  \
           server origin {origin}\n"
    )
}

/// `HAProxy version 3.2.26-1 2026/10/14 - https://haproxy.org/` without date and address.
fn short(version: &str) -> String {
    version.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
