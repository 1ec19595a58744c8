//! The listeners: accept clients, give each a task, and drain.
//!
//! But for the tools at a terminal the only file that names both engines. It knows how a session begins and
//! that it ends, and nothing of what happens in between.

mod fixed;
#[cfg(test)]
mod tests;

use std::{future::pending, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use cache::Cache;
use serving::{
    arrivals::Stranger,
    config::{Config, Engine},
    context::Common,
    error::{Blame, SessionError},
    files::REFUSALS_MAX,
    observe::Metrics,
    shutdown::Shutdown,
    until::until,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, debug, error, info, info_span, warn};

use fixed::Fixed;

use crate::{
    admin::{self, Lack, Phase, Purge, Readiness},
    for_nodes::ForNodes,
    warm::Cold,
};

/// After a failed accept (no file descriptors left, mostly) this much air.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the proxy could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address from the file.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The admin listener stopped.
    #[error("the admin listener stopped")]
    Admin(#[source] io::Error),
}

/// A proxy that listens, and serves once it is run.
#[derive(Debug)]
pub struct Server {
    doors: Doors,
    admin: Option<Listener>,
    fixed: Fixed,
    common: Arc<Common>,
    postgres: Arc<postgres::Context>,
    mysql: Arc<mysql::Context>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    phase: watch::Sender<Phase>,
    lack: Lack,
    refusals: Arc<Semaphore>,
}

/// A socket and the address it really has.
#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Where clients come in; each engine has its own door.
#[derive(Debug)]
struct Doors {
    postgres: Option<Listener>,
    mysql: Option<Listener>,
}

impl Doors {
    /// The next client at any of them.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, no client has been taken.
    async fn accept(&self) -> io::Result<(Engine, TcpStream, SocketAddr)> {
        let (engine, accepted) = tokio::select! {
            accepted = accept(self.postgres.as_ref()) => (Engine::Postgres, accepted),
            accepted = accept(self.mysql.as_ref()) => (Engine::MySql, accepted),
        };
        accepted.map(|(stream, peer)| (engine, stream, peer))
    }
}

/// Whether only the one client was lost that was to be accepted (accept(2)).
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}

/// Nobody comes in where there is no door.
async fn accept(door: Option<&Listener>) -> io::Result<(TcpStream, SocketAddr)> {
    match door {
        Some(door) => door.socket.accept().await,
        None => pending().await,
    }
}

impl Server {
    /// Opens the sockets and makes what sessions share.
    ///
    /// # Errors
    ///
    /// [`ServerError::Bind`] names the address that cannot be had.
    pub async fn bind(config: Config, shutdown: Shutdown) -> Result<Self, ServerError> {
        let doors = Doors {
            postgres: Listener::bind(config.listen.postgres).await?,
            mysql: Listener::bind(config.listen.mysql).await?,
        };
        let admin = Listener::bind(config.admin).await?;
        let metrics = Arc::new(Metrics::new());
        let common = Common::new(&config, Arc::clone(&metrics), &shutdown);
        Ok(Self {
            doors,
            admin,
            fixed: Fixed::of(&config),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            postgres: postgres::Context::new(&config, Arc::clone(&common)),
            mysql: mysql::Context::new(&config, Arc::clone(&common)),
            common,
            metrics,
            shutdown,
            phase: watch::channel(Phase::Starting).0,
            lack: Lack::default(),
        })
    }

    /// Where clients of an engine connect; the real port where the file says 0.
    pub fn address(&self, engine: Engine) -> Option<SocketAddr> {
        let door = match engine {
            Engine::Postgres => &self.doors.postgres,
            Engine::MySql => &self.doors.mysql,
        };
        door.as_ref().map(|door| door.address)
    }

    /// Where the admin pages are.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// What counts, for whoever else has something to count.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Says what the proxy lacks to be ready.
    pub fn lack(&self) -> Lack {
        self.lack.clone()
    }

    /// Where it is in its life.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Which databases are not warm.
    fn cold(&self) -> Cold {
        let (postgres, mysql) = (Arc::clone(&self.postgres), Arc::clone(&self.mysql));
        Cold::new(move || [postgres.cold(), mysql.cold()].concat())
    }

    /// The result cache.
    pub fn cache(&self) -> Cache {
        self.common.cache.clone()
    }

    /// What other nodes may ask of it.
    pub fn for_nodes(&self) -> ForNodes {
        ForNodes::new(Arc::clone(&self.postgres), Arc::clone(&self.mysql))
    }

    /// Has what is kept of databases forgotten.
    pub fn purge(&self) -> Purge {
        let (postgres, mysql) = (Arc::clone(&self.postgres), Arc::clone(&self.mysql));
        // A name of both engines means both.
        Purge::new(move |name, id, writes| {
            postgres.purge(name, id, writes) | mysql.purge(name, id, writes)
        })
    }

    /// Serves until the drain is over, and takes in each new config that comes meanwhile.
    ///
    /// # Errors
    ///
    /// [`ServerError::Admin`] where the admin listener stops of itself.
    pub async fn run(mut self, reloads: mpsc::Receiver<Config>) -> Result<(), ServerError> {
        let pages_end = CancellationToken::new();
        let pages = self.admin.take().map(|admin| {
            let (phase, lack, cold) = (self.phase.subscribe(), self.lack.clone(), self.cold());
            let readiness = Readiness { phase, lack, cold };
            let metrics = Arc::clone(&self.metrics);
            admin::serve(admin.socket, metrics, readiness, self.purge(), pages_end.clone())
        });
        let pages = async {
            match pages {
                Some(pages) => pages.await.map_err(ServerError::Admin),
                None => Ok(()),
            }
        };
        let metrics = Arc::clone(&self.metrics);
        let clients = async {
            self.serve(reloads).await;
            pages_end.cancel();
            Ok(())
        };
        tokio::select! {
            ended = async { tokio::try_join!(clients, pages) } => ended.map(|((), ())| ()),
            () = metrics.count_minutes() => Ok(()),
        }
    }

    async fn serve(self, mut reloads: mpsc::Receiver<Config>) {
        let tasks = TaskTracker::new();
        let mut is_paused = false;
        let warm = self.cold().wait();
        tokio::pin!(warm);
        loop {
            tokio::select! {
                () = self.shutdown.drain().given() => break,
                () = &mut warm, if *self.phase.borrow() == Phase::Starting => {
                    self.phase.send_replace(Phase::Serving);
                }
                Some(config) = reloads.recv() => self.reload(&config),
                accepted = self.doors.accept() => match accepted {
                    Ok((engine, stream, peer)) => {
                        if std::mem::take(&mut is_paused) {
                            info!("accepting clients again");
                        }
                        self.admit(engine, stream, peer, &tasks);
                    }
                    Err(error) if is_of_one_client(&error) => {
                        debug!(error = &error as &dyn std::error::Error, "a client had gone");
                    }
                    Err(error) => {
                        // It fails until something ends: told once, and not tried in a loop.
                        if !std::mem::replace(&mut is_paused, true) {
                            let error = &error as &dyn std::error::Error;
                            warn!(error, "cannot accept clients, trying on");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        self.phase.send_replace(Phase::Draining);
        // New clients are refused by the operating system from here on.
        drop(self.doors);
        tasks.close();
        // Each task ends by itself, at the latest when the end is asked for.
        tasks.wait().await;
        info!("drained");
    }

    fn reload(&self, config: &Config) {
        let ignored = self.fixed.differing(&Fixed::of(config));
        if !ignored.is_empty() {
            let ignored = ignored.join(", ");
            warn!(ignored, "some of what changed in the file takes effect only with a restart");
        }
        self.common.reload(config);
        self.postgres.reload(config);
        self.mysql.reload(config);
        self.metrics.totals.reloaded(true);
        info!(databases = config.databases.len(), "reloaded");
    }

    /// Gives a client its task, or its refusal.
    fn admit(&self, engine: Engine, stream: TcpStream, peer: SocketAddr, tasks: &TaskTracker) {
        let end = self.shutdown.end().clone();
        let span = info_span!("client", %peer, user = tracing::field::Empty, database = tracing::field::Empty);
        if self.common.has_place() {
            let entered = self.metrics.client_connections.enter();
            let stranger = self.common.arrivals.admit(peer.ip());
            let served = self.serve_one(engine, stream, stranger);
            let session = async move {
                let _held = entered;
                match until(served, end.given()).await {
                    Ok(outcome) => log(outcome),
                    Err(()) => info!("session cut off"),
                }
            };
            tasks.spawn(session.instrument(span));
            return;
        }
        self.common.note_full();
        if let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned() {
            let refused = self.refuse_one(engine, stream);
            let refusal = async move {
                let _held: OwnedSemaphorePermit = turn;
                if let Ok(outcome) = until(refused, end.given()).await {
                    log(outcome);
                }
            };
            tasks.spawn(refusal.instrument(span));
        }
    }

    fn serve_one(&self, engine: Engine, stream: TcpStream, stranger: Stranger) -> Served {
        match engine {
            Engine::Postgres => {
                Box::pin(postgres::serve(stream, Arc::clone(&self.postgres), stranger))
            }
            Engine::MySql => Box::pin(mysql::serve(stream, Arc::clone(&self.mysql), stranger)),
        }
    }

    fn refuse_one(&self, engine: Engine, stream: TcpStream) -> Served {
        match engine {
            Engine::Postgres => Box::pin(postgres::refuse(stream, Arc::clone(&self.postgres))),
            Engine::MySql => Box::pin(mysql::refuse(stream, Arc::clone(&self.mysql))),
        }
    }
}

/// A session of either engine. Boxed, so that no client pays for the larger of the two.
type Served = Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>;

impl Listener {
    /// Opens the socket of an address, if there is one.
    async fn bind(address: Option<SocketAddr>) -> Result<Option<Self>, ServerError> {
        let Some(address) = address else { return Ok(None) };
        let failed = |source| ServerError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Some(Self { socket, address }))
    }
}

/// The one place where a session's end is logged.
fn log(outcome: Result<(), SessionError>) {
    let error = match outcome {
        Ok(()) => return debug!("session complete"),
        // Asked for, and nobody's fault.
        Err(SessionError::ShutDown) => return debug!("session ended by the drain"),
        Err(error) => error,
    };
    let shown = &error as &dyn std::error::Error;
    match error.blame() {
        Blame::Client if error.is_refusal() => info!(error = shown, "session ended"),
        Blame::Client => debug!(error = shown, "session ended"),
        Blame::Backend => warn!(error = shown, "session ended"),
        Blame::Proxy => error!(error = shown, "session ended"),
    }
}
