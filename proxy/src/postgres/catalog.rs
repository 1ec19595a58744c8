//! What the origin's catalog says, read with tokio-postgres over our own stream. It is kept fresh by
//! [`crate::catalog`].

use std::sync::Arc;

use cache::sql::{self, Catalog, CatalogBuilder, CatalogQuery, Classifier};
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;
use tokio_util::task::TaskTracker;

use super::{guard::Guarded, origin::open_stream};
use crate::{
    catalog::{MEMO_BYTES, QUERY_TIMEOUT, READ_TIMEOUT},
    config::DatabaseConfig,
    net::ConnectError,
};

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No connection.
    #[error("no connection for reading the catalog")]
    Connect(#[from] ConnectError),
    /// A query failed.
    #[error("reading the catalog")]
    Query(#[from] tokio_postgres::Error),
    /// A row is not what was asked for.
    #[error(transparent)]
    Row(#[from] sql::CatalogError),
    /// A query took too long.
    #[error("reading the catalog took too long")]
    TimedOut,
}

/// The present catalog of one origin.
pub(super) type CatalogCell = crate::catalog::CatalogCell<Classifier>;

/// Reads the catalog, within the time that a reading may take, for what judges by it.
pub(super) async fn judge(config: &DatabaseConfig) -> Result<Classifier, CatalogError> {
    let reading = timeout(READ_TIMEOUT, read(config)).await;
    let catalog = reading.unwrap_or(Err(CatalogError::TimedOut))?;
    Ok(Classifier::new(Arc::new(catalog), MEMO_BYTES))
}

/// Reads the catalog over a connection of its own.
///
/// # Errors
///
/// [`CatalogError`].
pub async fn read(config: &DatabaseConfig) -> Result<Catalog, CatalogError> {
    let stream = open_stream(config).await?;
    let origin = &config.origin;
    let (client, connection) = tokio_postgres::Config::new()
        .user(&origin.user)
        .password(origin.password.expose())
        .dbname(&origin.database)
        .application_name(format!("jumpgate/{} catalog", config.name))
        .connect_raw(Guarded::new(stream, origin.tls.clone()), tokio_postgres::NoTls)
        .await?;
    let tasks = TaskTracker::new();
    let driver = tasks.spawn(connection);
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        let messages = timeout(QUERY_TIMEOUT, client.simple_query(query.sql()))
            .await
            .map_err(|_elapsed| CatalogError::TimedOut)??;
        for message in &messages {
            if let SimpleQueryMessage::Row(row) = message {
                let columns = (0..row.len()).map(|column| row.get(column)).collect::<Vec<_>>();
                builder.row(query, &columns)?;
            }
        }
    }
    drop(client);
    driver.abort();
    Ok(builder.build())
}
