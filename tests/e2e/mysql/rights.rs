//! What gives or takes rights counts for the next client, however it is said: a server judges rights when a connection
//! begins, and a pool's connections began before.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::capability,
        reply::{code, error},
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
};
use tokio::time::{Instant, sleep};

/// Takes the right to read from `app`, each in a session of its own; what begins with `binary` by the binary protocol.
const WAYS: [&[&str]; 16] = [
    &["REVOKE  SELECT\nON app.* FROM app@'%'"],
    &["/* x */ /*!50000 REVOKE SELECT ON app.* FROM app@'%' */"],
    &["binary REVOKE SELECT ON app.* FROM app@'%'"],
    &["SET NAMES gbk", "REVOKE SELECT ON app.* FROM app@'%'"],
    &["TAKE", "FLUSH PRIVILEGES"],
    &["TAKE", "FLUSH LOCAL PRIVILEGES"],
    &["TAKE", "FLUSH NO_WRITE_TO_BINLOG PRIVILEGES"],
    &["TAKE", "FLUSH STATUS, PRIVILEGES"],
    &["REVOKE SELECT ON app.* FROM app@'%'; SELECT 1 FROM nosuch"],
    &["SELECT 1 FROM account; REVOKE SELECT ON app.* FROM app@'%'"],
    &["PREPARE s FROM 'REVOKE SELECT ON app.* FROM app@''%'''", "EXECUTE s"],
    &["SET @t = 'REVOKE SELECT ON app.* FROM app@''%'''", "PREPARE s FROM @t", "EXECUTE s"],
    &["CREATE PROCEDURE q() REVOKE SELECT ON app.* FROM app@'%'", "CALL q()", "DROP PROCEDURE q"],
    &[
        "CREATE PROCEDURE q() REVOKE SELECT ON app.* FROM app@'%'",
        "CREATE PROCEDURE outer_q() CALL q()",
        "PREPARE s FROM 'CALL outer_q()'",
        "EXECUTE s",
        "DROP PROCEDURE q",
        "DROP PROCEDURE outer_q",
    ],
    &[
        "CREATE PROCEDURE q(t TEXT) BEGIN SET @t = t; PREPARE s FROM @t; EXECUTE s; END",
        "CALL q('REVOKE SELECT ON app.* FROM app@''%''')",
        "DROP PROCEDURE q",
    ],
    &[
        "CREATE PROCEDURE q() PREPARE s FROM 'REVOKE SELECT ON app.* FROM app@''%'''",
        "PREPARE s FROM 'SELECT 1'",
        "CALL q()",
        "EXECUTE s",
        "DROP PROCEDURE q",
    ],
];

/// Those that only MariaDB has.
const OF_MARIADB: [&[&str]; 10] = [
    &["REVOKE SELECT ON app.* FROM app@'%', nosuch@localhost"],
    &["SET sql_mode = 'oracle'", "REVOKE SELECT ON app.* FROM app@'%'"],
    &["SET sql_mode = 'oracle'", "SET sql_mode = ''", "REVOKE SELECT ON app.* FROM app@'%'"],
    &["SET sql_mode = 'maxdb'", "binary REVOKE SELECT ON app.* FROM app@'%'"],
    &[
        "SET sql_mode = 'oracle'",
        "CREATE PROCEDURE q AS BEGIN EXECUTE IMMEDIATE 'REV' || 'OKE SELECT ON app.* FROM app'; END",
        "BEGIN q; END",
        "SET sql_mode = ''",
        "DROP PROCEDURE q",
    ],
    &["EXECUTE IMMEDIATE 'REVOKE SELECT ON app.* FROM app@''%'''"],
    &["EXECUTE IMMEDIATE CONCAT('RE', 'VOKE SELECT ON app.* FROM app@''%''')"],
    &["BEGIN NOT ATOMIC REVOKE SELECT ON app.* FROM app@'%'; END"],
    &["SET STATEMENT max_statement_time = 10 FOR REVOKE SELECT ON app.* FROM app@'%'"],
    &["SET @t = 'REVOKE SELECT ON app.* FROM app@''%'''", "EXECUTE IMMEDIATE @t"],
];

const READ: &str = "SELECT count(*) FROM account /* jumpgate: no-cache */";

/// What goes through Jumpgate in one session, whatever comes of it.
async fn say(wire: &mut Wire, way: &[&str]) {
    for step in way {
        match step.strip_prefix("binary ") {
            Some(sql) => {
                let prepared = wire.prepare(sql).await;
                wire.execute(prepared.id, &[]).await;
            }
            None if *step == "TAKE" => {
                let taken =
                    "UPDATE mysql.db SET Select_priv = 'N' WHERE User = 'app' AND Db = 'app'";
                wire.run(taken).await;
            }
            None => drop(wire.query(step).await),
        }
    }
}

/// Two idle backends that began with the rights of now.
async fn two_backends(stage: &Stage) {
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    for wire in [&mut one, &mut two] {
        wire.run("BEGIN").await;
        assert_eq!(wire.value(READ).await, "2");
    }
    for wire in [one, two] {
        let mut wire = wire;
        wire.run("ROLLBACK").await;
        wire.close().await;
    }
}

/// `app` can give and take its own rights, and has that to read by its schema alone.
async fn prepared(place: Place) -> (Stage, Wire) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let mut root = stage.root().await;
    for right in [
        "GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION",
        "GRANT ALL ON mysql.* TO app@'%'",
        "GRANT ALL ON app.* TO app@'%' WITH GRANT OPTION",
        "REVOKE SELECT ON *.* FROM app@'%'",
    ] {
        root.run(right).await;
    }
    stage.client().await.run("FLUSH PRIVILEGES").await;
    (stage, root)
}

/// Found beside MariaDB's own test `grant2` (rights): what took them went through, and the pool's connections stayed.
async fn rights_end_however_they_are_taken(place: Place) {
    let (stage, mut root) = prepared(place).await;
    let mut ways = WAYS.to_vec();
    if place.server == Server::MariaDb {
        ways.extend(OF_MARIADB);
    }
    let mut kept = Vec::new();
    for way in ways {
        root.run("GRANT ALL ON app.* TO app@'%' WITH GRANT OPTION").await;
        stage.client().await.run("FLUSH PRIVILEGES").await;
        let mut own = stage.client_with(capability::MULTI_STATEMENTS).await;
        two_backends(&stage).await;
        say(&mut own, way).await;
        let refusal = stage.direct().await.query(READ).await;
        assert_eq!(code(&refusal), 1142, "that takes nothing: {way:?}");
        let reply = stage.client().await.query(READ).await;
        if error(&reply).is_empty() {
            kept.push(way);
        }
        own.close().await;
    }
    assert!(kept.is_empty(), "{kept:#?}");
}

/// The same where nobody hears what became of it: the client has left.
async fn rights_end_though_their_taker_has_left(place: Place) {
    let (stage, _root) = prepared(place).await;
    let mut own = stage.client_with(capability::MULTI_STATEMENTS).await;
    two_backends(&stage).await;
    own.command(&say::query("REVOKE SELECT ON app.* FROM app@'%'; DO SLEEP(60)")).await;
    let mut own = Some(own);
    for of_stage in [true, false] {
        let give_up = Instant::now() + Duration::from_secs(20);
        loop {
            let mut reader = if of_stage { stage.direct().await } else { stage.client().await };
            if code(&reader.query(READ).await) == 1142 {
                break;
            }
            assert!(Instant::now() < give_up, "through jumpgate: {}", !of_stage);
            sleep(Duration::from_millis(20)).await;
        }
        drop(own.take());
    }
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        rights_end_however_they_are_taken,
        rights_end_though_their_taker_has_left,
    ],
}
