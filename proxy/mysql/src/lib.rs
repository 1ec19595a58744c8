//! MySQL and MariaDB: sessions with clients, connections to origins.
//!
//! Start at [`serve`]: `handshake` brings a client from our greeting to a login, `session` serves it,
//! `plan` decides what a statement needs, `relay` passes packets on, `origin` and `backend` are the other side.

mod accepted;
mod adopt;
mod answers;
mod astray;
mod backend;
mod boundary;
mod bulk;
mod cancel;
mod capture;
pub mod catalog;
mod client_end;
mod clock;
mod columns_end;
mod commands;
mod counted;
mod coupled;
mod database;
mod definitions;
mod describe;
mod diagnosis;
mod facts;
mod fill;
mod forward;
mod handshake;
mod hear;
mod initial;
mod last;
mod learnt;
mod leave;
mod ledger;
mod moving;
pub mod origin;
mod outcome;
mod parts;
mod pins;
mod plan;
mod prepared;
mod questions;
mod refresh;
mod relay;
mod replay;
mod rsa;
mod session;
mod settings;
mod settle;
mod standing;
mod statements;
#[cfg(test)]
mod tests;
mod wait;
mod wire_error;
mod work;

use std::{sync::Arc, time::Duration};

use ::origin::net::{Stream, dial::tune};
use cache::sql::{
    Writes,
    mysql::{AnalysisMemo, Pin, Verdicts},
};
use serving::{
    arrivals::Stranger,
    config::{Config, DatabaseConfig, Engine},
    context::Common,
    directory::{Directory, Namesake},
    error::{ClientError, SessionError},
    known::OriginId,
    memory::Memory,
    observe::EventStatus,
};
use tokio::net::TcpStream;

pub use self::{
    backend::Backend,
    capture::findings,
    database::{Backends, Database},
    origin::Origin,
    settings::modes_of,
};
use self::{
    cancel::Threads,
    catalog::Origins,
    database::Memos,
    handshake::{Client, Opened},
    rsa::Vault,
    session::Session,
};

/// What every MySQL session shares.
#[derive(Debug)]
pub struct Context {
    common: Arc<Common>,
    directory: Arc<Directory<Database>>,
    threads: Arc<Threads>,
    analyses: AnalysisMemo,
    vault: Vault,
}

impl Context {
    /// Opens the pools that are not to wait for a client. Must be called within a tokio runtime.
    pub fn new(config: &Config, common: Arc<Common>) -> Arc<Self> {
        let (metrics, tasks) = (Arc::clone(&common.metrics), common.tasks.clone());
        let origins = Origins::new(common.cache.clone(), tasks.clone());
        let memory = Memory::of(config.cache.capacity_bytes);
        let statements = prepared::Memo::new(memory.shared_statements(), &common.statements);
        let memos = Memos { verdicts: Verdicts::new(memory.verdicts), statements };
        let open = move |config: &Arc<DatabaseConfig>, namesake: Option<Namesake<'_, Database>>| {
            let metrics = metrics.database(&config.name, &config.id);
            metrics.expect_pins(Pin::ALL.map(Pin::as_str));
            Database::open(Arc::clone(config), namesake, (&origins, &memos), (metrics, &tasks))
        };
        let directory = Arc::new(Directory::new(Engine::MySql, config, open));
        let pools = Arc::downgrade(&directory);
        common.metrics.at_scrape(move || {
            let Some(pools) = pools.upgrade() else { return };
            for database in pools.opened() {
                database.metrics.pool(database.pool.status());
            }
        });
        Arc::new(Self {
            common,
            directory,
            threads: Arc::default(),
            analyses: AnalysisMemo::new(memory.analyses),
            vault: Vault::default(),
        })
    }

    /// Whether a thread id is one that we gave to a client.
    fn is_ours(&self, id: u32) -> bool {
        self.threads.is_ours(id)
    }

    /// Forgets what is kept of a database, or of some of its tables, for every config that leads to the same origin.
    /// False where there is none of this name, and of this id if one is given.
    pub fn purge(&self, name: &str, id: Option<&str>, writes: &Writes) -> bool {
        let found = self.directory.find(name);
        let found = found.filter(|it| id.is_none_or(|id| it.config().id == id));
        if let Some(database) = &found {
            let scope: Arc<str> = OriginId::of(database.config()).to_string().into();
            self.common.cache.invalidate_everywhere(&scope, writes);
        }
        found.is_some()
    }

    /// Whether an origin says that a backend of it is gone; `None` where it cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn is_gone(&self, scope: &str, backend: u32) -> Option<bool> {
        let opened = self.directory.opened();
        let database = opened.iter().find(|it| **it.catalog.scope() == *scope)?;
        // Which host it was on nobody knows: what another does is of the past.
        let hosts = &database.config.origin.hosts;
        catalog::is_gone(&database.config, &hosts.on(hosts.choice()), backend).await.ok()
    }

    /// Another node says that the schema of an origin has changed.
    pub fn schema_changed(&self, scope: &str) {
        for database in self.directory.opened() {
            if **database.catalog.scope() == *scope {
                database.catalog.outdate_here();
            }
        }
    }

    /// The databases with `min_idle` of which not so many connections are open, or the catalog was never read.
    pub fn cold(&self) -> Vec<String> {
        self.directory.cold(|it| it.pool.is_warm() && it.catalog.has_begun())
    }

    /// Takes in a new file: what changed serves the sessions that begin from now on.
    pub fn reload(&self, config: &Config) {
        self.directory.reload(config);
    }
}

/// Serves one client from our greeting to its last byte.
///
/// # Errors
///
/// Why it ended early. The client has been told where it could be.
pub async fn serve(
    stream: TcpStream,
    context: Arc<Context>,
    stranger: Stranger,
) -> Result<(), SessionError> {
    let write_timeout = context.common.listen().write_timeout;
    // Boxed: a session does not keep room for how it was opened.
    let opened = Box::pin(open(stream, &context, stranger)).await?;
    let Some(client) = opened else { return Ok(()) };
    let metrics = Arc::clone(&client.database.metrics);
    let result = Box::new(Session::new(*client, context, write_timeout)).run().await;
    metrics.session(if result.is_ok() { EventStatus::Complete } else { EventStatus::Error });
    result
}

/// A client that has logged in; `None` for one that left before.
async fn open(
    stream: TcpStream,
    context: &Arc<Context>,
    stranger: Stranger,
) -> Result<Option<Box<Client>>, SessionError> {
    tune(&stream).map_err(SessionError::ClientLost)?;
    let listen = context.common.listen();
    let opening = handshake::open(Stream::Tcp(stream), &listen, context);
    match context.common.in_time(&stranger, opening).await? {
        Opened::Nothing => Ok(None),
        Opened::Client(client) => Ok(Some(client)),
    }
}

/// Tells a client that there are too many (1040), where the greeting would be.
///
/// # Errors
///
/// Always: the client is refused.
pub async fn refuse(stream: TcpStream, _context: Arc<Context>) -> Result<(), SessionError> {
    let told = handshake::refuse(Stream::Tcp(stream), ClientError::TooManyConnections);
    tokio::time::timeout(Duration::from_secs(5), told)
        .await
        .map_err(|_elapsed| SessionError::ClientStuck)??;
    Err(ClientError::TooManyConnections.into())
}
