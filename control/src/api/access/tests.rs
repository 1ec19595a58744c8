//! Service tokens, policies and applications as the tools ask for them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::api::tests::Site;

const TOKENS: &str = "/{a}/access/service_tokens";
const POLICIES: &str = "/{a}/access/policies";
const APPS: &str = "/{a}/access/apps";

fn below(all: &str, made: &Value) -> String {
    format!("{all}/{}", made["id"].as_str().unwrap())
}

async fn token(site: &Site, name: &str) -> Value {
    site.ask(Method::POST, TOKENS, json!({ "name": name })).await
}

/// A policy that lets this token pass.
fn policy(name: &str, token: &Value) -> Value {
    let rule = json!({ "service_token": { "token_id": token["id"] } });
    json!({ "name": name, "decision": "non_identity", "include": [rule] })
}

#[tokio::test]
async fn the_secret_of_a_token_is_told_when_it_is_made_and_rotated() {
    let site = Site::new().await;
    let made = site.ask(Method::POST, TOKENS, json!({ "name": "hd", "duration": "1h" })).await;
    let one = below(TOKENS, &made);
    assert_eq!(made["client_id"].as_str().unwrap().len(), 32 + ".access".len());
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(
        (secret.len(), &made["duration"], &made["enabled"]),
        (64, &json!("1h"), &json!(true))
    );
    let shown = site.ask(Method::GET, &one, Value::Null).await;
    assert_eq!(shown["client_secret"], Value::Null);
    assert_eq!(site.ask(Method::GET, TOKENS, Value::Null).await, json!([shown]));
    let by_name = format!("{TOKENS}/hd");
    assert_eq!(site.ask(Method::GET, &by_name, Value::Null).await, shown);
    let rotated = site.ask(Method::POST, &format!("{one}/rotate"), Value::Null).await;
    assert_ne!(rotated["client_secret"].as_str().unwrap(), secret);
    assert_eq!(
        (&rotated["client_secret_version"], &rotated["previous_client_secret_expires_at"]),
        (&json!(2), &Value::Null)
    );
    let end = "2999-01-01T00:00:00Z";
    let until = json!({ "previous_client_secret_expires_at": end });
    let rotated = site.ask(Method::POST, &format!("{one}/rotate"), until).await;
    assert_eq!(rotated["previous_client_secret_expires_at"], end);
    let ended = json!({ "previous_client_secret_expires_at": null });
    let ended = site.ask(Method::PUT, &one, ended).await;
    assert_eq!(ended["previous_client_secret_expires_at"], Value::Null);
    let overlap = site.ask(Method::POST, &format!("{one}/rotate"), json!({ "overlap": 60 })).await;
    assert!(overlap["previous_client_secret_expires_at"].is_string());
    let by_version = json!({ "client_secret_version": 7, "duration": "forever" });
    let by_version = site.ask(Method::PUT, &one, by_version).await;
    assert!(by_version["client_secret"].is_string());
    assert_eq!(
        (&by_version["client_secret_version"], &by_version["expires_at"]),
        (&json!(7), &Value::Null)
    );
    let older = site.refused(Method::PUT, &one, json!({ "client_secret_version": 6 })).await;
    assert_eq!(older, (400, String::from("client_secret_version is 7 already; it only grows")));
}

#[tokio::test]
async fn a_token_is_renamed_disabled_refreshed_and_deleted() {
    let site = Site::new().await;
    let made = token(&site, "hd").await;
    let one = below(TOKENS, &made);
    let changed = json!({ "name": "other", "enabled": false, "duration": "2h" });
    let changed = site.ask(Method::PUT, &one, changed).await;
    assert_eq!((&changed["name"], &changed["enabled"]), (&json!("other"), &json!(false)));
    assert!(changed["expires_at"].as_str() < made["expires_at"].as_str());
    let fresh = site.ask(Method::POST, &format!("{one}/refresh"), Value::Null).await;
    assert!(fresh["expires_at"].as_str() > changed["expires_at"].as_str());
    for (body, expected) in [
        (json!({}), "name is missing"),
        (json!({ "name": "other" }), "there is a service token \"other\" already"),
        (json!({ "name": "" }), "name must have from 1"),
        (json!({ "name": "x", "duration": "1d" }), "duration must be a time such as 8760h"),
    ] {
        let (status, message) = site.refused(Method::POST, TOKENS, body).await;
        assert!(status == 400 && message.contains(expected), "{message}");
    }
    site.ask(Method::POST, POLICIES, policy("proxies", &made)).await;
    let (status, message) = site.refused(Method::DELETE, &one, Value::Null).await;
    assert_eq!(
        (status, &*message),
        (400, "the policy proxies names it; change that first, or disable the token")
    );
    let gone =
        site.ask(Method::DELETE, &below(TOKENS, &token(&site, "b").await), Value::Null).await;
    assert_eq!(gone["name"], "b");
    assert_eq!(site.refused(Method::GET, &format!("{TOKENS}/b"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_policy_says_what_an_edge_can_decide_and_nothing_else() {
    let site = Site::new().await;
    let token = token(&site, "hd").await;
    let any = json!([{ "any_valid_service_token": {} }]);
    let mut asked = policy("p", &token);
    asked["require"] = any.clone();
    let made = site.ask(Method::POST, POLICIES, asked.clone()).await;
    let one = below(POLICIES, &made);
    assert_eq!(
        (&made["include"], &made["require"], &made["exclude"], &made["reusable"]),
        (&asked["include"], &any, &json!([]), &json!(true))
    );
    assert_eq!(site.ask(Method::GET, &one, Value::Null).await, made);
    assert_eq!(site.ask(Method::GET, POLICIES, Value::Null).await, json!([made]));
    let denies = json!({ "name": "q", "decision": "deny", "include": any });
    let changed = site.ask(Method::PUT, &one, denies).await;
    assert_eq!((&changed["decision"], &changed["require"]), (&json!("deny"), &json!([])));
    let mut wrong = vec![
        (json!({ "decision": "allow" }), "needs people who log in"),
        (json!({ "decision": "bypass" }), "would let everybody pass"),
        (json!({ "decision": "x" }), "\"x\" is none; \"non_identity\""),
        (json!({ "decision": null }), "decision is missing"),
        (json!({ "name": null }), "name is missing"),
        (json!({ "name": "q" }), "there is a policy \"q\" already"),
        (json!({ "include": [] }), "include is missing"),
        (json!({ "approval_required": true }), "approval_required needs a person"),
    ];
    for (rule, expected) in [
        (json!({ "email": { "email": "a@b.test" } }), "include.0: the rule \"email\" is about"),
        (json!({ "service_token": { "token_id": "x" } }), "there is no service token \"x\""),
        (json!({ "service_token": {} }), "token_id is missing"),
        (json!({}), "must be an object with one key"),
        (json!("any"), "must be an object with one key"),
    ] {
        wrong.push((json!({ "include": [rule] }), expected));
    }
    for (change, expected) in wrong {
        let mut body = policy("new", &token);
        let fields = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        let (status, message) = site.refused(Method::POST, POLICIES, body).await;
        assert!(status == 400 && message.contains(expected), "{message}\n{expected}");
    }
    // The provider of Terraform sends what is not meant as null.
    let nulls = json!([{ "any_valid_service_token": {}, "email": null, "service_token": null }]);
    let nulls =
        json!({ "name": "n", "decision": "non_identity", "include": nulls, "exclude": null });
    assert_eq!(site.ask(Method::POST, POLICIES, nulls).await["include"], any);
    assert_eq!(site.ask(Method::DELETE, &one, Value::Null).await, json!({ "id": made["id"] }));
    assert_eq!(site.refused(Method::GET, &one, Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_application_names_policies_by_id_link_or_definition() {
    let site = Site::new().await;
    let token = token(&site, "hd").await;
    let [p, q] = ["p", "q"].map(|name| policy(name, &token));
    let p = site.ask(Method::POST, POLICIES, p).await;
    let q = site.ask(Method::POST, POLICIES, q).await;
    let body = json!({
        "type": "self_hosted", "name": "db", "domain": "DB.example.com/x/", "tags": ["t"],
        "service_auth_401_redirect": true, "read_service_tokens_from_header": "X-Token",
        "policies": [policy("own", &token), { "id": q["id"], "precedence": 2 }, { "id": p["id"], "precedence": 1 }],
    });
    let made = site.ask(Method::POST, APPS, body.clone()).await;
    let one = below(APPS, &made);
    let names = |app: &Value| -> Vec<String> {
        let policies = app["policies"].as_array().unwrap().iter();
        policies.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&made), ["p", "q", "own"]);
    assert_eq!(
        (&made["domain"], &made["session_duration"], &made["tags"]),
        (&json!("db.example.com/x"), &json!("24h"), &json!(["t"]))
    );
    assert_eq!(made["destinations"], json!([{ "type": "public", "uri": "db.example.com/x" }]));
    assert_eq!(made["aud"].as_str().unwrap().len(), 64);
    assert_eq!(site.ask(Method::GET, &one, Value::Null).await, made);
    assert_eq!(site.ask(Method::GET, &format!("{APPS}?name=db"), Value::Null).await, json!([made]));
    assert_eq!(site.ask(Method::GET, &format!("{APPS}?domain=x"), Value::Null).await, json!([]));
    let shown = site.ask(Method::GET, &below(POLICIES, &p), Value::Null).await;
    assert_eq!(shown["app_count"], 1);
    let (status, message) = site.refused(Method::DELETE, &below(POLICIES, &p), Value::Null).await;
    assert_eq!((status, &*message), (400, "the application db names it; change that first"));
    // What comes back may be put again as a whole; what is left out of it goes, but for the policies.
    let same = site.ask(Method::PUT, &one, made.clone()).await;
    assert_eq!((names(&same), &same["aud"]), (names(&made), &made["aud"]));
    let kept = json!({ "type": "self_hosted", "domain": "db.example.com" });
    let kept = site.ask(Method::PUT, &one, kept).await;
    assert_eq!((names(&kept), &kept["name"]), (names(&made), &json!("db.example.com")));
    assert_eq!(kept["read_service_tokens_from_header"], Value::Null);
    let less = json!({ "domain": "db.example.com", "policies": [q["id"]] });
    assert_eq!(names(&site.ask(Method::PUT, &one, less).await), ["q"]);
    assert_eq!(
        site.ask(Method::POST, &format!("{one}/revoke_tokens"), Value::Null).await,
        json!({})
    );
    assert_eq!(site.ask(Method::DELETE, &one, Value::Null).await, json!({ "id": made["id"] }));
    assert_eq!(site.refused(Method::GET, &one, Value::Null).await.0, 404);
    assert_eq!(site.ask(Method::GET, POLICIES, Value::Null).await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_an_edge_could_not_guard_is_refused() {
    let site = Site::new().await;
    site.ask(Method::POST, APPS, json!({ "domain": "taken.test" })).await;
    for (body, expected) in [
        (json!({}), "domain is missing"),
        (json!({ "type": "saas", "domain": "a.test" }), "type \"saas\" is not possible here"),
        (json!({ "domain": "*.test" }), "matched exactly"),
        (json!({ "domain": "a.test/*" }), "a path that is not plain"),
        (json!({ "domain": "taken.test" }), "an application guards taken.test already"),
        (json!({ "domain": "a.test", "self_hosted_domains": ["b.test"] }), "guards one place"),
        (
            json!({ "destinations": [{ "type": "private", "cidr": "10.0.0.0/8" }] }),
            "only {\"type\": \"public\"",
        ),
        (
            json!({ "domain": "a.test", "read_service_tokens_from_header": "a b" }),
            "name of a header",
        ),
        (json!({ "domain": "a.test", "policies": ["x"] }), "policies.0: there is no policy \"x\""),
        (
            json!({ "domain": "a.test", "policies": [{ "name": "x" }] }),
            "policies.0: decision is missing",
        ),
    ] {
        let (status, message) = site.refused(Method::POST, APPS, body).await;
        assert!(status == 400 && message.contains(expected), "{message}\n{expected}");
    }
    let listed = site.ask(Method::GET, APPS, Value::Null).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_policies_of_an_application_are_a_resource_below_it() {
    let site = Site::new().await;
    let token = token(&site, "hd").await;
    let p = site.ask(Method::POST, POLICIES, policy("p", &token)).await;
    let app = json!({ "domain": "a.test", "policies": [p["id"]] });
    let all = format!("{}/policies", below(APPS, &site.ask(Method::POST, APPS, app).await));
    let mut own = policy("own", &token);
    own["precedence"] = json!(1);
    let made = site.ask(Method::POST, &all, own.clone()).await;
    let one = below(&all, &made);
    assert_eq!((&made["precedence"], &made["reusable"]), (&json!(1), &json!(false)));
    let listed = site.ask(Method::GET, &all, Value::Null).await;
    assert_eq!((&listed[0], &listed[1]["name"]), (&made, &json!("p")));
    own["name"] = json!("renamed");
    own["precedence"] = json!(2);
    let changed = site.ask(Method::PUT, &one, own).await;
    assert_eq!((&changed["name"], &changed["precedence"]), (&json!("renamed"), &json!(2)));
    assert_eq!(site.ask(Method::GET, &one, Value::Null).await, changed);
    let linked = below(&all, &p);
    let (status, message) = site.refused(Method::PUT, &linked, policy("p2", &token)).await;
    assert!(status == 400 && message.contains("change it at /access/policies/"), "{message}");
    assert_eq!(site.refused(Method::GET, &below(POLICIES, &made), Value::Null).await.0, 404);
    let shared = site.ask(Method::PUT, &format!("{one}/make_reusable"), Value::Null).await;
    assert_eq!(shared["reusable"], true);
    site.ask(Method::DELETE, &one, Value::Null).await;
    site.ask(Method::DELETE, &linked, Value::Null).await;
    assert_eq!(site.ask(Method::GET, &all, Value::Null).await, json!([]));
    assert_eq!(site.ask(Method::GET, POLICIES, Value::Null).await.as_array().unwrap().len(), 2);
}
