//! How much of what real applications read is cached: the texts of `tests/corpora`, judged with the catalog of a real server.
//!
//! Nothing runs: each application's schema is loaded, the catalog read as a proxy reads it, each text judged. What is
//! found is printed (`--no-capture`), and must not become less than what is pinned here. Who makes more cacheable raises
//! the pins.

use std::{collections::BTreeMap, fs};

use cache::sql::Verdict;
use e2e::{install::workspace, stage::Version};

pub(crate) mod mysql;
pub(crate) mod postgres;
mod report;

use report::{Pins, Report};

const POSTGRES: Pins = Pins { cached: 938, without_clock: 996 };
const MYSQL: Pins = Pins { cached: 935, without_clock: 992 };

/// A text that an application sent.
#[derive(Debug)]
struct Text {
    /// What made it: the ORM, the query builder.
    source: String,
    /// The database that it was sent to, whose schema has a file of this name.
    database: String,
    sql: String,
}

/// The texts for an engine, as `make.py` keeps them: an object of JSON on each line.
fn texts(engine: &str) -> Vec<Text> {
    let path = workspace().join("tests/corpora").join(format!("{engine}.jsonl"));
    let lines = fs::read_to_string(path).expect("the corpus");
    let text = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let field = |name: &str| object[name].as_str().expect("a text").to_owned();
        let source = field("source");
        let database = format!("{source}_{}", field("app")).replace('-', "_");
        Text { source, database, sql: field("sql") }
    };
    lines.lines().map(text).collect()
}

/// The databases of these texts, each with its schema.
fn schemas(engine: &str, texts: &[Text]) -> BTreeMap<String, String> {
    let folder = workspace().join("tests/corpora/schemas").join(engine);
    let schema = |text: &Text| {
        let path = folder.join(format!("{}.sql", text.database));
        let sql = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (text.database.clone(), sql)
    };
    texts.iter().map(schema).collect()
}

/// Judges every text.
fn judge_all<'a>(texts: &'a [Text], judge: impl Fn(&'a Text) -> Verdict) -> Report<'a> {
    let mut report = Report::default();
    for text in texts {
        report.add(text, &judge(text));
    }
    report
}

#[test]
fn postgres_15_caches_what_applications_read() {
    e2e::stage::run_on_a_runtime(|| postgres::hold(Version::Fifteen, POSTGRES));
}

#[test]
fn postgres_18_caches_what_applications_read() {
    e2e::stage::run_on_a_runtime(|| postgres::hold(Version::Eighteen, POSTGRES));
}

#[test]
fn mysql_caches_what_applications_read() {
    e2e::stage::run_on_a_runtime(|| mysql::hold(e2e::mysql::Server::MySql, MYSQL));
}

#[test]
fn mariadb_caches_what_applications_read() {
    e2e::stage::run_on_a_runtime(|| mysql::hold(e2e::mysql::Server::MariaDb, MYSQL));
}
