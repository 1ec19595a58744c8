//! What a person or a script reads on standard output, and the last word on standard error.
//!
//! Logs are not here: they go through `tracing`.

use std::{
    error::Error,
    io::{self, Write as _},
    net::SocketAddr,
};

use serving::config::LogFormat;

/// Prints one line to standard output at once.
///
/// A reader that went away is no reason to stop serving, so a failure is only logged.
pub fn line(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        tracing::debug!(error = &error as &dyn Error, "standard output is gone");
    }
}

/// Says where something listens: to a person, or to a machine in the form of all else that it reads.
pub fn listening(format: LogFormat, what: &'static str, address: SocketAddr) {
    match format {
        LogFormat::Text => line(&format!("jumpgate: {what} on {address}")),
        LogFormat::Json => tracing::info!(what, %address, "listening"),
    }
}

/// Prints one line to standard error.
pub fn problem(text: &str) {
    let mut out = io::stderr().lock();
    if let Err(error) = writeln!(out, "jumpgate: {text}") {
        tracing::debug!(error = &error as &dyn Error, "standard error is gone");
    }
}

/// An error and its sources in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// Columns as wide as their widest cell; the first row is their heads.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What to do where a port may not be listened on, to be said behind why; empty where that was not it.
pub fn port_remedy(address: SocketAddr, error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied && address.port() < FIRST_FREE_PORT {
        "; ports below 1024 need a right: in a systemd unit AmbientCapabilities=CAP_NET_BIND_SERVICE, without one \
         `setcap cap_net_bind_service=+ep` on the program; or listen on another port, and have a load balancer or \
         firewall lead there"
    } else {
        ""
    }
}

const FIRST_FREE_PORT: u16 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_source() {
        let inner = io::Error::other("no route");
        let address = ([127, 0, 0, 1], 1).into();
        let error = origin::net::DialError::Unreachable { address, source: inner };
        assert_eq!(chain(&error), "127.0.0.1:1 cannot be reached: no route");
    }

    /// FAULTS §3: `edge` as non-root on 443 gave no hint.
    #[test]
    fn a_port_that_needs_a_right_says_which() {
        let at = |port| ([0, 0, 0, 0], port).into();
        let denied = io::ErrorKind::PermissionDenied.into();
        assert!(port_remedy(at(443), &denied).contains("CAP_NET_BIND_SERVICE"));
        assert_eq!(port_remedy(at(8443), &denied), "");
        assert_eq!(port_remedy(at(443), &io::ErrorKind::AddrInUse.into()), "");
    }
}
