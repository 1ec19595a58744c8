//! Statements that run where they are not prepared yet: MariaDB is given them together with their execution.

use e2e::{
    jumpgate::Setup,
    mysql::{
        reply::{code, done},
        stage::{Place, Stage},
        wire::Wire,
    },
};

const ADD: &str = "UPDATE account SET balance = balance + ? WHERE id = 1";
const READ: &str = "SELECT balance FROM account WHERE id = ? /* jumpgate: no-cache */";

/// Has the next statements of others run on another backend than the last.
async fn moves(holder: &mut Wire, turn: usize) {
    let sql = if turn.is_multiple_of(2) {
        "START TRANSACTION WITH CONSISTENT SNAPSHOT"
    } else {
        "COMMIT"
    };
    holder.run(sql).await;
}

async fn a_statement_does_the_same_wherever_it_runs(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut client, mut holder) = (stage.client().await, stage.client().await);
    let mut other = stage.client().await;
    let (add, read) = (client.prepare(ADD).await, client.prepare(READ).await);
    let begun = client.value("SELECT balance FROM account WHERE id = 1").await;
    let begun: i64 = begun.parse().unwrap();
    for turn in 0..8 {
        moves(&mut holder, turn).await;
        moves(&mut other, turn / 2).await;
        let added = client.execute(add.id, &[1.into()]).await;
        assert_eq!(done(&added).affected, 1, "turn {turn}");
        let now = client.executed_value(read.id, &[1.into()]).await;
        assert_eq!(now, (begun + 1 + i64::try_from(turn).unwrap()).to_string());
        assert_eq!(client.value("SELECT ROW_COUNT()").await, "-1");
        client.run("BEGIN").await;
        client.execute(add.id, &[100.into()]).await;
        client.run("ROLLBACK").await;
    }
}

/// What cannot be prepared any more is an error in the server's words, and the session goes on.
async fn what_is_not_there_any_more_is_an_error(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut root = stage.root().await;
    root.run("CREATE TABLE app.passing (a INT)").await;
    let (mut client, mut holder) = (stage.client().await, stage.client().await);
    let insert = client.prepare("INSERT INTO passing VALUES (?)").await;
    let read = client.prepare("SELECT a FROM passing WHERE a > ?").await;
    client.execute(insert.id, &[1.into()]).await;
    root.run("DROP TABLE app.passing").await;
    for turn in 0..4 {
        moves(&mut holder, turn).await;
        for statement in [&insert, &read] {
            let refused = client.execute(statement.id, &[1.into()]).await;
            assert_eq!(code(&refused), 1146, "turn {turn}: {refused:?}");
            let warnings = client.query("SHOW WARNINGS").await;
            assert_eq!(e2e::mysql::reply::rows(&warnings).len(), 1, "turn {turn}: {warnings:?}");
        }
    }
    root.run("CREATE TABLE app.passing (a INT)").await;
    client.execute(insert.id, &[7.into()]).await;
    assert_eq!(client.executed_value(read.id, &[1.into()]).await, "7");
}

/// A server without room for one more statement must not run another one in its place.
async fn where_there_is_no_room_no_other_statement_runs(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    // What the holder has keeps its statements, two of these.
    root.run("SET GLOBAL max_prepared_stmt_count = 3").await;
    let (mut client, mut holder) = (stage.client().await, stage.client().await);
    let add = client.prepare(ADD).await;
    let take = client.prepare("UPDATE account SET balance = balance - ? WHERE id = 2").await;
    for turn in 0..6 {
        moves(&mut holder, turn).await;
        for statement in [&add, &take] {
            assert_eq!(done(&client.execute(statement.id, &[1.into()]).await).affected, 1);
        }
    }
    let both = "SELECT group_concat(balance ORDER BY id) FROM account";
    assert_eq!(client.value(both).await, "106,94");
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        a_statement_does_the_same_wherever_it_runs,
        what_is_not_there_any_more_is_an_error,
        where_there_is_no_room_no_other_statement_runs,
    ],
}
