//! What sessions begin with, while it changes at the origin. The scenarios for PostgreSQL are in `beginnings.rs`.

use e2e::{
    jumpgate::Setup,
    mysql::{
        reply::code,
        stage::{Place, Stage},
        wire::Wire,
    },
};

const SHOWN: &str = "SELECT @@div_precision_increment";

/// Has another connection opened while the first is in use.
async fn another_connection(holder: &mut Wire, other: &mut Wire) {
    for wire in [&mut *holder, &mut *other] {
        wire.run("BEGIN").await;
        wire.run("SELECT 1").await;
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

e2e::mysql_scenarios! {
    jumpgate_both: [
        what_is_run_for_each_connection_is_run_for_each_client,
        who_cannot_begin_is_told_so,
        a_server_that_takes_short_texts_is_served,
    ],
    jumpgate_twice: [
        backends_do_not_differ_in_what_they_begin_with,
    ],
}
