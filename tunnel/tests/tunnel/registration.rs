//! Connectors that an edge must not let in, spoken by hand.

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use http::{Request, Response};
use serde_json::json;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::stage::{PATIENCE, Stage};

type Connection = h2::server::Connection<TlsStream<TcpStream>, Bytes>;

/// Dials the edge as a connector does and waits for the control stream.
async fn dial(stage: &Stage) -> (Connection, Request<h2::RecvStream>, SendResponse<Bytes>) {
    let socket = TcpStream::connect(stage.edge.connectors).await.expect("the edge listens");
    let name = "h2.cftunnel.com".try_into().expect("a name");
    let socket = TlsConnector::from(stage.client_tls()).connect(name, socket).await;
    let socket = socket.expect("the edge's certificate is for this name");
    let mut connection = h2::server::handshake(socket).await.expect("the edge is the client");
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

fn message(json: &serde_json::Value) -> Bytes {
    let body = json.to_string();
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [&length, body.as_bytes()].concat().into()
}

#[tokio::test]
async fn a_connector_with_a_wrong_secret_is_told_so_and_let_go() {
    let stage = Stage::open().await;
    let good = json!({
        "type": "register",
        "account_tag": "tag",
        "tunnel_id": stage.wrong_tunnel_token().tunnel().to_string(),
        "secret": "AAAA",
        "conn_index": 0,
        "connector_id": "c",
        "version": "0",
    });
    let wrong_tag =
        json!({"account_tag": "other", "secret": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="});
    let wrong_tunnel = json!({"tunnel_id": "no uuid"});
    for change in [json!({}), wrong_tag, wrong_tunnel] {
        let mut register_message = good.clone();
        for (key, value) in change.as_object().expect("an object") {
            register_message[key] = value.clone();
        }
        let answer = register(&stage, message(&register_message)).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer[2..]).expect("JSON");
        assert_eq!(answer["type"], "rejected");
        let error = answer["error"].as_str().expect("a text");
        assert!(error.starts_with("Unauthorized:"), "{error}");
        assert_eq!(stage.edge.handle.connectors(), 0);
    }
}

#[tokio::test]
async fn what_is_no_registration_ends_the_connection_without_an_answer() {
    let stage = Stage::open().await;
    let oversized = Bytes::from_static(&[0xFF, 0xFF]);
    let out_of_order = message(&json!({"type": "unregister"}));
    let nonsense = message(&json!({"type": "hello"}));
    for bytes in [oversized, out_of_order, nonsense] {
        assert_eq!(register(&stage, bytes).await, Bytes::new());
    }
}
