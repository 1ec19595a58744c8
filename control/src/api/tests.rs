//! The API as its clients see it, without a socket.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{
    database::Database,
    fleet::{Fleet, Nobody},
    moment::Moment,
    plane::{Actor, Plane},
    resources::{Account, Scope, Zone},
    seal::Keyring,
};

pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

/// An API on a database of its own, with an admin's token.
pub(crate) struct Site {
    router: Router,
    pub(crate) token: String,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(Nobody)).await
    }

    /// With these nodes.
    pub(crate) async fn with(fleet: Arc<dyn Fleet>) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("control.db").display());
        let keyring = Keyring::new_line("k").parse().unwrap();
        let plane = Plane::open(Database::open(&url).await.unwrap(), keyring).await.unwrap();
        let (token, text) = make_token("admin", Scope::Admin, None, None);
        let actor = Actor { who: String::from("tests"), whence: String::from("here") };
        plane
            .change(actor, "set up", |edit| {
                let (id, name) = (ACCOUNT.to_owned(), String::from("main"));
                edit.put(Account { id: id.clone(), name: name.clone(), created_at: Moment(1) });
                edit.put(Zone { id: id.clone(), account: id, name, created_at: Moment(1) });
                edit.put(token.clone());
                Ok::<_, ()>(())
            })
            .await
            .unwrap();
        let router = Api::new(plane, fleet).router();
        Self { router, token: text, _folder: folder }
    }

    /// A request with a token; `path` is below the base, `{a}` in it the account.
    pub(crate) async fn ask_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let path = format!("{BASE}{}", path.replace("{a}", &format!("accounts/{ACCOUNT}")));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, _headers, answer) = self.send(token, method, &path, &body).await;
        (status, answer)
    }

    /// A request as it is; without a token where that is empty.
    pub(crate) async fn send(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &str,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.answer(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// What is answered, which is always JSON.
    pub(crate) async fn answer(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let (head, body) = self.router().oneshot(request).await.unwrap().into_parts();
        assert_eq!(head.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(head.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        (head.status, head.headers, serde_json::from_slice(&bytes).unwrap())
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// What is answered with 200.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask_as(&self.token, method.clone(), path, &body).await;
        assert_eq!(status, StatusCode::OK, "{method} {path}: {answer}");
        assert_eq!(answer["success"], true);
        answer["result"].clone()
    }

    /// The status and the first error of what is refused.
    pub(crate) async fn refused(&self, method: Method, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask_as(&self.token, method, path, &body).await;
        assert_eq!(answer["success"], false, "{answer}");
        (status.as_u16(), answer["errors"][0]["message"].as_str().unwrap().to_owned())
    }
}

fn config(name: &str) -> Value {
    json!({ "name": name, "origin": {
        "scheme": "postgres", "host": "db.test", "port": 5432,
        "database": "d", "user": "u", "password": "hunter2",
    } })
}

#[tokio::test]
async fn a_config_is_made_shown_changed_and_deleted() {
    let site = Site::new().await;
    let made = site.ask(Method::POST, "/{a}/hyperdrive/configs", config("one")).await;
    let one = format!("/{{a}}/hyperdrive/configs/{}", made["id"].as_str().unwrap());
    assert!(!made.to_string().contains("hunter2"));
    assert_eq!(made["caching"], json!({ "disabled": false }));
    assert_eq!(site.ask(Method::GET, &one, Value::Null).await, made);
    let through = json!({ "origin": {
        "access_client_id": "a.access", "access_client_secret": "s", "host": "t.test",
    } });
    let moved = site.ask(Method::PATCH, &one, through).await;
    let origin = json!({ "scheme": "postgres", "host": "t.test", "database": "d", "user": "u", "access_client_id": "a.access" });
    assert_eq!(moved["origin"], origin);
    let back = site.ask(Method::PATCH, &one, json!({ "origin": { "host": "h", "port": 1 } })).await;
    assert_eq!(
        (&back["origin"]["port"], &back["origin"]["access_client_id"]),
        (&json!(1), &Value::Null)
    );
    let aged = json!({ "caching": { "max_age": 10, "stale_while_revalidate": 0 } });
    let aged = site.ask(Method::PATCH, &one, aged).await;
    assert_eq!(
        aged["caching"],
        json!({ "disabled": false, "max_age": 10, "stale_while_revalidate": 0 })
    );
    let rules = json!([{ "tables": ["t", "s.t"], "never": true }, { "user": "r", "max_age": 600 }]);
    let writers = json!("all through this proxy");
    let ruled = json!({ "caching": { "rules": rules, "writers": writers } });
    let mut expected = aged["caching"].clone();
    (expected["rules"], expected["writers"]) = (rules, writers);
    assert_eq!(site.ask(Method::PATCH, &one, ruled).await["caching"], expected);
    let freed = json!({ "caching": { "rules": [], "max_age": 11 } });
    let freed = site.ask(Method::PATCH, &one, freed).await;
    assert_eq!(
        (&freed["caching"]["rules"], &freed["caching"]["max_age"]),
        (&Value::Null, &json!(11))
    );
    let off = site.ask(Method::PATCH, &one, json!({ "caching": { "disabled": true } })).await;
    assert_eq!(off["caching"], json!({ "disabled": true }));
    assert!(
        site.ask(Method::POST, &format!("{one}/restart"), Value::Null).await["restarted_on"]
            .is_string()
    );
    assert_eq!(site.ask(Method::DELETE, &one, Value::Null).await, Value::Null);
    assert_eq!(site.refused(Method::GET, &one, Value::Null).await.0, 404);
}

/// CONTROL_API §5: what Terraform sends for a property that was removed.
#[tokio::test]
async fn null_unsets_and_left_out_stays() {
    let site = Site::new().await;
    let mut full = config("one");
    full["origin_connection_limit"] = json!(15);
    full["caching"] = json!({ "max_age": 5 });
    full["mtls"] = json!({ "sslmode": "require" });
    let made = site.ask(Method::POST, "/{a}/hyperdrive/configs", full).await;
    let one = format!("/{{a}}/hyperdrive/configs/{}", made["id"].as_str().unwrap());
    let kept = site.ask(Method::PUT, &one, config("one")).await;
    assert_eq!(kept["caching"], json!({ "disabled": false }));
    assert_eq!((&kept["mtls"], &kept["origin_connection_limit"]), (&made["mtls"], &json!(15)));
    let mut nulls = config("one");
    for key in ["caching", "mtls", "origin_connection_limit"] {
        nulls[key] = Value::Null;
    }
    let unset = site.ask(Method::PUT, &one, nulls).await;
    assert_eq!((&unset["mtls"], &unset["origin_connection_limit"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_capture_is_given_as_a_whole_and_shown_without_its_password() {
    let site = Site::new().await;
    let mut full = config("one");
    full["capture"] =
        json!({ "enabled": true, "user": "teller", "password": "told", "max_lag": 5 });
    let made = site.ask(Method::POST, "/{a}/hyperdrive/configs", full).await;
    let one = format!("/{{a}}/hyperdrive/configs/{}", made["id"].as_str().unwrap());
    let shown = json!({ "enabled": true, "user": "teller", "max_lag": 5 });
    assert_eq!(made["capture"], shown);
    let kept = site.ask(Method::PATCH, &one, json!({ "name": "two" })).await;
    assert_eq!(kept["capture"], shown);
    let off = json!({ "capture": { "enabled": false, "user": "teller" } });
    let off = site.ask(Method::PATCH, &one, off).await;
    assert_eq!(off["capture"], json!({ "enabled": false, "user": "teller" }));
    let (status, why) =
        site.refused(Method::PATCH, &one, json!({ "capture": { "slot": "A" } })).await;
    assert!(status == 400 && why.starts_with("capture.slot: "), "{status} {why}");
    assert!(site.ask(Method::PATCH, &one, json!({ "capture": null })).await["capture"].is_null());
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let site = Site::new().await;
    site.ask(Method::POST, "/{a}/hyperdrive/configs", config("one")).await;
    let mut wrong = config("one");
    let post = |body| site.refused(Method::POST, "/{a}/hyperdrive/configs", body);
    assert_eq!(
        post(wrong.clone()).await,
        (400, String::from("there is a config \"one\" already; choose another name"))
    );
    wrong["name"] = json!("two");
    wrong["origin"]["database"] = json!("");
    let (status, message) = post(wrong.clone()).await;
    assert_eq!(
        (status, &*message),
        (400, "origin.database: must not be empty or hold a zero byte")
    );
    wrong["caching"] = json!({ "max_age": 3601 });
    assert!(post(wrong).await.1.contains("; "));
    assert_eq!(
        post(json!({ "origin": {} })).await,
        (400, String::from("name is missing: add \"name\""))
    );
    assert_eq!(
        site.ask(Method::GET, "/{a}/hyperdrive/configs", Value::Null)
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_list_ends_with_an_empty_page() {
    let site = Site::new().await;
    for name in ["one", "two", "three"] {
        site.ask(Method::POST, "/{a}/hyperdrive/configs", config(name)).await;
    }
    let page = |page: u32| {
        let path = format!("/{{a}}/hyperdrive/configs?per_page=2&page={page}");
        let site = &site;
        async move { site.ask(Method::GET, &path, Value::Null).await.as_array().unwrap().len() }
    };
    assert_eq!((page(1).await, page(2).await, page(3).await), (2, 1, 0));
}

#[tokio::test]
async fn a_password_is_told_once_and_rotated() {
    let site = Site::new().await;
    site.ask(Method::POST, "/{a}/hyperdrive/configs", config("one")).await;
    let all = "/{a}/hyperdrive/configs/one/credentials";
    let made = site.ask(Method::POST, all, json!({ "user": "app" })).await;
    let password = made["password"].as_str().unwrap().to_owned();
    assert_eq!(made["connection_string"], format!("postgres://app:{password}@127.0.0.1:6432/one"));
    let rotated = site.ask(Method::POST, &format!("{all}/app/rotate"), Value::Null).await;
    assert_ne!(rotated["password"], made["password"]);
    let listed = site.ask(Method::GET, all, Value::Null).await.to_string();
    assert!(!listed.contains("password\"") && !listed.contains(&password), "{listed}");
    site.ask(Method::DELETE, &format!("{all}/app"), Value::Null).await;
    assert_eq!(site.ask(Method::GET, all, Value::Null).await, json!([]));
}

#[tokio::test]
async fn a_token_may_what_its_scope_says() {
    let site = Site::new().await;
    let make = |scope: &str| {
        let body = json!({ "name": scope, "scope": scope, "account_id": ACCOUNT });
        let site = &site;
        async move {
            site.ask(Method::POST, "/user/tokens", body).await["value"].as_str().unwrap().to_owned()
        }
    };
    let (read, edit) = (make("read").await, make("edit").await);
    let configs = "/{a}/hyperdrive/configs";
    for (token, method, path, status) in [
        ("", Method::GET, configs, 401),
        ("wrong", Method::GET, configs, 401),
        (&*read, Method::GET, configs, 200),
        (&read, Method::POST, configs, 403),
        (&edit, Method::POST, configs, 200),
        (&edit, Method::GET, "/user/tokens", 403),
        (&edit, Method::GET, "/audit", 403),
        (&read, Method::GET, "/user/tokens/verify", 200),
        (&read, Method::GET, "/accounts/ffffffffffffffffffffffffffffffff/hyperdrive/configs", 403),
    ] {
        let body = if method == Method::POST { config("one") } else { Value::Null };
        let (answered, answer) = site.ask_as(token, method.clone(), path, &body).await;
        assert_eq!(answered.as_u16(), status, "{method} {path} {answer}");
    }
    let tokens = site.ask(Method::GET, "/user/tokens", Value::Null).await;
    assert!(!tokens.to_string().contains("jg_"));
    let audit = site.ask(Method::GET, "/audit", Value::Null).await;
    assert_eq!((&audit[0]["action"], &audit[0]["who"]), (&json!("create config"), &json!("edit")));
}

#[tokio::test]
async fn what_is_too_large_or_no_text_is_refused_as_json() {
    let site = Site::new().await;
    let large = json!({ "name": "a".repeat(BODY_MAX) });
    let (status, message) = site.refused(Method::POST, "/{a}/hyperdrive/configs", large).await;
    assert_eq!((status, &*message), (413, "payload too large"));
    let path = "/{a}/hyperdrive/configs/%ff%fe";
    assert_eq!(site.refused(Method::GET, path, Value::Null).await.0, 400);
    for path in ["/../../etc/passwd", "/{a}/hyperdrive/configs/..%2f..%2fx", "/nothing"] {
        assert_eq!(site.refused(Method::GET, path, Value::Null).await.0, 404, "{path}");
    }
}

/// Found by schemathesis: the parser of PEM counts down from the length of what is left.
#[tokio::test]
async fn a_certificate_that_is_none_is_refused() {
    let site = Site::new().await;
    for text in ["", "\n\r\n", " ", "-", "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"]
    {
        let body = json!({ "name": "x", "certificates": text, "ca": true });
        assert_eq!(site.refused(Method::POST, "/{a}/mtls_certificates", body).await.0, 400);
    }
}
