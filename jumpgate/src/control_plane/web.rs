//! Serving the API and the dashboard: over TLS where there is a certificate, and bounded in every way. axum's own server
//! bounds neither visitors nor times.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use serving::arrivals::{Arrivals, Stranger};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tracing::debug;

/// Visitors at once, of which each node is two; the oldest of the network that has the most makes room for one more.
const VISITORS_MAX: usize = 4096;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest until the head of a request has come, the first one or the next.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest that an answer under way is waited for at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// After a failed accept this much air.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `pages` until `shutdown`, and lets answers under way end.
///
/// # Cancel safety
///
/// Dropped before it ends, the listener is closed, and visits go on until they end.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    pages: Router,
    shutdown: CancellationToken,
) {
    let (visitors, tasks) = (Arrivals::new(VISITORS_MAX), TaskTracker::new());
    let acceptor = tls.map(TlsAcceptor::from);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let visitor = visitors.admit(peer.ip());
                let visit = Visit { peer, pages: pages.clone(), shutdown: shutdown.clone() };
                tasks.spawn(visit.receive(stream, acceptor.clone(), visitor));
            }
            Err(error) => {
                debug!(error = &error as &dyn std::error::Error, "cannot accept a visitor");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// One connection.
struct Visit {
    peer: SocketAddr,
    pages: Router,
    shutdown: CancellationToken,
}

impl Visit {
    async fn receive(self, stream: TcpStream, tls: Option<TlsAcceptor>, visitor: Stranger) {
        let visit = async {
            match tls {
                None => self.show(stream).await,
                Some(tls) => match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => self.show(stream).await,
                    Ok(Err(error)) => {
                        debug!(error = &error as &dyn std::error::Error, "no TLS with a visitor");
                    }
                    Err(_elapsed) => debug!("a visitor did not finish its handshake"),
                },
            }
        };
        let _pushed_out = visitor.unless_pushed_out(visit).await;
    }

    async fn show(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(self.peer));
            let pages = self.pages.clone();
            async move { pages.oneshot(request).await.map_err(|error: Infallible| error) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
        let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            served = serving.as_mut() => {
                if let Err(error) = served {
                    debug!(error = &error as &dyn std::error::Error, "a visitor had gone");
                }
                return;
            }
            () = self.shutdown.cancelled() => serving.as_mut().graceful_shutdown(),
        }
        let _late = timeout(LEAVE_TIMEOUT, serving).await;
    }
}
