//! Why no connection to an origin could be opened: the words are the same for every engine.
//!
//! Dialing is in [`dial`](mod@super::dial), logging in is each engine's own `origin`.

use std::{io, sync::Arc};

use protocol::reader::DecodeError;

use super::dial::DialError;

/// Why no connection to the origin could be opened, by layer. Cheap to clone: every waiter is told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing to log in to: DNS, TCP, Access or the tunnel.
    #[error("the origin cannot be reached")]
    Dial(#[source] Arc<DialError>),
    /// The whole attempt took too long.
    #[error("the origin did not finish the login in time")]
    TimedOut,
    /// The database does not offer TLS.
    #[error("the database does not offer TLS")]
    TlsRequired,
    /// The config asks for compression that the database does not do.
    #[error(
        "the database does not offer compression with {0}, which `compression` of [database.origin] asks for \
         (MariaDB has zlib alone; MySQL goes by its protocol_compression_algorithms)"
    )]
    CompressionNotOffered(&'static str),
    /// The database's certificate is not one we trust.
    #[error("the database's certificate was refused")]
    Certificate(#[source] Arc<io::Error>),
    /// The connection broke before the login ended.
    #[error("the connection broke during login")]
    Lost(#[source] Arc<io::Error>),
    /// The database does not accept our credentials, or asks for a method we do not do here.
    #[error("the database refused the login: {0}")]
    Authentication(String),
    /// Somebody whose certificate we do not verify asks for the password in a form that would give it away.
    #[error(
        "the database asks for the password {0}, and its certificate is not verified: it could be anybody \
         (sslmode = \"verify-full\" or \"verify-ca\" with ca_certificate verifies it)"
    )]
    Unverified(&'static str),
    /// The database refused us for another reason, in its own words.
    #[error("the database refused the connection: {message} ({sqlstate})")]
    Refused {
        /// MySQL's error number, which its drivers go by; PostgreSQL has none.
        errno: Option<u16>,
        /// The SQLSTATE.
        sqlstate: String,
        /// The primary message.
        message: String,
    },
    /// What it said is not the protocol.
    #[error("the origin does not speak its protocol correctly")]
    Protocol(#[source] DecodeError),
    /// None of the hosts will do.
    #[error("no host is what target_session_attrs = \"{wanted}\" asks for: {}", found.join("; "))]
    NoneFits {
        /// What was asked for.
        wanted: &'static str,
        /// What was found on each host.
        found: Arc<[String]>,
    },
    /// An idle connection was found closed, or past its lifetime.
    #[error("the idle connection had ended")]
    Ended,
}

impl ConnectError {
    /// Whether Access or the database knows who we are and said no.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Authentication(_) | Self::Unverified(_) => true,
            Self::Dial(error) => {
                matches!(**error, DialError::Tunnel(tunnel::client::DialError::Access { .. }))
            }
            _ => false,
        }
    }

    /// Whether another host of the origin may be there instead: it cannot be reached, or is not up.
    pub fn is_of_the_host(&self) -> bool {
        match self {
            Self::Dial(_) => !self.is_refusal(),
            Self::TimedOut | Self::Lost(_) => true,
            // Class 57, operator intervention: it starts, recovers or shuts down; ER_SERVER_SHUTDOWN.
            Self::Refused { errno, sqlstate, .. } => {
                sqlstate.starts_with("57P0") || *errno == Some(1053)
            }
            _ => false,
        }
    }

    /// The word of `Server connection attempt failed: …`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Dial(error) => match &**error {
                DialError::Dns { .. } => "dns_failure",
                DialError::Refused { .. } => "connection_refused",
                DialError::TimedOut { .. } => "connection_timed_out",
                DialError::Unreachable { .. } => "origin_unreachable",
                DialError::Tunnel(error) => match error.word() {
                    "timed_out" => "connection_timed_out",
                    word => word,
                },
            },
            Self::TimedOut => "connection_timed_out",
            Self::TlsRequired => "tls_required",
            Self::Certificate(_) => "bad_certificate",
            Self::Authentication(_) | Self::Unverified(_) => "authentication_failed",
            Self::CompressionNotOffered(_)
            | Self::Lost(_)
            | Self::Refused { .. }
            | Self::Protocol(_)
            | Self::NoneFits { .. }
            | Self::Ended => "origin_unreachable",
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Lost(Arc::new(error))
    }
}

impl From<DecodeError> for ConnectError {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error)
    }
}
