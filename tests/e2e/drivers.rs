//! Foreign drivers and tools, unmodified, over every route: psql, pgbench, node, python.
//!
//! Their scripts are in `e2e/scripts`; each checks its own values.

use std::{fs, process::Command};

use e2e::{
    drivers::{program, script, try_program},
    jumpgate::Setup,
    stage::{Place, Stage},
};
use tempfile::TempDir;

/// Runs blocking work beside the runtime, which carries the relay and nothing else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("the work does not panic")
}

async fn run_script(place: Place, name: &'static str, last_line: &str) {
    let stage = Stage::open(place).await;
    run_script_on(&stage, name, last_line).await;
}

async fn run_script_on(stage: &Stage, name: &'static str, last_line: &str) {
    let (folder, endpoint) = (authority(stage), stage.endpoint());
    let output = blocking(move || script(name, &endpoint, &folder.path().join("ca.pem"))).await;
    let output = output.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(output.contains(last_line), "{output}");
}

fn authority(stage: &Stage) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), &stage.authority.pem).unwrap();
    folder
}

async fn node_postgres_works_unmodified(place: Place) {
    run_script(place, "node_pg.js", "node-postgres: ok").await;
}

async fn postgres_js_works_unmodified(place: Place) {
    run_script(place, "node_postgres.js", "postgres.js: ok").await;
}

/// Issue 15, item 5: what is read in a transaction, since a driver begins one by itself.
async fn psycopg_is_answered_from_the_cache_by_its_defaults(place: Place) {
    let writers = "writers = \"all through this proxy\"";
    let stage = Stage::with(place, Setup::caching(writers)).await;
    run_script_on(&stage, "psycopg3_defaults.py", "psycopg: ok").await;
    assert_eq!(stage.metrics().await.queries("hit"), 8.0);
}

async fn psycopg_works_unmodified(place: Place) {
    run_script(place, "psycopg3.py", "psycopg: ok").await;
}

async fn asyncpg_works_unmodified(place: Place) {
    run_script(place, "asyncpg_driver.py", "asyncpg: ok").await;
}

const PSQL: &str = r"
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SELECT 'one', 1, NULL;
\d item
\dt
\df add_one
\copy (SELECT id, name FROM item WHERE id < 4 ORDER BY id) TO 'out.csv' WITH (FORMAT csv)
\copy account FROM 'in.txt'
SELECT count(*) FROM account;
BEGIN;
DELETE FROM account WHERE id > 2;
COMMIT;
SELECT count(*) FROM account \gset
\echo count is :count
SELECT id FROM item ORDER BY id \bind \g
\set FETCH_COUNT 7
SELECT 'row ' || id FROM item ORDER BY id;
\set ON_ERROR_STOP off
SELECT 1/0;
\echo last error :LAST_ERROR_SQLSTATE
\gdesc
\prompt_is_not_a_command
SELECT 'end';
";

async fn psql_works_with_and_without_tls(place: Place) {
    let stage = Stage::open(place).await;
    let folder = authority(&stage);
    fs::write(folder.path().join("in.txt"), "50\t1\n51\t2\n").unwrap();
    // `\bind` is younger than psql 15.
    fs::write(folder.path().join("script.sql"), PSQL.replace("\\bind \\g", ";")).unwrap();
    for mode in ["disable", "require", "verify-full"] {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-f", "script.sql"]).current_dir(folder.path());
        psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", folder.path().join("ca.pem"));
        psql.env("PGCHANNELBINDING", if mode == "disable" { "prefer" } else { "require" });
        let endpoint = stage.endpoint();
        let (code, output) = blocking(move || try_program(&mut psql, &endpoint)).await.unwrap();
        for expected in [
            "one|1|",
            "add_one|integer|",
            "price",
            "count is 2",
            "row 100",
            "last error 22012",
            "division by zero",
            "\nend",
        ] {
            assert!(output.contains(expected), "{mode}: `{expected}` is missing in:\n{output}");
        }
        assert_eq!(code, 0, "{output}");
        let copied = fs::read_to_string(folder.path().join("out.csv")).unwrap();
        assert_eq!(copied, "1,item 1\n2,item 2\n3,item 3\n");
    }
}

async fn psql_ends_with_the_code_of_its_error(place: Place) {
    let stage = Stage::open(place).await;
    let wrong = stage.endpoint().with_user("app", "wrong");
    let nowhere = stage.endpoint().with_database("nowhere");
    let cases = [
        (stage.endpoint(), "SELECT 1", 0, ""),
        (stage.endpoint(), "SELECT 1/0", 1, "division by zero"),
        (wrong, "SELECT 1", 2, "password authentication failed for user \"app\""),
        (nowhere, "SELECT 1", 2, "database \"nowhere\" does not exist"),
    ];
    for (endpoint, sql, expected, text) in cases {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let (code, output) = blocking(move || try_program(&mut psql, &endpoint)).await.unwrap();
        assert_eq!(code, expected, "{output}");
        assert!(output.contains(text), "{output}");
    }
}

async fn pgbench_runs_without_an_error(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    let bench = move |arguments: &[&str]| {
        let mut pgbench = Command::new("pgbench");
        program(pgbench.args(arguments), &endpoint).unwrap_or_else(|error| panic!("{error:#}"))
    };
    blocking(move || {
        bench(&["-i", "-q", "-s", "1", "-I", "dtGp"]);
        for mode in ["simple", "extended", "prepared"] {
            for more in [
                &["-c", "8", "-t", "40"][..],
                &["-c", "4", "-t", "8", "-C"],
                &["-S", "-c", "8", "-t", "100"],
            ] {
                let output = bench(&[&["-n", "-M", mode], more].concat());
                assert!(
                    output.contains("number of failed transactions: 0"),
                    "{mode} {more:?}: {output}"
                );
            }
        }
    })
    .await;
    let mut client = stage.direct().await;
    let sums = "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers) \
                AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)";
    assert_eq!(client.value(sums).await, "t", "no transaction was lost or torn");
    assert_eq!(
        client.value("SELECT count(*) FROM pgbench_history").await,
        (3 * (320 + 32)).to_string()
    );
}

e2e::scenarios! {
    everywhere: [
        node_postgres_works_unmodified,
        postgres_js_works_unmodified,
        psycopg_works_unmodified,
        asyncpg_works_unmodified,
        psql_works_with_and_without_tls,
        pgbench_runs_without_an_error,
    ],
    twice: [
        psql_ends_with_the_code_of_its_error,
    ],
    jumpgate_twice: [
        psycopg_is_answered_from_the_cache_by_its_defaults,
    ],
}
