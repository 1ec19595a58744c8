//! The operator's pages of an edge: `/ready`, `/healthcheck`, `/metrics`.

use std::{fmt::Write as _, io, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use proxy::pages;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tunnel::edge::{Handle, Stats};

use crate::follow::{self, Held};

#[derive(Clone)]
struct Pages {
    edge: Handle,
    /// What a control node tells; `None` where it follows none.
    told: Option<watch::Receiver<Arc<Held>>>,
    /// Given when the edge takes nothing new.
    drain: CancellationToken,
}

/// Serves the pages; not ready before a control node has told what is `told`, and not any more once the edge drains.
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
    edge: Handle,
    told: Option<watch::Receiver<Arc<Held>>>,
    drain: CancellationToken,
) -> io::Result<()> {
    let pages = Router::new()
        .route("/ready", get(ready))
        .route("/healthcheck", get(async || "OK\n"))
        .route("/metrics", get(metrics))
        .with_state(Pages { edge, told, drain });
    // It shows that it drains, up to the end.
    pages::serve(listener, pages, CancellationToken::new()).await
}

/// An edge without connectors is as ready as one can be: a load balancer would only keep out those who hear why.
async fn ready(State(pages): State<Pages>) -> (StatusCode, String) {
    let waits = pages.told.as_ref().is_some_and(|told| told.borrow().position().is_none());
    let (status, word) = match (pages.drain.is_cancelled(), waits) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (_, true) => (StatusCode::SERVICE_UNAVAILABLE, follow::LACK),
        _ => (StatusCode::OK, "ready"),
    };
    (status, format!("{word}, {} connections of connectors\n", pages.edge.connectors()))
}

async fn metrics(State(pages): State<Pages>) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    let state = pages.edge.state();
    let tunnels = state.tunnels.iter().map(|tunnel| {
        let infos = pages.edge.connector_infos();
        let count = infos.iter().filter(|info| info.tunnel == tunnel.id).count();
        (tunnel.name.clone(), count)
    });
    let text = render(&pages.edge.stats(), &tunnels.collect::<Vec<_>>());
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

fn render(stats: &Stats, tunnels: &[(String, usize)]) -> String {
    let Stats { streams, opened, throttled, strange_clients, strange_connectors, put_out, .. } =
        stats;
    let mut text = String::new();
    let mut series = |kind: &str, name: &str, help: &str, values: Vec<(String, u64)>| {
        // Writing to a text does not fail.
        let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _infallible = writeln!(text, "{name}{labels} {value}");
        }
    };
    let one = |value: u64| vec![(String::new(), value)];
    let many = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    let version = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    series("gauge", "jumpgate_build_info", "Which build this is.", vec![(version, 1)]);
    let by_tunnel = tunnels.iter().map(|(name, count)| {
        let name = name.replace(['\\', '"', '\n'], "_");
        (format!("{{tunnel=\"{name}\"}}"), many(*count))
    });
    let name = "jumpgate_edge_connectors";
    series("gauge", name, "Connections of connectors that are registered.", by_tunnel.collect());
    series("gauge", "jumpgate_edge_streams", "Streams that are open.", one(*streams));
    let name = "jumpgate_edge_streams_total";
    series("counter", name, "Streams that were opened.", one(*opened));
    let refused = stats.refused.iter();
    let refused = refused.map(|(status, count)| (format!("{{status=\"{status}\"}}"), *count));
    let name = "jumpgate_edge_refused_total";
    series("counter", name, "Requests that were refused, by status.", refused.collect());
    let name = "jumpgate_edge_throttled_total";
    series("counter", name, "Requests of addresses that were refused too often.", one(*throttled));
    let strangers = [("client", strange_clients), ("connector", strange_connectors)];
    let strangers = strangers.map(|(kind, count)| (format!("{{kind=\"{kind}\"}}"), many(*count)));
    let help = "Connections that have not shown who they are.";
    series("gauge", "jumpgate_edge_strangers", help, strangers.into());
    let name = "jumpgate_edge_strangers_put_out_total";
    series("counter", name, "Of those, how many had to make room for others.", one(*put_out));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_edge_does_is_to_be_seen() {
        let stats = Stats {
            connectors: 3,
            streams: 2,
            opened: 9,
            refused: [(403, 4), (530, 1)].into(),
            throttled: 5,
            strange_clients: 6,
            strange_connectors: 7,
            put_out: 8,
        };
        let text = render(&stats, &[("office".to_owned(), 3), ("a\"b".to_owned(), 0)]);
        for line in [
            "jumpgate_edge_connectors{tunnel=\"office\"} 3",
            "jumpgate_edge_connectors{tunnel=\"a_b\"} 0",
            "jumpgate_edge_streams 2",
            "jumpgate_edge_streams_total 9",
            "jumpgate_edge_refused_total{status=\"403\"} 4",
            "jumpgate_edge_throttled_total 5",
            "jumpgate_edge_strangers{kind=\"connector\"} 7",
            "jumpgate_edge_strangers_put_out_total 8",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
        }
    }
}
