//! MySQL and MariaDB through mysql_async.

use std::path::Path;

use anyhow::{Context, Result, bail};
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts, Value, from_value_opt, prelude::Queryable};
use tokio::time::Instant;

use crate::{
    args::{Protocol, Tls, Wire},
    table::{Row, STATE, State, text_of},
    verify::{Answer, Done},
    workload::Operation,
};

/// How to connect, and how to ask.
#[derive(Debug)]
pub struct Endpoint {
    opts: Opts,
    prepared: bool,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    inner: Conn,
    prepared: bool,
}

impl Endpoint {
    pub(super) fn parse(url: &str, wire: &Wire) -> Result<Self> {
        let url = url.replacen("mariadb://", "mysql://", 1);
        // The error is not shown further: it could hold part of the URL.
        let opts = Opts::from_url(&url).ok().context("not a MySQL URL")?;
        if wire.protocol == Protocol::Extended {
            bail!("MySQL has --protocol text and prepared, not extended");
        }
        let tls = (wire.tls == Tls::Require).then(|| tls(wire.ca.as_deref()));
        let opts = OptsBuilder::from_opts(opts)
            // Else the driver asks the server for these three before anything else, and then goes
            // around the proxy through the socket that it was told.
            .prefer_socket(false)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800))
            .ssl_opts(tls);
        Ok(Self { opts: opts.into(), prepared: wire.protocol == Protocol::Prepared })
    }

    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.opts.ip_or_hostname(), self.opts.tcp_port())
    }

    pub(super) async fn connect(&self) -> Result<Client> {
        let inner = Conn::new(self.opts.clone()).await?;
        Ok(Client { inner, prepared: self.prepared })
    }
}

impl Client {
    /// The driver keeps what it prepared, and finds it by its text.
    pub(super) async fn prepare(&mut self) -> Result<()> {
        if self.prepared {
            self.inner.prep(READ).await?;
            self.inner.prep(WRITE).await?;
        }
        Ok(())
    }

    pub(super) async fn run(&mut self, batch: &[Operation]) -> Vec<Done> {
        let mut done = Vec::with_capacity(batch.len());
        for operation in batch {
            let answer = match *operation {
                Operation::Read(key) => self.read(key).await,
                Operation::Write { key, version } => self.write(key, version).await,
            };
            done.push((answer, Instant::now()));
        }
        done
    }

    async fn read(&mut self, key: i32) -> Result<Answer> {
        let rows: Vec<mysql_async::Row> = if self.prepared {
            self.inner.exec(READ, (key,)).await?
        } else {
            self.inner.query(READ.replace('?', &key.to_string())).await?
        };
        let read = rows.into_iter().map(|row| {
            let values = row.unwrap();
            typed_row(&values).ok_or_else(|| format!("{values:?}"))
        });
        let rows: Result<Vec<Row>, String> = read.collect();
        Ok(rows.map_or_else(Answer::Unreadable, Answer::Rows))
    }

    async fn write(&mut self, key: i32, version: i64) -> Result<Answer> {
        let text = text_of(key, version);
        if self.prepared {
            self.inner.exec_drop(WRITE, (version, text, key, version)).await?;
        } else {
            let sql = format!(
                "UPDATE jumpgate_bench SET version = {version}, check_text = '{text}' \
                 WHERE id = {key} AND version < {version}"
            );
            self.inner.query_drop(sql).await?;
        }
        Ok(Answer::Changed(self.inner.affected_rows()))
    }

    pub(super) async fn execute(&mut self, sql: &str) -> Result<()> {
        Ok(self.inner.query_drop(sql).await?)
    }

    pub(super) async fn state(&mut self) -> Result<State> {
        let row: Option<(i64, i64)> = self.inner.query_first(STATE).await?;
        let (rows, newest) = row.context("no row")?;
        Ok(State { rows, newest })
    }

    pub(super) async fn close(self) {
        // COM_QUIT has no answer; what is wrong with the connection has been said before.
        drop(self.inner.disconnect().await);
    }
}

fn typed_row(values: &[Value]) -> Option<Row> {
    let [id, version, text] = values else { return None };
    Some(Row {
        id: from_value_opt(id.clone()).ok()?,
        version: from_value_opt(version.clone()).ok()?,
        text: from_value_opt(text.clone()).ok()?,
    })
}

/// As `super::tls`: without authorities the certificate is not checked.
fn tls(ca: Option<&Path>) -> SslOpts {
    match ca {
        Some(ca) => SslOpts::default()
            .with_root_certs(vec![ca.to_path_buf().into()])
            .with_disable_built_in_roots(true),
        None => SslOpts::default().with_danger_accept_invalid_certs(true),
    }
}

const READ: &str = "SELECT id, version, check_text FROM jumpgate_bench WHERE id = ?";
const WRITE: &str =
    "UPDATE jumpgate_bench SET version = ?, check_text = ? WHERE id = ? AND version < ?";
