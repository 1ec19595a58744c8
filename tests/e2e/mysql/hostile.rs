//! Bad input: malformed and oversized packets at every stage, slow clients, too many clients.
//!
//! Each ends in an error or a closed connection, and a second client works all the while.

use e2e::{
    jumpgate::{Jumpgate, Setup},
    mysql::{
        flags::{capability, command},
        login::{NATIVE, Options, SHA2, header, response},
        reply::code,
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
};

/// What came before the end: nothing, or one ERR packet.
fn is_a_refusal(answer: &[u8]) -> bool {
    answer.is_empty() || answer.get(4) == Some(&0xff)
}

async fn nonsense_instead_of_a_login_ends_the_connection(place: Place) {
    let stage = Stage::open(place).await;
    let mut other = stage.client().await;
    let usual = e2e::mysql::login::USUAL;
    let short = |length: usize| header(usual, &Options::default())[..length].to_vec();
    let framed =
        |body: Vec<u8>| [&[u8::try_from(body.len()).unwrap(), 0, 0, 1][..], &body].concat();
    let endless_user = [header(usual, &Options::default()), vec![b'x'; 100]].concat();
    let wild_lengths =
        [header(usual, &Options::default()), b"app\0\xfe\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec()]
            .concat();
    let null_length = [header(usual, &Options::default()), b"app\0\xfbapp\0".to_vec()].concat();
    let attributes = [
        header(usual, &Options::default()),
        b"app\0\0app\0mysql_native_password\0\xfc\xff\xff\x05a".to_vec(),
    ]
    .concat();
    let nonsense = [
        b"GET / HTTP/1.1\r\nHost: db\r\n\r\n".to_vec(),
        vec![0, 0, 0, 1],
        vec![1, 0, 0, 1, 0],
        vec![0xff, 0xff, 0xff, 1],
        framed(short(3)),
        framed(short(31)),
        framed(short(32)),
        framed(endless_user),
        framed(wild_lengths),
        framed(null_length),
        framed(attributes),
        // A protocol before 4.1.
        framed([&[0x05, 0, 0xff, 0xff, 0xff][..], b"app\0password\0"].concat()),
        // The right login with a wrong sequence id.
        [&[32, 0, 0, 7][..], &short(32)].concat(),
    ];
    for bytes in nonsense {
        let mut wire = Wire::greeted(stage.endpoint().address).await;
        if wire.try_send(&bytes).await {
            // Half a packet is no nonsense yet: the rest could come.
            let _sent = wire.try_send(vec![0; 8]).await;
        }
        let limit = std::time::Duration::from_secs(3);
        if let Ok(answer) = tokio::time::timeout(limit, wire.bytes_until_closed()).await {
            assert!(is_a_refusal(&answer), "{bytes:?}: {answer:?}");
        }
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
}

async fn nonsense_instead_of_a_proof_ends_the_connection(place: Place) {
    let stage = Stage::open(place).await;
    let mut other = stage.client().await;
    let endpoint = stage.endpoint();
    for plugin in [NATIVE, SHA2] {
        for proof in [
            vec![],
            vec![0],
            vec![1; 19],
            vec![1; 20],
            vec![1; 21],
            vec![1; 32],
            vec![1; 33],
            vec![0xff; 250],
        ] {
            let options = Options { plugin, ..Options::default() };
            let mut wire = Wire::greeted(endpoint.address).await;
            wire.agree(&options);
            let body = response(wire.capabilities, &endpoint, &options, &proof, plugin);
            wire.put(&body).await;
            let login = wire.authenticate("wrong", plugin.into()).await;
            assert_eq!(login.expect_err("a refusal").code, 1045, "{plugin}, {} bytes", proof.len());
        }
    }
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
}

async fn bytes_after_an_ssl_request_are_refused(place: Place) {
    let stage = Stage::open(place).await;
    let mut other = stage.client().await;
    let options = Options::default();
    let capabilities = e2e::mysql::login::USUAL | capability::SSL;
    let request = [&[32, 0, 0, 1][..], &header(capabilities, &options)].concat();
    let mut wire = Wire::greeted(stage.endpoint().address).await;
    wire.agree(&options);
    let proof =
        e2e::mysql::login::proof(NATIVE, &stage.endpoint().password, &wire.greeting.scramble);
    let body = response(capabilities, &stage.endpoint(), &options, &proof, NATIVE);
    let login = [&[u8::try_from(body.len()).unwrap(), 0, 0, 2][..], &body].concat();
    wire.send([request, login].concat()).await;
    let answer = wire.bytes_until_closed().await;
    assert!(
        !answer.windows(7).any(|bytes| bytes == [7, 0, 0, 3, 0, 0, 0]),
        "nobody is let in: {answer:?}"
    );
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
}

async fn a_malformed_command_is_an_error_of_its_client_only(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut other = stage.client().await;
    let malformed = [
        vec![command::STMT_EXECUTE],
        vec![command::STMT_EXECUTE, 1, 0],
        vec![command::STMT_EXECUTE, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0xff],
        vec![command::STMT_FETCH, 1],
        vec![command::STMT_RESET, 1, 0],
        vec![command::FIELD_LIST],
        vec![command::CHANGE_USER, b'a'],
        vec![command::CHANGE_USER, b'a', 0, 200, 1],
        vec![command::INIT_DB],
        vec![command::QUERY],
        vec![command::QUERY, 0xff, 0xfe, 0xfd],
    ];
    for bytes in malformed {
        let mut wire = stage.client().await;
        wire.command(&bytes).await;
        let answer = wire.next().await;
        let refused = answer.as_ref().is_none_or(|packet| packet.first() == Some(&0xff));
        assert!(refused, "{bytes:?}: {answer:?}");
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
    // Lengths of parameters that reach beyond the packet.
    for value in [
        &[0xfc, 0xff][..],
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[20, b'a'],
        &[],
    ] {
        let mut wire = stage.client().await;
        let statement = wire.prepare("SELECT ?").await;
        let mut bytes = say::execute(statement.id, say::Execute::default(), &["".into()]);
        bytes.pop();
        bytes.extend(value);
        wire.command(&bytes).await;
        let answer = wire.next().await;
        let refused = answer.as_ref().is_none_or(|packet| packet.first() == Some(&0xff));
        // The servers read what happens to lie behind it.
        assert!(refused || stage.is_direct(), "{value:?}: {answer:?}");
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
}

async fn nonsense_after_the_login_ends_one_session_only(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut other = stage.client().await;
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[3, 0, 0, 5, 1, 2, 3], &[1, 0, 0, 200, command::QUERY]]
    {
        let mut wire = stage.client().await;
        wire.run("SELECT 1").await;
        wire.send(bytes).await;
        let limit = std::time::Duration::from_secs(3);
        if let Ok(answer) = tokio::time::timeout(limit, wire.bytes_until_closed()).await {
            assert!(is_a_refusal(&answer), "{bytes:?}: {answer:?}");
        }
        assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    }
}

async fn an_oversized_promise_allocates_nothing(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut wires = Vec::new();
    for _client in 0..40 {
        let mut wire = stage.client().await;
        wire.send([&[0xff, 0xff, 0xff, 0, command::QUERY][..], b"SELECT"].concat()).await;
        wires.push(wire);
    }
    let mut other = stage.client().await;
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
    let resident = stage.jumpgate().proxy().memory();
    assert!(resident < 500_000_000, "{resident} bytes for forty promises of 16 MiB");
}

/// FAULTS row 60: statements of three clients that are longer together than the memory for them.
async fn what_clients_prepare_stays_within_its_budget(place: Place) {
    const CAPACITY: u64 = 32 << 20;
    let cache = format!("capacity_bytes = {CAPACITY}");
    let mut stage = Stage::with(place, Setup { cache, ..Setup::pool_of(2) }).await;
    let before = stage.jumpgate().proxy().memory();
    let filler = "x".repeat(100_000);
    let (mut greedy, mut refused) = (Vec::new(), 0);
    for _client in 0..3 {
        let mut client = stage.client().await;
        for n in 0..200 {
            match client.try_prepare(&format!("SELECT '{filler}', {n}")).await {
                Ok(_prepared) => {}
                Err(refusal) if refusal.code == 1041 => refused += 1,
                Err(refusal) => panic!("{refusal:?}"),
            }
        }
        greedy.push(client);
    }
    assert!(refused > 400, "{refused} refused: 60 MB do not fit");
    let peak = stage.jumpgate().proxy().peak_memory();
    assert!(peak < before + CAPACITY + (48 << 20), "{peak} bytes, {before} before");
    let mut modest = stage.client().await;
    modest.prepare("SELECT name FROM item WHERE id = ?").await;
    for client in &mut greedy {
        assert_eq!(client.value("SELECT 'still here'").await, "still here");
    }
}

/// FAULTS rows 50 and 51: texts that a parser recurses in, copies for, or is long with.
async fn a_text_that_is_heavy_to_read_keeps_nobody_else_waiting(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(10)).await;
    let mut light = stage.client().await;
    let many = |part: &str, times: usize| part.repeat(times);
    let texts = [
        format!("select * from account a{}", many(" join account", 1400)),
        format!("select * from account a{}", many(" natural join account", 900)),
        format!("select 1{}", many(" div 1", 2900)),
        format!("select {}1", many("/*", 100_000)),
        format!("select 1{}", many(" + 1", 50_000)),
        format!("insert into account values {}(3, 3)", many("(3, 3), ", 100_000)),
    ];
    for text in texts {
        let mut heavy = stage.client().await;
        let payload = heavy.text_of(&text);
        heavy.command(&payload).await;
        for _ask in 0..3 {
            let answer = light.value("SELECT 'unharmed'");
            let answer = tokio::time::timeout(std::time::Duration::from_secs(4), answer).await;
            assert_eq!(answer.expect("in time"), "unharmed", "beside {:?}", text.get(..40));
        }
    }
}

async fn a_login_that_dawdles_is_ended(place: Place) {
    let setup = Setup { listen: "login_timeout = 1".into(), ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    let login =
        [&[100, 0, 0, 1][..], &header(e2e::mysql::login::USUAL, &Options::default())].concat();
    for said in [0, 1, 4, login.len()] {
        let mut wire = Wire::greeted(stage.endpoint().address).await;
        wire.send(login.get(..said).unwrap()).await;
        let ended =
            tokio::time::timeout(std::time::Duration::from_secs(20), wire.bytes_until_closed())
                .await;
        assert!(ended.is_ok(), "after {said} bytes");
    }
    let mut patient = stage.client().await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(patient.value("SELECT 1").await, "1", "the limit is for logins only");
}

async fn one_client_too_many_is_refused_politely(place: Place) {
    let stage =
        Stage::with(place, Setup { listen: "max_clients = 2".into(), ..Setup::default() }).await;
    let (mut a, b) = (stage.client().await, stage.client().await);
    let mut third = Wire::open(stage.endpoint().address).await;
    // In place of the greeting.
    let refusal = third.packet().await;
    let told = e2e::mysql::reply::Refusal::decode(&refusal);
    assert_eq!(told.code, 1040, "{told:?}");
    assert_eq!(a.value("SELECT 1").await, "1");
    b.close().await;
    e2e::stage::eventually("a place is free again", async || {
        let mut wire = Wire::open(stage.endpoint().address).await;
        wire.packet().await.first() == Some(&10)
    })
    .await;
}

async fn no_secret_is_ever_logged(place: Place) {
    let mut stage = Stage::open(place).await;
    let mut client = stage.client().await;
    client.query("SELEKT 1").await;
    let wrong = stage.endpoint().with_user("app", "wrong-password-of-a-client");
    let mut refused = Wire::greeted(wrong.address).await;
    assert!(refused.login(&wrong, &Options::default()).await.is_err());
    stage.mysql.kill_9();
    let payload = client.text_of("SELECT 2 /* jumpgate: no-cache */");
    client.command(&payload).await;
    drop(client.next().await);
    let (_, metrics) = e2e::metrics::get(stage.jumpgate().admin(), "/metrics").await.unwrap();
    let text = stage.jumpgate().logs() + &metrics;
    for secret in Jumpgate::secrets() {
        assert!(!text.contains(secret), "a secret is logged");
    }
    assert!(!text.contains("panicked"), "nothing panicked: {text}");
}

async fn a_table_is_not_named_by_an_endless_text(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    let endless = "x".repeat(100_000);
    wire.command(&say::field_list(&endless, "")).await;
    assert!(wire.until_end().await.1.is_err());
    assert_ne!(code(&wire.ask(&say::init_db(&endless)).await), 0);
    assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
}

e2e::mysql_scenarios! {
    everywhere: [
        a_malformed_command_is_an_error_of_its_client_only,
    ],
    twice: [
        nonsense_instead_of_a_login_ends_the_connection,
        nonsense_after_the_login_ends_one_session_only,
        bytes_after_an_ssl_request_are_refused,
        a_table_is_not_named_by_an_endless_text,
    ],
    jumpgate_twice: [
        what_clients_prepare_stays_within_its_budget,
        a_text_that_is_heavy_to_read_keeps_nobody_else_waiting,
        nonsense_instead_of_a_proof_ends_the_connection,
        an_oversized_promise_allocates_nothing,
        a_login_that_dawdles_is_ended,
        one_client_too_many_is_refused_politely,
        no_secret_is_ever_logged,
    ],
}
