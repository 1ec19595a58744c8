//! Logins with scripted clients: a transcript each. Those that must not get in are in [`hostile`], those
//! who are too many in [`many`], and those who may have either of two passwords in [`two`].

mod hostile;
mod many;
mod two;

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use origin::net::{
    self,
    tls::{IdentityPem, SslMode},
};
use protocol::mysql::{
    auth,
    capabilities::{MariaDbFlags, StatusFlags},
    handshake::{AuthSwitch, Greeting, auth_more_data},
    packet,
    reply::{ErrPacket, OkPacket},
};
use serving::{
    config::{ClientUser, Config, Engine, sample},
    context::Common,
    observe::Metrics,
    salts::Salts,
    shutdown::Shutdown,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{rsa, tests::peer::Peer};

const PASSWORD: &[u8] = b"open sesame";

/// Two databases: both have `shared`, only `shop` has `app`, and only `blog` has `scram`, of whom the file gives
/// a SCRAM verifier alone.
fn config() -> Config {
    let salts = Salts::random();
    let known = |name: &str| sample::user(Engine::MySql, name, "open sesame", &salts);
    let database = |name: &str, user: ClientUser| {
        let mut database = sample::database(Engine::MySql, name);
        Arc::make_mut(&mut database.caching).disabled = true;
        database.origin.database = format!("{name}_schema");
        database.origin.user = String::from("jumpgate");
        database.users = vec![known("shared"), user];
        database
    };
    let verifier = postgres_protocol::password::scram_sha_256(PASSWORD);
    let databases =
        [database("shop", known("app")), database("blog", sample::verified("scram", &verifier))];
    sample::config(&salts, databases)
}

fn context(config: &Config) -> Arc<Context> {
    let common = Common::new(config, Arc::new(Metrics::new()), &Shutdown::new());
    Context::new(config, common)
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Peer<S> {
    async fn hears_greeting(&mut self) -> Greeting {
        Greeting::decode(&self.hears().await).unwrap()
    }

    async fn hears_switch(&mut self, plugin: &str) -> Nonce {
        let payload = self.hears().await;
        let switch = AuthSwitch::decode(&payload).unwrap();
        assert_eq!(switch.plugin, plugin.as_bytes());
        switch.scramble().unwrap()
    }

    async fn hears_more(&mut self) -> Bytes {
        Bytes::copy_from_slice(auth_more_data(&self.hears().await).unwrap())
    }

    async fn hears_ok(&mut self) {
        let payload = self.hears().await;
        let ok = OkPacket::decode(&payload, CapabilityFlags::empty()).unwrap();
        assert_eq!(ok.status, StatusFlags::SERVER_STATUS_AUTOCOMMIT);
    }

    /// The error that ends the connection.
    async fn hears_error(&mut self, code: u16) -> String {
        let payload = self.hears().await;
        let error = ErrPacket::decode(&payload).unwrap();
        let message = String::from_utf8_lossy(error.message).into_owned();
        assert_eq!(error.code, code, "{message}");
        self.hears_the_end().await;
        message
    }

    async fn responds(&mut self, response: &HandshakeResponse<'_>) {
        let mut payload = BytesMut::new();
        response.encode(&mut payload);
        self.says(&payload).await;
    }
}

const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB);

fn response<'a>(user: &'a str, plugin: &'a str, auth: &'a [u8]) -> HandshakeResponse<'a> {
    HandshakeResponse {
        capabilities: CAPABILITIES,
        extended: MariaDbFlags::empty(),
        max_packet: 1 << 24,
        collation: 224,
        user: user.as_bytes(),
        auth,
        database: None,
        plugin: Some(plugin.as_bytes()),
        attributes: b"",
        zstd_level: 3,
    }
}

/// Plays a client's part against a login, and returns what became of it.
async fn play(context: &Context, script: impl AsyncFnOnce(Peer)) -> Result<Opened, SessionError> {
    let (near, far) = tokio::io::duplex(4096);
    let listen = context.common.listen();
    let opening = open(Stream::Duplex(near), &listen, context);
    let both = async { tokio::join!(opening, script(Peer::new(far))).0 };
    timeout(Duration::from_secs(60), both).await.expect("both ends are done")
}

fn client(opened: Result<Opened, SessionError>) -> Client {
    match opened {
        Ok(Opened::Client(client)) => *client,
        other => panic!("no client: {other:?}"),
    }
}

fn is_denied(opened: &Result<Opened, SessionError>) -> bool {
    matches!(opened, Err(SessionError::Refused(ClientError::AccessDenied)))
}

/// The full way without TLS. With a key, it is not asked for.
async fn full_with_rsa(
    peer: &mut Peer,
    (user, password): (&str, &[u8]),
    key: Option<&[u8]>,
) -> Bytes {
    let nonce = peer.hears_greeting().await.scramble;
    let proof = auth::sha2_response(password, &nonce);
    peer.responds(&response(user, auth::CACHING_SHA2, &proof)).await;
    assert_eq!(&peer.hears_more().await[..], [auth::PERFORM_FULL_AUTHENTICATION]);
    let pem = match key {
        Some(key) => Bytes::copy_from_slice(key),
        None => {
            peer.says(&[auth::REQUEST_PUBLIC_KEY]).await;
            peer.hears_more().await
        }
    };
    let hidden = auth::obscure(&[password, b"\0"].concat(), &nonce);
    peer.says(&rsa::encrypt(&pem, &hidden).unwrap()).await;
    pem
}

/// A listener's TLS, and a client that takes any certificate.
fn tls() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let identity = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let (certificate, key) = (identity.cert.pem(), identity.signing_key.serialize_pem());
    let pem = IdentityPem { certificates: certificate.as_bytes(), key: key.as_bytes() };
    let client = net::tls::database_client(None, SslMode::Require, None, None).unwrap();
    (net::tls::server(pem).unwrap().config, client)
}

async fn sockets() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

fn ssl_request() -> BytesMut {
    let mut payload = BytesMut::new();
    let asked = (CAPABILITIES, MariaDbFlags::empty());
    handshake::encode_ssl_request(asked, 1 << 24, 45, &mut payload);
    payload
}

#[tokio::test]
async fn the_greeting_offers_what_we_can_translate_and_no_tls_without_a_certificate() {
    let context = context(&config());
    let opened = play(&context, async |mut peer| {
        let greeting = peer.hears_greeting().await;
        assert_eq!(greeting.capabilities, offer::OFFERED | offer::COMPRESSION);
        assert!(!greeting.capabilities.contains(CapabilityFlags::CLIENT_SSL));
        assert_eq!(greeting.plugin, auth::CACHING_SHA2.as_bytes());
        assert!(greeting.thread_id >= 0x4000_0000);
        assert!(greeting.scramble.iter().all(|byte| (1..0x80).contains(byte) && *byte != b'$'));
    })
    .await;
    assert!(matches!(opened, Ok(Opened::Nothing)), "it left without a word");
}

#[tokio::test]
async fn the_fast_way_of_caching_sha2_takes_one_answer() {
    let context = context(&config());
    let opened = play(&context, async |mut peer| {
        let greeting = peer.hears_greeting().await;
        let proof = auth::sha2_response(PASSWORD, &greeting.scramble);
        peer.responds(&response("app", auth::CACHING_SHA2, &proof)).await;
        assert_eq!(&peer.hears_more().await[..], [auth::FAST_AUTH_SUCCESS]);
        peer.hears_ok().await;
    })
    .await;
    let client = client(opened);
    assert_eq!((&*client.user, &*client.database.config.name), ("app", "shop"));
    assert_eq!((client.schema, client.collation), (None, 224));
    assert_eq!(client.capabilities, CAPABILITIES);
}

#[tokio::test]
async fn a_native_client_is_taken_at_its_word_or_asked_again() {
    let context = context(&config());
    for asks_again in [false, true] {
        let opened = play(&context, async |mut peer| {
            let greeting = peer.hears_greeting().await;
            let mut proof = auth::native_response(PASSWORD, &greeting.scramble);
            if asks_again {
                // As Connector/C does, whose own method is not the greeting's.
                peer.responds(&response("app", auth::NATIVE, b"")).await;
                let nonce = peer.hears_switch(auth::NATIVE).await;
                assert_ne!(nonce, greeting.scramble);
                proof = auth::native_response(PASSWORD, &nonce);
                peer.says(&proof).await;
            } else {
                peer.responds(&response("app", auth::NATIVE, &proof)).await;
            }
            peer.hears_ok().await;
        })
        .await;
        assert_eq!(client(opened).user, "app");
    }
}

#[tokio::test]
async fn a_client_that_knows_no_method_names_speaks_native() {
    let context = context(&config());
    let opened = play(&context, async |mut peer| {
        let greeting = peer.hears_greeting().await;
        let proof = auth::native_response(PASSWORD, &greeting.scramble);
        let capabilities = CAPABILITIES - CapabilityFlags::CLIENT_PLUGIN_AUTH;
        let response = HandshakeResponse { capabilities, ..response("app", "", &proof) };
        peer.responds(&response).await;
        peer.hears_ok().await;
    })
    .await;
    assert_eq!(client(opened).user, "app");

    let opened = play(&context, async |mut peer| {
        let greeting = peer.hears_greeting().await;
        let proof = auth::native_response(PASSWORD, &greeting.scramble);
        let capabilities = CAPABILITIES - CapabilityFlags::CLIENT_PLUGIN_AUTH;
        let response = HandshakeResponse { capabilities, ..response("scram", "", &proof) };
        peer.responds(&response).await;
        peer.hears_error(1251).await;
    })
    .await;
    assert!(is_denied(&opened));
}

#[tokio::test]
async fn an_unknown_method_is_switched_to_ours() {
    let context = context(&config());
    let opened = play(&context, async |mut peer| {
        peer.hears_greeting().await;
        peer.responds(&response("app", "client_ed25519", &[7; 64])).await;
        let nonce = peer.hears_switch(auth::CACHING_SHA2).await;
        peer.says(&auth::sha2_response(PASSWORD, &nonce)).await;
        assert_eq!(&peer.hears_more().await[..], [auth::FAST_AUTH_SUCCESS]);
        peer.hears_ok().await;
    })
    .await;
    assert_eq!(client(opened).user, "app");
}

#[tokio::test]
async fn a_scram_verifier_is_enough_and_the_second_login_is_fast() {
    let context = context(&config());
    let mut key = None;
    let opened = play(&context, async |mut peer| {
        key = Some(full_with_rsa(&mut peer, ("scram", PASSWORD), None).await);
        peer.hears_ok().await;
    })
    .await;
    assert_eq!(client(opened).database.config.name, "blog");

    let opened = play(&context, async |mut peer| {
        let nonce = peer.hears_greeting().await.scramble;
        let proof = auth::sha2_response(PASSWORD, &nonce);
        peer.responds(&response("scram", auth::CACHING_SHA2, &proof)).await;
        assert_eq!(&peer.hears_more().await[..], [auth::FAST_AUTH_SUCCESS]);
        peer.hears_ok().await;
    })
    .await;
    assert_eq!(client(opened).user, "scram");

    let opened = play(&context, async |mut peer| {
        full_with_rsa(&mut peer, ("scram", b"wrong"), key.as_deref()).await;
        let message = peer.hears_error(1045).await;
        assert_eq!(message, "Access denied for user 'scram'@'localhost' (using password: YES)");
    })
    .await;
    assert!(is_denied(&opened));
}

#[tokio::test]
async fn the_database_is_the_one_named_or_the_only_one_with_the_user() {
    let context = context(&config());
    for (user, asked, config, schema) in [
        ("app", None, "shop", None),
        ("app", Some("shop"), "shop", None),
        // `blog` has no user `app`, so it is the name of a schema.
        ("app", Some("blog"), "shop", Some("blog")),
        ("app", Some("other"), "shop", Some("other")),
        ("shared", Some("blog"), "blog", None),
        ("shared", Some("shop"), "shop", None),
    ] {
        let opened = play(&context, async |mut peer| {
            let nonce = peer.hears_greeting().await.scramble;
            let proof = auth::native_response(PASSWORD, &nonce);
            let response = response(user, auth::NATIVE, &proof);
            let database = asked.map(str::as_bytes);
            peer.responds(&HandshakeResponse { database, ..response }).await;
            peer.hears_ok().await;
        })
        .await;
        let client = client(opened);
        assert_eq!(client.database.config.name, config, "{user} {asked:?}");
        assert_eq!(client.schema.as_deref(), schema, "{user} {asked:?}");
    }
}

#[tokio::test]
async fn a_user_of_several_databases_must_name_one_and_only_learns_so_with_the_password() {
    let context = context(&config());
    for (password, code) in [(PASSWORD, 1049), (b"wrong", 1045)] {
        let opened = play(&context, async |mut peer| {
            let nonce = peer.hears_greeting().await.scramble;
            let proof = auth::native_response(password, &nonce);
            peer.responds(&response("shared", auth::NATIVE, &proof)).await;
            let message = peer.hears_error(code).await;
            assert_eq!(message.contains("several configurations"), code == 1049, "{message}");
        })
        .await;
        assert!(opened.is_err());
    }
}

#[tokio::test]
async fn a_client_can_change_its_user_with_the_old_nonce_or_a_new_one() {
    let context = context(&config());
    for (user, knows_nonce) in [("app", true), ("app", false), ("shared", true)] {
        let (near, far) = tokio::io::duplex(4096);
        let mut framed = Framed::new(Stream::Duplex(near));
        let mut nonce = *b"0123456789abcdefghij";
        let old = nonce;
        let claimed = if knows_nonce { old } else { *b"another nonce of 20b" };
        let proof = auth::native_response(PASSWORD, &claimed);
        let mut request = BytesMut::new();
        ChangeUser {
            user: user.as_bytes(),
            auth: &proof,
            database: Some(b"shop"),
            collation: Some(255),
            plugin: Some(auth::NATIVE.as_bytes()),
            attributes: b"",
        }
        .encode(CAPABILITIES, &mut request);
        let request = (&request[1..], 1, Refusing::HangsUp);
        let script = async {
            let mut peer = Peer::new(far);
            peer.sequence = 1;
            if !knows_nonce {
                let nonce = peer.hears_switch(auth::NATIVE).await;
                peer.says(&auth::native_response(PASSWORD, &nonce)).await;
            }
            peer.hears_ok().await;
        };
        let agreed = (CAPABILITIES, &mut nonce, None);
        let changing = change_user(&mut framed, agreed, request, &context);
        let Change::Done(changed) = tokio::join!(changing, script).0.unwrap() else {
            panic!("it is refused");
        };
        assert_eq!((&*changed.user, &*changed.database.config.name), (user, "shop"));
        assert_eq!(changed.collation, Some(255));
        assert_eq!(nonce == old, knows_nonce);
    }
}

#[tokio::test]
async fn within_tls_the_full_way_takes_the_password_itself() {
    let (server, connector) = tls();
    let context = context(&config());
    let mut listen = ListenConfig::clone(&context.common.listen());
    listen.tls = Some(server);
    let (near, far) = sockets().await;
    let script = async {
        let mut peer = Peer::new(far);
        let greeting = peer.hears_greeting().await;
        assert!(greeting.capabilities.contains(CapabilityFlags::CLIENT_SSL));
        peer.says(&ssl_request()).await;
        let name = "localhost".try_into().unwrap();
        let stream = net::tls::connect(Stream::Tcp(peer.stream), connector, name).await.unwrap();
        let mut peer = Peer { stream, input: BytesMut::new(), sequence: peer.sequence };
        // CLIENT_SSL is unset here, as it is where somebody else set up TLS for the driver.
        peer.responds(&response("scram", auth::CACHING_SHA2, &[7; 32])).await;
        assert_eq!(&peer.hears_more().await[..], [auth::PERFORM_FULL_AUTHENTICATION]);
        peer.says(&[PASSWORD, b"\0"].concat()).await;
        peer.hears_ok().await;
    };
    let opening = open(Stream::Tcp(near), &listen, &context);
    let client = client(tokio::join!(opening, script).0);
    assert!(client.framed.stream().is_encrypted());
    assert_eq!(client.user, "scram");
}

#[tokio::test]
async fn a_client_too_many_hears_so_where_the_greeting_would_be() {
    let (near, far) = tokio::io::duplex(4096);
    refuse(Stream::Duplex(near), ClientError::TooManyConnections).await.unwrap();
    let message = Peer::new(far).hears_error(1040).await;
    assert_eq!(message, ClientError::TooManyConnections.to_string());
}
