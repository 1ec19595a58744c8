//! Bad input: malformed and oversized frames at every stage, slow clients, bad configuration files.
//!
//! Each ends in an error or a closed connection, and a second client works all the while.

use std::{fs, time::Duration};

use e2e::{
    jumpgate::{Setup, command},
    stage::{Place, Stage},
    wire::{Wire, say, sqlstate},
};

fn raw(tag: u8, length: u32, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

async fn nonsense_before_the_login_ends_the_connection(place: Place) {
    let stage = Stage::open(place).await;
    let mut other = stage.client().await;
    let nonsense: [&[u8]; 9] = [
        b"GET / HTTP/1.1\r\nHost: db\r\n\r\n",
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 4],
        &[0, 0, 0, 7, 0, 3, 0],
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0, 0, 0, 8, 0, 3, 0, 0],
        &[0, 0, 0, 13, 0, 3, 0, 0, b'u', b's', b'e', b'r', 0],
        &[0, 0, 0, 9, 4, 210, 22, 46, 0],
    ];
    for bytes in nonsense {
        let mut wire = Wire::open(stage.endpoint().address).await;
        wire.send(bytes).await;
        let answer = wire.bytes_until_closed().await;
        assert!(matches!(answer.first(), None | Some(b'E')), "{bytes:?}: {answer:?}");
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
    let mut many = Vec::new();
    for n in 0..5000 {
        many.push((format!("name{n}"), "v".repeat(10)));
    }
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut wire = Wire::open(stage.endpoint().address).await;
    if wire.try_send(say::startup(0x0003_0000, &many)).await {
        let answer = wire.bytes_until_closed().await;
        assert!(matches!(answer.first(), None | Some(b'E')), "a startup of 100 kB");
    }
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
}

async fn nonsense_during_the_login_ends_the_connection(place: Place) {
    let stage = Stage::open(place).await;
    let mut other = stage.client().await;
    let answers = [
        say::password(b""),
        say::password(b"no zero, no mechanism"),
        say::sasl_initial("SCRAM-MD5", b"n,,n=,r=abc"),
        say::sasl_initial("SCRAM-SHA-256", b""),
        say::sasl_initial("SCRAM-SHA-256", b"garbage"),
        say::sasl_initial("SCRAM-SHA-256", b"n,,m=ext,n=,r=abc"),
        say::sasl_initial("SCRAM-SHA-256", b"n,a=other,n=,r=abc"),
        say::sasl_initial("SCRAM-SHA-256", b"p=tls-unique,,n=,r=abc"),
        say::sasl_initial("SCRAM-SHA-256", &[0xff; 300]),
        say::query("SELECT 1"),
        raw(b'p', 0x7fff_ffff, b""),
        raw(b'p', 3, b""),
    ];
    for answer in answers {
        let mut wire = Wire::open(stage.endpoint().address).await;
        wire.start(&stage.endpoint(), 0x0003_0000, &[]).await;
        assert_eq!(wire.frame().await.tag, b'R');
        wire.send(&answer).await;
        let frames = wire.until_closed().await;
        assert!(frames.iter().all(|frame| frame.tag == b'E'), "{answer:?}: {frames:?}");
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
}

async fn a_wrong_proof_is_refused(place: Place) {
    let stage = Stage::open(place).await;
    let mut wire = Wire::open(stage.endpoint().address).await;
    wire.start(&stage.endpoint(), 0x0003_0000, &[]).await;
    wire.frame().await;
    wire.send(say::sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abcdefghijklmnop")).await;
    let challenge = wire.frame().await.text();
    let nonce = challenge
        .split("r=")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .expect("a nonce")
        .to_owned();
    let proof = "A".repeat(43) + "=";
    wire.send(say::password(format!("c=biws,r={nonce},p={proof}").as_bytes())).await;
    assert_eq!(sqlstate(&wire.until_closed().await), "28P01");
}

async fn nonsense_after_the_login_ends_one_session_only(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut other = stage.client().await;
    let nonsense = [
        raw(b'Q', 3, b""),
        raw(b'Q', 0, b""),
        raw(b'Q', 0xffff_ffff, b""),
        raw(b'?', 4, b""),
        raw(0, 4, b""),
        raw(b'p', 8, b"abcd"),
    ];
    for bytes in nonsense {
        let mut wire = stage.client().await;
        wire.run("SELECT 1").await;
        wire.send(&bytes).await;
        let frames = wire.until_closed().await;
        assert!(frames.iter().all(|frame| frame.tag == b'E'), "{bytes:?}: {frames:?}");
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
}

async fn a_malformed_message_is_an_error_of_its_client_only(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut other = stage.client().await;
    let malformed = [
        raw(b'Q', 8, b"abcd"),
        raw(b'P', 6, b"s\0"),
        raw(b'P', 4, b""),
        say::message(b'B', b"\0\0\0\x01\0\x07\0\x01\0\0\0\x01x\0\0"),
        say::message(b'B', b"\0\0\0\0\xff\xff"),
        say::message(b'E', b"\0"),
        say::message(b'D', b""),
        say::message(b'C', b"Zname\0"),
        say::message(b'P', b"\0SELECT \xff\xfe\0\0\0"),
    ];
    for bytes in malformed {
        let mut wire = stage.client().await;
        wire.run("SELECT 1").await;
        wire.send([&bytes[..], &say::sync()].concat()).await;
        let (mut told, mut asked) = (false, false);
        while let Some(frame) = wire.next().await {
            told |= frame.tag == b'E';
            if frame.tag == b'D' {
                break;
            }
            // A server that goes on after its error serves the next query.
            if frame.tag == b'Z' && told && !asked {
                asked = wire.try_send(say::query("SELECT 'unharmed'")).await;
            }
        }
        assert!(told, "{bytes:?} is an error");
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
}

async fn an_oversized_length_allocates_nothing(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wires = Vec::new();
    for _client in 0..20 {
        let mut wire = stage.client().await;
        wire.send(raw(b'Q', 0x3fff_ffff, b"SELECT")).await;
        wires.push(wire);
    }
    let mut other = stage.client().await;
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    let resident = stage.jumpgate().proxy().memory();
    assert!(resident < 500_000_000, "{resident} bytes for twenty promises of a gigabyte");
}

/// FAULTS rows 50 and 51: texts that a lexer or a parser is slow in, or that are merely long.
async fn a_text_that_is_heavy_to_read_keeps_nobody_else_waiting(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(20)).await;
    let mut light = stage.client().await;
    let many = |part: &str, times: usize| part.repeat(times);
    let mut long = stage.client().await;
    let rows = many("(3, 3), ", 200_000);
    let insert = format!("INSERT INTO account VALUES {rows}(3, 3) ON CONFLICT DO NOTHING");
    long.run(&insert).await;
    assert_eq!(stage.metrics().await.pins(), 0.0, "a megabyte of rows leaves nothing behind");
    let texts = [
        format!("{}{}select 1", many("/*", 20_000), many("*/", 20_000)),
        many("/*", 30_000),
        format!("select {}1", many("+", 60_000)),
        format!("select {}1", many("/**/+", 10_000)),
        format!("select {}", many("@a ", 50_000)),
        format!("select 1{}", many(" + 1", 50_000)),
        format!("select 1 where 1 in ({}1)", many("1, ", 150_000)),
        format!("insert into account values {}(3, 3)", many("(3, 3), ", 60_000)),
    ];
    for text in texts {
        let mut heavy = stage.client().await;
        heavy.send(say::query(&text)).await;
        let mut heavy_too = stage.client().await;
        heavy_too.send([say::parse("", &text, &[]), say::sync()].concat()).await;
        for _ask in 0..3 {
            let answer =
                tokio::time::timeout(Duration::from_secs(4), light.value("SELECT 'unharmed'"));
            assert_eq!(answer.await.expect("in time"), "unharmed", "beside {:?}", text.get(..40));
        }
    }
}

async fn a_login_that_dawdles_is_ended(place: Place) {
    let stage =
        Stage::with(place, Setup { listen: "login_timeout = 3".into(), ..Setup::default() }).await;
    let startup = say::startup(0x0003_0000, &[("user", "app"), ("database", "app")]);
    for said in [0, 1, 8, startup.len()] {
        let mut wire = Wire::open(stage.endpoint().address).await;
        wire.send(startup.get(..said).unwrap()).await;
        let ended = tokio::time::timeout(Duration::from_secs(20), wire.until_closed()).await;
        assert!(ended.is_ok(), "after {said} bytes");
    }
    let mut patient = stage.client().await;
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert_eq!(patient.value("SELECT 1").await, "1", "the limit is for logins only");
}

async fn one_client_too_many_is_refused_politely(place: Place) {
    let stage =
        Stage::with(place, Setup { listen: "max_clients = 2".into(), ..Setup::default() }).await;
    let (mut a, b) = (stage.client().await, stage.client().await);
    let endpoint = stage.endpoint();
    let mut third = Wire::open(endpoint.address).await;
    third.start(&endpoint, 0x0003_0000, &[]).await;
    assert_eq!(sqlstate(&third.until_closed().await), "53300");
    assert_eq!(a.value("SELECT 1").await, "1");
    b.close().await;
    e2e::stage::eventually("a place is free again", async || {
        let mut wire = Wire::open(endpoint.address).await;
        wire.login(&endpoint, &[]).await.is_ok()
    })
    .await;
}

async fn no_secret_is_ever_logged(place: Place) {
    let mut stage = Stage::open(place).await;
    let mut client = stage.client().await;
    client.query("SELEKT 1").await;
    let wrong = stage.endpoint().with_user("app", "wrong-password-of-a-client");
    let refused = Wire::open(wrong.address).await.login(&wrong, &[]).await;
    assert!(refused.is_err());
    stage.postgres.kill_9();
    // Its backend may be found dead before the query is sent or after: then the session ends too.
    if client.try_send(say::query("SELECT 2 /* jumpgate: no-cache */")).await {
        while client.next().await.is_some_and(|frame| frame.tag != b'Z') {}
    }
    let (_, metrics) = e2e::metrics::get(stage.jumpgate().admin(), "/metrics").await.unwrap();
    let text = stage.jumpgate().logs() + &metrics;
    for secret in e2e::jumpgate::Jumpgate::secrets() {
        assert!(!text.contains(secret), "a secret is logged");
    }
    assert!(!text.contains("panicked"), "nothing panicked: {text}");
}

async fn health_and_readiness_are_answered(place: Place) {
    let mut stage = Stage::open(place).await;
    let admin = stage.jumpgate().admin();
    for (path, expected) in
        [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/nothing", 404)]
    {
        let (status, _) = e2e::metrics::get(admin, path).await.expect("the admin port answers");
        assert_eq!(status, expected, "{path}");
    }
}

#[test]
fn a_garbage_configuration_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("not TOML at all", 1),
        ("[listen]\npostgres = \"127.0.0.1:0\"\nunknown_key = 1\n", 3),
        ("[listen]\npostgres = 6432\n", 2),
        ("[listen]\npostgres = \"127.0.0.1:0\"\n\n[lisen]\n", 4),
        (
            "[listen]\npostgres = \"127.0.0.1:0\"\n[[database]]\nname = \"a\"\n[database.origin]\nport = 99999\n",
            6,
        ),
    ];
    for (text, line) in files {
        fs::write(folder.path().join("jumpgate.toml"), text).unwrap();
        for arguments in
            [&["--check", "-c", "jumpgate.toml"][..], &["proxy", "-c", "jumpgate.toml"]]
        {
            let (code, stdout, stderr) = command(folder.path(), arguments).unwrap();
            let said = stdout + &stderr;
            assert_ne!(code, 0, "{text}");
            let named =
                said.contains(&format!("line {line}")) || said.contains(&format!(":{line}"));
            assert!(named, "line {line} is named for {text:?}: {said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
    let (code, _, _) = command(folder.path(), &["--check", "-c", "missing.toml"]).unwrap();
    assert_ne!(code, 0, "a missing file");
}

e2e::scenarios! {
    everywhere: [
        a_malformed_message_is_an_error_of_its_client_only,
    ],
    twice: [
        nonsense_after_the_login_ends_one_session_only,
    ],
    jumpgate_twice: [
        a_text_that_is_heavy_to_read_keeps_nobody_else_waiting,
        an_oversized_length_allocates_nothing,
        no_secret_is_ever_logged,
    ],
    once: [
        nonsense_before_the_login_ends_the_connection,
        nonsense_during_the_login_ends_the_connection,
        a_wrong_proof_is_refused,
    ],
    jumpgate_once: [
        a_login_that_dawdles_is_ended,
        one_client_too_many_is_refused_politely,
        health_and_readiness_are_answered,
    ],
}
