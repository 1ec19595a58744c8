//! Edges that misbehave, and what a dial says of each.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tunnel::{
    access::ServiceToken,
    certs::Authority,
    client::{AccessDenied, Client, ClientConfig, DialError, Stage as DialStage, Stages},
};

use crate::stage::{PATIENCE, client, client_config, nobody, serve, server_tls};

type Peer = BufReader<TlsStream<TcpStream>>;

fn authority() -> Authority {
    Authority::generate("tests").expect("an authority")
}

fn token() -> Option<ServiceToken> {
    Some(ServiceToken::new("88bf.access", "bdd31cbc").expect("valid"))
}

/// A TLS server that reads the request's head and then does as told with the client's key.
async fn edge<F>(
    authority: &Authority,
    act: impl Fn(Peer, String) -> F + Clone + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let tls = TlsAcceptor::from(server_tls(authority));
    serve(move |socket| {
        let (tls, act) = (tls.clone(), act.clone());
        async move {
            let Ok(socket) = tls.accept(socket).await else { return };
            let mut peer = BufReader::new(socket);
            let (mut line, mut key) = (String::new(), String::new());
            while line != "\r\n" {
                line.clear();
                peer.read_line(&mut line).await.expect("a head");
                if let Some(value) = line.strip_prefix("Sec-WebSocket-Key: ") {
                    value.trim().clone_into(&mut key);
                }
            }
            act(peer, key).await;
        }
    })
    .await
}

/// A server that answers every request with these bytes and closes.
async fn answering(authority: &Authority, answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = Arc::new(answer.into());
    edge(authority, move |mut peer, _key| {
        let answer = Arc::clone(&answer);
        async move {
            // The client may have left before it has everything.
            let _gone = peer.write_all(&answer).await;
            let _gone = peer.shutdown().await;
        }
    })
    .await
}

async fn refused(answer: &str) -> DialError {
    let authority = authority();
    let address = answering(&authority, answer).await;
    client(&authority, address, token()).dial().await.expect_err(answer)
}

fn accept(key: &str) -> String {
    let hash = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    STANDARD.encode(hash)
}

fn switching(key: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept(key),
    )
}

#[tokio::test]
async fn every_status_names_its_layer() {
    let login = "HTTP/1.1 302 Found\r\nLocation: https://t.cloudflareaccess.com/cdn-cgi/access/\
                 login/db.example.test?kid=1\r\nContent-Length: 0\r\n\r\n";
    for (answer, expected) in [
        (login, AccessDenied::LoginRedirect),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", AccessDenied::Unauthorized),
        ("HTTP/1.1 403 Forbidden\r\ncf-ray: 1\r\n\r\n<html>", AccessDenied::Forbidden),
    ] {
        let error = refused(answer).await;
        assert!(matches!(&error, DialError::Access { denied, .. } if *denied == expected));
        assert_eq!(error.word(), "access_denied");
    }
    for (answer, word, text) in [
        (
            "HTTP/1.1 530 \r\ncf-ray: 8f00-AMS\r\n\r\nerror code: 1033",
            "tunnel_unavailable",
            "the tunnel has no live connector [cf-ray 8f00-AMS]: error code: 1033",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "origin_unreachable",
            "the connector could not reach the origin",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnopemore",
            "origin_unreachable",
            "the edge answered with status 404: nope",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", "origin_unreachable", "the edge answered with status 200"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            "origin_unreachable",
            "the edge broke the protocol: the `Sec-WebSocket-Accept` is not for our key",
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "origin_unreachable",
            "the edge broke the protocol: the answer is not HTTP/1.1",
        ),
        ("", "origin_unreachable", "the edge closed the connection before it answered"),
    ] {
        let error = refused(answer).await;
        assert_eq!((error.word(), &*error.to_string()), (word, text));
    }
}

#[tokio::test]
async fn an_endless_head_is_not_read_to_its_end() {
    let error = refused(&format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(100_000))).await;
    assert!(matches!(error, DialError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn an_interim_answer_is_not_the_answer() {
    let error = refused("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 403 No\r\n\r\n").await;
    assert_eq!(error.word(), "access_denied");
}

#[tokio::test]
async fn a_secret_that_the_edge_repeats_is_not_shown() {
    let error = refused("HTTP/1.1 500 Oops\r\ncf-ray: bdd31cbc\r\n\r\nyou sent bdd31cbc").await;
    assert!(!format!("{error} {error:?}").contains("bdd31cbc"), "{error}");
}

#[tokio::test]
async fn an_edge_that_never_answers_times_out_and_the_stage_is_named() {
    let authority = authority();
    let impatient = |address| {
        let config = client_config(&authority, address, token());
        Client::new(ClientConfig { connect_timeout: Duration::from_secs(1), ..config })
            .expect("a valid hostname")
    };
    let silent = |peer: Peer, _key: String| async move {
        let _held = peer;
        std::future::pending::<()>().await;
    };
    let error = impatient(edge(&authority, silent).await).dial().await.expect_err("silent");
    assert!(matches!(error, DialError::Timeout(DialStage::Upgrade)), "{error}");
    assert_eq!(error.word(), "timed_out");

    let mute = serve(|socket| async move {
        let _held = socket;
        std::future::pending::<()>().await;
    });
    let error = impatient(mute.await).dial().await.expect_err("silent");
    assert!(matches!(error, DialError::Timeout(DialStage::Tls)), "{error}");
}

#[tokio::test]
async fn a_port_without_a_listener_refuses() {
    let error = client(&authority(), nobody().await, None).dial().await.expect_err("nobody");
    assert_eq!(error.word(), "connection_refused");
}

#[tokio::test]
async fn a_certificate_of_someone_else_is_not_trusted() {
    let address = answering(&authority(), "").await;
    let error = client(&authority(), address, token()).dial().await.expect_err("untrusted");
    assert_eq!(error.word(), "bad_certificate", "{error:?}");
}

#[tokio::test]
async fn an_edge_that_does_not_speak_tls_is_unreachable() {
    let address = serve(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("room");
    });
    let error = client(&authority(), address.await, None).dial().await.expect_err("no TLS");
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
    assert_eq!(error.word(), "origin_unreachable");
}

#[tokio::test]
async fn pings_of_the_edge_are_answered_and_bytes_behind_the_head_are_not_lost() {
    let authority = authority();
    let address = edge(&authority, |mut peer, key| async move {
        let early = [switching(&key).as_bytes(), &[0x82, 5], b"early"].concat();
        peer.write_all(&early).await.expect("the client reads");
        peer.write_all(&[0x89, 1, b'p']).await.expect("the client reads");
        peer.flush().await.expect("the client reads");
        let mut pong = [0; 7];
        peer.read_exact(&mut pong).await.expect("a pong");
        assert_eq!(pong[..2], [0x8A, 0x81]);
        assert_eq!(pong[6] ^ pong[2], b'p');
        // Fragmented, as text, and ended by a Close.
        peer.write_all(&[0x01, 1, b'a', 0x80, 1, b'b', 0x88, 0]).await.expect("the client reads");
        peer.flush().await.expect("the client reads");
        peer.read_to_end(&mut Vec::new()).await.expect("the client leaves");
    });
    let mut stream = client(&authority, address.await, None).dial().await.expect("a stream");
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    timeout(PATIENCE, read).await.expect("in time").expect("a clean end");
    assert_eq!(text, "earlyab");
}

#[tokio::test]
async fn an_edge_that_answers_no_ping_is_given_up() {
    let authority = authority();
    let address = edge(&authority, |mut peer, key| async move {
        peer.write_all(switching(&key).as_bytes()).await.expect("the client reads");
        peer.flush().await.expect("the client reads");
        std::future::pending::<()>().await;
    });
    let config = client_config(&authority, address.await, None);
    let config = ClientConfig { ping_interval: Duration::from_millis(50), ..config };
    let client = Client::new(config).expect("a valid hostname");
    let mut stream = client.dial().await.expect("a stream");
    let read = timeout(PATIENCE, stream.read_u8()).await.expect("in time");
    assert_eq!(read.expect_err("dead").kind(), std::io::ErrorKind::TimedOut);
    assert!(stream.has_ended());
}

/// FAULTS row 21: a connector that answers pings badly on purpose, with a pong inside the frame that it is writing.
#[tokio::test]
async fn a_stream_that_carries_data_gets_no_ping_that_would_break_it() {
    const INTERVAL: Duration = Duration::from_secs(1);
    let authority = authority();
    let address = edge(&authority, |mut peer, key| async move {
        peer.write_all(switching(&key).as_bytes()).await.expect("the client reads");
        let (mut from, mut to) = tokio::io::split(peer);
        let (start, mut byte) = (tokio::time::Instant::now(), [0]);
        while start.elapsed() < 3 * INTERVAL {
            to.write_all(&[0x82, 2, b'x']).await.expect("the client reads");
            to.flush().await.expect("the client reads");
            if timeout(Duration::from_millis(10), from.read_exact(&mut byte)).await.is_ok() {
                to.write_all(&[0x8A, 0]).await.expect("the client reads");
            }
            to.write_all(b"x").await.expect("the client reads");
        }
        to.write_all(&[0x88, 0]).await.expect("the client reads");
        to.flush().await.expect("the client reads");
        let _gone = from.read_to_end(&mut Vec::new()).await;
    });
    let config = client_config(&authority, address.await, None);
    let config = ClientConfig { ping_interval: INTERVAL, ..config };
    let mut stream = Client::new(config).expect("valid").dial().await.expect("a stream");
    let mut text = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("in time");
    read.expect("no frame is broken");
    assert!(text.len() > 2 && text.iter().all(|byte| *byte == b'x'), "{text:?}");
}

#[tokio::test]
async fn a_long_write_into_a_dead_path_ends_with_a_timeout() {
    let authority = authority();
    let address = edge(&authority, |mut peer, key| async move {
        peer.write_all(switching(&key).as_bytes()).await.expect("the client reads");
        peer.flush().await.expect("the client reads");
        std::future::pending::<()>().await;
    });
    let config = client_config(&authority, address.await, None);
    let config = ClientConfig { ping_interval: Duration::from_millis(50), ..config };
    let client = Client::new(config).expect("a valid hostname");
    let mut stream = client.dial().await.expect("a stream");
    // More than the sockets on the way hold, so the write waits when the path is found dead.
    let bulk = vec![0; 64 << 20];
    let write = timeout(PATIENCE, stream.write_all(&bulk)).await.expect("in time");
    assert_eq!(write.expect_err("dead").kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_timed_dial_knows_each_stage_and_the_ray() {
    let authority = authority();
    let address = edge(&authority, |mut peer, key| async move {
        let answer = switching(&key).replacen("Upgrade:", "cf-ray: 8f00-AMS\r\nUpgrade:", 1);
        tokio::time::sleep(Duration::from_millis(30)).await;
        peer.write_all(answer.as_bytes()).await.expect("the client reads");
        peer.flush().await.expect("the client reads");
        std::future::pending::<()>().await;
    })
    .await;
    let mut stages = Stages::default();
    let _stream = client(&authority, address, token()).dial_timed(&mut stages).await.expect("open");
    assert!(stages.dns.is_some() && stages.tcp.is_some() && stages.tls.is_some(), "{stages:?}");
    assert!(stages.upgrade.expect("it passed") >= Duration::from_millis(30), "{stages:?}");
    assert_eq!((stages.peer, stages.ray.as_deref()), (Some(address), Some("8f00-AMS")));
}

#[tokio::test]
async fn a_timed_dial_that_fails_knows_the_stages_that_passed() {
    let authority = authority();
    let address = answering(&authority, "HTTP/1.1 403 Forbidden\r\n\r\n").await;
    let mut stages = Stages::default();
    let denied = client(&authority, address, token()).dial_timed(&mut stages).await;
    assert_eq!(denied.expect_err("403").word(), "access_denied");
    assert!(stages.tls.is_some() && stages.upgrade.is_none(), "{stages:?}");

    let nobody = client(&authority, nobody().await, None);
    nobody.dial_timed(&mut stages).await.expect_err("nobody");
    assert!(stages.dns.is_some() && stages.tcp.is_none(), "what was before is forgotten");
    assert_eq!(stages.tls, None);
}

#[tokio::test]
async fn a_flushed_write_is_one_tls_record() {
    let authority = authority();
    let (arrived, mut arrivals) = tokio::sync::mpsc::channel(8);
    let address = edge(&authority, move |mut peer, key| {
        let arrived = arrived.clone();
        async move {
            peer.write_all(switching(&key).as_bytes()).await.expect("the client reads");
            peer.flush().await.expect("the client reads");
            // rustls hands out at most one record per read into a large buffer of its own.
            let mut socket = peer.into_inner();
            loop {
                let mut record = vec![0; 64 * 1024];
                let Ok(len) = socket.read(&mut record).await else { return };
                if len == 0 || arrived.send(len).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut stream = client(&authority, address.await, None).dial().await.expect("a stream");
    for (len, header_len) in [(1, 6), (125, 6), (126, 8), (16 * 1024 - 8, 8)] {
        // Two halves, one flush: one message, one record, header included.
        stream.write_all(&vec![1; len / 2]).await.expect("room");
        stream.write_all(&vec![1; len - len / 2]).await.expect("room");
        stream.flush().await.expect("sent");
        let arrival = timeout(PATIENCE, arrivals.recv()).await.expect("in time");
        assert_eq!(arrival, Some(len + header_len));
    }
}
