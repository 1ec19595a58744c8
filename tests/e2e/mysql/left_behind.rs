//! What stays in one session at the server and nothing in a reply tells of: left by stored code, by a savepoint, by a
//! variable that takes another along, under names that the server does not fold.

use e2e::mysql::{
    Server,
    flags::capability,
    reply::code,
    stage::{Place, Stage},
    wire::Wire,
};

use super::exactly::Pair;

/// FAULTS row 19a: user variables that stored code assigns are the client's own, and nobody else's.
async fn what_stored_code_assigns_stays_with_its_client(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    pair.compare([
        "a: DROP TABLE IF EXISTS fires",
        "a: CREATE TABLE fires (a int)",
        "a: CREATE TRIGGER fires BEFORE INSERT ON fires FOR EACH ROW SELECT 7 INTO @w",
        "a: CREATE PROCEDURE po(OUT o int) SET o = 5",
        "a: CREATE PROCEDURE intoes() SELECT 8 INTO @w",
        "a: CREATE PROCEDURE does() DO @w := 4",
        "a: CREATE PROCEDURE selects() BEGIN DECLARE x int; SELECT @w := 5 INTO x; END",
        "a: CREATE PROCEDURE diagnoses() BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION \
         GET DIAGNOSTICS @w = NUMBER; SELECT * FROM nothing_here; END",
        "a: CREATE PROCEDURE calls() CALL po(@w)",
        "a: CREATE PROCEDURE nests() CALL intoes()",
        "a: CREATE PROCEDURE sets() SET @w = 9",
        "a: CREATE PROCEDURE inserts() INSERT INTO fires VALUES (1)",
        "a: CREATE FUNCTION f() RETURNS int NO SQL BEGIN SELECT 6 INTO @w; RETURN 1; END",
        "a: CREATE VIEW by_view AS SELECT f() AS a",
        "a: CREATE PROCEDURE harmless() SELECT 1",
    ])
    .await;
    for code in [
        "CALL intoes()",
        "CALL does()",
        "CALL selects()",
        "CALL diagnoses()",
        "CALL calls()",
        "CALL nests()",
        "CALL sets()",
        "CALL inserts()",
        "CALL po(@w)",
        "SELECT f()",
        "DO f()",
        "SELECT d FROM digit WHERE d = f()",
        "UPDATE account SET balance = balance + f() - 1",
        "SELECT * FROM by_view",
        "INSERT INTO fires VALUES (1), (2)",
        "INSERT INTO fires (a) SELECT d FROM digit",
        "REPLACE INTO app.fires VALUES (1)",
        "execute CALL intoes()",
        "execute CALL po(@w)",
        "execute SELECT f()",
        "execute INSERT INTO fires VALUES (1)",
        "SELECT 1; CALL intoes()",
        "PREPARE s FROM 'CALL intoes()'; EXECUTE s; DEALLOCATE PREPARE s",
    ] {
        pair.compare_anew([
            format!("a: {code}").as_str(),
            "b: SELECT @w",
            "b: BEGIN; SELECT d FROM digit WHERE d = 1",
            "a: SELECT @w",
            "b: SELECT @w",
            "b: ROLLBACK",
        ])
        .await;
    }
    pair.end();
}

/// The other half of row 19a: code that leaves nothing pins nobody.
async fn harmless_code_pins_nobody(place: Place) {
    let stage = Stage::with(place, e2e::jumpgate::Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for sql in [
        "CREATE TABLE quiet (a int)",
        "CREATE TRIGGER quiet BEFORE INSERT ON quiet FOR EACH ROW SET NEW.a = NEW.a + 1",
        "CREATE PROCEDURE harmless() BEGIN DECLARE x int; SET x = 1; SELECT x; END",
        "CREATE FUNCTION plain(a int) RETURNS int DETERMINISTIC NO SQL RETURN a + 1",
    ] {
        a.run(sql).await;
    }
    for sql in ["CALL harmless()", "SELECT plain(1)", "INSERT INTO quiet VALUES (plain(2))"] {
        a.run(sql).await;
        assert_eq!(b.value("SELECT 'served'").await, "served", "after {sql}");
    }
}

/// The rest of row 19a: of code that the account may not see it is not known what it leaves.
async fn unseen_code_keeps_its_client_on_its_backend(place: Place) {
    let stage = Stage::with(place, e2e::jumpgate::Setup::pool_of(2)).await;
    stage.root().await.run("CREATE PROCEDURE app.unseen() SELECT 8 INTO @w").await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.run("CALL unseen()").await;
    for _turn in 0..2 {
        assert_eq!(b.value("SELECT @w").await, "NULL");
        assert_eq!(a.value("SELECT @w").await, "8");
    }
}

/// FAULTS row 14: a lock is let go when the one that was taken is let go, however it is spelled.
async fn locks_are_told_apart_as_the_server_tells_them(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    for lock in ["L2", "l2", "Größe", "a''b", "A\\\\b"] {
        pair.compare_anew([
            format!("a: SELECT GET_LOCK('{lock}', 0)"),
            format!("b: SELECT GET_LOCK('{lock}', 0)"),
            format!("b: SELECT GET_LOCK(LOWER('{lock}'), 0) + GET_LOCK(UPPER('{lock}'), 0)"),
            "b: SELECT RELEASE_ALL_LOCKS() > 3".into(),
            format!("a: SELECT RELEASE_LOCK('{lock}')"),
            format!("b: SELECT GET_LOCK('{lock}', 0)"),
            "b: SELECT RELEASE_ALL_LOCKS()".into(),
        ])
        .await;
    }
    pair.end();
}

/// FAULTS row 14: of two names that differ in case the server drops the one that was meant.
async fn a_temporary_table_is_kept_by_its_own_spelling(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    pair.compare(["a: CREATE TABLE spelled (a int)", "a: CREATE TABLE Spelled2 (a int)"]).await;
    pair.compare_anew([
        "a: CREATE TEMPORARY TABLE SPELLED (a int)",
        "a: DROP TABLE spelled",
        "b: SELECT * FROM SPELLED",
        "b: BEGIN; SELECT d FROM digit WHERE d = 1",
        "a: SELECT * FROM SPELLED",
        "b: ROLLBACK",
        "a: DROP TABLE SPELLED",
    ])
    .await;
    pair.compare_anew([
        "a: HANDLER digit OPEN AS Hands",
        "a: HANDLER hands READ FIRST",
        "a: HANDLER HANDS CLOSE",
        "a: PREPARE Said FROM 'SELECT 1'",
        "a: EXECUTE said",
        "a: DEALLOCATE PREPARE SAID",
    ])
    .await;
    let (mut one, mut other) = (pair.stage.client().await, pair.stage.client().await);
    one.run("BEGIN").await;
    one.run("SELECT d FROM digit WHERE d = 1").await;
    other.run("SELECT 1").await;
    pair.end();
}

/// FAULTS row 35: with autocommit off a savepoint holds the backend.
async fn a_savepoint_without_a_table_is_found_again(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    for end in ["COMMIT", "ROLLBACK", "SET autocommit = 1", "BEGIN; COMMIT"] {
        pair.compare_anew([
            "a: SET autocommit = 0",
            "a: SAVEPOINT s1",
            "b: SELECT d FROM digit WHERE d = 1 /* jumpgate: no-cache */",
            "b: BEGIN; SELECT d FROM digit WHERE d = 1",
            "a: ROLLBACK TO s1",
            "b: COMMIT",
            "a: INSERT INTO parent VALUES (4711)",
            "a: ROLLBACK TO SAVEPOINT s1",
            "a: SELECT count(*) FROM parent WHERE id = 4711",
            format!("a: {end}").as_str(),
            "a: RELEASE SAVEPOINT s1",
        ])
        .await;
    }
    pair.end();
    let stage = Stage::with(place, e2e::jumpgate::Setup::pool_of(1)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    for end in ["COMMIT", "ROLLBACK", "SET autocommit = 1"] {
        for sql in ["SET autocommit = 0", "SAVEPOINT s1", end] {
            a.run(sql).await;
        }
        assert_eq!(b.value("SELECT 'served'").await, "served", "after {end}");
    }
}

/// FAULTS row 34: a variable that another one took along follows its client too.
async fn variables_that_change_together_follow_together(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    let show = "SELECT @@character_set_client, @@character_set_connection, \
                @@character_set_results, @@collation_connection, @@character_set_server, \
                @@collation_server, @@sql_big_selects, @@max_join_size";
    for set in [
        "SET collation_connection = ucs2_unicode_ci",
        "SET collation_connection = latin1_bin",
        "SET character_set_connection = ucs2",
        "SET NAMES latin1; SET collation_connection = utf8mb4_bin",
        "SET character_set_results = NULL",
        "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
        "SET collation_server = latin1_bin",
        "SET collation_server = latin1_bin; SET character_set_server = utf8mb4",
        "SET character_set_server = latin1",
        "SET sql_big_selects = 1, max_join_size = 100000000",
        "SET max_join_size = 100000000",
    ] {
        let set: Vec<String> = set.split("; ").map(|one| format!("a: {one}")).collect();
        let mut steps = set;
        for _turn in 0..2 {
            steps.push(format!("b: {show}"));
            steps.push(format!("a: {show}"));
        }
        pair.compare_anew(steps).await;
    }
    pair.end();
}

/// FAULTS §3: a session's number is the same for the server's own functions and lists, and for KILL.
async fn the_number_of_a_session_is_its_own(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    pair.compare_anew([
        "a: SELECT GET_LOCK('mine', 0)",
        "a: SELECT IS_USED_LOCK('mine') = CONNECTION_ID()",
        "b: SELECT IS_USED_LOCK('mine') = CONNECTION_ID()",
        "a: SELECT count(*) FROM information_schema.processlist WHERE id = CONNECTION_ID()",
        "b: SELECT count(*) FROM information_schema.processlist WHERE id = CONNECTION_ID()",
        "b: execute SELECT count(*) FROM information_schema.processlist WHERE id = CONNECTION_ID()",
        "a: PREPARE s FROM 'SELECT CONNECTION_ID() = {id}, CONNECTION_ID() > 0'",
        "a: EXECUTE s",
    ])
    .await;
    pair.end();
}

/// FAULTS row 38: KILL means a client in every form in which the server takes it.
async fn a_client_is_killed_however_it_is_named(place: Place) {
    let stage = Stage::with(place, e2e::jumpgate::Setup::pool_of(2)).await;
    for form in [
        "KILL {id}",
        "KILL ({id})",
        "KILL CONNECTION {id}",
        "KILL {id}; SELECT 1",
        "SELECT 1; KILL {id}",
        "SET @id = {id}; KILL @id",
        "SET @id = {id}; KILL @id + 0",
        "PREPARE k FROM 'KILL {id}'; EXECUTE k",
        "PREPARE k FROM 'KILL ?'; SET @id = {id}; EXECUTE k USING @id",
        "execute KILL {id}",
        "execute KILL ?",
    ] {
        if form.contains('?') && place.server == Server::MySql {
            // It takes parameters in statements of rows only.
            continue;
        }
        let mut killer = stage.client_with(capability::MULTI_STATEMENTS).await;
        let mut victim = stage.client().await;
        victim.run("SELECT 1").await;
        let id = victim.greeting.thread;
        for sql in steps(form, id) {
            let reply = match sql.strip_prefix("execute ") {
                Some(sql) => {
                    let statement = killer.prepare(sql).await;
                    let values =
                        if sql.contains('?') { vec![i64::from(id).into()] } else { vec![] };
                    killer.execute(statement.id, &values).await
                }
                None => killer.query(&sql).await,
            };
            assert_eq!(code(&reply), 0, "{sql}: {reply:?}");
        }
        assert!(ends(&mut victim).await, "{form}");
        killer.close().await;
    }
}

/// The texts that are sent: where a statement needs the result of another they are sent one by one.
fn steps(form: &str, id: u32) -> Vec<String> {
    let form = form.replace("{id}", &id.to_string());
    match form.starts_with("SET") || form.starts_with("PREPARE") {
        true => form.split("; ").map(String::from).collect(),
        false => vec![form],
    }
}

/// Found by MariaDB's own tests: NULL is reported as an empty text (`enforce_storage_engine`), and the list of warnings may be
/// shorter than their count (`warnings`).
async fn what_a_report_does_not_tell_is_known(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    let names = [
        "character_set_results",
        "enforce_storage_engine",
        "innodb_ft_user_stopword_table",
        "innodb_tmpdir",
    ];
    for name in names {
        let set = format!("a: SET SESSION {name} = NULL");
        let show = format!("a: SELECT @@session.{name}");
        let other = String::from("b: SELECT 1");
        pair.compare_anew(vec![set, other.clone(), show.clone(), other, show]).await;
    }
    // What is traced is the client's own statement, and no question of ours.
    pair.compare_anew([
        "a: SET optimizer_trace = 'enabled=on'",
        "a: SELECT word FROM (SELECT 'x' AS word) AS words WHERE word <> 'y'",
        "a: SELECT COUNT(*), LEFT(query, 12) FROM information_schema.optimizer_trace",
        "a: SET optimizer_trace = 'enabled=off'",
    ])
    .await;
    // Nor behind DDL, when it is not known what code there is.
    pair.compare_anew([
        "a: SET optimizer_trace = 'enabled=on'",
        "a: CREATE VIEW traced AS SELECT 1 AS word",
        "a: EXPLAIN SELECT MAX(d) FROM digit",
        "a: SELECT LEFT(query, 12) FROM information_schema.optimizer_trace",
        "a: DROP VIEW traced",
        "a: SELECT COUNT(*) FROM digit, item",
        "a: SELECT LEFT(query, 12) FROM information_schema.optimizer_trace",
        "a: SET optimizer_trace = 'enabled=off'",
    ])
    .await;
    // Nor behind what SQL prepares and runs.
    pair.compare_anew([
        "a: SET optimizer_trace = 'enabled=on'",
        "a: PREPARE traced FROM 'EXPLAIN FORMAT=TREE SELECT COUNT(*) FROM digit'",
        "a: EXECUTE traced",
        "a: SELECT LEFT(query, 12) FROM information_schema.optimizer_trace",
        "a: PREPARE setter FROM 'SET @x = (SELECT COUNT(*) FROM digit)'",
        "a: EXECUTE setter",
        "a: EXECUTE traced",
        "a: SELECT LEFT(query, 12) FROM information_schema.optimizer_trace",
        "a: DEALLOCATE PREPARE traced",
        "a: SET optimizer_trace = 'enabled=off'",
    ])
    .await;
    // More warnings than a session remembers stay where they are until the next statement.
    pair.compare_anew([
        "a: SET SESSION max_error_count = 1000",
        "a: SELECT COUNT(CAST(CONCAT(REPEAT('x', 100), a.d) AS SIGNED)) FROM digit a, digit b, digit c",
        "b: SELECT 1",
        "a: SHOW WARNINGS",
        "b: SELECT 1",
        "a: SHOW COUNT(*) WARNINGS",
        "a: SELECT 1",
        "b: SELECT 1",
        "a: SHOW WARNINGS",
    ])
    .await;
    for most in [0, 2] {
        let steps = [
            "a: CREATE TABLE words (word VARCHAR(9))",
            "a: INSERT INTO words VALUES ('x'), ('y'), ('z')",
            &format!("a: SET SESSION max_error_count = {most}"),
            "a: SELECT CAST(word AS SIGNED) FROM words",
            "b: SELECT 1",
            "a: SELECT @@warning_count",
            "a: SHOW COUNT(*) WARNINGS",
            "a: SHOW WARNINGS",
        ];
        pair.compare_anew(steps).await;
    }
    pair.end();
}

async fn ends(wire: &mut Wire) -> bool {
    while let Some(_packet) = wire.next().await {}
    true
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        what_stored_code_assigns_stays_with_its_client,
        harmless_code_pins_nobody,
        unseen_code_keeps_its_client_on_its_backend,
        locks_are_told_apart_as_the_server_tells_them,
        a_temporary_table_is_kept_by_its_own_spelling,
        a_savepoint_without_a_table_is_found_again,
        variables_that_change_together_follow_together,
        what_a_report_does_not_tell_is_known,
        the_number_of_a_session_is_its_own,
        a_client_is_killed_however_it_is_named,
    ],
}
