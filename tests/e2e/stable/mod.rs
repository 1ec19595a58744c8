//! PostgreSQL's own stable functions: all are reviewed, and what the cache keeps of them is what the settings make it.
//!
//! `cache/src/sql/postgres/stable/functions.tsv` says what each depends on. What it calls `settings` or `catalog` is cached, so
//! each such function has a statement here ([`statements`]) that is sent with many settings, one changed at a time, through
//! one cache: were a setting missing in the key, one session would be told what another was told.

use std::{collections::BTreeSet, fs};

use e2e::{
    install::workspace,
    jumpgate::Setup,
    stage::{Place, Route, Stage, Version, run_on_a_runtime},
    wire::{Frame, Wire, rows, say},
};

mod expressions;
mod statements;
mod two_clocks;

use statements::{Function, statement};

const SCHEMA: &str = include_str!("schema.sql");

/// What is set in one session each, besides what all have.
const SETTINGS: [(&str, &str); 30] = [
    ("TimeZone", "UTC"),
    ("TimeZone", "Europe/Berlin"),
    ("TimeZone", "America/New_York"),
    ("TimeZone", "Asia/Kolkata"),
    ("DateStyle", "ISO, DMY"),
    ("DateStyle", "German"),
    ("DateStyle", "SQL, DMY"),
    ("DateStyle", "SQL, MDY"),
    ("DateStyle", "Postgres, MDY"),
    ("IntervalStyle", "iso_8601"),
    ("IntervalStyle", "sql_standard"),
    ("IntervalStyle", "postgres_verbose"),
    ("extra_float_digits", "0"),
    ("extra_float_digits", "-3"),
    ("extra_float_digits", "3"),
    ("bytea_output", "escape"),
    ("lc_monetary", "POSIX"),
    ("lc_numeric", "POSIX"),
    ("lc_time", "POSIX"),
    ("default_text_search_config", "simple"),
    ("default_text_search_config", "german"),
    ("search_path", "elsewhere, public"),
    ("search_path", "pg_catalog, public"),
    ("client_encoding", "LATIN1"),
    ("xmloption", "document"),
    ("quote_all_identifiers", "on"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("array_nulls", "off"),
    ("ROLE", "reader"),
];

/// The lines of the review.
fn reviewed() -> Vec<[String; 3]> {
    let path = workspace().join("cache/src/sql/postgres/stable/functions.tsv");
    let text = fs::read_to_string(path).expect("the review");
    let line = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        std::array::from_fn(|_column| columns.next().expect("three columns"))
    };
    text.lines().map(line).collect()
}

fn stage(version: Version) -> impl Future<Output = Stage> {
    Stage::with(Place { version, route: Route::Proxy }, Setup::pool_of(2))
}

/// A newer server's function is refused until somebody has looked at it; this is where that is noticed.
async fn each_is_reviewed(version: Version) {
    let stage = stage(version).await;
    let path = workspace().join("cache/src/sql/postgres/stable/list.sql");
    let list = fs::read_to_string(path).expect("the query");
    let mut direct = stage.direct().await;
    let known: BTreeSet<[String; 2]> =
        reviewed().into_iter().map(|[oid, function, _]| [oid, function]).collect();
    let there = rows(&direct.run(&list).await);
    assert!(there.len() > 300, "{} functions", there.len());
    let missing: Vec<_> = there
        .into_iter()
        .map(|row| [row[0].clone().expect("a number"), row[1].clone().expect("a name")])
        .filter(|function| !known.contains(function))
        .collect();
    assert_eq!(missing, Vec::<[String; 2]>::new(), "not in functions.tsv");
}

/// A statement for each function that is cached and that this server has.
async fn all_statements(direct: &mut Wire) -> Vec<String> {
    let there = rows(
        &direct
            .run("SELECT oid::text, proname::text, prokind = 'a' FROM pg_catalog.pg_proc WHERE oid < 16384")
            .await,
    );
    let kind_of = |oid: &str, name: &str| {
        let is_it = |row: &&Vec<Option<String>>| {
            row[0].as_deref() == Some(oid) && row[1].as_deref() == Some(name)
        };
        there.iter().find(is_it).map(|row| row[2].as_deref() == Some("t"))
    };
    let statement_of = |[oid, signature, depends_on]: [String; 3]| {
        let function = Function::read(&signature);
        let is_kept = matches!(&*depends_on, "settings" | "catalog");
        let is_aggregate = kind_of(&oid, function.name)?;
        is_kept.then(|| statement(&function, is_aggregate))
    };
    reviewed().into_iter().filter_map(statement_of).collect()
}

fn extended(sql: &str, format: u16) -> [Vec<u8>; 5] {
    [
        say::parse("", sql, &[]),
        say::bind("", "", &[], &[], &[format]),
        say::describe(b'P', ""),
        say::execute("", 0),
        say::sync(),
    ]
}

async fn replies_are_those_of_the_settings(version: Version) {
    let stage = stage(version).await;
    let mut owner = stage.superuser().await;
    owner.run("SET ROLE app").await;
    owner.run(SCHEMA).await;
    let statements = all_statements(&mut owner).await;
    assert!(statements.len() > 200, "{} statements", statements.len());
    let mut wrong = Vec::new();
    for (at, (name, value)) in SETTINGS.into_iter().enumerate() {
        let (mut direct, mut client) = (stage.direct().await, stage.client().await);
        for session in [&mut direct, &mut client] {
            session.run(&format!("SET {name} = {}", quoted(value))).await;
        }
        for sql in &statements {
            for format in [0, 1] {
                let expected = direct.ask(&extended(sql, format)).await;
                if at == 0 && !shows_something(&expected) {
                    wrong.push(format!("shows nothing: {sql}"));
                }
                for turn in 0..2 {
                    if client.ask(&extended(sql, format)).await != expected {
                        wrong
                            .push(format!("{sql}, {name} = {value}, format {format}, turn {turn}"));
                    }
                }
            }
            if at == 0 && client.cache_status().await != "hit" {
                wrong.push(format!("is not cached: {sql}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// What a SET takes a value as that has more than one word, or none.
fn quoted(value: &str) -> String {
    if value.contains(", ") && !value.contains("DMY") && !value.contains("MDY") {
        value.to_owned()
    } else {
        format!("'{value}'")
    }
}

fn shows_something(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| frame.tag == b'D') && !frames.iter().any(|frame| frame.tag == b'E')
}

#[test]
fn each_of_15_is_reviewed() {
    run_on_a_runtime(|| each_is_reviewed(Version::Fifteen));
}

#[test]
fn each_of_18_is_reviewed() {
    run_on_a_runtime(|| each_is_reviewed(Version::Eighteen));
}

#[test]
fn replies_of_15_are_those_of_the_settings() {
    run_on_a_runtime(|| replies_are_those_of_the_settings(Version::Fifteen));
}

#[test]
fn replies_of_18_are_those_of_the_settings() {
    run_on_a_runtime(|| replies_are_those_of_the_settings(Version::Eighteen));
}
