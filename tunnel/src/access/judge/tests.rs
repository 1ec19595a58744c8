//! Every way to pass and not to pass, as tables.

use proptest::prelude::*;

use super::*;
use crate::{http1::Request, state::PreviousSecret};

const NOW: UnixSeconds = 1_000;

fn token_id(at: u8) -> Uuid {
    Uuid::from_u128(u128::from(at))
}

/// The token `t1.access` with the secret `secret-1`, and so on.
fn record(at: u8) -> TokenRecord {
    TokenRecord {
        id: token_id(at),
        name: format!("token-{at}"),
        client_id: format!("t{at}.access"),
        secret: SecretHash::of(format!("secret-{at}").as_bytes()),
        previous: None,
        expires_at: None,
        created_at: 0,
        secret_version: 1,
    }
}

fn only(at: u8) -> Rule {
    Rule::ServiceToken { token_id: token_id(at) }
}

const ANY: Rule = Rule::AnyValidServiceToken {};

fn policy(id: u128, include: &[Rule], require: &[Rule], exclude: &[Rule]) -> Policy {
    Policy {
        id: Uuid::from_u128(id),
        name: format!("policy-{id}"),
        include: include.to_vec(),
        require: require.to_vec(),
        exclude: exclude.to_vec(),
    }
}

fn application(path: &str, policies: &[u128]) -> Application {
    Application {
        id: Uuid::from_u128(path.len() as u128),
        name: format!("app{path}"),
        domain: "db.test".to_owned(),
        path: path.to_owned(),
        aud: "a".repeat(64),
        policies: policies.iter().map(|&id| Uuid::from_u128(id)).collect(),
        service_auth_401: false,
        token_header: None,
    }
}

/// Three tokens, and one application that these policies guard.
fn state(policies: Vec<Policy>) -> State {
    let ids: Vec<u128> = policies.iter().map(|policy| policy.id.as_u128()).collect();
    State {
        service_tokens: vec![record(1), record(2), record(3)],
        policies,
        applications: vec![application("", &ids)],
        ..State::default()
    }
}

fn place(path: &str) -> Place {
    Place { host: "db.test".to_owned(), path: path.to_owned() }
}

fn headers(id: &str, secret: &str) -> Headers {
    let head = format!(
        "GET / HTTP/1.1\r\nCf-Access-Client-Id: {id}\r\nCf-Access-Client-Secret: {secret}\r\n\r\n"
    );
    Request::parse(head.as_bytes()).expect("a head").headers
}

fn show(state: &State, id: &str, secret: &str, now: UnixSeconds) -> Result<Allowed, Denied> {
    judge(state, &place("/"), &headers(id, secret), now)
}

fn show_token(state: &State, at: u8) -> Result<Allowed, Denied> {
    show(state, &format!("t{at}.access"), &format!("secret-{at}"), NOW)
}

#[test]
fn every_combination_of_rules_has_its_verdict() {
    use Reason::*;
    let p = policy;
    let passed = Ok::<&str, Reason>;
    for (policies, expected) in [
        (vec![], Err(NotIncluded)),
        (vec![p(1, &[], &[], &[])], Err(NotIncluded)),
        (vec![p(1, &[], &[ANY], &[])], Err(NotIncluded)),
        (vec![p(1, &[only(1)], &[], &[])], passed("policy-1")),
        (vec![p(1, &[only(2)], &[], &[])], Err(NotIncluded)),
        (vec![p(1, &[only(2), only(1)], &[], &[])], passed("policy-1")),
        (vec![p(1, &[ANY], &[], &[])], passed("policy-1")),
        (vec![p(1, &[ANY], &[only(1)], &[])], passed("policy-1")),
        (vec![p(1, &[ANY], &[only(1), ANY], &[])], passed("policy-1")),
        (vec![p(1, &[ANY], &[only(2)], &[])], Err(NotRequired)),
        (vec![p(1, &[ANY], &[only(1), only(2)], &[])], Err(NotRequired)),
        (vec![p(1, &[ANY], &[], &[only(1)])], Err(Excluded)),
        (vec![p(1, &[only(1)], &[only(1)], &[ANY])], Err(Excluded)),
        (vec![p(1, &[only(1)], &[], &[only(2)])], passed("policy-1")),
        (vec![p(1, &[only(2)], &[], &[]), p(2, &[only(1)], &[], &[])], passed("policy-2")),
        (vec![p(1, &[ANY], &[], &[only(1)]), p(2, &[ANY], &[], &[])], passed("policy-2")),
        (vec![p(1, &[ANY], &[], &[]), p(2, &[ANY], &[], &[])], passed("policy-1")),
        (vec![p(1, &[ANY], &[], &[only(1)]), p(2, &[only(2)], &[], &[])], Err(Excluded)),
        (vec![p(1, &[only(9)], &[], &[])], Err(NotIncluded)),
    ] {
        let state = state(policies);
        let verdict = show_token(&state, 1);
        let found = verdict.as_ref().map(|allowed| &*allowed.policy).map_err(|d| d.reason);
        assert_eq!(found, expected, "{:?}", state.policies);
    }
}

#[test]
fn a_policy_that_no_application_names_lets_nobody_pass() {
    let mut state = state(vec![policy(1, &[ANY], &[], &[])]);
    state.applications[0].policies.clear();
    assert_eq!(show_token(&state, 1).expect_err("nobody").reason, Reason::NotIncluded);
    state.applications.clear();
    assert_eq!(show_token(&state, 1).expect_err("nobody").reason, Reason::NoApplication);
}

#[test]
fn a_token_is_valid_with_its_secrets_and_for_its_time() {
    use Reason::*;
    let mut state = state(vec![policy(1, &[ANY], &[], &[])]);
    state.service_tokens[0].expires_at = Some(2_000);
    let old = SecretHash::of(b"old");
    state.service_tokens[0].previous = Some(PreviousSecret { secret: old, expires_at: 1_500 });
    let allowed = Ok::<Option<UnixSeconds>, Reason>;
    for (id, secret, now, expected) in [
        ("t1.access", "secret-1", NOW, allowed(Some(2_000))),
        ("t1.access", "secret-1", 1_999, allowed(Some(2_000))),
        ("t1.access", "secret-1", 2_000, Err(Expired)),
        ("t1.access", "old", 1_499, allowed(Some(1_500))),
        ("t1.access", "old", 1_500, Err(RotatedAway)),
        ("t1.access", "old", 2_000, Err(Expired)),
        ("t1.access", "Old", NOW, Err(WrongSecret)),
        ("t1.access", "secret-2", NOW, Err(WrongSecret)),
        ("T1.access", "secret-1", NOW, Err(UnknownToken)),
        ("t9.access", "secret-1", NOW, Err(UnknownToken)),
        ("t2.access", "secret-2", u64::MAX, allowed(None)),
        ("t2.access", "", NOW, Err(Malformed)),
    ] {
        let verdict = show(&state, id, secret, now);
        let found = verdict.map(|allowed| allowed.until).map_err(|denied| denied.reason);
        assert_eq!(found, expected, "{id} {secret} {now}");
    }
}

#[test]
fn two_records_may_share_a_client_id_while_it_is_rotated() {
    let mut state = state(vec![policy(1, &[only(2)], &[], &[])]);
    state.service_tokens[1].client_id = "t1.access".to_owned();
    assert_eq!(show(&state, "t1.access", "secret-2", NOW).expect("allowed").token, "token-2");
    let denied = show(&state, "t1.access", "secret-1", NOW).expect_err("not the included one");
    assert_eq!(denied.reason, Reason::NotIncluded);
    let denied = show(&state, "t1.access", "secret-3", NOW).expect_err("neither");
    assert_eq!(denied.reason, Reason::WrongSecret);
    assert_eq!(denied.token.expect("a known id").1, "t1.access");
}

#[test]
fn the_longest_path_decides_and_only_whole_segments_count() {
    let mut state = state(vec![policy(1, &[only(1)], &[], &[]), policy(2, &[only(2)], &[], &[])]);
    state.applications =
        vec![application("/a", &[1]), application("/a/b", &[2]), application("/c", &[1])];
    for (path, expected) in [
        ("/a", Some("app/a")),
        ("/a/", Some("app/a")),
        ("/a/x", Some("app/a")),
        ("/a/bc", Some("app/a")),
        ("/a/b", Some("app/a/b")),
        ("/a/b/c", Some("app/a/b")),
        ("/ab", None),
        ("/A", None),
        ("/", None),
        ("", None),
    ] {
        let found = find_application(&state, &place(path));
        assert_eq!(found.map(|found| &*found.name), expected, "{path}");
    }
    assert!(judge(&state, &place("/a"), &headers("t1.access", "secret-1"), NOW).is_ok());
    assert!(judge(&state, &place("/a/b"), &headers("t1.access", "secret-1"), NOW).is_err());
    state.applications.push(application("", &[1]));
    let elsewhere = Place { host: "other.test".to_owned(), path: "/a".to_owned() };
    assert_eq!(find_application(&state, &place("/x")).expect("the whole host").name, "app");
    assert_eq!(find_application(&state, &elsewhere), None);
}

#[test]
fn who_has_passed_is_judged_again_by_what_was_proven() {
    use Reason::*;
    let before = state(vec![policy(1, &[only(1)], &[], &[])]);
    let allowed = show_token(&before, 1).expect("allowed");
    type Change = fn(&mut State);
    let cases: [(Change, Result<Option<UnixSeconds>, Reason>); 11] = [
        (|_| {}, Ok(None)),
        (|s| s.service_tokens[0].expires_at = Some(NOW), Err(Expired)),
        (|s| s.service_tokens[0].expires_at = Some(NOW + 1), Ok(Some(NOW + 1))),
        (|s| drop(s.service_tokens.remove(0)), Err(UnknownToken)),
        (|s| s.service_tokens[0].client_id = "x".into(), Err(UnknownToken)),
        (|s| s.service_tokens[0].secret = SecretHash::of(b"new"), Err(RotatedAway)),
        (|s| rotate(s, NOW + 5), Ok(Some(NOW + 5))),
        (|s| rotate(s, NOW), Err(RotatedAway)),
        (|s| s.policies[0].exclude.push(ANY), Err(Excluded)),
        (|s| s.policies.clear(), Err(NotIncluded)),
        (|s| s.applications[0].domain = "x.test".into(), Err(NoApplication)),
    ];
    for (at, (change, expected)) in cases.into_iter().enumerate() {
        let mut after = before.clone();
        change(&mut after);
        let verdict = judge_again(&after, &place("/"), &allowed.identity, NOW);
        let found = verdict.map(|allowed| allowed.until).map_err(|denied| denied.reason);
        assert_eq!(found, expected, "case {at}");
    }
}

/// A new secret for the first token; the one before ends then.
fn rotate(state: &mut State, expires_at: UnixSeconds) {
    let record = &mut state.service_tokens[0];
    record.previous = Some(PreviousSecret { secret: record.secret, expires_at });
    record.secret = SecretHash::of(b"new");
}

#[test]
fn a_refusal_names_the_application_and_the_known_token_and_its_status() {
    let mut state = state(vec![policy(1, &[only(2)], &[], &[])]);
    state.applications[0].service_auth_401 = true;
    let denied = show_token(&state, 1).expect_err("not included");
    assert_eq!(denied.application.as_deref(), Some("app"));
    assert_eq!(denied.policy.as_deref(), Some("policy-1"));
    assert_eq!(denied.token, Some(("token-1".to_owned(), "t1.access".to_owned())));
    assert!(denied.wants_401);
    let denied = show(&state, "stranger", "secret-1", NOW).expect_err("unknown");
    assert_eq!((denied.token, denied.policy), (None, None));
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(ANY), (1..4_u8).prop_map(only)]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(rule(), 0..4)
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let one = (rules(), rules(), rules());
    prop::collection::vec(one, 0..4).prop_map(|all| {
        let numbered = (1_u128..).zip(all);
        numbered.map(|(id, (i, r, e))| policy(id, &i, &r, &e)).collect()
    })
}

proptest! {
    #[test]
    fn an_exclude_always_wins(include in rules(), require in rules(), at in 1..4_u8) {
        for exclude in [only(at), ANY] {
            let state = state(vec![policy(1, &include, &require, &[exclude])]);
            let denied = show_token(&state, at).expect_err("excluded");
            prop_assert_eq!(denied.reason, Reason::Excluded);
        }
    }

    #[test]
    fn nothing_passes_without_an_include(mut policies in policies(), at in 1..4_u8) {
        for policy in &mut policies {
            policy.include.clear();
        }
        prop_assert!(show_token(&state(policies), at).is_err());
    }

    #[test]
    fn whoever_passes_passes_again_and_by_a_policy_that_includes_it(
        policies in policies(),
        at in 1..4_u8,
    ) {
        let state = state(policies);
        if let Ok(allowed) = show_token(&state, at) {
            let policy = state.policies.iter().find(|policy| policy.name == allowed.policy);
            let policy = policy.expect("its own");
            prop_assert!(policy.include.contains(&only(at)) || policy.include.contains(&ANY));
            prop_assert!(!policy.exclude.contains(&only(at)) && !policy.exclude.contains(&ANY));
            let again = judge_again(&state, &place("/"), &allowed.identity, NOW);
            prop_assert_eq!(again, Ok(allowed));
        }
    }
}
