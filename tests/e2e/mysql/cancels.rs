//! KILL and COM_PROCESS_KILL: the numbers that clients know are ours, and reach only their own query.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        flags::command,
        reply::{code, rows},
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
};

/// Waits until the database runs so many statements that contain `marker`.
async fn running(stage: &Stage, marker: &str, count: usize) {
    let mut root = stage.root().await;
    let sql = format!(
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%{marker}%' AND id <> connection_id() AND state <> ''"
    );
    while root.value(&sql).await.parse::<usize>().unwrap() < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn start(wire: &mut Wire, sql: &str) {
    let payload = wire.text_of(sql);
    wire.command(&payload).await;
}

/// `SLEEP` says that it was interrupted with an error or with 1, and never with rows of 0.
async fn was_interrupted(wire: &mut Wire) -> bool {
    let reply = wire.reply(false).await;
    code(&reply) == 1317 || rows(&reply).first().is_some_and(|row| row[0].as_deref() == Some("1"))
}

async fn a_kill_reaches_only_its_own_query(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut a, mut b, mut killer) =
        (stage.client().await, stage.client().await, stage.client().await);
    for how in ["KILL QUERY", "kill /* soft */ query"] {
        start(&mut a, "SELECT sleep(60) /* of a */").await;
        start(&mut b, "SELECT sleep(1), 'b' /* of b */").await;
        running(&stage, "of a", 1).await;
        running(&stage, "of b", 1).await;
        killer.run(&format!("{how} {}", a.greeting.thread)).await;
        assert!(was_interrupted(&mut a).await);
        assert_eq!(rows(&b.reply(false).await)[0][0].as_deref(), Some("0"), "b runs to its end");
        assert_eq!(a.value("SELECT 'alive'").await, "alive");
    }
}

async fn a_killed_connection_ends_and_its_transaction_with_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut killer = stage.client().await;
    for how in ["KILL", "KILL CONNECTION", "COM_PROCESS_KILL"] {
        let mut a = stage.client().await;
        a.run("BEGIN").await;
        a.run("UPDATE account SET balance = 0").await;
        start(&mut a, "SELECT sleep(60) /* of a */").await;
        running(&stage, "of a", 1).await;
        let thread = a.greeting.thread;
        if how == "COM_PROCESS_KILL" {
            // MySQL 9 no longer has it.
            let reply = killer.ask(&say::numbered(command::PROCESS_KILL, thread)).await;
            if code(&reply) == 1047 {
                killer.run(&format!("KILL {thread}")).await;
            }
        } else {
            killer.run(&format!("{how} {thread}")).await;
        }
        // The columns may have come before the end, and an error with it.
        a.bytes_until_closed().await;
        assert_eq!(
            killer.value("SELECT sum(balance) FROM account FOR UPDATE").await,
            "200",
            "{how}"
        );
    }
}

async fn a_client_that_changed_its_user_can_be_killed(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut killer, mut a) = (stage.client().await, stage.client().await);
    for _login in 0..2 {
        assert!(a.change_user(&stage.endpoint()).await.is_ok());
    }
    killer.run(&format!("KILL {}", a.greeting.thread)).await;
    a.bytes_until_closed().await;
    assert_eq!(killer.value("SELECT 'alive'").await, "alive");
}

async fn a_kill_of_an_idle_client_harms_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b, mut killer) =
        (stage.client().await, stage.client().await, stage.client().await);
    a.run("SELECT 1").await;
    start(&mut b, "SELECT sleep(0.7), 'b' /* of b */").await;
    running(&stage, "of b", 1).await;
    for _time in 0..3 {
        killer.run(&format!("KILL QUERY {}", a.greeting.thread)).await;
    }
    assert_eq!(rows(&b.reply(false).await)[0][0].as_deref(), Some("0"), "b runs to its end");
    assert_eq!(a.value("SELECT 'alive'").await, "alive");
    killer.run(&format!("KILL {}", a.greeting.thread)).await;
    start(&mut b, "SELECT sleep(0.3), 'b' /* of b */").await;
    assert_eq!(rows(&b.reply(false).await)[0][0].as_deref(), Some("0"));
    let gone = a.try_send([1, 0, 0, 0, command::PING]).await;
    while gone && let Some(packet) = a.next().await {
        assert_eq!(packet.first(), Some(&0xff), "an idle client is sent away: {packet:?}");
    }
}

async fn an_unknown_number_kills_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut killer) = (stage.client().await, stage.client().await);
    start(&mut a, "SELECT sleep(0.5), 'a' /* of a */").await;
    running(&stage, "of a", 1).await;
    for number in [a.greeting.thread + 1_000_000, 0, u32::MAX] {
        for how in ["KILL QUERY", "KILL"] {
            let reply = killer.query(&format!("{how} {number}")).await;
            assert_eq!(code(&reply), 1094, "{how} {number}: {reply:?}");
        }
    }
    assert_eq!(rows(&a.reply(false).await)[0][0].as_deref(), Some("0"));
}

async fn a_killed_query_does_not_kill_the_next_on_its_backend(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b, mut killer) =
        (stage.client().await, stage.client().await, stage.client().await);
    for _turn in 0..10 {
        start(&mut a, "SELECT sleep(0.02) /* of a */").await;
        killer.run(&format!("KILL QUERY {}", a.greeting.thread)).await;
        a.reply(false).await;
        let reply = b.run("SELECT sleep(0.03), 'b'").await;
        assert_eq!(rows(&reply)[0][0].as_deref(), Some("0"), "b was not meant");
    }
}

async fn a_client_may_end_itself(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut a = stage.client().await;
    let reply = a.query(&format!("KILL QUERY {}", a.greeting.thread)).await;
    assert!([0, 1317].contains(&code(&reply)), "{reply:?}");
    assert_eq!(a.value("SELECT 'alive'").await, "alive");
    start(&mut a, "KILL CONNECTION_ID()").await;
    while let Some(packet) = a.next().await {
        assert!(matches!(packet.first(), Some(0xff | 0)), "{packet:?}");
    }
    assert_eq!(stage.client().await.value("SELECT 1").await, "1");
}

async fn the_statement_limit_cancels_at_the_origin_and_says_so(place: Place) {
    let setup = Setup { pool: "statement_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let mut a = stage.client().await;
    let reply = a.query("SELECT count(*) FROM wide a, wide b, wide c WHERE a.filler < concat(b.filler, c.filler)").await;
    assert!([1317, 3024].contains(&code(&reply)), "{reply:?}");
    assert_eq!(a.value("SELECT 'alive'").await, "alive");
    eventually("nothing runs at the origin", async || {
        let mut root = stage.root().await;
        root.value("SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%wide c%' AND id <> connection_id()").await == "0"
    })
    .await;
}

/// FAULTS §4: `statement_timeout` cut a migration in the middle.
async fn the_statement_limit_is_not_for_changes_of_the_schema(place: Place) {
    let setup = Setup { pool: "statement_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let mut a = stage.client().await;
    let reply = a.query("CREATE TABLE slow AS SELECT sleep(2) AS s").await;
    assert_eq!(code(&reply), 0, "{reply:?}");
    // MySQL's own word for a sleep that was cut off is a 1.
    let reply = a.query("SELECT sleep(3), 'cut'").await;
    assert!([0, 1317, 3024].contains(&code(&reply)), "{reply:?}");
    assert!(stage.metrics().await.sum("jumpgate_statements_refused_total", &[]) >= 1.0);
}

e2e::mysql_scenarios! {
    everywhere: [
        a_kill_reaches_only_its_own_query,
        a_killed_connection_ends_and_its_transaction_with_it,
        a_client_that_changed_its_user_can_be_killed,
    ],
    jumpgate: [
        the_statement_limit_cancels_at_the_origin_and_says_so,
        the_statement_limit_is_not_for_changes_of_the_schema,
    ],
    both: [
        a_kill_of_an_idle_client_harms_nobody,
    ],
    twice: [
        an_unknown_number_kills_nobody,
        a_killed_query_does_not_kill_the_next_on_its_backend,
        a_client_may_end_itself,
    ],
}
