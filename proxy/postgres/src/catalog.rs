//! What the origin's catalog says, read with tokio-postgres over our own stream. It is kept fresh by
//! [`serving::catalog`].

use std::sync::Arc;

use cache::sql::postgres::{self, Catalog, CatalogBuilder, CatalogQuery, Classifier, Verdicts};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use origin::config::OnHost;
use serving::{
    catalog::{QUERY_TIMEOUT, READ_TIMEOUT},
    config::DatabaseConfig,
};
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

pub use super::asker::AskError;
use super::asker::Asker;

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// It cannot be asked.
    #[error("the catalog cannot be asked")]
    Asking(#[from] AskError),
    /// A row is not what was asked for.
    #[error(transparent)]
    Row(#[from] postgres::CatalogError),
}

/// The origins behind configs for PostgreSQL.
pub(crate) type Origins = serving::known::Origins<Classifier, ()>;
/// A config's part in its origin.
pub(crate) type Part = serving::known::Part<Classifier, ()>;

/// Reads the catalog, within the time that a reading may take, for what judges by it.
pub(crate) async fn judge(
    config: &DatabaseConfig,
    verdicts: &Verdicts,
) -> Result<Classifier, CatalogError> {
    let reading = timeout(READ_TIMEOUT, read(config)).await;
    let catalog = reading.unwrap_or(Err(AskError::TimedOut.into()))?;
    Ok(Classifier::new(Arc::new(catalog), verdicts))
}

/// Reads the catalog over a connection of its own.
///
/// # Errors
///
/// [`CatalogError`].
pub async fn read(config: &DatabaseConfig) -> Result<Catalog, CatalogError> {
    let asker = Asker::connect(config, &config.origin, "catalog").await?;
    // Asked for all at once: one round trip, and in their order.
    let answers = CatalogQuery::ALL.map(|query| asker.ask_in_any_time(query.sql()));
    let mut answers = answers.into_iter().collect::<FuturesOrdered<_>>();
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        let answer = timeout(QUERY_TIMEOUT, answers.next()).await;
        for message in answer.map_err(|_elapsed| AskError::TimedOut)?.transpose()?.iter().flatten()
        {
            if let SimpleQueryMessage::Row(row) = message {
                let columns = (0..row.len()).map(|column| row.get(column)).collect::<Vec<_>>();
                builder.row(query, &columns)?;
            }
        }
    }
    Ok(builder.build())
}

/// Whether the origin has no backend with this process id any more. Another may have been given the number since: then
/// this says no for longer than need be. What goes on at a host that is not in use any more concerns nobody: nothing of
/// what was read there is kept.
pub(crate) async fn is_gone(
    config: &DatabaseConfig,
    on: &OnHost,
    process: u32,
) -> Result<bool, CatalogError> {
    if !on.is_in_use() {
        return Ok(true);
    }
    let asker = Asker::connect(config, &config.origin, "question").await?;
    let sql = format!("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = {process}");
    let messages = asker.ask(&sql).await?;
    Ok(!messages.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))))
}
