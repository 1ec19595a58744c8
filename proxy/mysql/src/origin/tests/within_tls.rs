//! Logins at origins within TLS, or that should have been.

use origin::net::tls::{self, IdentityPem, SslMode};

use super::*;

fn tls(mode: SslMode) -> (Arc<rustls::ServerConfig>, OriginTls) {
    let identity = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let (certificate, key) = (identity.cert.pem(), identity.signing_key.serialize_pem());
    let pem = IdentityPem { certificates: certificate.as_bytes(), key: key.as_bytes() };
    let roots = mode.is_verified().then_some(certificate.as_bytes());
    let client = tls::database_client(None, mode, roots, None).unwrap();
    let server_name = "localhost".try_into().unwrap();
    let is_verified = mode.is_verified();
    (tls::server(pem).unwrap().config, OriginTls::Required { client, server_name, is_verified })
}

#[tokio::test]
async fn an_origin_without_tls_is_refused_where_tls_is_required() {
    let origin = OriginConfig { tls: tls(SslMode::Require).1, ..origin(PASSWORD) };
    let login = play(origin, async |mut peer| {
        peer.greets(&greeting(auth::NATIVE)).await;
        peer.hears_the_end().await;
    });
    assert!(matches!(login.await, Err(ConnectError::TlsRequired)));
}

#[tokio::test]
async fn what_stands_behind_the_greeting_was_not_said_under_tls() {
    let origin = OriginConfig { tls: tls(SslMode::Require).1, ..origin(PASSWORD) };
    let login = play(origin, async |mut peer| {
        let mut greeting = greeting(auth::NATIVE);
        greeting.capabilities |= CapabilityFlags::CLIENT_SSL;
        let (mut wire, mut payload) = (BytesMut::new(), BytesMut::new());
        greeting.encode(&mut payload);
        packet::put(&mut wire, &mut 0, &payload);
        wire.extend_from_slice(&[7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]);
        peer.stream.write_all(&wire).await.unwrap();
        peer.sequence = 1;
        peer.hears().await;
        peer.hears_the_end().await;
    });
    assert!(matches!(login.await, Err(ConnectError::Protocol(_))));
}

/// Plays an origin within TLS that asks for a proof of `plugin`, and for the password itself where that has one.
async fn play_in_tls(
    mode: SslMode,
    plugin: &'static str,
    script: impl AsyncFnOnce(Peer<Stream>),
) -> Result<Login, ConnectError> {
    let (server, client) = tls(mode);
    let origin = OriginConfig { tls: client, ..origin(PASSWORD) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let script = async {
        let mut peer = Peer::new(far);
        let mut greeting = greeting(auth::CACHING_SHA2);
        greeting.capabilities |= CapabilityFlags::CLIENT_SSL;
        peer.greets(&greeting).await;
        // Not a byte more: what is behind it is TLS.
        let mut request = [0; packet::HEADER_LEN + 32];
        peer.stream.read_exact(&mut request).await.unwrap();
        assert!(handshake::ssl_request(&request[packet::HEADER_LEN..]).is_some());
        let (sequence, stream) = (2, Stream::Tcp(peer.stream));
        let stream = tls::accept(stream, Arc::clone(&server)).await.unwrap();
        let mut peer = Peer { stream, input: BytesMut::new(), sequence };
        peer.hears_response(auth::CACHING_SHA2).await;
        match plugin {
            auth::CACHING_SHA2 => peer.says_more(&[auth::PERFORM_FULL_AUTHENTICATION]).await,
            auth::NATIVE => peer.switches(plugin, &OTHER_NONCE).await,
            _ => peer.switches(plugin, b"").await,
        }
        script(peer).await;
    };
    let logging_in = login_over(Stream::Tcp(near), &origin, "jumpgate/test", || {});
    tokio::join!(logging_in, script).0
}

#[tokio::test]
async fn within_tls_the_password_itself_may_go_out() {
    for plugin in [auth::CACHING_SHA2, "mysql_clear_password"] {
        let login = play_in_tls(SslMode::VerifyFull, plugin, async |mut peer| {
            assert_eq!(&peer.hears().await[..], b"hunter2\0");
            peer.says_ok().await;
        });
        let login = login.await.unwrap();
        assert!(login.framed.stream().is_encrypted());
        assert!(login.capabilities.contains(CapabilityFlags::CLIENT_SSL));
    }
}

/// FAULTS row 55: nobody whose certificate is not verified gets the password, in clear text or under its own key.
#[tokio::test]
async fn whoever_is_not_verified_never_hears_the_password() {
    for plugin in [auth::CACHING_SHA2, "mysql_clear_password"] {
        let login = play_in_tls(SslMode::Require, plugin, async |mut peer| {
            peer.hears_the_end().await;
        });
        let error = login.await.unwrap_err();
        assert!(matches!(error, ConnectError::Unverified(_)), "{plugin}: {error:?}");
        assert!(error.to_string().contains("verify-full"), "it says what to do: {error}");
    }
    // A proof of it may go out.
    let login = play_in_tls(SslMode::Require, auth::NATIVE, async |mut peer| {
        let stored = auth::native_stored(PASSWORD.as_bytes());
        assert!(auth::verify_native(&stored, &OTHER_NONCE, &peer.hears().await));
        peer.says_ok().await;
    });
    login.await.unwrap();
}
