//! What was answered before the server was asked, where it then is otherwise: what statements are, and settings. What both
//! engines have in common is in `engines/ahead.rs`.

use std::time::Duration;

use e2e::{
    engine::{Client as _, recovers},
    jumpgate::Setup,
    mysql::{
        flags::status,
        reply::{Outcome, Reply, Rows, code},
        stage::{Place, Stage},
        wire::{Prepared, Wire},
    },
    stage::eventually,
};

use super::differential::masked;

/// A client that was told what a statement is without the server being asked.
async fn told(stage: &Stage, sql: &str) -> (Wire, Prepared) {
    eventually("it is known", async || {
        let before = stage.metrics().await.saved("describe");
        let mut client = stage.client().await;
        client.prepare(sql).await;
        client.close().await;
        stage.metrics().await.saved("describe") > before
    })
    .await;
    let mut client = stage.client().await;
    let before = stage.metrics().await.saved("describe");
    let prepared = client.prepare(sql).await;
    assert_eq!(stage.metrics().await.saved("describe"), before + 1.0, "{sql}");
    (client, prepared)
}

/// Runs it, and says nothing of whether this connection has prepared it anew for that.
async fn execute(client: &mut Wire, prepared: &Prepared) -> Reply {
    let mut reply = masked(client.execute(prepared.id, &[]).await);
    for outcome in &mut reply {
        if let Outcome::Rows(Rows { end: Ok(end), .. }) | Outcome::Ok(end) = outcome {
            end.status &= !status::METADATA_CHANGED;
        }
    }
    reply
}

/// Each twice: servers prepare a statement anew where its table has changed.
async fn what_has_changed_since_it_was_described_is_what_it_is_directly(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    root.run("CREATE DATABASE ours").await;
    for change in [
        "DROP TABLE ours.gone",
        "ALTER TABLE ours.gone MODIFY a varchar(10)",
        "ALTER TABLE ours.gone ADD COLUMN b int DEFAULT 3",
        "ALTER TABLE ours.gone RENAME COLUMN a TO c",
        "REVOKE ALL ON ours.gone FROM app",
    ] {
        for sql in [
            "SELECT * FROM ours.gone",
            "SELECT a FROM ours.gone WHERE a < 5",
            "INSERT INTO ours.gone VALUES (7)",
            "UPDATE ours.gone SET a = 1",
        ] {
            root.run("DROP TABLE IF EXISTS ours.gone").await;
            root.run("CREATE TABLE ours.gone (a int)").await;
            root.run("INSERT INTO ours.gone VALUES (1)").await;
            root.run("GRANT ALL ON ours.gone TO app").await;
            // What was remembered of the one before is of another table.
            stage.client().await.run("CREATE TABLE IF NOT EXISTS parent (id int)").await;
            let mut direct = stage.direct().await;
            let expected = direct.prepare(sql).await;
            let (mut client, found) = told(&stage, sql).await;
            assert_eq!((&found.columns, &found.params), (&expected.columns, &expected.params));
            root.run(change).await;
            for _time in 0..2 {
                let is = execute(&mut direct, &expected).await;
                assert_eq!(execute(&mut client, &found).await, is, "{sql} behind {change}");
            }
            for wire in [direct, client] {
                wire.close().await;
            }
        }
    }
}

async fn what_was_described_runs_on_another_backend(place: Place) {
    let setup = Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(2) };
    let mut stage = Stage::with(place, setup).await;
    let sql = "SELECT balance FROM account WHERE id = 1 FOR UPDATE";
    let (mut cut, first) = told(&stage, sql).await;
    let (mut killed, second) = told(&stage, sql).await;
    stage.relay.as_ref().expect("a relay").cut().await;
    recovers(&mut stage.client().await).await;
    assert_eq!(cut.executed_value(first.id, &[]).await, "100");
    stage.mysql.kill_9();
    stage.mysql.restart().expect("the server starts again");
    recovers(&mut stage.client().await).await;
    assert_eq!(killed.executed_value(second.id, &[]).await, "100");
}

async fn where_it_is_switched_off_what_statements_are_is_asked(place: Place) {
    let round_trips = "descriptions = false".into();
    let stage = Stage::with(place, Setup { round_trips, ..Setup::pool_of(2) }).await;
    let mut root = stage.root().await;
    for kind in ["int", "varchar(10)"] {
        root.run("DROP TABLE IF EXISTS app.moving").await;
        root.run(&format!("CREATE TABLE app.moving (a {kind})")).await;
        let expected = stage.direct().await.prepare("SELECT * FROM moving").await;
        for _client in 0..3 {
            let mut client = stage.client().await;
            let found = client.prepare("SELECT * FROM moving").await;
            assert_eq!(found.columns, expected.columns);
            execute(&mut client, &found).await;
        }
    }
    assert_eq!(stage.metrics().await.saved("describe"), 0.0);
}

/// The name of a zone that only a table tells.
const ZONE: &str = "SET time_zone = 'Here/There'";

/// The server knows the zone for as long as it runs, and not when it has lost the table.
async fn a_setting_that_is_refused_by_now_is_nobodys(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut client = stage.client().await;
    for _time in 0..2 {
        assert_eq!(code(&client.query(ZONE).await), 1298, "a refusal is asked for again");
    }
    let mut root = stage.root().await;
    for sql in [
        "INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (9, 'N')",
        "INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('Here/There', 9)",
        "INSERT INTO mysql.time_zone_transition_type \
         (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation) VALUES (9, 1, 3600, 0, 'HT')",
    ] {
        root.run(sql).await;
    }
    eventually("the setting is answered", async || {
        let before = stage.metrics().await.saved("set");
        stage.client().await.run(ZONE).await;
        stage.metrics().await.saved("set") > before
    })
    .await;
    root.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await;
    root.run("DELETE FROM mysql.time_zone_name WHERE Name = 'Here/There'").await;
    stage.mysql.restart().expect("the server starts again");
    let mut other = stage.client().await;
    recovers(&mut other).await;
    let refused = code(&stage.direct().await.query(ZONE).await);
    assert_eq!(refused, 1298);
    let mut client = stage.client().await;
    let set = client.query(ZONE).await;
    if code(&set) == 0 {
        // It was answered from before; nothing runs without it.
        let (answer, goes_on) = client.attempt("UPDATE account SET balance = 3").await;
        assert!(!answer.error.is_empty(), "{answer:?}");
        if goes_on {
            // As long as it believes in the setting nothing runs.
            let (answer, _) = client.attempt("UPDATE account SET balance = 3").await;
            assert!(!answer.error.is_empty(), "{answer:?}");
        }
    } else {
        assert_eq!(code(&set), 1298);
    }
    assert_eq!(other.value("SELECT max(balance) FROM account").await, "100");
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        what_has_changed_since_it_was_described_is_what_it_is_directly,
    ],
    jumpgate_twice: [
        where_it_is_switched_off_what_statements_are_is_asked,
        what_was_described_runs_on_another_backend,
        a_setting_that_is_refused_by_now_is_nobodys,
    ],
}
