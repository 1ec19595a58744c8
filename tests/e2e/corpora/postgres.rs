//! The corpus of PostgreSQL: one database for each application.

use std::collections::BTreeMap;

use cache::sql::postgres::{Catalog, CatalogBuilder, CatalogQuery, analyse, classify};
use e2e::{certificates::Authority, postgres::Postgres, stage::Version};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::task::TaskTracker;

use super::{judge_all, report::Pins, schemas, texts};

/// Judges the corpus with the catalogs of a server of this version.
pub(super) async fn hold(version: Version, pins: Pins) {
    let server = Postgres::start(version, &Authority::new(), &[]).expect("PostgreSQL");
    let texts = texts("postgres");
    let first = connect(&server, "postgres").await;
    let mut catalogs = BTreeMap::new();
    for (database, schema) in schemas("postgres", &texts) {
        first.batch_execute(&format!("CREATE DATABASE {database}")).await.expect("a database");
        let client = connect(&server, &database).await;
        let loaded = client.batch_execute(&schema).await;
        loaded.unwrap_or_else(|error| panic!("the schema of {database}: {error:?}"));
        catalogs.insert(database, read(&client).await);
    }
    judge_all(&texts, |text| classify(&analyse(&text.sql), &catalogs[&text.database]))
        .hold(&format!("PostgreSQL {version}"), pins);
}

pub(crate) async fn connect(server: &Postgres, database: &str) -> Client {
    let url = server.superuser().with_database(database).url();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a connection");
    TaskTracker::new().spawn(connection);
    client
}

/// Reads the catalog as a proxy does.
pub(crate) async fn read(client: &Client) -> Catalog {
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        for message in client.simple_query(query.sql()).await.expect("the catalog") {
            if let SimpleQueryMessage::Row(row) = message {
                let columns = (0..row.len()).map(|column| row.get(column)).collect::<Vec<_>>();
                builder.row(query, &columns).expect("a row");
            }
        }
    }
    builder.build()
}
