//! Opening a connection to a PostgreSQL origin: dial, TLS, login.

mod cancel_request;
mod frame;
mod login;
mod stream;

use std::{sync::Arc, time::Duration};

use origin::{
    net::ConnectError,
    pool::{self, Doubt, Generation, Generations},
};
use serving::{config::DatabaseConfig, observe::DatabaseMetrics, reception::Reception};
use tokio::time::Instant;

pub use self::{
    cancel_request::{CancelError, cancel},
    stream::open_stream,
};
pub(crate) use self::{frame::take_frame, login::Login};
use super::{backend::Backend, beginning::Beginning, block::Isolation};

/// A PostgreSQL database with our credentials for it.
#[derive(Debug)]
pub struct Origin {
    config: Arc<DatabaseConfig>,
    metrics: Arc<DatabaseMetrics>,
    reception: Reception,
    generations: Arc<Generations<Beginning>>,
    doubt: Arc<Doubt>,
}

impl Origin {
    /// The origin of a config.
    pub(crate) fn new(
        config: Arc<DatabaseConfig>,
        metrics: Arc<DatabaseMetrics>,
        generations: Arc<Generations<Beginning>>,
        doubt: Arc<Doubt>,
    ) -> Self {
        Self { config, metrics, reception: Reception::default(), generations, doubt }
    }

    async fn open(&self) -> Result<Backend, ConnectError> {
        loop {
            let since = self.generations.number();
            let stream = open_stream(&self.config).await?;
            let application = format!("jumpgate/{}", self.config.name);
            let mut login = Login::new(stream, &self.config.origin);
            login.begin(&application, &[]).await?;
            let (framed, beginning, key) = login.finish().await?;
            let (parameters, isolation) = (beginning.0.clone(), isolation_of(&beginning));
            if let Some(generation) = Generation::of(beginning, since, &self.generations) {
                let ends = (generation, self.config.pool.expiry());
                let mut backend = Backend::new(framed, parameters, key, ends);
                backend.isolation = isolation;
                return Ok(backend);
            }
        }
    }
}

/// How transactions are isolated where nobody says so, if that is known.
pub(crate) fn isolation_of((_, stored): &Beginning) -> Option<Isolation> {
    // Behind the number of columns and the length.
    let text = std::str::from_utf8(stored.as_ref()?.get(6..)?).ok()?;
    Isolation::named_in(text.split(';').next()?)
}

impl pool::Origin for Origin {
    type Connection = Backend;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Backend, ConnectError> {
        let began = Instant::now();
        let opened = tokio::time::timeout(self.config.pool.connect_timeout, self.open()).await;
        let opened = opened.unwrap_or(Err(ConnectError::TimedOut));
        self.reception.note(&opened, began, &self.config.name, &self.metrics);
        opened
    }

    fn is_refusal(error: &ConnectError) -> bool {
        error.is_refusal()
    }

    fn check(
        &self,
        backend: &mut Backend,
        now: Instant,
        rested: Duration,
    ) -> Result<(), ConnectError> {
        backend.is_doubtful = self.doubt.covers(now - rested);
        if backend.is_usable(now, rested) { Ok(()) } else { Err(ConnectError::Ended) }
    }

    fn rest(backend: &Backend) -> bool {
        backend.framed.stream().rest()
    }
}
