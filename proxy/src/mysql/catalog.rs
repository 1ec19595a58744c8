//! What the origin's catalog says, read over a connection of its own and kept fresh.
//!
//! Until it is known, and after a change of the schema until it was read again, nothing is cached.

use std::{sync::Arc, time::Duration};

use cache::sql::mysql::{self, Catalog, CatalogBuilder, CatalogQuery, Classifier};
use parking_lot::RwLock;
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    database::Learnt,
    origin::{self, AskError},
};
use crate::{config::DatabaseConfig, net::ConnectError};

/// A catalog older than this is read again.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Time between two readings at least, however often the schema changes.
const SETTLE: Duration = Duration::from_millis(200);
/// Statements that come within this time of the start wait for the first reading.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// First and longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Longest time for reading the catalog, login included.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for one query of the catalog.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
/// What the memory of judged statements may hold per database.
const MEMO_BYTES: u64 = 8 << 20;

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

/// The present catalog of one origin.
#[derive(Debug, Default)]
pub(super) struct CatalogCell {
    state: RwLock<State>,
    outdated: Notify,
    read_once: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Classifier>,
    /// Raised with every change of the schema; a reading that began before one is thrown away.
    changes: u64,
}

impl CatalogCell {
    /// What judges by the present catalog, if it is known.
    pub(super) fn known(&self) -> Option<Classifier> {
        self.state.read().known.clone()
    }

    /// Waits until the catalog was read for the first time, or for the time a start may take.
    pub(super) async fn begun(&self, opened_at: Instant) {
        if !self.read_once.is_cancelled() {
            drop(timeout_at(opened_at + FIRST_WAIT, self.read_once.cancelled()).await);
        }
    }

    /// Forgets the catalog: the schema has changed.
    pub(super) fn outdate(&self) {
        let mut state = self.state.write();
        state.known = None;
        state.changes += 1;
        drop(state);
        self.outdated.notify_one();
    }

    /// How often the schema has changed, as far as we saw.
    pub(super) fn changes(&self) -> u64 {
        self.state.read().changes
    }

    /// Takes over a reading, unless the schema has changed since it began.
    fn learn(&self, catalog: Catalog, changes: u64) -> bool {
        let mut state = self.state.write();
        let is_current = state.changes == changes;
        if is_current {
            state.known = Some(Classifier::new(Arc::new(catalog), MEMO_BYTES));
        }
        self.read_once.cancel();
        is_current
    }

    /// Keeps the catalog fresh until the future is dropped.
    pub(super) async fn keep_fresh(&self, config: &DatabaseConfig, learnt: &Learnt) {
        let mut wait = RETRY.0;
        loop {
            let changes = self.changes();
            let reading = timeout(READ_TIMEOUT, read_and_learn(config, learnt)).await;
            match reading.unwrap_or(Err(CatalogError::TimedOut)) {
                Ok(catalog) => {
                    wait = RETRY.0;
                    if !self.learn(catalog, changes) {
                        tokio::time::sleep(SETTLE).await;
                        continue;
                    }
                    if timeout(MAX_AGE, self.outdated.notified()).await.is_ok() {
                        tokio::time::sleep(SETTLE).await;
                    }
                }
                Err(error) => {
                    complain(config, &error);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }
}

fn complain(config: &DatabaseConfig, error: &CatalogError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(database = %config.name, error, "nothing is cached yet");
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
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        let asking = origin::ask(&mut login.framed, login.capabilities, query.sql());
        let rows =
            timeout(QUERY_TIMEOUT, asking).await.map_err(|_elapsed| CatalogError::TimedOut)??;
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
