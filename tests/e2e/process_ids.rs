//! Issue 11, item 3: a client has one process id, whichever backend serves it, and others reach it by that.

use std::time::Duration;

use e2e::{
    jumpgate::Setup,
    stage::{Place, SERVING_PROCESS, Stage, eventually},
    wire::{Frame, Wire, error, rows, say, sqlstate, tags},
};

const ASK: &str = "SELECT pg_backend_pid()";

fn id(client: &Wire) -> String {
    client.key.as_ref().unwrap().0.to_string()
}

fn first(frames: &[Frame]) -> String {
    rows(frames).into_iter().flatten().next().flatten().unwrap_or_else(|| error(frames))
}

/// Binds and runs a statement.
fn run(statement: &str, values: &[Option<&[u8]>]) -> Vec<u8> {
    [say::bind("", statement, &[], values, &[]), say::execute("", 0), say::sync()].concat()
}

/// The names of the columns of a reply.
fn columns(frames: &[Frame]) -> Vec<String> {
    let described = frames.iter().find(|frame| frame.tag == b'T').unwrap();
    let mut rest = &described.body[2..];
    let mut names = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        names.push(String::from_utf8_lossy(&rest[..end]).into_owned());
        rest = rest.get(end + 19..).unwrap_or_default();
    }
    names
}

async fn a_client_is_told_its_own_process_id(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let own = id(&a);
    assert_ne!(own, id(&b));
    for hold in ["SELECT 1", "BEGIN", "COMMIT", "LISTEN x"] {
        a.run(hold).await;
        assert_eq!(a.value(ASK).await, own, "{hold}");
        assert_eq!(b.value(ASK).await, id(&b));
        let reply = a.run("SELECT 1 AS one, pg_catalog.pg_backend_pid(/* ) */), -pg_backend_pid() AS minus, pg_backend_pid()::text;").await;
        assert_eq!(columns(&reply), ["one", "pg_backend_pid", "minus", "pg_backend_pid"]);
        let expected = ["1", &own, &format!("-{own}"), &own].map(|it| Some(it.to_owned()));
        assert_eq!(rows(&reply), [expected]);
        let cte = "WITH x AS (SELECT pg_backend_pid() AS p) SELECT p = pg_backend_pid(), p FROM x";
        let both = a.run(&format!("SELECT 0; RESET work_mem; {cte}")).await;
        assert_eq!(rows(&both)[1], [Some("t".to_owned()), Some(own.clone())]);
        // Beside what the server numbers it is the server's.
        assert_eq!(rows(&a.run(SERVING_PROCESS).await).len(), 1);
        assert_eq!(a.value("SELECT pg_blocking_pids(pg_backend_pid())").await, "{}");
        let locks = "SELECT count(*) > 0 FROM pg_locks WHERE pid = pg_backend_pid()";
        assert_eq!(a.value(locks).await, "t");
    }
}

async fn a_prepared_statement_tells_each_client_its_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let text = "SELECT pg_backend_pid(), $1::text";
    for client in [&mut a, &mut b] {
        let parse = [say::parse("s", text, &[]), say::describe(b'S', "s"), say::sync()];
        let reply = client.ask(&parse).await;
        assert_eq!(columns(&reply), ["pg_backend_pid", "text"]);
    }
    for _turn in 0..3 {
        for client in [&mut a, &mut b] {
            let own = id(client);
            assert_eq!(first(&client.ask(&[run("s", &[Some(b"x")])]).await), own);
            assert_eq!(first(&client.extended(text, &["x"]).await), own);
            let binary = say::bind("", "s", &[], &[None], &[1]);
            let describe = say::describe(b'P', "");
            let reply = client.ask(&[binary, describe, say::execute("", 0), say::sync()]).await;
            assert_eq!((tags(&reply), columns(&reply)), {
                ("2TDCZ".into(), vec!["pg_backend_pid".into(), "text".into()])
            });
            let value = reply.iter().find(|frame| frame.tag == b'D').unwrap().columns();
            let value = value[0].as_ref().unwrap();
            assert_eq!(i32::from_be_bytes((&value[..]).try_into().unwrap()).to_string(), own);
        }
        // Each on the other's backend.
        a.hold_a_backend().await;
        b.run("SELECT 1").await;
        a.run("COMMIT").await;
    }
    // In a pipeline, and in a block that has failed.
    let pipeline = [run("s", &[None]), run("s", &[None])].concat();
    a.send(pipeline).await;
    for _reply in 0..2 {
        assert_eq!(first(&a.until_ready().await), id(&a));
    }
    a.run("BEGIN").await;
    a.query("SELECT 1/0").await;
    assert_eq!(sqlstate(&a.ask(&[run("s", &[None])]).await), "25P02");
    assert_eq!(sqlstate(&a.query(ASK).await), "25P02");
    a.run("ROLLBACK").await;
}

/// What is stored is the server's function and no number of ours, and another function of the name is another.
async fn a_definition_and_a_function_of_the_same_name_stay_as_they_are(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut client = stage.client().await;
    client.run("CREATE VIEW process AS SELECT pg_backend_pid() AS it").await;
    client.run("CREATE TABLE kept (a int DEFAULT pg_backend_pid())").await;
    client.run("CREATE TABLE made AS SELECT pg_backend_pid() AS it").await;
    client.run("CREATE SCHEMA mine").await;
    client
        .run("CREATE FUNCTION mine.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 5'")
        .await;
    let stored = "SELECT pg_get_viewdef('process'::regclass)";
    assert!(client.value(stored).await.contains("pg_backend_pid()"));
    assert_eq!(client.value("SELECT mine.pg_backend_pid()").await, "5");
    client.run("SET search_path TO mine, pg_catalog").await;
    assert_eq!(client.value(ASK).await, "5");
    assert_eq!(client.value("SELECT pg_catalog.pg_backend_pid()").await, id(&client));
}

async fn ended(client: &mut Wire) -> String {
    let last = client.until_closed().await;
    let fatal = last.iter().rfind(|frame| frame.tag == b'E').unwrap();
    format!("{} {}", fatal.field(b'S'), fatal.field(b'C'))
}

async fn a_client_is_ended_by_its_process_id(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let mut killer = stage.client().await;
    for (at, state) in [
        "SELECT 1",
        "BEGIN; INSERT INTO item (id, name) VALUES (777, 'x')",
        "LISTEN x",
        "SELECT pg_sleep(60)",
    ]
    .into_iter()
    .enumerate()
    {
        let mut victim = stage.client().await;
        let process = id(&victim);
        if state.contains("sleep") {
            victim.send(say::query(state)).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        } else {
            victim.run(state).await;
        }
        let text = "SELECT pg_terminate_backend($1)";
        let reply = match at {
            0 => killer.query(&format!("SELECT pg_terminate_backend({process})")).await,
            1 => killer.extended(text, &[&process]).await,
            2 => killer.extended("SELECT pg_terminate_backend($1::int4, 10000)", &[&process]).await,
            _ => {
                let binary = victim.key.as_ref().unwrap().0.to_be_bytes();
                let bind = say::bind("", "", &[1], &[Some(&binary)], &[]);
                let describe = say::describe(b'P', "");
                let parse = say::parse("", text, &[]);
                killer.ask(&[parse, bind, describe, say::execute("", 0), say::sync()]).await
            }
        };
        assert_eq!(
            (first(&reply), columns(&reply)),
            ("t".into(), vec!["pg_terminate_backend".into()])
        );
        assert_eq!(ended(&mut victim).await, "FATAL 57P01", "{state}");
    }
    assert_eq!(killer.value("SELECT count(*) FROM item WHERE id = 777").await, "0");
    assert_eq!(ended_itself(&stage).await, "FATAL 57P01");
}

async fn ended_itself(stage: &Stage) -> String {
    let mut client = stage.client().await;
    client.send(say::query(&format!("SELECT pg_terminate_backend({})", id(&client)))).await;
    ended(&mut client).await
}

async fn a_statement_is_cancelled_by_its_process_id(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    a.send(say::query("SELECT pg_sleep(60)")).await;
    let mut superuser = stage.superuser().await;
    let active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'";
    while superuser.value(active).await != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let reply = b.query(&format!("SELECT pg_catalog.pg_cancel_backend({}) AS x", id(&a))).await;
    assert_eq!((first(&reply), columns(&reply)), ("t".into(), vec!["x".into()]));
    assert_eq!(sqlstate(&a.until_ready().await), "57014");
    assert_eq!(a.value("SELECT 'alive'").await, "alive");
    let own = id(&a);
    assert_eq!(sqlstate(&a.extended("SELECT pg_cancel_backend($1)", &[&own]).await), "57014");
    assert_eq!(a.value(ASK).await, own);
}

async fn a_signal_that_is_not_sent_ends_nobody(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut a, mut b) = (stage.client().await, stage.client().await);
    let process = id(&a);
    let kill = format!("SELECT pg_terminate_backend({process})");
    // Skipped behind an error.
    let skipped = [
        say::parse("", "SELECT 1/0", &[]),
        say::bind("", "", &[], &[], &[]),
        say::execute("", 0),
        say::parse("", &kill, &[]),
        say::bind("", "", &[], &[], &[]),
        say::execute("", 0),
        say::sync(),
    ];
    assert_eq!(sqlstate(&b.ask(&skipped).await), "22012");
    assert_eq!(sqlstate(&b.query(&format!("SELECT 1/0; {kill}")).await), "22012");
    b.hold_a_backend().await;
    b.query("SELECT 1/0").await;
    assert_eq!(sqlstate(&b.query(&kill).await), "25P02");
    b.run("ROLLBACK").await;
    // Of which nothing runs.
    b.run(&format!("{kill} WHERE false")).await;
    b.run(&format!("{kill} LIMIT 0")).await;
    b.run(&format!("SELECT CASE WHEN false THEN pg_terminate_backend({process}) END")).await;
    b.run(&format!("EXPLAIN {kill}")).await;
    assert_eq!(a.value(ASK).await, process);
    // Without the right to it.
    b.run("SET ROLE reader").await;
    let refused = b.query(&kill).await;
    assert!(first(&refused) == "f" || sqlstate(&refused) == "42501", "{refused:?}");
    b.run("RESET ROLE").await;
    assert_eq!(b.value("SELECT pg_terminate_backend(2000000000)").await, "f", "nobody's");
    assert_eq!(a.value(ASK).await, process);
    // By the server's own numbers.
    let mut b_also = stage.client().await;
    let victim = "LISTEN the_victim";
    a.run(victim).await;
    let text = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '{victim}' AND pid <> pg_backend_pid()"
    );
    let told = async || b_also.query(&text).await;
    let mut told = told;
    assert_eq!(first(&told().await), "t");
    assert_eq!(ended(&mut a).await, "FATAL 57P01");
    eventually("the pool serves again", async || {
        stage.client().await.value("SELECT 1").await == "1"
    })
    .await;
}

e2e::scenarios! {
    everywhere: [
        a_client_is_told_its_own_process_id,
        a_client_is_ended_by_its_process_id,
    ],
    twice: [
        a_prepared_statement_tells_each_client_its_own,
        a_definition_and_a_function_of_the_same_name_stay_as_they_are,
        a_statement_is_cancelled_by_its_process_id,
        a_signal_that_is_not_sent_ends_nobody,
    ],
}
