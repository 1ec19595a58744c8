//! What an edge is told of a world.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    model::Secret,
    plane::Edit,
    resources::{Application, Hostname, Policy, PreviousHash, ServiceToken, Tunnel, TunnelSecret},
};

const ONE: &str = "00000000-0000-4000-8000-000000000001";
const TWO: &str = "00000000-0000-4000-8000-000000000002";

fn tunnel(id: &str, made: i64, ingress: Option<Value>) -> Tunnel {
    Tunnel {
        id: id.to_owned(),
        account: "a".to_owned(),
        name: id.to_owned(),
        is_remote: true,
        account_tag: None,
        secret: TunnelSecret::new(Secret::from("c2VjcmV0")),
        previous: None,
        configuration: ingress.map(|ingress| json!({ "ingress": ingress })),
        version: 1,
        metadata: None,
        created_at: Moment(made),
        deleted_at: None,
    }
}

fn hostname(name: &str, tunnel: &str) -> Hostname {
    Hostname {
        name: name.to_owned(),
        account: "a".to_owned(),
        tunnel: tunnel.to_owned(),
        created_at: Moment(1),
    }
}

fn token(id: &str, account: &str) -> ServiceToken {
    ServiceToken {
        id: id.to_owned(),
        account: account.to_owned(),
        name: id.to_owned(),
        client_id: format!("{id}.access"),
        secret_sha256: "0".repeat(64),
        previous: None,
        version: 1,
        duration: "forever".to_owned(),
        expires_at: None,
        is_enabled: true,
        created_at: Moment(1_000_000),
        updated_at: Moment(1_000_000),
    }
}

fn policy(id: &str, decision: &str, include: Vec<Selector>) -> Policy {
    Policy {
        id: id.to_owned(),
        account: "a".to_owned(),
        name: id.to_owned(),
        decision: decision.to_owned(),
        include,
        require: vec![Selector::AnyValidServiceToken {}],
        exclude: Vec::new(),
        session_duration: None,
        is_reusable: true,
        created_at: Moment(1),
        updated_at: Moment(1),
    }
}

fn world(change: impl FnOnce(&mut Edit)) -> World {
    let mut edit = Edit::new(World::default());
    change(&mut edit);
    World::clone(&edit)
}

fn told(world: &World) -> Vec<(String, String, Option<String>)> {
    routes(world).into_iter().map(|it| (it.hostname, it.tunnel, it.service)).collect()
}

#[test]
fn a_hostname_leads_where_it_was_led_or_where_a_rule_is() {
    let (tcp, last) = ("tcp://h:1", json!({ "service": "http_status:404" }));
    let rule = |host: &str| json!({ "hostname": host, "service": tcp });
    let world = world(|edit| {
        // The older one has the greater id.
        edit.put(tunnel(TWO, 1, Some(json!([rule("both.test"), rule("led.test"), last]))));
        edit.put(tunnel(ONE, 2, Some(json!([rule("both.test"), rule("*.wild.test"), last]))));
        edit.put(tunnel("gone", 0, Some(json!([rule("both.test"), rule("gone.test"), last]))));
        edit.put(Tunnel { deleted_at: Some(Moment(3)), ..tunnel("gone", 0, None) });
        edit.put(Tunnel { is_remote: false, ..tunnel("local", 0, None) });
        for (name, tunnel) in
            [("led.test", ONE), ("a.wild.test", ONE), ("lost.test", "gone"), ("own.test", "local")]
        {
            edit.put(hostname(name, tunnel));
        }
    });
    let owned = |host: &str, tunnel: &str, service: Option<&str>| {
        (host.to_owned(), tunnel.to_owned(), service.map(ToOwned::to_owned))
    };
    assert_eq!(
        told(&world),
        [
            owned("a.wild.test", ONE, Some(tcp)),
            owned("both.test", TWO, Some(tcp)),
            owned("led.test", ONE, None),
            owned("own.test", "local", None),
        ]
    );
    let view = EdgeView::of(&world);
    let managed: Vec<_> = view.tunnels.iter().map(|it| (&*it.id, it.managed)).collect();
    assert_eq!(managed, [("local", false), (TWO, true), (ONE, true)]);
}

#[test]
fn any_token_is_one_of_the_account_and_a_policy_that_denies_is_not_told() {
    let any = || vec![Selector::AnyValidServiceToken {}];
    let world = world(|edit| {
        edit.put(token("ours", "a"));
        edit.put(ServiceToken { is_enabled: false, ..token("off", "a") });
        edit.put(token("theirs", "b"));
        edit.put(policy("any", "non_identity", any()));
        edit.put(policy("no", "deny", any()));
        edit.put(Application {
            id: ONE.to_owned(),
            account: "a".to_owned(),
            name: "db".to_owned(),
            hostname: "db.test".to_owned(),
            path: String::new(),
            aud: "0".repeat(64),
            policies: vec!["no".to_owned(), "any".to_owned(), "lost".to_owned()],
            service_auth_401: false,
            token_header: None,
            session_duration: "24h".to_owned(),
            others: serde_json::Map::new(),
            created_at: Moment(1),
            updated_at: Moment(1),
        });
    });
    let view = EdgeView::of(&world);
    let tokens: Vec<_> = view.service_tokens.iter().map(|token| &*token.id).collect();
    assert_eq!(tokens, ["ours", "theirs"]);
    let [policy] = &*view.policies else { unreachable!("one") };
    let selector = |id: &str| Selector::ServiceToken { token_id: id.to_owned() };
    assert_eq!(policy.include, [selector("off"), selector("ours")]);
    assert!(policy.require.is_empty());
    assert_eq!(view.applications[0].policies, ["any"]);
}

/// These are the keys of `tunnel::state::State`.
#[test]
fn the_json_is_that_of_the_state_of_an_edge() {
    let world = world(|edit| {
        let previous = PreviousHash { sha256: "1".repeat(64), expires_at: Moment(2_000_000) };
        edit.put(ServiceToken { previous: Some(previous), ..token("t", "a") });
        edit.put(tunnel(ONE, 1_000_000, None));
    });
    let view = EdgeView::of(&world);
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(
        json,
        json!({
            "version": 0,
            "tunnels": [{
                "id": ONE, "name": ONE, "account_tag": "a",
                "secret": hex::encode(Sha256::digest("secret")), "created_at": 1, "managed": false,
            }],
            "routes": [],
            "service_tokens": [{
                "id": "t", "name": "t", "client_id": "t.access", "secret": "0".repeat(64),
                "previous": { "secret": "1".repeat(64), "expires_at": 2 },
                "expires_at": null, "created_at": 1, "secret_version": 1,
            }],
            "policies": [],
            "applications": [],
        })
    );
    assert_eq!(serde_json::from_value::<EdgeView>(json).unwrap(), view);
}
