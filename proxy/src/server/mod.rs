//! The listener: accepts clients, gives each a task, and drains.
//!
//! The only file that names the engines. It knows how a session begins and that it ends, and nothing
//! of what happens in between.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::{
    config::{Config, ListenConfig},
    error::{Blame, SessionError},
    observe::{
        Metrics,
        http::{self, Phase},
    },
    postgres::{self, Context},
    shutdown::Shutdown,
};

/// Clients above `max_clients` that are being told so at once; more are dropped without a word.
const REFUSALS_MAX: usize = 64;
/// After a failed accept (no file descriptors left, mostly) this much air.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    listener: Listener,
    admin: Option<Listener>,
    listen: ListenAddresses,
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    phase: watch::Sender<Phase>,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

/// A socket and the address it really has.
#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// What a reload cannot change.
#[derive(Debug, PartialEq, Eq)]
struct ListenAddresses {
    postgres: SocketAddr,
    admin: Option<SocketAddr>,
    max_clients: usize,
}

impl ListenAddresses {
    fn of(config: &Config) -> Self {
        let ListenConfig { postgres, max_clients, .. } = config.listen;
        Self { postgres, admin: config.admin, max_clients }
    }
}

impl Server {
    /// Opens the sockets and makes what sessions share.
    ///
    /// # Errors
    ///
    /// [`ServerError::Bind`] names the address that cannot be had.
    pub async fn bind(config: Config, shutdown: Shutdown) -> Result<Self, ServerError> {
        let listener = Listener::bind(config.listen.postgres).await?;
        let admin = match config.admin {
            Some(address) => Some(Listener::bind(address).await?),
            None => None,
        };
        let metrics = Arc::new(Metrics::new());
        Ok(Self {
            listener,
            admin,
            listen: ListenAddresses::of(&config),
            places: Arc::new(Semaphore::new(config.listen.max_clients)),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            context: Context::new(config, Arc::clone(&metrics), shutdown.clone()),
            metrics,
            shutdown,
            phase: watch::channel(Phase::Starting).0,
        })
    }

    /// Where PostgreSQL clients connect; the real port where the file says 0.
    pub const fn postgres_address(&self) -> SocketAddr {
        self.listener.address
    }

    /// Where the admin pages are.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// Serves until the drain is over, and takes in each new config that comes meanwhile.
    ///
    /// # Errors
    ///
    /// [`ServerError::Admin`] where the admin listener stops of itself.
    pub async fn run(mut self, reloads: mpsc::Receiver<Config>) -> Result<(), ServerError> {
        let pages_end = CancellationToken::new();
        let pages = self.admin.take().map(|admin| {
            let phase = self.phase.subscribe();
            http::serve(admin.socket, Arc::clone(&self.metrics), phase, pages_end.clone())
        });
        let pages = async {
            match pages {
                Some(pages) => pages.await.map_err(ServerError::Admin),
                None => Ok(()),
            }
        };
        let clients = async {
            self.serve(reloads).await;
            pages_end.cancel();
            Ok(())
        };
        tokio::try_join!(clients, pages).map(|((), ())| ())
    }

    async fn serve(self, mut reloads: mpsc::Receiver<Config>) {
        let tasks = TaskTracker::new();
        self.phase.send_replace(Phase::Serving);
        loop {
            tokio::select! {
                () = self.shutdown.drain().cancelled() => break,
                Some(config) = reloads.recv() => self.reload(&config),
                accepted = self.listener.socket.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer, &tasks),
                    Err(error) => {
                        warn!(error = &error as &dyn std::error::Error, "cannot accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        self.phase.send_replace(Phase::Draining);
        // New clients are refused by the operating system from here on.
        drop(self.listener);
        tasks.close();
        // Each task ends by itself, at the latest when the end is asked for.
        tasks.wait().await;
        info!("drained");
    }

    fn reload(&self, config: &Config) {
        if ListenAddresses::of(config) != self.listen {
            warn!("listen, admin and max_clients change only with a restart");
        }
        self.context.reload(config);
        info!(databases = config.databases.len(), "reloaded");
    }

    /// Gives a client its task, or its refusal.
    fn admit(&self, stream: TcpStream, peer: SocketAddr, tasks: &TaskTracker) {
        let context = Arc::clone(&self.context);
        let end = self.shutdown.end().clone();
        let span = info_span!("client", %peer, user = tracing::field::Empty, database = tracing::field::Empty);
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let entered = self.metrics.client_connections.enter();
            let session = async move {
                let _held: (OwnedSemaphorePermit, _) = (place, entered);
                tokio::select! {
                    outcome = postgres::serve(stream, peer, context) => log(outcome),
                    () = end.cancelled() => info!("session cut off"),
                }
            };
            tasks.spawn(session.instrument(span));
        } else if let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned() {
            let refusal = async move {
                let _held = turn;
                tokio::select! {
                    outcome = postgres::refuse(stream, peer, context) => log(outcome),
                    () = end.cancelled() => {}
                }
            };
            tasks.spawn(refusal.instrument(span));
        }
    }
}

impl Listener {
    async fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
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
        Blame::Client => debug!(error = shown, "session ended"),
        Blame::Backend => warn!(error = shown, "session ended"),
        Blame::Proxy => error!(error = shown, "session ended"),
    }
}
