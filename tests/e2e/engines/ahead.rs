//! What was answered before the database was asked, where the database then is not there, or refuses it: nobody is told what
//! is not so, and nothing runs outside of its block or without its settings.

use std::time::Duration;

use e2e::{
    engine::{Answer, Client as _, Database, Place, Stage, recovers},
    jumpgate::Setup,
    stage::eventually,
};

const WRITE: &str = "UPDATE account SET balance = balance + 7 WHERE id = 1";

/// What reads this is never a hit.
const READ: &str = "SELECT balance FROM account WHERE id = 1 /* jumpgate: no-cache */";

/// What an engine says otherwise.
struct Words {
    /// A setting that is another one from then on, and what shows it beside what a table holds.
    set: &'static str,
    shows: &'static str,
    /// Has the server refuse to write, for all but who may do everything.
    read_only: &'static [&'static str],
    /// Whether a right to a table alone is none.
    needs_usage: bool,
}

fn words<S: Stage>(_stage: &S) -> Words {
    if S::Database::SCHEME == "postgres" {
        return Words {
            set: "SET TimeZone TO 'Asia/Tokyo'",
            shows: "SELECT concat(current_setting('TimeZone'), ' ', balance) FROM account WHERE id = 1",
            read_only: &[
                "ALTER SYSTEM SET default_transaction_read_only TO on",
                "SELECT pg_reload_conf()",
            ],
            needs_usage: true,
        };
    }
    Words {
        set: "SET time_zone = '+09:00'",
        shows: "SELECT concat(@@time_zone, ' ', balance) FROM account WHERE id = 1",
        read_only: &["SET GLOBAL read_only = 1"],
        needs_usage: false,
    }
}

/// A client in a block that was answered and has done nothing.
async fn begun<S: Stage>(stage: &S) -> S::Client {
    // What sessions begin with is learnt first.
    eventually("a beginning is answered", async || {
        let mut client = stage.client().await;
        let before = stage.metrics().await.saved("begin");
        for sql in ["BEGIN", READ, "COMMIT"] {
            client.run(sql).await;
        }
        stage.metrics().await.saved("begin") > before
    })
    .await;
    let mut client = stage.client().await;
    client.run("BEGIN").await;
    client
}

/// Writes in a block that may be lost, and takes it back: it was in the block, or the session has ended with an error.
async fn write_is_in_its_block<S: Stage>(stage: &S, client: &mut S::Client) {
    let (answer, goes_on) = client.attempt(WRITE).await;
    assert_eq!(answer.error.is_empty(), goes_on, "{answer:?}");
    if goes_on {
        assert_eq!(client.value(READ).await, "107");
        client.run("ROLLBACK").await;
    }
    assert_eq!(stage.direct().await.value(READ).await, "100");
}

async fn a_block_that_has_done_nothing_outlives_the_database(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(2)).await;
    let mut client = begun(&stage).await;
    stage.database().kill_9();
    stage.database().restart();
    write_is_in_its_block(&stage, &mut client).await;
}

async fn a_block_that_has_done_nothing_outlives_the_network(place: impl Place) {
    let setup = Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(2) };
    let stage = place.stage(setup).await;
    let mut client = begun(&stage).await;
    stage.relay().expect("a relay").cut().await;
    write_is_in_its_block(&stage, &mut client).await;
}

/// The bytes of its end never arrive.
async fn the_end_of_a_read_is_no_less_so_for_being_lost(place: impl Place) {
    for end in ["COMMIT", "ROLLBACK"] {
        let setup = Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(2) };
        let stage = place.stage(setup).await;
        let mut client = begun(&stage).await;
        client.run(READ).await;
        stage.relay().expect("a relay").swallow();
        let before = stage.metrics().await.saved("commit");
        client.run(end).await;
        assert!(stage.metrics().await.saved("commit") > before, "{end} is answered");
        stage.relay().expect("a relay").cut().await;
        recovers(&mut client).await;
        client.run(WRITE).await;
        assert_eq!(stage.direct().await.value(READ).await, "107", "it commits by itself");
    }
}

/// Nobody is told of a commit that the database has not heard of.
async fn the_end_of_a_write_is_an_error_where_it_is_lost(place: impl Place) {
    let setup = Setup { relay_delay: Some(Duration::ZERO), ..Setup::pool_of(2) };
    let stage = place.stage(setup).await;
    let mut client = begun(&stage).await;
    client.run(WRITE).await;
    let relay = stage.relay().expect("a relay");
    relay.swallow();
    let ((answer, goes_on), ()) = tokio::join!(client.attempt("COMMIT"), relay.cut());
    assert!(!answer.error.is_empty() || !goes_on, "{answer:?}");
    // The lock is let go of once the server knows.
    let mut direct = stage.direct().await;
    let taken = format!("{READ} FOR UPDATE");
    assert_eq!(direct.value(&taken).await, "100");
}

/// A kill of the server is the end of what had been answered too.
async fn the_end_of_a_read_outlives_the_database(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(2)).await;
    let mut client = begun(&stage).await;
    client.run(READ).await;
    client.run("COMMIT").await;
    stage.database().kill_9();
    stage.database().restart();
    recovers(&mut client).await;
    client.run(WRITE).await;
    assert_eq!(stage.direct().await.value(READ).await, "107");
}

async fn a_setting_that_was_answered_holds_whatever_becomes_of_the_database(place: impl Place) {
    let mut stage = place.stage(Setup::pool_of(2)).await;
    let Words { set, shows, .. } = words(&stage);
    eventually("the setting is answered", async || {
        let before = stage.metrics().await.saved("set");
        stage.client().await.run(set).await;
        stage.metrics().await.saved("set") > before
    })
    .await;
    let (mut first, mut second) = (stage.client().await, stage.client().await);
    let before = stage.metrics().await.saved("set");
    for client in [&mut first, &mut second] {
        client.run(set).await;
    }
    assert_eq!(stage.metrics().await.saved("set"), before + 2.0);
    let mut direct = stage.direct().await;
    direct.run(set).await;
    let expected = direct.value(shows).await;
    stage.database().kill_9();
    stage.database().restart();
    recovers(&mut second).await;
    for client in [&mut first, &mut second] {
        let (answer, goes_on) = client.attempt(shows).await;
        if goes_on && answer.error.is_empty() {
            assert_eq!(answer.rows, [[Some(expected.clone())]]);
        }
    }
    assert_eq!(second.value(shows).await, expected);
}

async fn a_block_that_finds_no_backend_has_written_nothing(place: impl Place) {
    let setup = Setup { pool: "checkout_timeout = 1".into(), ..Setup::pool_of(1) };
    let stage = place.stage(setup).await;
    let (mut waiting, mut holder) = (begun(&stage).await, begun(&stage).await);
    holder.run(READ).await;
    let (answer, goes_on) = waiting.attempt(WRITE).await;
    assert_eq!(answer.error, "Failed to acquire a connection from the pool.");
    holder.run("COMMIT").await;
    if goes_on {
        // MySQL: as after any other error, it is still in its block.
        write_is_in_its_block(&stage, &mut waiting).await;
    }
    assert_eq!(stage.direct().await.value(READ).await, "100");
}

/// Makes the server read only, and waits until that is in force for whoever speaks next.
async fn turn_read_only<S: Stage>(stage: &S) {
    let mut superuser = stage.superuser().await;
    for sql in words(stage).read_only {
        superuser.run(sql).await;
    }
    if S::Database::SCHEME == "postgres" {
        // Whom the postmaster lets in then, it lets in behind its signals to the others.
        eventually("the server is read only", async || {
            stage.superuser().await.value("SHOW default_transaction_read_only").await == "on"
        })
        .await;
    }
}

/// Around the proxy, and each sees it as a client of the database itself does.
async fn a_database_that_turns_read_only_refuses_as_it_does_directly(place: impl Place) {
    for before in [&["BEGIN"][..], &["BEGIN", READ], &["BEGIN", WRITE, READ], &[READ]] {
        let stage = place.stage(Setup::pool_of(2)).await;
        drop(begun(&stage).await);
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        let row = |sql: &str| sql.replace("id = 1", "id = 2");
        // A block begins at the server with its first statement (docs/DIFFERENCES.md).
        let has_begun = before != ["BEGIN"];
        for sql in before {
            client.run(&row(sql)).await;
            if has_begun {
                direct.run(sql).await;
            }
        }
        turn_read_only(&stage).await;
        if !has_begun {
            direct.run("BEGIN").await;
        }
        for sql in [WRITE, READ, "COMMIT", "BEGIN", READ, WRITE, "ROLLBACK", WRITE, READ] {
            let (expected, found) = (direct.query(sql).await, client.query(&row(sql)).await);
            assert_eq!(found, expected, "{sql} behind {before:?}");
        }
    }
}

const GONE: &str = "SELECT * FROM ours.gone /* jumpgate: no-cache */";

/// What makes a statement in a block fail that was answered before, around the proxy.
const CHANGES: [&str; 4] = [
    "DROP TABLE ours.gone",
    "ALTER TABLE ours.gone ADD COLUMN b int",
    "REVOKE SELECT ON ours.gone FROM app",
    "ALTER TABLE ours.gone RENAME TO elsewhere",
];

async fn a_block_is_told_of_a_changed_table_what_it_is_directly(place: impl Place) {
    let stage = place.stage(Setup::pool_of(2)).await;
    let mut superuser = stage.superuser().await;
    superuser.run("CREATE SCHEMA ours").await;
    if words(&stage).needs_usage {
        superuser.run("GRANT USAGE ON SCHEMA ours TO app").await;
    }
    drop(begun(&stage).await);
    for change in CHANGES {
        superuser.run("DROP TABLE IF EXISTS ours.gone").await;
        superuser.run("DROP TABLE IF EXISTS ours.elsewhere").await;
        superuser.run("CREATE TABLE ours.gone (a int)").await;
        superuser.run("INSERT INTO ours.gone VALUES (1)").await;
        superuser.run("GRANT SELECT ON ours.gone TO app").await;
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        for sql in [GONE, "BEGIN", "SELECT 1"] {
            assert_eq!(client.query(sql).await, direct.query(sql).await);
        }
        superuser.run(change).await;
        for sql in [GONE, READ, "COMMIT", READ, GONE] {
            let expected: Answer = direct.query(sql).await;
            assert_eq!(client.query(sql).await, expected, "{sql} behind {change}");
        }
    }
}

e2e::scenarios! {
    jumpgate_twice: [
        a_block_that_has_done_nothing_outlives_the_database,
        a_block_that_has_done_nothing_outlives_the_network,
        the_end_of_a_read_is_no_less_so_for_being_lost,
        the_end_of_a_write_is_an_error_where_it_is_lost,
        the_end_of_a_read_outlives_the_database,
        a_setting_that_was_answered_holds_whatever_becomes_of_the_database,
        a_block_that_finds_no_backend_has_written_nothing,
        a_database_that_turns_read_only_refuses_as_it_does_directly,
        a_block_is_told_of_a_changed_table_what_it_is_directly,
    ],
}

e2e::mysql_scenarios! {
    jumpgate_twice: [
        a_block_that_has_done_nothing_outlives_the_database,
        a_block_that_has_done_nothing_outlives_the_network,
        the_end_of_a_read_is_no_less_so_for_being_lost,
        the_end_of_a_write_is_an_error_where_it_is_lost,
        the_end_of_a_read_outlives_the_database,
        a_setting_that_was_answered_holds_whatever_becomes_of_the_database,
        a_block_that_finds_no_backend_has_written_nothing,
        a_database_that_turns_read_only_refuses_as_it_does_directly,
        a_block_is_told_of_a_changed_table_what_it_is_directly,
    ],
}
