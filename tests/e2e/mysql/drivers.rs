//! Foreign drivers and tools, unmodified, over every route: the command lines, sysbench, node, python.
//!
//! Their scripts are in `e2e/scripts`; each checks its own values.

use std::{fs, process::Command};

use e2e::{
    drivers::{program, script, try_program},
    jumpgate::Setup,
    mysql::{
        Server,
        install::command_line,
        stage::{Place, Stage},
    },
    wire::Endpoint,
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

async fn mysql2_works_unmodified(place: Place) {
    run_script(place, "node_mysql2.js", "mysql2: ok").await;
}

async fn mysqljs_works_unmodified(place: Place) {
    run_script(place, "node_mysql.js", "mysql: ok").await;
}

/// Issue 15, item 5: what is read in a transaction, since a driver begins one by itself.
async fn pymysql_is_answered_from_the_cache_by_its_defaults(place: Place) {
    let writers = "writers = \"all through this proxy\"";
    let stage = Stage::with(place, Setup::caching(writers)).await;
    run_script_on(&stage, "pymysql_defaults.py", "PyMySQL: ok").await;
    assert_eq!(stage.metrics().await.queries("hit"), 10.0);
}

async fn pymysql_works_unmodified(place: Place) {
    run_script(place, "pymysql_driver.py", "PyMySQL: ok").await;
}

async fn connector_python_works_unmodified(place: Place) {
    run_script(place, "connector_python.py", "Connector/Python: ok").await;
}

/// A command line client of one family, with the arguments for this endpoint.
fn client(family: Server, endpoint: &Endpoint, tls: &[&str]) -> Command {
    let mut command = command_line(family).expect("the client is installed");
    command.args([
        "-h",
        "127.0.0.1",
        "-u",
        &endpoint.user,
        "-P",
        &endpoint.address.port().to_string(),
    ]);
    command.args(tls).args(["--local-infile=1", "--batch", "--force"]).arg(&endpoint.database);
    command
}

const SCRIPT: &str = r"
SELECT 'one', 1, NULL;
SHOW TABLES;
DESCRIBE item;
use other
SELECT name FROM thing;
use app
SELECT name FROM thing;
status
LOAD DATA LOCAL INFILE 'in.txt' INTO TABLE legacy;
SHOW WARNINGS;
SELECT concat('rows: ', count(*)) FROM legacy;
BEGIN; UPDATE account SET balance = 1; ROLLBACK;
SELECT concat('sum: ', sum(balance)) FROM account;
delimiter //
CREATE PROCEDURE local_one() BEGIN SELECT 'inside'; SELECT 'twice'; END//
delimiter ;
CALL local_one();
SELECT id FROM wide ORDER BY id;
SELECT 'straße';
SELECT 'end';
SELECT * FROM nothing;
";

async fn the_command_lines_work_with_and_without_tls(place: Place) {
    let stage = Stage::open(place).await;
    let folder = authority(&stage);
    fs::write(folder.path().join("in.txt"), "50\tfifty\n51\tfifty-one\n").unwrap();
    fs::write(folder.path().join("script.sql"), SCRIPT).unwrap();
    let ca = format!("--ssl-ca={}", folder.path().join("ca.pem").display());
    let mut rows = 2;
    for (family, tls) in [
        (Server::MariaDb, vec!["--skip-ssl"]),
        (Server::MariaDb, vec!["--ssl", &ca, "--ssl-verify-server-cert"]),
        (Server::MySql, vec!["--ssl-mode=DISABLED", "--get-server-public-key"]),
        (Server::MySql, vec!["--ssl-mode=VERIFY_CA", &ca]),
    ] {
        if family == Server::MySql && stage.is_direct() && place.server == Server::MariaDb {
            continue; // MySQL 9's client no longer has mysql_native_password.
        }
        let endpoint = stage.endpoint();
        let mut command = client(family, &endpoint, &tls);
        command.args(["-e", "source script.sql"]).current_dir(folder.path());
        let (_, output) = blocking(move || try_program(&mut command, &endpoint)).await.unwrap();
        rows += 2;
        for expected in [
            "one\t1\tNULL",
            "price\tdecimal(10,2)",
            "from other",
            "from app",
            &format!("rows: {rows}"),
            "sum: 200",
            "inside",
            "twice",
            "\n2999\n",
            "ERROR 1146 (42S02)",
            "straße",
            "\nend",
        ] {
            assert!(
                output.contains(expected),
                "{family} {tls:?}: `{expected}` is missing in:\n{output}"
            );
        }
        let mut direct = stage.direct().await;
        direct.run("DROP PROCEDURE local_one").await;
        direct.run("UPDATE legacy SET id = id + 1000 WHERE id IN (50, 51)").await;
        direct
            .run("UPDATE legacy SET id = id + floor(rand() * 1000000) + 1000 WHERE id > 1000")
            .await;
    }
}

async fn the_command_line_ends_with_the_code_of_its_error(place: Place) {
    let stage = Stage::open(place).await;
    let family = place.server;
    let tls = if family == Server::MySql { "--ssl-mode=REQUIRED" } else { "--skip-ssl" };
    let cases = [
        (stage.endpoint(), "SELECT 1", 0, "1"),
        (stage.endpoint(), "SELECT * FROM nothing", 1, "ERROR 1146 (42S02)"),
        (stage.endpoint().with_user("app", "wrong"), "SELECT 1", 1, "ERROR 1045 (28000)"),
    ];
    for (endpoint, sql, expected, text) in cases {
        let mut command = command_line(family).expect("the client is installed");
        command.args([
            "-h",
            "127.0.0.1",
            "-u",
            &endpoint.user,
            "-P",
            &endpoint.address.port().to_string(),
        ]);
        command.args([tls, "--batch", "-e", sql]).arg(&endpoint.database);
        let (code, output) = blocking(move || try_program(&mut command, &endpoint)).await.unwrap();
        assert_eq!(code, expected, "{output}");
        assert!(output.contains(text), "{output}");
    }
}

async fn sysbench_runs_without_an_error(place: Place) {
    let stage = Stage::open(place).await;
    let endpoint = stage.endpoint();
    let sysbench = move |test: &str, arguments: &[&str]| {
        let mut command = Command::new("sysbench");
        command.args([
            "--db-driver=mysql",
            "--mysql-host=127.0.0.1",
            "--tables=2",
            "--table-size=500",
        ]);
        command.arg(format!("--mysql-port={}", endpoint.address.port()));
        command.arg(format!("--mysql-user={}", endpoint.user));
        command.arg(format!("--mysql-password={}", endpoint.password));
        command.arg(format!("--mysql-db={}", endpoint.database));
        program(command.arg(test).args(arguments), &endpoint)
            .unwrap_or_else(|error| panic!("{error:#}"))
    };
    blocking(move || {
        sysbench("oltp_read_write", &["prepare"]);
        for mode in ["--db-ps-mode=auto", "--db-ps-mode=disable"] {
            for (test, events) in
                [("oltp_point_select", "--events=2000"), ("oltp_read_write", "--events=60")]
            {
                let output = sysbench(test, &[mode, events, "--threads=6", "--time=60", "run"]);
                let ignored = output.lines().find(|line| line.contains("ignored errors:"));
                let reconnects = output.lines().find(|line| line.contains("reconnects:"));
                assert!(
                    reconnects.is_some_and(|line| line.contains(" 0 ")),
                    "{test} {mode}: {output}"
                );
                // A deadlock is nobody's fault; point selects have none.
                let clean = ignored.is_some_and(|line| line.contains(" 0 "));
                assert!(clean || test == "oltp_read_write", "{test} {mode}: {output}");
            }
        }
        sysbench("oltp_read_write", &["cleanup"]);
    })
    .await;
}

e2e::mysql_scenarios! {
    everywhere: [
        mysql2_works_unmodified,
        pymysql_works_unmodified,
        sysbench_runs_without_an_error,
    ],
    both: [
        connector_python_works_unmodified,
        the_command_lines_work_with_and_without_tls,
    ],
    jumpgate_both: [
        pymysql_is_answered_from_the_cache_by_its_defaults,
        mysqljs_works_unmodified,
    ],
    twice: [
        the_command_line_ends_with_the_code_of_its_error,
    ],
}
