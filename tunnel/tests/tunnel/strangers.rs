//! Who comes to an edge and does not say who it is, or comes to the wrong port, or with an older secret.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tunnel::{
    client::DialError,
    connector::{Connector, ConnectorConfig, Targets},
    state::{PreviousSecret, SecretHash, Tunnel},
};

use crate::stage::{CONNECTIONS, PATIENCE, Stage, echo};

/// Twice the room for strangers.
const FLOOD: usize = 400;

/// FAULTS row 23: silent connections kept every new connector out.
#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    let stage = Stage::open().await;
    for address in [stage.edge.connectors, stage.edge.public] {
        let mut silent = Vec::new();
        for _ in 0..FLOOD {
            silent.push(TcpStream::connect(address).await.expect("the edge listens"));
        }
        // It would take ten seconds for each two hundred of them.
        let stop = stage.start_connector(echo().await).await;
        stage.client(Some(stage.token.clone())).dial().await.expect("a stream");
        stop.cancel();
        // They do not stay for long either.
        let all = async {
            for mut socket in silent {
                let _end_or_reset = socket.read(&mut [0]).await;
            }
        };
        timeout(PATIENCE, all).await.expect("who says nothing is let go");
    }
}

/// FAULTS §3, and §4: "a connector on the public port is silent for 10 s".
#[tokio::test]
async fn who_comes_to_the_wrong_port_is_told_so() {
    let stage = Stage::open().await;
    let socket = TcpStream::connect(stage.edge.public).await.expect("the edge listens");
    let name = "h2.cftunnel.com".try_into().expect("a name");
    let tls = TlsConnector::from(stage.client_tls());
    let mut connector = tls.connect(name, socket).await.expect("the certificate is for both");
    let mut answer = Vec::new();
    let read = connector.read_to_end(&mut answer);
    timeout(PATIENCE / 2, read).await.expect("at once").expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("7844"), "{answer}");

    let dialled = stage.client_of(stage.edge.connectors).dial().await;
    assert!(matches!(dialled, Err(DialError::ConnectorPort)), "{dialled:?}");
}

/// FAULTS §3: `check` could not tell one from another.
#[tokio::test]
async fn what_nobody_serves_is_told_apart() {
    let stage = Stage::open().await;
    let dial = async || stage.client(Some(stage.token.clone())).dial().await.expect_err("refused");
    let error = dial().await;
    assert!(matches!(error, DialError::TunnelDown(_)), "{error}");

    let config = stage.connector_config(stage.tunnel_token(), echo().await);
    let targets = Targets::parse("192.0.2.1:5432").expect("a list");
    let (_, stop) = stage.run(Connector::new(ConnectorConfig { targets, ..config.clone() })).await;
    let error = dial().await;
    assert!(matches!(error, DialError::NotAllowed(_)), "{error}");
    assert!(error.to_string().contains("--allow"), "{error}");
    stop.cancel();
    while stage.edge.handle.connectors() > 0 {
        tokio::task::yield_now().await;
    }

    let mut other = config;
    other.ingress[0].hostname = "other.test".to_owned();
    let (_, _stop) = stage.run(Connector::new(other)).await;
    let error = dial().await;
    assert!(matches!(error, DialError::NoService { status: 404, .. }), "{error}");

    stage.edge.change(|state| state.routes.clear());
    let error = dial().await;
    assert!(matches!(error, DialError::UnknownHostname(_)), "{error}");
}

/// FAULTS §3: a rotated tunnel cut all connectors at once.
#[tokio::test]
async fn a_secret_that_was_rotated_away_counts_until_its_overlap_is_over() {
    let (stage, _stop) = Stage::with_service(echo().await).await;
    let all = usize::from(CONNECTIONS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let rotate = |expires_at| {
        stage.edge.change(|state| {
            let before = Tunnel::from(&stage.tunnel_token()).secret;
            state.tunnels[0].secret = SecretHash::of(b"new");
            state.tunnels[0].previous = Some(PreviousSecret { secret: before, expires_at });
        });
    };
    rotate(now + 3600);
    let (_, _other) = stage.watched_connector(echo().await).await;
    assert_eq!(stage.edge.handle.connectors(), 2 * all, "none is let go, and more may come");
    let infos = stage.edge.handle.connector_infos();
    assert_eq!(infos.len(), 2 * all);
    assert!(infos.iter().all(|info| info.address.ip().is_loopback()), "{infos:?}");
    rotate(now + 1);
    let gone = async {
        while stage.edge.handle.connectors() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("with the end of the overlap");
}
