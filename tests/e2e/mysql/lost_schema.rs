//! A client whose schema another one drops goes on as at the database: what needs no schema works, and as soon as there
//! is one of that name again it counts.

use e2e::mysql::stage::Place;

use super::exactly::Pair;

/// `a` is in a schema that `b` has dropped; nobody's backend is in it any more.
const LOST: [&str; 4] =
    ["a: CREATE DATABASE gone", "a: USE gone", "b: DROP DATABASE gone", "b: SELECT DATABASE()"];

/// What `a` does then, and `b`.
const STEPS: [&[&str]; 24] = [
    &["a: SELECT 1", "a: SELECT 2", "b: SELECT 3"],
    &["a: SELECT DATABASE()", "a: SELECT schema(), DATABASE() n, concat(database(), 1)"],
    &["a: execute SELECT 1", "a: execute SELECT DATABASE()", "a: execute SELECT 1"],
    &["a: SELECT name FROM app.item WHERE id < 4", "a: SELECT FOUND_ROWS(), ROW_COUNT()"],
    &["a: execute SELECT name FROM app.item WHERE id < 4", "a: SELECT FOUND_ROWS()"],
    &["a: UPDATE app.account SET balance = balance + 1 WHERE id = 1", "a: SELECT ROW_COUNT()"],
    &["a: INSERT INTO app.audit (what) VALUES (DATABASE())", "a: SELECT what FROM app.audit"],
    &[
        "a: CREATE DATABASE gone",
        "a: CREATE TABLE t (a int)",
        "a: SELECT * FROM t",
        "a: SHOW TABLES",
    ],
    &["a: CREATE DATABASE gone; CREATE TABLE t (a int); SELECT count(*), DATABASE() FROM gone.t"],
    &["a: SELECT 1; SELECT DATABASE(); SELECT 2", "a: SELECT nothing", "a: SHOW WARNINGS"],
    &[
        "b: CREATE DATABASE gone",
        "b: CREATE TABLE gone.t (a int)",
        "a: INSERT INTO t VALUES (1)",
        "a: SELECT * FROM t",
    ],
    &["a: CREATE TABLE t (a int)", "a: SHOW WARNINGS", "a: SELECT @@error_count", "a: SELECT 4"],
    &["a: SHOW TABLES", "b: SELECT 1", "a: SHOW WARNINGS", "a: SELECT ROW_COUNT()"],
    &[
        "a: CREATE VIEW v AS SELECT 1",
        "a: GET DIAGNOSTICS CONDITION 1 @c = MYSQL_ERRNO",
        "a: SELECT @c",
    ],
    &[
        "a: BEGIN",
        "a: SELECT DATABASE()",
        "a: UPDATE app.account SET balance = 0",
        "a: ROLLBACK",
        "a: SELECT 1",
    ],
    &["a: SET @x = 1", "a: SELECT @x, DATABASE()", "a: USE app", "a: SELECT @x, DATABASE()"],
    &[
        "a: SET time_zone = '+02:00'",
        "a: SELECT @@time_zone",
        "a: USE app",
        "a: SELECT @@time_zone, DATABASE()",
    ],
    &[
        "a: USE gone",
        "a: SELECT DATABASE()",
        "a: USE app",
        "a: SELECT DATABASE(), count(*) FROM item",
    ],
    &["a: USE app; SELECT DATABASE()", "a: SELECT count(*) FROM item"],
    &["a: SELECT LAST_INSERT_ID() > 0, CONNECTION_ID() = {id}", "a: ping", "a: DO 1"],
    &[
        "a: DROP TABLE IF EXISTS app.nothing",
        "a: SHOW WARNINGS",
        "a: SELECT GET_LOCK('l', 0)",
        "a: SELECT RELEASE_LOCK('l')",
    ],
    &[
        "a: PREPARE s FROM 'SELECT 5'",
        "a: EXECUTE s",
        "a: CREATE TEMPORARY TABLE app.temporary (a int)",
        "a: SELECT * FROM app.temporary",
    ],
    &[
        "a: SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE()",
        "a: SHOW DATABASES LIKE 'g%'",
    ],
    &["a: DROP DATABASE gone", "a: SELECT DATABASE()", "a: SELECT 1"],
];

/// FAULTS §3, found by drop: each statement, prepared too.
async fn what_needs_no_schema_works_in_one_that_is_gone(place: Place) {
    let mut pair = Pair::open(place, 1).await;
    pair.root("GRANT ALL ON gone.* TO app@'%'").await;
    for steps in STEPS {
        let begun =
            ["b: DROP DATABASE IF EXISTS gone", "b: DELETE FROM audit"].into_iter().chain(LOST);
        pair.compare_anew(begun.chain(steps.iter().copied())).await;
    }
    pair.end();
}

/// The same for a schema that the client may not go into any more, and who has something on the backend.
async fn a_schema_whose_rights_are_taken_away_is_not_missed(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    pair.root("GRANT ALL ON gone.* TO app@'%'").await;
    for steps in [
        &["a: SELECT 1", "a: SELECT DATABASE()", "a: execute SELECT 1"][..],
        &["a: SET @x = 1", "a: SELECT name FROM app.item WHERE id = 4", "a: SELECT @x"],
    ] {
        pair.compare_anew(["a: CREATE DATABASE gone", "a: USE gone"]).await;
        pair.root("REVOKE ALL ON gone.* FROM app@'%'").await;
        pair.compare(["b: SELECT DATABASE()"]).await;
        pair.compare(steps.iter().copied()).await;
        pair.root("GRANT ALL ON gone.* TO app@'%'").await;
        pair.root("DROP DATABASE gone").await;
    }
    for steps in [
        &["b: CREATE DATABASE gone", "a: SELECT @x, DATABASE()", "a: SELECT count(*) FROM item"][..],
        &["b: DROP DATABASE gone", "a: SELECT @x, DATABASE()", "a: SELECT count(*) FROM item"],
    ] {
        pair.compare(["a: SET @x = 7"]).await;
        pair.compare(steps.iter().copied()).await;
    }
    pair.end();
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        what_needs_no_schema_works_in_one_that_is_gone,
        a_schema_whose_rights_are_taken_away_is_not_missed,
    ],
}
