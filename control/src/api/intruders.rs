//! Whoever should not, may not: every route of the document, asked by strangers, by tokens for less, and by neighbours; and
//! what hostile requests are told.

use std::{collections::HashSet, net::SocketAddr};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};

use super::{
    BASE,
    document::DOCUMENT,
    tests::{ACCOUNT, Site},
};

/// A route of the document.
struct Route {
    method: Method,
    path: &'static str,
    /// None where everybody may ask.
    scope: Option<&'static str>,
    has_body: bool,
}

impl Route {
    fn all() -> Vec<Self> {
        let paths = DOCUMENT["paths"].as_object().unwrap().iter();
        let routes = paths.flat_map(|(path, methods)| {
            methods.as_object().unwrap().iter().map(move |(method, operation)| Self {
                method: method.to_uppercase().parse().unwrap(),
                path,
                scope: operation["x-scope"].as_str(),
                has_body: operation.get("requestBody").is_some(),
            })
        });
        routes.collect()
    }

    /// Those that need a token.
    fn guarded() -> impl Iterator<Item = Self> {
        Self::all().into_iter().filter(|route| route.scope.is_some())
    }

    /// In an account, which is its own zone, and with this in the place of all other names.
    fn filled(&self, account: &str, id: &str) -> String {
        let mut path = self.path.replace("{account}", account).replace("{zone}", account);
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, id);
        }
        format!("{BASE}{path}")
    }

    fn has_id(&self) -> bool {
        self.path.replace("{account}", "").replace("{zone}", "").contains('{')
    }

    async fn ask(&self, site: &Site, token: &str, path: &str) -> (StatusCode, Value) {
        let body = if self.has_body { good_for_all().to_string() } else { String::new() };
        let (status, _, answer) = site.send(token, self.method.clone(), path, &body).await;
        (status, answer)
    }
}

/// What every route finds in it what it needs.
fn good_for_all() -> Value {
    json!({
        "name": "new",
        "scope": "read",
        "origin": {
            "scheme": "postgres", "host": "db.test", "port": 5432, "database": "d", "user": "u", "password": "hunter2",
        },
        "user": "new",
        "certificates": CERTIFICATE,
        "ca": true,
        "decision": "non_identity",
        "include": [{ "any_valid_service_token": {} }],
        "domain": "new.test",
        "config": { "ingress": [{ "service": "http_status:404" }] },
        "tunnel": "office",
        "user_hostname": "new.test",
    })
}

async fn token(site: &Site, name: &str, more: Value) -> String {
    let mut asked = json!({ "name": name, "scope": "admin" });
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = site.ask(Method::POST, "/user/tokens", asked).await;
    made["value"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_is_answered_without_a_valid_token() {
    let site = Site::new().await;
    let expired = token(&site, "expired", json!({ "expires_in": 0 })).await;
    for route in Route::guarded() {
        for token in ["", "wrong", &expired] {
            let (status, answer) = route.ask(&site, token, &route.filled(ACCOUNT, "x")).await;
            let code = &answer["errors"][0]["code"];
            assert_eq!((status.as_u16(), code), (401, &json!(10000)), "{} {token}", route.path);
        }
    }
    let public: Vec<_> = Route::all().into_iter().filter(|route| route.scope.is_none()).collect();
    let [document] = &public[..] else { panic!("more than the document is public") };
    let (status, answer) = document.ask(&site, "", &document.filled("", "")).await;
    assert_eq!((status.as_u16(), &answer["openapi"]), (200, &json!("3.1.0")));
}

#[tokio::test]
async fn each_route_takes_the_scope_that_it_says_and_no_less() {
    let site = Site::new().await;
    let scopes = ["node", "read", "edit", "admin"];
    let mut tokens = Vec::new();
    for scope in scopes {
        tokens
            .push((scope, token(&site, &format!("for {scope}"), json!({ "scope": scope })).await));
    }
    for route in Route::guarded() {
        let needed = scopes.iter().position(|scope| Some(*scope) == route.scope).unwrap();
        for (number, (scope, token)) in tokens.iter().enumerate() {
            let (status, answer) = route.ask(&site, token, &route.filled(ACCOUNT, "x")).await;
            let is_refused = status == StatusCode::FORBIDDEN;
            let (method, path) = (&route.method, route.path);
            assert_eq!(is_refused, number < needed, "{method} {path} by {scope}: {answer}");
        }
    }
}

/// What an account holds: one of each kind, by the ids and names that lead to it.
async fn one_of_each(site: &Site) -> Vec<String> {
    let mut ids = vec![String::from("office"), String::from("office.test"), String::from("app")];
    let mut make = async |path: &str, mut more: Value| {
        let mut body = good_for_all();
        body.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
        let made = site.ask(Method::POST, &format!("/{{a}}/{path}"), body).await;
        ids.push(made["id"].as_str().unwrap().to_owned());
    };
    make("hyperdrive/configs", json!({ "name": "app" })).await;
    make("hyperdrive/configs/app/credentials", json!({ "user": "app" })).await;
    make("mtls_certificates", json!({ "name": "app" })).await;
    make("access/service_tokens", json!({ "name": "app" })).await;
    make("access/policies", json!({ "name": "app" })).await;
    make("access/apps", json!({ "name": "app", "domain": "office.test" })).await;
    make("access/apps/app/policies", json!({ "name": "its own" })).await;
    make("cfd_tunnel", json!({ "name": "office" })).await;
    let lead = json!({ "tunnel": "office" });
    site.ask(Method::PUT, "/{a}/hostnames/office.test", lead).await;
    let asked = json!({ "name": "theirs", "scope": "read", "account_id": ACCOUNT });
    let made = site.ask(Method::POST, "/user/tokens", asked).await;
    ids.push(made["id"].as_str().unwrap().to_owned());
    ids
}

#[tokio::test]
async fn a_neighbour_finds_nothing_of_another_account() {
    let site = Site::new().await;
    let ids = one_of_each(&site).await;
    let made = site.ask(Method::POST, "/accounts", json!({ "name": "neighbours" })).await;
    let neighbours = made["id"].as_str().unwrap();
    let token = token(&site, "neighbour", json!({ "account_id": neighbours })).await;
    for route in Route::guarded() {
        let (method, path) = (&route.method, route.path);
        if path.contains("{account}") || path.contains("{zone}") {
            let (status, answer) = route.ask(&site, &token, &route.filled(ACCOUNT, "app")).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {answer}");
        }
        if !route.has_id() {
            let (_, answer) = route.ask(&site, &token, &route.filled(neighbours, "")).await;
            let answer = answer.to_string();
            let shown = ids.iter().find(|id| answer.contains(&format!("\"{id}\"")));
            assert!(shown.is_none(), "{method} {path}: {answer}");
        }
    }
    let (_, zones) = site.ask_as(&token, Method::GET, "/zones", &Value::Null).await;
    let zone = zones["result"][0]["id"].as_str().unwrap().to_owned();
    // The neighbour's own tunnel of this name would be found.
    site.send(
        &token,
        Method::DELETE,
        &format!("{BASE}/accounts/{neighbours}/cfd_tunnel/office"),
        "",
    )
    .await;
    for route in Route::guarded().filter(Route::has_id) {
        for id in &ids {
            let is_zone = route.path.contains("{zone}");
            let path = route.filled(if is_zone { &zone } else { neighbours }, id);
            let (status, answer) = route.ask(&site, &token, &path).await;
            // An id is no hostname, and another's hostname is not to be led anywhere.
            let is_name = route.path.ends_with("/hostnames/{name}");
            let told = if is_name { [400, 404] } else { [404, 404] };
            assert!(told.contains(&status.as_u16()), "{} {path}: {answer}", route.method);
        }
    }
    let kept = site.ask(Method::GET, "/{a}/hyperdrive/configs/app", Value::Null).await;
    assert_eq!(kept["name"], "app");
}

#[tokio::test]
async fn a_path_leads_nowhere_else() {
    let site = Site::new().await;
    // More no URI can have.
    let long = "a".repeat(60_000);
    let dots = "..%2f..%2f..%2fuser";
    let ids = [dots, "%2e%2e", "%00", "%ff%fe", "%0d%0aset-cookie:%20a=b", "%3Cscript%3E", &long];
    for route in Route::guarded() {
        let mut paths = vec![
            route.filled(ACCOUNT, "x") + "/",
            route.filled(ACCOUNT, "x").replace('/', "//").replacen("//client//v4", BASE, 1),
            format!("{BASE}/..{}", route.filled(ACCOUNT, "x")),
        ];
        if route.has_id() {
            paths.extend(ids.iter().map(|id| route.filled(ACCOUNT, id)));
        }
        if route.path.contains("{account}") || route.path.contains("{zone}") {
            paths.extend(ids.iter().map(|account| route.filled(account, "x")));
            paths.push(route.filled(&format!("%30{}", ACCOUNT.get(1..).unwrap()), "x"));
        }
        for path in paths.into_iter().filter(|path| path.len() < usize::from(u16::MAX)) {
            let (status, answer) = route.ask(&site, &site.token, &path).await;
            let path = path.get(..path.len().min(200)).unwrap();
            let told = [400, 403, 404].contains(&status.as_u16());
            assert!(told, "{} {path} {status}: {answer}", route.method);
        }
    }
}

#[tokio::test]
async fn a_hostile_body_is_refused() {
    let site = Site::new().await;
    let large = json!({ "name": "a".repeat(1 << 20) }).to_string();
    let deep = "[".repeat(100_000);
    for route in Route::guarded().filter(|route| route.has_body) {
        for (body, status) in [
            (large.as_str(), 413),
            (&deep, 400),
            ("\"text\"", 400),
            ("{\"name\":", 400),
            ("name=x", 400),
            ("<name/>", 400),
            ("{} {}", 400),
        ] {
            let path = route.filled(ACCOUNT, "x");
            let (told, _, _) = site.send(&site.token, route.method.clone(), &path, body).await;
            let body = body.get(..body.len().min(20)).unwrap();
            assert_eq!(told.as_u16(), status, "{} {path} {body}", route.method);
        }
        let request = Request::builder().method(&route.method).uri(route.filled(ACCOUNT, "x"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", site.token));
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        let (status, _, _) = site.answer(request.body(Body::from(&b"\xff\xfe"[..])).unwrap()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn ten_thousand_guesses_are_slowed_and_hinder_nobody_else() {
    let site = Site::new().await;
    let from = async |address: [u8; 4], token: &str| {
        let request = Request::get(format!("{BASE}/user"))
            .extension(ConnectInfo(SocketAddr::from((address, 1))));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let (status, headers, _) = site.answer(request.body(Body::empty()).unwrap()).await;
        (status.as_u16(), headers.contains_key(header::RETRY_AFTER))
    };
    let guesser = [192, 0, 2, 1];
    let mut told = HashSet::new();
    for number in 0..10_000 {
        let answer = from(guesser, &format!("jg_{number:064x}")).await;
        let is_early = number < 20;
        assert_eq!(answer, if is_early { (401, false) } else { (429, true) }, "{number}");
        told.insert(answer);
    }
    assert_eq!(told.len(), 2);
    let new = token(&site, "new", json!({})).await;
    for (address, token) in
        [(guesser, &site.token), ([192, 0, 2, 2], &site.token), ([192, 0, 2, 2], &new)]
    {
        assert_eq!(from(address, token).await, (200, false));
    }
}

/// The pages make text of what they are told; the API says that it is nothing else.
#[tokio::test]
async fn markup_in_a_name_is_told_back_as_data() {
    let site = Site::new().await;
    for (number, name) in
        ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{7*7}}';--"]
            .into_iter()
            .enumerate()
    {
        let place = format!("x{number}.test");
        for (path, key) in [
            ("/accounts", "name"),
            ("/user/tokens", "name"),
            ("/{a}/hyperdrive/configs", "name"),
            ("/{a}/mtls_certificates", "name"),
            ("/{a}/access/service_tokens", "name"),
            ("/{a}/access/policies", "name"),
            ("/{a}/access/apps", "name"),
            ("/{a}/cfd_tunnel", "name"),
        ] {
            let mut body = good_for_all();
            body[key] = json!(name);
            body["domain"] = json!(place);
            let made = site.ask(Method::POST, path, body).await;
            assert_eq!(made[key], name, "{path}");
            // `send` holds each answer to be JSON that no browser takes for anything else.
            let listed = site.ask(Method::GET, path, Value::Null).await;
            assert!(listed.as_array().unwrap().iter().any(|it| it[key] == name), "{path}");
        }
        let id = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let config = format!("/{{a}}/hyperdrive/configs/{id}");
        let user = json!({ "user": name });
        let made = site.ask(Method::POST, &format!("{config}/credentials"), user).await;
        assert_eq!(made["user"], name);
        assert!(!made["connection_string"].as_str().unwrap().contains(['<', '>', '"', '\'']));
        site.ask(Method::DELETE, &config, Value::Null).await;
        let (status, message) = site.refused(Method::GET, &config, Value::Null).await;
        assert_eq!((status, message), (404, format!("there is no config {name:?}")));
    }
    assert!(site.ask(Method::GET, "/audit", Value::Null).await.is_array());
}

/// Nothing that a header or a log line could be made of.
#[tokio::test]
async fn a_name_has_no_control_characters() {
    let site = Site::new().await;
    for path in ["/accounts", "/user/tokens", "/{a}/access/service_tokens", "/{a}/cfd_tunnel"] {
        let mut body = good_for_all();
        body["name"] = json!("a\r\nb");
        assert_eq!(site.refused(Method::POST, path, body).await.0, 400, "{path}");
    }
}

/// Of a CA that nobody trusts, until the year 2126.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBdzCCAR2gAwIBAgIUL8iceJw5viidsbahSUmCccjuSy8wCgYIKoZIzj0EAwIw\n\
EDEOMAwGA1UEAwwFVGVzdHMwIBcNMjYxMTMwMDkwMTMxWhgPMjEyNjExMDYwOTAx\n\
MzFaMBAxDjAMBgNVBAMMBVRlc3RzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n\
WUCTRK0mJfORPg8QjDd3DCuo8xe0gssgK0ccdKoO1S+TFMIsQ/DRhvptw8Cr2iL0\n\
mGgVrr+dLMsSFg2TPC+VuaNTMFEwHQYDVR0OBBYEFOV7O1NKbevSzf3i/Ejklxnv\n\
IXlyMB8GA1UdIwQYMBaAFOV7O1NKbevSzf3i/EjklxnvIXlyMA8GA1UdEwEB/wQF\n\
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgQghRGrhAr+mu8IGr6UtfzA7M9B90zuni\n\
GZbSTb9TzAECIQCffrhJ9lYGZj1zBiLfRMBVNOOGT1dAdW+REMzP0M1SQA==\n\
-----END CERTIFICATE-----\n";
