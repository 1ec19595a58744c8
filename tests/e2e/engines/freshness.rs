//! Writes: nobody reads what a write through the proxy has replaced.
//!
//! How replies age is in the engines' transcripts, whose time is virtual.

use std::time::Duration;

use e2e::{
    engine::{Client, Place, Stage as _},
    jumpgate::Setup,
    stage::eventually,
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";

async fn stale_is_served_while_one_refresh_runs(place: impl Place) {
    let stage = place.stage(Setup::caching("max_age = 0\nstale_while_revalidate = 60")).await;
    let (mut client, mut direct) = (stage.client().await, stage.direct().await);
    let sql = "SELECT balance FROM account WHERE id = 1 AND 'stale' = 'stale'";
    assert_eq!(client.value(sql).await, "100");
    direct.run("UPDATE account SET balance = 42 WHERE id = 1").await;
    let before = stage.metrics().await.queries("stale");
    assert_eq!(client.value(sql).await, "100", "stale, at once");
    assert_eq!(client.cache_status().await, "stale");
    assert_eq!(stage.metrics().await.queries("stale") - before, 1.0);
    eventually("the refresh arrives", async || stage.client().await.value(sql).await == "42").await;
}

async fn writers_and_readers_in_a_race_never_go_back_in_time(place: impl Place) {
    let stage = place.stage(Setup::pool_of(4)).await;
    let (mut writer, mut a, mut b) =
        (stage.client().await, stage.client().await, stage.client().await);
    let writing = async {
        for n in 101..300 {
            writer.run(&format!("UPDATE account SET balance = {n} WHERE id = 1")).await;
            assert_eq!(writer.value(BALANCE).await, n.to_string(), "the writer reads its write");
        }
    };
    tokio::join!(writing, read_on(&mut a), read_on(&mut b));
}

/// Reads until the last write has come.
async fn read_on(reader: &mut impl Client) {
    let mut last = 0;
    while last < 299 {
        let now: u32 = reader.value(BALANCE).await.parse().unwrap();
        assert!(now >= last, "{last}, then {now}");
        last = now;
    }
}

async fn a_write_counts_when_it_commits(place: impl Place) {
    let stage = place.stage(Setup::pool_of(3)).await;
    let (mut writer, mut reader) = (stage.client_of_several().await, stage.client().await);
    assert_eq!(reader.value(BALANCE).await, "100");
    writer.run("BEGIN").await;
    writer.run("UPDATE account SET balance = 50 WHERE id = 1").await;
    for _turn in 0..2 {
        assert_eq!(reader.value(BALANCE).await, "100", "not committed yet");
    }
    writer.run("COMMIT").await;
    for _turn in 0..2 {
        assert_eq!(reader.value(BALANCE).await, "50");
    }
    writer.run("BEGIN").await;
    writer.run("UPDATE account SET balance = 1 WHERE id = 1").await;
    writer.run("ROLLBACK").await;
    assert_eq!(reader.value(BALANCE).await, "50");
    // What a failed statement in a list leaves of those before it is the server's to say.
    writer.query("UPDATE account SET balance = 60 WHERE id = 1; SELEKT").await;
    let now = stage.direct().await.value(BALANCE).await;
    assert_eq!(reader.value(BALANCE).await, now);
}

async fn what_somebody_has_seen_is_not_taken_back(place: impl Place) {
    // The origin's words take a while, so that others can see a write before the proxy hears of it.
    let setup = Setup { relay_delay: Some(Duration::from_millis(150)), ..Setup::pool_of(3) };
    let stage = place.stage(setup).await;
    let (mut writer, mut reader, mut direct) =
        (stage.client().await, stage.client().await, stage.direct().await);
    // The catalog is read as slowly.
    while reader.value(BALANCE).await == "100"
        && !stage.is_direct()
        && reader.cache_status().await != "hit"
    {}
    writer.start("UPDATE account SET balance = 101 WHERE id = 1").await;
    while direct.value(BALANCE).await != "101" {}
    assert_eq!(reader.value(BALANCE).await, "101", "a statement of its own");
    writer.end().await;
    writer.run("BEGIN").await;
    writer.run("UPDATE account SET balance = 102 WHERE id = 1").await;
    for _run in 0..2 {
        assert_eq!(reader.value(BALANCE).await, "101");
    }
    if !stage.is_direct() {
        assert_eq!(reader.cache_status().await, "hit", "an open transaction shows nothing yet");
    }
    writer.start("COMMIT").await;
    while direct.value(BALANCE).await != "102" {}
    assert_eq!(reader.value(BALANCE).await, "102", "a commit");
    writer.end().await;
}

e2e::scenarios! {
    everywhere: [
        what_somebody_has_seen_is_not_taken_back,
        writers_and_readers_in_a_race_never_go_back_in_time,
    ],
    twice: [
        a_write_counts_when_it_commits,
    ],
    jumpgate_twice: [
        stale_is_served_while_one_refresh_runs,
    ],
}

e2e::mysql_scenarios! {
    everywhere: [
        what_somebody_has_seen_is_not_taken_back,
        writers_and_readers_in_a_race_never_go_back_in_time,
    ],
    twice: [
        a_write_counts_when_it_commits,
    ],
    jumpgate_twice: [
        stale_is_served_while_one_refresh_runs,
    ],
}
