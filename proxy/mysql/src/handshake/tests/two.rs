//! Users with two passwords that are right at once.

use super::*;

const BEFORE: &[u8] = b"the one before";

/// Both databases have users with two passwords: `app` by hashes, `scram` by verifiers alone.
fn context_of_two() -> Arc<Context> {
    let salts = Salts::random();
    let user = |name, password| sample::user(Engine::MySql, name, password, &salts);
    let both = |name| user(name, "open sesame").and(&user(name, "the one before")).unwrap();
    let mut shop = sample::database(Engine::MySql, "shop");
    Arc::make_mut(&mut shop.caching).disabled = true;
    shop.users = vec![both("app"), ClientUser { mysql: None, ..both("scram") }];
    context(&sample::config(&salts, [shop]))
}

/// Logs in with the response alone; whether that is enough.
async fn responds(context: &Context, (user, password): (&str, &[u8]), plugin: &str) -> bool {
    let opened = play(context, async |mut peer| {
        let nonce = peer.hears_greeting().await.scramble;
        let proof = match plugin {
            auth::NATIVE => auth::native_response(password, &nonce),
            _ => auth::sha2_response(password, &nonce),
        };
        peer.responds(&response(user, plugin, &proof)).await;
        let said = peer.hears().await;
        if auth_more_data(&said).is_some_and(|more| more == [auth::FAST_AUTH_SUCCESS]) {
            peer.hears_ok().await;
        }
    })
    .await;
    matches!(opened, Ok(Opened::Client(_)))
}

/// Logs in by the full way; whether the password is right.
async fn says_it(context: &Context, user: &str, password: &[u8]) -> bool {
    let opened = play(context, async |mut peer| {
        full_with_rsa(&mut peer, (user, password), None).await;
        peer.hears().await;
    })
    .await;
    matches!(opened, Ok(Opened::Client(_)))
}

#[tokio::test]
async fn both_passwords_are_right_by_either_method_and_no_other_is() {
    let context = context_of_two();
    for (password, is_right) in
        [(PASSWORD, true), (BEFORE, true), (b"other", false), (b"", false), (PASSWORD, true)]
    {
        for plugin in [auth::NATIVE, auth::CACHING_SHA2] {
            let proven = responds(&context, ("app", password), plugin).await;
            assert_eq!(proven, is_right, "{password:?} by {plugin}");
        }
    }
}

#[tokio::test]
async fn both_passwords_are_asked_for_once_where_verifiers_alone_are_known() {
    let context = context_of_two();
    for password in [PASSWORD, BEFORE] {
        assert!(!responds(&context, ("scram", password), auth::CACHING_SHA2).await);
        assert!(says_it(&context, "scram", password).await);
    }
    assert!(!says_it(&context, "scram", b"other").await);
    // Neither is forgotten over the other.
    for password in [PASSWORD, BEFORE, PASSWORD] {
        assert!(responds(&context, ("scram", password), auth::CACHING_SHA2).await);
    }
    assert!(!responds(&context, ("scram", b"other"), auth::CACHING_SHA2).await);
}
