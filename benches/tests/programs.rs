//! Each program of the benches, once and in little: it starts what it needs, does its work, and tells what it measured.
//!
//! How fast that was is nobody's concern here: all are debug builds, and other tests run beside them.

use std::{fs, process::Command};

use e2e::{
    certificates::Authority,
    mysql::{Mysql, Server},
    postgres::Postgres,
    stage::Version,
};
use serde_json::Value;
use tempfile::TempDir;

/// Runs a program to its end, and gives the status, what it has written for machines, and what it said.
fn run(program: &str, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("measured.json");
    let ended = Command::new(program).args(arguments).arg("--json").arg(&file).output();
    let ended = ended.expect("the program is built with this test");
    let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let said = said.concat();
    // What it said is shown by whoever finds that nothing was measured.
    let measured =
        fs::read_to_string(&file).map_or(Value::Null, |text| text.parse().expect("JSON"));
    (ended.status.code(), measured, said)
}

#[test]
fn load_verifies_every_answer_of_both_engines() {
    let authority = Authority::new();
    let postgres = Postgres::start(Version::Fifteen, &authority, &[]).unwrap();
    let mysql = Mysql::start(Server::MySql, &authority, &[]).unwrap();
    let targets = [postgres.endpoint().url(), mysql.endpoint().url_of("mysql")];
    let little = "--quiet --rounds 1 --seconds 1 --clients 2 --keys 100 --writes 10";
    let mut arguments = vec!["load", "--prepare", "--cleanup"];
    arguments.extend(little.split(' ').chain(targets.iter().map(String::as_str)));
    let (status, measured, said) = run(env!("CARGO_BIN_EXE_bench"), &arguments);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(measured["targets"].as_array().map(Vec::len), Some(2), "{said}");
}

#[test]
fn latency_goes_every_way_to_both_engines() {
    let arguments = ["--table", "ways", "--rounds", "1", "--delay", "1ms"];
    let (status, measured, said) = run(env!("CARGO_BIN_EXE_latency"), &arguments);
    // 1 says that a limit was not met, as with so short a way it cannot be.
    assert!(matches!(status, Some(0 | 1)), "{status:?}: {said}");
    assert_eq!(measured["engines"].as_array().map(Vec::len), Some(2));
}

/// With the drivers that are in the program already, so that nothing is installed.
#[test]
fn latency_does_jobs_direct_and_through_jumpgate() {
    let arguments = "--engine mysql --only mysql_async --rounds 1 --delay 1ms";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let (status, measured, said) = run(env!("CARGO_BIN_EXE_latency"), &arguments);
    assert!(matches!(status, Some(0 | 1)), "{status:?}: {said}");
    let jobs = measured["engines"][0]["jobs"].as_array().expect("jobs");
    assert!(jobs.len() >= 3, "{said}");
    for job in jobs {
        assert!(job["targets"]["jumpgate"]["far_ms"].is_array(), "{job}");
    }
}

/// The row whose contenders need no packages but those of the scenarios, and no warm cache.
#[test]
fn compare_gives_the_same_work_to_the_database_and_to_jumpgate() {
    let arguments = ["--quiet", "--quick", "--only", "tunnel, 4 connections"];
    let (status, measured, said) = run(env!("CARGO_BIN_EXE_compare"), &arguments);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(measured["rows"].as_array().map(Vec::len), Some(1));
}
