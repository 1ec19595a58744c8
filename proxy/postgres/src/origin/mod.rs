//! Opening a connection to a PostgreSQL origin: dial, TLS, login.

mod cancel_request;
mod frame;
mod login;
mod stream;

use std::{sync::Arc, time::Duration};

use origin::{
    config::OnHost,
    failover::{self, Moved, Reach, Server},
    net::{ConnectError, Framed},
    pool::{self, Doubt, Generation, Generations},
};
use serving::{
    config::DatabaseConfig, failovers::Failovers, observe::DatabaseMetrics, reception::Reception,
};
use tokio::time::Instant;

use self::stream::open_stream_to;
pub use self::{
    cancel_request::{CancelError, cancel},
    stream::open_stream,
};
pub(crate) use self::{frame::take_frame, login::Login};
use super::{
    backend::Backend,
    beginning::{Beginning, CancelTarget},
    block::Isolation,
};

/// Logs in at whichever of an origin's hosts.
#[derive(Debug)]
pub(crate) struct Finder {
    config: Arc<DatabaseConfig>,
    failovers: Failovers,
}

impl Finder {
    /// Of this config; what follows when its origin is elsewhere is the business of `failovers`.
    pub(crate) fn new(config: Arc<DatabaseConfig>, failovers: Failovers) -> Self {
        Self { config, failovers }
    }

    /// A session was refused what the host that it is `on` should do: whether another is in use now.
    pub(crate) async fn look_again(&self, on: &OnHost) -> bool {
        let within = self.config.pool.connect_timeout;
        failover::look_again(&self.config.origin, self, on, within).await
    }
}

impl Reach for Finder {
    type Connection = (Framed, Beginning, CancelTarget);

    async fn reach(
        &self,
        host: usize,
        within: Duration,
    ) -> Result<(Self::Connection, Server), ConnectError> {
        let stream = open_stream_to(&self.config, host, within).await?;
        let application = format!("jumpgate/{}", self.config.name);
        let mut login = Login::new(stream, &self.config.origin);
        login.begin(&application, &[]).await?;
        let (framed, beginning, mut key) = login.finish().await?;
        key.host = host;
        let server = server_of(&beginning);
        Ok(((framed, beginning, key), server))
    }

    fn moved(&self, moved: &Moved) {
        self.failovers.note(moved);
    }
}

/// A PostgreSQL database with our credentials for it.
#[derive(Debug)]
pub struct Origin {
    finder: Arc<Finder>,
    metrics: Arc<DatabaseMetrics>,
    reception: Reception,
    generations: Arc<Generations<Beginning>>,
    doubt: Arc<Doubt>,
}

impl Origin {
    /// The origin of a config.
    pub(crate) fn new(
        finder: Arc<Finder>,
        metrics: Arc<DatabaseMetrics>,
        generations: Arc<Generations<Beginning>>,
        doubt: Arc<Doubt>,
    ) -> Self {
        Self { finder, metrics, reception: Reception::default(), generations, doubt }
    }

    async fn open(&self) -> Result<Backend, ConnectError> {
        let DatabaseConfig { origin, pool, .. } = &*self.finder.config;
        loop {
            let since = self.generations.number();
            let ((framed, beginning, key), on) =
                failover::open(origin, &*self.finder, pool.connect_timeout).await?;
            let (parameters, isolation) = (beginning.0.clone(), isolation_of(&beginning));
            if let Some(generation) = Generation::of(beginning, since, &self.generations) {
                self.metrics.host.set(i64::try_from(on.host()).unwrap_or_default());
                let ends = (generation, pool.expiry());
                let mut backend = Backend::new(framed, parameters, key, ends);
                backend.isolation = isolation;
                backend.on = on;
                return Ok(backend);
            }
        }
    }
}

/// What is stored, part by part.
fn stored(beginning: &Beginning) -> Option<impl Iterator<Item = &str>> {
    // Behind the number of columns and the length.
    let text = std::str::from_utf8(beginning.1.as_ref()?.get(6..)?).ok()?;
    Some(text.split(';'))
}

/// How transactions are isolated where nobody says so, if that is known.
pub(crate) fn isolation_of(beginning: &Beginning) -> Option<Isolation> {
    Isolation::named_in(stored(beginning)?.next()?)
}

/// What a server is: one that does not say so is taken for a primary.
fn server_of(beginning: &Beginning) -> Server {
    let mut said = stored(beginning).into_iter().flatten().skip(1);
    let (recovers, read_only) = (said.next(), said.next());
    Server { is_standby: recovers == Some("true"), is_read_only: read_only == Some("on") }
}

impl pool::Origin for Origin {
    type Connection = Backend;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Backend, ConnectError> {
        let (began, config) = (Instant::now(), &self.finder.config);
        let opened = tokio::time::timeout(config.pool.connect_timeout, self.open()).await;
        let opened = opened.unwrap_or(Err(ConnectError::TimedOut));
        self.reception.note(&opened, began, &config.name, &self.metrics);
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
