//! PostgreSQL through tokio-postgres.

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::future::join_all;
use tokio::{task::JoinSet, time::Instant};
use tokio_postgres::{
    Config, NoTls, SimpleQueryMessage, SimpleQueryRow, Statement,
    config::{Host, SslMode},
    types::{ToSql, Type},
};

use super::tls;
use crate::{
    args::{Protocol, Tls, Wire},
    table::{Row, STATE, State},
    verify::{Answer, Done},
    workload::Operation,
};

/// How to connect, and how to ask.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    tls: Option<tls::MakeConnect>,
    protocol: Protocol,
}

/// A connection; its task ends with it.
#[derive(Debug)]
pub struct Client {
    inner: tokio_postgres::Client,
    task: JoinSet<()>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Simple,
    Extended,
    Prepared { read: Option<Statement>, write: Option<Statement> },
}

impl Endpoint {
    pub(super) fn parse(url: &str, wire: &Wire) -> Result<Self> {
        // The error is not shown further: it could hold part of the URL.
        let mut config: Config = url.parse().ok().context("not a PostgreSQL URL")?;
        config.application_name("jumpgate bench");
        let tls = match wire.tls {
            Tls::Off => {
                ensure!(
                    config.get_ssl_mode() != SslMode::Require,
                    "the URL says sslmode=require: give --tls require"
                );
                config.ssl_mode(SslMode::Disable);
                None
            }
            Tls::Require => {
                config.ssl_mode(SslMode::Require);
                Some(tls::MakeConnect::new(wire.ca.as_deref())?)
            }
        };
        Ok(Self { config, tls, protocol: wire.protocol })
    }

    pub(super) fn address(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        format!("{host}:{}", self.config.get_ports().first().unwrap_or(&5432))
    }

    pub(super) async fn connect(&self) -> Result<Client> {
        let Plain { client: inner, task } = self.open().await?;
        let kind = match self.protocol {
            Protocol::Simple => Kind::Simple,
            Protocol::Extended => Kind::Extended,
            Protocol::Prepared => Kind::Prepared { read: None, write: None },
        };
        Ok(Client { inner, task, kind })
    }

    async fn open(&self) -> Result<Plain> {
        let mut task = JoinSet::new();
        // A connection's error reaches whoever waits for an answer on it.
        let client = match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                task.spawn(async move { drop(connection.await) });
                client
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                task.spawn(async move { drop(connection.await) });
                client
            }
        };
        Ok(Plain { client, task })
    }
}

/// The driver's own client, for what is not an operation of the load tester.
#[derive(Debug)]
pub struct Plain {
    /// The client.
    pub client: tokio_postgres::Client,
    /// Moves its bytes, and ends with it.
    task: JoinSet<()>,
}

/// Opens a connection; a certificate is not checked.
///
/// # Errors
///
/// It was refused, or cannot be reached.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub async fn plain(url: &str, tls: Tls) -> Result<Plain> {
    let wire = Wire { protocol: Protocol::Simple, tls, ca: None };
    Endpoint::parse(url, &wire)?.open().await
}

impl Client {
    pub(super) async fn run(&mut self, batch: &[Operation]) -> Vec<Done> {
        let reads = batch.iter().any(|operation| matches!(operation, Operation::Read(_)));
        let writes = batch.iter().any(|operation| matches!(operation, Operation::Write { .. }));
        // Before anything is sent: else what is prepared would overtake what is not.
        if let Err(error) = self.prepare(reads, writes).await {
            let failed = |_| (Err(anyhow!("preparing: {error:#}")), Instant::now());
            return batch.iter().map(failed).collect();
        }
        // Each sends its messages when it is first polled, and they are polled in order.
        join_all(batch.iter().map(|operation| self.timed(*operation))).await
    }

    /// Prepares what is not prepared yet.
    pub(super) async fn prepare(&mut self, reads: bool, writes: bool) -> Result<()> {
        let Kind::Prepared { read, write } = &mut self.kind else { return Ok(()) };
        for (wanted, statement, sql) in [(reads, read, READ), (writes, write, WRITE)] {
            if wanted && statement.is_none() {
                *statement = Some(self.inner.prepare(sql).await?);
            }
        }
        Ok(())
    }

    async fn timed(&self, operation: Operation) -> Done {
        let answer = match operation {
            Operation::Read(key) => self.read(key).await,
            Operation::Write { key, version } => self.write(key, version).await,
        };
        (answer, Instant::now())
    }

    async fn read(&self, key: i32) -> Result<Answer> {
        let rows = match &self.kind {
            Kind::Simple => return self.simple(&READ.replace("$1", &key.to_string())).await,
            Kind::Extended => self.inner.query_typed(READ, &[(&key, Type::INT4)]).await?,
            Kind::Prepared { read, .. } => {
                let read = read.as_ref().context("not prepared")?;
                self.inner.query(read, &[&key]).await?
            }
        };
        let rows: Result<Vec<Row>, _> = rows.iter().map(typed_row).collect();
        Ok(rows.map_or_else(|error| Answer::Unreadable(error.to_string()), Answer::Rows))
    }

    async fn write(&self, key: i32, version: i64) -> Result<Answer> {
        let text = crate::table::text_of(key, version);
        let rows = match &self.kind {
            Kind::Simple => {
                let sql = WRITE
                    .replace("$1", &version.to_string())
                    .replace("$2", &format!("'{text}'"))
                    .replace("$3", &key.to_string());
                return self.simple(&sql).await;
            }
            Kind::Extended => {
                let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                    [(&version, Type::INT8), (&text, Type::VARCHAR), (&key, Type::INT4)];
                self.inner.execute_typed(WRITE, &parameters).await?
            }
            Kind::Prepared { write, .. } => {
                let write = write.as_ref().context("not prepared")?;
                self.inner.execute(write, &[&version, &text, &key]).await?
            }
        };
        Ok(Answer::Changed(rows))
    }

    /// An answer with rows is a read's; one with nothing but a count a write's.
    async fn simple(&self, sql: &str) -> Result<Answer> {
        let mut rows = Vec::new();
        let mut columns = false;
        let mut count = 0;
        for message in self.inner.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(_) => columns = true,
                SimpleQueryMessage::Row(row) => match text_row(&row) {
                    Some(row) => rows.push(row),
                    None => return Ok(Answer::Unreadable(format!("{row:?}"))),
                },
                SimpleQueryMessage::CommandComplete(changed) => count = changed,
                other => return Ok(Answer::Unreadable(format!("{other:?}"))),
            }
        }
        Ok(if columns { Answer::Rows(rows) } else { Answer::Changed(count) })
    }

    pub(super) async fn execute(&self, sql: &str) -> Result<()> {
        Ok(self.inner.batch_execute(sql).await?)
    }

    pub(super) async fn state(&self) -> Result<State> {
        let messages = self.inner.simple_query(STATE).await?;
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.context("no row")?;
        let number = |column| -> Result<i64> { Ok(row.get(column).context("NULL")?.parse()?) };
        Ok(State { rows: number(0)?, newest: number(1)? })
    }

    pub(super) async fn close(self) {
        let Self { inner, mut task, .. } = self;
        // Then the connection's task sends Terminate and ends.
        drop(inner);
        while task.join_next().await.is_some() {}
    }
}

fn typed_row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    Ok(Row { id: row.try_get(0)?, version: row.try_get(1)?, text: row.try_get(2)? })
}

fn text_row(row: &SimpleQueryRow) -> Option<Row> {
    let (id, version) = (row.try_get(0).ok()??, row.try_get(1).ok()??);
    let text = row.try_get(2).ok()??.to_owned();
    Some(Row { id: id.parse().ok()?, version: version.parse().ok()?, text })
}

const READ: &str = "SELECT id, version, check_text FROM jumpgate_bench WHERE id = $1";
const WRITE: &str =
    "UPDATE jumpgate_bench SET version = $1, check_text = $2 WHERE id = $3 AND version < $1";
