//! An operator's day, and his mistakes.

use std::time::Duration;

use super::*;
use crate::state::{PreviousSecret, Rule, SecretHash, State};

const DAY: Duration = Duration::from_secs(86_400);

fn state() -> State {
    let mut state = State::default();
    state.create_tunnel("office", 1).expect("new");
    state.create_token("proxy", None, 1).expect("new");
    state
}

fn guard(include: Vec<Selector>) -> NewApplication {
    NewApplication { hostname: "DB.test".to_owned(), include, ..NewApplication::default() }
}

#[test]
fn a_day_of_an_operator() {
    let mut state = state();
    let service = "tcp://127.0.0.1:5432".parse().expect("valid");
    state.route("DB.test", "office", Some(service)).expect("known");
    state.create_application(&guard(vec![Selector::Token("proxy".to_owned())])).expect("new");
    let [app] = &state.applications[..] else { panic!("{state:?}") };
    let [policy] = &state.policies[..] else { panic!("{state:?}") };
    assert_eq!((&*app.name, &*app.domain, app.aud.len()), ("db.test", "db.test", 64));
    assert_eq!(app.policies, [policy.id]);
    assert_eq!(policy.include, [Rule::ServiceToken { token_id: state.service_tokens[0].id }]);
    state.revoke_token("proxy").expect("known");
    assert_eq!((state.service_tokens.len(), state.policies[0].include.len()), (0, 0));
    state.delete_application("db.test").expect("known");
    assert_eq!(state.policies, []);
    state.unroute("db.TEST").expect("known");
    state.delete_tunnel("office").expect("nothing leads there");
}

#[test]
fn secrets_are_shown_once_and_kept_as_hashes() {
    let mut state = State::default();
    let tunnel = state.create_tunnel("office", 1).expect("new");
    assert!(state.tunnels[0].secret.is_of(tunnel.secret()));
    let other = state.rotate_tunnel("office", Duration::ZERO, 2).expect("known");
    assert!(!state.tunnels[0].secret.is_of(tunnel.secret()));
    assert!(state.tunnels[0].secret.is_of(other.secret()));
    let token = state.create_token("proxy", Some(DAY), 10).expect("new");
    let record = state.service_tokens[0].clone();
    assert_eq!((&*record.client_id, record.expires_at), (token.id(), Some(86_410)));
    assert!(record.secret.is_of(token.secret().as_bytes()));
    assert_eq!((token.id().len(), token.secret().len()), (39, 64));
    let json = serde_json::to_string(&state).expect("plain values");
    assert!(!json.contains(token.secret()));
}

#[test]
fn a_rotation_leaves_the_old_secret_for_the_overlap() {
    let mut state = State::default();
    let old = state.create_token("proxy", None, 1).expect("new");
    let new = state.rotate_token("proxy", DAY, 100).expect("known");
    let record = &state.service_tokens[0];
    assert_eq!((new.id(), record.secret_version), (old.id(), 2));
    assert!(record.secret.is_of(new.secret().as_bytes()));
    let previous = record.previous.as_ref().expect("an overlap");
    assert!(previous.secret.is_of(old.secret().as_bytes()));
    assert_eq!(previous.expires_at, 86_500);
    state.rotate_token("proxy", Duration::ZERO, 200).expect("known");
    assert_eq!(state.service_tokens[0].previous, None);
}

/// FAULTS §3: a rotated tunnel cut all connectors at once.
#[test]
fn a_tunnel_that_is_rotated_keeps_its_old_secret_for_the_overlap() {
    let mut state = State::default();
    let old = state.create_tunnel("office", 1).expect("new");
    let new = state.rotate_tunnel("office", DAY, 100).expect("known");
    let tunnel = &state.tunnels[0];
    assert!(tunnel.secret.is_of(new.secret()));
    let before = PreviousSecret { secret: SecretHash::of(old.secret()), expires_at: 86_500 };
    assert_eq!(tunnel.previous, Some(before));
    assert_eq!((new.tunnel(), new.account_tag()), (old.tunnel(), old.account_tag()));
    state.rotate_tunnel("office", Duration::ZERO, 200).expect("known");
    assert_eq!(state.tunnels[0].previous, None);
}

/// FAULTS row 31.
#[test]
fn a_tunnels_rules_are_the_edges_only_while_a_hostname_has_a_service() {
    let service: crate::connector::Service = "tcp://127.0.0.1:5432".parse().expect("valid");
    let (with, without) = (Some(service), None);
    type Step<'a> = (&'a str, Option<&'a Option<crate::connector::Service>>, bool);
    let steps: [Step<'_>; 9] = [
        ("a.test", Some(&without), false),
        ("a.test", Some(&with), true),
        ("a.test", Some(&without), false),
        ("b.test", Some(&with), true),
        ("a.test", Some(&without), true),
        ("b.test", None, false),
        ("b.test", Some(&with), true),
        ("a.test", None, true),
        // Nothing leads there any more, and the connector is to hear that.
        ("b.test", None, true),
    ];
    let mut state = state();
    for (at, (hostname, service, is_managed)) in steps.into_iter().enumerate() {
        match service {
            Some(service) => state.route(hostname, "office", service.clone()).expect("known"),
            None => state.unroute(hostname).expect("known"),
        }
        assert_eq!(state.tunnels[0].managed, is_managed, "step {at}");
    }
    // A hostname that goes over to another tunnel leaves the first one's connectors to themselves.
    state.create_tunnel("home", 1).expect("new");
    state.route("a.test", "office", with).expect("known");
    state.route("b.test", "office", None).expect("known");
    state.route("a.test", "home", None).expect("known");
    assert!(!state.tunnels[0].managed && !state.tunnels[1].managed);
}

/// FAULTS §3: applications and policies could only be deleted and made anew.
#[test]
fn an_application_and_a_policy_can_be_changed() {
    let mut state = state();
    state.create_token("other", None, 1).expect("new");
    let token = |name: &str| Selector::Token(name.to_owned());
    let [proxy, other] =
        [0, 1].map(|at| Rule::ServiceToken { token_id: state.service_tokens[at].id });
    state.create_application(&guard(vec![token("proxy")])).expect("new");
    state.create_policy("all", [&[Selector::AnyToken], &[token("proxy")], &[]]).expect("new");
    let aud = state.applications[0].aud.clone();
    let own = state.applications[0].policies[0];

    let passes = |policies: &[&str], include: Vec<Selector>| ApplicationChange {
        passes: Some((policies.iter().map(|name| (*name).to_owned()).collect(), include)),
        ..ApplicationChange::default()
    };
    let both = passes(&["all"], vec![token("other")]);
    state.update_application("DB.test", &both).expect("known");
    let all = state.policies[1].id;
    assert_eq!(state.applications[0].policies, [all, own], "its own policy is the same one");
    assert_eq!(state.policies[0].include, std::slice::from_ref(&other));
    state.update_application("db.test", &passes(&["all"], Vec::new())).expect("known");
    assert_eq!((&*state.applications[0].policies, state.policies.len()), (&[all][..], 1));
    state.update_application("db.test", &passes(&[], vec![token("proxy")])).expect("known");
    assert_eq!(state.policies[1].include, std::slice::from_ref(&proxy));
    let header = ApplicationChange {
        service_auth_401: Some(true),
        token_header: Some(Some("Authorization".to_owned())),
        ..ApplicationChange::default()
    };
    state.update_application("db.test", &header).expect("known");
    let app = &state.applications[0];
    assert!(app.service_auth_401 && app.token_header.as_deref() == Some("Authorization"));
    assert_eq!((&app.aud, app.policies.len()), (&aud, 1), "the rest is as it was");

    let change = PolicyChange {
        include: Some(vec![token("other")]),
        require: Some(Vec::new()),
        exclude: None,
    };
    state.update_policy("all", &change).expect("known");
    let policy = &state.policies[0];
    assert_eq!((&*policy.include, policy.require.len()), (&[other][..], 0));
    assert_eq!(policy.id, all);

    let before = state.clone();
    let mistakes = [
        state.update_application("no.test", &header),
        state.update_application("db.test", &passes(&["none"], Vec::new())),
        state.update_application("db.test", &passes(&["all"], vec![token("none")])),
        state.update_policy("none", &change),
    ];
    for mistake in mistakes {
        mistake.expect_err("not known");
    }
    assert_eq!(state, before);
}

#[test]
fn a_revoked_token_loosens_no_policy() {
    let mut state = state();
    state.create_token("other", None, 1).expect("new");
    let [one, other] = [Selector::Token("proxy".to_owned()), Selector::Token("other".to_owned())];
    let any = Selector::AnyToken;
    state.create_policy("both", [&[any], &[one], &[other]]).expect("known");
    let required = state.policies[0].require.clone();
    state.revoke_token("proxy").expect("known");
    state.revoke_token("other").expect("known");
    let policy = &state.policies[0];
    assert_eq!((&policy.require, policy.exclude.len(), policy.include.len()), (&required, 0, 1));
}

#[test]
fn every_mistake_says_what_to_do() {
    let mut state = state();
    state.route("db.test", "office", None).expect("known");
    state.create_policy("all", [&[Selector::AnyToken], &[], &[]]).expect("new");
    let new = NewApplication { policies: vec!["all".to_owned()], ..guard(Vec::new()) };
    state.create_application(&new).expect("new");
    let before = state.clone();
    let errors = [
        state.create_tunnel("office", 1).map(drop),
        state.create_tunnel("", 1).map(drop),
        state.create_tunnel("a\nb", 1).map(drop),
        state.delete_tunnel("ofice"),
        state.delete_tunnel("office"),
        state.route("https://db.test", "office", None),
        state.route("management.argotunnel.com", "office", None),
        state.create_token("proxy", None, 1).map(drop),
        state.rotate_token("prox", DAY, 1).map(drop),
        state.delete_policy("all"),
        state.create_application(&guard(Vec::new())).map(drop),
        state.create_policy("p", [&[Selector::Token("x".to_owned())], &[], &[]]).map(drop),
        state.unroute("x.test"),
    ];
    let expected = [
        "the tunnel \"office\" is there already",
        "\"\" must have from 1 to 120",
        "\"a\\nb\" must have from 1 to 120",
        "there is no tunnel \"ofice\"; there is office",
        "the hostname db.test needs the tunnel \"office\"",
        "\"https://db.test\" is not a hostname",
        "\"management.argotunnel.com\" is not a hostname",
        "the service token \"proxy\" is there already",
        "there is no service token \"prox\"; there is proxy",
        "the application db.test needs the policy \"all\"",
        "the application \"db.test\" is there already",
        "there is no service token \"x\"; there is proxy",
        "there is no hostname \"x.test\"; there is db.test",
    ];
    for (error, expected) in errors.into_iter().zip(expected) {
        let shown = error.expect_err(expected).to_string();
        assert!(shown.starts_with(expected), "{shown}");
    }
    assert_eq!(state, before);
}
