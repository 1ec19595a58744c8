//! PostgreSQL: sessions with clients, connections to origins.
//!
//! Start at [`serve`]: `handshake` brings a client from its first byte to a login, `session` serves it,
//! `plan` decides what a request needs, `relay` moves frames, `origin` and `backend` are the other side.

mod adopt;
mod ahead;
mod asker;
mod backend;
mod batch;
mod begin;
mod beginning;
mod begun;
mod believed;
mod block;
mod cancel;
mod capture;
pub mod catalog;
mod client;
mod client_end;
mod counted;
mod database;
mod described;
mod facts;
mod failure;
mod fill;
mod follow;
mod forward;
mod guard;
mod handshake;
mod hearing;
mod held;
mod idle;
mod intake;
mod lacking;
mod leave;
mod ledger;
mod meaning;
mod names;
mod opening;
pub mod origin;
mod outcome;
mod parameters;
mod parting;
mod places;
mod plan;
mod portals;
mod prepared;
mod questions;
mod ready;
mod recall;
mod refresh;
mod relay;
mod replay;
mod request;
mod reset;
mod reworded;
mod said;
mod say_again;
mod sequences;
mod session;
mod settings;
mod settled;
mod sql_prepare;
mod starts;
mod statements;
mod status;
#[cfg(test)]
mod tests;
mod wait;
mod waiting;
mod wire_error;
mod work;

use std::{sync::Arc, time::Duration};

use ::origin::net::{Stream, dial::tune};
use cache::sql::{
    Writes,
    postgres::{AnalysisMemo, Pin, Verdicts},
};
use serving::{
    arrivals::Stranger,
    config::{Config, DatabaseConfig, Engine},
    context::{Common, Place},
    directory::{Directory, Namesake},
    error::{ClientError, SessionError},
    known::OriginId,
    memory::Memory,
    observe::EventStatus,
};
use tokio::{net::TcpStream, sync::Semaphore};

pub use self::{
    backend::Backend,
    beginning::CancelTarget,
    cancel::CancelKeys,
    capture::findings,
    database::{Backends, Database},
    guard::Guarded,
    origin::Origin,
};
use self::{
    catalog::Origins,
    database::Memos,
    handshake::{LoggedIn, Opened},
    session::Session,
};

/// As many passwords that take long are salted at once; a storm of logins must leave processors to the relays.
const SALTED_AT_ONCE: usize = 2;

/// What every PostgreSQL session shares.
#[derive(Debug)]
pub struct Context {
    common: Arc<Common>,
    directory: Arc<Directory<Database>>,
    cancel: Arc<CancelKeys>,
    analyses: AnalysisMemo,
    statements: prepared::Memo,
    /// Where passwords are salted that take long.
    salting: Arc<Semaphore>,
}

impl Context {
    /// Opens the pools that are not to wait for a client. Must be called within a tokio runtime.
    pub fn new(config: &Config, common: Arc<Common>) -> Arc<Self> {
        let (metrics, tasks) = (Arc::clone(&common.metrics), common.tasks.clone());
        let origins = Origins::new(common.cache.clone(), tasks.clone());
        let memory = Memory::of(config.cache.capacity_bytes);
        let statements = prepared::Memo::new(memory.shared_statements(), &common.statements);
        let verdicts = Verdicts::new(memory.verdicts);
        let memos = Memos { verdicts, statements: statements.clone() };
        let open = move |config: &Arc<DatabaseConfig>, namesake: Option<Namesake<'_, Database>>| {
            let metrics = metrics.database(&config.name, &config.id);
            metrics.expect_pins(Pin::ALL.map(Pin::as_str));
            Database::open(Arc::clone(config), namesake, (&origins, &memos), (metrics, &tasks))
        };
        let directory = Arc::new(Directory::new(Engine::Postgres, config, open));
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
            cancel: Arc::default(),
            analyses: AnalysisMemo::new(memory.analyses),
            statements,
            salting: Arc::new(Semaphore::new(SALTED_AT_ONCE)),
        })
    }

    /// Forgets what is kept of a database, or of some of its tables, for every config that leads to the same origin.
    /// False where there is none of this name, and of this id if one is given.
    pub fn purge(&self, name: &str, id: Option<&str>, writes: &Writes) -> bool {
        let found = self.directory.find(name);
        let found = found.filter(|it| id.is_none_or(|id| it.config().id == id));
        if let Some(database) = &found {
            let scope: Arc<str> = OriginId::of(database.config()).to_string().into();
            self.common.cache.invalidate_everywhere(&scope, writes);
            // Of all databases: they are asked for once more.
            self.statements.forget_answers();
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

/// Serves one client from its first byte to its last.
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
    let Some((client, _place)) = opened else { return Ok(()) };
    let metrics = Arc::clone(&client.database.metrics);
    let result = Session::of(client, context, write_timeout).run().await;
    metrics.session(if result.is_ok() { EventStatus::Complete } else { EventStatus::Error });
    result
}

/// A client that has logged in; `None` for one that wanted something else.
async fn open(
    stream: TcpStream,
    context: &Arc<Context>,
    stranger: Stranger,
) -> Result<Option<(Box<LoggedIn>, Place)>, SessionError> {
    tune(&stream).map_err(SessionError::ClientLost)?;
    let listen = context.common.listen();
    let opening = handshake::open(Stream::Tcp(stream), &listen, context);
    match context.common.in_time(&stranger, opening).await? {
        Opened::Cancel { process, secret, mut framed } => {
            context.cancel.deliver(process, &secret).await;
            // A driver that asked by TLS wants to see it closed in order.
            framed.shutdown().await.map_err(SessionError::ClientLost)?;
            Ok(None)
        }
        Opened::Nothing => Ok(None),
        Opened::Client(client, place) => Ok(Some((client, place))),
    }
}

/// Tells a client that there are too many (53300), as soon as it has said what it wants.
///
/// # Errors
///
/// Always: the client is refused.
pub async fn refuse(stream: TcpStream, context: Arc<Context>) -> Result<(), SessionError> {
    let listen = context.common.listen();
    let told = handshake::refuse(Stream::Tcp(stream), &listen, ClientError::TooManyConnections);
    tokio::time::timeout(Duration::from_secs(5), told)
        .await
        .map_err(|_elapsed| SessionError::ClientStuck)??;
    Err(ClientError::TooManyConnections.into())
}
