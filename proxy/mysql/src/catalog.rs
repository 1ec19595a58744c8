//! What the origin's catalog says, read over a connection of its own. It is kept fresh by [`serving::catalog`].

use std::sync::Arc;

use ::origin::{config::OnHost, net::ConnectError};
use cache::sql::mysql::{self, Catalog, CatalogBuilder, CatalogQuery, Classifier, Verdicts};
use serving::{
    catalog::{QUERY_TIMEOUT, READ_TIMEOUT},
    config::DatabaseConfig,
};
use tokio::time::timeout;

use super::{
    learnt::Learnt,
    origin::{self, AskError},
};

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No connection.
    #[error("no connection for reading the catalog")]
    Connect(#[from] ConnectError),
    /// A query failed.
    #[error("reading the catalog")]
    Query(#[from] AskError),
    /// A row is not what was asked for.
    #[error(transparent)]
    Row(#[from] mysql::CatalogError),
    /// A name that is not UTF-8, although we asked for utf8mb4.
    #[error("the catalog holds text that is not UTF-8")]
    Text(#[from] std::str::Utf8Error),
    /// A query took too long.
    #[error("reading the catalog took too long")]
    TimedOut,
}

/// The origins behind configs for MySQL and MariaDB.
pub(crate) type Origins = serving::known::Origins<Classifier, Learnt>;
/// A config's part in its origin.
pub(crate) type Part = serving::known::Part<Classifier, Learnt>;

/// Reads the catalog, within the time that a reading may take, for what judges by it.
pub(crate) async fn judge(
    config: &DatabaseConfig,
    learnt: &Learnt,
    verdicts: &Verdicts,
) -> Result<Classifier, CatalogError> {
    let reading = timeout(READ_TIMEOUT, read_and_learn(config, learnt)).await;
    let catalog = reading.unwrap_or(Err(CatalogError::TimedOut))?;
    Ok(Classifier::new(Arc::new(catalog), verdicts))
}

/// Reads the catalog over a connection of its own.
///
/// # Errors
///
/// [`CatalogError`].
pub async fn read(config: &DatabaseConfig) -> Result<Catalog, CatalogError> {
    read_and_learn(config, &Learnt::default()).await
}

async fn read_and_learn(config: &DatabaseConfig, learnt: &Learnt) -> Result<Catalog, CatalogError> {
    let program = format!("jumpgate/{} catalog", config.name);
    let mut login = origin::login(config, &program, false).await?;
    learnt.of_login(&login);
    let (framed, capabilities) = (&mut login.framed, login.capabilities);
    // Asked for all at once: one round trip, and in their order.
    CatalogQuery::ALL.iter().for_each(|query| origin::put_query(framed, capabilities, query.sql()));
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        let answer = timeout(QUERY_TIMEOUT, origin::answer(framed, capabilities)).await;
        let rows = answer.map_err(|_elapsed| CatalogError::TimedOut)??;
        for row in &rows {
            let columns = row
                .iter()
                .map(|cell| cell.as_deref().map(std::str::from_utf8).transpose())
                .collect::<Result<Vec<_>, _>>()?;
            builder.row(query, &columns)?;
        }
    }
    origin::leave(login.framed).await;
    Ok(builder.build())
}

/// Whether the origin has no thread of this id any more. Ids are not used twice, but after a restart. What goes on at a host
/// that is not in use any more concerns nobody: nothing of what was read there is kept.
pub(crate) async fn is_gone(
    config: &DatabaseConfig,
    on: &OnHost,
    thread: u32,
) -> Result<bool, CatalogError> {
    if !on.is_in_use() {
        return Ok(true);
    }
    let program = format!("jumpgate/{} question", config.name);
    let mut login = origin::login(config, &program, false).await?;
    let sql = format!("SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {thread}");
    let rows = origin::ask(&mut login.framed, login.capabilities, &sql).await?;
    origin::leave(login.framed).await;
    Ok(rows.is_empty())
}
