//! What sessions begin with, while it changes at the origin. The scenarios for PostgreSQL are in `beginnings.rs`.

use e2e::{
    jumpgate::Setup,
    metrics::get,
    mysql::{
        flags::capability,
        login::Options,
        reply::code,
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
};

use super::differential::masked;

const SHOWN: &str = "SELECT @@div_precision_increment";

/// Has another connection opened while the first is in use.
async fn another_connection(holder: &mut Wire, other: &mut Wire) {
    for wire in [&mut *holder, &mut *other] {
        wire.run("BEGIN").await;
        wire.run("SELECT 1 /* jumpgate: no-cache */").await;
    }
    other.run("COMMIT").await;
    holder.run("COMMIT").await;
}

/// FAULTS row 19c: SET GLOBAL around the proxy is known as soon as one connection is opened, and through it at once.
async fn backends_do_not_differ_in_what_they_begin_with(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    root.run("GRANT SUPER ON *.* TO app@'%'").await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    assert_eq!(one.value(SHOWN).await, "4");
    root.run("SET GLOBAL div_precision_increment = 6").await;
    another_connection(&mut one, &mut two).await;
    for _turn in 0..4 {
        assert_eq!((one.value(SHOWN).await, two.value(SHOWN).await), ("6".into(), "6".into()));
        another_connection(&mut one, &mut two).await;
    }
    two.run("SET GLOBAL div_precision_increment = 8").await;
    for _turn in 0..4 {
        assert_eq!((one.value(SHOWN).await, two.value(SHOWN).await), ("8".into(), "8".into()));
        assert_eq!(stage.client().await.value(SHOWN).await, "8");
        another_connection(&mut one, &mut two).await;
    }
}

/// Found by init_connect of the servers' own suites: it is run for each client, with all that it leaves.
async fn what_is_run_for_each_connection_is_run_for_each_client(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut root = stage.root().await;
    let mut before = stage.client().await;
    let asks = "SELECT concat_ws(',', @a, @b, @@time_zone, connection_id() > 0)";
    assert_eq!(before.value(asks).await, "+00:00,1");
    root.run("SET GLOBAL init_connect = 'SET @a = 2; SET @b = 3, time_zone = \"+05:00\"'").await;
    // It is noticed with the next connection that is opened.
    let (mut first, mut second) = (stage.client().await, stage.client().await);
    another_connection(&mut first, &mut second).await;
    drop((first, second));
    for _turn in 0..3 {
        let mut client = stage.client().await;
        assert_eq!(client.value(asks).await, "2,3,+05:00,1");
        client.run("SET @a = 7, time_zone = '+01:00'").await;
        assert_eq!(client.value(asks).await, "7,3,+01:00,1");
        client.ask(&[e2e::mysql::flags::command::RESET_CONNECTION]).await;
        assert_eq!(client.value(asks).await, "+00:00,1");
        client.close().await;
    }
    assert_eq!(before.value(asks).await, "+00:00,1", "a session that had begun");
    // What sets nothing but settings pins nobody.
    root.run("SET GLOBAL init_connect = 'SET time_zone = \"+02:00\"'").await;
    let (mut first, mut second) = (stage.client().await, stage.client().await);
    another_connection(&mut first, &mut second).await;
    drop((first, second));
    let mut many = Vec::new();
    for _client in 0..5 {
        let mut client = stage.client().await;
        assert_eq!(client.value("SELECT @@time_zone").await, "+02:00");
        many.push(client);
    }
    many[0].run("SET time_zone = '+09:00'").await;
    assert_eq!(many[1].value("SELECT @@time_zone").await, "+02:00");
}

/// The same: where it fails nobody is served, in the server's words.
async fn who_cannot_begin_is_told_so(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    root.run("SET GLOBAL init_connect = 'SELECT nowhere'").await;
    let mut client = stage.client().await;
    let refused = client.query("SELECT d FROM digit").await;
    assert_eq!(code(&refused), 1184, "{refused:?}");
}

/// Found by packet of MariaDB's own suite: our own texts fit into what a server takes at least.
async fn a_server_that_takes_short_texts_is_served(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    root.run("SET GLOBAL max_allowed_packet = 1024").await;
    root.run("SET GLOBAL net_buffer_length = 1024").await;
    let mut client = stage.client().await;
    let asks = "SELECT concat(@@max_allowed_packet, ',', @@net_buffer_length)";
    assert_eq!(client.value(asks).await, "1024,1024");
    client.run("SET NAMES latin1").await;
    assert_eq!(client.value("SELECT d FROM digit WHERE d = 7").await, "7");
}

/// What drivers ask when they connect. The last as mysql_async does that looks for a socket.
const FIRST_QUESTIONS: [&str; 3] = [
    "SELECT @@max_allowed_packet",
    "SELECT @@max_allowed_packet,@@wait_timeout",
    "SELECT @@max_allowed_packet,@@wait_timeout,@@socket",
];

/// The first client of all is told, as the server would tell it, without that the server is asked.
async fn what_drivers_ask_first_is_known_before_they_ask(place: Place) {
    let setup = Setup { pool: "min_idle = 1".into(), ..Setup::pool_of(2) };
    let mut stage = Stage::with(place, setup).await;
    let admin = stage.jumpgate().admin();
    eventually("it is warm", async || get(admin, "/readyz").await.unwrap().0 == 200).await;
    let (mut direct, mut client) = (stage.direct().await, stage.client().await);
    for question in FIRST_QUESTIONS {
        let told = masked(client.query(question).await);
        assert_eq!(told, masked(direct.query(question).await), "{question}");
        assert_eq!(client.cache_status().await, "hit", "{question}");
    }
    // With other settings it may be told otherwise.
    let latin1 = Options { collation: 8, ..Options::default() };
    let old = Options { without: capability::DEPRECATE_EOF, ..Options::default() };
    for options in [latin1, old] {
        let mut direct = Wire::connect_with(&stage.mysql.endpoint(), &options).await;
        let mut client = Wire::connect_with(&stage.endpoint(), &options).await;
        for question in FIRST_QUESTIONS {
            let told = masked(client.query(question).await);
            assert_eq!(told, masked(direct.query(question).await), "{question}");
        }
    }
}

/// What is known of them is no older than what sessions begin with.
async fn what_is_known_of_first_questions_changes_with_the_server_and_the_session(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    let question = "SELECT @@max_allowed_packet,@@wait_timeout";
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    let before = masked(one.query(question).await);
    root.run("SET GLOBAL wait_timeout = 1234, max_allowed_packet = 4194304").await;
    // It is noticed with the next connection that is opened.
    another_connection(&mut one, &mut two).await;
    let now = masked(stage.direct().await.query(question).await);
    assert_ne!(before, now);
    for wire in [&mut one, &mut two, &mut stage.client().await] {
        assert_eq!(masked(wire.query(question).await), now);
    }
    two.run("SET wait_timeout = 4321").await;
    let mut direct = stage.direct().await;
    direct.run("SET wait_timeout = 4321").await;
    assert_eq!(masked(two.query(question).await), masked(direct.query(question).await));
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        what_drivers_ask_first_is_known_before_they_ask,
        what_is_known_of_first_questions_changes_with_the_server_and_the_session,
        what_is_run_for_each_connection_is_run_for_each_client,
        who_cannot_begin_is_told_so,
        a_server_that_takes_short_texts_is_served,
    ],
    jumpgate_twice: [
        backends_do_not_differ_in_what_they_begin_with,
    ],
}
