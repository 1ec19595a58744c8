//! A client of whatever engine that survives what happens to its connection.

use anyhow::{Context, Result};
use e2e::{jumpgate::Engine, wire::Endpoint};
use mysql_async::{Conn, OptsBuilder, Row, Value, prelude::Queryable};
use tokio::task::JoinSet;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A connection through one of the proxies.
pub(crate) enum Session {
    Postgres {
        client: tokio_postgres::Client,
        /// It ends with the session.
        _driver: JoinSet<()>,
    },
    MySql(Conn),
}

impl Session {
    pub(crate) async fn open(engine: Engine, endpoint: &Endpoint) -> Result<Self> {
        match engine {
            Engine::Postgres => {
                let (client, connection) = tokio_postgres::connect(&endpoint.url(), NoTls).await?;
                let mut driver = JoinSet::new();
                driver.spawn(async move {
                    let _lost = connection.await;
                });
                Ok(Self::Postgres { client, _driver: driver })
            }
            Engine::MySql => {
                let Endpoint { address, user, password, database } = endpoint;
                let options = OptsBuilder::default()
                    .ip_or_hostname(address.ip().to_string())
                    .tcp_port(address.port())
                    .user(Some(user))
                    .pass(Some(password))
                    .db_name(Some(database))
                    // Or it asks for them.
                    .max_allowed_packet(Some(1 << 20))
                    .wait_timeout(Some(3600))
                    .prefer_socket(false);
                Ok(Self::MySql(Conn::new(options).await?))
            }
        }
    }

    /// The rows of a statement, all of them numbers.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<i64>>> {
        match self {
            Self::Postgres { client, .. } => {
                let messages = client.simple_query(sql).await?;
                let rows = messages.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let number = |text: Option<&str>| Ok(text.context("a value")?.parse()?);
                rows.map(|row| (0..row.len()).map(|at| number(row.get(at))).collect()).collect()
            }
            Self::MySql(conn) => numbers(conn.query(sql).await?),
        }
    }

    /// The same of a prepared statement with one parameter, written as `?`.
    pub(crate) async fn ask_prepared(&mut self, sql: &str, id: i32) -> Result<Vec<Vec<i64>>> {
        match self {
            Self::Postgres { client, .. } => {
                let rows = client.query(&sql.replace('?', "$1"), &[&id]).await?;
                rows.iter()
                    .map(|row| (0..row.len()).map(|at| Ok(row.try_get(at)?)).collect())
                    .collect()
            }
            Self::MySql(conn) => numbers(conn.exec(sql, (id,)).await?),
        }
    }
}

fn numbers(rows: Vec<Row>) -> Result<Vec<Vec<i64>>> {
    let number = |value: Value| match value {
        Value::Int(number) => Ok(number),
        Value::UInt(number) => Ok(number.try_into()?),
        Value::Bytes(text) => Ok(std::str::from_utf8(&text)?.parse()?),
        other => anyhow::bail!("{other:?} is no number"),
    };
    rows.into_iter().map(|row| row.unwrap().into_iter().map(number).collect()).collect()
}
