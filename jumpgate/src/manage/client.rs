//! Asking a control plane: over HTTP, or in the store beside us. Both are the same API.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, Response, Uri, header, uri::Authority},
};
use bytes::Bytes;
use control::{
    Moment,
    api::{Api, BASE, Caller},
    fleet::Nobody,
    resources::{ApiToken, Scope},
};
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use origin::net::tls;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tower::ServiceExt as _;

use super::error::ManageError;
use crate::{config::ControlSetup, control_plane};

/// A check of a connection takes its time.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than any answer has.
const ANSWER_MAX: usize = 64 << 20;

/// Somebody who answers.
#[derive(Debug)]
pub(super) enum Client {
    /// A control node.
    Remote(Remote),
    /// The store beside us.
    Beside(Box<(Router, Caller)>),
}

/// A control node.
#[derive(Debug)]
pub(super) struct Remote {
    url: Uri,
    token: origin::secret::Secret<String>,
    cacert: Option<PathBuf>,
}

impl Client {
    /// A control node at this URL.
    pub(super) fn remote(
        url: &str,
        token: String,
        cacert: Option<PathBuf>,
    ) -> Result<Self, ManageError> {
        let wrong = || ManageError::Url(url.to_owned());
        let parsed: Uri = url.trim_end_matches('/').parse().map_err(|_invalid| wrong())?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none() {
            return Err(wrong());
        }
        let token = origin::secret::Secret::new(token.trim().to_owned());
        Ok(Self::Remote(Remote { url: parsed, token, cacert }))
    }

    /// The store that a file names, as whoever may read its key.
    pub(super) async fn beside(setup: ControlSetup) -> Result<Self, ManageError> {
        let plane = control_plane::open(setup).await.map_err(ManageError::Store)?;
        let token = ApiToken {
            id: String::new(),
            name: control_plane::operator().who,
            sha256: String::new(),
            scope: Scope::Admin,
            account: None,
            expires_at: None,
            created_at: Moment::now(),
        };
        let caller = Caller { token: Arc::new(token), address: None };
        Ok(Self::Beside(Box::new((Api::new(plane, Arc::new(Nobody)).router(), caller))))
    }

    /// Whether nobody tests connections.
    pub(super) const fn is_beside(&self) -> bool {
        matches!(self, Self::Beside(_))
    }

    /// The result of a request; `path` is below the API's base.
    ///
    /// # Errors
    ///
    /// Why there is none, in the API's own words where it answered.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ManageError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("jumpgate/", env!("CARGO_PKG_VERSION")));
        let (status, bytes) = match self {
            Self::Beside(beside) => {
                let (router, caller) = &**beside;
                let request = request.uri(format!("{BASE}{path}")).extension(caller.clone());
                let request = request.body(Body::from(body)).map_err(ManageError::Request)?;
                let answer = router.clone().oneshot(request).await;
                let answer = answer.unwrap_or_else(|never| match never {});
                read(answer).await?
            }
            Self::Remote(remote) => {
                let asked = remote.ask(request, path, body);
                timeout(PATIENCE, asked).await.map_err(|_elapsed| ManageError::Late)??
            }
        };
        let answer: Value =
            serde_json::from_slice(&bytes).map_err(|_not_json| ManageError::NoApi { status })?;
        if answer["success"] == true {
            return Ok(answer["result"].clone());
        }
        Err(ManageError::refused(&answer, status))
    }
}

impl Remote {
    async fn ask(
        &self,
        request: axum::http::request::Builder,
        path: &str,
        body: String,
    ) -> Result<(u16, Bytes), ManageError> {
        let unreachable =
            |source: std::io::Error| ManageError::Unreachable { url: self.url.to_string(), source };
        let authority =
            self.url.authority().ok_or_else(|| ManageError::Url(self.url.to_string()))?;
        let is_tls = self.url.scheme_str() == Some("https");
        let base = if self.url.path().len() > 1 { self.url.path() } else { BASE };
        let request = request
            .uri(format!("{base}{path}"))
            .header(header::HOST, authority.as_str())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .body(Body::from(body))
            .map_err(ManageError::Request)?;
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
        let answer = if is_tls {
            let stream = self.tls(authority, stream).await?;
            send(stream, request).await
        } else {
            send(stream, request).await
        };
        answer.map_err(|error| unreachable(std::io::Error::other(error)))
    }

    async fn tls(
        &self,
        authority: &Authority,
        stream: TcpStream,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ManageError> {
        let roots = match &self.cacert {
            Some(path) => {
                let read = std::fs::read(path);
                Some(read.map_err(|source| ManageError::File { path: path.clone(), source })?)
            }
            None => None,
        };
        let config = tls::edge_client(roots.as_deref()).map_err(ManageError::Tls)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_no_name| ManageError::Url(self.url.to_string()))?;
        TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|source| ManageError::Unreachable { url: self.url.to_string(), source })
    }
}

/// Sends one request, and reads its answer.
pub(super) async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asked = async {
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await?.to_bytes();
        Ok((head.status.as_u16(), body))
    };
    tokio::select! {
        answer = asked => answer,
        // It has ended before its answer did.
        ended = connection => Err(ended.err().map_or_else(|| "it hung up".into(), Into::into)),
    }
}

async fn read(answer: Response<Body>) -> Result<(u16, Bytes), ManageError> {
    let status = answer.status().as_u16();
    let bytes = to_bytes(answer.into_body(), ANSWER_MAX).await;
    Ok((status, bytes.map_err(|_cut| ManageError::NoApi { status })?))
}
