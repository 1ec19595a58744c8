//! The packet between columns and rows, as clients of the old framing go by it.
//!
//! The origin says all of it only behind the rows: each mark must be where the database itself puts it.

use e2e::{
    jumpgate::Setup,
    mysql::{
        flags::{capability, status},
        login::Options,
        reply::{Outcome, Rows},
        say::{self, Execute, Value},
        stage::{Place, Stage},
        wire::Wire,
    },
};

const ROUTINES: [&str; 6] = [
    "CREATE PROCEDURE hands_out(IN a INT, OUT b INT, INOUT c VARCHAR(20)) BEGIN SELECT a; SELECT 2, 3; SET b = a + 1; SET c = concat(c, 'x'); END",
    "CREATE PROCEDURE warns() BEGIN SELECT 1; SELECT cast('abc' AS signed); DO 1; SELECT 3; END",
    "CREATE PROCEDURE steps(OUT n INT) BEGIN DECLARE v INT; DECLARE c CURSOR FOR SELECT id FROM item; OPEN c; FETCH c INTO v; SELECT v; CLOSE c; SET n = v; END",
    "CREATE PROCEDURE breaks() BEGIN SELECT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'own'; END",
    "CREATE PROCEDURE is_long() BEGIN SELECT filler FROM wide; SELECT 1; END",
    "CREATE PROCEDURE hands_out_much(OUT b LONGTEXT) BEGIN SELECT 1; SET b = repeat('x', 20000); END",
];

/// Texts, in the order in which one connection says them.
const TEXTS: [&str; 26] = [
    "SELECT 1; SELECT 2; SELECT 3",
    "SELECT cast('abc' AS signed); SELECT 2",
    "SELECT 2; SELECT cast('abc' AS signed)",
    "CALL hands_out(1, @b, @c)",
    "CALL two_sets()",
    "CALL two_sets(); SELECT 1; CALL two_sets()",
    "CALL warns()",
    "CALL steps(@n)",
    "CALL breaks()",
    "SELECT 1; CALL breaks(); SELECT 2",
    "SELECT id FROM item WHERE id < 0; SELECT 1",
    "SELECT * FROM item WHERE id < 4",
    "SELECT * FROM item WHERE note = 'x'",
    "SELECT 1; SELECT * FROM nothing; SELECT 2",
    "SELECT id, cast('x' AS signed) FROM item WHERE id < 3; DO 1; SELECT 5",
    "BEGIN; SELECT 1; SELECT * FROM account FOR UPDATE; COMMIT; SELECT 2",
    "SET autocommit = 0; SELECT 1; SELECT id FROM item LIMIT 1; COMMIT; SET autocommit = 1",
    "START TRANSACTION READ ONLY; SELECT id FROM item LIMIT 1; COMMIT",
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'; SELECT 1",
    "SELECT (SELECT 1 UNION SELECT 2)",
    "SELECT exp(id * 1000) FROM item WHERE id < 9",
    "SELECT exp(id * 1000) FROM item WHERE id < 9; SELECT 1",
    "INSERT INTO counter (name) VALUES ('a'); SELECT 1",
    "SHOW WARNINGS",
    "PREPARE p FROM 'CALL two_sets()'; EXECUTE p; DEALLOCATE PREPARE p; SELECT 1",
    "SET sql_mode = DEFAULT",
];

/// Prepared statements with their parameters.
fn statements() -> Vec<(&'static str, Vec<Value>)> {
    let three = || vec![Value::Int(5), Value::Int(1), Value::from("q")];
    vec![
        ("SELECT 1", Vec::new()),
        ("SELECT cast('abc' AS signed)", Vec::new()),
        ("CALL hands_out(?, ?, ?)", three()),
        ("CALL two_sets()", Vec::new()),
        ("CALL warns()", Vec::new()),
        ("CALL steps(?)", vec![Value::Int(1)]),
        ("CALL breaks()", Vec::new()),
        ("CALL hands_out_much(?)", vec![Value::from("")]),
        ("SELECT id FROM item WHERE id < ?", vec![Value::Int(5)]),
        ("SELECT id FROM item WHERE id < 0", Vec::new()),
        ("SELECT id, cast('abc' AS signed) FROM item WHERE id < 4", Vec::new()),
        ("DO 1", Vec::new()),
    ]
}

/// What each packet with a status says: the end of columns, and the end of the result.
fn marks(reply: &[Outcome]) -> Vec<String> {
    let end = |done: &e2e::mysql::reply::Done| format!("{:#x} {}", done.status, done.warnings);
    let mark = |outcome: &Outcome| match outcome {
        Outcome::Ok(done) => format!("ok {}", end(done)),
        Outcome::Err(refusal) => format!("error {}", refusal.code),
        Outcome::Rows(Rows { columns_end, rows, end: last, .. }) => format!(
            "columns {:?}, {} rows, {}",
            columns_end.as_ref().map(end),
            rows.len(),
            last.as_ref().map_or_else(|refusal| format!("error {}", refusal.code), end)
        ),
        other => format!("{other:?}"),
    };
    reply.iter().map(mark).collect()
}

async fn pair(stage: &Stage, form: u32) -> [Wire; 2] {
    let options = Options::with(form | capability::MULTI_STATEMENTS);
    let direct = Wire::connect_with(&stage.mysql.endpoint(), &options).await;
    [direct, Wire::connect_with(&stage.endpoint(), &options).await]
}

/// FAULTS row 19b: MORE_RESULTS_EXISTS, PS_OUT_PARAMS and the rest in each position, as the database itself says it.
async fn each_packet_says_what_the_database_says_there(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut maker = stage.direct().await;
    for routine in ROUTINES {
        maker.run(routine).await;
    }
    for form in [0, capability::DEPRECATE_EOF] {
        let [mut direct, mut through] = pair(&stage, form).await;
        for sql in TEXTS {
            let expected = marks(&direct.query(sql).await);
            assert_eq!(marks(&through.query(sql).await), expected, "{sql}, form {form:#x}");
        }
        for (sql, values) in statements() {
            let (there, here) = (direct.prepare(sql).await, through.prepare(sql).await);
            let expected = marks(&direct.execute(there.id, &values).await);
            let found = marks(&through.execute(here.id, &values).await);
            assert_eq!(found, expected, "{sql}, form {form:#x}");
            let how = Execute { cursor: true, types: true };
            let expected = marks(&direct.execute_as(there.id, how, &values).await);
            let found = marks(&through.execute_as(here.id, how, &values).await);
            assert_eq!(found, expected, "{sql} with a cursor, form {form:#x}");
            // Its cursor would keep the transaction of what follows.
            direct.close_statement(there.id).await;
            through.close_statement(here.id).await;
        }
    }
    // The same from the cache.
    let [mut direct, mut through] = pair(&stage, 0).await;
    for sql in ["SELECT name FROM item WHERE id = 3", "SELECT id FROM item WHERE note = 'x'"] {
        let expected = marks(&direct.query(sql).await);
        for _turn in 0..2 {
            assert_eq!(marks(&through.query(sql).await), expected, "{sql}");
        }
    }
}

/// FAULTS row 19b: a result of 3 MB goes out before its end is known.
async fn a_long_result_says_whether_another_follows_before_it_ends(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    stage.direct().await.run(ROUTINES[4]).await;
    let mut client = stage.client_with(capability::MULTI_STATEMENTS).await;
    let more = |outcome: &Outcome| match outcome {
        Outcome::Rows(Rows { columns_end: Some(end), .. }) => Some(end.has(status::MORE_RESULTS)),
        _ => None,
    };
    for (sql, expected) in [
        ("SELECT filler FROM wide", vec![Some(false)]),
        ("SELECT filler FROM wide; SELECT 1", vec![Some(true), Some(false)]),
        ("SELECT 1; SELECT filler FROM wide", vec![Some(true), Some(false)]),
        ("DO 1; SELECT filler FROM wide; DO 1", vec![None, Some(true), None]),
        ("CALL is_long()", vec![Some(true), Some(true), None]),
        (
            "CALL is_long(); SELECT filler FROM wide",
            vec![Some(true), Some(true), None, Some(false)],
        ),
    ] {
        let reply = client.run(sql).await;
        assert_eq!(reply.iter().map(more).collect::<Vec<_>>(), expected, "{sql}");
    }
    let reply = client.binary("CALL is_long()", &[]).await;
    assert_eq!(reply.iter().map(more).collect::<Vec<_>>(), [Some(true), Some(true), None]);
    assert_eq!(client.value("SELECT 'goes on'").await, "goes on");
}

/// FAULTS row 19b, the known difference: what only the end tells is not said before it where more than 64 KiB come in
/// between, and the end says it.
async fn a_long_result_of_unseen_code_says_at_its_end_what_it_is(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut maker = stage.direct().await;
    maker.run("DROP PROCEDURE IF EXISTS hands_out_very_much").await;
    maker
        .run("CREATE PROCEDURE hands_out_very_much(OUT o longtext) SET o = repeat('x', 200000)")
        .await;
    let mut client = stage.client_with(capability::MULTI_STATEMENTS).await;
    let said = |outcome: &Outcome| match outcome {
        Outcome::Rows(Rows { columns_end: Some(begins), end: Ok(ends), .. }) => {
            Some([begins, ends].map(|end| end.has(status::PS_OUT_PARAMS)))
        }
        _ => None,
    };
    let reply = client.binary("CALL hands_out_very_much(?)", &[Value::from("")]).await;
    let expected = if stage.is_direct() { [true, true] } else { [false, true] };
    assert_eq!(said(&reply[0]), Some(expected), "{}", place.server);
    assert_eq!(client.value("SELECT 'goes on'").await, "goes on");
}

/// Found by subselect4: each EOF in the reply to a COM_STMT_PREPARE counts the warnings, and drivers go by the last.
async fn each_end_of_a_description_counts_its_warnings(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for sql in [
        "SELECT 1 LIKE (1 IN (SELECT 1))",
        "EXPLAIN SELECT 1 LIKE (1 IN (SELECT 1))",
        "SELECT id, ? FROM item WHERE id = (SELECT 1) AND price > ?",
        "SELECT ?, 2",
        "DO ?",
    ] {
        let mut told = Vec::new();
        for wire in &mut pair(&stage, 0).await {
            for _time in 0..2 {
                wire.command(&say::prepare(sql)).await;
                let first = wire.packet().await;
                let number =
                    |at: usize| usize::from(u16::from_le_bytes([first[at], first[at + 1]]));
                let (columns, params) = (number(5), number(7));
                told.push(format!("{} warnings", number(10)));
                for count in [params, columns] {
                    for _definition in 0..count {
                        wire.packet().await;
                    }
                    if count > 0 {
                        told.push(format!("{:?}", wire.packet().await));
                    }
                }
            }
        }
        let (database, jumpgate) = told.split_at(told.len() / 2);
        assert_eq!(jumpgate, database, "{sql}");
    }
}

e2e::mysql_scenarios! {
    both: [
        a_long_result_of_unseen_code_says_at_its_end_what_it_is,
        a_long_result_says_whether_another_follows_before_it_ends,
    ],
    jumpgate_both: [
        each_packet_says_what_the_database_says_there,
        each_end_of_a_description_counts_its_warnings,
    ],
}
