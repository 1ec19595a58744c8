//! Hostile and honest requests over a pipe, with a connector that is only its HTTP/2 side.

use std::{net::SocketAddr, sync::OnceLock};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, DuplexStream, duplex},
    task::JoinSet,
    time::sleep,
};
use tokio_util::task::TaskTracker;
use tracing::instrument::WithSubscriber as _;

use super::*;
use crate::{
    access::{ServiceToken, SigningKeys},
    certs::{self, Authority},
    edge::{
        EdgeConfig,
        registry::{Connector, Registered},
    },
    state::{PreviousSecret, SecretHash, State, TokenRecord, Tunnel},
    token::{TunnelId, TunnelToken},
};

const HOST: &str = "Host: db.test\r\n";
const ACCESS: &str = "Cf-Access-Client-Id: a.access\r\nCf-Access-Client-Secret: hunter2\r\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// When the tests begin, in Unix time; tokio's paused clock goes on from there.
const START: Duration = Duration::from_secs(1_000_000);

fn peer() -> SocketAddr {
    ([192, 0, 2, 1], 4711).into()
}

fn stranger(shared: &Shared) -> Stranger {
    shared.strange_clients.admit(peer())
}

/// The same for all tests, because making keys takes long.
fn keys() -> Arc<SigningKeys> {
    static KEYS: OnceLock<Arc<SigningKeys>> = OnceLock::new();
    Arc::clone(KEYS.get_or_init(|| Arc::new(SigningKeys::generate(0).expect("a key"))))
}

fn state() -> State {
    let tunnel = TunnelToken::new("tag", TunnelId::from_bytes([1; 16]), [7; 32]).expect("valid");
    let token = ServiceToken::new("a.access", "hunter2").expect("valid");
    let token = TokenRecord::of("proxy", &token);
    let mut state = State { tunnels: vec![Tunnel::from(&tunnel)], ..State::default() };
    state.guard("db.test", tunnel.tunnel(), &[token.id]);
    state.guard("closed.test", tunnel.tunnel(), &[]);
    state.service_tokens.push(token);
    state
}

/// An edge without its listeners.
fn edge(state: State) -> Shared {
    let authority = Authority::generate("tests").expect("an authority");
    let certificate = authority.edge(&["db.test"]).expect("a certificate");
    let tls = certs::server_config(&certificate.certificate_pem, &certificate.key_pem);
    let tls = tls.expect("valid");
    let any = ([127, 0, 0, 1], 0).into();
    let config = EdgeConfig {
        public: any,
        connectors: any,
        public_tls: tls.clone(),
        connector_tls: tls,
        state,
        signing_keys: None,
        max_refusals_per_minute: 0,
        drain_timeout: Duration::ZERO,
    };
    let started = Instant::now();
    let clock = Box::new(move || START + started.elapsed());
    Shared { clock, ..Shared::new(config, keys()) }
}

/// Sends these bytes and returns all that comes back.
async fn ask(shared: &Shared, request: impl AsRef<[u8]>) -> String {
    let (mut client, near) = duplex(64 * 1024);
    client.write_all(request.as_ref()).await.expect("room");
    let mut answer = String::new();
    let attend = attend(near, stranger(shared), Instant::now() + OPENING_TIMEOUT, shared);
    tokio::join!(attend, client.read_to_string(&mut answer)).1.expect("text");
    answer
}

fn status(answer: &str) -> &str {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or("none")
}

type Head = http::request::Parts;

/// Registers a connector that accepts every stream and keeps it open, and notes the requests.
async fn connect_connector(shared: &Shared) -> (Registered, Arc<Mutex<Vec<Head>>>, JoinSet<()>) {
    let (near, far) = duplex(64 * 1024);
    let (near, far) = tokio::join!(h2::client::handshake(near), h2::server::handshake(far));
    let ((requests, near), mut far) = (near.expect("a pipe"), far.expect("a pipe"));
    let (seen, mut tasks) = (Arc::new(Mutex::new(Vec::new())), JoinSet::new());
    let noted = Arc::clone(&seen);
    tasks.spawn(async move {
        let _ended = near.await;
    });
    tasks.spawn(async move {
        let mut open = Vec::new();
        while let Some(Ok((request, mut respond))) = far.accept().await {
            let (head, body) = request.into_parts();
            noted.lock().push(head);
            // `Sec-WebSocket-Accept: x`, both halves in base64 (B5).
            let accept = "U2VjLVdlYlNvY2tldC1BY2NlcHQ:eA";
            let answer = Response::builder().header(RESPONSE_HEADERS, accept).body(());
            let send = respond.send_response(answer.expect("valid"), false).expect("open");
            open.push((send, body));
        }
    });
    let tunnel = TunnelId::from_bytes([1; 16]);
    let (id, version) = (uuid::Uuid::nil(), "test".to_owned());
    let connector = Connector { id, index: 0, peer: peer(), version, since: 1 };
    (shared.registry.register(tunnel, connector, requests).expect("room"), seen, tasks)
}

/// An open stream: the client's end of it, after the 101.
async fn open_stream(shared: &Arc<Shared>, tasks: &TaskTracker) -> DuplexStream {
    let (mut client, near) = duplex(64 * 1024);
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        attend(near, stranger(&shared), Instant::now() + OPENING_TIMEOUT, &shared).await;
    });
    let request = format!("GET /path HTTP/1.1\r\n{HOST}{ACCESS}{UPGRADE}\r\n");
    client.write_all(request.as_bytes()).await.expect("room");
    let head = read_head(&mut client, &mut BytesMut::new()).await.expect("a head");
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
    client
}

/// How long a stream goes on, in paused time.
async fn lifetime(client: &mut DuplexStream) -> Duration {
    let start = Instant::now();
    let _end = client.read_to_end(&mut Vec::new()).await;
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn no_request_that_could_be_read_in_two_ways_goes_on() {
    let shared = edge(state());
    let rest = format!("{ACCESS}{UPGRADE}\r\n");
    let long = "x".repeat(20_000);
    let many = "X: y\r\n".repeat(200);
    for (request, expected) in [
        (format!("GET / HTTP/1.1\r\n{HOST}{rest}"), "530"),
        (format!("GET / HTTP/1.1\r\n{HOST}Content-Length: 0\r\n{rest}"), "530"),
        // Smuggling.
        (
            format!(
                "GET / HTTP/1.1\r\n{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n{rest}"
            ),
            "400",
        ),
        (format!("GET / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}Transfer-Encoding : chunked\r\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}X: a\r\n Content-Length: 5\r\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}Content-Length: 1, 0\r\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\nHost: db.test\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\nHost: db.test\n\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}X: a\0b\r\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}X: a\rb\r\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}{HOST}{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}Host: closed.test\r\n{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{rest}"), "400"),
        (format!("GET http://db.test/ HTTP/1.1\r\n{HOST}{rest}"), "400"),
        (format!("GET /a/../b HTTP/1.1\r\n{HOST}{rest}"), "400"),
        (format!("GET /a b HTTP/1.1\r\n{HOST}{rest}"), "400"),
        (format!("GET / HTTP/1.0\r\n{HOST}{rest}"), "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "400"),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), "400"),
        // Too much.
        (format!("GET / HTTP/1.1\r\n{HOST}X: {long}\r\n{rest}"), "400"),
        (format!("GET /{long} HTTP/1.1\r\n{HOST}{rest}"), "400"),
        (format!("GET / HTTP/1.1\r\n{HOST}{many}{rest}"), "400"),
        // Forged and foreign hosts.
        (format!("GET / HTTP/1.1\r\nHost: no.test\r\nX-Forwarded-Host: db.test\r\n{rest}"), "404"),
        (format!("GET / HTTP/1.1\r\nHost: management.argotunnel.com\r\n{rest}"), "404"),
        // Who may not pass learns nothing else.
        (format!("GET / HTTP/1.1\r\n{HOST}{UPGRADE}\r\n"), "403"),
        (format!("GET / HTTP/1.1\r\n{HOST}\r\n"), "403"),
        (format!("POST / HTTP/1.1\r\n{HOST}\r\n"), "403"),
        (format!("GET / HTTP/1.1\r\nHost: closed.test\r\n{rest}"), "403"),
        (format!("GET / HTTP/1.1\r\n{HOST}{ACCESS}{ACCESS}{UPGRADE}\r\n"), "403"),
        // Who may is told what is wrong.
        (format!("GET / HTTP/1.1\r\n{HOST}{ACCESS}\r\n"), "426"),
        (format!("POST / HTTP/1.1\r\n{HOST}{rest}"), "400"),
        (format!("GET /?a=b%20c&d HTTP/1.1\r\n{HOST}{rest}"), "530"),
        (format!("GET /?a=\"{{}}\" HTTP/1.1\r\n{HOST}{rest}"), "400"),
    ] {
        let answer = ask(&shared, &request).await;
        assert_eq!(status(&answer), expected, "{request:.300}\n{answer}");
        assert!(answer.contains("\r\ncf-ray: ") && !answer.contains("hunter2"), "{answer}");
        assert_eq!(answer.contains("error code: 1033"), expected == "530", "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_given_up_without_an_answer() {
    let shared = edge(state());
    let (mut client, near) = duplex(64 * 1024);
    let start = Instant::now();
    let drip = async {
        while client.write_all(b"G").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let attend = attend(near, stranger(&shared), start + OPENING_TIMEOUT, &shared);
    tokio::join!(attend, drip);
    assert!(start.elapsed() <= OPENING_TIMEOUT + Duration::from_secs(1));
    assert_eq!(client.read(&mut [0; 1]).await.expect("the end"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_connector_gets_the_edges_word_and_nothing_of_the_clients() {
    let shared = Arc::new(edge(state()));
    let (_registered, seen, _tasks) = connect_connector(&shared).await;
    let forged = "Cf-Connecting-Ip: 6.6.6.6\r\nCf-Ray: forged\r\nCf-Access-Jwt-Assertion: forged\r\n\
                  Cf-Access-Jump-Destination: 10.0.0.1:22\r\nCf-Cloudflared-Proxy-Src: x\r\n\
                  Cf-Cloudflared-Proxy-Connection-Upgrade: control-stream\r\nCookie: a=b\r\n\
                  Connection: Upgrade, X-Hop\r\nX-Hop: y\r\nX-Forwarded-For: 6.6.6.6\r\n\
                  Authorization: z\r\nUser-Agent: test/1\r\n";
    let request = format!("GET /path?q HTTP/1.1\r\n{HOST}{forged}{ACCESS}{UPGRADE}\r\n");
    let (mut client, near) = duplex(64 * 1024);
    client.write_all(request.as_bytes()).await.expect("room");
    let attend = attend(near, stranger(&shared), Instant::now() + OPENING_TIMEOUT, &shared);
    let talk = async {
        let head = read_head(&mut client, &mut BytesMut::new()).await.expect("a head");
        drop(client);
        head
    };
    let ((), head) = tokio::join!(attend, talk);
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");

    let seen = seen.lock().clone();
    let [request] = &seen[..] else { panic!("one request") };
    assert_eq!(request.uri, "https://db.test/path?q");
    let mut names: Vec<_> = request.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "cf-access-jwt-assertion",
            UPGRADE_HEADER,
            "cf-connecting-ip",
            "cf-ray",
            "sec-websocket-key",
            "sec-websocket-version",
            "user-agent",
        ],
    );
    let value = |name: &str| {
        let mut all = request.headers.get_all(name).iter();
        let first = all.next().and_then(|value| value.to_str().ok()).expect("text");
        assert!(all.next().is_none(), "{name} is there once");
        first
    };
    assert_eq!(value(UPGRADE_HEADER), WEBSOCKET);
    assert_eq!((value("cf-connecting-ip"), value("user-agent")), ("192.0.2.1", "test/1"));
    assert!(value("cf-ray").ends_with("-JUMPGATE"));

    let rules = &mut jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.set_audience(&[&state().applications[0].aud]);
    rules.validate_exp = false;
    let published = ask(&shared, format!("GET /cdn-cgi/access/certs HTTP/1.1\r\n{HOST}\r\n")).await;
    assert_eq!(status(&published), "200");
    let json = published.split_once("\r\n\r\n").expect("a body").1;
    let published: jsonwebtoken::jwk::JwkSet = serde_json::from_str(json).expect("keys");
    let key = jsonwebtoken::DecodingKey::from_jwk(&published.keys[0]).expect("a key");
    let assertion = value("cf-access-jwt-assertion");
    let claims = jsonwebtoken::decode::<Value>(assertion, &key, rules).expect("signed").claims;
    assert_eq!(
        (&claims["common_name"], &claims["iss"], &claims["iat"]),
        (&"a.access".into(), &"https://db.test".into(), &START.as_secs().into()),
    );
}

#[tokio::test(start_paused = true)]
async fn the_keys_are_for_everybody_but_nothing_near_them_is() {
    let shared = edge(state());
    for (start, host, expected) in [
        ("GET /cdn-cgi/access/certs", "closed.test", "200"),
        ("GET /cdn-cgi/access/certs", "no.test", "404"),
        ("POST /cdn-cgi/access/certs", "db.test", "403"),
        ("GET /cdn-cgi/access/certs/", "db.test", "403"),
        ("GET /cdn-cgi/access/certs?x", "db.test", "403"),
        ("GET /cdn-cgi/access/login", "db.test", "403"),
    ] {
        let answer = ask(&shared, format!("{start} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(status(&answer), expected, "{start} {host}");
        assert!(!answer.contains("PRIVATE") && !answer.contains("\"d\""));
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_ends_at_once_when_it_would_not_pass_any_more() {
    type Change = fn(&mut State);
    let cases: [(Change, bool); 9] = [
        (|_| {}, false),
        (|s| s.service_tokens[0].expires_at = Some(u64::MAX), false),
        (|s| rotate(s, 3600), false),
        (|s| s.service_tokens.clear(), true),
        (|s| s.service_tokens[0].expires_at = Some(START.as_secs()), true),
        (|s| s.service_tokens[0].secret = SecretHash::of(b"new"), true),
        (|s| s.policies[0].include.clear(), true),
        (|s| s.applications.clear(), true),
        (|s| s.routes.clear(), true),
    ];
    for (at, (change, ends)) in cases.into_iter().enumerate() {
        let (shared, tasks) = (Arc::new(edge(state())), TaskTracker::new());
        let (_registered, _seen, _tasks) = connect_connector(&shared).await;
        let mut client = open_stream(&shared, &tasks).await;
        let mut after = state();
        change(&mut after);
        shared.state.send_replace(Arc::new(after));
        let ended = timeout(Duration::from_secs(100), lifetime(&mut client)).await;
        match ended {
            Ok(after) => assert!(ends && after < Duration::from_secs(1), "case {at}: {after:?}"),
            Err(_elapsed) => assert!(!ends, "case {at}"),
        }
    }
}

/// A new secret; the one before ends after these seconds.
fn rotate(state: &mut State, seconds: u64) {
    let token = &mut state.service_tokens[0];
    let expires_at = START.as_secs() + seconds;
    token.previous = Some(PreviousSecret { secret: token.secret, expires_at });
    token.secret = SecretHash::of(b"new");
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_ends_with_its_token_or_its_secret_without_any_change() {
    type Change = fn(&mut State);
    let cases: [(Change, u64); 2] = [
        (|s| s.service_tokens[0].expires_at = Some(START.as_secs() + 86_400), 86_400),
        (|s| rotate(s, 600), 600),
    ];
    for (change, seconds) in cases {
        let mut state = state();
        change(&mut state);
        let (shared, tasks) = (Arc::new(edge(state)), TaskTracker::new());
        let (_registered, _seen, _tasks) = connect_connector(&shared).await;
        let lived = lifetime(&mut open_stream(&shared, &tasks).await).await;
        let late = lived.saturating_sub(Duration::from_secs(seconds));
        assert!(lived > Duration::from_secs(seconds - 1), "{lived:?}");
        assert!(late < Duration::from_secs(1), "{lived:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_may_want_401_and_its_own_header() {
    let mut state = state();
    state.applications[0].service_auth_401 = true;
    state.applications[0].token_header = Some("Authorization".to_owned());
    let shared = edge(state);
    let answer = ask(&shared, format!("GET / HTTP/1.1\r\n{HOST}{UPGRADE}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(answer.contains("\r\nWWW-Authenticate: ") && !answer.contains("Location"), "{answer}");
    let json = r#"{"cf-access-client-id": "a.access", "cf-access-client-secret": "hunter2"}"#;
    for (json, expected) in [
        (json.to_owned(), "530"),
        (json.replace("cf-access-client-id", "CF-Access-Client-Id"), "401"),
    ] {
        let request = format!("GET / HTTP/1.1\r\n{HOST}Authorization: {json}\r\n{UPGRADE}\r\n");
        assert_eq!(status(&ask(&shared, request).await), expected, "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_refused_too_often_is_told_to_wait_until_the_minute_is_over() {
    let shared = Shared { throttle: super::super::throttle::Throttle::new(3), ..edge(state()) };
    let good = format!("GET / HTTP/1.1\r\n{HOST}{ACCESS}{UPGRADE}\r\n");
    let bad = format!("GET / HTTP/1.1\r\n{HOST}{UPGRADE}\r\n");
    for _ in 0..10 {
        assert_eq!(status(&ask(&shared, &good).await), "530", "who passes is not counted");
    }
    for _ in 0..3 {
        assert_eq!(status(&ask(&shared, &bad).await), "403");
    }
    for _ in 0..3 {
        let answer = ask(&shared, &bad).await;
        assert_eq!(status(&answer), "429");
        assert!(answer.contains("\r\nRetry-After: "), "{answer}");
        assert_eq!(status(&ask(&shared, &good).await), "530", "a good token is not shut out");
    }
    assert_eq!(shared.throttle.throttled(), 3);
    sleep(Duration::from_secs(61)).await;
    assert_eq!(status(&ask(&shared, &bad).await), "403");
}

/// FAULTS row 22: who has a stream hears that its way is about to end, and the stream goes on.
#[tokio::test(start_paused = true)]
async fn an_edge_that_leaves_says_so_on_every_stream() {
    let (shared, tasks) = (Arc::new(edge(state())), TaskTracker::new());
    let (_registered, _seen, _tasks) = connect_connector(&shared).await;
    let mut client = open_stream(&shared, &tasks).await;
    assert_eq!((shared.strange_clients.len(), shared.stats().streams), (0, 1));
    shared.registry.leave();
    let mut word = [0; 19];
    client.read_exact(&mut word).await.expect("a word");
    assert_eq!(&word, b"\x8A\x11jumpgate: leaving");
    let quiet = timeout(Duration::from_secs(100), client.read_u8()).await;
    assert!(quiet.is_err(), "nothing more: {quiet:?}");
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn every_decision_is_one_audit_line_without_any_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let shared = Shared { throttle: super::super::throttle::Throttle::new(5), ..edge(state()) };
    let wrong = ACCESS.replace("hunter2", "wrong-secret");
    let swapped = "Cf-Access-Client-Id: swapped-secret\r\nCf-Access-Client-Secret: a.access\r\n";
    let twice = format!("{ACCESS}{wrong}");
    let talk = async {
        for (target, host, access) in [
            ("/a?q=query-secret", "db.test", ACCESS),
            ("/", "db.test", ""),
            ("/", "db.test", &*wrong),
            ("/", "db.test", swapped),
            ("/", "db.test", &*twice),
            ("/", "closed.test", ACCESS),
            ("/", "no.test", ACCESS),
            ("/", "db.test", ""),
            ("/", "db.test", ""),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{access}{UPGRADE}\r\n");
            ask(&shared, request).await;
        }
    };
    talk.with_subscriber(subscriber).await;
    let text = String::from_utf8(log.0.lock().clone()).expect("text");
    for secret in ["hunter2", "wrong-secret", "swapped-secret", "query-secret"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let audit: Vec<_> = lines.iter().filter(|line| line["target"] == "audit").collect();
    let brief: Vec<_> = audit
        .iter()
        .map(|line| {
            let word = |key: &str| line["fields"][key].as_str().unwrap_or("-").to_owned();
            assert_eq!((&*word("peer"), line["level"].as_str()), ("192.0.2.1:4711", Some("INFO")));
            assert!(word("ray").ends_with("-JUMPGATE"));
            [
                "decision",
                "hostname",
                "path",
                "application",
                "policy",
                "token",
                "client_id",
                "reason",
            ]
            .map(word)
            .join(" ")
        })
        .collect();
    assert_eq!(
        brief,
        [
            "allow db.test /a db.test db.test proxy a.access -",
            "deny db.test / db.test - - unknown no_credentials",
            "deny db.test / db.test - proxy a.access wrong_secret",
            "deny db.test / db.test - - unknown unknown_token",
            "deny db.test / db.test - - unknown malformed_credentials",
            "deny closed.test / closed.test closed.test proxy a.access not_included",
            "deny - - - - - - too_many_refusals",
        ],
    );
}
