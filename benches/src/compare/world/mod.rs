//! The databases and Jumpgate, started for one comparison, and all who are compared.
//!
//! Everything listens on loopback and ends with the world: first what stands before the database, then that.

pub mod mysql;
pub mod postgres;

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    certificates::Authority,
    jumpgate::{CLIENT_PASSWORD, Engine, Jumpgate, Setup},
    metrics::{self, Metrics},
    mysql::Mysql,
    postgres::{APP_PASSWORD, Postgres},
};
use tempfile::TempDir;

use super::{
    contender::{Contender, Who},
    peers::{POOL_SIZE, Peer, pgbouncer},
};

/// A database, and all that stands before it.
///
/// Fields end in this order.
#[derive(Debug)]
pub struct World {
    contenders: Vec<Contender>,
    about: Vec<String>,
    jumpgates: Vec<Jumpgate>,
    _peers: Vec<Peer>,
    database: Database,
    authority: Authority,
    home: TempDir,
}

#[derive(Debug)]
enum Database {
    Postgres {
        server: Postgres,
        /// What it keeps of the password of `app`.
        verifier: String,
    },
    #[expect(dead_code, reason = "it is held to be ended")]
    MySql(Mysql),
}

/// A contender with a process that has done nothing yet.
#[derive(Debug)]
pub struct Fresh {
    /// It.
    pub contender: Contender,
    _process: Running,
}

#[derive(Debug)]
#[expect(dead_code, reason = "they are held to be ended")]
enum Running {
    Jumpgate(Box<Jumpgate>),
    Peer(Peer),
}

impl World {
    /// Everybody, in the order of the columns.
    #[must_use]
    pub fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    /// What takes part, with versions.
    #[must_use]
    pub fn about(&self) -> &[String] {
        &self.about
    }

    /// A folder for what the work needs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// What the cache has answered so far, and how many queries there were.
    ///
    /// # Errors
    ///
    /// Jumpgate does not tell.
    ///
    /// # Cancel safety
    ///
    /// Nothing but an answer is lost.
    pub async fn hits(&self) -> Result<(f64, f64)> {
        let jumpgate = self.jumpgates.first().context("there is no Jumpgate")?;
        let (status, body) = metrics::get(jumpgate.admin(), "/metrics").await?;
        ensure!(status == 200, "/metrics answers {status}");
        let (metrics, database) = (Metrics::parse(&body), ("database", "cached"));
        let hits = metrics.sum("jumpgate_queries_total", &[database, ("cache_status", "hit")]);
        Ok((hits, metrics.sum("jumpgate_queries_total", &[database])))
    }

    /// Starts another process of a contender, in front of the same database.
    ///
    /// # Errors
    ///
    /// It does not start, or nobody knows how to.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it.
    pub async fn fresh(&self, who: &Who) -> Result<Fresh> {
        let Database::Postgres { server, verifier } = &self.database else {
            bail!("only what stands before PostgreSQL is started anew");
        };
        let (origin, scheme) = (server.address(), "postgres");
        match who {
            Who::Jumpgate => {
                let setup = setup(Engine::Postgres, origin);
                let jumpgate = Jumpgate::start(&self.authority, origin, false, setup)?;
                let contender = Contender::unwatched(who.clone(), scheme, jumpgate.endpoint())
                    .watched(jumpgate.pid())?;
                Ok(Fresh { contender, _process: Running::Jumpgate(Box::new(jumpgate)) })
            }
            Who::PgBouncer => {
                let leaf = self.authority.leaf(&["localhost", "127.0.0.1"]);
                let peer = pgbouncer::start(origin, verifier, &leaf, "disable").await?;
                let endpoint = e2e::wire::Endpoint { address: peer.address, ..server.endpoint() };
                let contender = Contender::unwatched(who.clone(), scheme, endpoint);
                let contender = contender.watched(peer.pid())?;
                Ok(Fresh { contender, _process: Running::Peer(peer) })
            }
            _ => bail!("nobody knows how to start another {who}"),
        }
    }
}

/// Jumpgate without a cache, and a second database of it with one.
fn setup(engine: Engine, origin: SocketAddr) -> Setup {
    let (scheme, port) = (scheme(engine), origin.port());
    let more = format!(
        r#"
[log]
filter = "warn"
[[database]]
name = "cached"
[[database.user]]
name = "app"
password = "{CLIENT_PASSWORD}"
[database.origin]
scheme = "{scheme}"
host = "127.0.0.1"
port = {port}
database = "app"
user = "app"
password = "{APP_PASSWORD}"
[database.mtls]
sslmode = "{PLAINTEXT}"
[database.caching]
max_age = 3600
[database.pool]
origin_connection_limit = {POOL_SIZE}
"#
    );
    Setup {
        engine,
        pool_size: POOL_SIZE,
        caching: "disabled = true".into(),
        sslmode: PLAINTEXT,
        more,
        ..Setup::default()
    }
}

const fn scheme(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "postgres",
        Engine::MySql => "mysql",
    }
}

/// A folder of its own for the work.
fn folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("jumpgate-compare-").tempdir().context("a temporary folder")
}

const PLAINTEXT: &str = "plaintext-for-local-development";
