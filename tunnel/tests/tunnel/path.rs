//! The path from a client to a service and back, and who may not take it.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, split},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tunnel::{
    access::ServiceToken,
    client::{AccessDenied, DialError, Stream},
    state::{SecretHash, State},
};

use crate::stage::{HOSTNAME, PATIENCE, Stage, echo, nobody};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCESS: &str = "Cf-Access-Client-Id: 88bf.access\r\nCf-Access-Client-Secret: bdd31cbc\r\n";

/// Asks and waits for the echo.
async fn echoes(stream: &mut Stream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("the stream takes it");
    stream.flush().await.expect("the stream sends it");
    let mut answer = vec![0; text.len()];
    let read = stream.read_exact(&mut answer);
    timeout(PATIENCE, read).await.expect("in time").expect("an answer");
    assert_eq!(answer, text.as_bytes());
}

/// Waits for the end of a stream, whatever else still comes.
async fn ends(stream: &mut Stream, within: Duration) {
    let end = async { while !matches!(stream.read_u8().await, Err(_error)) {} };
    timeout(within, end).await.expect("the stream ends in time");
}

/// Bytes that do not repeat soon.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let step = |_at| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..len).map(step).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_megabytes_arrive_intact_both_ways() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let stream = stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
    let sent = noise(5_000_000);
    let (mut from, mut to) = split(stream);
    let write = async {
        to.write_all(&sent).await.expect("the stream takes it");
        to.flush().await.expect("the stream sends it");
    };
    let read = async {
        let mut hash = Sha256::new();
        let (mut left, mut buffer) = (sent.len(), vec![0; 70_000]);
        while left > 0 {
            let len = from.read(&mut buffer).await.expect("more");
            assert_ne!(len, 0, "the end came {left} bytes early");
            hash.update(&buffer[..len]);
            left -= len;
        }
        hash.finalize()
    };
    let both = async { tokio::join!(write, read) };
    let ((), hash) = timeout(PATIENCE, both).await.expect("in time");
    assert_eq!(hash, Sha256::digest(&sent));
}

#[tokio::test]
async fn many_streams_share_a_connector() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let mut streams = JoinSet::new();
    for at in 0..40 {
        let client = stage.client(Some(stage.token.clone()));
        streams.spawn(async move {
            let mut stream = client.dial().await.expect("a stream");
            for round in 0..5 {
                echoes(&mut stream, &format!("stream {at}, round {round}")).await;
            }
        });
    }
    while let Some(ended) = streams.join_next().await {
        ended.expect("every stream echoes");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_the_others_nothing() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let client = stage.client(Some(stage.token.clone()));
    let mut stalled = Vec::new();
    // More than a few on each connection.
    for _ in 0..16 {
        let mut stream = client.dial().await.expect("a stream");
        stream.write_all(b"F").await.expect("the stream takes it");
        stream.flush().await.expect("the stream sends it");
        stream.read_u8().await.expect("the flood has begun");
        stalled.push(stream);
    }
    for _ in 0..4 {
        let mut stream = client.dial().await.expect("a stream");
        echoes(&mut stream, "still here").await;
    }
}

#[tokio::test]
async fn the_end_of_the_service_is_the_end_of_the_stream() {
    let service = crate::stage::serve(|mut socket| async move {
        socket.write_all(b"goodbye").await.expect("the peer reads");
    });
    let (stage, _stop) = Stage::with_service(service.await).await;
    let mut stream = stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    timeout(PATIENCE, read).await.expect("in time").expect("a clean end");
    assert_eq!(text, "goodbye");
    assert!(stream.has_ended());
}

#[tokio::test]
async fn the_end_of_the_client_is_the_end_of_the_service() {
    let (ended, mut end) = tokio::sync::mpsc::channel(1);
    let service = crate::stage::serve(move |mut socket| {
        let ended = ended.clone();
        async move {
            let mut bytes = Vec::new();
            let _error_or_end = socket.read_to_end(&mut bytes).await;
            ended.send(bytes).await.expect("the test waits");
        }
    });
    let (stage, _stop) = Stage::with_service(service.await).await;
    let client = stage.client(Some(stage.token.clone()));
    let mut stream = client.dial().await.expect("a stream");
    stream.write_all(b"last words").await.expect("the stream takes it");
    stream.shutdown().await.expect("sent");
    let bytes = timeout(PATIENCE, end.recv()).await.expect("in time");
    assert_eq!(bytes.as_deref(), Some(&b"last words"[..]));

    drop(client.dial().await.expect("a stream"));
    let bytes = timeout(PATIENCE, end.recv()).await.expect("a dropped stream ends too");
    assert_eq!(bytes.as_deref(), Some(&b""[..]));
}

#[tokio::test]
async fn a_service_that_is_down_is_an_unreachable_origin() {
    let (stage, _stop) = Stage::with_service(nobody().await).await;
    let error = stage.client(Some(stage.token.clone())).dial().await.expect_err("nobody there");
    assert!(matches!(error, DialError::OriginRefused(_)), "{error}");
    assert_eq!(error.word(), "origin_unreachable");
}

#[tokio::test]
async fn only_the_right_token_passes() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let wrong = ServiceToken::new("88bf.access", "bdd31cbd").expect("valid");
    let stranger = ServiceToken::new("99bf.access", "bdd31cbc").expect("valid");
    for token in [None, Some(wrong), Some(stranger)] {
        let error = stage.client(token).dial().await.expect_err("denied");
        let DialError::Access { denied, answer } = &error else { unreachable!("{error}") };
        assert_eq!(*denied, AccessDenied::Forbidden);
        assert!(answer.ray.is_some());
        assert!(!error.to_string().contains("bdd31cb"));
        assert_eq!(error.word(), "access_denied");
    }
}

#[tokio::test]
async fn a_tunnel_without_a_connector_is_down_but_says_so_only_to_those_who_may_pass() {
    let stage = Stage::open().await;
    let error = stage.client(Some(stage.token.clone())).dial().await.expect_err("no connector");
    assert!(matches!(error, DialError::TunnelDown(_)), "{error}");
    assert!(error.to_string().contains("error code: 1033"), "{error}");
    assert_eq!(error.word(), "tunnel_unavailable");
    let error = stage.client(None).dial().await.expect_err("denied");
    assert_eq!(error.word(), "access_denied");
}

#[tokio::test]
async fn what_is_no_upgrade_is_refused_by_the_edge_itself() {
    // The service would fail the test by refusing with 502 if anything reached the connector.
    let (stage, _stop) = Stage::with_service(nobody().await).await;
    let oversized = format!("X: {}\r\n", "x".repeat(20_000));
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: {HOSTNAME}\r\n{ACCESS}\r\n"), "426"),
        (format!("GET / HTTP/1.1\r\nHost: {HOSTNAME}\r\n\r\n"), "403"),
        (format!("GET / HTTP/1.1\r\nHost: no.test\r\n{ACCESS}{UPGRADE}\r\n"), "404"),
        (format!("POST / HTTP/1.1\r\nHost: {HOSTNAME}\r\n{ACCESS}{UPGRADE}\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\nHost: {HOSTNAME}\r\n{ACCESS}{ACCESS}{UPGRADE}\r\n"), "403"),
        (format!("GET / HTTP/1.1\r\nHost: {HOSTNAME}\r\n{oversized}{ACCESS}{UPGRADE}\r\n"), "400"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nHost: {HOSTNAME}\r\n{ACCESS}{UPGRADE}\r\n"), "502"),
    ] {
        let answer = stage.ask(&request).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "expected {status} for {request:.200}, got {answer}");
    }
}

#[tokio::test]
async fn a_revoked_token_ends_its_open_streams() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let client = stage.client(Some(stage.token.clone()));
    let mut stream = client.dial().await.expect("a stream");
    echoes(&mut stream, "hello").await;
    stage.edge.change(|state| state.service_tokens.clear());
    ends(&mut stream, Duration::from_secs(1)).await;
    let error = client.dial().await.expect_err("revoked");
    assert_eq!(error.word(), "access_denied");
}

#[tokio::test]
async fn a_state_that_does_not_fit_together_changes_nothing() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let mut stream = stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
    let mut state = State::clone(&stage.edge.handle.state());
    state.service_tokens.clear();
    state.tunnels.clear();
    let error = stage.edge.handle.set_state(state).expect_err("a route leads nowhere");
    assert!(error.to_string().contains("leads to the unknown tunnel"), "{error}");
    echoes(&mut stream, "still here").await;
}

#[tokio::test]
async fn a_connector_whose_tunnel_has_another_secret_is_let_go() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let mut stream = stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
    stage.edge.change(|state| state.tunnels[0].secret = SecretHash::of(b"another"));
    ends(&mut stream, Duration::from_secs(1)).await;
    assert_eq!(stage.edge.handle.connectors(), 0);
    let error = stage.client(Some(stage.token.clone())).dial().await.expect_err("no connector");
    assert_eq!(error.word(), "tunnel_unavailable");
}

#[tokio::test]
async fn a_connector_with_wrong_credentials_is_never_registered() {
    let stage = Stage::open().await;
    let connector = stage.connector(stage.wrong_tunnel_token(), nobody().await);
    let mut registered = connector.registered();
    let stop = CancellationToken::new();
    let run = connector.run(stop.clone());
    let watch = async {
        let wait = registered.wait_for(|count| *count > 0);
        assert!(timeout(Duration::from_millis(300), wait).await.is_err(), "rejected");
        stop.cancel();
    };
    tokio::join!(run, watch);
    assert_eq!(stage.edge.handle.connectors(), 0);
}

#[tokio::test]
async fn a_new_connector_heals_what_a_stopped_one_left() {
    let service = echo().await;
    let (stage, stop) = Stage::with_service(service).await;
    let client = stage.client(Some(stage.token.clone()));
    let mut stream = client.dial().await.expect("a stream");
    stop.cancel();
    while stage.edge.handle.connectors() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.dial().await.expect_err("gone").word(), "tunnel_unavailable");
    echoes(&mut stream, "an open stream goes on while the connector drains").await;

    let _stop = stage.start_connector(service).await;
    let mut healed = client.dial().await.expect("a stream");
    echoes(&mut healed, "back again").await;
}

#[tokio::test]
async fn a_connector_comes_back_after_the_edge_was_restarted() {
    let (mut stage, _stop) = Stage::with_service(echo().await).await;
    let mut stream = stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
    stage.restart_edge().await;
    ends(&mut stream, PATIENCE).await;
    let back = async {
        while stage.edge.handle.connectors() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, back).await.expect("the connector is back");
    let mut stream = stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
    echoes(&mut stream, "back again").await;
}
