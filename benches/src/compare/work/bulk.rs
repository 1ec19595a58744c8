//! Large results, and COPY in both directions.

use std::{pin::pin, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, TryStreamExt, future::try_join_all};
use tokio::time::{Instant, interval};

use crate::{
    client::postgres::{Plain, plain},
    compare::{
        contender::Contender,
        figures::{Figure, Figures},
    },
    process::{Meter, Process},
};

/// Many rows of pgbench's accounts, each of about a hundred bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    /// Which way.
    pub way: Way,
    /// How many rows each client takes or gives.
    pub rows: u32,
    /// How many clients do it at once.
    pub clients: u32,
}

/// Which way the rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The result of a SELECT.
    Select,
    /// COPY TO STDOUT.
    CopyOut,
    /// COPY FROM STDIN.
    CopyIn,
}

impl Bulk {
    /// About how long it takes.
    #[must_use]
    pub fn lasts(&self) -> f64 {
        let million = match self.way {
            Way::Select => 1.5,
            Way::CopyOut => 1.0,
            Way::CopyIn => 2.0,
        };
        f64::from(self.rows) * f64::from(self.clients) / 1e6 * million + 0.1
    }

    /// Has the rows go, and watches the memory of what they go through.
    ///
    /// # Errors
    ///
    /// Rows are missing or wrong.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connections.
    pub async fn run(&self, contender: &Contender) -> Result<Figures> {
        let url = contender.url();
        let opening = (0..self.clients).map(|_| plain(&url, contender.tls));
        let clients = try_join_all(opening).await?;
        if self.way == Way::CopyIn {
            let first = clients.first().context("no client")?;
            first.client.batch_execute(TABLE).await.context("the table that is copied into")?;
        }
        let before = contender.process.as_ref().map(Process::resident_kb).transpose()?;
        let meter = Meter::start(contender.process.as_ref())?;
        let begin = Instant::now();
        let all = try_join_all(clients.iter().map(|client| self.go(client)));
        let (bytes, most) = watched(all, contender.process.as_ref()).await?;
        let seconds = begin.elapsed().as_secs_f64();
        let machine = meter.read()?.machine.as_secs_f64() * 1e6;
        let megabytes = crate::report::float(bytes.into_iter().sum()) / 1e6;
        let mut figures = Figures::from([
            (Figure::MegabytesPerSecond, megabytes / seconds),
            (Figure::MachineMicros, machine / megabytes),
        ]);
        if let Some((before, most)) = before.zip(most) {
            let grown = crate::report::float(most.saturating_sub(before)) / 1e3;
            figures.insert(Figure::GrownMegabytes, grown);
        }
        Ok(figures)
    }

    /// How many bytes of values or of COPY data went.
    async fn go(&self, client: &Plain) -> Result<u64> {
        match self.way {
            Way::Select => self.select(client).await,
            Way::CopyOut => self.copy_out(client).await,
            Way::CopyIn => self.copy_in(client).await,
        }
    }

    async fn select(&self, client: &Plain) -> Result<u64> {
        let sql = format!("SELECT aid, filler FROM pgbench_accounts WHERE aid <= {}", self.rows);
        let none: [(&str, tokio_postgres::types::Type); 0] = [];
        let mut rows = pin!(client.client.query_typed_raw(&sql, none).await?);
        let (mut count, mut sum, mut bytes) = (0_u32, 0_u64, 0_u64);
        while let Some(row) = rows.try_next().await? {
            let (aid, filler): (i32, &str) = (row.try_get(0)?, row.try_get(1)?);
            count += 1;
            sum += u64::try_from(aid)?;
            bytes += 4 + u64::try_from(filler.len())?;
        }
        let rows = u64::from(self.rows);
        let right = count == self.rows && sum == rows * (rows + 1) / 2;
        ensure!(right, "{count} rows with a sum of {sum} instead of {rows}");
        Ok(bytes)
    }

    async fn copy_out(&self, client: &Plain) -> Result<u64> {
        let sql = format!(
            "COPY (SELECT aid, filler FROM pgbench_accounts WHERE aid <= {}) TO STDOUT",
            self.rows
        );
        let mut data = pin!(client.client.copy_out(&sql).await?);
        let (mut count, mut bytes) = (0_u32, 0_u64);
        while let Some(row) = data.try_next().await? {
            ensure!(row.ends_with(b"\n"), "a row that does not end");
            count += 1;
            bytes += u64::try_from(row.len())?;
        }
        ensure!(count == self.rows, "{count} rows instead of {}", self.rows);
        Ok(bytes)
    }

    async fn copy_in(&self, client: &Plain) -> Result<u64> {
        let sink = client
            .client
            .copy_in::<_, Bytes>("COPY jumpgate_bulk (aid, filler) FROM STDIN")
            .await?;
        let mut sink = pin!(sink);
        let mut bytes = 0;
        let mut part = BytesMut::with_capacity(PART);
        for aid in 1..=self.rows {
            part.extend_from_slice(format!("{aid}\t{FILLER}\n").as_bytes());
            if part.len() >= PART - 200 || aid == self.rows {
                bytes += u64::try_from(part.len())?;
                sink.send(std::mem::take(&mut part).freeze()).await?;
                part.reserve(PART);
            }
        }
        let count = sink.finish().await?;
        ensure!(count == u64::from(self.rows), "{count} rows instead of {}", self.rows);
        Ok(bytes)
    }
}

/// Does something, and tells the most memory that a process held meanwhile, in KB.
async fn watched<T>(
    work: impl Future<Output = Result<T>>,
    process: Option<&Process>,
) -> Result<(T, Option<u64>)> {
    let mut work = pin!(work);
    let mut tick = interval(Duration::from_millis(20));
    let mut most = None;
    loop {
        tokio::select! {
            done = &mut work => return Ok((done?, most)),
            _ = tick.tick() => {
                most = most.max(process.map(Process::resident_kb).transpose()?);
            }
        }
    }
}

const TABLE: &str = "DROP TABLE IF EXISTS jumpgate_bulk; \
    CREATE UNLOGGED TABLE jumpgate_bulk (aid int, filler char(84))";
const FILLER: &str =
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdef";
/// What libpq's programs send at once, more or less.
const PART: usize = 8192;
