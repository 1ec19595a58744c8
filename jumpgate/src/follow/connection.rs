//! One connection to a control node, by HTTP/1.1, over TLS where its URL says so.

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, Uri, header},
};
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use origin::net::{DialError, dial::dial_tcp};
use rustls::CertificateError;
use rustls_pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::config::FollowSetup;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A request is held for 25 s where there is nothing new.
const PATIENCE: Duration = Duration::from_secs(40);
/// More than any number of configs has.
const ANSWER_MAX: usize = 256 << 20;

/// Why a control node did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// Nobody is there.
    #[error("it cannot be reached")]
    Unreachable(#[source] DialError),
    /// Whoever is there does not prove to be it.
    #[error("no TLS with it: {remedy}")]
    Tls {
        /// What to do.
        remedy: &'static str,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// It was there, and is no more.
    #[error("the connection was lost")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It says nothing.
    #[error("it does not answer")]
    Late,
    /// It says no.
    #[error("it refuses: {message} (HTTP {status})")]
    Refused {
        /// Of HTTP.
        status: u16,
        /// In its own words.
        message: String,
    },
    /// What it says means nothing.
    #[error("what answers is no control node that this version can follow")]
    Foreign,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// Ends with this.
    _driver: JoinSet<()>,
    host: String,
    token: origin::secret::Secret<String>,
}

impl Connection {
    /// Connects to one of the control nodes.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the connection is closed.
    pub(super) async fn open(setup: &FollowSetup, at: usize) -> Result<Self, FollowError> {
        let opened = timeout(CONNECT_TIMEOUT, Self::connect(setup, at)).await;
        opened.map_err(|_elapsed| FollowError::Late)?
    }

    async fn connect(setup: &FollowSetup, at: usize) -> Result<Self, FollowError> {
        let authority = setup.urls.get(at).and_then(Uri::authority).ok_or(FollowError::Foreign)?;
        let is_tls = setup.urls.get(at).and_then(Uri::scheme_str) == Some("https");
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = dial_tcp(name, port, CONNECT_TIMEOUT).await;
        let stream = stream.map_err(FollowError::Unreachable)?;
        let (host, token) = (authority.as_str().to_owned(), setup.token.clone());
        let mut driver = JoinSet::new();
        let sender = if is_tls {
            let name =
                ServerName::try_from(name.to_owned()).map_err(|_no_name| FollowError::Foreign)?;
            let connector = TlsConnector::from(Arc::clone(&setup.tls));
            let stream = connector.connect(name, stream).await;
            let stream = stream
                .map_err(|source| FollowError::Tls { remedy: tls_remedy(&source), source })?;
            handshake(stream, &mut driver).await?
        } else {
            handshake(stream, &mut driver).await?
        };
        Ok(Self { sender, _driver: driver, host, token })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`FollowError`]; the connection is of no use then.
    pub(super) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, FollowError> {
        let body = serde_json::to_vec(body).map_err(|_unwritable| FollowError::Foreign)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .map_err(|_token| FollowError::Foreign)?;
        let asked = async {
            let lost = |error: hyper::Error| FollowError::Lost(error.into());
            self.sender.ready().await.map_err(lost)?;
            let (head, body) = self.sender.send_request(request).await.map_err(lost)?.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(FollowError::Lost)?;
            Ok((head.status, body.to_bytes()))
        };
        let asked = timeout(PATIENCE, asked).await;
        let (status, bytes) = asked.map_err(|_elapsed| FollowError::Late)??;
        if !status.is_success() {
            let status = status.as_u16();
            let message = refusal(&bytes).ok_or(FollowError::Foreign)?;
            return Err(FollowError::Refused { status, message });
        }
        serde_json::from_slice(&bytes).map_err(|_other| FollowError::Foreign)
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    driver: &mut JoinSet<()>,
) -> Result<SendRequest<Body>, FollowError> {
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| FollowError::Lost(error.into()))?;
    driver.spawn(async {
        // Whoever asks on it hears of it.
        let _ended = connection.await;
    });
    Ok(sender)
}

/// What to do where no TLS comes about.
fn tls_remedy(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = tls else {
        return "is this the port of a control node with a certificate? Without one its URL begins with http://";
    };
    match reason {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name: put one that it has into url, or give the control node a certificate \
             with this one"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: renew it, and check this machine's clock"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: check the clocks of both machines"
        }
        _ => {
            "the CA in ca_certificate (without it: one that this machine trusts) must have signed its certificate"
        }
    }
}

/// What a refusal of the API says.
fn refusal(bytes: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    answer["errors"][0]["message"].as_str().map(ToOwned::to_owned)
}
