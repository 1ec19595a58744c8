//! PostgreSQL: sessions with clients, connections to origins.
//!
//! Start at [`serve`]: `handshake` brings a client from its first byte to a login, `session` serves it,
//! `plan` decides what a request needs, `relay` moves frames, `origin` and `backend` are the other side.

mod adopt;
mod backend;
mod batch;
mod cancel;
pub mod catalog;
mod database;
mod directory;
mod fill;
mod forward;
mod handshake;
mod leave;
mod ledger;
pub mod origin;
mod plan;
mod prepared;
mod questions;
mod relay;
mod replay;
mod session;
mod settings;
mod statements;
mod wait;
mod wire_error;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use cache::{Cache, CacheLimits, sql::AnalysisMemo};
use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    backend::{Backend, CancelTarget},
    cancel::CancelKeys,
    database::Database,
    origin::Origin,
};
use self::{directory::Directory, handshake::Opened, session::Session};
use crate::{
    config::{Config, ListenConfig},
    error::{ClientError, SessionError},
    net::{Stream, dial::tune},
    observe::{EventStatus, Metrics},
    shutdown::Shutdown,
};

/// What the memory of analysed texts may hold, for all databases.
const ANALYSIS_BYTES: u64 = 64 << 20;

/// What every session shares.
#[derive(Debug)]
pub struct Context {
    directory: Arc<Directory>,
    listen: RwLock<Arc<ListenConfig>>,
    cancel: Arc<CancelKeys>,
    cache: Cache,
    analyses: AnalysisMemo,
    tasks: TaskTracker,
    drain: CancellationToken,
    end: CancellationToken,
    /// Makes the salt of a user that does not exist the same each time it is asked for.
    mock_secret: [u8; 32],
}

impl Context {
    /// Opens the pools. Must be called within a tokio runtime.
    pub fn new(config: Config, metrics: Arc<Metrics>, shutdown: Shutdown) -> Arc<Self> {
        let cache = Cache::new(CacheLimits {
            capacity_bytes: config.cache.capacity_bytes,
            max_entry_bytes: config.cache.max_entry_bytes,
        });
        let tasks = TaskTracker::new();
        let directory = Directory::new(&config, Arc::clone(&metrics), tasks.clone());
        let (scraped, shown, pools) =
            (cache.clone(), Arc::downgrade(&metrics), Arc::clone(&directory));
        metrics.at_scrape(move || {
            let Some(metrics) = shown.upgrade() else { return };
            let stats = scraped.stats();
            metrics.cache_bytes.set(i64::try_from(stats.bytes).unwrap_or(i64::MAX));
            metrics.cache_entries.set(i64::try_from(stats.entries).unwrap_or(i64::MAX));
            for database in pools.all() {
                let status = database.pool.status();
                database.metrics.pool_idle.set(status.idle.into());
                database.metrics.pool_in_use.set((status.connections - status.idle).into());
            }
        });
        Arc::new(Self {
            directory,
            listen: RwLock::new(Arc::new(config.listen)),
            cancel: Arc::default(),
            cache,
            analyses: AnalysisMemo::new(ANALYSIS_BYTES),
            tasks,
            drain: shutdown.drain().clone(),
            end: shutdown.end().clone(),
            mock_secret: rand::random(),
        })
    }

    /// Takes in a new file: what changed serves the sessions that begin from now on.
    pub fn reload(&self, config: &Config) {
        self.directory.reload(config);
        *self.listen.write() = Arc::new(config.listen.clone());
    }

    fn listen(&self) -> Arc<ListenConfig> {
        Arc::clone(&self.listen.read())
    }
}

/// Serves one client from its first byte to its last.
///
/// # Errors
///
/// Why it ended early. The client has been told where it could be.
pub async fn serve(
    stream: TcpStream,
    _peer: SocketAddr,
    context: Arc<Context>,
) -> Result<(), SessionError> {
    tune(&stream).map_err(SessionError::ClientLost)?;
    let listen = context.listen();
    let opening = handshake::open(Stream::Tcp(stream), &listen, &context);
    let opened = tokio::time::timeout(listen.login_timeout, opening).await;
    let client = match opened.unwrap_or(Err(SessionError::ClientStuck))? {
        Opened::Cancel { process, secret, mut framed } => {
            context.cancel.deliver(process, &secret).await;
            // A driver that asked by TLS wants to see it closed in order.
            return framed.shutdown().await.map_err(SessionError::ClientLost);
        }
        Opened::Nothing => return Ok(()),
        Opened::Client(client) => *client,
    };
    tracing::Span::current().record("database", client.database.config.name.as_str());
    let metrics = Arc::clone(&client.database.metrics);
    let result = Session::new(client, Arc::clone(&context), listen.write_timeout).run().await;
    metrics.session(if result.is_ok() { EventStatus::Complete } else { EventStatus::Error });
    result
}

/// Tells a client that there are too many (53300), as soon as it has said what it wants.
///
/// # Errors
///
/// Always: the client is refused.
pub async fn refuse(
    stream: TcpStream,
    _peer: SocketAddr,
    context: Arc<Context>,
) -> Result<(), SessionError> {
    let listen = context.listen();
    let told = handshake::refuse(Stream::Tcp(stream), &listen, ClientError::TooManyConnections);
    tokio::time::timeout(Duration::from_secs(5), told)
        .await
        .map_err(|_elapsed| SessionError::ClientStuck)??;
    Err(ClientError::TooManyConnections.into())
}
