//! The jobs of drivers of Rust, in this process.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::{certificates::Authority, jumpgate::Engine, wire::Endpoint};
use mysql_async::{Conn, TxOpts, prelude::Queryable};
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::Instant;
use tokio_postgres::GenericClient;

use super::rows::Job;
use crate::latency::{
    client::{Client, Door},
    world::value,
};

/// What a job does once it has connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// One query with a parameter.
    Query,
    /// The same in a transaction.
    Select,
    /// One UPDATE in a transaction.
    Update,
}

/// Does a job once, and gives what it took, from before it connects until the driver lets it go on.
///
/// # Errors
///
/// The driver's, or that an answer is wrong.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub async fn run(
    job: Job,
    key: i32,
    endpoint: &Endpoint,
    authority: &Authority,
) -> Result<Duration> {
    let work = match job.name.rsplit(", ").next() {
        Some("select") => Work::Select,
        Some("update") => Work::Update,
        _ => Work::Query,
    };
    let begun = Instant::now();
    match (job.engine, job.driver) {
        (Engine::Postgres, "sqlx") => sqlx(work, key, endpoint, authority).await?,
        (engine, _) => match Door::new(engine, endpoint, authority).connect().await? {
            Client::Postgres { mut inner, task, prepared } => {
                postgres(work, key, &mut inner).await?;
                Client::Postgres { inner, task, prepared }.close().await;
            }
            Client::MySql(mut conn) => {
                mysql(work, key, &mut conn).await?;
                conn.disconnect().await?;
            }
        },
    }
    Ok(begun.elapsed())
}

async fn postgres(work: Work, key: i32, client: &mut tokio_postgres::Client) -> Result<()> {
    async fn select(client: &impl GenericClient, key: i32) -> Result<()> {
        right(key, client.query_one(SELECT, &[&key]).await?.try_get(0)?)
    }
    if work == Work::Query {
        return select(client, key).await;
    }
    let transaction = client.transaction().await?;
    if work == Work::Select {
        select(&transaction, key).await?;
    } else {
        ensure!(transaction.execute(UPDATE, &[&key]).await? == 1, "not one row");
    }
    Ok(transaction.commit().await?)
}

async fn sqlx(work: Work, key: i32, endpoint: &Endpoint, authority: &Authority) -> Result<()> {
    async fn select(connection: &mut PgConnection, key: i32) -> Result<()> {
        right(key, sqlx::query_scalar(SELECT).bind(key).fetch_one(connection).await?)
    }
    let Endpoint { address, user, password, database } = endpoint;
    let mut connection = PgConnectOptions::new_without_pgpass()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(user)
        .password(password)
        .database(database)
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert_from_pem(authority.pem.clone().into_bytes())
        .connect()
        .await?;
    if work == Work::Query {
        select(&mut connection, key).await?;
    } else {
        let mut transaction = connection.begin().await?;
        if work == Work::Select {
            select(&mut transaction, key).await?;
        } else {
            let done = sqlx::query(UPDATE).bind(key).execute(&mut *transaction).await?;
            ensure!(done.rows_affected() == 1, "not one row");
        }
        transaction.commit().await?;
    }
    Ok(connection.close().await?)
}

async fn mysql(work: Work, key: i32, conn: &mut Conn) -> Result<()> {
    async fn select(client: &mut impl Queryable, key: i32) -> Result<()> {
        let name: Option<String> = client.exec_first(MYSQL_SELECT, (key,)).await?;
        right(key, name.context("no row")?)
    }
    if work == Work::Query {
        return select(conn, key).await;
    }
    let mut transaction = conn.start_transaction(TxOpts::default()).await?;
    if work == Work::Select {
        select(&mut transaction, key).await?;
    } else {
        transaction.exec_drop(MYSQL_UPDATE, (key,)).await?;
        ensure!(transaction.affected_rows() == 1, "not one row");
    }
    Ok(transaction.commit().await?)
}

fn right(key: i32, answer: String) -> Result<()> {
    if answer != value(key) {
        bail!("the answer is {answer:?}, not {:?}", value(key));
    }
    Ok(())
}

const SELECT: &str = "SELECT name FROM jumpgate_latency WHERE id = $1";
const UPDATE: &str = "UPDATE jumpgate_latency SET hits = hits + 1 WHERE id = $1";
const MYSQL_SELECT: &str = "SELECT name FROM jumpgate_latency WHERE id = ?";
const MYSQL_UPDATE: &str = "UPDATE jumpgate_latency SET hits = hits + 1 WHERE id = ?";
