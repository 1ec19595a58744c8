//! What MySQL's and MariaDB's own suites found: diagnostics, KILL, and what the server remembers of the last query.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    mysql::{
        Mysql, Server,
        flags::{capability, command},
        login::Options,
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
    wire::Endpoint,
};

use super::exactly::{Pair, said};

/// Found by clear_diag_area and get_diagnostics: one that fails is a statement like any other, and one that names a
/// condition which is not there leaves one more.
async fn what_get_diagnostics_leaves_is_as_at_the_database(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    for failing in [
        "GET DIAGNOSTICS",
        "GET DIAGNOSTICS CONDITION 2 @v = MYSQL_ERRNO",
        "GET DIAGNOSTICS CONDITION 0 @v = MYSQL_ERRNO, @t = TABLE_NAME",
        "GET DIAGNOSTICS CONDITION 9 @v = ROW_NUMBER",
        "GET DIAGNOSTICS CONDITION 1 @v = NUMBER",
        "GET DIAGNOSTICS @v = MYSQL_ERRNO",
        "GET DIAGNOSTICS CONDITION 1 x = MYSQL_ERRNO",
        "GET DIAGNOSTICS x = NUMBER",
        "GET STACKED DIAGNOSTICS @n = NUMBER",
        "SHOW WARNINGS LIMIT",
        "GET DIAGNOSTICS CONDITION 3 @v = MYSQL_ERRNO; GET DIAGNOSTICS CONDITION 3 @v = MYSQL_ERRNO",
    ] {
        for before in ["DROP TABLE no_such_table", "UPDATE account SET balance = balance + 1"] {
            for asked in [
                &["SHOW WARNINGS", "SHOW COUNT(*) ERRORS"][..],
                &["SELECT ROW_COUNT(), @@warning_count, @@error_count"],
                &["GET DIAGNOSTICS @n = NUMBER", "SELECT @n", "SELECT ROW_COUNT()"],
                &[
                    "GET DIAGNOSTICS CONDITION 2 @e = MYSQL_ERRNO, @s = RETURNED_SQLSTATE",
                    "SELECT @e, hex(@s) = '3335303030'",
                    "SHOW WARNINGS",
                ],
            ] {
                let begun = [before, failing].map(|step| format!("a: {step}"));
                let asked = asked.iter().map(|step| format!("a: {step}"));
                pair.compare_anew(begun.into_iter().chain(asked)).await;
            }
        }
    }
    pair.end();
}

/// Found by get_diagnostics: each item, of conditions of the server's own and of those that a SIGNAL raised, whoever has the
/// backend meanwhile.
async fn every_item_of_a_condition_is_as_at_the_database(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    pair.compare([
        "a: CREATE PROCEDURE raising() SIGNAL SQLSTATE '77001' SET CLASS_ORIGIN = 'own', MYSQL_ERRNO = 1062",
        "a: CREATE FUNCTION raised() RETURNS int DETERMINISTIC BEGIN SIGNAL SQLSTATE '45000' SET TABLE_NAME = 'x'; RETURN 1; END",
    ])
    .await;
    for failing in [
        "SELECT nothing",
        "SELECT nothing FROM item",
        "SELCT",
        "SELECT * FROM no_such_table",
        "INSERT INTO parent SELECT * FROM parent",
        "SELECT CAST('x' AS SIGNED)",
        "SELECT 1 / 0",
        "DROP TABLE IF EXISTS no_such_table",
        "DROP DATABASE IF EXISTS no_such_database",
        "INSERT IGNORE INTO counter (id, name) VALUES (1, 'a'), (1, 'b')",
        "SIGNAL SQLSTATE '45000'",
        "SIGNAL SQLSTATE '01234' SET CLASS_ORIGIN = 'warns'",
        "SIGNAL SQLSTATE '77777' SET MYSQL_ERRNO = 1001, MESSAGE_TEXT = 'top', CLASS_ORIGIN = 'CO', COLUMN_NAME = 'é'",
        "CALL raising()",
        "CALL no_such_procedure()",
        "SELECT raised()",
        "KILL 4000000000",
        "BEGIN; SELECT nothing",
    ] {
        for items in [
            "MYSQL_ERRNO, MESSAGE_TEXT, RETURNED_SQLSTATE",
            "CLASS_ORIGIN, SUBCLASS_ORIGIN, MYSQL_ERRNO",
            "CONSTRAINT_CATALOG, CONSTRAINT_SCHEMA, CONSTRAINT_NAME, CATALOG_NAME, SCHEMA_NAME",
            "TABLE_NAME, COLUMN_NAME, CURSOR_NAME, RETURNED_SQLSTATE",
        ] {
            let each = items.split(", ").map(|item| (format!("@`{item}`"), item));
            let set: Vec<_> = each.clone().map(|(to, item)| format!("{to} = {item}")).collect();
            let shown: Vec<_> = each.map(|(to, _)| format!("crc32({to})")).collect();
            pair.compare_anew([
                format!("a: {failing}"),
                "b: SELECT 1".into(),
                format!("a: GET DIAGNOSTICS CONDITION 1 {}", set.join(", ")),
                "a: SHOW WARNINGS".into(),
                format!("a: SELECT {}", shown.join(", ")),
                "a: ROLLBACK".into(),
            ])
            .await;
        }
    }
    pair.end();
}

/// Found by key, key_myisam and greedy_search: behind an EXPLAIN nothing of ours is run, and who asks for the cost of the
/// last query has a backend alone from then on.
async fn the_cost_of_the_last_query_is_that_of_the_clients_own(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    let asked = "a: SHOW STATUS LIKE 'Last_query_%'";
    let mut steps = vec!["a: EXPLAIN SELECT * FROM digit a JOIN digit b", asked];
    for query in [
        "a: SELECT count(*) FROM digit a JOIN item b",
        "a: EXPLAIN SELECT * FROM item",
        "a: SELECT d FROM digit UNION ALL SELECT id FROM item LIMIT 3",
        "a: SELECT nothing FROM digit",
        "a: SELECT SQL_CALC_FOUND_ROWS d FROM digit LIMIT 2",
    ] {
        steps.extend([query, "b: SELECT count(*) FROM item a JOIN item b", asked]);
    }
    steps.extend([
        "a: SET profiling = 1",
        "a: SELECT nothing FROM digit",
        "a: SELECT FOUND_ROWS()",
    ]);
    pair.compare(steps).await;
    pair.end();
}

/// A client of one of two servers, and what it says.
async fn client(endpoint: &Endpoint) -> Wire {
    Wire::connect_with(endpoint, &Options::with(capability::MULTI_STATEMENTS)).await
}

/// What a client hears that kills itself, and whether it lives.
async fn kills_itself(endpoint: &Endpoint, text: &str) -> (Vec<String>, bool) {
    let mut wire = client(endpoint).await;
    let id = wire.greeting.thread;
    let reply = match text {
        "COM_PROCESS_KILL" => wire.ask(&say::numbered(command::PROCESS_KILL, id)).await,
        text => wire.query(&text.replace("{id}", &id.to_string())).await,
    };
    let lives = wire.is_alive().await;
    (
        said(&reply)
            .into_iter()
            .map(|said| said.replace(&format!("id: {id}"), "").replace(&format!("{id}'"), "'"))
            .collect(),
        lives,
    )
}

/// What a client hears whose statement is killed by another.
async fn is_killed(endpoint: &Endpoint, root: &mut Wire, texts: [&str; 2]) -> Vec<u8> {
    let [running, kill] = texts;
    let (mut victim, mut killer) = (client(endpoint).await, client(endpoint).await);
    let text = victim.text_of(running);
    victim.command(&text).await;
    let runs = "SELECT count(*) FROM information_schema.processlist \
                WHERE info LIKE '%the victim%' AND id <> connection_id()";
    while root.value(runs).await == "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    killer.run(&kill.replace("{id}", &victim.greeting.thread.to_string())).await;
    victim.bytes_until_closed().await
}

/// Found by aborted_clients: numbers and words, for who kills itself, and for whom another kills.
async fn a_kill_says_what_the_database_says(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let reference = Mysql::start(place.server, &stage.authority, &[]).expect("a second server");
    let mut roots =
        [Wire::connect(&reference.root()).await, Wire::connect(&stage.mysql.root()).await];
    for text in [
        "KILL CONNECTION_ID()",
        "KILL {id}",
        "KILL CONNECTION {id}",
        "KILL QUERY CONNECTION_ID()",
        "KILL QUERY {id}",
        "KILL SOFT {id}",
        "KILL HARD QUERY {id}",
        "KILL (SELECT connection_id())",
        "KILL QUERY connection_id() + 0",
        "KILL QUERY {id}; SELECT 5",
        "SELECT 5; KILL QUERY {id}",
        "SELECT 5; KILL {id}",
        "KILL 4000000000",
        "KILL -1",
        "KILL NULL",
        "COM_PROCESS_KILL",
    ] {
        if text == "COM_PROCESS_KILL" && place.server == Server::MySql {
            // MySQL 9 no longer has it, and older ones do.
            continue;
        }
        let expected = kills_itself(&reference.endpoint(), text).await;
        assert_eq!(kills_itself(&stage.endpoint(), text).await, expected, "{text}");
    }
    for running in [
        "SELECT sleep(60) /* the victim */",
        "DO sleep(60) /* the victim */",
        "UPDATE account SET balance = balance + sleep(60) /* the victim */",
        "SELECT sleep(60) /* the victim */; SELECT 1",
    ] {
        for kill in ["KILL {id}", "KILL CONNECTION {id}"] {
            let [root, own] = &mut roots;
            let expected = is_killed(&reference.endpoint(), root, [running, kill]).await;
            let found = is_killed(&stage.endpoint(), own, [running, kill]).await;
            assert_eq!(found, expected, "{kill} of {running}");
        }
    }
    let (mut wire, mut direct) =
        (client(&stage.endpoint()).await, client(&reference.endpoint()).await);
    for wire in [&mut wire, &mut direct] {
        let id = wire.greeting.thread;
        wire.query(&format!("KILL QUERY {id}")).await;
        assert_eq!(wire.value("SELECT @@error_count").await, "1", "{}", place.server);
        wire.query(&format!("KILL QUERY {id}")).await;
        assert_eq!(wire.value("SELECT ROW_COUNT()").await, "-1");
    }
}

/// FAULTS §3: `set @@system_versioning_asof` of one client made another's write fail.
async fn the_time_that_one_client_looks_at_is_nobody_elses(place: Place) {
    assert_eq!(place.server, Server::MariaDb);
    let mut pair = Pair::open(place, 1).await;
    pair.compare([
        "a: CREATE TABLE versioned (a int) WITH SYSTEM VERSIONING",
        "b: INSERT INTO versioned VALUES (1)",
        "a: SET @@system_versioning_asof = '2020-01-01 00:00:00'",
        "b: INSERT INTO versioned VALUES (2)",
        "b: SELECT @@system_versioning_asof, a FROM versioned",
        "a: SELECT * FROM versioned",
        "b: UPDATE versioned SET a = a + 1",
        "a: SET system_versioning_asof = DEFAULT",
        "b: SELECT * FROM versioned",
        "a: SELECT @@system_versioning_asof, a FROM versioned",
        "b: DELETE FROM versioned",
        "a: SELECT * FROM versioned",
    ])
    .await;
    pair.end();
}

/// Found by mix2_myisam: with autocommit off a statement may take locks that last to the end of a transaction of which the
/// server does not tell; nobody's COMMIT goes to another backend meanwhile.
async fn locks_of_a_transaction_that_is_not_told_of_end_with_it(place: Place) {
    let mut pair = Pair::open(place, 3).await;
    pair.compare([
        "a: CREATE TABLE plain (a int) ENGINE = MyISAM",
        "a: CREATE TABLE kept (a int) ENGINE = MEMORY",
        "a: CREATE VIEW seen AS SELECT a FROM plain",
    ])
    .await;
    for used in [
        "SELECT * FROM plain",
        "INSERT INTO plain VALUES (1)",
        "UPDATE plain, kept SET plain.a = 2",
        "SELECT * FROM seen",
        "SELECT nothing FROM plain",
        "execute SELECT * FROM plain",
        "COMMIT; SELECT * FROM plain",
        "SELECT * FROM plain; SELECT 1",
    ] {
        pair.compare_anew([
            "a: SET autocommit = 0",
            &format!("a: {used}"),
            "b: SET lock_wait_timeout = 1",
            "b: SELECT 1",
            "b: ALTER TABLE plain COMMENT 'x'",
            "a: SELECT 1",
            "b: ALTER TABLE plain COMMENT 'x'",
            "a: COMMIT",
            "b: ALTER TABLE plain COMMENT 'x'",
        ])
        .await;
        // Whoever leaves takes them along.
        pair.compare_anew(["a: SET autocommit = 0", &format!("a: {used}")]).await;
        pair.compare_anew(["b: SET lock_wait_timeout = 1", "b: ALTER TABLE plain COMMENT 'x'"])
            .await;
    }
    pair.end();
}

/// Found by subselect4: what preparing warned of is shown behind the execution, where the server shows it.
async fn notes_of_preparing_are_shown_as_at_the_database(place: Place) {
    for pool in [1, 2] {
        let mut pair = Pair::open(place, pool).await;
        for noted in [
            "EXPLAIN SELECT 1 LIKE (1 IN (SELECT 1))",
            "SELECT 1 LIKE (1 IN (SELECT 1))",
            "SELECT 1 FROM item WHERE id = (SELECT 1)",
            "EXPLAIN SELECT id FROM item WHERE id = (SELECT 1)",
            "SELECT CAST('x' AS SIGNED)",
            "DROP TABLE IF EXISTS nowhere",
        ] {
            let executed = format!("a: execute {noted}");
            pair.compare_anew([
                &executed,
                "a: SHOW WARNINGS",
                &executed,
                "a: SHOW COUNT(*) WARNINGS",
            ])
            .await;
            pair.compare_anew([
                &executed,
                "b: SELECT 1",
                "a: SHOW WARNINGS",
                "a: SELECT @@warning_count",
            ])
            .await;
            pair.compare_anew([
                "a: BEGIN",
                &executed,
                "a: SHOW WARNINGS",
                &executed,
                "a: SHOW WARNINGS",
            ])
            .await;
        }
        pair.end();
    }
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        what_get_diagnostics_leaves_is_as_at_the_database,
        every_item_of_a_condition_is_as_at_the_database,
        locks_of_a_transaction_that_is_not_told_of_end_with_it,
        notes_of_preparing_are_shown_as_at_the_database,
        the_cost_of_the_last_query_is_that_of_the_clients_own,
        a_kill_says_what_the_database_says,
    ],
    mariadb: [
        the_time_that_one_client_looks_at_is_nobody_elses,
    ],
}
