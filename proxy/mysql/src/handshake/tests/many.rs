//! Clients of one user or one database, of whom there may be so many.

use std::num::NonZeroU32;

use super::*;

/// The config, where `app` of `shop` may have so many clients; 0 for any number.
fn bounded(most: u32) -> Config {
    let mut config = config();
    let salts = config.salts.clone();
    let mut shop = sample::database(Engine::MySql, "shop");
    Arc::make_mut(&mut shop.caching).disabled = true;
    shop.users = ["app", "shared"]
        .map(|name| sample::user(Engine::MySql, name, "open sesame", &salts))
        .into();
    shop.users[0].max_connections = NonZeroU32::new(most);
    config.databases[0] = Arc::new(shop);
    config
}

/// Logs in; what the client hears in place of OK.
async fn log_in(context: &Context, user: &str) -> Result<Client, String> {
    let mut told = String::new();
    let opened = play(context, async |mut peer| {
        let nonce = peer.hears_greeting().await.scramble;
        let proof = auth::native_response(PASSWORD, &nonce);
        let response =
            HandshakeResponse { database: Some(b"shop"), ..response(user, auth::NATIVE, &proof) };
        peer.responds(&response).await;
        let payload = peer.hears().await;
        if let Ok(error) = ErrPacket::decode(&payload) {
            told = format!("{} {}", error.code, String::from_utf8_lossy(error.message));
        }
    })
    .await;
    match opened {
        Ok(Opened::Client(client)) => Ok(*client),
        _ => Err(told),
    }
}

#[tokio::test]
async fn a_client_too_many_of_its_user_is_told_so_as_by_the_database() {
    let context = context(&bounded(1));
    let full =
        "1226 User 'app' has exceeded the 'max_user_connections' resource (current value: 1)";
    let first = log_in(&context, "app").await.unwrap();
    assert_eq!(log_in(&context, "app").await.unwrap_err(), full);
    let _other = log_in(&context, "shared").await.unwrap();
    drop(first);
    let first = log_in(&context, "app").await.unwrap();
    assert_eq!(log_in(&context, "app").await.unwrap_err(), full);
    context.reload(&bounded(2));
    let second = log_in(&context, "app").await.unwrap();
    assert!(log_in(&context, "app").await.is_err());
    context.reload(&bounded(0));
    let third = log_in(&context, "app").await.unwrap();
    context.reload(&bounded(2));
    assert!(log_in(&context, "app").await.is_err(), "who came without a bound counts");
    drop((first, second, third));
}

#[tokio::test]
async fn a_client_that_changes_its_user_takes_a_place_of_the_other() {
    let context = context(&bounded(1));
    let mut shared = log_in(&context, "shared").await.unwrap();
    let full = log_in(&context, "app").await.unwrap();
    for refusing in [Refusing::GoesOn, Refusing::HangsUp] {
        let change = changes_to(&context, "app", (refusing, &mut shared.place)).await;
        let told = "User 'app' has exceeded";
        assert!(change.unwrap_err().starts_with(told));
    }
    drop(full);
    changes_to(&context, "app", (Refusing::HangsUp, &mut shared.place)).await.unwrap();
    changes_to(&context, "app", (Refusing::HangsUp, &mut shared.place)).await.unwrap();
    assert!(log_in(&context, "app").await.is_err(), "it has the only place");
    changes_to(&context, "shared", (Refusing::HangsUp, &mut shared.place)).await.unwrap();
    log_in(&context, "app").await.unwrap();
}

#[tokio::test]
async fn a_client_too_many_of_its_database_is_told_so() {
    let with = |most: u32| {
        let mut config = bounded(0);
        Arc::get_mut(&mut config.databases[0]).unwrap().max_clients = NonZeroU32::new(most);
        config
    };
    let context = context(&with(1));
    let full = "1040 too many connections to this database of the proxy";
    let mut first = log_in(&context, "app").await.unwrap();
    for user in ["app", "shared"] {
        assert_eq!(log_in(&context, user).await.unwrap_err(), full);
    }
    changes_to(&context, "shared", (Refusing::HangsUp, &mut first.place)).await.unwrap();
    assert_eq!(log_in(&context, "app").await.unwrap_err(), full, "it is still there");
    context.reload(&with(2));
    let second = log_in(&context, "app").await.unwrap();
    assert!(log_in(&context, "app").await.is_err());
    drop((first, second));
    log_in(&context, "app").await.unwrap();
}

/// Changes the user of a connection; the words in which that is refused.
async fn changes_to(
    context: &Context,
    user: &str,
    (refusing, place): (Refusing, &mut Place),
) -> Result<(), String> {
    let (near, far) = tokio::io::duplex(4096);
    let mut framed = Framed::new(Stream::Duplex(near));
    let mut nonce = *b"0123456789abcdefghij";
    let proof = auth::native_response(PASSWORD, &nonce);
    let mut request = BytesMut::new();
    ChangeUser {
        user: user.as_bytes(),
        auth: &proof,
        database: Some(b"shop"),
        collation: Some(255),
        plugin: Some(auth::NATIVE.as_bytes()),
        attributes: b"",
    }
    .encode(CAPABILITIES, &mut request);
    let agreed = (CAPABILITIES, &mut nonce, Some(place));
    let changed = change_user(&mut framed, agreed, (&request[1..], 1, refusing), context).await;
    let mut peer = Peer::new(far);
    peer.sequence = 1;
    let payload = peer.hears().await;
    match ErrPacket::decode(&payload) {
        Ok(error) => {
            assert_eq!(error.code, 1226);
            assert_eq!(changed.is_err(), refusing == Refusing::HangsUp);
            Err(String::from_utf8_lossy(error.message).into_owned())
        }
        Err(_) => {
            assert!(matches!(changed, Ok(Change::Done(_))));
            Ok(())
        }
    }
}
