//! What is refused, at which key.

use serde_json::json;

use super::*;
use crate::model::{
    Capture, Hashes, InTransactions, Login, Password, Salting, Secret, SslMode, User, Way,
};

/// A draft that keeps every rule.
fn draft() -> Draft {
    Draft {
        name: Some(String::from("app")),
        origin: Some(OriginDraft {
            scheme: Some(String::from("postgresql")),
            host: Some(String::from("h")),
            port: Some(5432),
            database: Some(String::from("d")),
            user: Some(String::from("u")),
            password: Some(Secret::from("origin-password")),
            ..OriginDraft::default()
        }),
        users: vec![UserDraft {
            name: Some(String::from("u")),
            password: Some(Secret::from("client-password")),
            ..UserDraft::default()
        }],
        ..Draft::default()
    }
}

fn with(change: impl FnOnce(&mut Draft)) -> Draft {
    let mut draft = draft();
    change(&mut draft);
    draft
}

fn with_origin(change: impl FnOnce(&mut OriginDraft)) -> Draft {
    with(|draft| change(draft.origin.as_mut().unwrap()))
}

#[test]
fn a_draft_that_keeps_every_rule_is_the_config_that_was_meant() {
    let config = draft().check().unwrap();
    // The beginning of the SHA-256 of "app".
    assert_eq!(config.id, "a172cedcae47474b615c54d510a5d84a");
    assert_eq!((config.name.as_str(), config.origin.scheme.word()), ("app", "postgresql"));
    assert!(matches!(&config.origin.way, Way::Direct { host, port: 5432 } if host == "h"));
    assert_eq!(config.origin.mtls.sslmode, SslMode::Require);
    assert!(matches!(config.users[0].password, Password::Plain(_)));
    assert_eq!((config.caching, config.pool), <_>::default(), "what is left out stays out");
    let tunnelled = with_origin(|origin| {
        origin.port = None;
        origin.host = Some(String::from("db.example.test"));
        origin.access_client_id = Some(String::from("a.access"));
        origin.access_client_secret = Some(Secret::from("s"));
    });
    assert!(matches!(tunnelled.check().unwrap().origin.way, Way::Tunnel { .. }));
}

#[test]
fn no_secret_shows_in_debug_output() {
    let draft = draft();
    let shown = format!("{draft:?} {:?}", draft.clone().check().unwrap());
    assert!(!shown.contains("-password"), "{shown}");
}

/// Each draft is refused, with these mistakes in whatever order.
fn refused<const N: usize>(cases: [(Draft, &[&str]); N]) {
    for (draft, expected) in cases {
        let mistakes = draft.check().expect_err(expected[0]).to_string();
        let mut told: Vec<&str> = mistakes.lines().collect();
        let mut expected = expected.to_vec();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
    }
}

#[test]
fn each_mistake_in_an_origin_is_told_with_its_key_and_all_at_once() {
    refused([
        (Draft::default(), &["`origin` is missing (add origin)"]),
        (
            with_origin(|origin| origin.scheme = Some(String::from("mariadb"))),
            &["origin.scheme: must be \"mysql\" (for MariaDB too)"],
        ),
        (
            with_origin(|origin| {
                origin.port = None;
                origin.database = Some(String::new());
                origin.user = None;
            }),
            &[
                "origin: `port` is missing (add port = 5432, or access_client_id and access_client_secret for a tunnel)",
                "origin.database: must not be empty or hold a zero byte",
                "origin: `user` is missing (add user)",
            ],
        ),
        (
            with_origin(|origin| origin.host = Some(String::from("h:6543"))),
            &[
                "origin.host: must be a host name or an address alone (host = \"h\" and port = 6543)",
            ],
        ),
        (
            with_origin(|origin| {
                origin.access_client_id = Some(String::from("a"));
                origin.access_client_secret = Some(Secret::from("s"));
                origin.compression = Some(String::from("zlib"));
            }),
            &[
                "origin.port: port is given together with access_client_id (remove the port: the tunnel's hostname decides where it ends)",
                "origin.compression: PostgreSQL's protocol has no compression (remove the key)",
            ],
        ),
    ]);
}

#[test]
fn each_other_mistake_is_told_with_its_key() {
    refused([
        (
            with(|draft| draft.mtls.sslmode = Some(String::from("prefer"))),
            &[
                "mtls.sslmode: must be \"require\", \"verify-ca\", \"verify-full\" or \"plaintext-for-local-development\" (TLS is not optional)",
            ],
        ),
        (
            with(|draft| draft.mtls.client_key = Some(Secret::from("k"))),
            &[
                "mtls.client_key: client_key is given without client_certificate (give both or neither)",
            ],
        ),
        (
            with(|draft| draft.id = Some(String::from("x"))),
            &["id: must be 32 hex digits (or leave it out)"],
        ),
        (
            with(|draft| {
                draft.caching.max_age = Some(3601.0);
                draft.pool.min_idle = Some(21);
                draft.pool.checkout_timeout = Some(-1.0);
                draft.pool.mode = Some(String::from("statement"));
            }),
            &[
                "caching.max_age: must be at most 3600 (times are in seconds)",
                "pool.min_idle: is more than origin_connection_limit (20) (lower it)",
                "pool.checkout_timeout: cannot convert float seconds to Duration: value is negative (times are in seconds)",
                "pool.mode: must be \"transaction\" or \"session\"",
            ],
        ),
        (
            with(|draft| {
                let again = draft.users[0].clone();
                let wrong = Secret::from("md5abc");
                let verifier = UserDraft {
                    name: Some(String::from("v")),
                    verifier: Some(wrong),
                    ..UserDraft::default()
                };
                draft.users.extend([again, verifier, UserDraft::default()]);
            }),
            &[
                "user.1: another user of this database has the same name (choose another)",
                "user.2.verifier: is no SCRAM-SHA-256 verifier (take it from pg_authid.rolpassword, or give a password)",
                "user.3: `name` is missing (add name)",
            ],
        ),
    ]);
}

#[test]
fn mistakes_of_a_capture_are_told_with_their_keys() {
    let capture = |written: serde_json::Value| {
        with(|draft| draft.capture = Some(serde_json::from_value(written).unwrap()))
    };
    let on_mysql = |mut draft: Draft| {
        draft.origin.as_mut().unwrap().scheme = Some(String::from("mysql"));
        draft
    };
    refused([
        (
            capture(json!({ "slot": "Slot", "password": "p", "max_lag": 0.01 })),
            &[
                "capture.slot: must be 1 to 63 small letters, digits and underscores (or leave it out for a temporary slot)",
                "capture.max_lag: must be at least 0.1 s (times are in seconds)",
                "capture.password: password is given without user (add user)",
            ],
        ),
        (
            capture(json!({ "publication": "", "user": "", "max_lag": 3601 })),
            &[
                "capture.publication: must not be empty or hold a zero byte",
                "capture.max_lag: must be at most 3600 (times are in seconds)",
                "capture.user: must not be empty or hold a zero byte",
            ],
        ),
        (
            on_mysql(capture(json!({ "slot": "s" }))),
            &[
                "capture.slot: is for PostgreSQL: MySQL and MariaDB write one binary log for all (remove the key)",
            ],
        ),
    ]);
    let captured =
        |on: bool| capture(json!({ "enabled": on, "user": "r" })).check().unwrap().capture;
    assert_eq!(captured(false), None);
    let login = Login { user: String::from("r"), password: None };
    assert_eq!(captured(true), Some(Capture { login: Some(login), ..Capture::default() }));
}

#[test]
fn mistakes_of_caching_rules_are_told_with_their_keys() {
    refused([
        (
            with(|draft| {
                let rule = |written: serde_json::Value| serde_json::from_value(written).unwrap();
                let never = json!({ "tables": ["t"], "never": true });
                draft.caching.writers = Some(String::from("all"));
                draft.caching.rules = Some(vec![
                    rule(never),
                    rule(json!({})),
                    rule(json!({ "never": true })),
                    rule(json!({ "user": "u", "never": true, "max_age": 1 })),
                    rule(json!({ "tables": ["a.b.c"], "never": true })),
                    rule(json!({ "tables": ["a."], "never": true })),
                    rule(json!({ "tables": ["\"a\""], "never": true })),
                    rule(json!({ "tables": [], "never": true })),
                    rule(json!({ "tables": ["t"], "max_age": 3601 })),
                    rule(json!({ "user": "", "max_age": 1 })),
                ]);
            }),
            &[
                "caching.writers: must be \"all through this proxy\" (or leave it out)",
                "caching.rules.1: says nothing (add never = true, max_age, stale_while_revalidate or clock_max_age)",
                "caching.rules.2: is about everything (add tables or user, or say it in caching itself)",
                "caching.rules.3: never is given with an age (leave one of them out)",
                "caching.rules.4.tables: \"a.b.c\" is no name of a table (write \"table\" or \"schema.table\", as the database has it, without quotes)",
                "caching.rules.5.tables: a name must have 1 to 256 bytes, and no control characters",
                "caching.rules.6.tables: \"\\\"a\\\"\" is no name of a table (write \"table\" or \"schema.table\", as the database has it, without quotes)",
                "caching.rules.7.tables: must be 1 to 100 tables (without tables it is about all of them)",
                "caching.rules.8.max_age: must be at most 3600 (times are in seconds)",
                "caching.rules.9.user: a name must have 1 to 256 bytes, and no control characters",
            ],
        ),
        (
            with(|draft| {
                let rule = RuleDraft {
                    user: Some(String::from("u")),
                    never: Some(true),
                    ..RuleDraft::default()
                };
                draft.caching.rules = Some(vec![rule; 101]);
            }),
            &["caching.rules: there are more than 100 rules (name several tables in one)"],
        ),
    ]);
}

#[test]
fn a_verifier_is_what_postgresql_keeps_of_a_password() {
    let verifier = postgres_protocol::password::scram_sha_256(b"p");
    let draft = with(|draft| {
        draft.users[0].password = None;
        draft.users[0].verifier = Some(Secret::from(verifier));
    });
    assert!(matches!(draft.check().unwrap().users[0].password, Password::Verifier(_)));
}

/// A time of 0 is no limit, and one that is not given is not the same.
#[test]
fn a_limit_of_zero_is_none() {
    let pool = |timeout| {
        with(|draft| draft.pool.statement_timeout = timeout).check().unwrap().pool.statement_timeout
    };
    assert_eq!((pool(None), pool(Some(0.0))), (None, Some(None)));
    assert_eq!(pool(Some(1.5)), Some(Some(std::time::Duration::from_millis(1500))));
}

/// A draft whose user has these passwords.
fn with_passwords(change: impl FnOnce(&mut UserDraft)) -> Draft {
    with(|draft| change(&mut draft.users[0]))
}

fn hashed(password: &str, salt: &[u8]) -> Hashes {
    Hashes::of(&Secret::from(password), &Salting::new(salt.to_vec()))
}

#[test]
fn a_user_may_have_the_password_before_in_any_form_that_scram_allows() {
    let verifier = || Some(hashed("old", b"one salt").scram);
    type Change<'a> = &'a dyn Fn(&mut UserDraft);
    let table: [(Change<'_>, [&str; 2]); 5] = [
        (&|user| user.previous_password = Some(Secret::from("old")), ["Plain", "Plain"]),
        (&|user| user.previous_verifier = verifier(), ["Plain", "Verifier"]),
        (
            &|user| {
                user.verifier = user.password.take().and(verifier());
                user.previous_password = Some(Secret::from("old"));
            },
            ["Verifier", "Plain"],
        ),
        (
            &|user| {
                user.password = None;
                user.hashes = Some(hashed("new", b"one salt"));
                user.previous_hashes = Some(hashed("old", b"one salt"));
            },
            ["Hashed", "Hashed"],
        ),
        (
            &|user| {
                user.password = None;
                user.hashes = Some(hashed("new", b"one salt"));
                user.previous_verifier = verifier();
            },
            ["Hashed", "Verifier"],
        ),
    ];
    for (change, expected) in table {
        let config = with_passwords(change).check().unwrap();
        let User { password, previous_password, .. } = &config.users[0];
        let both = [password, previous_password.as_ref().unwrap()];
        let forms = both.map(|password| match password {
            Password::Plain(_) => "Plain",
            Password::Verifier(_) => "Verifier",
            Password::Hashed(_) => "Hashed",
        });
        assert_eq!(forms, expected);
    }
}

#[test]
fn passwords_that_cannot_be_right_at_once_are_refused() {
    const SALTS: &str = "differs in salt or iterations from that of the current password, and SCRAM tells both before it \
        hears which password is meant (give one of the two passwords itself, or make both with one salt)";
    let given = || Some(Secret::from(postgres_protocol::password::scram_sha_256(b"p")));
    let costly = || given().map(|it| Secret::from(it.expose().replace("4096", "1000001")));
    let malformed = || Hashes { sha2: Secret::from("abc"), ..hashed("p", b"salt") };
    refused([
        (
            with_passwords(|user| {
                user.verifier = user.password.take().and(given());
                user.previous_verifier = given();
            }),
            &[&format!("user.0.previous_verifier: {SALTS}")],
        ),
        (
            with_passwords(|user| {
                user.password = None;
                user.hashes = Some(hashed("new", b"one salt"));
                user.previous_hashes = Some(hashed("old", b"another salt"));
            }),
            &[&format!("user.0.previous_hashes: {SALTS}")],
        ),
        (
            with_passwords(|user| {
                user.previous_password = Some(Secret::from("old"));
                user.previous_expires_at = Some(crate::Moment(1));
            }),
            &["user.0.previous_expires_at: is given without hashes and previous_hashes"],
        ),
        (
            with_passwords(|user| user.previous_verifier = costly()),
            &[
                "user.0.previous_verifier: has more than 1000000 iterations, beside a password itself (make it with fewer)",
            ],
        ),
        (
            with_passwords(|user| user.previous_password = Some(Secret::from(""))),
            &["user.0.previous_password: is empty (leave it out to end it)"],
        ),
        (
            with_passwords(|user| {
                user.previous_password = Some(Secret::from("old"));
                user.previous_verifier = given();
            }),
            &[
                "user.0.previous_verifier: previous_verifier and previous_password are both given (keep one)",
            ],
        ),
        (
            with_passwords(|user| user.hashes = Some(hashed("p", b"salt"))),
            &["user.0.hashes: a password and its hashes are both given (keep one)"],
        ),
        (
            with_passwords(|user| user.previous_hashes = Some(malformed())),
            &["user.0.previous_hashes: are not a SCRAM-SHA-256 verifier and two hashes in hex"],
        ),
        (
            with_passwords(|user| {
                user.previous_password = user.password.take();
            }),
            &["user.0: the user has no password (add a password or a verifier)"],
        ),
    ]);
}

/// Issue 15, item 5.
#[test]
fn who_writes_through_the_proxy_reads_from_the_cache_in_transactions() {
    for (writers, said, expected) in [
        (None, None, InTransactions::Off),
        (None, Some("read-only"), InTransactions::Committed),
        (Some("all through this proxy"), None, InTransactions::Repeatable),
        (Some("all through this proxy"), Some("off"), InTransactions::Off),
    ] {
        let config = with(|draft| {
            draft.caching.writers = writers.map(String::from);
            draft.caching.in_transactions = said.map(String::from);
        });
        assert_eq!(
            config.check().unwrap().caching.in_transactions,
            expected,
            "{writers:?} {said:?}"
        );
    }
}
