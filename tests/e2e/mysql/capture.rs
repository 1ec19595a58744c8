//! Writes that go around jumpgate, which the binary log tells of.
//!
//! Replies may be as old as an hour here: what becomes new has been told of.

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        reply::{code, rows},
        stage::{Place, Stage},
        wire::Wire,
    },
    stage::eventually,
};

const BALANCE: &str = "SELECT balance FROM account WHERE id = 1";
/// Of a table that nobody writes.
const STILL: &str = "SELECT name FROM item WHERE id = 7";
const CAPTURE: &str = "[database.capture]\nenabled = true\nuser = \"replica\"\n\
    password = \"replica-password\"\nmax_lag = 5\n";
const LOGS: [&str; 2] = ["--log-bin=binlog", "--sync-binlog=0"];

/// A world with capture, by a user who may do just that.
async fn open(place: Place, more: &[&'static str]) -> Stage {
    let stage = begin(place, &[&["--binlog-format=ROW"], more].concat()).await;
    stage.root().await.run(grant(place)).await;
    stage
}

/// The same, where the user may not yet.
async fn begin(place: Place, more: &[&'static str]) -> Stage {
    let mysql = [&LOGS[..], more].concat();
    let setup = Setup { mysql, more: CAPTURE.into(), ..Setup::caching("max_age = 3600") };
    let stage = Stage::with(place, setup).await;
    stage.root().await.run("CREATE USER replica@'%' IDENTIFIED BY 'replica-password'").await;
    stage
}

fn grant(place: Place) -> &'static str {
    match place.server {
        Server::MariaDb => "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'replica'@'%'",
        Server::MySql => "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'replica'@'%'",
    }
}

/// Reads until the cache answers, which is only where changes are captured.
async fn kept(reader: &mut Wire, sql: &str) -> String {
    for _turn in 0..1500 {
        let value = reader.value(sql).await;
        if reader.cache_status().await == "hit" {
            return value;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never kept: {sql}")
}

/// What is cached becomes this, and is cached again.
async fn becomes(reader: &mut Wire, sql: &str, value: &str) {
    for _turn in 0..1500 {
        if reader.value(sql).await == value {
            assert_eq!(kept(reader, sql).await, value);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{sql} stays {}", reader.value(sql).await)
}

async fn a_write_around_the_proxy_makes_what_was_cached_new(place: Place) {
    let stage = open(place, &[]).await;
    let (mut reader, mut around) = (stage.client().await, stage.direct().await);
    assert_eq!(kept(&mut reader, BALANCE).await, "100");
    for balance in ["42", "43"] {
        around.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
        becomes(&mut reader, BALANCE, balance).await;
    }
    around.run("BEGIN").await;
    around.run("DELETE FROM account").await;
    around.run("INSERT INTO account VALUES (1, 7)").await;
    assert_eq!(reader.value(BALANCE).await, "43");
    around.run("COMMIT").await;
    becomes(&mut reader, BALANCE, "7").await;
    // A table of another schema.
    let other = "SELECT name FROM other.thing";
    assert_eq!(kept(&mut reader, other).await, "from other");
    around.run("TRUNCATE other.thing").await;
    around.run("INSERT INTO other.thing VALUES ('new')").await;
    becomes(&mut reader, other, "new").await;
    let metrics = stage.metrics().await;
    assert_eq!(metrics.sum("jumpgate_capture_up", &[]), 1.0);
    assert!(metrics.sum("jumpgate_capture_changes_total", &[("kind", "rows")]) >= 5.0);
}

/// Readers ask all the while, also between the event and the moment at which readers of the server see it.
async fn what_was_written_last_is_what_is_read_at_last(place: Place) {
    let stage = open(place, &["--sync-binlog=1"]).await;
    let (mut a, mut b, mut around) =
        (stage.client().await, stage.client().await, stage.direct().await);
    kept(&mut a, BALANCE).await;
    for round in 1..=5 {
        let last = round * 1000 + 59;
        let writing = async {
            for balance in last - 59..=last {
                around.run(&format!("UPDATE account SET balance = {balance} WHERE id = 1")).await;
            }
        };
        let last = last.to_string();
        tokio::join!(writing, becomes(&mut a, BALANCE, &last), becomes(&mut b, BALANCE, &last));
        // Longer than a change takes to count once more.
        let began = tokio::time::Instant::now();
        while began.elapsed() < std::time::Duration::from_millis(700) {
            assert_eq!(a.value(BALANCE).await, last);
        }
        assert_eq!(kept(&mut b, BALANCE).await, last);
    }
}

async fn what_runs_behind_a_write_is_told_of_too(place: Place) {
    let stage = open(place, &[]).await;
    let (mut reader, mut around) = (stage.client().await, stage.direct().await);
    let (audit, children) = ("SELECT count(*) FROM audit", "SELECT count(*) FROM child");
    assert_eq!(kept(&mut reader, audit).await, "0");
    around.run("INSERT INTO audited VALUES (1, 'a')").await;
    becomes(&mut reader, audit, "1").await;
    assert_eq!(kept(&mut reader, children).await, "2");
    around.run("DELETE FROM parent WHERE id = 1").await;
    becomes(&mut reader, children, "1").await;
    around.run("CALL rename_item(7, 'seven')").await;
    becomes(&mut reader, STILL, "seven").await;
    let view = "SELECT name FROM cheap WHERE id = 1";
    assert_eq!(kept(&mut reader, view).await, "item 1");
    around.run("UPDATE item SET name = 'one' WHERE id = 1").await;
    becomes(&mut reader, view, "one").await;
}

async fn a_definition_around_the_proxy_is_seen(place: Place) {
    let stage = open(place, &[]).await;
    let (mut reader, mut around) = (stage.client().await, stage.direct().await);
    let all = "SELECT * FROM account WHERE id = 1";
    kept(&mut reader, all).await;
    around.run("ALTER TABLE account ADD note varchar(9) DEFAULT 'new'").await;
    eventually("there is a third column", async || {
        let found = rows(&stage.client().await.query(all).await);
        found.first().is_some_and(|row| row.len() == 3)
    })
    .await;
    kept(&mut reader, all).await;
    // A table that is another from now on, with what refers to it.
    around.run("CREATE TABLE fresh AS SELECT 1 AS id, 5 AS balance").await;
    around.run("RENAME TABLE account TO old, fresh TO account").await;
    becomes(&mut reader, BALANCE, "5").await;
    // With a log only those who may do everything make code.
    let mut around = stage.root().await;
    around.run("USE app").await;
    around
        .run("CREATE TRIGGER sly AFTER INSERT ON digit FOR EACH ROW UPDATE account SET balance = 6")
        .await;
    around.run("INSERT INTO digit VALUES (10)").await;
    becomes(&mut reader, BALANCE, "6").await;
}

async fn the_log_may_go_on_in_another_file(place: Place) {
    let stage = open(place, &[]).await;
    let (mut reader, mut root) = (stage.client().await, stage.root().await);
    kept(&mut reader, BALANCE).await;
    let before = restarts(&stage).await;
    for balance in ["1", "2", "3"] {
        root.run("FLUSH BINARY LOGS").await;
        root.run(&format!("UPDATE app.account SET balance = {balance} WHERE id = 1")).await;
        becomes(&mut reader, BALANCE, balance).await;
    }
    assert_eq!(restarts(&stage).await, before);
}

async fn restarts(stage: &Stage) -> f64 {
    stage.metrics().await.sum("jumpgate_capture_restarts_total", &[])
}

/// Ends the stream of the binary log at the server. Nobody may open another until [`again`].
async fn cut(root: &mut Wire) {
    root.run("ALTER USER replica@'%' ACCOUNT LOCK").await;
    let dumping = "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'";
    let id = root.value(dumping).await;
    root.run(&format!("KILL {id}")).await;
}

async fn again(root: &mut Wire) {
    root.run("ALTER USER replica@'%' ACCOUNT UNLOCK").await;
}

/// Waits until nothing is answered from the cache.
async fn is_uncached(stage: &Stage, reader: &mut Wire) {
    for _turn in 0..1500 {
        reader.value(STILL).await;
        if reader.cache_status().await != "hit" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for sql in [STILL, BALANCE, STILL, BALANCE] {
        reader.value(sql).await;
        assert_ne!(reader.cache_status().await, "hit");
    }
    assert_eq!(stage.metrics().await.sum("jumpgate_capture_up", &[]), 0.0);
}

async fn while_the_stream_is_cut_nothing_is_cached_and_then_it_goes_on(place: Place) {
    let stage = open(place, &[]).await;
    let (mut reader, mut root) = (stage.client().await, stage.root().await);
    kept(&mut reader, BALANCE).await;
    kept(&mut reader, STILL).await;
    let before = restarts(&stage).await;
    cut(&mut root).await;
    is_uncached(&stage, &mut reader).await;
    root.run("UPDATE app.account SET balance = 8 WHERE id = 1").await;
    assert_eq!(reader.value(BALANCE).await, "8");
    root.run("FLUSH BINARY LOGS").await;
    root.run("UPDATE app.account SET balance = 9 WHERE id = 1").await;
    let asked = stage.mysql.executions(STILL);
    again(&mut root).await;
    eventually("it goes on", async || stage.metrics().await.sum("jumpgate_capture_up", &[]) == 1.0)
        .await;
    assert_eq!(reader.value(BALANCE).await, "9");
    becomes(&mut reader, BALANCE, "9").await;
    // ACCOUNT UNLOCK is a definition, which outdates all; until it is told, nothing is cached.
    kept(&mut reader, STILL).await;
    assert!(stage.mysql.executions(STILL) > asked);
    assert_eq!(restarts(&stage).await, before);
    root.run("UPDATE app.account SET balance = 10 WHERE id = 1").await;
    becomes(&mut reader, BALANCE, "10").await;
}

async fn where_the_log_was_purged_all_begins_anew(place: Place) {
    let stage = open(place, &[]).await;
    let (mut reader, mut root) = (stage.client().await, stage.root().await);
    kept(&mut reader, BALANCE).await;
    let before = restarts(&stage).await;
    cut(&mut root).await;
    is_uncached(&stage, &mut reader).await;
    root.run("UPDATE app.account SET balance = 8 WHERE id = 1").await;
    root.run("FLUSH BINARY LOGS").await;
    root.run("FLUSH BINARY LOGS").await;
    // MariaDB keeps what it may need after a crash for a moment longer.
    loop {
        let logs = rows(&root.query("SHOW BINARY LOGS").await);
        let [.., last] = &*logs else { panic!("there is a log") };
        if logs.len() == 1 {
            break;
        }
        let last = last[0].clone().unwrap();
        root.run(&format!("PURGE BINARY LOGS TO '{last}'")).await;
    }
    again(&mut root).await;
    becomes(&mut reader, BALANCE, "8").await;
    assert_eq!(restarts(&stage).await, before + 1.0);
    root.run("UPDATE app.account SET balance = 10 WHERE id = 1").await;
    becomes(&mut reader, BALANCE, "10").await;
}

async fn a_server_that_restarts_is_followed_again(place: Place) {
    let mut stage = open(place, &["--innodb-flush-log-at-trx-commit=1"]).await;
    let mut reader = stage.client().await;
    kept(&mut reader, BALANCE).await;
    stage.mysql.restart().expect("it starts again");
    stage.direct().await.run("UPDATE account SET balance = 8 WHERE id = 1").await;
    let mut reader = stage.client().await;
    e2e::mysql::stage::recovers(&mut reader).await;
    becomes(&mut reader, BALANCE, "8").await;
}

async fn statements_in_words_are_read(place: Place) {
    for format in ["--binlog-format=STATEMENT", "--binlog-format=MIXED"] {
        let stage = open(place, &[format]).await;
        let (mut reader, mut around) = (stage.client().await, stage.direct().await);
        kept(&mut reader, BALANCE).await;
        kept(&mut reader, STILL).await;
        around.run("UPDATE account SET balance = 8 WHERE id = 1").await;
        becomes(&mut reader, BALANCE, "8").await;
        around.run("INSERT INTO audited VALUES (1, 'a')").await;
        becomes(&mut reader, "SELECT count(*) FROM audit", "1").await;
        around.run("DELETE FROM parent WHERE id = 1").await;
        becomes(&mut reader, "SELECT count(*) FROM child", "1").await;
    }
}

async fn a_compressed_log_is_read(place: Place) {
    let settings: &[&str] = match place.server {
        Server::MariaDb => &["--log-bin-compress=ON", "--log-bin-compress-min-len=10"],
        Server::MySql => &["--binlog-transaction-compression=ON"],
    };
    let stage = open(place, settings).await;
    let (mut reader, mut around) = (stage.client().await, stage.direct().await);
    kept(&mut reader, BALANCE).await;
    let before = restarts(&stage).await;
    around.run("UPDATE account SET balance = 8 WHERE id = 1").await;
    becomes(&mut reader, BALANCE, "8").await;
    // A row, and a transaction, that are longer than what is kept of one event.
    around.run("INSERT INTO large (body) VALUES (repeat('x', 20000000))").await;
    becomes(&mut reader, "SELECT count(*) FROM large", "1").await;
    around.run("INSERT INTO large (body) SELECT random_bytes(1000) FROM wide").await;
    becomes(&mut reader, "SELECT count(*) FROM large", "3001").await;
    around.run(&format!("CREATE TABLE made (a int) COMMENT '{}'", "c".repeat(1000))).await;
    becomes(&mut reader, "SELECT count(*) FROM made", "0").await;
    assert_eq!(restarts(&stage).await, before);
}

async fn what_is_missing_is_told_and_nothing_is_cached(place: Place) {
    let mut stage = begin(place, &["--binlog-format=MIXED"]).await;
    let mut reader = stage.client().await;
    for _turn in 0..5 {
        reader.value(BALANCE).await;
        assert_ne!(reader.cache_status().await, "hit");
    }
    says(&mut stage, 1, &["✗ capture", grant(place)]);
    let mut root = stage.root().await;
    root.run(grant(place)).await;
    says(&mut stage, 0, &["✓ capture", "from binlog.0", "binlog_format is MIXED"]);
    root.run("SET GLOBAL binlog_format = 'ROW'").await;
    says(&mut stage, 0, &["✓ capture"]);
    kept(&mut reader, BALANCE).await;
}

/// What `jumpgate check` says, and how it ends.
fn says(stage: &mut Stage, code: i32, parts: &[&str]) {
    let (ended, said, problems) = stage.jumpgate().tool(&["check", "app"]).unwrap();
    assert_eq!(ended, code, "{said}{problems}");
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
}

async fn without_a_log_check_says_how_to_have_one(place: Place) {
    let setup = Setup { more: CAPTURE.into(), ..Setup::default() };
    let mut stage = Stage::with(place, setup).await;
    let mut root = stage.root().await;
    root.run("CREATE USER replica@'%' IDENTIFIED BY 'replica-password'").await;
    assert_eq!(code(&root.query(grant(place)).await), 0);
    says(&mut stage, 1, &["✗ capture", "log_bin = binlog"]);
}

e2e::mysql_scenarios! {
    jumpgate: [
        a_write_around_the_proxy_makes_what_was_cached_new,
        while_the_stream_is_cut_nothing_is_cached_and_then_it_goes_on,
    ],
    jumpgate_both: [
        a_compressed_log_is_read,
        a_definition_around_the_proxy_is_seen,
        a_server_that_restarts_is_followed_again,
        statements_in_words_are_read,
        the_log_may_go_on_in_another_file,
        what_is_missing_is_told_and_nothing_is_cached,
        what_runs_behind_a_write_is_told_of_too,
        what_was_written_last_is_what_is_read_at_last,
        where_the_log_was_purged_all_begins_anew,
        without_a_log_check_says_how_to_have_one,
    ],
}
