//! `currval` and `lastval`: what the session drew itself, or 55000, and never what another drew.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Frame, Wire, rows, sqlstate},
};

/// Tables with a serial key each, whose sequences stand far from each other.
async fn tables(client: &mut Wire) {
    client
        .run(
            "CREATE TABLE note (id serial, text text); CREATE TABLE mark (id serial, text text); \
             ALTER SEQUENCE mark_id_seq RESTART 1000",
        )
        .await;
}

/// The value, or the SQLSTATE of the error.
fn outcome(reply: &[Frame]) -> String {
    match rows(reply).into_iter().flatten().next().flatten() {
        Some(value) => value,
        None => sqlstate(reply),
    }
}

async fn asked(client: &mut Wire, sql: &str, extended: bool) -> String {
    match extended {
        true => outcome(&client.extended(sql, &[]).await),
        false => outcome(&client.query(sql).await),
    }
}

const ASK: [&str; 2] = ["SELECT lastval()", "SELECT currval('note_id_seq')"];

/// FAULTS row 17: what the one backend of the pool remembers is another's.
async fn nobody_is_told_what_another_drew(place: Place) {
    for extended in [false, true] {
        let stage = Stage::with(place, Setup::pool_of(1)).await;
        let (mut one, mut two) = (stage.client().await, stage.client().await);
        tables(&mut one).await;
        for ask in ASK {
            one.run("INSERT INTO note (text) VALUES ('one')").await;
            assert_eq!(asked(&mut two, ask, extended).await, "55000", "{ask}");
        }
        // Nor in a transaction, where something else was drawn.
        one.run("INSERT INTO note (text) VALUES ('one')").await;
        two.run("BEGIN").await;
        two.run("INSERT INTO mark (text) VALUES ('two')").await;
        assert_eq!(asked(&mut two, ASK[1], extended).await, "55000");
        two.run("ROLLBACK").await;
        // A nextval is not rolled back.
        assert_eq!(asked(&mut two, "SELECT currval('mark_id_seq')", extended).await, "1000");
    }
}

/// FAULTS row 17: PDO's lastInsertId, and what older mappers do.
async fn who_asks_behind_the_insert_is_told_its_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut first = stage.client().await;
    tables(&mut first).await;
    // From here on it is known that this database asks.
    first.query(ASK[0]).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    for turn in 0..5 {
        let mut own = Vec::new();
        for client in [&mut one, &mut two] {
            let reply = match turn % 2 {
                0 => client.run("INSERT INTO note (text) VALUES ('x') RETURNING id").await,
                _ => client.extended("SELECT nextval('note_id_seq')", &[]).await,
            };
            own.push(outcome(&reply));
        }
        for (client, own) in [&mut one, &mut two].into_iter().zip(own) {
            for ask in ASK {
                for extended in [false, true] {
                    assert_eq!(asked(client, ask, extended).await, own, "{ask}");
                }
            }
        }
    }
}

async fn a_transaction_is_told_what_it_drew_at_the_first_time_too(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    tables(&mut one).await;
    one.run("INSERT INTO note (text) VALUES ('one')").await;
    two.run("BEGIN").await;
    let own = outcome(&two.run("INSERT INTO note (text) VALUES ('x') RETURNING id").await);
    for ask in ASK {
        assert_eq!(asked(&mut two, ask, false).await, own, "{ask}");
    }
    two.run("COMMIT").await;
}

/// An old value of its own is wrong too.
async fn who_drew_elsewhere_since_is_not_told_what_it_drew_before(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    tables(&mut one).await;
    for _turn in 0..3 {
        one.run("INSERT INTO note (text) VALUES ('here')").await;
        // Other backends of the two come to serve it.
        two.run("BEGIN").await;
        two.run("SELECT 1").await;
        let last = outcome(&one.run("INSERT INTO note (text) VALUES ('x') RETURNING id").await);
        two.run("COMMIT").await;
        let told = asked(&mut one, ASK[1], false).await;
        assert!(told == last || told == "55000", "{told} and not {last}");
    }
}

async fn a_home_is_given_up_when_others_want_it(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    tables(&mut one).await;
    one.query(ASK[0]).await;
    one.run("INSERT INTO note (text) VALUES ('one')").await;
    two.run("INSERT INTO mark (text) VALUES ('two')").await;
    assert_eq!(asked(&mut one, ASK[0], false).await, "55000");
    eventually("it is served once more", async || {
        let mut three = stage.client().await;
        three.value("SELECT 1").await == "1"
    })
    .await;
}

async fn a_failed_transaction_says_so_and_nothing_else(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    tables(&mut one).await;
    one.run("INSERT INTO note (text) VALUES ('one')").await;
    two.run("BEGIN").await;
    two.query("SELECT 1/0").await;
    for extended in [false, true] {
        assert_eq!(asked(&mut two, ASK[0], extended).await, "25P02");
    }
    two.run("ROLLBACK").await;
    assert_eq!(asked(&mut two, ASK[0], false).await, "55000");
}

e2e::scenarios! {
    twice: [
        nobody_is_told_what_another_drew,
        who_asks_behind_the_insert_is_told_its_own,
        a_transaction_is_told_what_it_drew_at_the_first_time_too,
        a_failed_transaction_says_so_and_nothing_else,
    ],
    jumpgate_twice: [
        who_drew_elsewhere_since_is_not_told_what_it_drew_before,
        a_home_is_given_up_when_others_want_it,
    ],
}
