//! How a host is reached, and its TLS.

use std::{fmt, sync::Arc};

/// How an origin is reached.
#[derive(Clone, Debug)]
pub enum Dial {
    /// Directly.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Through an Access-protected hostname.
    Tunnel(Arc<tunnel::client::Client>),
    /// To a peer within the process, which is given its end of each stream.
    Peer(tokio::sync::mpsc::Sender<tokio::io::DuplexStream>),
}

/// TLS towards the origin.
#[derive(Clone)]
pub enum OriginTls {
    /// Plaintext: only for local development, and only where the file says so in as many words.
    Plaintext,
    /// TLS with `client` deciding what is verified (`require`, `verify-ca`, `verify-full`).
    Required {
        /// rustls configuration with roots, verifier and client certificate in place.
        client: Arc<rustls::ClientConfig>,
        /// The name sent as SNI and, under `verify-full`, checked.
        server_name: rustls_pki_types::ServerName<'static>,
        /// Whether the certificate has to be one that we trust: under `require` anybody could be at the other end.
        is_verified: bool,
    },
}

impl fmt::Debug for OriginTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("Plaintext"),
            Self::Required { server_name, .. } => {
                f.debug_struct("Required").field("server_name", server_name).finish_non_exhaustive()
            }
        }
    }
}
