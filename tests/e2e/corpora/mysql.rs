//! The corpus of MySQL, for MariaDB too: one schema for each application, one catalog for all.

use std::sync::Arc;

use cache::sql::mysql::{
    Catalog, CatalogBuilder, CatalogQuery, Classifier, Modes, Verdicts, analyse,
};
use e2e::{
    certificates::Authority,
    mysql::{Mysql, Server},
};
use mysql_async::{Conn, Opts, OptsBuilder, Row, prelude::Queryable};

use super::{judge_all, report::Pins, schemas, texts};

const THE_TIME: &str = "CREATE FUNCTION corpora_time() RETURNS datetime DETERMINISTIC NO SQL \
                        RETURN '2026-11-30 12:00:00'";

/// Judges the corpus with the catalog of such a server.
pub(super) async fn hold(server: Server, pins: Pins) {
    let started = Mysql::start(server, &Authority::new(), &[]).expect("a server");
    let texts = texts("mysql");
    let opts = Opts::from_url(&started.root().url_of("mysql")).expect("a connection string");
    let opts = OptsBuilder::from_opts(opts).prefer_socket(false);
    let mut conn = Conn::new(opts).await.expect("a connection");
    for (database, schema) in schemas("mysql", &texts) {
        for sql in [
            &*format!("CREATE DATABASE {database}"),
            &*format!("USE {database}"),
            THE_TIME,
            &*schema,
        ] {
            let done = conn.query_drop(sql).await;
            done.unwrap_or_else(|error| panic!("the schema of {database}: {error}"));
        }
    }
    let verdicts = Verdicts::new(1 << 24);
    let classifier = Classifier::new(Arc::new(read(&mut conn).await), &verdicts);
    judge_all(&texts, |text, sql| {
        let (schema, analysis) =
            (Arc::from(&*text.database), Arc::new(analyse(sql, Modes::default())));
        classifier.classify(sql, &schema, &analysis).verdict.clone()
    })
    .hold(&server.to_string(), pins);
}

/// Reads the catalog as a proxy does.
async fn read(conn: &mut Conn) -> Catalog {
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        let rows: Vec<Row> = conn.query(query.sql()).await.expect("the catalog");
        for row in rows {
            let columns: Vec<Option<String>> =
                (0..row.len()).map(|column| row.get(column).expect("a text")).collect();
            let columns: Vec<Option<&str>> = columns.iter().map(Option::as_deref).collect();
            builder.row(query, &columns).expect("a row");
        }
    }
    builder.build()
}
