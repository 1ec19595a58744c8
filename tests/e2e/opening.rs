//! The first messages: TLS, protocol versions, SCRAM and its channel binding, refusals.

use std::{future::Future, time::Duration};

use e2e::{
    jumpgate::Setup,
    stage::{Place, Route, Stage, Version},
    wire::{Frame, Wire, login::Binding, say},
};

/// Whether clients speak to PostgreSQL 15 itself, which knows less than jumpgate and 18.
fn is_plain_15(place: Place) -> bool {
    place.route == Route::Direct && place.version == Version::Fifteen
}

/// A login that must be refused: the ErrorResponse.
async fn refusal(login: impl Future<Output = Result<(), Frame>>) -> (String, String) {
    let frame = login.await.expect_err("the login is refused");
    (frame.field(b'C'), frame.field(b'M'))
}

async fn gss_encryption_is_declined_and_tls_may_follow(place: Place) {
    if is_plain_15(place) {
        return; // Debian's server is built with GSSAPI and accepts.
    }
    let stage = Stage::open(place).await;
    let mut wire = Wire::open(stage.endpoint().address).await;
    wire.send(say::gssenc_request()).await;
    assert_eq!(wire.byte().await, Some(b'N'));
    wire.send(say::ssl_request()).await;
    assert_eq!(wire.byte().await, Some(b'S'));

    let mut wire = Wire::open(stage.endpoint().address).await;
    wire.send(say::gssenc_request()).await;
    assert_eq!(wire.byte().await, Some(b'N'));
    wire.login(&stage.endpoint(), &[]).await.expect("plaintext may follow too");
    assert_eq!(wire.value("SELECT 1").await, "1");
}

async fn a_client_with_tls_logs_in_bound_to_the_channel(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    let (mut wire, binding) =
        Wire::open_tls(endpoint.address, stage.authority.client_config(None)).await;
    wire.start(&endpoint, 0x0003_0000, &[]).await;
    let binding = Binding::EndPoint(binding.expect("a certificate"));
    wire.authenticate(&endpoint, binding).await.expect("SCRAM-SHA-256-PLUS");
    assert_eq!(wire.value("SELECT 'encrypted'").await, "encrypted");
    let large = wire.run("SELECT filler FROM wide ORDER BY id").await;
    assert_eq!(large.iter().filter(|frame| frame.tag == b'D').count(), 3000);
}

async fn a_stripped_channel_binding_is_noticed(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    for binding in [Binding::Unsupported, Binding::EndPoint(vec![0; 32])] {
        let (mut wire, _) =
            Wire::open_tls(endpoint.address, stage.authority.client_config(None)).await;
        wire.start(&endpoint, 0x0003_0000, &[]).await;
        let (code, text) = refusal(wire.authenticate(&endpoint, binding)).await;
        assert_eq!(code, "28000", "{text}");
    }
    // A client that does not know of channel binding is welcome.
    let (mut wire, _) = Wire::open_tls(endpoint.address, stage.authority.client_config(None)).await;
    wire.login(&endpoint, &[]).await.expect("SCRAM-SHA-256 inside TLS");
}

async fn bytes_after_ssl_request_are_refused(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    if is_plain_15(place) {
        return; // It looks for them after the handshake only, and accepts GSSAPI.
    }
    let requests = [say::ssl_request(), say::gssenc_request()];
    for request in requests {
        let mut wire = Wire::open(endpoint.address).await;
        let startup = say::startup(0x0003_0000, &[("user", "app"), ("database", "app")]);
        wire.send([request, startup].concat()).await;
        let answer = wire.bytes_until_closed().await;
        let asked =
            answer.windows(5).any(|bytes| bytes == b"R\0\0\0\x17" || bytes == b"R\0\0\0\x2a");
        assert!(!asked, "nobody asks for a password: {}", String::from_utf8_lossy(&answer));
    }
}

async fn direct_tls_needs_its_alpn(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    let bound =
        Wire::open_direct_tls(endpoint.address, stage.authority.client_config(Some("postgresql")))
            .await;
    if is_plain_15(place) {
        assert!(bound.is_none(), "PostgreSQL 15 does not know direct TLS");
        return;
    }
    let (mut wire, binding) = bound.expect("direct TLS");
    wire.start(&endpoint, 0x0003_0000, &[]).await;
    wire.authenticate(&endpoint, Binding::EndPoint(binding.unwrap())).await.expect("a login");
    assert_eq!(wire.value("SELECT 'direct'").await, "direct");

    for alpn in [None, Some("http/1.1")] {
        let opened =
            Wire::open_direct_tls(endpoint.address, stage.authority.client_config(alpn)).await;
        if let Some((mut wire, _)) = opened {
            let startup = say::startup(0x0003_0000, &[("user", "app"), ("database", "app")]);
            if wire.try_send(startup).await {
                let frames = wire.until_closed().await;
                assert!(!frames.iter().any(|frame| frame.tag == b'R'), "{alpn:?}: {frames:?}");
            }
        }
    }
}

/// FAULTS §3: workerd with `tlsOptions` begins with TLS and sends no ALPN.
async fn direct_tls_without_alpn_is_let_in_where_the_file_says_so(place: Place) {
    for is_let_in in [true, false] {
        let listen = format!("direct_tls_without_alpn = {is_let_in}");
        let mut stage = Stage::with(place, Setup { listen, ..Setup::pool_of(1) }).await;
        let endpoint = stage.endpoint();
        let config = stage.authority.client_config(None);
        let opened = Wire::open_direct_tls(endpoint.address, config).await;
        let (mut wire, binding) = opened.expect("the handshake itself succeeds");
        if is_let_in {
            wire.start(&endpoint, 0x0003_0000, &[]).await;
            let bound = Binding::EndPoint(binding.expect("a certificate"));
            wire.authenticate(&endpoint, bound).await.expect("a login");
            assert_eq!(wire.value("SELECT 'direct'").await, "direct");
            // Another protocol than ours is still none.
            let other = stage.authority.client_config(Some("http/1.1"));
            assert!(Wire::open_direct_tls(endpoint.address, other).await.is_none());
        } else {
            assert!(wire.until_closed().await.is_empty());
            while !stage.jumpgate().logs().contains("listen.direct_tls_without_alpn") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn a_wrong_password_and_an_unknown_user_look_alike(place: Place) {
    let stage = Stage::open(place).await;
    for user in ["app", "nobody"] {
        let endpoint = stage.endpoint().with_user(user, "wrong");
        let mut wire = Wire::open(endpoint.address).await;
        let (code, text) = refusal(wire.login(&endpoint, &[])).await;
        assert_eq!(code, "28P01");
        assert_eq!(text, format!("password authentication failed for user \"{user}\""));
        assert!(wire.until_closed().await.is_empty(), "and the connection ends");
    }
    assert_eq!(stage.client().await.value("SELECT 1").await, "1");
}

async fn an_unknown_database_is_named_in_the_refusal(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint().with_database("nowhere");
    let mut wire = Wire::open(endpoint.address).await;
    let (code, text) = refusal(wire.login(&endpoint, &[])).await;
    assert_eq!((code.as_str(), text.as_str()), ("3D000", "database \"nowhere\" does not exist"));
    assert!(wire.until_closed().await.is_empty(), "and the connection ends");
}

async fn the_password_of_the_origin_is_not_the_clients(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint().with_user("app", e2e::postgres::APP_PASSWORD);
    let mut wire = Wire::open(endpoint.address).await;
    assert_eq!(refusal(wire.login(&endpoint, &[])).await.0, "28P01");
}

async fn newer_protocols_are_negotiated(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    let newest = if is_plain_15(place) { 0 } else { 2 };
    let grease = [("_pq_.test_protocol_negotiation", "")];
    for (asked, options) in [(2, &grease[..]), (9999, &grease[..]), (9999, &[]), (2, &[]), (0, &[])]
    {
        let mut wire = Wire::open(endpoint.address).await;
        wire.start(&endpoint, 0x0003_0000 + asked, options).await;
        wire.authenticate(&endpoint, Binding::None).await.expect("a login");
        let negotiated = wire.greeting.iter().find(|frame| frame.tag == b'v');
        let must = asked > newest || !options.is_empty();
        assert_eq!(negotiated.is_some(), must, "3.{asked} with {options:?}: {negotiated:?}");
        let (_, secret) = wire.key.clone().expect("BackendKeyData");
        let (low, high) = if asked.min(newest) == 0 { (4, 4) } else { (4, 256) };
        assert!(
            (low..=high).contains(&secret.len()),
            "3.{asked}: a secret of {} bytes",
            secret.len()
        );
        if let Some(frame) = negotiated {
            let (version, rest) = frame.body.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_be_bytes(*version), 0x0003_0000 + asked.min(newest), "3.{asked}");
            let named = String::from_utf8_lossy(rest).contains("_pq_.test_protocol_negotiation");
            assert_eq!(named, !options.is_empty(), "what is not known is named");
        }
        assert_eq!(wire.value("SELECT 1").await, "1");
    }
}

/// FAULTS row 64: in PostgreSQL's own words.
async fn other_protocols_are_refused(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    let newest = if is_plain_15(place) { "3.0" } else { "3.2" };
    for (version, name) in [(0x0002_0000, "2.0"), (0x0004_0000, "4.0"), (0x0001_0005, "1.5")] {
        let mut wire = Wire::open(endpoint.address).await;
        wire.start(&endpoint, version, &[]).await;
        let text = format!("unsupported frontend protocol {name}: server supports 3.0 to {newest}");
        if version < 0x0003_0000 {
            // To a client of protocol 2 PostgreSQL speaks protocol 2: no length, only text.
            let answer = wire.bytes_until_closed().await;
            assert_eq!(String::from_utf8_lossy(&answer), format!("EFATAL:  {text}\n\0"));
        } else {
            let frames = wire.until_closed().await;
            assert_eq!(frames.len(), 1, "{frames:?}");
            assert_eq!((frames[0].field(b'C'), frames[0].field(b'M')), ("0A000".into(), text));
        }
    }
}

/// FAULTS row 64: nobody is asked for the password of nobody.
async fn a_startup_without_a_user_is_refused(place: Place) {
    let stage = Stage::open(place).await;
    for parameters in [&[("database", "app")][..], &[("user", ""), ("database", "app")]] {
        let mut wire = Wire::open(stage.endpoint().address).await;
        wire.send(say::startup(0x0003_0000, parameters)).await;
        let frames = wire.until_closed().await;
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0].field(b'C'), "28000");
        let text = "no PostgreSQL user name specified in startup packet";
        assert_eq!(frames[0].field(b'M'), text);
    }
}

async fn replication_is_refused_in_as_many_words(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    for value in ["true", "database"] {
        let mut wire = Wire::open(endpoint.address).await;
        let (code, text) = refusal(wire.login(&endpoint, &[("replication", value)])).await;
        assert!(!code.is_empty() && text.to_lowercase().contains("replication"), "{code} {text}");
    }
}

async fn the_parameters_of_the_origin_are_shown_at_login(place: Place) {
    let stage =
        Stage::with(place, Setup { postgres: vec!["datestyle = 'SQL, DMY'"], ..Setup::default() })
            .await;
    let direct = stage.direct().await;
    let client = stage.client().await;
    for (name, value) in &direct.parameters {
        assert_eq!(client.parameters.get(name), Some(value), "{name}");
    }
}

e2e::scenarios! {
    everywhere: [
        the_parameters_of_the_origin_are_shown_at_login,
    ],
    twice: [
        a_client_with_tls_logs_in_bound_to_the_channel,
        newer_protocols_are_negotiated,
    ],
    once: [
        gss_encryption_is_declined_and_tls_may_follow,
        a_stripped_channel_binding_is_noticed,
        bytes_after_ssl_request_are_refused,
        direct_tls_needs_its_alpn,
        a_wrong_password_and_an_unknown_user_look_alike,
        an_unknown_database_is_named_in_the_refusal,
        other_protocols_are_refused,
        a_startup_without_a_user_is_refused,
    ],
    jumpgate_once: [
        direct_tls_without_alpn_is_let_in_where_the_file_says_so,
        replication_is_refused_in_as_many_words,
        the_password_of_the_origin_is_not_the_clients,
    ],
}
