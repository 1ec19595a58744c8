//! What the cache may keep is the same at another time, at another server: random statements, judged with the catalog of one
//! server and run at two, of which one lives half a year later.
//!
//! A statement is made of its seed alone: `JUMPGATE_EXPRESSION_SEED=17 JUMPGATE_EXPRESSIONS=1`. How many that may be cached, and
//! are no errors, are wanted says `JUMPGATE_EXPRESSIONS`; `./run suites expressions` runs 10,000.

use cache::sql::{
    Verdict,
    postgres::{analyse, classify},
};
use e2e::{
    certificates::Authority,
    postgres::Postgres,
    stage::{Version, run_on_a_runtime},
};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::expressions::{Callable, FUNCTIONS, Maker, OPERATORS, SCHEMA};
use crate::{
    corpora::postgres::{connect, read},
    random_scripts::{comparing::number, shape::Random},
};

/// How far the second server's clock is ahead: half a year, and some hours.
const LATER: &str = "+4401h";

/// What both sessions are set to, one after the other.
const SETTINGS: [&str; 8] = [
    "SET TimeZone = 'UTC'",
    "SET TimeZone = 'Europe/Berlin'",
    "SET TimeZone = 'America/New_York'",
    "SET TimeZone = 'Asia/Kolkata'",
    "SET DateStyle = 'German'",
    "SET DateStyle = 'SQL, DMY'",
    "SET IntervalStyle = 'iso_8601'",
    "SET extra_float_digits = -3",
];

/// Statements that are tried for each that may be cached and is no error.
const MOST_TRIED: u64 = 200;

/// Rows as texts, or the code of the error.
type Told = Result<Vec<Vec<Option<String>>>, String>;

async fn ask(client: &Client, sql: &str) -> Told {
    let messages = client.simple_query(sql).await.map_err(|error| {
        error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())
    })?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

async fn callables(client: &Client, sql: &str) -> Vec<Callable> {
    let callable = |row: Vec<Option<String>>| {
        let mut columns = row.into_iter().map(|column| column.expect("a text"));
        let mut next = || columns.next().expect("three columns");
        let (name, takes, gives) = (next(), next(), next());
        let takes = takes.split('|').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        Callable { name, takes, gives }
    };
    ask(client, sql).await.expect("the catalog").into_iter().map(callable).collect()
}

async fn what_is_kept_is_the_same_later(version: Version) {
    let authority = Authority::new();
    let today = Postgres::start(version, &authority, &[]).expect("PostgreSQL");
    let later = Postgres::start_at(LATER, version, &authority, &[]).expect("PostgreSQL, later");
    let (here, there) = (connect(&today, "app").await, connect(&later, "app").await);
    for client in [&here, &there] {
        client.batch_execute(SCHEMA).await.expect("the schema");
    }
    let days = "SELECT current_date::text";
    assert_ne!(ask(&here, days).await, ask(&there, days).await, "the clocks are not the same");
    let catalog = read(&here).await;
    let functions = callables(&here, FUNCTIONS).await;
    let operators = callables(&here, OPERATORS).await;
    let first = number("JUMPGATE_EXPRESSION_SEED").unwrap_or(1);
    let wanted = number("JUMPGATE_EXPRESSIONS").unwrap_or(100);
    let (mut compared, mut tried, mut wrong) = (0, 0, Vec::new());
    while compared < wanted && tried < wanted * MOST_TRIED {
        let seed = first + tried;
        tried += 1;
        let random = Random::of(seed);
        let mut maker = Maker { random, functions: &functions, operators: &operators };
        let sql = maker.statement();
        if !matches!(classify(&analyse(&sql), &catalog), Verdict::Cacheable { .. }) {
            continue;
        }
        let set = maker.random.one(&SETTINGS);
        let text = format!("RESET ALL; SET statement_timeout = '2s'; {set}; {sql}");
        let (told, later) = tokio::join!(ask(&here, &text), ask(&there, &text));
        if told != later && ![&told, &later].iter().any(|it| is_timeout(it)) {
            let difference =
                format!("seed {seed}, {set}: {sql}\n  here:  {told:?}\n  later: {later:?}");
            eprintln!("{difference}");
            wrong.push(difference);
            assert!(wrong.len() < 10, "{}", wrong.join("\n"));
        }
        compared += u64::from(told.is_ok());
    }
    eprintln!("{compared} of {tried} statements may be cached and are no errors");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(compared, wanted, "of {tried}");
}

/// Nobody knows what it would have been.
fn is_timeout(told: &Told) -> bool {
    told.as_ref().is_err_and(|code| code == "57014")
}

#[test]
fn what_is_kept_of_15_is_the_same_later() {
    run_on_a_runtime(|| what_is_kept_is_the_same_later(Version::Fifteen));
}

#[test]
fn what_is_kept_of_18_is_the_same_later() {
    run_on_a_runtime(|| what_is_kept_is_the_same_later(Version::Eighteen));
}
