//! A connection of our own, beside the pool, for questions that no client asks.

use origin::net::ConnectError;
use serving::{
    catalog::QUERY_TIMEOUT,
    config::{DatabaseConfig, OriginConfig},
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::SimpleQueryMessage;
use tokio_util::task::TaskTracker;

use super::{guard::Guarded, origin::open_stream};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection.
    #[error("no connection for a question of our own")]
    Connect(#[from] ConnectError),
    /// The database refused it.
    #[error("a question of our own was refused")]
    Query(#[from] tokio_postgres::Error),
    /// It took too long.
    #[error("a question of our own took too long")]
    TimedOut,
}

/// A connection of our own, for as long as it lives.
pub(crate) struct Asker {
    client: tokio_postgres::Client,
    driver: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Asker {
    /// Opens it, the way of a config, with the login of `origin`.
    pub(crate) async fn connect(
        config: &DatabaseConfig,
        origin: &OriginConfig,
        purpose: &str,
    ) -> Result<Self, AskError> {
        let stream = open_stream(config).await?;
        let (client, connection) = tokio_postgres::Config::new()
            .user(&origin.user)
            .password(origin.password.now().expose())
            .dbname(&origin.database)
            .application_name(format!("jumpgate/{} {purpose}", config.name))
            .connect_raw(Guarded::new(stream, origin.tls.clone()), tokio_postgres::NoTls)
            .await?;
        let driver = TaskTracker::new().spawn(connection);
        Ok(Self { client, driver })
    }

    /// Asks, and waits for the answer. What is asked meanwhile goes behind it.
    pub(crate) async fn ask(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, AskError> {
        timeout(QUERY_TIMEOUT, self.ask_in_any_time(sql)).await.unwrap_or(Err(AskError::TimedOut))
    }

    /// As [`ask`](Self::ask), for as long as it takes.
    pub(crate) async fn ask_in_any_time(
        &self,
        sql: &str,
    ) -> Result<Vec<SimpleQueryMessage>, AskError> {
        Ok(self.client.simple_query(sql).await?)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
