//! Logins at scripted origins, good ones and hostile ones.

mod within_tls;

use bytes::{Bytes, BytesMut};
use origin::{
    net::{Framed, Stream},
    secret::Secret,
};
use protocol::{
    mysql::{
        auth,
        capabilities::{MariaDbFlags, StatusFlags},
        exchange::CommandKind,
        handshake::{self, AuthSwitch, Greeting, HandshakeResponse},
        reply::{ColumnDef, ErrPacket, OkPacket, encode_column_count, encode_text_row},
    },
    reader::DecodeError,
};
use serving::config::{Dial, Hosts, OriginConfig, OriginTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{asking::COM_QUIT, *};
use crate::{rsa::Vault, tests::peer::Peer};

const PASSWORD: &str = "hunter2";
const NONCE: auth::Nonce = *b"0123456789abcdefghij";
const OTHER_NONCE: auth::Nonce = *b"abcdefghij0123456789";

fn origin(password: &str) -> OriginConfig {
    OriginConfig {
        dial: Dial::Tcp { host: String::from("127.0.0.1"), port: 1 },
        database: String::from("shop"),
        user: String::from("jumpgate"),
        password: Secret::new(password.to_owned()).into(),
        tls: OriginTls::Plaintext,
        hosts: Hosts::default(),
        compression: None,
    }
}

const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS);

fn greeting(plugin: &'static str) -> Greeting {
    Greeting {
        version: Bytes::from_static(b"8.4.0"),
        thread_id: 7,
        scramble: NONCE,
        capabilities: CAPABILITIES,
        extended: MariaDbFlags::empty(),
        collation: 255,
        status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        plugin: Bytes::from_static(plugin.as_bytes()),
    }
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Peer<S> {
    async fn says_made(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        let mut payload = BytesMut::new();
        encode(&mut payload);
        self.says(&payload).await;
    }

    async fn greets(&mut self, greeting: &Greeting) {
        self.says_made(|out| greeting.encode(out)).await;
    }

    /// Hears a HandshakeResponse with this plugin, and returns its proof.
    async fn hears_response(&mut self, plugin: &str) -> Vec<u8> {
        let payload = self.hears().await;
        let response = HandshakeResponse::decode(&payload, CapabilityFlags::all()).unwrap();
        assert_eq!(response.user, b"jumpgate");
        assert_eq!(response.database, Some(&b"shop"[..]));
        assert_eq!(response.plugin, Some(plugin.as_bytes()));
        assert!(!response.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS));
        let attributes = handshake::attributes(response.attributes).map(Result::unwrap);
        assert!({ attributes }.any(|pair| pair == (b"program_name", b"jumpgate/test")));
        response.auth.to_vec()
    }

    async fn switches(&mut self, plugin: &str, data: &[u8]) {
        let switch = AuthSwitch { plugin: plugin.as_bytes(), data };
        self.says_made(|out| switch.encode(out)).await;
    }

    async fn says_more(&mut self, data: &[u8]) {
        self.says_made(|out| handshake::encode_auth_more_data(data, out)).await;
    }

    async fn says_ok(&mut self) {
        let ok = OkPacket { status: StatusFlags::SERVER_STATUS_AUTOCOMMIT, ..OkPacket::default() };
        self.says_made(|out| ok.encode(0, CAPABILITIES, out)).await;
    }

    async fn says_error(&mut self, code: u16, sqlstate: &str, message: &str) {
        let (sqlstate, message) = (sqlstate.as_bytes(), message.as_bytes());
        self.says_made(|out| ErrPacket { code, sqlstate, message }.encode(out)).await;
    }
}

async fn play(origin: OriginConfig, script: impl AsyncFnOnce(Peer)) -> Result<Login, ConnectError> {
    let (near, far) = tokio::io::duplex(4096);
    let logging_in = login_over(Stream::Duplex(near), &origin, "jumpgate/test", || {});
    let both = async { tokio::join!(logging_in, script(Peer::new(far))).0 };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("both ends are done")
}

#[tokio::test]
async fn both_plugins_are_proven_with_the_greetings_nonce() {
    for plugin in [auth::NATIVE, auth::CACHING_SHA2] {
        let login = play(origin(PASSWORD), async |mut peer| {
            peer.greets(&greeting(plugin)).await;
            let proof = peer.hears_response(plugin).await;
            if plugin == auth::NATIVE {
                let stored = auth::native_stored(PASSWORD.as_bytes());
                assert!(auth::verify_native(&stored, &NONCE, &proof));
            } else {
                let stored = auth::sha2_stored(PASSWORD.as_bytes());
                assert!(auth::verify_sha2(&stored, &NONCE, &proof));
                peer.says_more(&[auth::FAST_AUTH_SUCCESS]).await;
            }
            peer.says_ok().await;
        })
        .await
        .unwrap();
        assert_eq!((login.thread_id, &login.version[..]), (7, &b"8.4.0"[..]));
        assert_eq!(login.capabilities, CAPABILITIES - CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    }
}

#[tokio::test]
async fn a_switch_is_followed_with_its_own_nonce() {
    for (first, then) in [(auth::CACHING_SHA2, auth::NATIVE), ("sha256_password", auth::NATIVE)] {
        let login = play(origin(PASSWORD), async |mut peer| {
            peer.greets(&greeting(first)).await;
            let answered = if first == auth::CACHING_SHA2 { first } else { auth::NATIVE };
            peer.hears_response(answered).await;
            peer.switches(then, &OTHER_NONCE).await;
            let proof = peer.hears().await;
            let stored = auth::native_stored(PASSWORD.as_bytes());
            assert!(auth::verify_native(&stored, &OTHER_NONCE, &proof));
            peer.says_ok().await;
        })
        .await;
        assert!(login.is_ok(), "{login:?}");
    }
}

#[tokio::test]
async fn without_tls_the_full_way_goes_under_the_origins_key() {
    let vault = Vault::default();
    let login = play(origin(PASSWORD), async |mut peer| {
        peer.greets(&greeting(auth::CACHING_SHA2)).await;
        peer.hears_response(auth::CACHING_SHA2).await;
        peer.says_more(&[auth::PERFORM_FULL_AUTHENTICATION]).await;
        assert_eq!(&peer.hears().await[..], [auth::REQUEST_PUBLIC_KEY]);
        peer.says_more(vault.public_pem().await.unwrap().as_bytes()).await;
        let hidden = vault.decrypt(peer.hears().await.to_vec()).await.unwrap();
        assert_eq!(auth::obscure(&hidden, &NONCE), b"hunter2\0");
        peer.says_ok().await;
    })
    .await;
    assert!(login.is_ok(), "{login:?}");
}

#[tokio::test]
async fn a_user_without_a_password_says_that_there_is_none() {
    for (plugin, nothing) in [(auth::NATIVE, &b""[..]), (auth::CACHING_SHA2, b"\0")] {
        let login = play(origin(""), async |mut peer| {
            peer.greets(&greeting(plugin)).await;
            assert_eq!(peer.hears_response(plugin).await, nothing);
            peer.says_ok().await;
        })
        .await;
        assert!(login.is_ok(), "{login:?}");
    }
}

#[tokio::test]
async fn a_password_never_goes_out_in_clear_text_without_tls() {
    let asked = play(origin(PASSWORD), async |mut peer| {
        peer.greets(&greeting("mysql_clear_password")).await;
        peer.hears_response(auth::NATIVE).await;
        peer.switches("mysql_clear_password", b"").await;
        peer.hears_the_end().await;
    });
    let error = asked.await.unwrap_err();
    assert_eq!(error.word(), "authentication_failed", "{error}");

    // A key that nobody can decrypt with, or none at all.
    for key in [&b""[..], b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        let asked = play(origin(PASSWORD), async |mut peer| {
            peer.greets(&greeting(auth::CACHING_SHA2)).await;
            peer.hears_response(auth::CACHING_SHA2).await;
            peer.says_more(&[auth::PERFORM_FULL_AUTHENTICATION]).await;
            assert_eq!(&peer.hears().await[..], [auth::REQUEST_PUBLIC_KEY]);
            peer.says_more(key).await;
            peer.hears_the_end().await;
        });
        let error = asked.await.unwrap_err();
        assert_eq!(error.word(), "authentication_failed", "{error}");
        assert!(!format!("{error:?}").contains(PASSWORD));
    }
}

#[tokio::test]
async fn an_origin_that_does_not_keep_to_the_protocol_is_left() {
    let sha2 = greeting(auth::CACHING_SHA2);
    // Steps that were not asked for, an OK or a row that is none, a nonce that is too short.
    for hostile in [
        &b"\x01\x03"[..],
        b"\x01\x05",
        b"\x01",
        b"\xfemysql_native_password\0short\0",
        b"\x00",
        b"\x05hello",
        b"",
    ] {
        let login = play(origin(PASSWORD), async |mut peer| {
            peer.greets(&greeting(auth::NATIVE)).await;
            peer.hears_response(auth::NATIVE).await;
            peer.says(hostile).await;
            peer.hears_the_end().await;
        });
        let error = login.await.unwrap_err();
        assert!(matches!(error, ConnectError::Protocol(_)), "{hostile:?} {error:?}");
    }
    let login = play(origin(PASSWORD), async |mut peer| {
        peer.greets(&sha2).await;
        peer.hears_response(auth::CACHING_SHA2).await;
        for _ in 0..7 {
            peer.switches(auth::NATIVE, &OTHER_NONCE).await;
            peer.hears().await;
        }
        peer.switches(auth::NATIVE, &OTHER_NONCE).await;
        peer.hears_the_end().await;
    });
    assert!(matches!(login.await, Err(ConnectError::Protocol(_))), "it goes on forever");
    let login = play(origin(PASSWORD), async |mut peer| {
        peer.stream.write_all(&[0xff, 0xff, 0xff, 0]).await.unwrap();
        peer.hears_the_end().await;
    });
    assert!(matches!(login.await, Err(ConnectError::Protocol(DecodeError::Length(_)))));
    let login = play(origin(PASSWORD), async |peer| drop(peer)).await;
    assert!(matches!(login, Err(ConnectError::Lost(_))));
}

#[tokio::test]
async fn a_method_that_we_do_not_have_is_named() {
    for payload in [&b"\xfeclient_ed25519\0whatever\0"[..], b"\xfe"] {
        let login = play(origin(PASSWORD), async |mut peer| {
            peer.greets(&greeting(auth::NATIVE)).await;
            peer.hears_response(auth::NATIVE).await;
            peer.says(payload).await;
            peer.hears_the_end().await;
        });
        let error = login.await.unwrap_err();
        assert_eq!(error.word(), "authentication_failed");
        let named = ["client_ed25519", "mysql_old_password"];
        assert!(named.iter().any(|name| error.to_string().contains(name)), "{error}");
    }
}

#[tokio::test]
async fn what_an_origin_refuses_is_told_by_its_number() {
    for (code, sqlstate, word) in [
        (1045, "28000", "authentication_failed"),
        (1049, "42000", "origin_unreachable"),
        (3118, "HY000", "authentication_failed"),
    ] {
        let login = play(origin(PASSWORD), async |mut peer| {
            peer.greets(&greeting(auth::NATIVE)).await;
            peer.hears_response(auth::NATIVE).await;
            peer.says_error(code, sqlstate, "no").await;
            peer.hears_the_end().await;
        });
        let error = login.await.unwrap_err();
        assert_eq!(error.word(), word, "{error:?}");
        if let ConnectError::Refused { errno, .. } = error {
            assert_eq!(errno, Some(code));
        }
    }
}

#[tokio::test]
async fn an_error_in_place_of_the_greeting_is_heard() {
    for (code, sqlstate) in [(1040, "08004"), (1129, "HY000"), (1130, "HY000")] {
        let login = play(origin(PASSWORD), async |mut peer| {
            peer.says_error(code, "", "go away").await;
            peer.hears_the_end().await;
        });
        match login.await.unwrap_err() {
            ConnectError::Refused { errno, sqlstate: heard, message } => {
                assert_eq!((errno, &*heard, &*message), (Some(code), sqlstate, "go away"));
            }
            error => panic!("{error:?}"),
        }
    }
}

/// Plays an origin that answers one question.
async fn play_answer(script: impl AsyncFnOnce(Peer)) -> Result<Vec<Row>, AskError> {
    let (near, far) = tokio::io::duplex(4096);
    let mut framed = Framed::new(Stream::Duplex(near));
    let asking = ask(&mut framed, CAPABILITIES, "SELECT 1");
    let both = async { tokio::join!(asking, script(Peer::new(far))).0 };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("both ends are done")
}

#[tokio::test]
async fn an_answer_is_its_rows() {
    let rows = play_answer(async |mut peer| {
        assert_eq!(&peer.hears().await[..], b"\x03SELECT 1");
        peer.says_made(|out| encode_column_count(2, out)).await;
        for name in [&b"a"[..], b"b"] {
            let kind = protocol::mysql::capabilities::ColumnType::MYSQL_TYPE_VAR_STRING;
            peer.says_made(|out| ColumnDef::computed(name, kind, 45, 10).encode(out)).await;
        }
        peer.says_made(|out| encode_text_row([Some(&b"1"[..]), None], out)).await;
        peer.says_made(|out| encode_text_row([Some(&b""[..]), Some(b"x")], out)).await;
        peer.says_made(|out| OkPacket::default().encode_rows_end(CAPABILITIES, out)).await;
    })
    .await
    .unwrap();
    let bytes = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    assert_eq!(rows, [vec![bytes("1"), None], vec![bytes(""), bytes("x")]]);
}

#[tokio::test]
async fn an_error_is_an_answer_and_a_request_for_a_file_is_not() {
    let refused = play_answer(async |mut peer| {
        peer.hears().await;
        peer.says_error(1094, "HY000", "Unknown thread id: 9").await;
    });
    assert!(matches!(refused.await, Err(AskError::Refused { code: 1094, .. })));
    let asked = play_answer(async |mut peer| {
        peer.hears().await;
        peer.says(b"\xfb/etc/passwd").await;
    });
    assert!(matches!(asked.await, Err(AskError::Protocol(_) | AskError::Desync(_))));
}

/// A backend that has logged in over this stream.
fn backend_over(near: tokio::io::DuplexStream) -> Backend {
    let login = Login {
        framed: Framed::new(Stream::Duplex(near)),
        capabilities: CAPABILITIES,
        extended: MariaDbFlags::empty(),
        thread_id: 7,
        collation: 255,
        version: Bytes::from_static(b"8.4.0"),
        status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
    };
    let generation = Generation::of(Vec::new(), 0, &Arc::new(Generations::new(|| {}))).unwrap();
    Backend::new(login, "shop", false, (generation, None))
}

#[tokio::test]
async fn a_backend_that_is_given_up_says_goodbye_unless_a_reply_is_owed() {
    for owes in [false, true] {
        let (near, far) = tokio::io::duplex(4096);
        let mut backend = backend_over(near);
        let mut peer = Peer::new(far);
        if owes {
            backend.send(CommandKind::Simple, &[0x0e], crate::backend::Note::Client);
            backend.framed.flush().await.unwrap();
            assert_eq!(&peer.hears().await[..], [0x0e]);
        }
        drop(backend);
        if !owes {
            assert_eq!(&peer.hears().await[..], [COM_QUIT]);
        }
        peer.hears_the_end().await;
    }
}

/// FAULTS row 40: the next client does not get a connection which the server closes for the last one's `wait_timeout`.
#[tokio::test]
async fn a_backend_is_not_lent_when_its_server_is_about_to_close_it() {
    let (near, _far) = tokio::io::duplex(4096);
    let mut backend = backend_over(near);
    let is_usable = |backend: &mut Backend, millis| {
        backend.is_usable(Instant::now(), Duration::from_millis(millis))
    };
    assert!(is_usable(&mut backend, 3_600_000), "the server's own time is not known here");
    backend.applied.set("wait_timeout", "2");
    for (rested, expected) in [(0, true), (1400, true), (1500, false), (1990, false), (2500, false)]
    {
        assert_eq!(is_usable(&mut backend, rested), expected, "after {rested} ms");
    }
    backend.applied.set("wait_timeout", "28800");
    assert!(is_usable(&mut backend, 2500));
}
