//! What a text means: analysed alone, and classified by the catalog of a real server, of both engines.
//!
//! A hit is what all but the first request with a text pay; a miss is that first one, parse or judgement included.

use std::{hint::black_box, sync::Arc};

use cache::sql::{Verdict, mysql, postgres};
use criterion::Criterion;

/// As PostgreSQL has it.
const POSTGRES: &str = "SELECT u.id, u.name, count(*) FROM users u JOIN orders o ON o.user_id = u.id \
     WHERE u.name = $1 AND o.total > 100 GROUP BY u.id, u.name ORDER BY 3 DESC LIMIT 20";

/// The same as MySQL has it.
const MYSQL: &str = "SELECT u.id, u.name, COUNT(*) FROM users u JOIN orders o ON o.user_id = u.id \
     WHERE u.name = ? AND o.total > 100 GROUP BY u.id, u.name ORDER BY 3 DESC LIMIT 20";

const MODES: mysql::Modes = mysql::Modes { ansi_quotes: false, no_backslash_escapes: false };

const SCHEMA: &str = "app";

const MEMORY_BYTES: u64 = 1 << 20;

/// The rows of a catalog query, recorded for the tests of the cache.
macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../cache/fixtures/", $name, ".tsv"))
    };
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    postgres_analysis(&mut criterion);
    mysql_analysis(&mut criterion);
    postgres_classification(&mut criterion);
    mysql_classification(&mut criterion);
    criterion.final_summary();
}

fn postgres_analysis(criterion: &mut Criterion) {
    let memo = postgres::AnalysisMemo::new(MEMORY_BYTES);
    let first = memo.analyse(POSTGRES);
    assert!(Arc::ptr_eq(&first, &memo.analyse(POSTGRES)), "it is remembered");
    let mut group = criterion.benchmark_group("analyse/postgres");
    group.bench_function("hit", |bencher| bencher.iter(|| memo.analyse(black_box(POSTGRES))));
    group.bench_function("miss", |bencher| bencher.iter(|| postgres::analyse(black_box(POSTGRES))));
    group.finish();
}

fn mysql_analysis(criterion: &mut Criterion) {
    let memo = mysql::AnalysisMemo::new(MEMORY_BYTES);
    let first = memo.analyse(MYSQL, MODES);
    assert!(Arc::ptr_eq(&first, &memo.analyse(MYSQL, MODES)), "it is remembered");
    let mut group = criterion.benchmark_group("analyse/mysql");
    group.bench_function("hit", |bencher| bencher.iter(|| memo.analyse(black_box(MYSQL), MODES)));
    group
        .bench_function("miss", |bencher| bencher.iter(|| mysql::analyse(black_box(MYSQL), MODES)));
    group.finish();
}

/// The verdict alone and the writes alone are what a miss is made of.
fn postgres_classification(criterion: &mut Criterion) {
    let analysis = Arc::new(postgres::analyse(POSTGRES));
    let classifier = postgres::Classifier::new(
        Arc::new(postgres_catalog()),
        &postgres::Verdicts::new(MEMORY_BYTES),
    );
    let first = classifier.classify(POSTGRES, &analysis);
    assert!(matches!(first.verdict, Verdict::Cacheable { .. }), "{:?}", first.verdict);
    let catalog = classifier.catalog();
    let mut group = criterion.benchmark_group("classify/postgres");
    group.bench_function("hit", |bencher| {
        bencher.iter(|| classifier.classify(black_box(POSTGRES), &analysis));
    });
    group.bench_function("miss", |bencher| {
        bencher.iter(|| {
            let verdict = postgres::classify(black_box(&analysis), catalog);
            (verdict, postgres::writes(black_box(&analysis), catalog))
        });
    });
    group.finish();
}

fn mysql_classification(criterion: &mut Criterion) {
    let analysis = Arc::new(mysql::analyse(MYSQL, MODES));
    let classifier =
        mysql::Classifier::new(Arc::new(mysql_catalog()), &mysql::Verdicts::new(MEMORY_BYTES));
    let schema: Arc<str> = Arc::from(SCHEMA);
    let first = classifier.classify(MYSQL, &schema, &analysis);
    assert!(matches!(first.verdict, Verdict::Cacheable { .. }), "{:?}", first.verdict);
    let catalog = classifier.catalog();
    let mut group = criterion.benchmark_group("classify/mysql");
    group.bench_function("hit", |bencher| {
        bencher.iter(|| classifier.classify(black_box(MYSQL), &schema, &analysis));
    });
    group.bench_function("miss", |bencher| {
        bencher.iter(|| {
            let verdict = mysql::classify(black_box(&analysis), catalog, SCHEMA);
            (verdict, mysql::writes(black_box(&analysis), catalog, SCHEMA))
        });
    });
    group.finish();
}

/// PostgreSQL 15's own functions and operators, and the tables of the cache's tests.
fn postgres_catalog() -> postgres::Catalog {
    let mut builder = postgres::CatalogBuilder::new();
    for query in postgres::CatalogQuery::ALL {
        let rows = match query {
            postgres::CatalogQuery::Functions => recorded!("postgres15/functions"),
            postgres::CatalogQuery::Operators => recorded!("postgres15/operators"),
            postgres::CatalogQuery::Relations => recorded!("postgres15/relations"),
            postgres::CatalogQuery::Links => recorded!("postgres15/links"),
            postgres::CatalogQuery::Types => recorded!("postgres15/types"),
            postgres::CatalogQuery::Columns => recorded!("postgres15/columns"),
            postgres::CatalogQuery::Casts => recorded!("postgres15/casts"),
            postgres::CatalogQuery::Bodies => recorded!("postgres15/bodies"),
            postgres::CatalogQuery::Uses => recorded!("postgres15/uses"),
        };
        each_row(rows, "\\N", |row| builder.row(query, row).expect("it was recorded"));
    }
    builder.build()
}

/// The tables of the cache's tests in MySQL 9.
fn mysql_catalog() -> mysql::Catalog {
    let mut builder = mysql::CatalogBuilder::new();
    for query in mysql::CatalogQuery::ALL {
        let rows = match query {
            mysql::CatalogQuery::Tables => recorded!("mysql/mysql9/tables"),
            mysql::CatalogQuery::Views => recorded!("mysql/mysql9/views"),
            mysql::CatalogQuery::Cascades => recorded!("mysql/mysql9/cascades"),
            mysql::CatalogQuery::Functions => recorded!("mysql/mysql9/functions"),
            mysql::CatalogQuery::Columns => recorded!("mysql/mysql9/columns"),
            mysql::CatalogQuery::Code => recorded!("mysql/mysql9/code"),
        };
        each_row(rows, "NULL", |row| builder.row(query, row).expect("it was recorded"));
    }
    builder.build()
}

/// The columns of each line, `null` being none.
fn each_row(rows: &str, null: &str, mut take: impl FnMut(&[Option<&str>])) {
    for line in rows.lines() {
        let unescaped = line.split('\t').map(|column| {
            (column != null).then(|| column.replace("\\n", "\n").replace("\\\\", "\\"))
        });
        let columns: Vec<Option<String>> = unescaped.collect();
        take(&columns.iter().map(Option::as_deref).collect::<Vec<_>>());
    }
}
