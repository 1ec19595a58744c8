//! The corpus of MySQL, for MariaDB too: one schema for each application, and a user who sees no other.

use std::{collections::BTreeMap, sync::Arc};

use cache::sql::mysql::{CatalogBuilder, CatalogQuery, Classifier, Modes, Verdicts, analyse};
use e2e::{
    certificates::Authority,
    mysql::{Mysql, Server},
    wire::Endpoint,
};
use mysql_async::{Conn, Opts, OptsBuilder, Row, prelude::Queryable};

use super::{judge_all, report::Pins, schemas, texts};

const PASSWORD: &str = "corpora";

/// Judges the corpus with the catalogs of such a server.
pub(super) async fn hold(server: Server, pins: Pins) {
    let started = Mysql::start(server, &Authority::new(), &[]).expect("a server");
    let texts = texts("mysql");
    let mut root = connect(&started.root()).await;
    let verdicts = Verdicts::new(1 << 24);
    let mut classifiers = BTreeMap::new();
    for (database, schema) in schemas("mysql", &texts) {
        for sql in [
            &*format!("CREATE DATABASE {database}"),
            &*format!("USE {database}"),
            &*schema,
            &*format!("CREATE USER {database} IDENTIFIED BY '{PASSWORD}'"),
            &*format!("GRANT ALL ON {database}.* TO {database}"),
        ] {
            let done = root.query_drop(sql).await;
            done.unwrap_or_else(|error| panic!("the schema of {database}: {error}"));
        }
        let owner = started.endpoint().with_user(&database, PASSWORD).with_database(&database);
        let classifier = read(&mut connect(&owner).await, &verdicts).await;
        classifiers.insert(database, classifier);
    }
    judge_all(&texts, |text| {
        let schema = Arc::from(&*text.database);
        let analysis = Arc::new(analyse(&text.sql, Modes::default()));
        classifiers[&text.database].classify(&text.sql, &schema, &analysis).verdict.clone()
    })
    .hold(&server.to_string(), pins);
}

/// Connects with a driver.
pub(crate) async fn connect(endpoint: &Endpoint) -> Conn {
    let opts = Opts::from_url(&endpoint.url_of("mysql")).expect("a connection string");
    let opts = OptsBuilder::from_opts(opts).prefer_socket(false);
    Conn::new(opts).await.expect("a connection")
}

/// Reads the catalog as a proxy does.
pub(crate) async fn read(conn: &mut Conn, verdicts: &Verdicts) -> Classifier {
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
    Classifier::new(Arc::new(builder.build()), verdicts)
}
