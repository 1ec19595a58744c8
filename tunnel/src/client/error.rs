//! Why a dial failed, by the layer that refused.

use std::{io, net::SocketAddr};

use crate::net::is_certificate_error;

/// Why a dial through the tunnel failed. The secret of the service token is in none of the texts.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The hostname does not resolve.
    #[error("tunnel hostname {host} does not resolve")]
    Dns {
        /// The name that was looked up.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// No TCP connection to the edge.
    #[error("cannot connect to the edge at {address}")]
    Tcp {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The edge's host refused the TCP connection.
    #[error("the edge at {address} refused the connection")]
    ConnectionRefused {
        /// The last address that was tried.
        address: SocketAddr,
    },
    /// The TLS handshake failed; a certificate that does not verify is the usual reason.
    #[error("TLS handshake with {host} failed")]
    Tls {
        /// The name the certificate had to be for.
        host: String,
        /// What the TLS library or the socket said.
        #[source]
        source: io::Error,
    },
    /// Access did not let the request pass.
    #[error("{denied}{answer}")]
    Access {
        /// The form of the refusal.
        denied: AccessDenied,
        /// The rest of the answer.
        answer: Answer,
    },
    /// The edge has no live connector for the hostname (status 530).
    #[error("the tunnel has no live connector{0}")]
    TunnelDown(Answer),
    /// The connector could not reach the database (status 502).
    #[error("the connector could not reach the origin{0}")]
    OriginRefused(Answer),
    /// The connector may not dial where the hostname leads (status 502, of ours).
    #[error("the connector may not reach the origin{0}")]
    NotAllowed(Answer),
    /// The edge has no route for the hostname (status 404, of ours).
    #[error("the edge does not know the hostname{0}")]
    UnknownHostname(Answer),
    /// The connector has no service for the hostname (a status of its own, or of its rules).
    #[error("the connector has no service for the hostname (status {status}){answer}")]
    NoService {
        /// The HTTP status.
        status: u16,
        /// The rest of the answer.
        answer: Answer,
    },
    /// An edge is there, but this is the port for connectors.
    #[error("that is the edge's port for connectors, not the one for proxies")]
    ConnectorPort,
    /// Any other status than 101.
    #[error("the edge answered with status {status}{answer}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The rest of the answer.
        answer: Answer,
    },
    /// The dial took longer than its limit.
    #[error("timed out while {0}")]
    Timeout(Stage),
    /// The edge does not speak the upgrade to a WebSocket correctly.
    #[error("the edge broke the protocol: {0}")]
    Protocol(&'static str),
    /// The connection broke before the upgrade was complete.
    #[error("the edge closed the connection before it answered")]
    Closed(#[source] io::Error),
}

impl DialError {
    /// The word of the closed list that a client may be told.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns_failure",
            Self::ConnectionRefused { .. } => "connection_refused",
            Self::Tls { source, .. } if is_certificate_error(source) => "bad_certificate",
            Self::Access { .. } => "access_denied",
            Self::TunnelDown(_) => "tunnel_unavailable",
            Self::Timeout(_) => "timed_out",
            Self::Tcp { source, .. } if source.kind() == io::ErrorKind::TimedOut => "timed_out",
            Self::Tcp { .. }
            | Self::Tls { .. }
            | Self::OriginRefused(_)
            | Self::NotAllowed(_)
            | Self::UnknownHostname(_)
            | Self::NoService { .. }
            | Self::ConnectorPort
            | Self::Status { .. }
            | Self::Protocol(_)
            | Self::Closed(_) => "origin_unreachable",
        }
    }
}

/// How Access said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessDenied {
    /// A redirect to the login page: no Service Auth policy includes the token.
    #[error("the service token is not accepted by a Service Auth policy (login redirect)")]
    LoginRedirect,
    /// Status 401.
    #[error("Access asks for a valid service token (status 401)")]
    Unauthorized,
    /// Status 429: our edge has refused this address too often within a minute.
    #[error("Access has refused this address too often and looks again in a minute (status 429)")]
    TooOften,
    /// Status 403.
    #[error("Access denies the service token (status 403)")]
    Forbidden,
}

/// What is worth showing of an answer that was not 101: untrusted text, bounded and sanitised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The first 200 bytes of the body.
    pub body: String,
    /// The value of `cf-ray`, by which an operator of the edge can find the request.
    pub ray: Option<String>,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(ray) = &self.ray {
            write!(f, " [cf-ray {ray}]")?;
        }
        if !self.body.is_empty() {
            write!(f, ": {}", self.body)?;
        }
        Ok(())
    }
}

/// What a dial was doing when its time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stage {
    /// Looking up the hostname.
    #[error("resolving the tunnel hostname")]
    Dns,
    /// Opening the TCP connection.
    #[error("connecting to the edge")]
    Tcp,
    /// In the TLS handshake.
    #[error("waiting for the TLS handshake with the edge")]
    Tls,
    /// Waiting for the answer to the upgrade, which includes the connector's dial.
    #[error("waiting for the edge to open the tunnel")]
    Upgrade,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_word() {
        let refused = DialError::ConnectionRefused { address: ([127, 0, 0, 1], 1).into() };
        assert_eq!(refused.word(), "connection_refused");
        assert_eq!(DialError::Timeout(Stage::Tls).word(), "timed_out");
        assert_eq!(DialError::TunnelDown(Answer::default()).word(), "tunnel_unavailable");
        assert_eq!(DialError::OriginRefused(Answer::default()).word(), "origin_unreachable");
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let tls = DialError::Tls { host: "h".into(), source: io::Error::other(certificate) };
        assert_eq!(tls.word(), "bad_certificate");
    }

    #[test]
    fn the_text_names_the_ray_and_the_body() {
        let answer = Answer { body: "error code: 1033".into(), ray: Some("8f00-AMS".into()) };
        assert_eq!(
            DialError::TunnelDown(answer).to_string(),
            "the tunnel has no live connector [cf-ray 8f00-AMS]: error code: 1033",
        );
    }
}
