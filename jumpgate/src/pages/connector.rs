//! The operator's pages of a connector: `/ready`, `/healthcheck`, `/metrics`.
//!
//! Paths, answers and names of series are those that operators know from `cloudflared`,
//! so that probes and dashboards need no change.

use std::{fmt::Write as _, io};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use proxy::pages;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tunnel::connector::{Monitor, Stats};

/// Serves the pages until `shutdown`.
///
/// # Errors
///
/// Those of the listener.
///
/// # Cancel safety
///
/// Dropped before it ends, the listener is closed.
pub async fn serve(
    listener: TcpListener,
    monitor: Monitor,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let pages = Router::new()
        .route("/ready", get(ready))
        .route("/healthcheck", get(async || "OK\n"))
        .route("/metrics", get(metrics))
        .with_state(monitor);
    pages::serve(listener, pages, shutdown).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    status: u16,
    ready_connections: usize,
    connector_id: String,
}

async fn ready(State(monitor): State<Monitor>) -> Response {
    let ready_connections = monitor.stats().registered.len();
    let status = match ready_connections {
        0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    let connector_id = monitor.id().to_string();
    let ready = Ready { status: status.as_u16(), ready_connections, connector_id };
    match serde_json::to_string(&ready) {
        Ok(body) => (status, body).into_response(),
        Err(_unwritable) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn metrics(State(monitor): State<Monitor>) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], render(&monitor.stats())).into_response()
}

fn render(stats: &Stats) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "# HELP build_info Which build this is.\n# TYPE build_info gauge\n\
         build_info{{version=\"jumpgate/{version}\"}} 1\n"
    );
    let mut series = |kind: &str, name: &str, help: &str, value: i128| {
        // Writing to a text does not fail.
        let _infallible =
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    };
    let count = |count: u64| i128::from(count);
    let connections = u64::try_from(stats.registered.len()).unwrap_or(u64::MAX);
    let ha = "cloudflared_tunnel_ha_connections";
    series("gauge", ha, "Connections that are registered at an edge.", count(connections));
    let total = "cloudflared_tunnel_total_requests";
    series("counter", total, "Streams that edges have opened.", count(stats.requests));
    let errors = "cloudflared_tunnel_request_errors";
    series("counter", errors, "Streams that led nowhere.", count(stats.request_errors));
    let active = "cloudflared_tunnel_concurrent_requests_per_tunnel";
    series("gauge", active, "Streams that are open.", count(stats.active));
    let config = "cloudflared_orchestration_config_version";
    let help = "Version of the rules that an edge has pushed, -1 for none.";
    series("gauge", config, help, i128::from(stats.config_version));
    let name = "cloudflared_tunnel_server_locations";
    text.push_str(&format!("# HELP {name} Where each connection leads.\n# TYPE {name} gauge\n"));
    for (index, location) in &stats.registered {
        let location = location.replace(['\\', '"', '\n'], "_");
        let line = format!("{name}{{connection_id=\"{index}\",edge_location=\"{location}\"}} 1\n");
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_have_the_names_that_operators_know() {
        let stats = Stats {
            registered: [(0, "here".to_owned()), (1, "a\"b".to_owned())].into(),
            requests: 7,
            request_errors: 2,
            active: 3,
            config_version: -1,
        };
        let text = render(&stats);
        for line in [
            "cloudflared_tunnel_ha_connections 2",
            "cloudflared_tunnel_total_requests 7",
            "cloudflared_tunnel_request_errors 2",
            "cloudflared_tunnel_concurrent_requests_per_tunnel 3",
            "cloudflared_orchestration_config_version -1",
            "cloudflared_tunnel_server_locations{connection_id=\"0\",edge_location=\"here\"} 1",
            "cloudflared_tunnel_server_locations{connection_id=\"1\",edge_location=\"a_b\"} 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
        }
    }
}
