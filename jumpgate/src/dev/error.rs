//! Why a part of `jumpgate dev` could not be made.

use std::{io, path::PathBuf};

use origin::net::tls::TlsError;
use tunnel::{
    access::InvalidToken, certs::CertsError, client::InvalidHostname, connector::InvalidService,
    edge::BindError, token::InvalidTunnelToken,
};

/// Why a part could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// `--origin` is no connection string.
    #[error(
        "--origin is not a connection string like postgres://user:password@host:5432/database (or mysql://…)"
    )]
    Url(#[source] tokio_postgres::Error),
    /// `--origin` leaves something out.
    #[error("--origin {0}")]
    Incomplete(&'static str),
    /// `--origin-ca` cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// No port for the relay.
    #[error("the relay cannot listen")]
    Relay(#[source] io::Error),
    /// Throw-away certificates.
    #[error("no certificates could be made")]
    Certificates(#[from] CertsError),
    /// TLS.
    #[error("TLS could not be set up")]
    Tls(#[from] TlsError),
    /// The edge.
    #[error("the edge could not start")]
    Edge(#[from] BindError),
    /// The service token.
    #[error("no service token could be made")]
    ServiceToken(#[from] InvalidToken),
    /// The tunnel's token.
    #[error("no tunnel token could be made")]
    TunnelToken(#[from] InvalidTunnelToken),
    /// The connector's target.
    #[error("the connector has no target")]
    Service(#[from] InvalidService),
    /// The tunnel's hostname.
    #[error("the tunnel has no hostname")]
    Hostname(#[from] InvalidHostname),
}
