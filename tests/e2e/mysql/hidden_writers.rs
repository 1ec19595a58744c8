//! FAULTS rows 3 and 4 for MySQL and MariaDB: for every kind of object through which they run code, a writer hidden in it.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        stage::{Place, Stage},
        wire::Wire,
    },
};

const SEEN: &str = "SELECT n FROM seen";
const BYSTANDER: &str = "SELECT n FROM bystander";

/// What a write outdates besides what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The table that the hidden writer writes, and no other.
    Table,
    /// Whatever there is.
    Everything,
}

use Reach::{Everything, Table};

const COMMON: &[&str] = &[
    "CREATE TABLE seen (n int NOT NULL)",
    "INSERT INTO seen VALUES (0)",
    "CREATE TABLE bystander (n int)",
    "INSERT INTO bystander VALUES (7)",
    "CREATE FUNCTION bump() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE seen SET n = n + 1; RETURN 1; END",
    "CREATE FUNCTION sly(a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a * bump()",
    "CREATE PROCEDURE bumps() BEGIN UPDATE seen SET n = n + 1; END",
];

/// What it is, how much a write outdates, what makes it, and the write.
const CASES: &[(&str, Reach, &[&str], &str)] = &[
    (
        "a trigger before",
        Table,
        &[
            "CREATE TABLE t1 (a int)",
            "CREATE TRIGGER g1 BEFORE INSERT ON t1 FOR EACH ROW UPDATE seen SET n = n + 1",
        ],
        "INSERT INTO t1 VALUES (1)",
    ),
    (
        "a trigger with apostrophes in its comments",
        Table,
        &[
            "CREATE TABLE t2 (a int)",
            "CREATE TRIGGER g2 AFTER INSERT ON t2 FOR EACH ROW BEGIN\n-- don't lose it\n\
           UPDATE seen SET n = n + 1; /* that's all */ END",
        ],
        "INSERT INTO t2 VALUES (1)",
    ),
    (
        "a trigger that calls a function",
        Table,
        &[
            "CREATE TABLE t3 (a int, b int)",
            "INSERT INTO t3 VALUES (1, 1)",
            "CREATE TRIGGER g3 BEFORE UPDATE ON t3 FOR EACH ROW SET NEW.b = sly(1)",
        ],
        "UPDATE t3 SET a = a + 1",
    ),
    (
        "a trigger that writes a table with a trigger",
        Table,
        &[
            "CREATE TABLE t4 (a int)",
            "CREATE TABLE t4b (a int)",
            "CREATE TRIGGER g4b BEFORE INSERT ON t4b FOR EACH ROW UPDATE seen SET n = n + 1",
            "CREATE TRIGGER g4 AFTER INSERT ON t4 FOR EACH ROW INSERT INTO t4b (a) VALUES (NEW.a)",
        ],
        "INSERT INTO t4 VALUES (1)",
    ),
    (
        "a trigger that calls a procedure",
        Table,
        &[
            "CREATE TABLE t5 (a int)",
            "CREATE TRIGGER g5 AFTER INSERT ON t5 FOR EACH ROW CALL bumps()",
        ],
        "INSERT INTO t5 VALUES (1)",
    ),
    (
        "a trigger on DELETE, by REPLACE",
        Table,
        &[
            "CREATE TABLE t6 (a int PRIMARY KEY)",
            "INSERT INTO t6 VALUES (1)",
            "CREATE TRIGGER g6 AFTER DELETE ON t6 FOR EACH ROW UPDATE seen SET n = n + 1",
        ],
        "REPLACE INTO t6 VALUES (1)",
    ),
    (
        "a trigger on UPDATE, by INSERT",
        Table,
        &[
            "CREATE TABLE t7 (a int PRIMARY KEY)",
            "INSERT INTO t7 VALUES (1)",
            "CREATE TRIGGER g7 AFTER UPDATE ON t7 FOR EACH ROW UPDATE seen SET n = n + 1",
        ],
        "INSERT INTO t7 VALUES (1) ON DUPLICATE KEY UPDATE a = 1",
    ),
    (
        "a trigger of one of several tables",
        Table,
        &[
            "CREATE TABLE t8 (a int)",
            "INSERT INTO t8 VALUES (1)",
            "CREATE TABLE t8b (a int)",
            "INSERT INTO t8b VALUES (1)",
            "CREATE TRIGGER g8 AFTER UPDATE ON t8b FOR EACH ROW UPDATE seen SET n = n + 1",
        ],
        "UPDATE t8 JOIN t8b ON t8.a = t8b.a SET t8b.a = 1",
    ),
    (
        "a trigger behind a view",
        Table,
        &[
            "CREATE TABLE t9 (a int)",
            "CREATE VIEW v9 AS SELECT a FROM t9",
            "CREATE TRIGGER g9 AFTER INSERT ON t9 FOR EACH ROW UPDATE seen SET n = n + 1",
        ],
        "INSERT INTO v9 VALUES (1)",
    ),
    (
        "a trigger of another schema",
        Table,
        &[
            "CREATE TABLE other.t10 (a int)",
            "CREATE TRIGGER other.g10 AFTER INSERT ON other.t10 FOR EACH ROW UPDATE app.seen SET n = n + 1",
        ],
        "INSERT INTO other.t10 VALUES (1)",
    ),
    ("a function that says that it writes", Table, &[], "SELECT bump()"),
    ("a function that says that it reads nothing", Table, &[], "SELECT sly(1)"),
    ("a function in DO", Table, &[], "DO sly(1)"),
    (
        "a function in a condition",
        Table,
        &["CREATE TABLE t14 (a int)", "INSERT INTO t14 VALUES (1)"],
        "UPDATE t14 SET a = 1 WHERE sly(a) = 1",
    ),
    (
        "a view that calls a function",
        Table,
        &["CREATE VIEW v15 AS SELECT bump() AS b"],
        "SELECT b FROM v15",
    ),
    ("a view of a view", Table, &["CREATE VIEW v16 AS SELECT b FROM v15"], "SELECT b FROM v16"),
    (
        "a view that is read by INSERT",
        Table,
        &["CREATE TABLE t17 (a int)"],
        "INSERT INTO t17 SELECT b FROM v16",
    ),
    (
        "a function that reads a view",
        Table,
        &["CREATE FUNCTION f18() RETURNS INT READS SQL DATA RETURN (SELECT b FROM v15)"],
        "SELECT f18()",
    ),
    ("a procedure", Table, &[], "CALL bumps()"),
    (
        "a procedure that handles, commits and calls another",
        Table,
        &["CREATE PROCEDURE p20(a INT) BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
             UPDATE seen SET n = n + a; COMMIT; CALL bumps(); END"],
        "CALL app.p20(1)",
    ),
    (
        "a procedure with quotes in its texts",
        Table,
        &[
            "CREATE PROCEDURE p21() BEGIN SET @a = 'it\\'s'; UPDATE seen SET n = n + 1; SET @a = 'that\\'s'; END",
        ],
        "CALL p21()",
    ),
    (
        "a procedure that runs a text",
        Everything,
        &[
            "CREATE PROCEDURE p22() BEGIN PREPARE s FROM 'UPDATE seen SET n = n + 1'; EXECUTE s; END",
        ],
        "CALL p22()",
    ),
    (
        "an argument of a procedure",
        Table,
        &["CREATE PROCEDURE p23(a INT) SET @b = a"],
        "CALL p23(sly(1))",
    ),
];

/// Reads until the cache answers: the catalog may have to be read first.
async fn warm(client: &mut Wire, read: &str) {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(20);
    client.run(read).await;
    while client.cache_status().await != "hit" {
        assert!(tokio::time::Instant::now() < give_up, "{read} is never a hit");
        tokio::time::sleep(Duration::from_millis(10)).await;
        client.run(read).await;
    }
}

async fn no_writer_is_hidden_well_enough(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(4)).await;
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    let (mut direct, mut root) = (stage.direct().await, stage.root().await);
    // MySQL asks for more rights where there is a binary log.
    root.query("SET GLOBAL log_bin_trust_function_creators = 1").await;
    for sql in COMMON.iter().chain(CASES.iter().flat_map(|(_, _, setup, _)| *setup)) {
        direct.run(sql).await;
    }
    writer.run("CREATE TABLE now_read (a int)").await;
    for (name, reach, _, write) in CASES {
        let before = direct.value(SEEN).await;
        warm(&mut reader, SEEN).await;
        warm(&mut reader, BYSTANDER).await;
        writer.run(write).await;
        let now = direct.value(SEEN).await;
        assert_ne!(now, before, "{name}: {write} is a hidden writer");
        for client in [&mut reader, &mut writer] {
            assert_eq!(client.value(SEEN).await, now, "{name}: after {write}");
        }
        assert_eq!(reader.value(BYSTANDER).await, "7");
        let expected = if *reach == Table { "hit" } else { "miss" };
        assert_eq!(
            reader.cache_status().await,
            expected,
            "{name}: what has nothing to do with {write}"
        );
        warm(&mut reader, SEEN).await;
        writer.run(write).await;
        assert_eq!(reader.value(SEEN).await, direct.value(SEEN).await, "{name}: again");
    }
}

/// FAULTS row 5: a statement that waited for DDL does what the DDL says.
async fn a_write_that_waits_for_ddl_outdates_what_it_then_does(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(6)).await;
    let (mut holder, mut ddl, mut writer, mut reader) =
        (stage.client().await, stage.client().await, stage.client().await, stage.client().await);
    stage.root().await.query("SET GLOBAL log_bin_trust_function_creators = 1").await;
    for sql in COMMON.iter().chain(&["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)"]) {
        writer.run(sql).await;
    }
    warm(&mut reader, SEEN).await;
    holder.run("BEGIN").await;
    holder.run("SELECT a FROM t").await;
    let trigger = "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = bump()";
    let payload = ddl.text_of(trigger);
    ddl.command(&payload).await;
    waits(&stage, "CREATE TRIGGER").await;
    writer.run("BEGIN").await;
    let payload = writer.text_of("UPDATE t SET a = 2");
    writer.command(&payload).await;
    waits(&stage, "UPDATE t").await;
    holder.run("COMMIT").await;
    ddl.reply(false).await;
    writer.reply(false).await;
    warm(&mut reader, SEEN).await;
    writer.run("COMMIT").await;
    let now = stage.direct().await.value(SEEN).await;
    assert_eq!(reader.value(SEEN).await, now);
}

/// Waits until a statement that contains `text` waits for a table.
async fn waits(stage: &Stage, text: &str) {
    let mut root = stage.root().await;
    let sql = format!(
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%{text}%' \
         AND state LIKE 'Waiting for table metadata lock%'"
    );
    while root.value(&sql).await == "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// FAULTS §4: what is made around the proxy is known as soon as it is used.
async fn what_is_made_around_the_proxy_is_known_once_it_is_used(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut client, mut direct) = (stage.client().await, stage.direct().await);
    warm(&mut client, "SELECT balance FROM account WHERE id = 1").await;
    direct.run("CREATE TABLE around (a int)").await;
    direct.run("INSERT INTO around VALUES (1)").await;
    warm(&mut client, "SELECT a FROM around").await;
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        no_writer_is_hidden_well_enough,
        a_write_that_waits_for_ddl_outdates_what_it_then_does,
        what_is_made_around_the_proxy_is_known_once_it_is_used,
    ],
}
