//! The dashboard as a browser sees it, without a socket.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{assets::ASSETS, login::BODY_MAX, *};
use crate::{
    api::{BASE, Session, make_token},
    database::Database,
    fleet::Nobody,
    moment::Moment,
    plane::{Actor, Plane},
    resources::{ApiToken, EndedSession, Scope},
    seal::Keyring,
};

const HOST: &str = "gate.test:8787";
/// As a page of ours asks.
const OURS: [(&str, &str); 3] = [
    ("origin", "http://gate.test:8787"),
    ("sec-fetch-site", "same-origin"),
    ("x-jumpgate-csrf", "1"),
];

struct Site {
    router: Router,
    plane: Arc<Plane>,
    token: ApiToken,
    text: String,
    keys: String,
    folder: Arc<tempfile::TempDir>,
}

fn actor() -> Actor {
    Actor { who: String::from("tests"), whence: String::from("here") }
}

impl Site {
    async fn new() -> Self {
        let (token, text) = make_token("admin", Scope::Admin, None, None);
        let folder = Arc::new(tempfile::TempDir::new().unwrap());
        let site = Self::on(folder, Keyring::new_line("k").to_string(), token.clone(), text).await;
        site.put(token).await;
        site
    }

    /// Another control node on the same store.
    async fn beside(&self) -> Self {
        let (folder, keys) = (Arc::clone(&self.folder), self.keys.clone());
        Self::on(folder, keys, self.token.clone(), self.text.clone()).await
    }

    async fn on(
        folder: Arc<tempfile::TempDir>,
        keys: String,
        token: ApiToken,
        text: String,
    ) -> Self {
        let url = format!("sqlite:{}", folder.path().join("control.db").display());
        let database = Database::open(&url).await.unwrap();
        let plane = Plane::open(database, keys.parse().unwrap()).await.unwrap();
        let api = Api::new(Arc::clone(&plane), Arc::new(Nobody));
        let router = router(api.clone()).merge(api.router());
        Self { router, plane, token, text, keys, folder }
    }

    async fn put(&self, token: ApiToken) {
        let put = self.plane.change(actor(), "put", |edit| {
            edit.put(token.clone());
            Ok::<_, ()>(())
        });
        put.await.unwrap();
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let mut request = Request::builder().method(method).uri(path).header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 5))));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn log_in(&self, text: &str, headers: &[(&str, &str)]) -> Response {
        self.send(Method::POST, "/session", headers, &json!({ "token": text })).await
    }

    /// The cookie of a new session, as a browser sends it.
    async fn cookie(&self) -> String {
        cookie_of(&self.log_in(&self.text, &OURS).await)
    }

    /// The status of a request to the API with a cookie and what else a browser sends.
    async fn asked(&self, method: Method, cookie: &str, headers: &[(&str, &str)]) -> u16 {
        let headers = [&[("cookie", cookie)], headers].concat();
        let body = if method == Method::GET { Value::Null } else { json!({ "name": "other" }) };
        let path = format!("{BASE}/accounts");
        self.send(method, &path, &headers, &body).await.status().as_u16()
    }
}

fn cookie_of(answer: &Response) -> String {
    let text = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    text.split(';').next().unwrap().to_owned()
}

async fn json_of(answer: Response) -> Value {
    serde_json::from_slice(&to_bytes(answer.into_body(), usize::MAX).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_cookie_stands_for_the_token_and_has_nothing_of_it() {
    let site = Site::new().await;
    let answer = site.log_in(&site.text, &OURS).await;
    let set = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.starts_with("jumpgate="), "{set}");
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    assert!(!set.contains(&site.text) && !set.contains(&site.token.sha256), "{set}");
    assert_eq!(json_of(answer).await["result"]["name"], "admin");
    let cookie = site.cookie().await;
    assert_eq!(site.asked(Method::GET, &cookie, &OURS).await, 200);
    assert_eq!(site.asked(Method::POST, &cookie, &OURS).await, 200);
    let who = site.send(Method::GET, "/session", &[("cookie", &cookie)], &Value::Null).await;
    assert_eq!(json_of(who).await["result"]["scope"], "admin");
    let headers = [&OURS[..], &[("cookie", &cookie)]].concat();
    let out = site.send(Method::DELETE, "/session", &headers, &Value::Null).await;
    let set = out.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("jumpgate=;") && set.contains("Max-Age=0"), "{set}");
    assert_eq!(site.asked(Method::GET, &cookie, &OURS).await, 401);
    let nobody = site.send(Method::GET, "/session", &[("cookie", &cookie)], &Value::Null).await;
    assert_eq!(json_of(nobody).await["result"], Value::Null);
}

#[tokio::test]
async fn over_tls_the_cookie_goes_nowhere_else() {
    let site = Site::new().await;
    let mut ours = OURS;
    ours[0].1 = "https://gate.test:8787";
    let answer = site.log_in(&site.text, &ours).await;
    let set = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.starts_with("__Host-jumpgate=") && set.ends_with("; Secure"), "{set}");
    assert_eq!(site.asked(Method::GET, &cookie_of(&answer), &ours).await, 200);
}

#[tokio::test]
async fn no_other_page_can_use_a_session() {
    let site = Site::new().await;
    let cookie = site.cookie().await;
    let csrf = ("x-jumpgate-csrf", "1");
    for (method, headers, status) in [
        (Method::GET, vec![], 200),
        (Method::GET, vec![("sec-fetch-site", "none")], 200),
        (Method::GET, vec![("sec-fetch-site", "same-site")], 403),
        (Method::GET, vec![("sec-fetch-site", "cross-site")], 403),
        (Method::GET, vec![("origin", "http://evil.test")], 403),
        (Method::POST, vec![csrf], 403),
        (Method::POST, vec![("sec-fetch-site", "same-origin")], 403),
        (Method::POST, vec![("origin", "http://gate.test:8787")], 403),
        (Method::POST, vec![csrf, ("origin", "http://evil.test")], 403),
        (Method::POST, vec![csrf, ("origin", "null")], 403),
        (Method::POST, vec![csrf, ("origin", "http://gate.test:8788")], 403),
        (Method::POST, vec![csrf, ("sec-fetch-site", "same-site")], 403),
        (Method::POST, vec![csrf, ("sec-fetch-site", "none")], 403),
        (
            Method::POST,
            vec![csrf, ("origin", "http://gate.test:8787"), ("sec-fetch-site", "cross-site")],
            403,
        ),
        (Method::POST, vec![csrf, ("origin", "http://gate.test:8787")], 200),
    ] {
        let answered = site.asked(method.clone(), &cookie, &headers).await;
        assert_eq!(answered, status, "{method} {headers:?}");
    }
    let evil = [csrf, ("origin", "http://evil.test")];
    assert_eq!(site.log_in(&site.text, &evil).await.status(), StatusCode::FORBIDDEN);
    let headers = [("cookie", &*cookie), evil[0], evil[1]];
    let out = site.send(Method::DELETE, "/session", &headers, &Value::Null).await;
    assert_eq!(out.status(), StatusCode::FORBIDDEN);
    // A program that shows a token needs none of it, and a cookie adds nothing to a token that is refused.
    let bearer = format!("Bearer {}", site.text);
    let told = [("authorization", &*bearer), ("origin", "http://evil.test")];
    assert_eq!(site.asked(Method::GET, "", &told).await, 200);
    assert_eq!(site.asked(Method::GET, &cookie, &[("authorization", "Bearer x")]).await, 401);
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_its_time() {
    let site = Site::new().await;
    let cookie = site.cookie().await;
    let (other, _text) = make_token("admin", Scope::Admin, None, None);
    let rolled = ApiToken { sha256: other.sha256, ..site.token.clone() };
    site.put(rolled).await;
    assert_eq!(site.asked(Method::GET, &cookie, &OURS).await, 401);
    site.put(site.token.clone()).await;
    let cookie = site.cookie().await;
    assert_eq!(site.asked(Method::GET, &cookie, &OURS).await, 200);
    site.put(ApiToken { expires_at: Some(Moment(1)), ..site.token.clone() }).await;
    assert_eq!(site.asked(Method::GET, &cookie, &OURS).await, 401);
    site.put(site.token.clone()).await;
    let gone = site.plane.change(actor(), "delete", |edit| {
        edit.delete::<ApiToken>(&site.token.id);
        Ok::<_, ()>(())
    });
    gone.await.unwrap();
    assert_eq!(site.asked(Method::GET, &cookie, &OURS).await, 401);
    site.put(site.token.clone()).await;
    // One minute before its end, and one behind it.
    for (minutes, status) in [(719, 200), (721, 401)] {
        let began = Moment(Moment::now().0 - minutes * 60_000_000);
        let set = Session::new(&site.token, began).cookie(site.plane.keyring(), false).unwrap();
        let cookie = set.split(';').next().unwrap();
        assert_eq!(site.asked(Method::GET, cookie, &OURS).await, status);
    }
}

#[tokio::test]
async fn every_control_node_of_a_store_knows_a_session_and_its_end() {
    let site = Site::new().await;
    let beside = site.beside().await;
    let cookie = site.cookie().await;
    assert_eq!(beside.asked(Method::GET, &cookie, &OURS).await, 200);
    // Sealed with a key of the same name that another store has, or changed.
    let (name, value) = cookie.split_once('=').unwrap();
    let stranger = Site::new().await;
    let changed = format!("{name}={}", value.replacen(value.chars().last().unwrap(), "A", 1));
    for cookie in [&*stranger.cookie().await, &changed, "jumpgate=a.b", "jumpgate=."] {
        assert_eq!(site.asked(Method::GET, cookie, &OURS).await, 401, "{cookie}");
    }
    let other = site.cookie().await;
    let headers = [&OURS[..], &[("cookie", &cookie)]].concat();
    beside.send(Method::DELETE, "/session", &headers, &Value::Null).await;
    assert_eq!(site.asked(Method::GET, &cookie, &OURS).await, 401);
    assert_eq!(site.asked(Method::GET, &other, &OURS).await, 200);
    // It is remembered only for as long as anybody would take the cookie.
    assert_eq!(site.plane.expire(actor()).await.unwrap(), 0);
    let id = site.plane.known().ended_sessions.iter().next().unwrap().id.clone();
    let over = site.plane.change(actor(), "over", |edit| {
        edit.put(EndedSession { id: id.clone(), token: String::new(), until: Moment(1) });
        Ok::<_, ()>(())
    });
    over.await.unwrap();
    assert_eq!(site.plane.expire(actor()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_log_out_takes_the_cookie_away_where_the_store_is_gone_too() {
    let site = Site::new().await;
    let cookie = site.cookie().await;
    site.plane.database().close().await;
    let headers = [&OURS[..], &[("cookie", &cookie)]].concat();
    let out = site.send(Method::DELETE, "/session", &headers, &Value::Null).await;
    assert_eq!(out.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(out.headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn whoever_guesses_at_the_login_waits_as_at_the_api() {
    let site = Site::new().await;
    for _ in 0..10 {
        assert_eq!(site.log_in("jg_wrong", &OURS).await.status(), StatusCode::UNAUTHORIZED);
        let told = [("authorization", "Bearer jg_wrong")];
        assert_eq!(site.asked(Method::GET, "", &told).await, 401);
    }
    let answer = site.log_in("jg_wrong", &OURS).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert!(!answer.headers().contains_key(header::SET_COOKIE));
    // A neighbour behind the same address has a token.
    let answer = site.log_in(&site.text, &OURS).await;
    assert!(answer.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn a_nodes_token_opens_no_session() {
    let site = Site::new().await;
    let (node, text) = make_token("node", Scope::Node, None, None);
    site.put(node).await;
    let answer = site.log_in(&text, &OURS).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(!answer.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn each_page_says_what_a_browser_is_to_refuse() {
    let site = Site::new().await;
    let long = json!({ "token": "x".repeat(BODY_MAX) });
    let refused = site.send(Method::POST, "/session", &OURS, &long).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    for (path, status) in [
        ("/", 200),
        ("/assets/main.js", 200),
        ("/assets/nothing.js", 404),
        ("/assets/..%2Fmod.rs", 404),
        ("/nothing", 404),
        ("/session", 200),
    ] {
        let answer = site.send(Method::GET, path, &[], &Value::Null).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.split("; ").any(|it| it == part), "{path}: {part}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
    }
}

/// The policy forbids them; a browser alone would tell that they are missing.
#[tokio::test]
async fn no_file_has_inline_code_or_comes_from_elsewhere() {
    let site = Site::new().await;
    for (name, kind, content) in ASSETS {
        let answer = site.send(Method::GET, &format!("/assets/{name}"), &[], &Value::Null).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
        let tag = answer.headers()[header::ETAG].to_str().unwrap().to_owned();
        let known = [("if-none-match", tag.as_str())];
        let again = site.send(Method::GET, &format!("/assets/{name}"), &known, &Value::Null).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{name}");
        assert!(content.lines().count() <= 400, "{name} is too long");
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!content.contains(word), "{name}: {word}");
        }
        // What is imported is there.
        for line in content
            .lines()
            .filter(|line| kind.contains("javascript") && line.contains(" from \"./"))
        {
            let wanted = line.rsplit("\"./").next().unwrap().trim_end_matches("\";");
            assert!(ASSETS.iter().any(|(known, ..)| *known == wanted), "{name}: {wanted}");
        }
    }
    let index = site.send(Method::GET, "/", &[], &Value::Null).await;
    let index = to_bytes(index.into_body(), usize::MAX).await.unwrap();
    let index = String::from_utf8(index.to_vec()).unwrap();
    assert!(!index.contains("style=") && !index.contains("http") && !index.contains("<style"));
    assert!(index.contains("<script type=\"module\" src=\"/assets/main.js\"></script>"));
}
