//! Serving pages to few visitors: those who say nothing are not waited for, and no number of them keeps a probe out.
//!
//! What the pages are, the others here say. axum's own server has no limit of either kind.

use std::{io, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serving::{
    arrivals::{Arrivals, Stranger},
    files::VISITORS_MAX,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

/// Longest until a request has come, the first one or the next.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest that one connection may last: whoever scrapes every minute opens another.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest that an answer under way is waited for at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// After a failed accept this much air.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `pages` until `shutdown`, and lets answers under way end.
///
/// # Errors
///
/// None: it goes on behind those of the listener.
///
/// # Cancel safety
///
/// Dropped before it ends, the listener is closed.
pub async fn serve(
    listener: TcpListener,
    pages: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let (visitors, tasks) = (Arrivals::new(VISITORS_MAX), TaskTracker::new());
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let visitor = visitors.admit(peer.ip());
                tasks.spawn(show(stream, pages.clone(), visitor, shutdown.clone()));
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
    Ok(())
}

/// Shows pages to one visitor.
async fn show(stream: TcpStream, pages: Router, visitor: Stranger, shutdown: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
    let serving = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    let mut serving = std::pin::pin!(serving);
    let visit = async {
        tokio::select! {
            served = timeout(CONNECTION_TIMEOUT, serving.as_mut()) => return served,
            () = shutdown.cancelled() => serving.as_mut().graceful_shutdown(),
        }
        timeout(LEAVE_TIMEOUT, serving).await
    };
    if let Some(Ok(Err(error))) = visitor.unless_pushed_out(visit).await {
        debug!(error = &error as &dyn std::error::Error, "a visitor of the pages had gone");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn pages() -> (std::net::SocketAddr, impl Future<Output = ()>, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let pages = Router::new().route("/", get(async || "here\n"));
        let end = shutdown.clone();
        (address, async move { serve(listener, pages, end).await.unwrap() }, shutdown)
    }

    async fn page(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// FAULTS row 56: 3,000 silent connections never closed, and they took the listeners' descriptors.
    #[tokio::test]
    async fn silent_visitors_keep_nobody_out() {
        let (address, serving, shutdown) = pages().await;
        let visits = async {
            let mut silent = Vec::new();
            for _ in 0..3 * VISITORS_MAX {
                silent.push(TcpStream::connect(address).await.unwrap());
            }
            let mut probe = TcpStream::connect(address).await.unwrap();
            assert!(page(&mut probe).await.starts_with("HTTP/1.1 200"));
            let mut first = [0];
            let end = silent[0].read(&mut first).await;
            assert!(matches!(end, Ok(0) | Err(_)), "the oldest made room");
            shutdown.cancel();
        };
        tokio::join!(serving, visits);
    }

    /// FAULTS row 56: no header timeout.
    #[tokio::test(start_paused = true)]
    async fn a_visitor_that_says_nothing_or_half_a_request_is_not_waited_for() {
        let (address, serving, shutdown) = pages().await;
        let visits = async {
            for said in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"] {
                let mut visitor = TcpStream::connect(address).await.unwrap();
                visitor.write_all(said).await.unwrap();
                let mut heard = Vec::new();
                let end = timeout(CONNECTION_TIMEOUT, visitor.read_to_end(&mut heard)).await;
                assert!(end.is_ok(), "{said:?} is waited for");
                assert_eq!(heard.starts_with(b"HTTP/1.1 200"), said.ends_with(b"\r\n\r\n"));
            }
            shutdown.cancel();
        };
        tokio::join!(serving, visits);
    }
}
