//! Logins that come to nothing: wrong passwords, unknown users, and bytes that are not the protocol.

use super::*;

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
    let secret = [7; 32];
    let account = |user: &str| {
        let choice = Choice::of(&context.directory, user, None);
        Account::of(&choice, user, &context.directory, &secret)
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
    assert!(matches!(opened, Err(SessionError::ClientLost(_))), "{opened:?}");
}
