//! A storm of logins, while others are being served.

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use super::{crowd, steady::Steady};
use crate::{
    compare::{
        contender::Contender,
        figures::{self, Figure, Figures},
    },
    process::Meter,
};

/// So many clients that log in at once.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// How many.
    pub clients: u32,
}

impl Storm {
    /// About how long it takes.
    #[must_use]
    pub fn lasts(&self) -> f64 {
        f64::from(self.clients) * 0.0025 + 1.5
    }

    /// Opens them all while a few clients that were there before keep asking, and looks for the longest that one of
    /// those waited.
    ///
    /// # Errors
    ///
    /// A login was refused, or a query failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all clients.
    pub async fn run(&self, contender: &Contender) -> Result<Figures> {
        let steady = Steady::start(contender).await.context("those who keep asking")?;
        let meter = Meter::start(contender.process.as_ref())?;
        let begin = Instant::now();
        let mut clients = crowd::open(contender, self.clients, AT_ONCE).await?;
        let took = begin.elapsed();
        let spent = meter.read()?;
        let served = steady.end().await.context("the queries meanwhile")?;
        ensure!(served.count() > 0, "no query was served meanwhile");
        crowd::ask_all(&mut clients).await?;
        let per_second = f64::from(self.clients) / took.as_secs_f64();
        let mut figures = figures::of_throughput(per_second, self.clients.into(), &spent);
        figures.insert(Figure::LongestMs, served.longest_ms());
        Ok(figures)
    }
}

/// Not more than wait for being accepted at PgBouncer, whose backlog is 128.
const AT_ONCE: u32 = 128;
