//! The admin listener: `/metrics`, `/healthz`, `/readyz`.

use std::{io, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::Metrics;

/// OpenMetrics, as prometheus-client writes it.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not listening yet.
    Starting,
    /// Accepts clients.
    Serving,
    /// Accepts no new clients and finishes what runs.
    Draining,
}

#[derive(Clone)]
struct Admin {
    metrics: Arc<Metrics>,
    phase: watch::Receiver<Phase>,
}

/// Serves the admin pages until `shutdown`.
///
/// # Errors
///
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    phase: watch::Receiver<Phase>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let pages = router(Admin { metrics, phase });
    super::pages::serve(listener, pages, shutdown).await
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_unwritable) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    match *admin.phase.borrow() {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::Serving => (StatusCode::OK, "ready\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    async fn page(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn readiness_follows_the_phase_and_health_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (phase, phases) = watch::channel(Phase::Starting);
        let shutdown = CancellationToken::new();
        let server = serve(listener, Arc::new(Metrics::new()), phases, shutdown.clone());
        let visits = async {
            assert!(page(address, "/readyz").await.starts_with("HTTP/1.1 503"));
            phase.send_replace(Phase::Serving);
            assert!(page(address, "/readyz").await.starts_with("HTTP/1.1 200"));
            phase.send_replace(Phase::Draining);
            assert!(page(address, "/readyz").await.starts_with("HTTP/1.1 503"));
            assert!(page(address, "/healthz").await.starts_with("HTTP/1.1 200"));
            assert!(page(address, "/metrics").await.contains("jumpgate_client_connections 0"));
            assert!(page(address, "/elsewhere").await.starts_with("HTTP/1.1 404"));
            shutdown.cancel();
        };
        let (served, ()) = tokio::join!(server, visits);
        served.unwrap();
    }
}
