//! The admin listener: `/metrics`, `/healthz`, `/readyz`, `/activity`, and `POST /databases/NAME/purge`.
//!
//! Whoever can reach it may purge and see what goes on, but no page in a browser on the same machine: such a page cannot send
//! a header of its own to another site without asking first, says where it is from, and asks by a name where it has made that
//! of its own site lead here.

use std::{fmt, io, net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cache::sql::{TableName, Writes};
use serving::observe::Metrics;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::warm::Cold;

/// OpenMetrics, as prometheus-client writes it.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// So many statements and sessions of each database are told where nothing else is asked.
const LIMIT: usize = 50;

/// The header that a purge must come with, whatever its value.
pub const PURGE_HEADER: &str = "jumpgate-purge";

/// What is answered where there is no such database.
pub const NO_DATABASE: &str = "no such database\n";

/// Forgets what is kept of the tables of a database. False where there is no database of this name, and of this id if one
/// is given.
#[derive(Clone)]
pub struct Purge(Arc<Purging>);

type Purging = dyn Fn(&str, Option<&str>, &Writes) -> bool + Send + Sync;

impl Purge {
    /// As `purge` does it.
    pub fn new(
        purge: impl Fn(&str, Option<&str>, &Writes) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(purge))
    }
}

impl Purge {
    /// Forgets what is kept of a database, or of these tables of it. False where there is no database of this name,
    /// and of this id if one is given.
    pub fn forget<'a>(
        &self,
        (database, id): (&str, Option<&str>),
        tables: impl Iterator<Item = &'a str>,
    ) -> bool {
        // Kept by the last part of their names. An engine may fold those to lower case.
        let tables = tables.flat_map(|table| {
            let name = table.rsplit('.').next().unwrap_or(table);
            [TableName::bare(name), TableName::bare(&name.to_lowercase())]
        });
        let mut tables: Vec<_> = tables.collect();
        tables.dedup();
        let writes = if tables.is_empty() { Writes::Everything } else { Writes::Tables(tables) };
        let is_known = (self.0)(database, id, &writes);
        if is_known {
            info!(database, ?writes, "purged");
        }
        is_known
    }
}

/// How ready a proxy is.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// Where it is in its life.
    pub phase: watch::Receiver<Phase>,
    /// What it lacks.
    pub lack: Lack,
    /// Who is not warm.
    pub cold: Cold,
}

/// What a proxy lacks, so that it is not ready although it serves; nothing, until somebody says so. And what it must do without,
/// though it is ready.
#[derive(Clone, Debug)]
pub struct Lack {
    lacks: watch::Sender<Option<&'static str>>,
    without: watch::Sender<Option<&'static str>>,
}

impl Default for Lack {
    fn default() -> Self {
        Self { lacks: watch::channel(None).0, without: watch::channel(None).0 }
    }
}

impl Lack {
    /// Says what is lacking; `None` where nothing is any more.
    pub fn is(&self, what: Option<&'static str>) {
        self.lacks.send_replace(what);
    }

    /// Says what the proxy must do without, which keeps nobody from it.
    pub fn does_without(&self, what: Option<&'static str>) {
        self.without.send_replace(what);
    }
}

impl fmt::Debug for Purge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Purge")
    }
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Clients are served, while the databases that are kept warm are being reached for the first time.
    Starting,
    /// Accepts clients.
    Serving,
    /// Accepts no new clients and finishes what runs.
    Draining,
}

#[derive(Clone)]
struct Admin {
    metrics: Arc<Metrics>,
    readiness: Readiness,
    purge: Purge,
}

/// Serves the admin pages until `shutdown`.
///
/// # Errors
///
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    purge: Purge,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let pages = router(Admin { metrics, readiness, purge });
    super::pages::serve(listener, pages, shutdown).await
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/activity", get(activity))
        .route("/databases/{name}/purge", post(purge))
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

async fn readyz(State(admin): State<Admin>) -> (StatusCode, String) {
    let Readiness { phase, lack, cold } = &admin.readiness;
    let (without, lack) = (*lack.without.borrow(), *lack.lacks.borrow());
    let (status, word) = match (*phase.borrow(), lack) {
        (Phase::Starting, _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        (Phase::Serving, Some(lack)) => (StatusCode::SERVICE_UNAVAILABLE, lack),
        (Phase::Serving, None) => (StatusCode::OK, "ready"),
        (Phase::Draining, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let without = without.map(|without| format!("{without}\n")).unwrap_or_default();
    (status, format!("{word}\n{}{without}", cold.line()))
}

async fn activity(
    State(admin): State<Admin>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if is_of_a_page(&headers) || !is_by_address(&headers) {
        return (StatusCode::FORBIDDEN, "ask by an address, and not from a browser\n")
            .into_response();
    }
    let (mut database, mut statements, mut sessions) = (None, LIMIT, LIMIT);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let is_known = match (&*name, value.parse()) {
            ("database", _) => {
                database = Some(value.into_owned());
                true
            }
            ("statements", Ok(limit)) => {
                statements = limit;
                true
            }
            ("sessions", Ok(limit)) => {
                sessions = limit;
                true
            }
            _ => false,
        };
        if !is_known {
            let known = "ask with database=NAME, statements=NUMBER and sessions=NUMBER\n";
            return (StatusCode::BAD_REQUEST, known).into_response();
        }
    }
    let told = admin.metrics.tell_aside(database, statements, sessions).await;
    ([(header::CONTENT_TYPE, "application/json")], told.to_string()).into_response()
}

/// Whether a page in a browser asks.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// Whether who asks has been given no name for where that is, which another may have made to lead here.
fn is_by_address(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok()
    })
}

async fn purge(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    headers: HeaderMap,
    tables: String,
) -> (StatusCode, &'static str) {
    if !headers.contains_key(PURGE_HEADER) || is_of_a_page(&headers) {
        return (StatusCode::FORBIDDEN, "send the header jumpgate-purge, and not from a browser\n");
    }
    let tables = tables.lines().map(str::trim).filter(|table| !table.is_empty());
    if !admin.purge.forget((&name, None), tables) {
        return (StatusCode::NOT_FOUND, NO_DATABASE);
    }
    (StatusCode::OK, "purged\n")
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

    #[test]
    fn activity_is_told_to_who_asks_by_an_address_and_is_no_page() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())
            });
            pairs.collect::<HeaderMap>()
        };
        for host in ["127.0.0.1:9090", "localhost:9090", "[::1]:9090", "10.0.0.7"] {
            assert!(is_by_address(&headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example:9090", "127.0.0.1.evil.example", "", "localhost.evil.example"] {
            assert!(!is_by_address(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_by_address(&headers(&[])));
        assert!(is_of_a_page(&headers(&[("origin", "null")])));
        assert!(is_of_a_page(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!is_of_a_page(&headers(&[("host", "localhost")])));
    }

    #[tokio::test]
    async fn readiness_follows_the_phase_and_health_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (phase, phases) = watch::channel(Phase::Starting);
        let shutdown = CancellationToken::new();
        let none = Purge::new(|_, _, _| false);
        let lack = Lack::default();
        let (names, named) = watch::channel(vec!["b".to_owned(), "a".to_owned()]);
        let cold = Cold::new(move || named.borrow().clone());
        let readiness = Readiness { phase: phases, lack: lack.clone(), cold };
        let server = serve(listener, Arc::new(Metrics::new()), readiness, none, shutdown.clone());
        let visits = async {
            let answer = page(address, "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("not warm: a, b\n"));
            phase.send_replace(Phase::Serving);
            let answer = page(address, "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("not warm: a, b\n"));
            names.send_replace(Vec::new());
            let answer = page(address, "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ready\n"));
            lack.is(Some("no configs"));
            let answer = page(address, "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("no configs"));
            lack.is(None);
            assert!(page(address, "/readyz").await.starts_with("HTTP/1.1 200"));
            phase.send_replace(Phase::Draining);
            assert!(page(address, "/readyz").await.starts_with("HTTP/1.1 503"));
            assert!(page(address, "/healthz").await.starts_with("HTTP/1.1 200"));
            assert!(page(address, "/metrics").await.contains("jumpgate_client_connections 0"));
            // The pages of this test say that they are from `h`.
            assert!(page(address, "/activity").await.starts_with("HTTP/1.1 403"));
            assert!(page(address, "/elsewhere").await.starts_with("HTTP/1.1 404"));
            shutdown.cancel();
        };
        let (served, ()) = tokio::join!(server, visits);
        served.unwrap();
    }
}
