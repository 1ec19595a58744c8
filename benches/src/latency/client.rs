//! The drivers: tokio-postgres and mysql_async as an application has them, with TLS that is checked.

use std::sync::Arc;

use anyhow::{Context, Result};
use e2e::{certificates::Authority, jumpgate::Engine, tls::MakeConnect, wire::Endpoint};
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts, prelude::Queryable};
use rustls::client::Resumption;
use tokio::task::JoinSet;
use tokio_postgres::{Config, SimpleQueryMessage, config::SslMode};

use super::case::Statement;

/// Where a client connects.
#[derive(Clone, Debug)]
pub enum Door {
    /// To PostgreSQL.
    Postgres(Box<Config>, MakeConnect),
    /// To MySQL.
    MySql(Opts),
}

/// A connection.
#[derive(Debug)]
pub enum Client {
    /// To PostgreSQL; its task ends with it.
    Postgres {
        /// The driver.
        inner: tokio_postgres::Client,
        /// Moves its bytes.
        task: JoinSet<()>,
        /// What was prepared.
        prepared: Option<tokio_postgres::Statement>,
    },
    /// To MySQL; the driver remembers what it prepared.
    MySql(Box<Conn>),
}

impl Door {
    /// A driver that trusts `authority` alone, and remembers no TLS session from one connection to the next.
    pub fn new(engine: Engine, endpoint: &Endpoint, authority: &Authority) -> Self {
        let Endpoint { address, user, password, database } = endpoint;
        match engine {
            Engine::Postgres => {
                let mut config = Config::new();
                config.host(address.ip().to_string()).port(address.port()).user(user);
                config.password(password).dbname(database).ssl_mode(SslMode::Require);
                let mut tls = (*authority.client_config(None)).clone();
                tls.resumption = Resumption::disabled();
                Self::Postgres(Box::new(config), MakeConnect(Arc::new(tls)))
            }
            Engine::MySql => {
                let tls = SslOpts::default()
                    .with_root_certs(vec![authority.pem.clone().into_bytes().into()])
                    .with_disable_built_in_roots(true);
                let opts = OptsBuilder::default()
                    .ip_or_hostname(address.ip().to_string())
                    .tcp_port(address.port())
                    .user(Some(user))
                    .pass(Some(password))
                    .db_name(Some(database))
                    // Else it goes around the proxy and the relay, through the socket that the server names.
                    .prefer_socket(false)
                    .ssl_opts(tls);
                Self::MySql(opts.into())
            }
        }
    }

    /// The same for a driver that is told what it would ask by itself: mysql_async's are the longest packet and the
    /// longest silence.
    #[must_use]
    pub fn without_questions(self) -> Self {
        match self {
            Self::Postgres(..) => self,
            Self::MySql(opts) => {
                let opts = OptsBuilder::from_opts(opts).max_allowed_packet(Some(16 << 20));
                Self::MySql(opts.wait_timeout(Some(28_800)).into())
            }
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// It was refused, or cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn connect(&self) -> Result<Client> {
        match self {
            Self::Postgres(config, tls) => {
                let (inner, connection) = config.connect(tls.clone()).await?;
                let mut task = JoinSet::new();
                // A connection's error reaches whoever waits for an answer on it.
                task.spawn(async move { drop(connection.await) });
                Ok(Client::Postgres { inner, task, prepared: None })
            }
            Self::MySql(opts) => Ok(Client::MySql(Box::new(Conn::new(opts.clone()).await?))),
        }
    }
}

impl Client {
    /// The value of a row.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no such row.
    ///
    /// # Cancel safety
    ///
    /// After a drop the connection must be dropped too.
    pub async fn ask(&mut self, statement: Statement, key: i32) -> Result<String> {
        match self {
            Self::Postgres { inner, prepared, .. } => match statement {
                Statement::Text => {
                    first_value(inner, &POSTGRES.replace("$1", &key.to_string())).await
                }
                Statement::Prepared => {
                    let prepared = match prepared {
                        Some(prepared) => prepared,
                        None => prepared.insert(inner.prepare(POSTGRES).await?),
                    };
                    let rows = inner.query(prepared, &[&key]).await?;
                    Ok(rows.first().context("no row")?.try_get(0)?)
                }
            },
            Self::MySql(conn) => {
                let value: Option<String> = match statement {
                    Statement::Text => {
                        conn.query_first(MYSQL.replace('?', &key.to_string())).await?
                    }
                    Statement::Prepared => conn.exec_first(MYSQL, (key,)).await?,
                };
                value.context("no row")
            }
        }
    }

    /// What the proxy says of the last statement: `hit`, `miss` and so on.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no proxy.
    ///
    /// # Cancel safety
    ///
    /// As of [`Self::ask`].
    pub async fn cache_status(&mut self) -> Result<String> {
        match self {
            Self::Postgres { inner, .. } => first_value(inner, "SHOW jumpgate.cache_status").await,
            Self::MySql(conn) => {
                let row: Option<(String, String)> =
                    conn.query_first("SHOW JUMPGATE STATUS").await?;
                Ok(row.context("no row")?.1)
            }
        }
    }

    /// Runs a statement that answers nothing.
    ///
    /// # Errors
    ///
    /// What the database refused.
    ///
    /// # Cancel safety
    ///
    /// As of [`Self::ask`].
    pub async fn execute(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Postgres { inner, .. } => Ok(inner.batch_execute(sql).await?),
            Self::MySql(conn) => Ok(conn.query_drop(sql).await?),
        }
    }

    /// Says good-bye.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn close(self) {
        match self {
            Self::Postgres { inner, mut task, prepared } => {
                drop(prepared);
                // Then the connection's task sends Terminate and ends.
                drop(inner);
                while task.join_next().await.is_some() {}
            }
            // COM_QUIT has no answer; what is wrong with the connection has been said before.
            Self::MySql(conn) => drop(conn.disconnect().await),
        }
    }
}

/// What a text in the simple protocol answers first.
async fn first_value(client: &tokio_postgres::Client, sql: &str) -> Result<String> {
    let messages = client.simple_query(sql).await?;
    let value = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(value.context("no row")?.to_owned())
}

const POSTGRES: &str = "SELECT name FROM jumpgate_latency WHERE id = $1";
const MYSQL: &str = "SELECT name FROM jumpgate_latency WHERE id = ?";
