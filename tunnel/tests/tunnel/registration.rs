//! Connectors that an edge must not let in, spoken by hand.

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use http::{Request, Response};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::stage::{PATIENCE, Stage};

type Connection = h2::server::Connection<TlsStream<TcpStream>, Bytes>;

/// Dials the edge as a connector does and waits for the control stream.
async fn dial(stage: &Stage) -> (Connection, Request<h2::RecvStream>, SendResponse<Bytes>) {
    dial_with(stage, &h2::server::Builder::new()).await
}

async fn dial_with(
    stage: &Stage,
    builder: &h2::server::Builder,
) -> (Connection, Request<h2::RecvStream>, SendResponse<Bytes>) {
    let socket = TcpStream::connect(stage.edge.connectors).await.expect("the edge listens");
    let name = "h2.cftunnel.com".try_into().expect("a name");
    let socket = TlsConnector::from(stage.client_tls()).connect(name, socket).await;
    let socket = socket.expect("the edge's certificate is for this name");
    let mut connection = builder.handshake(socket).await.expect("the edge is the client");
    let (request, respond) = connection.accept().await.expect("a stream").expect("a request");
    (connection, request, respond)
}

/// Answers the control stream with these bytes and returns what the edge says until it closes.
async fn register(stage: &Stage, message: Bytes) -> Bytes {
    let (mut connection, request, mut respond) = dial(stage).await;
    let purpose = request.headers().get("cf-cloudflared-proxy-connection-upgrade");
    assert_eq!(purpose.expect("a purpose"), "control-stream");
    let mut send = respond.send_response(Response::new(()), false).expect("open");
    send.send_data(message, false).expect("open");
    let mut body = request.into_body();
    let answer = async {
        let mut answer = BytesMut::new();
        while let Some(Ok(data)) = body.data().await {
            answer.extend_from_slice(&data);
        }
        drop((send, body, respond));
        answer
    };
    let ended = async { while let Some(Ok(_stream)) = connection.accept().await {} };
    let both = async { tokio::join!(answer, ended) };
    timeout(PATIENCE, both).await.expect("the edge closes the connection").0.freeze()
}

/// Bootstrap, and a call of `registerConnection` on its answer: account "tag", a
/// tunnel of 16 times AA, a secret of 32 times 07.
const REGISTER: &str = "\
    0000000005000000000000000100010008000000000000000000000001000100000000000000000000000000\
    00000000000000002c0000000000000001000100020000000000000000000000030003000100000000000000\
    9754e87fec9516f7000000000000000008000000010001001400000000000200000000000000000000000000\
    0100000000000000010001000000000000000000000000000000000004000000010003000000000000000000\
    0000000000000000080000000000020021000000820000002400000001000200050000002200000005000000\
    0201000074616700000000000707070707070707070707070707070707070707070707070707070707070707\
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000000000000000040000000000040000000000000000000d000000\
    82000000110000000e0000001d0000002a0000001d00000062000000cccccccccccccccccccccccccccccccc\
    01000000a2000000616c6c6f775f72656d6f74655f636f6e666967000000000074657374000000006c696e75\
    785f616d6436340000000000";

/// A registration in which these bytes stand in for those of the tunnel, the tag and the secret.
fn registration(tunnel: &[u8; 16], tag: &[u8; 3], secret: &[u8; 32]) -> Bytes {
    let mut message = hex::decode(REGISTER).expect("digits");
    for (place, bytes) in [(&[0xAA; 16][..], &tunnel[..]), (b"tag", tag), (&[0x07; 32], secret)] {
        let at = message.windows(place.len()).position(|window| window == place);
        let at = at.expect("it stands there");
        message[at..at + place.len()].copy_from_slice(bytes);
    }
    message.into()
}

#[tokio::test]
async fn a_connector_with_wrong_credentials_is_told_so_and_let_go() {
    let stage = Stage::open().await;
    let known = *stage.wrong_tunnel_token().tunnel().as_bytes();
    for wrong in [
        registration(&known, b"tag", &[8; 32]),
        registration(&known, b"tab", &[7; 32]),
        registration(&[9; 16], b"tag", &[7; 32]),
    ] {
        let answer = register(&stage, wrong).await;
        let shown = String::from_utf8_lossy(&answer);
        assert!(shown.contains("Unauthorized: Invalid tunnel secret"), "{answer:?}");
        assert_eq!(stage.edge.handle.connectors(), 0);
    }
}

#[tokio::test]
async fn what_is_no_registration_ends_the_connection_without_an_answer() {
    let stage = Stage::open().await;
    let oversized = Bytes::from_static(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    let segments = Bytes::from_static(&[0xFF; 8]);
    let out_of_order = {
        // Method 1, `unregisterConnection`, before any registration.
        let mut message = registration(&[9; 16], b"tag", &[7; 32]).to_vec();
        let interface = 0xf716_95ec_7fe8_5497_u64.to_le_bytes();
        let at =
            message.windows(8).position(|window| window == interface).expect("it stands there");
        message[at - 4] = 1;
        Bytes::from(message)
    };
    for bytes in [oversized, segments] {
        assert_eq!(register(&stage, bytes).await, Bytes::new());
    }
    // The interface itself is offered to everybody, and nothing more.
    let answer = register(&stage, out_of_order).await;
    assert!(!String::from_utf8_lossy(&answer).contains("jumpgate"), "{answer:?}");
    assert_eq!(stage.edge.handle.connectors(), 0);
}

#[tokio::test]
async fn a_connector_that_reads_nothing_keeps_no_place() {
    let stage = Stage::open().await;
    let known = *stage.wrong_tunnel_token().tunnel().as_bytes();
    let good = registration(&known, b"tag", &[7; 32]);
    let wrong = registration(&known, b"tag", &[8; 32]);
    let takes = |len: u32| {
        let mut builder = h2::server::Builder::new();
        builder.initial_window_size(len);
        builder
    };

    // It takes the answer to Bootstrap, and no refusal: it is let go all the same.
    let (mut connection, request, mut respond) = dial_with(&stage, &takes(96)).await;
    let mut send = respond.send_response(Response::new(()), false).expect("open");
    send.send_data(wrong, false).expect("open");
    let ended = async { while let Some(Ok(_stream)) = connection.accept().await {} };
    timeout(2 * PATIENCE, ended).await.expect("the edge closes the connection");
    drop((send, request, respond));

    // It takes the answer to its registration, and none to its goodbye, which takes it off the list.
    let (mut connection, request, mut respond) = dial_with(&stage, &takes(250)).await;
    let mut send = respond.send_response(Response::new(()), false).expect("open");
    send.send_data(good.clone(), false).expect("open");
    let listed = async |count: usize| {
        while stage.edge.handle.connectors() != count {
            tokio::task::yield_now().await;
        }
    };
    let talk = async {
        listed(1).await;
        send.send_data(goodbye(&good), false).expect("open");
        listed(0).await;
    };
    let ended = async { while let Some(Ok(_stream)) = connection.accept().await {} };
    let both = async { tokio::join!(talk, ended) };
    timeout(2 * PATIENCE, both).await.expect("the edge closes the connection");
    drop((request, respond));
}

/// A call of `unregisterConnection`, question 2, made of that of `registerConnection`.
fn goodbye(registration: &[u8]) -> Bytes {
    let mut call = registration[BOOTSTRAP_LEN..].to_vec();
    let interface = 0xf716_95ec_7fe8_5497_u64.to_le_bytes();
    let at = call.windows(8).position(|window| window == interface).expect("it stands there");
    // In front of it stand the question (32 bits) and the method (16 bits).
    call[at - 8] = 2;
    call[at - 4] = 1;
    call.into()
}

/// The bytes of the first message of [`REGISTER`].
const BOOTSTRAP_LEN: usize = 48;
