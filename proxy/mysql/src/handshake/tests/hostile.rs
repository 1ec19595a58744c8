//! Logins that come to nothing: wrong passwords, unknown users, and bytes that are not the protocol.

use protocol::reader::DecodeError;

use super::*;
use crate::handshake::account::{Account, Choice};

#[tokio::test]
async fn an_unknown_user_goes_the_same_way_as_a_wrong_password() {
    let context = context(&config());
    for user in ["app", "nobody", "root", "", "shared"] {
        let opened = play(&context, async |mut peer| {
            full_with_rsa(&mut peer, (user, b"wrong"), None).await;
            let message = peer.hears_error(1045).await;
            assert!(message.starts_with(&format!("Access denied for user '{user}'@")), "{message}");
        })
        .await;
        assert!(is_denied(&opened), "{user}");
    }
}

#[tokio::test]
async fn an_unknown_user_looks_like_a_real_one_and_always_the_same() {
    let context = context(&config());
    let account = |user: &str| {
        let choice = Choice::of(&context.directory, user, None);
        Account::of(&choice, user, &context.directory)
    };
    let kinds = (0..64).map(|n| account(&format!("nobody{n}")).has_native()).collect::<Vec<_>>();
    assert!(kinds.contains(&true) && kinds.contains(&false), "of both kinds there are users");
    let again = (0..64).map(|n| account(&format!("nobody{n}")).has_native()).collect::<Vec<_>>();
    assert_eq!(kinds, again);
    for n in 0..4 {
        let nobody = account(&format!("nobody{n}"));
        assert!(!nobody.takes(PASSWORD.to_vec().into(), &context.vault).await);
    }
}

#[tokio::test]
async fn a_password_in_clear_text_without_tls_is_not_looked_at() {
    let context = context(&config());
    let opened = play(&context, async |mut peer| {
        peer.hears_greeting().await;
        peer.responds(&response("app", auth::CACHING_SHA2, &[7; 32])).await;
        assert_eq!(&peer.hears_more().await[..], [auth::PERFORM_FULL_AUTHENTICATION]);
        peer.says(&[PASSWORD, b"\0"].concat()).await;
        peer.hears_error(1045).await;
    })
    .await;
    assert!(is_denied(&opened));
}

#[tokio::test]
async fn no_password_is_a_wrong_password() {
    let context = context(&config());
    for (plugin, proof) in [(auth::CACHING_SHA2, &b""[..]), (auth::CACHING_SHA2, b"\0")] {
        let opened = play(&context, async |mut peer| {
            peer.hears_greeting().await;
            peer.responds(&response("app", plugin, proof)).await;
            let message = peer.hears_error(1045).await;
            assert!(message.ends_with("(using password: NO)"), "{message}");
        })
        .await;
        assert!(is_denied(&opened));
    }
    let opened = play(&context, async |mut peer| {
        peer.hears_greeting().await;
        peer.responds(&response("app", auth::NATIVE, b"")).await;
        peer.hears_switch(auth::NATIVE).await;
        peer.says(b"").await;
        peer.hears_error(1045).await;
    })
    .await;
    assert!(is_denied(&opened));
}

#[tokio::test]
async fn what_is_no_response_is_a_bad_handshake() {
    let context = context(&config());
    let mut good = BytesMut::new();
    response("app", auth::NATIVE, &[1; 20]).encode(&mut good);
    let mut of_mysql_3 = good.clone();
    of_mysql_3[1] &= !2;
    let ssl_request = &[&good[..31], b"\0"].concat();
    let mut asks_tls = ssl_request.clone();
    asks_tls[1] |= 8;
    for hostile in [&b""[..], b"\0", &good[..32], &good[..40], &of_mysql_3, &asks_tls, &[0xff; 300]]
    {
        let opened = play(&context, async |mut peer| {
            peer.hears_greeting().await;
            peer.says(hostile).await;
            peer.hears_error(1043).await;
        })
        .await;
        assert!(matches!(opened, Err(SessionError::ClientProtocol(_))), "{hostile:?}");
    }
}

#[tokio::test]
async fn a_packet_that_is_too_long_is_not_waited_for() {
    let context = context(&config());
    let opened = play(&context, async |mut peer| {
        peer.hears_greeting().await;
        peer.stream.write_all(&[0xff, 0xff, 0xff, 1]).await.unwrap();
        peer.hears_the_end().await;
    })
    .await;
    assert!(matches!(opened, Err(SessionError::ClientProtocol(DecodeError::Length(_)))));

    let opened = play(&context, async |mut peer| {
        peer.hears_greeting().await;
        peer.responds(&response("app", "dialog", b"")).await;
        peer.hears_switch(auth::CACHING_SHA2).await;
        peer.stream.write_all(&[0x01, 0x04, 0x00, 3]).await.unwrap();
        peer.sequence = 4;
        peer.hears_error(1835).await;
    })
    .await;
    assert!(matches!(opened, Err(SessionError::ClientProtocol(DecodeError::Length(1025)))));
}

#[tokio::test]
async fn a_client_that_breaks_off_is_gone() {
    let context = context(&config());
    for cut in [1, 3, 4, 10] {
        let opened = play(&context, async |mut peer| {
            peer.hears_greeting().await;
            let mut wire = BytesMut::from(&[60, 0, 0, 1][..]);
            wire.put_bytes(7, 60);
            peer.stream.write_all(&wire[..cut]).await.unwrap();
        })
        .await;
        assert!(matches!(opened, Err(SessionError::ClientLost(_))), "{cut}: {opened:?}");
    }
}

#[tokio::test]
async fn what_is_slipped_in_behind_the_tls_request_is_not_taken_for_the_clients_words() {
    let (server, _) = tls();
    let context = context(&config());
    let mut listen = ListenConfig::clone(&context.common.listen());
    listen.tls = Some(server);
    let (near, far) = sockets().await;
    let script = async {
        let mut peer = Peer::new(far);
        let nonce = peer.hears_greeting().await.scramble;
        let proof = auth::native_response(PASSWORD, &nonce);
        let (mut wire, mut slipped_in) = (BytesMut::new(), BytesMut::new());
        response("app", auth::NATIVE, &proof).encode(&mut slipped_in);
        packet::put(&mut wire, &mut 1, &ssl_request());
        packet::put(&mut wire, &mut 2, &slipped_in);
        peer.stream.write_all(&wire).await.unwrap();
        let mut heard = Vec::new();
        drop(peer.stream.read_to_end(&mut heard).await);
        // An alert of TLS, and nothing else.
        assert!(heard.is_empty() || heard.starts_with(&[0x15, 3]), "{heard:?}");
    };
    let opening = open(Stream::Tcp(near), &listen, &context);
    let opened = tokio::join!(opening, script).0;
    assert!(matches!(opened, Err(SessionError::ClientTls(_))), "{opened:?}");
}

/// Everything that a client with a wrong password hears, as far as it can be compared.
async fn transcript(
    context: &Context,
    user: &str,
    schema: Option<&str>,
    plugin: &str,
) -> Vec<String> {
    let mut heard = Vec::new();
    play(context, async |mut peer| {
        let mut nonce = peer.hears_greeting().await.scramble;
        let proof = |plugin: &str, nonce: &Nonce| match plugin {
            auth::CACHING_SHA2 => auth::sha2_response(b"wrong", nonce),
            _ => auth::native_response(b"wrong", nonce),
        };
        let first = proof(plugin, &nonce);
        let mut said = response(user, plugin, &first);
        said.database = schema.map(str::as_bytes);
        if plugin.is_empty() {
            said.capabilities -= CapabilityFlags::CLIENT_PLUGIN_AUTH;
            said.plugin = None;
        }
        peer.responds(&said).await;
        loop {
            let packet = peer.hears().await;
            match packet[..] {
                [0xfe, ..] => {
                    let switch = AuthSwitch::decode(&packet).unwrap();
                    let plugin = String::from_utf8_lossy(switch.plugin).into_owned();
                    nonce = switch.scramble().unwrap();
                    peer.says(&proof(&plugin, &nonce)).await;
                    heard.push(format!("switch to {plugin}"));
                }
                [0x01, auth::PERFORM_FULL_AUTHENTICATION] => {
                    heard.push("full".into());
                    peer.says(&[auth::REQUEST_PUBLIC_KEY]).await;
                    let pem = peer.hears_more().await;
                    let hidden = auth::obscure(b"wrong\0", &nonce);
                    peer.says(&rsa::encrypt(&pem, &hidden).unwrap()).await;
                }
                [0xff, ..] => {
                    let error = ErrPacket::decode(&packet).unwrap();
                    let text = String::from_utf8_lossy(error.message).replace(user, "USER");
                    heard.push(format!("{} {text}", error.code));
                    return;
                }
                _ => panic!("{packet:?}"),
            }
        }
    })
    .await
    .unwrap_err();
    heard
}

/// FAULTS row 54, for MySQL: neither users nor configs nor schemas can be told from the way a login fails.
#[tokio::test]
async fn a_stranger_hears_the_same_of_every_user_and_every_schema() {
    let mut config = config();
    config.listen.max_failed_logins = 0;
    let context = context(&config);
    for plugin in [auth::NATIVE, auth::CACHING_SHA2, "client_ed25519", ""] {
        let mut of = Vec::new();
        for user in ["app", "scram", "shared", "nobody", "root"] {
            let first = transcript(&context, user, None, plugin).await;
            for schema in ["shop", "blog", "shop_schema", "nowhere"] {
                let other = transcript(&context, user, Some(schema), plugin).await;
                assert_eq!(other, first, "{user} in {schema} by {plugin:?}");
            }
            of.push(first);
        }
        // Of the two kinds that there are each unknown user has one.
        let kinds = [&of[0], &of[1]];
        assert!(of.iter().all(|one| kinds.contains(&one)), "{plugin:?}: {of:?}");
        assert!(of[0].last().is_some_and(|end| end.contains("USER") || plugin.is_empty()));
    }
}

/// FAULTS §4: client TLS could not be made obligatory.
#[tokio::test]
async fn a_client_without_tls_is_refused_where_tls_is_required() {
    let mut config = config();
    config.listen.require_tls = true;
    let context = context(&config);
    let opened = play(&context, async |mut peer| {
        let nonce = peer.hears_greeting().await.scramble;
        let proof = auth::native_response(PASSWORD, &nonce);
        peer.responds(&response("app", auth::NATIVE, &proof)).await;
        peer.hears_error(3159).await;
    })
    .await;
    assert!(matches!(opened, Err(SessionError::Refused(ClientError::TlsRequired))), "{opened:?}");
}
